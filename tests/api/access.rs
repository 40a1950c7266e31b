//! Access: every operation of the OpenAPI document, asked by those who may not.

use activity_logs::auth::SetSource;
use activity_logs::demo::Introduction;
use activity_logs_store::Options;
use activity_logs_tests::{
    AUDIENCE, Answer, ISSUER, Kind, SECRET, TestService, admin, claims, entry, member, now,
    on_both_databases, secret, settings, sign, token,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::keys::{self, public};

on_both_databases! {
    no_operation_answers_without_a_genuine_token
    no_operation_answers_a_token_forged_for_a_key_set
    another_organizations_member_gets_nothing
    an_attempt_tells_nothing_of_the_log
    a_service_of_no_organization_records_nowhere
    unknown_paths_and_methods_are_problems
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_app_is_served_beside_the_api() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<title>App</title>").unwrap();
    std::fs::write(folder.path().join("app.js"), "start()").unwrap();
    std::fs::write(folder.path().join("app.js.br"), "compressed").unwrap();
    let database = Kind::Sqlite.database().await;
    let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
    settings.web_root = Some(folder.path().to_owned());
    let service = TestService::start_with(settings).await.unwrap();
    for (path, status, body) in [
        ("/", 200, "<title>App</title>"),
        ("/organizations/acme/activity-logs", 200, "<title>App</title>"),
        ("/app.js", 200, "start()"),
        ("/missing.js", 404, "not_found"),
        ("/../Cargo.toml", 200, "<title>App</title>"),
        ("/%2e%2e/%2e%2e/etc/passwd", 200, "<title>App</title>"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v2", 404, "not_found"),
        ("/docs/", 200, "swagger-ui-bundle.js"),
        ("/livez", 200, "ok"),
    ] {
        // A browser asks for a page by name, for parts of it without.
        let accept = if path.ends_with(".js") { "*/*" } else { "text/html" };
        let request = service.request(Method::GET, path, None).header("accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let text = response.text().await.unwrap();
        assert!(text.contains(body), "{path}");
    }
    let script =
        service.request(Method::GET, "/app.js", None).header("accept-encoding", "br, gzip");
    let script = script.send().await.unwrap();
    assert_eq!(script.headers()["content-encoding"], "br");
    assert_eq!(script.headers()["cache-control"], "no-cache", "its name has no hash");
    assert_eq!(script.text().await.unwrap(), "compressed");
    let head = service.request(Method::HEAD, "/app.js", None).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"7".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_introduces_its_people() {
    let database = Kind::Sqlite.database().await;
    let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
    settings.demo = Some(Introduction::new(json!({"people": []}).to_string(), false));
    let service = TestService::start_with(settings).await.unwrap();
    let request = || service.request(Method::GET, "/demo.json", None);
    let answer = Answer::of(request()).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"people": []})));
    assert_eq!(answer.header("cache-control"), "no-store");
    // As a page of elsewhere asks whose name was made to lead here.
    let elsewhere = Answer::of(request().header("host", "evil.example")).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.problem()), (403, "forbidden"));
}

/// Operations that anybody may call: may only get shorter.
const PUBLIC: [&str; 5] =
    ["get_livez", "get_metrics", "get_openapi", "get_openapi_3_0", "get_readyz"];

struct Operation {
    id: String,
    method: Method,
    path: String,
    public: bool,
}

/// Every operation, with an organization and an entry in its path.
async fn operations(service: &TestService) -> Vec<Operation> {
    let document = Answer::of(service.request(Method::GET, "/openapi.json", None)).await.body;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path
                    .replace("{organization_id}", "acme")
                    .replace("{id}", "0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11"),
                public: operation["security"] == json!([{}]),
            });
        }
    }
    assert!(operations.len() >= 15, "the document lists every operation");
    operations
}

