//! What people do in the app, from end to end.

use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, admin, entry, member, on_both_databases, token};
use serde_json::{Value, json};

on_both_databases! {
    signing_in_and_looking_at_an_organization
    turning_pages_that_hold_still
    filtering_and_going_back
    opening_an_entry_and_sharing_it
    a_restricted_member_receives_only_what_they_may_see
    hostile_content_is_text
    states_in_words
}

const LOGS: &str = "/organizations/acme/activity-logs";

async fn fill(stage: &Stage, count: usize) {
    let entries: Vec<Value> = (0..count)
        .map(|i| {
            let mut entry = entry("acme", &format!("thing {i}"));
            entry["occurred_at"] =
                json!(format!("2026-01-01T{:02}:{:02}:{:02}Z", i / 3600, i / 60 % 60, i % 60));
            entry
        })
        .collect();
    for entries in entries.chunks(1_000) {
        assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    }
}

async fn signing_in_and_looking_at_an_organization(kind: Kind) {
    let stage = Stage::set(kind).await;
    fill(&stage, 412).await;
    stage
        .page
        .goto(&format!("http://{}/organizations/acme", stage.service.address()))
        .await
        .unwrap();
    stage.find("form.token-form").await;
    stage.screenshot("sign-in").await;
    stage.find("#token").await.send_keys(&member("mia", "acme")).await.unwrap();
    stage.click("form.token-form button").await;
    stage.until_text("h1", "Dashboard").await;
    stage.find("table.compact tbody tr:nth-child(6)").await;
    assert_eq!(stage.texts("table.compact th").await, ["Type", "Action", "User", "Time"]);
    stage.screenshot("dashboard").await;

    stage.click("a.more").await;
    stage.until_text(".showing", "Showing 1-25 of 414 items").await;
    let heads = stage.texts("table.log th .cell").await;
    assert!(heads[0].starts_with("Time ("), "the time zone is named: {heads:?}");
    assert_eq!(
        heads[1..],
        [
            "Type",
            "Action",
            "User",
            "Organization",
            "Workspace",
            "Identifier",
            "Old Value",
            "New Value"
        ]
    );
    assert_eq!(stage.address().await, LOGS);
    stage.screenshot("activity-logs").await;

    // The token is kept for the tab, not in the address.
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("table.log").await;
    assert_eq!(stage.address().await, LOGS);
    stage.page.refresh().await.unwrap();
    stage.find("table.log").await;
    assert_eq!(stage.script("return localStorage.length + document.cookie.length").await, 0);
}

async fn turning_pages_that_hold_still(kind: Kind) {
    let stage = Stage::set(kind).await;
    fill(&stage, 412).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.until_text(".showing", "Showing 1-25 of 412 items").await;
    fill(&stage, 10).await;
    stage.click("[aria-label='Page 2']").await;
    stage.until_text(".showing", "Showing 26-50 of 412 items").await;
    let as_of = stage.service.as_of(412).await;
    assert!(stage.address().await.contains(&format!("page=2&page_size=25&as_of={as_of}")));
    assert_eq!(stage.text("table.log tbody tr:first-child td:nth-child(7)").await, "thing 386");
    stage.click(".pages button.jump").await;
    stage.find(".pages [aria-current=page]:not([aria-label='Page 2'])").await;
    stage.click(".pages button:last-child").await;
    stage.until_text(".showing", "Showing 401-412 of 412 items").await;

    stage.click("button.primary").await;
    stage.until_text(".showing", "Showing 401-425 of 426 items").await;
    stage.click(".page-size select option[value='50']").await;
    stage.until_text(".pages [aria-current=page]", "1").await;
    assert!(stage.text(".showing").await.starts_with("Showing 1-50 of 42"));
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("table.log").await;
    assert!(
        stage.text(".showing").await.starts_with("Showing 1-50 of"),
        "remembered for the session"
    );

    let width = "return document.querySelector('table.log th').getBoundingClientRect().width";
    let before = stage.script(width).await.as_f64().unwrap();
    let handle = stage.find("table.log th .resizer").await;
    handle.send_keys("\u{e014}\u{e014}").await.unwrap();
    assert_eq!(stage.script(width).await.as_f64().unwrap(), before + 32.0, "arrow keys resize");
    stage.page.refresh().await.unwrap();
    stage.find("table.log").await;
    assert_eq!(stage.script(width).await.as_f64().unwrap(), before + 32.0, "widths persist");
}

async fn filtering_and_going_back(kind: Kind) {
    let stage = Stage::set(kind).await;
    fill(&stage, 30).await;
    let mut other = entry("acme", "denied plan");
    other["type"] = json!("Subscriptions");
    other["outcome"] = json!("denied");
    stage.service.record(json!([other])).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.until_text(".showing", "Showing 1-25 of 31 items").await;
    stage.click(".filters option[value='Subscriptions']").await;
    stage.until_text(".showing", "Showing 1-1 of 1 items").await;
    assert!(stage.address().await.contains("type=Subscriptions"));
    assert_eq!(stage.text("tbody .badge.denied").await, "denied");
    let whole = "const badge = document.querySelector('tbody .badge.denied'); \
        const end = (element) => element.getBoundingClientRect().right; \
        return end(badge) <= end(badge.closest('td'))";
    assert_eq!(stage.script(whole).await, true, "what was denied is seen at a glance");
    stage.click(".filters option[value='success']").await;
    stage.until_text(".state h2", "Nothing matches these filters").await;
    stage.screenshot("empty").await;
    stage.page.back().await.unwrap();
    stage.until_text(".showing", "Showing 1-1 of 1 items").await;
    stage.click(".chip").await;
    stage.find("[aria-label='Page 2']").await;
    assert!(!stage.address().await.contains("type="));
}

