//! What holds of every answer, whatever is asked for.

use activity_logs_store::Options;
use activity_logs_tests::raw::Raw;
use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, recorder, secret, settings,
};
use reqwest::Method;
use serde_json::json;

const WITHOUT_TOKEN: [&str; 6] =
    ["/livez", "/readyz", "/metrics", "/docs/", "/openapi.json", "/docs/swagger-ui-bundle.js"];

on_both_databases! {
    head_answers_like_get_without_the_body
}

/// A service with a web app whose page is `page`.
async fn start_with_web_app() -> TestService {
    let database = Kind::Sqlite.database().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "page").unwrap();
    std::fs::write(folder.path().join("app.js"), "script").unwrap();
    let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
    settings.web_root = Some(folder.path().to_owned());
    TestService::start_with(settings).await.unwrap().keeping(database)
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

async fn head_answers_like_get_without_the_body(kind: Kind) {
    let service = TestService::start(kind).await;
    let recorded = service.record(json!([entry("acme", "one")])).await;
    let id = recorded.body["entries"][0]["id"].as_str().unwrap();
    let log = "/api/v1/organizations/acme/activity-logs";
    let signed = [
        "/api/v1/activity-logs".to_owned(),
        format!("/api/v1/activity-logs/{id}"),
        log.to_owned(),
        format!("{log}/recent"),
        format!("{log}/{id}"),
        "/api/v1/organizations".to_owned(),
        "/api/v1/me".to_owned(),
        "/api/v1/activity-types".to_owned(),
        "/api/v1/openapi.json".to_owned(),
        "/api/v1/nowhere".to_owned(),
    ];
    let token = format!("Authorization: Bearer {}\r\n", admin());
    let mut connection = Raw::connect(service.address()).await;
    for path in signed.iter().map(String::as_str).chain(WITHOUT_TOKEN) {
        let before = service.position().await;
        connection.send(get(path, &token)).await.unwrap();
        let got = connection.answer(false).await;
        let between = service.position().await;
        connection.send(get(path, &token).replacen("GET", "HEAD", 1)).await.unwrap();
        let head = connection.answer(true).await;
        let after = service.position().await;
        assert_eq!(head.status(), got.status(), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
        // What is read grows by the entry that reading leaves, and metrics by what they count.
        let (told, length) = (head.header("content-length"), got.body.len());
        assert!(told.parse::<usize>().unwrap() + 200 > length && length > 0, "{path}: {told}");
        assert_eq!(after - between, between - before, "{path}: recorded like GET");
    }
    // A HEAD among other requests leaves each answer in its place.
    let requests = [get("/livez", ""), get("/livez", "").replacen("GET", "HEAD", 1)];
    connection.send(requests[1].clone()).await.unwrap();
    let head = connection.answer(true).await;
    connection.send(requests.concat()).await.unwrap();
    let first = connection.answer(false).await;
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    assert_eq!(first.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_browser_gets_the_page_for_an_address_that_is_none() {
    let service = start_with_web_app().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in [
        "/health",
        "/healthz",
        "/livez/",
        "/readyz/",
        "/metrics/",
        "/API/V1/me",
        "/v1/activity-logs",
        "/graphql",
        "/organizations/acme",
        "/docs/nothing.js",
        "/api/v1/nothing",
        "/app.css",
    ] {
        for accept in ["*/*", "application/json", "text/html;q=0", ""] {
            let request = service.request(Method::GET, path, None).header("accept", accept);
            let answer = Answer::of(request).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found"), "{path}");
        }
    }
    for path in ["/", "/organizations/acme", "/activity-logs", "/organizations/acme.example"] {
        let request = service.request(Method::GET, path, None).header("accept", browser);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.text().await.unwrap(), "page", "{path}");
    }
    let root = service.request(Method::GET, "/", None).send().await.unwrap();
    assert_eq!(root.text().await.unwrap(), "page", "the page itself is a file like any other");
    let api = service.request(Method::GET, "/api/v1/nothing", None).header("accept", browser);
    assert_eq!(Answer::of(api).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_http_itself_refuses_is_a_problem_too() {
    let service = TestService::start(Kind::Sqlite).await;
    let long = get(&format!("/api/v1/activity-logs?user_id={}", "a".repeat(70_000)), "");
    let large = get("/livez", &format!("X: {}\r\n", "a".repeat(140_000)));
    for (request, status, code) in [
        ("GET /livez HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        ("nonsense\r\n\r\n", 400, "malformed_request"),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request"),
        (long.as_str(), 400, "malformed_request"),
        (&large[..131_072], 431, "headers_too_large"),
        ("GET /livez HTTP/1.1\r\nHo", 408, "request_timeout"),
    ] {
        let mut connection = Raw::connect(service.address()).await;
        connection.send(request).await.unwrap();
        let answer = connection.answer(false).await;
        let begin = &request[..request.len().min(40)];
        assert_eq!((answer.status(), answer.problem().as_str()), (status, code), "{begin}");
        assert_eq!(answer.header("connection"), "close", "{begin}");
    }
    // Behind answers to requests that were good, on the same connection.
    let mut connection = Raw::connect(service.address()).await;
    let requests = get("/livez", "").repeat(3) + "nonsense\r\n\r\n";
    connection.send(requests).await.unwrap();
    for _ in 0..3 {
        assert_eq!(connection.answer(false).await.status(), 200);
    }
    assert_eq!(connection.answer(false).await.problem(), "malformed_request");
    assert_eq!(connection.rest().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_may_be_framed_or_run_what_is_not_ours() {
    let service = start_with_web_app().await;
    let token = member("mia", "acme");
    let mut paths = WITHOUT_TOKEN.to_vec();
    paths.extend(["/", "/app.js", "/docs", "/docs/missing", "/nowhere", "/api/v1/me", "/api/v1/x"]);
    for path in paths {
        for method in [Method::GET, Method::PUT] {
            let mut connection = Raw::connect(service.address()).await;
            let request = get(path, &format!("Authorization: Bearer {token}\r\n"));
            connection.send(request.replacen("GET", method.as_str(), 1)).await.unwrap();
            let answer = connection.answer(false).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("default-src 'none'"), "{method} {path}: {}", answer.head);
            assert!(policy.contains("frame-ancestors 'none'"), "{method} {path}: {policy}");
            assert!(!policy.contains("script-src 'unsafe"), "{path}: {policy}");
            assert_eq!(answer.header("x-frame-options"), "deny", "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_found_behind_a_proxy_and_kept_by_clients() {
    let service = TestService::start(Kind::Sqlite).await;
    let mut connection = Raw::connect(service.address()).await;
    connection.send(get("/docs", "")).await.unwrap();
    let redirect = connection.answer(false).await;
    assert_eq!((redirect.status(), redirect.header("location")), (307, "docs/"));
    connection.send(get("/docs/swagger-initializer.js", "")).await.unwrap();
    let script = String::from_utf8(connection.answer(false).await.body).unwrap();
    assert!(script.contains("\"../openapi.json\""), "{script}");

    for path in [
        "/docs/swagger-ui-bundle.js",
        "/openapi.json",
        "/api/v1/openapi.json",
        "/openapi-3.0.json",
        "/api/v1/openapi-3.0.json",
    ] {
        connection.send(get(path, "")).await.unwrap();
        let plain = connection.answer(false).await;
        connection.send(get(path, "Accept-Encoding: gzip\r\n")).await.unwrap();
        let packed = connection.answer(false).await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
        assert!(packed.body.len() * 2 < plain.body.len(), "{path}");
        let tag = packed.header("etag").to_ascii_lowercase();
        assert_eq!(packed.header("cache-control"), "no-cache", "{path}");
        connection
            .send(get(path, &format!("If-None-Match: {}\r\n", tag.replace("w/", "W/"))))
            .await
            .unwrap();
        assert_eq!(connection.answer(true).await.status(), 304, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_may_be_left_out() {
    let database = Kind::Sqlite.database().await;
    let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
    settings.docs = false;
    let service = TestService::start_with(settings).await.unwrap();
    for path in ["/docs", "/docs/", "/docs/index.html", "/docs/swagger-ui-bundle.js"] {
        assert_eq!(service.get(path, &admin()).await.problem(), "not_found", "{path}");
    }
    assert_eq!(service.get("/openapi.json", &admin()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_for_something_else_is_told_so() {
    let service = TestService::start(Kind::Sqlite).await;
    let denied =
        service.get("/api/v1/organizations/acme/activity-logs", &member("eve", "evil")).await;
    let refused = service.request(Method::POST, "/api/v1/activity-logs", Some(&admin()));
    let refused = Answer::of(refused.json(&json!({"entries": [entry("acme", "x")]}))).await;
    let reading = service.get("/api/v1/activity-logs", &recorder()).await;
    for answer in [denied, refused, reading] {
        assert_eq!((answer.status.as_u16(), answer.problem()), (403, "forbidden"));
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\"")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_protocol_is_changed_to() {
    let service = TestService::start(Kind::Sqlite).await;
    for protocol in ["h2c", "websocket"] {
        let mut connection = Raw::connect(service.address()).await;
        let headers = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\n");
        connection.send(get("/livez", &headers)).await.unwrap();
        let answer = connection.answer(false).await;
        assert_eq!((answer.status(), answer.header("connection")), (200, "close"), "{protocol}");
    }
}
