//! What a list does beyond its first page: filters, refreshing, waiting, failing and recovering.

use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, admin, entry, member, now, on_both_databases};
use serde_json::{Value, json};

on_both_databases! {
    filters_by_name_time_and_organization
    refreshing_says_what_is_new
    rows_stay_until_others_are_there
    what_fails_can_be_tried_again
    a_dashboard_is_fresh_and_leads_on
    an_entry_is_copied_and_narrows_the_list
}

const LOGS: &str = "/organizations/acme/activity-logs";
const ENTER: &str = "\u{e007}";

/// Sixty entries, one each six hours, the newest a minute ago.
async fn set(kind: Kind) -> Stage {
    let stage = Stage::set(kind).await;
    let entries: Vec<Value> = (0..60_u64)
        .map(|i| {
            let mut entry = entry("acme", &format!("thing {i}"));
            let at = (now() - 60 - i * 6 * 3_600) as i64 * 1_000_000;
            entry["occurred_at"] =
                json!(activity_logs_model::Timestamp::from_micros(at).to_string());
            if i % 2 == 0 {
                entry["user"] = json!({"id": "u-17", "name": "Grace Hopper"});
                entry["workspace"] = json!({"id": "ws-1", "name": "Research"});
            }
            entry
        })
        .collect();
    assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    stage
}

async fn filters_by_name_time_and_organization(kind: Kind) {
    let stage = set(kind).await;
    assert_eq!(stage.service.record(json!([entry("umbrella", "elsewhere")])).await.status, 201);
    stage.open("/activity-logs", &admin()).await;
    stage.until_text(".showing", "Showing 1-25 of 61 items").await;
    let field = |label: &str| format!("input[list='names-{label}']");
    let typed = async |label: &str, text: &str| {
        stage.find(&field(label)).await.send_keys(&format!("{text}{ENTER}")).await.unwrap();
    };
    typed("User", "grace hopper").await;
    stage.until_text(".chip .text", "User: Grace Hopper (u-17)").await;
    stage.until_text(".showing", "Showing 1-25 of 30 items").await;
    typed("Organization", "acme").await;
    stage.until_text(".chips .chip:nth-of-type(2) .text", "Organization: ACME (acme)").await;
    typed("Workspace", "no such name").await;
    stage
        .until_text(".wrong", "No such name on this page. Type an id without spaces instead.")
        .await;
    assert_eq!(
        stage.address().await,
        "/activity-logs?user_id=u-17&organization_id=acme&page=1&page_size=25"
    );

    stage.click(".filters option[value='today']").await;
    stage.find(".chips .chip:nth-of-type(3)").await;
    let chip = stage.text(".chips .chip:nth-of-type(3) .text").await;
    assert!(
        chip.starts_with("From: ") && chip.contains("12:00"),
        "{chip}: today begins at midnight"
    );
    stage.click(".filters option[value='7']").await;
    stage.until_text(".showing", "Showing 1-14 of 14 items").await;

    stage.click(".filters option[value='custom']").await;
    let set_fields = |from: &str, to: &str| {
        format!(
            "const [from, to] = document.querySelectorAll('.range input'); \
             for (const [field, value] of [[from, '{from}'], [to, '{to}']]) {{ field.value = value; \
               field.dispatchEvent(new Event('input', {{ bubbles: true }})); }}"
        )
    };
    stage.find(".range input").await;
    stage.script(&set_fields("2026-01-02T00:00", "2026-01-01T00:00")).await;
    stage.click(".range button.primary").await;
    stage
        .until_text(".range .wrong", "Give a start, an end, or both; the start comes first.")
        .await;
    stage.script(&set_fields("2020-01-01T00:00", "2020-02-01T12:30")).await;
    stage.click(".range button.primary").await;
    stage.until_text(".state h2", "Nothing matches these filters").await;
    let address = stage.address().await;
    assert!(
        address.contains("from=2020-01-01T00%3A00%3A00.000000Z&to=2020-02-01T12%3A30%3A00.000000Z"),
        "{address}"
    );
    stage.page.back().await.unwrap();
    stage.until_text(".showing", "Showing 1-14 of 14 items").await;
    stage.page.forward().await.unwrap();
    stage.until_text(".state h2", "Nothing matches these filters").await;
    stage.click("button.clear").await;
    stage.find("[aria-label='Page 3']").await;
    assert!(stage.texts(".chip").await.is_empty());
}

async fn refreshing_says_what_is_new(kind: Kind) {
    let stage = set(kind).await;
    stage.open(&format!("{LOGS}?type=Users"), &member("mia", "acme")).await;
    stage.until_text(".showing", "Showing 1-25 of 60 items").await;
    let news = ".page-head .actions span:last-of-type";
    stage.click("button.primary").await;
    stage.until_text(news, "Nothing new").await;
    stage.service.record(json!([entry("acme", "newer"), entry("acme", "newest")])).await;
    stage.click("[aria-label='Page 2']").await;
    stage.until_text(".showing", "Showing 26-50 of 60 items").await;
    stage.until_text(news, "").await;
    stage.click("button.primary").await;
    stage.until_text(news, "2 new entries").await;
    stage.until_text(".showing", "Showing 26-50 of 62 items").await;
}

