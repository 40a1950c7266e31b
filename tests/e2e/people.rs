//! Who signs in, what they are shown and sent, and how a session ends.

use activity_logs_model::visibility::Claims;
use activity_logs_model::{Caller, Entry, ServedEntry, Visibility};
use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, admin, entry, member, now, on_both_databases, token};
use serde_json::{Value, json};

on_both_databases! {
    each_person_of_the_demo_looks_around
    an_ended_session_goes_on_where_it_was
    an_administrator_finds_one_of_many_organizations
    a_theme_is_kept
    a_link_signs_nobody_in_unasked
    an_address_asks_for_nothing_else
}

/// Keeps every answer where the test can read it.
const KEEP_ANSWERS: &str = "window.received = []; const ask = window.fetch; \
    window.fetch = async (...a) => { const answer = await ask(...a); \
      if (answer.url.includes('/api/')) window.received.push(await answer.clone().text()); return answer; }";

async fn each_person_of_the_demo_looks_around(kind: Kind) {
    let stage = Stage::set_demo(kind).await;
    let demo = stage.get_json("/demo.json").await;
    stage.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": KEEP_ANSWERS})).await;
    let mut totals = Vec::new();
    let roles = ["Administrator", "Member", "Member", "Member, some workspaces", "Guest"];
    for (person, role) in demo["people"].as_array().unwrap().iter().zip(roles) {
        stage.sign_out().await;
        let name = person["name"].as_str().unwrap();
        let button =
            stage.find(&format!(".people li:nth-child({}) button", totals.len() + 1)).await;
        assert!(button.text().await.unwrap().contains(name));
        button.click().await.unwrap();
        stage.until_text(".who .text", name).await;
        stage.until_text(".who .role", role).await;
        if let Some(organization) = person["organization"].as_str() {
            stage.until_text("h1", "Dashboard").await;
            stage.find("table.compact tbody tr:nth-child(6)").await;
            stage.find(".bars li:nth-child(30)").await;
            stage.click(".sidebar a[href$='/activity-logs']").await;
            stage.until_text("h1", "Activity Logs").await;
            stage.find("table.log tbody tr").await;
            let path = format!("/organizations/{organization}/activity-logs");
            assert_eq!(stage.address().await, path);
        }
        stage.click(".main-nav a").await;
        stage.until_text("h1", "All activity").await;
        stage.find(".pages button").await;
        let total = stage.text(".showing").await;
        totals.push(total.split(' ').nth(3).unwrap().replace(',', "").parse::<u64>().unwrap());
        stage.click("table.log tbody tr button.open").await;
        stage.find(".panel .fields").await;

        // What was sent, and not only what was shown, is what they may see.
        let token = person["token"].as_str().unwrap();
        let visibility = visibility_of(&stage, token).await;
        let received = stage.script("return window.received").await;
        let mut entries = 0;
        for answer in received.as_array().unwrap() {
            let answer: Value = serde_json::from_str(answer.as_str().unwrap()).unwrap();
            let lone = answer.get("outcome").map(|_| &answer);
            let items = answer.get("items").and_then(Value::as_array).into_iter().flatten();
            for item in items.chain(lone).filter(|item| item.get("outcome").is_some()) {
                assert!(visibility.allows(&kept(item)), "{name} received {item}");
                entries += 1;
            }
        }
        assert!(entries >= 25, "{name} received only {entries} entries");
        stage.click(".who button:last-child").await;
        stage.find(".sign-in").await;
        assert_eq!(
            stage.script("return sessionStorage.getItem('activity-logs.token')").await,
            Value::Null
        );
    }
    assert!(totals.windows(2).all(|pair| pair[0] > pair[1]), "each sees less: {totals:?}");
}

/// The entry as the service keeps it, as far as who sees it depends on that.
fn kept(item: &Value) -> Entry {
    let served: ServedEntry = serde_json::from_value(item.clone()).unwrap();
    Entry {
        id: served.id,
        occurred_at: served.occurred_at,
        recorded_at: served.recorded_at,
        position: 0,
        sequence: 0,
        kind: served.kind,
        action: served.action,
        outcome: served.outcome,
        user: served.user,
        organization: served.organization,
        workspace: served.workspace,
        identifier: served.identifier,
        old_value: served.old_value,
        new_value: served.new_value,
        context: served.context,
        question: served.question,
    }
}

/// What the service says that the bearer of a token is.
async fn visibility_of(stage: &Stage, token: &str) -> Visibility {
    let me = stage.service.get("/api/v1/me", token).await.body;
    let claims: Claims = serde_json::from_value(json!({
        "sub": me["id"], "name": me["name"], "role": me["role"],
        "organizations": me["organizations"], "workspaces": me["workspaces"],
    }))
    .unwrap();
    Caller::try_from(claims).unwrap().visibility()
}

async fn an_ended_session_goes_on_where_it_was(kind: Kind) {
    let stage = Stage::set(kind).await;
    let entries: Vec<Value> = (0..60).map(|i| entry("acme", &format!("thing {i}"))).collect();
    assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    let claims = |seconds: u64| {
        json!({"sub": "mia", "role": "user", "exp": now() + seconds,
            "organizations": [{"id": "acme", "name": "Acme"}]})
    };
    let as_of = stage.service.as_of(60).await;
    let path =
        format!("/organizations/acme/activity-logs?type=Users&page=2&page_size=25&as_of={as_of}");
    stage.open(&path, &token(claims(6))).await;
    stage.until_text(".showing", "Showing 26-50 of 60 items").await;
    // Nobody clicks; the end is noticed all the same.
    let why = "Your session has ended. Sign in again to go on where you were.";
    stage.until_text(".sign-in .notice", why).await;
    assert_eq!(stage.address().await, path);
    stage.find("#token").await.send_keys(&token(claims(600))).await.unwrap();
    stage.click("form.token-form button").await;
    stage.until_text(".showing", "Showing 26-50 of 60 items").await;
    assert_eq!(stage.address().await, path);
}

