//! Recording: what is taken, what is refused, and that a refusal records nothing.

use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, on_both_databases, recorder, token,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

on_both_databases! {
    entries_are_recorded_and_read_back
    numbers_are_kept_or_refused
    what_senders_write_otherwise_is_understood
    one_bad_entry_names_itself
    repeating_a_request_records_nothing_new
    another_entry_under_a_taken_id_is_a_conflict
    bad_input_gets_its_own_problem_and_records_nothing
    a_service_records_only_where_its_token_says
}

const PATH: &str = "/api/v1/activity-logs";

async fn entries_are_recorded_and_read_back(kind: Kind) {
    let service = TestService::start(kind).await;
    let id = Uuid::new_v4();
    let sent = json!({
        "id": id, "occurred_at": "2026-01-31T09:30:00+01:00", "type": "Organization", "action": "Update",
        "outcome": "failure", "user": {"id": "a:b@c-d_e.f", "name": "Ada \"✓\" Åbåra\n", "email": "ada@example.com"},
        "organization": {"id": "acme", "name": "Acme"}, "workspace": {"id": "ws-1", "name": "研究"},
        "identifier": "<b>x</b> \u{202e}", "old_value": {"b": [1.50, null, {"z": "", "a": "é"}], "a": 1e3},
        "new_value": [], "context": {"ip_address": "2001:db8::1", "user_agent": "curl/8", "request_id": "r-1"},
    });
    let answer = service.record(json!([sent, entry("acme", "second")])).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["entries"][0], json!({"id": id, "sequence": 0, "status": "new"}));
    assert_eq!(answer.body["entries"][1]["sequence"], 1);

    let got =
        service.get(&format!("/api/v1/organizations/acme/activity-logs/{id}"), &admin()).await;
    let mut expected = sent;
    expected["occurred_at"] = json!("2026-01-31T08:30:00.000000Z");
    expected["old_value"] = json!({"a": 1000, "b": [1.5, null, {"a": "é", "z": ""}]});
    expected["position"] = json!(1);
    expected["sequence"] = json!(0);
    expected["question"] = Value::Null;
    expected["recorded_at"] = got.body["recorded_at"].clone();
    assert_eq!(got.body, expected);
}

async fn numbers_are_kept_or_refused(kind: Kind) {
    let service = TestService::start(kind).await;
    let send = async |old: &str, new: &str| {
        let mut sent = entry("acme", "amounts");
        sent["old_value"] = json!("OLD");
        sent["new_value"] = json!({"amount": "NEW"});
        let body = json!({"entries": [sent]}).to_string();
        let body = body.replace("\"OLD\"", old).replace("\"NEW\"", new);
        let request = service.request(Method::POST, PATH, Some(&recorder()));
        Answer::of(request.header("content-type", "application/json").body(body)).await
    };
    for (old, new, pointers) in [
        (
            "1234567890123456789012",
            "1234567890123456789013",
            &["/old_value", "/new_value/amount"][..],
        ),
        ("18446744073709551617", "18446744073709551618", &["/old_value", "/new_value/amount"]),
        ("-9223372036854775809", "0", &["/old_value"]),
        ("12345678901234567.89", "12345678901234567.90", &["/old_value", "/new_value/amount"]),
        ("0.1", "1e400", &["/new_value/amount"]),
    ] {
        let answer = send(old, new).await;
        assert_eq!(answer.problem(), "invalid_entries");
        let errors = answer.body["errors"].as_array().unwrap();
        let found: Vec<&str> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        let expected: Vec<String> = pointers.iter().map(|p| format!("/entries/0{p}")).collect();
        assert_eq!(found, expected, "{old} {new}");
        assert!(answer.body["errors"][0]["detail"].as_str().unwrap().contains("send it as a text"));
    }
    assert_eq!(send("1e21", "0.10").await.status, 201);
    let shown = service.get("/api/v1/activity-logs", &admin()).await;
    let item = &shown.items()[0];
    assert_eq!((&item["old_value"], &item["new_value"]), (&json!(1e21), &json!({"amount": 0.1})));
}

