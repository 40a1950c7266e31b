//! Reading: listings, totals, pinned pages, single entries, and what reading leaves behind.

use std::collections::HashSet;

use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, recorder, token,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

on_both_databases! {
    pages_hold_still_while_others_record
    links_lead_through_the_listing
    filters_narrow_and_are_described
    wrong_parameters_are_refused
    each_reading_leaves_an_entry_of_its_own
    recent_shows_what_people_did
    an_entry_is_found_by_those_who_see_it
    an_organization_opens_for_those_who_belong_to_it
    organizations_are_listed_by_name
    the_end_of_an_organization
    who_am_i_and_what_can_be_recorded
}

async fn fill(service: &TestService, organization: &str, count: usize) {
    let entries: Vec<Value> = (0..count)
        .map(|i| {
            let mut entry = entry(organization, &format!("thing {i}"));
            entry["occurred_at"] = json!(format!("2026-01-{:02}T00:00:{:02}Z", 1 + i % 5, i % 60));
            entry
        })
        .collect();
    for entries in entries.chunks(1000) {
        assert_eq!(service.record(json!(entries)).await.status, 201);
    }
}

async fn pages_hold_still_while_others_record(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 130).await;
    let path = "/api/v1/organizations/acme/activity-logs";
    let first = service.get(&format!("{path}?page_size=50"), &admin()).await;
    assert_eq!((&first.body["total"], &first.body["total_pages"]), (&json!(130), &json!(3)));
    let as_of = first.body["as_of"].as_str().unwrap();
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for page in 1..=3 {
        // Late arrivals, new entries, and the entries of this very reading.
        fill(&service, "acme", 7).await;
        let answer =
            service.get(&format!("{path}?page_size=50&page={page}&as_of={as_of}"), &admin()).await;
        assert_eq!((&answer.body["total"], &answer.body["as_of"]), (&json!(130), &json!(as_of)));
        for item in answer.items() {
            assert!(seen.insert(item["id"].clone()), "no entry appears twice");
            order.push((
                item["occurred_at"].as_str().unwrap().to_owned(),
                item["sequence"].as_i64().unwrap(),
            ));
        }
    }
    assert_eq!(seen.len(), 130, "none is skipped");
    assert!(order.is_sorted_by(|a, b| a > b), "newest first");
    let now = service.get(path, &admin()).await;
    assert_eq!(
        now.body["total"],
        130 + 21 + 4,
        "without as_of the listing looks at now, its own reading left out"
    );

    let beyond = service.get(&format!("{path}?page=4&page_size=50&as_of={as_of}"), &admin()).await;
    assert_eq!((beyond.items().len(), &beyond.body["total"]), (0, &json!(130)));
}

async fn links_lead_through_the_listing(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 60).await;
    let path = "/api/v1/activity-logs?type=Users&user_id=ada&organization_id=acme";
    let mut next = Some(path.to_owned());
    let mut items = 0;
    while let Some(path) = next.take() {
        let answer = service.get(&path, &admin()).await;
        assert_eq!(answer.body["total"], 60);
        items += answer.items().len();
        let link = answer.header("link").to_owned();
        let target = |rel: &str| {
            let part = link.split(", ").find(|part| part.ends_with(&format!("rel=\"{rel}\"")))?;
            let target = part.trim_start_matches('<').split('>').next()?;
            // Behind a proxy, the path is not known here.
            assert!(target.starts_with('?'), "{target}");
            Some(format!("/api/v1/activity-logs{target}"))
        };
        assert!(target("first").unwrap().contains("page=1&"));
        assert!(target("last").unwrap().contains("page=3&"));
        assert_eq!(target("prev").is_some(), answer.body["page"] != 1);
        next = target("next");
    }
    assert_eq!(items, 60);
}

async fn filters_narrow_and_are_described(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut denied = entry("acme", "denied");
    denied["outcome"] = json!("denied");
    let mut other = entry("acme", "other");
    other["type"] = json!("Subscriptions");
    other["user"] = json!({"id": "bob", "name": "Bob"});
    other["workspace"] = json!({"id": "ws-1", "name": "One"});
    other["occurred_at"] = json!("2026-01-01T00:00:00Z");
    service
        .record(json!([denied, other, entry("acme", "plain"), entry("umbrella", "elsewhere")]))
        .await;
    let as_of = service.as_of(4).await;
    let total = async |query: &str| {
        let path = format!("/api/v1/activity-logs?as_of={as_of}&{query}");
        let answer = service.get(&path, &admin()).await;
        answer.body["total"].as_u64().unwrap_or_else(|| panic!("{query}: {answer:?}"))
    };
    for (query, count) in [
        ("", 4),
        ("type=Users", 3),
        ("type=Users&type=Subscriptions", 4),
        ("action=Update&outcome=denied", 1),
        ("user_id=bob&user_id=nobody", 1),
        ("user_id=bob&type=Users", 0),
        ("workspace_id=ws-1", 1),
        ("organization_id=umbrella", 1),
        ("to=2026-01-01T00:00:00Z", 0),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00.000001Z", 1),
        ("from=2026-01-01T00:00:00.000001Z", 3),
    ] {
        assert_eq!(total(query).await, count, "{query}");
    }
    let looks =
        service.get("/api/v1/activity-logs?type=ActivityLogs&page_size=100", &admin()).await;
    let asked: Vec<&Value> = looks.items().iter().map(|item| &item["question"]).collect();
    let types = json!({"type": ["Users", "Subscriptions"]});
    assert!(asked.iter().any(|question| question["filters"] == types), "{asked:?}");
}