async fn an_administrator_finds_one_of_many_organizations(kind: Kind) {
    let stage = Stage::set(kind).await;
    let entries: Vec<Value> = (0..70).map(|i| entry(&format!("org-{i:02}"), "founded")).collect();
    assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    stage.open("/activity-logs", &admin()).await;
    stage.click(".switcher summary").await;
    stage.until_text(".switcher .hint", "50 of 70; search to find the others.").await;
    // The keyboard is in the search already.
    stage.page.active_element().await.unwrap().send_keys("G-64").await.unwrap();
    stage.find(".switcher-list li:only-child").await;
    stage.until_text(".switcher-list li", "ORG-64").await;
    stage.click(".switcher-list li a").await;
    stage.until_text("h1", "Dashboard").await;
    stage.until_text(".switcher summary", "ORG-64").await;
    assert_eq!(stage.address().await, "/organizations/org-64");
    stage.click(".switcher summary").await;
    stage.find(".switcher[open] .switcher-list li").await;
    stage.page.active_element().await.unwrap().send_keys("\u{e00c}").await.unwrap();
    stage.find(".switcher:not([open])").await;
}

async fn a_theme_is_kept(kind: Kind) {
    let stage = Stage::set(kind).await;
    assert_eq!(stage.service.record(json!([entry("acme", "thing")])).await.status, 201);
    stage.screen((1440, 900), "light").await;
    stage.open("/organizations/acme", &member("mia", "acme")).await;
    stage.find("table.compact").await;
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let light = stage.script(ground).await;
    stage.click(".who button").await;
    let dark = stage.script(ground).await;
    assert_ne!(light, dark);
    stage.page.refresh().await.unwrap();
    stage.find("table.compact").await;
    assert_eq!(stage.script(ground).await, dark);
}

async fn a_link_signs_nobody_in_unasked(kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.service.record(json!([entry("acme", "thing")])).await;
    let mine = member("mia", "acme");
    let link = format!("/organizations/acme#token={}", member("mallory", "acme"));
    stage.open("/organizations/acme", &mine).await;
    stage.until_text(".who .text", "mia").await;
    let kept = "return sessionStorage.getItem('activity-logs.token')";

    stage.open_address(&link).await;
    stage.until_text("h1", "Sign in as somebody else?").await;
    let said = stage.text(".sign-in p").await;
    assert!(said.contains("signs in mallory") && said.contains("signed in as mia"), "{said}");
    assert_eq!(stage.script("return location.hash").await, "", "the token has left the address");
    assert_eq!(stage.script(kept).await, mine, "nothing has changed");
    stage.click("button.primary").await;
    stage.until_text(".who .text", "mia").await;

    stage.open_address(&link).await;
    stage.until_text("h1", "Sign in as somebody else?").await;
    stage.click(".choices button:last-child").await;
    stage.until_text(".who .text", "mallory").await;
    assert_eq!(stage.address().await, "/organizations/acme");

    // An address that `replaceState` would take for another host's.
    stage.sign_out().await;
    stage.open_address(&format!("//x/#token={mine}")).await;
    stage.until_text(".who .text", "mia").await;
    let href = stage.script("return location.href").await;
    assert!(!href.as_str().unwrap().contains("token"), "{href}");
}

async fn an_address_asks_for_nothing_else(kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.service.record(json!([entry("acme", "thing")])).await;
    stage.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source":
        "window.asked = []; const ask = window.fetch; \
         window.fetch = (...a) => { asked.push(new URL(a[0].url ?? a[0], location.href).pathname); return ask(...a); }"}))
        .await;
    let mia = member("mia", "acme");
    for (path, retry) in [
        (
            "/organizations/acme/activity-logs?entry=../../../organizations/umbrella/activity-logs",
            false,
        ),
        ("/organizations/acme/activity-logs?entry=..", false),
        ("/organizations/%2E%2E%2F%2E%2E%2F%2E%2E%2Fmetrics%3F/activity-logs", true),
        ("/organizations/%21acme/activity-logs", true),
    ] {
        stage.open(path, &mia).await;
        stage.find(if retry { ".content .state.error" } else { ".panel .state.error" }).await;
        let asked = stage.script("return window.asked").await;
        let asked: Vec<&str> = asked.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let known = [
            "/api/v1/me",
            "/api/v1/activity-types",
            "/api/v1/organizations",
            "/demo.json",
            "/api/v1/organizations/acme/activity-logs",
            // An id like any other: encoded, it leads nowhere else.
            "/api/v1/organizations/..%2F..%2F..%2Fmetrics%3F/activity-logs",
        ];
        assert!(asked.contains(&"/api/v1/me"), "{asked:?}");
        let is_known = |path: &&str| known.contains(path) || path.ends_with(".wasm");
        assert!(asked.iter().all(is_known), "{path}: {asked:?}");
    }
}