async fn call(service: &TestService, operation: &Operation, token: Option<&str>) -> Answer {
    let confirm = if operation.method == Method::DELETE { "?confirm=acme" } else { "" };
    let path = format!("{}{confirm}", operation.path);
    let mut request = service.request(operation.method.clone(), &path, token);
    if operation.method == Method::POST {
        request = request.json(&json!({"entries": [entry("acme", "forged")]}));
    }
    Answer::of(request).await
}

/// Tokens that must open nothing, with what is wrong with each.
fn forged() -> Vec<(&'static str, String)> {
    let good = claims(json!({"sub": "root", "role": "admin"}));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let hs256 = |claims: &Value| sign(&Header::new(Algorithm::HS256), claims, &key);
    let titled = |kind: &str| {
        let header = Header { typ: Some(kind.to_owned()), ..Header::new(Algorithm::HS256) };
        sign(&header, &good, &key)
    };
    let critical = Header { crit: Some(Vec::new()), ..Header::new(Algorithm::HS256) };
    let genuine = hs256(&good);
    let (signed, signature) = genuine.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    vec![
        ("alg none without a signature", format!("{none}.{payload}.")),
        ("alg none with a signature", format!("{none}.{payload}.{signature}")),
        ("no signature", format!("{signed}.")),
        (
            "another secret",
            sign(
                &Header::new(Algorithm::HS256),
                &good,
                &EncodingKey::from_secret(b"another-secret-of-forty-bytes-0123456789"),
            ),
        ),
        ("another algorithm", sign(&Header::new(Algorithm::HS384), &good, &key)),
        ("expired", hs256(&with("exp", json!(now() - 31)))),
        ("no expiry", hs256(&without("exp"))),
        ("not valid yet", hs256(&with("nbf", json!(now() + 120)))),
        ("another issuer", hs256(&with("iss", json!("https://evil.example")))),
        ("no issuer", hs256(&without("iss"))),
        ("another audience", hs256(&with("aud", json!("billing")))),
        ("no audience", hs256(&without("aud"))),
        ("no subject", hs256(&without("sub"))),
        ("no role", hs256(&without("role"))),
        ("an unknown role", hs256(&with("role", json!("root")))),
        ("a subject that is no id", hs256(&with("sub", json!("a ")))),
        ("a role that is an object", hs256(&with("role", json!({"admin": null})))),
        ("issuers", hs256(&with("iss", json!(["https://evil.example", ISSUER])))),
        ("an audience that is a number", hs256(&with("aud", json!(7)))),
        ("an expiry that is a text", hs256(&with("exp", json!((now() + 60).to_string())))),
        ("an expiry of null", hs256(&with("exp", json!(null)))),
        (
            "a membership that is a list",
            hs256(&with("organizations", json!([["acme", null, ["ws-1"]]]))),
        ),
        ("a logout token", titled("logout+jwt")),
        ("a security event", titled("secevent+jwt")),
        ("a proof of possession", titled("dpop+jwt")),
        ("extensions", sign(&critical, &good, &key)),
        ("no token at all", "x".to_owned()),
    ]
}

async fn no_operation_answers_without_a_genuine_token(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "x")])).await;
    let before = service.position().await;
    let operations = operations(&service).await;
    let mut public: Vec<&str> =
        operations.iter().filter(|o| o.public).map(|o| o.id.as_str()).collect();
    public.sort_unstable();
    assert_eq!(public, PUBLIC);
    let forged = forged();
    for operation in operations.iter().filter(|operation| !operation.public) {
        let answer = call(&service, operation, None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (401, "missing_token"),
            "{}",
            operation.id
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"activity-logs\"");
        for (what, token) in &forged {
            let answer = call(&service, operation, Some(token)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (401, "invalid_token"),
                "{}: {what}",
                operation.id
            );
            assert!(
                answer.header("www-authenticate").contains("error=\"invalid_token\""),
                "{what}"
            );
            let detail = answer.body["detail"].as_str().unwrap();
            let parsers = ["line 1", "column", "expected", "invalid type", "variant", "field"];
            assert!(!parsers.iter().any(|word| detail.contains(word)), "{what}: {detail}");
        }
    }
    let basic = service
        .request(Method::GET, "/api/v1/me", None)
        .header("authorization", "Basic cm9vdDpyb290");
    assert_eq!(Answer::of(basic).await.problem(), "missing_token");
    assert_eq!(service.position().await, before, "nothing was recorded, nobody is known");
    let late = token(
        json!({"sub": "root", "role": "admin", "exp": now() - 20, "aud": [AUDIENCE, "billing"], "iss": ISSUER}),
    );
    assert_eq!(service.get("/api/v1/me", &late).await.status, 200, "clocks may differ by 30 s");
}

