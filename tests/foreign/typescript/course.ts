// The course through openapi-fetch, with the types that openapi-typescript makes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
type Entry = Schemas["Entry"];
type EntryInput = Schemas["EntryInput"];

const environment = (name: string): string => {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
};

const client = (token: string) =>
  createClient<paths>({
    baseUrl: environment("BASE_URL"),
    headers: { Authorization: `Bearer ${token}` },
  });

const recorder = client(environment("RECORDER"));
const member = client(environment("MEMBER"));
const outsider = client(environment("OUTSIDER"));

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 31, 9, minute)).toISOString();
const ids = Array.from({ length: 30 }, () => randomUUID() as string);

const entry = (id: string, minute: number, action = "Update"): EntryInput => ({
  id,
  occurred_at: at(minute),
  type: "Users",
  action,
  outcome: "success",
  user: { id: "auth0|64f1", name: "Ada Abara" },
  organization: { id: "acme", name: "Acme" },
  workspace: null,
  identifier: `user ${minute}`,
  old_value: null,
  new_value: { seat: minute },
});

const send = (entries: EntryInput[]) =>
  recorder.POST("/api/v1/activity-logs", { body: { entries } });

const list = (by: typeof member, query: object = {}) =>
  by.GET("/api/v1/organizations/{organization_id}/activity-logs", {
    params: { path: { organization_id: "acme" }, query: { type: ["Users"], ...query } },
  });

const pages = async (filters: object = {}): Promise<Entry[]> => {
  const found: Entry[] = [];
  let first: Schemas["Listing"] | undefined;
  for (let page = 1; ; page += 1) {
    const pinned = first ? { as_of: first.as_of } : {};
    const { data } = await list(member, { ...filters, ...pinned, page, page_size: 25 });
    assert(data);
    found.push(...data.items);
    if (!first) {
      first = data;
      // What is recorded meanwhile moves nothing.
      assert.equal((await send([entry(randomUUID(), 15)])).response.status, 201);
    }
    assert.equal(data.total, first.total);
    if (page >= data.total_pages) {
      assert.equal(found.length, first.total);
      return found;
    }
  }
};

const meets = (
  answer: { error?: Schemas["Problem"]; response: Response },
  status: number,
  code: string,
): Schemas["Problem"] => {
  assert(answer.error);
  const met = [answer.response.status, answer.error.status, answer.error.code];
  assert.deepEqual(met, [status, status, code]);
  return answer.error;
};

const recorded = await send(ids.map((id, minute) => entry(id, minute)));
assert.deepEqual(recorded.data?.entries.map((item) => item.id), ids);
console.log("recorded");

const newestFirst = (from: number, to: number) => ids.slice(from, to).reverse();
assert.deepEqual((await pages()).map((item) => item.id), newestFirst(0, 30));
console.log("pages hold still");

const within = await pages({ from: at(5), to: at(10) });
assert.deepEqual(within.map((item) => item.id), newestFirst(5, 10));
console.log("filtered by time");

const one = (by: typeof member, id: string) =>
  by.GET("/api/v1/organizations/{organization_id}/activity-logs/{id}", {
    params: { path: { organization_id: "acme", id } },
  });
const seventh = (await one(member, ids[7]!)).data;
assert(seventh);
assert.deepEqual([seventh.old_value, seventh.new_value], [null, { seat: 7 }]);
assert.equal(seventh.organization?.name, "Acme");
console.log("one entry");

meets(await list(client("nonsense")), 401, "invalid_token");
meets(await list(outsider), 403, "forbidden");
meets(await one(member, randomUUID()), 404, "not_found");
meets(await send([entry(ids[0]!, 1)]), 409, "id_conflict");
const broken = meets(await send([entry(randomUUID(), 1, "Fetch")]), 422, "invalid_entries");
assert.equal(broken.errors?.[0]?.pointer, "/entries/0/new_value");
console.log("problems are typed");
console.log("the course is done");