async fn wrong_parameters_are_refused(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 1).await;
    let before = service.position().await;
    let org = "/api/v1/organizations/acme/activity-logs";
    let all = "/api/v1/activity-logs";
    let id = Uuid::new_v4();
    let beyond = service.as_of(before + 1).await;
    let foreign = TestService::start(kind).await.as_of(1).await;
    for (path, status, pointer) in [
        (format!("{all}?page=0"), 422, "?page"),
        (format!("{all}?page=1000000000000000000"), 422, "?page"),
        (format!("{all}?page=x"), 422, "?page"),
        (format!("{all}?page=-1"), 422, "?page"),
        (format!("{all}?page="), 422, "?page"),
        (format!("{all}?page=1&page=2"), 400, "?page"),
        (format!("{all}?from=2026-02-01T00:00:00+01:00"), 422, "?from"),
        (format!("{all}?page_size=26"), 422, "?page_size"),
        (format!("{all}?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"), 422, "?from"),
        (format!("{all}?as_of=1000"), 422, "?as_of"),
        (format!("{all}?as_of={beyond}"), 422, "?as_of"),
        (format!("{all}?as_of={foreign}"), 422, "?as_of"),
        (format!("{all}?tpye=Users"), 400, "?tpye"),
        (format!("{all}?type=Userz"), 422, "?type"),
        (format!("{org}?organization_id=acme"), 400, "?organization_id"),
        (format!("{org}/recent?limit=26"), 422, "?limit"),
        (format!("{all}/not-an-id"), 422, "{id}"),
        (format!("{org}/not-an-id"), 422, "{id}"),
        (format!("{all}/{id}?verbose=1"), 400, "?verbose"),
        ("/api/v1/organizations?sort=name".to_owned(), 400, "?sort"),
        ("/api/v1/organizations/a%20/activity-logs".to_owned(), 422, "{organization_id}"),
        ("/api/v1/me?x=1".to_owned(), 400, "?x"),
    ] {
        let answer = service.get(&path, &admin()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.pointer()),
            (status, pointer),
            "{path}: {answer:?}"
        );
        answer.problem();
    }
    assert_eq!(
        service.position().await,
        before,
        "a refused reading reads nothing and leaves nothing"
    );
    let far = service.get(&format!("{all}?page=1000000000"), &admin()).await;
    assert_eq!((far.items().len(), &far.body["total"]), (0, &json!(1)));
}

async fn each_reading_leaves_an_entry_of_its_own(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 2).await;
    let org = "/api/v1/organizations/acme/activity-logs";
    let listing = service.get(&format!("{org}?type=Users"), &member("mia", "acme")).await;
    let id = listing.items()[0]["id"].as_str().unwrap().to_owned();
    service.get(&format!("{org}/recent"), &member("mia", "acme")).await;
    let request =
        service.request(Method::GET, &format!("{org}/{id}"), Some(&member("mia", "acme")));
    let opened =
        Answer::of(request.header("x-request-id", "look-7").header("user-agent", "tests/1")).await;
    assert_eq!(opened.header("x-request-id"), "look-7");
    service.get(&format!("/api/v1/activity-logs/{id}"), &member("mia", "acme")).await;

    let log = service.get(&format!("{org}?type=ActivityLogs"), &admin()).await;
    let said: Vec<_> =
        log.items().iter().rev().map(|i| (i["action"].clone(), i["identifier"].clone())).collect();
    assert_eq!(
        said,
        [
            (json!("FetchAll"), json!("page 1")),
            (json!("FetchAll"), json!("newest entries")),
            (json!("Fetch"), json!("entry")),
            (json!("Fetch"), json!("entry")),
        ]
    );
    assert_eq!(log.items()[0]["question"], json!({"id": id, "member": true}), "opened globally");
    let look = &log.items()[1];
    assert_eq!(look["user"], json!({"id": "mia", "name": "mia"}));
    assert_eq!(
        look["organization"],
        json!({"id": "acme", "name": "ACME"}),
        "the name that the log knows"
    );
    assert_eq!(
        look["context"],
        json!({"ip_address": "127.0.0.1", "user_agent": "tests/1", "request_id": "look-7"})
    );
}