async fn no_operation_answers_a_token_forged_for_a_key_set(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let key = public(Algorithm::RS256, "one");
    std::fs::write(&path, json!({ "keys": [key] }).to_string()).unwrap();
    let database = kind.database().await;
    let source = SetSource::File(path).into();
    let service = TestService::start_on(database.url(), source, Options::default());
    let service = service.await.unwrap();
    let claims = claims(json!({"sub": "root", "role": "admin"}));
    let hs256 = |id: &str, secret: &str| {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::HS256) };
        sign(&header, &claims, &EncodingKey::from_secret(secret.as_bytes()))
    };
    let genuine = keys::token(Algorithm::RS256, Some("one"));
    let payload = genuine.split('.').nth(1).unwrap();
    let forged = [
        ("the public key as a secret", hs256("one", key["n"].as_str().unwrap())),
        ("the key set as a secret", hs256("one", &json!({ "keys": [key] }).to_string())),
        ("the secret of another service", hs256("one", SECRET)),
        ("an unknown key id", keys::token(Algorithm::RS256, Some("two"))),
        ("another key under the id", keys::token(Algorithm::ES256, Some("one"))),
        ("alg none", format!("eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.{payload}.")),
    ];
    assert_eq!(service.get("/api/v1/me", &genuine).await.status, 200);
    for operation in operations(&service).await.iter().filter(|operation| !operation.public) {
        for (what, token) in &forged {
            let answer = call(&service, operation, Some(token)).await;
            let got = (answer.status.as_u16(), answer.problem());
            assert_eq!(got, (401, "invalid_token"), "{}: {what}", operation.id);
        }
    }
}

async fn another_organizations_member_gets_nothing(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "hidden")])).await;
    let eve = member("eve", "umbrella");
    for operation in operations(&service).await.iter().filter(|operation| !operation.public) {
        let answer = call(&service, operation, Some(&eve)).await;
        let text = answer.body.to_string();
        assert!(!text.contains("hidden") && !text.contains("ada"), "{}: {text}", operation.id);
        let expected = match operation.id.as_str() {
            "list_activity_logs" | "list_organizations" | "get_me" | "list_activity_types" => 200,
            "get_activity_log" => 404,
            _ => 403,
        };
        assert_eq!(answer.status, expected, "{}", operation.id);
    }
    let log = service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    assert_eq!(log.body["total"], 5, "the entry, and eve's denied attempts");
}

