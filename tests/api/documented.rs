//! Each operation's document names the problems that it answers with, and no others.

use std::collections::BTreeSet;

use activity_logs_tests::documented::{DOCUMENT, codes};
use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, recorder, token,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

on_both_databases! {
    every_documented_problem_is_met_and_every_problem_met_is_documented
}

/// What it takes a fault, a full queue or a broken request to meet; other tests meet them.
const BY_FAULT: [&str; 9] = [
    "internal_error",
    "queue_full",
    "reading_too_slow",
    "database_unavailable",
    "keys_unavailable",
    "reading_not_recorded",
    "request_timeout",
    "malformed_request",
    "headers_too_large",
];

/// What is answered only if something else happens at the same time (an organization ends, or the
/// same caller has eight more readings under way), or where metrics have a listener of their own.
const BY_CHANCE: [(&str, &str); 4] = [
    ("get_metrics", "not_found"),
    ("list_activity_logs", "organization_deleted"),
    ("get_activity_log", "organization_deleted"),
    ("list_organizations", "too_many_requests"),
];

const TAKEN: &str = "0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11";

/// The service in which `acme` is alive and `gone` was ended.
async fn start(kind: Kind) -> TestService {
    let service = TestService::start(kind).await;
    let mut taken = entry("acme", "one");
    taken["id"] = TAKEN.into();
    assert_eq!(service.record(json!([taken, entry("gone", "two")])).await.status, 201);
    let end = "/api/v1/organizations/gone?confirm=gone";
    assert_eq!(Answer::of(service.request(Method::DELETE, end, Some(&admin()))).await.status, 200);
    service
}

/// Requests of one operation that are wrong in every way that a caller can choose. Attempts are
/// bounded for each caller, so each operation has callers of its own: `caller` is in their names.
fn wrong_requests(
    service: &TestService,
    method: &Method,
    pattern: &str,
    caller: &str,
) -> Vec<RequestBuilder> {
    let path = |organization: &str, id: &str| {
        pattern.replace("{organization_id}", organization).replace("{id}", id)
    };
    let good = path("acme", TAKEN);
    let ask = |path: &str, token: Option<&str>| service.request(method.clone(), path, token);
    let (admin, outsider, service_token) = (
        admin(),
        member(caller, "evil"),
        token(json!({"sub": format!("{caller}-service"), "role": "service"})),
    );
    let mut requests = vec![
        service.request(Method::PATCH, &good, Some(&admin)),
        ask(&good, None),
        ask(&good, Some("nonsense")),
    ];
    for query in ["nope=1", "page=0", "limit=0", "days=0", "confirm=other"] {
        requests.push(ask(&format!("{good}?{query}"), Some(&admin)));
    }
    for (organization, id) in [
        ("ghost", TAKEN),
        ("gone", TAKEN),
        ("acme", "00000000-0000-4000-8000-000000000000"),
        ("acme", "x"),
    ] {
        let wrong = path(organization, id);
        requests.push(ask(&wrong, Some(&admin)));
        // What is there would end.
        if organization != "acme" {
            requests.push(ask(&format!("{wrong}?confirm={organization}"), Some(&admin)));
        }
    }
    // Attempts that are denied, until there are too many.
    for _ in 0..7 {
        requests.push(ask(&good, Some(&outsider)));
        requests.push(ask(&good, Some(&service_token)));
    }
    requests
}

/// Bodies that are refused, by whom they are sent.
fn wrong_recordings(service: &TestService) -> Vec<RequestBuilder> {
    let (anywhere, nowhere) =
        (recorder(), token(json!({"sub": "s", "role": "service", "organizations": []})));
    let post = |token: &str| service.request(Method::POST, "/api/v1/activity-logs", Some(token));
    let of = |entry: Value| json!({"entries": [entry]});
    let mut conflict = entry("acme", "other");
    conflict["id"] = TAKEN.into();
    let json = "application/json";
    let elsewhere = "/api/v1/activity-logs?nope=1";
    vec![
        service.request(Method::POST, elsewhere, Some(&anywhere)).json(&of(entry("acme", "x"))),
        post(&nowhere).json(&of(entry("acme", "x"))),
        post(&anywhere).json(&of(conflict)),
        post(&anywhere).json(&of(entry("gone", "x"))),
        post(&anywhere).json(&json!({"entries": []})),
        post(&anywhere).header("content-type", json).body("{"),
        post(&anywhere).header("content-type", "text/plain").body("{}"),
        post(&anywhere).header("content-type", json).body(" ".repeat(5 * 1024 * 1024)),
    ]
}

/// The problem that a request is answered with, if any; what is no problem need not be JSON.
async fn problem_of(request: RequestBuilder) -> Option<(u16, String)> {
    let response = request.send().await.unwrap();
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    Some((status.as_u16(), problem["code"].as_str().unwrap().to_owned()))
}

async fn every_documented_problem_is_met_and_every_problem_met_is_documented(kind: Kind) {
    let service = start(kind).await;
    let mut operations = 0;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let method: Method = method.to_uppercase().parse().unwrap();
            let mut requests = wrong_requests(&service, &method, path, id);
            if id == "record_activity_logs" {
                requests.extend(wrong_recordings(&service));
            }
            if id == "list_activity_logs" {
                let path = "/api/v1/activity-logs?organization_id=ghost";
                let ask = || service.request(Method::GET, path, Some(&member("mia", "acme")));
                requests.extend((0..7).map(|_| ask()));
            }
            let mut met = BTreeSet::new();
            for request in requests {
                met.extend(problem_of(request).await);
            }
            let mut documented = codes(operation);
            let unsaid: Vec<_> = met.difference(&documented).collect();
            assert!(unsaid.is_empty(), "{id} does not document {unsaid:?}");
            documented.retain(|(_, code)| {
                !BY_FAULT.contains(&code.as_str()) && !BY_CHANCE.contains(&(id, code.as_str()))
            });
            let unmet: Vec<_> = documented.difference(&met).collect();
            assert!(unmet.is_empty(), "{id} documents {unmet:?}, which nothing meets");
            operations += 1;
        }
    }
    assert!(operations >= 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_have_links_to_their_other_pages() {
    let service = TestService::start(Kind::Sqlite).await;
    let entries: Vec<Value> = (0..60).map(|n| entry(&format!("a{n:02}"), "x")).collect();
    assert_eq!(service.record(json!(entries)).await.status, 201);
    let list = "/api/v1/organizations";
    let mut next = format!("{list}?q=a&page_size=25");
    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    loop {
        let answer = service.get(&next, &admin()).await;
        seen.extend(answer.items().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let link = answer.header("link").to_owned();
        assert!(link.contains("<?q=a&page=3&page_size=25>; rel=\"last\""), "{link}");
        assert_eq!(link.contains("rel=\"prev\""), pages > 1, "{link}");
        let Some(found) = link.split(", ").find_map(|link| link.strip_suffix("; rel=\"next\""))
        else {
            break;
        };
        next = format!("{list}{}", found.trim_matches(['<', '>']));
    }
    assert_eq!((seen.len(), pages), (60, 3));
}