async fn recent_shows_what_people_did(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 9).await;
    let org = "/api/v1/organizations/acme/activity-logs";
    for _ in 0..3 {
        service.get(org, &admin()).await;
    }
    let recent = service.get(&format!("{org}/recent"), &admin()).await;
    assert_eq!(recent.items().len(), 6);
    assert!(recent.items().iter().all(|item| item["type"] == "Users"));
    let one = service.get(&format!("{org}/recent?limit=1"), &admin()).await;
    assert_eq!(one.items()[0], recent.items()[0]);
}

async fn an_entry_is_found_by_those_who_see_it(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut secret = entry("acme", "roles");
    secret["type"] = json!("AdminRoles");
    let recorded = service.record(json!([secret, entry("acme", "plain")])).await;
    let id = |i: usize| recorded.body["entries"][i]["id"].as_str().unwrap().to_owned();
    let sees = async |path: String, token: &str| service.get(&path, token).await.status.as_u16();
    let (org, all) = ("/api/v1/organizations/acme/activity-logs", "/api/v1/activity-logs");
    assert_eq!(sees(format!("{org}/{}", id(0)), &admin()).await, 200);
    assert_eq!(
        sees(format!("{org}/{}", id(0)), &member("mia", "acme")).await,
        404,
        "administrative"
    );
    assert_eq!(sees(format!("{all}/{}", id(0)), &member("mia", "acme")).await, 404);
    assert_eq!(
        sees(format!("{all}/{}", id(0)), &token(json!({"sub": "ada", "role": "user"}))).await,
        200,
        "own act"
    );
    assert_eq!(sees(format!("{org}/{}", id(1)), &member("mia", "acme")).await, 200);
    assert_eq!(sees(format!("{all}/{}", id(1)), &member("eve", "umbrella")).await, 404);
    assert_eq!(sees(format!("{all}/{}", Uuid::new_v4()), &admin()).await, 404);
    let hidden = service.get(&format!("{all}/{}", id(0)), &member("mia", "acme")).await;
    let absent = service.get(&format!("{all}/{}", Uuid::new_v4()), &member("mia", "acme")).await;
    assert_eq!(hidden.body, absent.body, "what is hidden looks like what does not exist");
}

async fn an_organization_opens_for_those_who_belong_to_it(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 3).await;
    let status = async |organization: &str, token: &str| {
        service
            .get(&format!("/api/v1/organizations/{organization}/activity-logs"), token)
            .await
            .status
            .as_u16()
    };
    let grant = token(
        json!({"sub": "gus", "role": "user", "workspaces": [{"organization_id": "acme", "id": "ws-1"}]}),
    );
    assert_eq!(status("acme", &admin()).await, 200);
    assert_eq!(status("acme", &member("mia", "acme")).await, 200);
    assert_eq!(status("acme", &grant).await, 200);
    assert_eq!(status("acme", &member("eve", "umbrella")).await, 403);
    assert_eq!(status("acme", &recorder()).await, 403);
    assert_eq!(
        status("nowhere", &member("eve", "umbrella")).await,
        403,
        "whether or not it exists"
    );
    assert_eq!(status("nowhere", &admin()).await, 404, "the attempt of eve made no organization");
    assert_eq!(
        status("umbrella", &member("eve", "umbrella")).await,
        200,
        "hers, though nothing happened yet"
    );

    let denied =
        service.get("/api/v1/organizations/acme/activity-logs?outcome=denied", &admin()).await;
    let who: Vec<_> =
        denied.items().iter().map(|item| item["user"]["id"].as_str().unwrap()).collect();
    assert_eq!(who, ["recorder", "eve"]);
    let elsewhere = service.get("/api/v1/activity-logs?outcome=denied&user_id=eve", &admin()).await;
    let said = elsewhere.items().iter().find(|item| item["organization"].is_null()).unwrap();
    assert_eq!(said["question"]["organization_id"], "nowhere");
}

