//! Ids as identity providers and platforms have them, in bodies, tokens, paths and filters.

use activity_logs_model::percent::encode;
use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, token,
};
use reqwest::Method;
use serde_json::json;

on_both_databases! {
    ids_of_real_platforms_are_recorded_and_read
    what_could_be_read_as_another_id_is_refused
}

const IDS: [&str; 16] = [
    "auth0|64f1",
    "google-oauth2|000000000000000000000",
    "ada+test@acme.io",
    "cn=Ada,ou=Eng",
    "arn:aws:iam::1:user/ada",
    "spiffe://example.org/ns/x",
    "CORP\\ada",
    "AbCd+/==",
    "a b",
    "ä",
    "研究 👩‍🚀",
    "a%b",
    "a%2Fb",
    "?x#y",
    "*",
    "\"<'&;$>...",
];

async fn ids_of_real_platforms_are_recorded_and_read(kind: Kind) {
    let service = TestService::start(kind).await;
    let longest = format!("{}x", "é".repeat(127));
    for id in IDS.into_iter().chain([longest.as_str()]) {
        let mut sent = entry(id, "strange");
        sent["user"]["id"] = json!(id);
        sent["workspace"] = json!({"id": id, "name": "W"});
        let recorded = service.record(json!([sent])).await;
        assert_eq!(recorded.status, 201, "{id}: {recorded:?}");
        let entry_id = recorded.body["entries"][0]["id"].as_str().unwrap();

        let caller = member(id, id);
        assert_eq!(service.get("/api/v1/me", &caller).await.body["id"], id);
        let path = format!("/api/v1/organizations/{}/activity-logs", encode(id));
        let value = encode(id);
        let query = format!("user_id={value}&workspace_id={value}");
        let listing = service.get(&format!("{path}?{query}"), &caller).await;
        assert_eq!(listing.body["total"], 1, "{id}: {listing:?}");
        assert_eq!(listing.items()[0]["organization"]["id"], id);
        // Relative to the path as it was sent.
        let link = listing.header("link").trim_start_matches('<').split('>').next().unwrap();
        assert!(link.starts_with('?'), "{id}: {link}");
        let followed = service.get(&format!("{path}{link}"), &caller).await;
        assert_eq!(followed.body["items"], listing.body["items"], "{id}");

        let all = format!("/api/v1/activity-logs?organization_id={value}&{query}");
        assert_eq!(service.get(&all, &admin()).await.body["total"], 1, "{id}");
        assert_eq!(service.get(&format!("{path}/{entry_id}"), &caller).await.status, 200, "{id}");
        assert_eq!(service.get(&format!("{path}/recent"), &caller).await.items().len(), 1, "{id}");
        assert_eq!(service.get(&path, &member("eve", "umbrella")).await.status, 403, "{id}");
    }
    let removal = |id: &str| format!("/api/v1/organizations/{0}?confirm={0}", encode(id));
    for id in ["arn:aws:iam::1:user/ada", "*"] {
        let removed =
            Answer::of(service.request(Method::DELETE, &removal(id), Some(&admin()))).await;
        assert_eq!(removed.body["organization_id"], id, "{removed:?}");
    }
    let listing = service.get("/api/v1/activity-logs?type=Users", &admin()).await;
    assert_eq!(listing.body["total"], IDS.len() + 1 - 2, "an organization `*` is one of many");
}

async fn what_could_be_read_as_another_id_is_refused(kind: Kind) {
    let service = TestService::start(kind).await;
    for bad in ["", ".", "..", "!a", " a", "a ", "a\nb", "a\u{0}", "a\u{85}b", &"é".repeat(128)] {
        for (field, pointer) in [("user", "/user/id"), ("organization", "/organization/id")] {
            let mut sent = entry("acme", "x");
            sent[field]["id"] = json!(bad);
            let answer = service.record(json!([sent])).await;
            assert_eq!(answer.status, 422, "{bad:?}");
            assert_eq!(answer.pointer(), format!("/entries/0{pointer}"), "{bad:?}");
        }
        let caller = token(json!({"sub": bad, "role": "user"}));
        assert_eq!(service.get("/api/v1/me", &caller).await.status, 401, "{bad:?}");
    }
    for segment in ["a%20", "%00", "a%0Ab", "!a", "%FF", "%C3", "a%zz", "%"] {
        let path = format!("/api/v1/organizations/{segment}/activity-logs");
        let answer = service.get(&path, &admin()).await;
        assert_eq!(answer.pointer(), "{organization_id}", "{segment}: {answer:?}");
        assert_eq!(answer.problem(), "invalid_parameters", "{segment}");
    }
    assert_eq!(service.position().await, 0, "nothing of it was recorded");
}