async fn what_senders_write_otherwise_is_understood(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut bare = entry("acme", "");
    bare["outcome"] = json!(null);
    bare["identifier"] = json!(null);
    bare["workspace"] = json!(null);
    bare["user"]["email"] = json!("");
    let addresses = [
        (json!("203.0.113.7:51544"), json!("203.0.113.7")),
        (json!("[2001:db8::1]:443"), json!("2001:db8::1")),
        (json!("fe80::1%eth0"), json!("fe80::1")),
        (json!(""), json!(null)),
    ];
    let entries: Vec<Value> = addresses
        .iter()
        .enumerate()
        .map(|(second, (address, _))| {
            let mut sent = bare.clone();
            sent["context"] = json!({"ip_address": address, "user_agent": ""});
            sent["occurred_at"] = json!(format!("2026-01-31T09:30:0{second}+0100"));
            sent
        })
        .collect();
    let body = format!("\u{feff}{}", json!({ "entries": entries }));
    let request = service.request(Method::POST, PATH, Some(&recorder()));
    let answer = Answer::of(request.header("content-type", "application/json").body(body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let from =
        "/api/v1/activity-logs?from=2026-01-31T08:30:00%2B0000&to=2026-01-31T10:00:00%2B0100";
    let listing = service.get(from, &admin()).await;
    assert_eq!(listing.items().len(), addresses.len(), "{listing:?}");
    for (item, (_, kept)) in listing.items().iter().rev().zip(&addresses) {
        assert_eq!((&item["outcome"], &item["identifier"]), (&json!("success"), &json!("")));
        assert_eq!(item["context"]["ip_address"], *kept);
        assert_eq!(
            (&item["context"]["user_agent"], &item["user"]["email"]),
            (&json!(null), &json!(null))
        );
    }
}

async fn one_bad_entry_names_itself(kind: Kind) {
    let service = TestService::start(kind).await;
    let good = entry("acme", "good").to_string();
    let cut = entry("acme", "cut in an emoji X").to_string().replace('X', "\\ud83d");
    let wrong =
        json!({"type": "Rocket", "action": "Update", "user": ["ada"], "colour": 1, "new_value": 1});
    let body = format!("{{\"entries\": [{good}, {cut}, {wrong}]}}");
    let request = service.request(Method::POST, PATH, Some(&recorder()));
    let answer = Answer::of(request.header("content-type", "application/json").body(body)).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid_entries"));
    let errors = answer.body["errors"].as_array().unwrap();
    let found: Vec<&str> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        found,
        ["/entries/1/identifier", "/entries/2/colour", "/entries/2/user", "/entries/2/type"]
    );

    let typed = "{\"entries\": [\n  {\"type\": Users}\n]}";
    let request = service.request(Method::POST, PATH, Some(&recorder()));
    let answer = Answer::of(request.header("content-type", "application/json").body(typed)).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (400, "malformed_json"));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("line 2, column 12: expected a value"), "{detail}");
    assert_eq!(service.position().await, 0);
}

async fn repeating_a_request_records_nothing_new(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut repeated = entry("acme", "once");
    repeated["id"] = json!(Uuid::new_v4());
    let entries = json!([repeated, repeated]);
    let first = service.record(entries.clone()).await;
    let again = service.record(entries).await;
    let statuses = |answer: &Answer| [0, 1].map(|i| answer.body["entries"][i]["status"].clone());
    assert_eq!(statuses(&first), [json!("new"), json!("duplicate")]);
    assert_eq!(statuses(&again), [json!("duplicate"), json!("duplicate")]);
    assert_eq!(first.body["entries"][0]["sequence"], again.body["entries"][0]["sequence"]);
    assert_eq!(service.position().await, 1);
}

async fn another_entry_under_a_taken_id_is_a_conflict(kind: Kind) {
    let service = TestService::start(kind).await;
    let mut taken = entry("acme", "one");
    taken["id"] = json!(Uuid::new_v4());
    service.record(json!([taken])).await;
    let mut other = taken.clone();
    other["identifier"] = json!("two");
    let answer = service.record(json!([entry("acme", "good"), other])).await;
    assert_eq!(
        (answer.status.as_u16(), answer.problem(), answer.pointer()),
        (409, "id_conflict", "/entries/1/id")
    );
    assert_eq!(service.position().await, 1, "a refused request records nothing");
}

fn with(field: &str, value: Value) -> Vec<u8> {
    let mut changed = entry("acme", "x");
    changed[field] = value;
    body(&[changed])
}

fn body(entries: &[Value]) -> Vec<u8> {
    json!({ "entries": entries }).to_string().into_bytes()
}

