"""The course through the client that openapi-python-client makes."""

import os
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

from activity_logs_client import AuthenticatedClient
from activity_logs_client.api.reading import (
    get_organization_activity_log as get_entry,
    list_organization_activity_logs as list_entries,
)
from activity_logs_client.api.recording import record_activity_logs as record
from activity_logs_client.models import (
    EntryInput,
    Listing,
    OrganizationRef,
    PageSize,
    Person,
    Problem,
    RecordRequest,
)

FIRST = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)
IDS = [uuid4() for _ in range(30)]


def client(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(
        base_url=os.environ["BASE_URL"], token=token, raise_on_unexpected_status=True
    )


recorder, member, outsider = (
    client(os.environ[name]) for name in ("RECORDER", "MEMBER", "OUTSIDER")
)


def entry(id: UUID, minute: int, **fields) -> EntryInput:
    given = {"type_": "Users", "action": "Update", "old_value": None, "new_value": {"seat": minute}}
    return EntryInput(
        id=id,
        occurred_at=FIRST + timedelta(minutes=minute),
        user=Person(id="auth0|64f1", name="Ada Abara"),
        organization=OrganizationRef(id="acme", name="Acme"),
        identifier=f"user {minute}",
        **(given | fields),
    )


def send(entries, by=recorder):
    return record.sync_detailed(client=by, body=RecordRequest(entries=entries))


def pages(**filters) -> list:
    found, page, as_of = [], 1, {}
    while True:
        answer = list_entries.sync(
            "acme", client=member, type_=["Users"], page=page, page_size=PageSize.VALUE_25,
            **as_of, **filters,
        )
        assert isinstance(answer, Listing), answer
        found += answer.items
        if page == 1:
            total, as_of = answer.total, {"as_of": answer.as_of}
            # What is recorded meanwhile moves nothing.
            assert send([entry(uuid4(), 15)]).status_code == 201
        assert answer.total == total
        if page >= answer.total_pages:
            assert len(found) == total and len({item.id for item in found}) == total
            return found
        page += 1


def meets(answer, status: int, code: str) -> Problem:
    problem = answer.parsed
    assert isinstance(problem, Problem), answer
    assert (answer.status_code, problem.status, problem.code) == (status, status, code), problem
    return problem


answer = send([entry(id, minute) for minute, id in enumerate(IDS)])
assert answer.status_code == 201 and [item.id for item in answer.parsed.entries] == IDS
print("recorded")

found = pages()
assert [item.id for item in found] == IDS[::-1]
print("pages hold still")

found = pages(from_=FIRST + timedelta(minutes=5), to=FIRST + timedelta(minutes=10))
assert [item.id for item in found] == IDS[5:10][::-1]
print("filtered by time")

one = get_entry.sync("acme", IDS[7], client=member)
assert one.id == IDS[7] and one.occurred_at == FIRST + timedelta(minutes=7)
assert one.new_value.to_dict() == {"seat": 7} and one.old_value is None and one.workspace is None
print("one entry")

ask = list_entries.sync_detailed
meets(ask("acme", client=client("nonsense")), 401, "invalid_token")
meets(ask("acme", client=outsider), 403, "forbidden")
meets(get_entry.sync_detailed("acme", uuid4(), client=member), 404, "not_found")
meets(send([entry(IDS[0], 1)]), 409, "id_conflict")
problem = meets(send([entry(uuid4(), 1, action="Fetch")]), 422, "invalid_entries")
assert problem.errors[0].pointer == "/entries/0/new_value", problem
print("problems are typed")
print("the course is done")