async fn opening_an_entry_and_sharing_it(kind: Kind) {
    let stage = Stage::set(kind).await;
    fill(&stage, 3).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.click("tbody tr:nth-child(2) button.open").await;
    stage.until_text(".panel p", "thing 1").await;
    assert_eq!(stage.texts(".panel .value .before").await, ["Viewer"]);
    assert_eq!(stage.texts(".panel .value .after").await, ["Editor"]);
    let shared = stage.address().await;
    assert!(shared.contains("&entry="));
    stage.screenshot("entry").await;
    // Alt and the arrow down: the next row.
    stage.find(".panel").await.send_keys("\u{e00a}\u{e015}\u{e000}").await.unwrap();
    stage.until_text(".panel p", "thing 0").await;
    stage.find(".panel").await.send_keys("\u{e00c}").await.unwrap();
    stage.find("table.log tr[aria-selected=false]:nth-child(3)").await;
    assert!(!stage.address().await.contains("&entry="));

    stage.open(&shared, &member("ben", "acme")).await;
    stage.until_text(".panel p", "thing 1").await;
}

async fn a_restricted_member_receives_only_what_they_may_see(kind: Kind) {
    let stage = Stage::set(kind).await;
    let within = |workspace: &str, identifier: &str| {
        let mut entry = entry("acme", identifier);
        entry["workspace"] = json!({"id": workspace, "name": workspace});
        entry
    };
    let mut administrative = entry("acme", "hidden role");
    administrative["type"] = json!("AdminRoles");
    stage
        .service
        .record(json!([within("ws-1", "shown"), within("ws-2", "hidden work"), administrative]))
        .await;
    let restricted = token(json!({"sub": "mia", "role": "user",
        "organizations": [{"id": "acme", "name": "Acme", "workspaces": ["ws-1"]}]}));
    stage.open("/organizations/acme", &restricted).await;
    stage.find("table.compact").await;
    // Everything that is received from now on is kept where the test can read it.
    stage
        .script(
            "window.received = []; const ask = window.fetch; \
             window.fetch = async (...a) => { const r = await ask(...a); window.received.push(await r.clone().text()); return r; }",
        )
        .await;
    stage.click("a.more").await;
    stage.find("table.log").await;
    stage.click(".main-nav a").await;
    stage.until_text("h1", "All activity").await;
    stage.find("table.log").await;
    let received = stage.script("return window.received.join()").await;
    let received = received.as_str().unwrap();
    assert!(received.contains("shown") && !received.contains("hidden"), "{received}");
}

async fn hostile_content_is_text(kind: Kind) {
    let stage = Stage::set(kind).await;
    let hostile = [
        "<script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        "\u{202e}gnp.exe",
        "=HYPERLINK(\"http://evil.example\")",
        "👩‍👩‍👧‍👦 ̷̨̛Z̸a̶l̵g̶o̷",
        &"W".repeat(500),
    ];
    let entries: Vec<Value> = hostile
        .iter()
        .map(|text| {
            let mut entry = entry("acme", text);
            let name: String = text.chars().take(200).collect();
            entry["user"]["name"] = json!(name);
            entry["new_value"] = json!({ *text: text.repeat(20) });
            entry
        })
        .collect();
    assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("tbody tr:nth-child(6)").await;
    let shown = stage.script("return [...document.querySelectorAll('tbody td:nth-child(7)')].map(e => e.textContent)").await;
    let mut shown: Vec<&str> =
        shown.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    shown.reverse();
    let hostile = hostile.map(|text| text.replace('\u{202e}', "‹U+202E›"));
    assert_eq!(shown, hostile);
    stage.click("tbody tr:last-child button.open").await;
    stage.find(".panel pre").await;
    stage.screenshot("hostile").await;
    assert_eq!(stage.script("return window.hacked ?? null").await, Value::Null);
    let overflow =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert!(stage.script(overflow).await.as_i64().unwrap() <= 0, "nothing breaks the layout");
}

async fn states_in_words(kind: Kind) {
    let stage = Stage::set(kind).await;
    fill(&stage, 1).await;
    stage.open(LOGS, &member("eve", "umbrella")).await;
    stage.until_text(".state h2", "You have no access to this organization").await;
    stage.screenshot("no-access").await;
    stage.open("/nowhere", &member("eve", "umbrella")).await;
    stage.until_text(".state h1", "There is no such page").await;
    stage.open("/organizations/umbrella", &member("eve", "umbrella")).await;
    stage.until_text(".state h2", "Nothing has happened here yet").await;
    stage.open(&format!("{LOGS}?tpye=Users"), &admin()).await;
    stage.until_text(".state h2", "The address asks for something that is not there").await;
    stage.open(LOGS, &token(json!({"sub": "mia", "role": "user", "exp": 1}))).await;
    stage.until_text(".notice", "The token is not valid here, or no longer.").await;
    stage.screenshot("token-refused").await;
}