async fn organizations_are_listed_by_name(kind: Kind) {
    let service = TestService::start(kind).await;
    let named = |id: &str, name: &str| {
        let mut entry = entry(id, "x");
        entry["organization"]["name"] = json!(name);
        entry
    };
    let many: Vec<Value> =
        (0..30).map(|i| named(&format!("org-{i:02}"), &format!("Team {i:02}"))).collect();
    service.record(json!(many)).await;
    service
        .record(json!([
            named("acme", "Old"),
            named("acme", "Ärzte 100%"),
            named("zeta", "alpha_1")
        ]))
        .await;
    let list = async |query: &str, token: &str| {
        service.get(&format!("/api/v1/organizations?{query}"), token).await
    };
    let names = |answer: &Answer| -> Vec<String> {
        answer.items().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = list("", &admin()).await;
    assert_eq!(
        (first.items().len(), &first.body["total"], &first.body["total_pages"]),
        (25, &json!(32), &json!(2))
    );
    assert_eq!(names(&first)[0], "alpha_1", "whatever the case");
    assert_eq!(
        names(&list("page=2", &admin()).await).last().unwrap(),
        "Ärzte 100%",
        "the newest name"
    );
    assert_eq!(names(&list("q=ÄRZTE", &admin()).await), ["Ärzte 100%"]);
    assert_eq!(names(&list("q=0%25", &admin()).await), ["Ärzte 100%"], "% is a letter like others");
    assert_eq!(names(&list("q=a_1", &admin()).await), ["alpha_1"]);
    assert_eq!(names(&list("q=ORG-07", &admin()).await), ["Team 07"], "ids are searched too");

    let mia = token(
        json!({"sub": "mia", "role": "user", "organizations": [{"id": "acme", "name": "Stale"}, {"id": "new", "name": "New"}],
        "workspaces": [{"organization_id": "zeta", "id": "ws-1"}]}),
    );
    assert_eq!(names(&list("", &mia).await), ["alpha_1", "New", "Ärzte 100%"]);
    assert_eq!(names(&list("q=ne", &mia).await), ["New"]);
    assert_eq!(list("", &recorder()).await.status, 403);
}

async fn the_end_of_an_organization(kind: Kind) {
    let service = TestService::start(kind).await;
    fill(&service, "acme", 40).await;
    fill(&service, "umbrella", 2).await;
    let delete = async |query: &str, token: &str| {
        Answer::of(service.request(
            Method::DELETE,
            &format!("/api/v1/organizations/acme{query}"),
            Some(token),
        ))
        .await
    };
    for query in ["", "?confirm=umbrella", "?confirm=ACME"] {
        let answer = delete(query, &admin()).await;
        assert_eq!((answer.status.as_u16(), answer.pointer()), (422, "?confirm"), "{query}");
    }
    assert_eq!(delete("?confirm=acme", &member("mia", "acme")).await.problem(), "forbidden");
    let receipt = delete("?confirm=acme", &admin()).await;
    assert_eq!(
        (receipt.status.as_u16(), &receipt.body["removed_entries"]),
        (200, &json!(40)),
        "{receipt:?}"
    );
    assert_eq!(
        receipt.body["entry"]["old_value"],
        json!({"id": "acme", "name": "ACME", "entries": 40})
    );

    assert_eq!(delete("?confirm=acme", &admin()).await.problem(), "organization_deleted");
    let refused = service.record(json!([entry("umbrella", "x"), entry("acme", "x")])).await;
    assert_eq!((refused.status.as_u16(), refused.pointer()), (410, "/entries/1/organization"));
    let path = "/api/v1/organizations/acme/activity-logs";
    assert_eq!(service.get(path, &admin()).await.status, 410);
    assert_eq!(service.get(path, &member("mia", "acme")).await.status, 410);
    assert_eq!(service.get(path, &member("eve", "umbrella")).await.status, 403);
    let acts =
        service.get("/api/v1/activity-logs?type=AdminAccounts&action=Delete", &admin()).await;
    let outcomes: Vec<_> =
        acts.items().iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["success", "denied"]);
    let rest = service.get("/api/v1/activity-logs?type=Users", &admin()).await;
    assert_eq!(rest.body["total"], 2, "another organization's entries stay");
    let listed = service.get("/api/v1/organizations", &admin()).await;
    assert_eq!(listed.items().len(), 1);
}

async fn who_am_i_and_what_can_be_recorded(kind: Kind) {
    let service = TestService::start(kind).await;
    let mia = token(
        json!({"sub": "mia", "name": "Mia", "role": "user", "organizations": [{"id": "acme", "workspaces": ["ws-1"]}]}),
    );
    let me = service.get("/api/v1/me", &mia).await;
    assert_eq!(
        me.body,
        json!({"id": "mia", "name": "Mia", "role": "user",
        "organizations": [{"id": "acme", "workspaces": ["ws-1"]}], "workspaces": []})
    );
    let types = service.get("/api/v1/activity-types", &mia).await;
    let types = types.body["types"].as_array().unwrap();
    assert_eq!(types.len(), 14);
    assert_eq!(
        types[0]["actions"][7],
        json!({"action": "FetchAll", "label": "Fetch All", "values": "none"})
    );
}