async fn bad_input_gets_its_own_problem_and_records_nothing(kind: Kind) {
    let service = TestService::start(kind).await;
    let deep =
        format!("{{\"entries\":[{{\"new_value\":{}1{}}}]}}", "[".repeat(200), "]".repeat(200));
    let surrogate = body(&[entry("acme", "cut")]);
    let surrogate = String::from_utf8(surrogate).unwrap().replace("cut", "cut in an emoji \\ud83d");
    let mut too_large = body(&[entry("acme", "x")]);
    too_large.resize(4 * 1024 * 1024 + 1, b' ');
    let ahead = activity_logs_tests::now() + 600;
    let ahead = activity_logs_model::Timestamp::EPOCH.plus_seconds(ahead.try_into().unwrap());
    let read = json!({"type": "Users", "action": "Fetch", "user": {"id": "a", "name": "A"}, "new_value": 1});
    let create = json!({"type": "Users", "action": "Create", "user": {"id": "a", "name": "A"}, "old_value": 1, "new_value": 2});
    let cases: Vec<(Vec<u8>, u16, &str, &str)> = vec![
        (b"{\"entries\":[".to_vec(), 400, "malformed_json", ""),
        (b"".to_vec(), 400, "malformed_json", ""),
        (deep.into_bytes(), 422, "invalid_entries", "/entries/0/type"),
        (surrogate.into_bytes(), 422, "invalid_entries", "/entries/0/identifier"),
        (b"\xff\xfe".to_vec(), 400, "malformed_json", ""),
        (b"[]".to_vec(), 422, "invalid_entries", ""),
        (b"{\"entries\":{}}".to_vec(), 422, "invalid_entries", "/entries"),
        (b"{\"entries\":[],\"more\":1}".to_vec(), 422, "invalid_entries", "/more"),
        (body(&[]), 422, "invalid_entries", "/entries"),
        (body(&vec![entry("acme", "x"); 1001]), 422, "invalid_entries", "/entries"),
        (too_large, 413, "body_too_large", ""),
        (
            with("new_value", json!("x".repeat(64 * 1024 - 1))),
            422,
            "invalid_entries",
            "/entries/0/new_value",
        ),
        (with("identifier", json!("a\u{0}b")), 422, "invalid_entries", "/entries/0/identifier"),
        (with("new_value", json!([1, u64::MAX])), 422, "invalid_entries", "/entries/0/new_value/1"),
        (with("new_value", json!({"a\u{0}": 1})), 422, "invalid_entries", "/entries/0/new_value"),
        (with("id", json!("entry-1")), 422, "invalid_entries", "/entries/0/id"),
        (with("type", json!("Rocket")), 422, "invalid_entries", "/entries/0/type"),
        (with("action", json!("Deploy")), 422, "invalid_entries", "/entries/0/action"),
        (with("type", json!("ActivityLogs")), 422, "invalid_entries", "/entries/0/type"),
        (with("identifier", json!(7)), 422, "invalid_entries", "/entries/0/identifier"),
        (with("colour", json!("red")), 422, "invalid_entries", "/entries/0/colour"),
        (with("occurred_at", json!(ahead)), 422, "invalid_entries", "/entries/0/occurred_at"),
        (
            with("occurred_at", json!("1969-12-31T23:59:59.999999Z")),
            422,
            "invalid_entries",
            "/entries/0/occurred_at",
        ),
        (
            with("occurred_at", json!("9999-12-31T23:59:59Z")),
            422,
            "invalid_entries",
            "/entries/0/occurred_at",
        ),
        (
            with("organization", json!({"id": "a ", "name": "A"})),
            422,
            "invalid_entries",
            "/entries/0/organization/id",
        ),
        (body(&[read]), 422, "invalid_entries", "/entries/0/new_value"),
        (body(&[create]), 422, "invalid_entries", "/entries/0/old_value"),
    ];
    let mut details = std::collections::HashSet::new();
    for (body, status, code, pointer) in cases {
        let start = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let request = service.request(Method::POST, PATH, Some(&recorder()));
        let answer =
            Answer::of(request.header("content-type", "application/json").body(body)).await;
        let got = (answer.status.as_u16(), answer.problem(), answer.pointer());
        assert_eq!(got, (status, code, pointer), "{start}: {answer:?}");
        let detail = format!("{}{}", answer.body["detail"], answer.body["errors"][0]["detail"]);
        assert!(!detail.is_empty());
        details.insert(detail);
    }
    assert!(details.len() >= 20, "problems say what is wrong: {details:?}");

    for media_type in [None, Some("text/plain"), Some("application/xml")] {
        let mut request = service
            .request(Method::POST, PATH, Some(&recorder()))
            .body(body(&[entry("acme", "x")]));
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (415, "unsupported_media_type"));
    }
    assert_eq!(service.position().await, 0, "nothing was recorded");

    let mut largest = body(&[entry("acme", "x")]);
    largest.resize(4 * 1024 * 1024, b' ');
    let request = service.request(Method::POST, PATH, Some(&recorder()));
    let answer =
        Answer::of(request.header("content-type", "application/json; charset=utf-8").body(largest))
            .await;
    assert_eq!(answer.status, 201, "4 MiB are taken: {answer:?}");
}

async fn a_service_records_only_where_its_token_says(kind: Kind) {
    let service = TestService::start(kind).await;
    let bound = token(json!({"sub": "s", "role": "service", "organizations": [{"id": "acme"}]}));
    let post = |entries: Value, token: String| {
        Answer::of(
            service.request(Method::POST, PATH, Some(&token)).json(&json!({ "entries": entries })),
        )
    };
    let answer = post(json!([entry("acme", "x"), entry("umbrella", "x")]), bound.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.pointer()), (403, "/entries/1/organization"));
    let mut platform = entry("acme", "x");
    platform["organization"] = json!(null);
    assert_eq!(post(json!([platform]), bound.clone()).await.status, 403);
    assert_eq!(post(json!([entry("acme", "x")]), admin()).await.problem(), "forbidden");
    let platform = service.get("/api/v1/activity-logs", &admin()).await;
    let left: Vec<_> = platform.items().iter().map(|item| &item["type"]).collect();
    assert_eq!(left, ["ActivityLogs"; 2], "nothing but the two senders' attempts");
    assert_eq!(post(json!([entry("acme", "x")]), bound).await.status, 201);
}