/// Whoever may not open a log can't learn from their own attempt whether there is one.
async fn an_attempt_tells_nothing_of_the_log(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "x"), entry("gone", "x"), entry("umbrella", "x")])).await;
    let removal = "/api/v1/organizations/gone?confirm=gone";
    let removed = Answer::of(service.request(Method::DELETE, removal, Some(&admin()))).await;
    assert_eq!(removed.status, 200);
    let eve = member("eve", "umbrella");
    let mut refusals = Vec::new();
    for id in ["acme", "gone", "never"] {
        let mut answer =
            service.get(&format!("/api/v1/organizations/{id}/activity-logs"), &eve).await;
        assert_eq!(answer.status, 403, "{id}");
        answer.body["request_id"].take();
        refusals.push(answer.body);
    }
    assert!(refusals.iter().all(|body| *body == refusals[0]), "{refusals:?}");
    let attempts = service.get("/api/v1/activity-logs?user_id=eve&outcome=denied", &admin()).await;
    assert_eq!(attempts.items().len(), 3, "{}", attempts.body);
    for attempt in attempts.items() {
        let id = attempt["id"].as_str().unwrap();
        let path = format!("/api/v1/activity-logs/{id}");
        assert_eq!(service.get(&path, &admin()).await.status, 200);
        assert_eq!(service.get(&path, &eve).await.status, 404, "{attempt}");
    }
    for filter in ["outcome=denied", "user_id=eve&type=ActivityLogs&outcome=denied"] {
        let answer = service.get(&format!("/api/v1/activity-logs?{filter}"), &eve).await;
        assert_eq!(answer.body["total"], 0, "{}", answer.body);
    }
    let own = service.get("/api/v1/activity-logs?user_id=eve", &eve).await;
    assert!(own.items().iter().all(|item| item["outcome"] != "denied"), "{}", own.body);
    assert!(!own.items().is_empty());
}

/// What is set but empty never widens.
async fn a_service_of_no_organization_records_nowhere(kind: Kind) {
    let service = TestService::start(kind).await;
    let platform = json!({"type": "Plans", "action": "FetchAll", "user": {"id": "a", "name": "A"}});
    for (organizations, acme, platform_log) in [
        (Some(json!([])), 403, 403),
        (Some(json!([{"id": "umbrella"}])), 403, 403),
        (Some(json!([{"id": "acme"}])), 201, 403),
        (Some(json!(null)), 201, 201),
        (None, 201, 201),
    ] {
        let mut claims = json!({"sub": "billing", "role": "service"});
        if let Some(organizations) = &organizations {
            claims["organizations"] = organizations.clone();
        }
        let bearer = token(claims);
        for (entry, status) in [(entry("acme", "x"), acme), (platform.clone(), platform_log)] {
            let request = service.request(Method::POST, "/api/v1/activity-logs", Some(&bearer));
            let answer = Answer::of(request.json(&json!({"entries": [entry]}))).await;
            assert_eq!(answer.status, status, "{organizations:?}: {answer:?}");
        }
        let me = service.get("/api/v1/me", &bearer).await;
        assert_eq!(me.body["organizations"], organizations.unwrap_or_default());
    }
    let nobody = token(json!({"sub": "u", "role": "user"}));
    assert_eq!(service.get("/api/v1/me", &nobody).await.body["organizations"], json!([]));
}

async fn unknown_paths_and_methods_are_problems(kind: Kind) {
    let service = TestService::start(kind).await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v2/me",
        "/api/v1/organizations/acme/nothing",
    ] {
        let answer = service.get(path, &admin()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/activity-logs", "GET, HEAD, POST"),
        (
            Method::DELETE,
            "/api/v1/organizations/acme/activity-logs/0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11",
            "GET, HEAD",
        ),
        (Method::PATCH, "/api/v1/activity-logs/0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11", "GET, HEAD"),
        (Method::POST, "/api/v1/organizations/acme", "DELETE"),
        (Method::POST, "/livez", "GET, HEAD"),
    ] {
        let answer = Answer::of(service.request(method, path, Some(&admin()))).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allow), "{path}");
        answer.problem();
    }
    let docs = service.request(Method::GET, "/docs/", None).send().await.unwrap();
    assert!(
        docs.status().is_success() && docs.text().await.unwrap().contains("swagger-ui-bundle.js")
    );
    let ready = Answer::of(service.request(Method::GET, "/readyz", None)).await;
    assert_eq!(ready.body, json!({"status": "ok"}));
    let metrics =
        service.request(Method::GET, "/metrics", None).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("activity_logs_http_requests_total"), "{metrics}");
}
