//! What the log says of those who read it, and to whom: nobody learns what they may not see.

use activity_logs_store::Options;
use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, recorder, secret, token,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

on_both_databases! {
    an_outsider_learns_nothing_of_an_organization
    what_was_asked_for_is_between_the_reader_and_administrators
    a_reader_who_is_no_member_shows_members_a_name
    positions_and_sequences_are_for_those_who_see_as_much
    reading_by_name_is_recorded_where_it_was_read
    what_was_not_allowed_or_not_there_is_recorded_once_a_minute
    denied_attempts_are_bounded
    a_reading_that_was_too_slow_leaves_a_failure
    a_request_takes_its_steps_in_one_order
}

const ACME: &str = "/api/v1/organizations/acme/activity-logs";
const ALL: &str = "/api/v1/activity-logs";

/// Everything that an administrator sees and this query asks for.
async fn seen(service: &TestService, query: &str) -> Vec<Value> {
    service.get(&format!("{ALL}?page_size=100&{query}"), &admin()).await.items().clone()
}

async fn an_outsider_learns_nothing_of_an_organization(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "secret"), entry("gone", "secret")])).await;
    let end = "/api/v1/organizations/gone?confirm=gone";
    let ended = Answer::of(service.request(Method::DELETE, end, Some(&admin()))).await;
    assert_eq!(ended.status, 200);
    let id = Uuid::new_v4();
    let mut told = Vec::new();
    for organization in ["acme", "gone", "never"] {
        let eve =
            token(json!({"sub": format!("eve-{organization}"), "name": "Eve", "role": "user",
            "organizations": [{"id": "evilcorp"}]}));
        let mut answers = Vec::new();
        let log = format!("/api/v1/organizations/{organization}/activity-logs");
        for (method, path) in [
            (Method::GET, log.clone()),
            (Method::GET, format!("{log}?type=Users")),
            (Method::GET, format!("{log}?nonsense=1")),
            (Method::GET, format!("{log}/recent")),
            (Method::GET, format!("{log}/days")),
            (Method::GET, format!("{log}/{id}")),
            (Method::GET, format!("{log}/nonsense")),
            (
                Method::DELETE,
                format!("/api/v1/organizations/{organization}?confirm={organization}"),
            ),
            (Method::GET, format!("{ALL}?organization_id={organization}")),
            (Method::GET, format!("{ALL}?outcome=denied&type=ActivityLogs")),
            (Method::GET, "/api/v1/organizations".to_owned()),
        ] {
            let answer = Answer::of(service.request(method.clone(), &path, Some(&eve))).await;
            let text = answer.body.to_string().replace(organization, "ORGANIZATION");
            // What names a moment differs by nature, and so do the seconds that are left.
            let body: Value = serde_json::from_str(&text).unwrap();
            let detail = body["detail"].to_string().replace(|c: char| c.is_ascii_digit(), "");
            let told = (body["total"].clone(), body["items"].clone(), detail);
            answers.push((method, path.replace(organization, "X"), answer.status, told));
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1], "deleted");
    assert_eq!(told[0], told[2], "unknown");
    let statuses: Vec<u16> = told[0].iter().map(|(_, _, status, _)| status.as_u16()).collect();
    assert_eq!(statuses[..5], [403; 5]);
    assert_eq!(told[0][9].3.0, 0, "their own denied attempts are not theirs to see");
    // They are all there for those who may see them.
    let denied = seen(&service, "outcome=denied&type=ActivityLogs").await;
    assert!(denied.len() >= 15, "{denied:?}");
    let of_acme = service.get(&format!("{ACME}?outcome=denied"), &member("mia", "acme")).await;
    assert!(of_acme.items().iter().all(|item| item["user"]["id"] == "eve-acme"), "{of_acme:?}");
    assert!(of_acme.items().len() >= 5);
}

async fn what_was_asked_for_is_between_the_reader_and_administrators(kind: Kind) {
    let service = TestService::start(kind).await;
    let recorded = service.record(json!([entry("acme", "one")])).await;
    let id = recorded.body["entries"][0]["id"].as_str().unwrap();
    let rob = token(json!({"sub": "rob", "role": "user", "email": "rob@acme.example",
        "organizations": [{"id": "acme", "workspaces": []}]}));
    let mia = member("mia", "acme");
    service.get(&format!("{ACME}?user_id=bob&workspace_id=ws-secret"), &mia).await;
    service.get(&format!("{ACME}/{id}"), &mia).await;
    let looks = async |token: &str| {
        let answer = service.get(&format!("{ACME}?type=ActivityLogs&user_id=mia"), token).await;
        answer.items().clone()
    };
    let asked = json!({"filters": {"user_id": ["bob"], "workspace_id": ["ws-secret"]},
        "member": true, "page": 1, "page_size": 25});
    for token in [&mia, &admin()] {
        let looks = looks(token).await;
        assert!(looks.iter().any(|look| look["question"] == asked), "{looks:?}");
        assert!(looks.iter().any(|look| look["question"]["id"] == *id), "{looks:?}");
    }
    for look in looks(&rob).await {
        assert_eq!(look["question"], Value::Null);
        let text = look.to_string();
        assert!(!text.contains("ws-secret") && !text.contains("bob"), "{text}");
        assert_eq!(look["user"]["name"], "mia", "that the log was read, by whom and when, is told");
        assert_eq!(look["context"]["ip_address"], "127.0.0.1", "she is a member like rob");
    }
}