async fn rows_stay_until_others_are_there(kind: Kind) {
    let stage = set(kind).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.until_text(".showing", "Showing 1-25 of 60 items").await;
    stage
        .script(
            "const ask = window.fetch; window.fetch = async (...a) => { const r = await ask(...a); \
                 await new Promise((go) => { window.release = go; }); return r; }",
        )
        .await;
    let first = stage.text("tbody tr:first-child td:nth-child(7)").await;
    let place = "const at = document.querySelector('.pager').getBoundingClientRect(); return [at.top, at.left]";
    let before = stage.script(place).await;
    stage.click("[aria-label='Page 3']").await;
    stage.find(".table-frame[aria-busy='true']").await;
    assert_eq!(
        stage.text("tbody tr:first-child td:nth-child(7)").await,
        first,
        "the old rows stay"
    );
    stage.script_async("const wait = () => window.release ? done(window.release()) : setTimeout(wait, 5); wait();").await;
    stage.until_text(".showing", "Showing 51-60 of 60 items").await;
    stage.find(".table-frame[aria-busy='false']").await;
    assert_eq!(stage.script(place).await, before, "fewer rows, and the pager is where it was");
}

async fn what_fails_can_be_tried_again(kind: Kind) {
    let stage = set(kind).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.until_text(".showing", "Showing 1-25 of 60 items").await;
    stage
        .script("window.ask = window.fetch; window.fetch = async () => new Response(JSON.stringify({ type: 'about:blank', \
                 title: 'The service is busy', status: 503, code: 'queue_full', detail: 'Try again shortly.' }), { status: 503 })")
        .await;
    stage.click("[aria-label='Page 2']").await;
    stage.until_text(".state h2", "The service is busy").await;
    stage.script("window.fetch = window.ask").await;
    stage.click(".state button").await;
    stage.until_text(".showing", "Showing 26-50 of 60 items").await;

    stage.network(false, 0).await;
    stage.find(".notice.offline").await;
    stage.click("[aria-label='Page 3']").await;
    stage.until_text(".state h2", "The service can't be reached").await;
    stage.network(true, 0).await;
    stage.until_text(".showing", "Showing 51-60 of 60 items").await;
    assert!(stage.texts(".notice.offline").await.is_empty());
}

async fn a_dashboard_is_fresh_and_leads_on(kind: Kind) {
    let stage = set(kind).await;
    stage.open("/organizations/acme", &member("mia", "acme")).await;
    stage.find("table.compact tbody tr:nth-child(6)").await;
    let total = stage.text(".total strong").await.parse::<u64>().unwrap();
    assert!(total >= 60, "{total}");
    stage.click("a.more").await;
    stage.find("table.log").await;
    let mut newer = entry("acme", "just now");
    newer["type"] = json!("Plans");
    stage.service.record(json!([newer])).await;
    stage.page.back().await.unwrap();
    stage.until_text("table.compact tbody tr:first-child td", "Plans").await;

    // Yesterday's bar says how many, and leads to just these.
    let bar = stage.find(".bars li:nth-last-child(2) a").await;
    let said = bar.attr("aria-label").await.unwrap().unwrap();
    let count = said.rsplit(' ').next().unwrap().to_owned();
    stage.script("document.querySelector('.bars li:last-child a').focus()").await;
    stage.page.active_element().await.unwrap().send_keys("\u{e012}").await.unwrap();
    let active = stage.page.active_element().await.unwrap();
    assert_eq!(
        active.attr("aria-label").await.unwrap().unwrap(),
        said,
        "the arrow keys go from day to day"
    );
    active.send_keys(ENTER).await.unwrap();
    stage.until_text(".showing", &format!("Showing 1-{count} of {count} items")).await;
    assert_eq!(stage.texts(".chip").await.len(), 2);
    stage.page.back().await.unwrap();
    stage.click(".types a").await;
    stage.until_text(".chip .text", "Type: Users").await;
}

async fn an_entry_is_copied_and_narrows_the_list(kind: Kind) {
    let stage = set(kind).await;
    let origin = format!("http://{}", stage.service.address());
    let permission =
        json!({"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    stage.devtools("Browser.grantPermissions", permission).await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.click("tbody tr:nth-child(2) button.open").await;
    stage.until_text(".panel p", "thing 1").await;
    let asked = stage
        .service
        .get(&format!("/api/v1{LOGS}?type=ActivityLogs&action=FetchAll"), &admin())
        .await;
    assert_eq!(asked.body["total"], 1, "opening an entry does not ask for the list again");
    let address = stage.address().await;
    let id = address.rsplit('=').next().unwrap();
    let copied = async |button: usize, said: &str| {
        stage.click(&format!(".panel .actions button:nth-child({button})")).await;
        stage.until_text(".panel .actions [role=status]", said).await;
        let text = stage.script_async("navigator.clipboard.readText().then(done)").await;
        text.as_str().unwrap().to_owned()
    };
    assert_eq!(copied(1, "The id is copied.").await, id);
    let entry: Value = serde_json::from_str(&copied(2, "The JSON is copied.").await).unwrap();
    assert_eq!((&entry["id"], &entry["identifier"]), (&json!(id), &json!("thing 1")));
    assert_eq!(copied(3, "The link is copied.").await, format!("{origin}{address}"));
    stage.click(".panel button.only").await;
    stage.until_text(".chip .text", "User: Ada Abara (ada)").await;
    stage.until_text(".showing", "Showing 1-25 of 30 items").await;
}