async fn a_reader_who_is_no_member_shows_members_a_name(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let root = token(
        json!({"sub": "root", "name": "Root", "role": "admin", "email": "root@corp.example"}),
    );
    let both =
        token(json!({"sub": "boss", "name": "Boss", "role": "admin", "email": "boss@acme.example",
        "organizations": [{"id": "acme"}]}));
    for token in [&root, &both] {
        let request = service.request(Method::GET, ACME, Some(token));
        Answer::of(request.header("user-agent", "AdminBrowser/1")).await;
    }
    let looks = async |token: &str| {
        service.get(&format!("{ACME}?type=ActivityLogs"), token).await.items().clone()
    };
    let shown = looks(&member("mia", "acme")).await;
    assert_eq!(shown[1]["user"], json!({"id": "root", "name": "Root"}));
    assert_eq!(shown[1]["context"], json!({}));
    assert_eq!(shown[0]["user"]["email"], "boss@acme.example", "a member is known to members");
    assert_eq!(shown[0]["context"]["user_agent"], "AdminBrowser/1");
    let full = looks(&admin()).await;
    let of_root = full.iter().find(|look| look["user"]["email"] == "root@corp.example").unwrap();
    assert_eq!(of_root["context"]["ip_address"], "127.0.0.1", "administrators see all of it");
}

async fn positions_and_sequences_are_for_those_who_see_as_much(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut elsewhere = entry("umbrella", "hers");
    elsewhere["user"] = json!({"id": "mia", "name": "Mia"});
    service.record(json!([entry("acme", "one"), elsewhere])).await;
    let mia = service.get(ALL, &member("mia", "acme")).await;
    let field = |name: &str, field: &str| {
        let item = mia.items().iter().find(|item| item["identifier"] == name).unwrap();
        item.get(field).cloned()
    };
    assert_eq!((field("one", "position"), field("one", "sequence")), (None, Some(json!(0))));
    assert_eq!((field("hers", "position"), field("hers", "sequence")), (None, None));
    let admin = service.get(ALL, &admin()).await;
    assert!(
        admin.items().iter().all(|item| item["position"].is_i64() && item["sequence"].is_i64())
    );

    // An as_of can't be counted on, and a refused one tells nothing.
    let as_of = mia.body["as_of"].as_str().unwrap().to_owned();
    assert!(as_of.parse::<i64>().is_err() && as_of.len() == 22, "{as_of}");
    let mut details = Vec::new();
    for wrong in ["9223372036854775807".to_owned(), service.as_of(1_000).await, "A".repeat(22)] {
        let refused = service.get(&format!("{ALL}?as_of={wrong}"), &member("mia", "acme")).await;
        assert_eq!((refused.status.as_u16(), refused.pointer()), (422, "?as_of"));
        details.push(refused.body["errors"].clone());
    }
    assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
}

async fn reading_by_name_is_recorded_where_it_was_read(kind: Kind) {
    let service = TestService::start(kind).await;
    let recorded = service.record(json!([entry("acme", "one"), entry("umbrella", "two")])).await;
    let id = recorded.body["entries"][0]["id"].as_str().unwrap();
    let mia = member("mia", "acme");
    service.get(&format!("{ALL}/{id}"), &mia).await;
    service.get(&format!("{ALL}?organization_id=acme&organization_id=umbrella"), &mia).await;
    service.get(ALL, &mia).await;
    let said: Vec<Value> = seen(&service, "type=ActivityLogs&user_id=mia")
        .await
        .iter()
        .rev()
        .map(|item| json!([item["organization"]["id"], item["action"], item["outcome"]]))
        .collect();
    assert_eq!(
        json!(said),
        json!([
            ["acme", "Fetch", "success"],
            ["umbrella", "FetchAll", "denied"],
            ["acme", "FetchAll", "success"],
            [null, "FetchAll", "success"],
        ])
    );
    // Naming an organization makes none.
    service.get(&format!("{ALL}?organization_id=nowhere"), &admin()).await;
    let nowhere = service.get("/api/v1/organizations/nowhere/activity-logs", &admin()).await;
    assert_eq!(nowhere.status, 404);
}

async fn what_was_not_allowed_or_not_there_is_recorded_once_a_minute(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let stranger =
        token(json!({"sub": "billing", "role": "service", "organizations": [{"id": "umbrella"}]}));
    let mia = member("mia", "acme");
    for _ in 0..3 {
        let body = json!({"entries": [entry("acme", "forged")]});
        let request = service.request(Method::POST, ALL, Some(&stranger)).json(&body);
        assert_eq!(Answer::of(request).await.status, 403);
        let request = service.request(Method::POST, ALL, Some(&mia)).json(&body);
        assert_eq!(Answer::of(request).await.status, 403);
        let missing = service.get(&format!("{ACME}/{}", Uuid::new_v4()), &mia).await;
        assert_eq!(missing.status, 404);
    }
    let mut said: Vec<String> = seen(&service, "type=ActivityLogs&outcome=denied&outcome=failure")
        .await
        .iter()
        .map(|item| {
            json!([item["organization"]["id"], item["user"]["id"], item["action"], item["outcome"]])
                .to_string()
        })
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            json!(["acme", "billing", "Create", "denied"]).to_string(),
            json!(["acme", "mia", "Fetch", "failure"]).to_string(),
            json!([null, "mia", "Create", "denied"]).to_string(),
        ]
    );
}

async fn denied_attempts_are_bounded(kind: Kind) {
    let database = kind.database().await;
    let mut service =
        TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    service.record(json!([entry("acme", "one")])).await;
    let eve = token(json!({"sub": "eve", "role": "user"}));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let request = service.request(Method::GET, ACME, Some(&eve));
        let answer = Answer::of(request.header("user-agent", "x".repeat(2_000))).await;
        if answer.status == 429 {
            assert_eq!(answer.problem(), "too_many_requests");
            assert!((1..=61).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
        }
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses[..5], [403; 5]);
    assert_eq!(statuses[5..], [429; 35]);
    let other = token(json!({"sub": "mallory", "role": "user"}));
    assert_eq!(service.get(ACME, &other).await.status, 403, "others have attempts of their own");
    assert_eq!(service.get(ACME, &member("mia", "acme")).await.status, 200);
    // What was counted is recorded when the minute is over, or when the service stops.
    service.stop().await;
    let service =
        TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    let denied = seen(&service, "outcome=denied&user_id=eve").await;
    assert_eq!(denied.len(), 6);
    assert_eq!(denied[0]["identifier"], "35 further attempts");
    assert_eq!(denied[0]["organization"]["id"], "acme");
    assert_eq!(denied[1]["context"]["user_agent"].as_str().unwrap().len(), 256);
}

async fn a_reading_that_was_too_slow_leaves_a_failure(kind: Kind) {
    let database = kind.database().await;
    database.set_run_entries(64).await;
    let options = || Options { reading_time: std::time::Duration::ZERO, ..Options::default() };
    let service = TestService::start_on(database.url(), secret(), options()).await.unwrap();
    let many: Vec<_> = (0..400).map(|number| entry("acme", &format!("{number}"))).collect();
    service.record(json!(many)).await;
    let mut slow = 0;
    for _ in 0..20 {
        let answer = service.get(ACME, &admin()).await;
        slow += u64::from(answer.status == 503);
        assert!(answer.status == 200 || answer.problem() == "reading_too_slow", "{answer:?}");
    }
    // What is held in memory is there at once, and in time even then.
    assert!(slow > 0);
    drop(service);
    let service =
        TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    let failed = service.get(&format!("{ACME}?outcome=failure"), &admin()).await;
    assert_eq!(failed.body["total"], slow);
}

/// First who asks, then whether they may, then what they ask for.
async fn a_request_takes_its_steps_in_one_order(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let before = service.position().await;
    // The path can be no entry: the service's attempt is refused all the same, and waits for its
    // entry, which holds nothing of what was sent.
    for path in ["%00", "x%0D%0AFAKE", "%E2%80%AE", "zzz"] {
        let answer = service.get(&format!("{ALL}/{path}"), &recorder()).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        let outsider = service.get(&format!("{ACME}/{path}"), &member("eve", "umbrella")).await;
        assert_eq!(outsider.status, 403, "{path}");
        let member = service.get(&format!("{ACME}/{path}"), &member("mia", "acme")).await;
        assert_eq!((member.status.as_u16(), member.pointer()), (422, "{id}"), "{path}");
    }
    assert_eq!(service.position().await, before + 8, "each attempt is recorded before its answer");
    for look in seen(&service, "type=ActivityLogs&outcome=denied").await {
        assert_eq!(look["identifier"], "entry");
        assert!(!look.to_string().contains("FAKE"), "{look}");
    }
}
