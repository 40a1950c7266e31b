//! Each page and state, wide and narrow, light and dark: audited by axe, kept as pictures under
//! target/screenshots. It is about looks, so one database is enough; journeys run on both.

use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, entry, member};
use serde_json::{Value, json};

const WIDE: (u32, u32) = (1440, 900);
const NARROW: (u32, u32) = (360, 740);
const HUGE: (u32, u32) = (2560, 1300);
/// Where WCAG 1.4.10 still wants no scrolling in two directions.
const REFLOW: (u32, u32) = (320, 740);

const ACME: &str = "/organizations/acme";
const LOGS: &str = "/organizations/acme/activity-logs";

/// What the app is given in place of answers: nothing, or a problem.
const NO_ANSWER: &str = "window.fetch = () => new Promise(() => {});";
const PROBLEM: &str = "window.fetch = async () => new Response(JSON.stringify({
  type: 'about:blank', title: 'The database does not answer', status: 503, code: 'database_unavailable',
  detail: 'The database does not answer; try again shortly.' }), { status: 503 });";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_and_state_is_audited() {
    let stage = Stage::set_demo(Kind::Sqlite).await;
    let demo = stage.get_json("/demo.json").await;
    let tokens: Vec<&str> =
        demo["people"].as_array().unwrap().iter().map(|p| p["token"].as_str().unwrap()).collect();
    let [administrator, owner, ..] = tokens[..] else { panic!("people to be") };
    let mut found = Vec::new();
    for (size, name) in [(WIDE, "wide"), (NARROW, "narrow")] {
        stage.screen(size, "light").await;
        let mut keep = async |state: &str, selector: &str| {
            found.extend(light_and_dark(&stage, size, &format!("{state}-{name}"), selector).await);
        };
        stage.sign_out().await;
        keep("sign-in", ".people button").await;
        stage.open(LOGS, "not-a-token").await;
        keep("token-refused", ".sign-in .notice").await;
        stage.open(ACME, owner).await;
        stage.find("table.compact").await;
        stage.open_address(&format!("{ACME}#token={administrator}")).await;
        keep("link-asks", ".choices button").await;

        stage.open(ACME, owner).await;
        stage.find(".types li").await;
        keep("dashboard", "table.compact tbody tr:nth-child(6)").await;
        stage.click(".switcher summary").await;
        keep("switcher", ".switcher-list li").await;
        stage.open(LOGS, owner).await;
        keep("log", "table.log tbody tr:nth-child(25)").await;
        stage.open("/activity-logs?page=3&page_size=100", administrator).await;
        keep("everything", "table.log tbody tr:nth-child(100)").await;
        stage
            .open(&format!("{LOGS}?type=Users&outcome=denied&from=2026-01-01T00:00:00Z"), owner)
            .await;
        if name == "narrow" {
            stage.click(".filters-box summary").await;
        }
        stage.click(".filters option[value='custom']").await;
        stage.find(".range").await;
        keep("filtered", "button.chip").await;
        stage.open(&format!("{LOGS}?type=Organization&action=Update"), owner).await;
        stage.click("tbody tr button.open").await;
        keep("entry", ".panel .fields").await;
        let height = "return document.querySelector('.panel pre.json').offsetHeight";
        assert!(stage.script(height).await.as_i64().unwrap() > 200, "the document can be read");
        stage.open(&format!("{LOGS}?entry=01a20a19-f376-7098-8252-880d6fd300f1"), owner).await;
        keep("entry-missing", ".panel .state").await;

        stage.open(&format!("{LOGS}?user_id=nobody"), owner).await;
        keep("empty", ".state button").await;
        stage.open("/organizations/umbrella/activity-logs", tokens[2]).await;
        keep("no-access", ".state.error").await;
        stage.open("/nowhere", owner).await;
        keep("not-found", ".state h1").await;
        stage.open(&format!("{LOGS}?tpye=Users"), owner).await;
        keep("wrong-address", ".state.error").await;
        stage.open(ACME, owner).await;
        stage.find("table.compact").await;
        stage.script(NO_ANSWER).await;
        stage.click(".sidebar a[href$='/activity-logs']").await;
        keep("loading", ".skeleton").await;
        stage.open(ACME, owner).await;
        stage.find("table.compact").await;
        stage.script(PROBLEM).await;
        stage.click(".sidebar a[href$='/activity-logs']").await;
        keep("error", ".state.error button").await;
        stage.click(".sidebar a:not([href$='/activity-logs'])").await;
        stage.until_text("h1", "Dashboard").await;
        keep("dashboard-error", ".state.error button").await;
        stage.open(LOGS, owner).await;
        stage.find("table.log").await;
        stage.network(false, 0).await;
        stage.click("button.primary").await;
        stage
            .until_text(
                ".actions span:last-of-type",
                "The service can't be reached; these are the entries from before",
            )
            .await;
        keep("offline", ".notice.offline").await;
        stage.click(".pages button:last-child").await;
        keep("offline-page", ".state.error button").await;
        stage.network(true, 0).await;
        stage.find("table.log").await;
    }
    stage.screen(HUGE, "light").await;
    stage.open("/activity-logs?page_size=100", administrator).await;
    stage.find("table.log tbody tr:nth-child(100)").await;
    found.extend(look(&stage, "everything-huge-light").await);
    assert!(found.is_empty(), "axe finds\n{}", found.join("\n"));
}

/// Looks at a state in both themes; gives what is wrong with it.
async fn light_and_dark(
    stage: &Stage,
    size: (u32, u32),
    name: &str,
    selector: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for theme in ["light", "dark"] {
        stage.screen(size, theme).await;
        stage.find(selector).await;
        found.extend(look(stage, &format!("{name}-{theme}")).await);
    }
    if size == NARROW {
        stage.screen(REFLOW, "light").await;
        stage.fits(&format!("{name} at {REFLOW:?}")).await;
        stage.screen(size, "light").await;
    }
    found
}

/// Keeps a picture; gives what is wrong with the page.
async fn look(stage: &Stage, name: &str) -> Vec<String> {
    stage.screenshot(name).await;
    stage.fits(name).await;
    stage.audit().await.into_iter().map(|finding| format!("{name}: {finding}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_organizations_and_hostile_content_are_audited() {
    let stage = Stage::set(Kind::Sqlite).await;
    let entries: Vec<Value> = hostile()
        .into_iter()
        .map(|text| {
            let mut entry = entry("acme", &text.chars().take(512).collect::<String>());
            entry["user"]["name"] = json!(text.chars().take(200).collect::<String>());
            entry["new_value"] = json!({ text.chars().take(300).collect::<String>(): text });
            entry
        })
        .collect();
    assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    let mut found = Vec::new();
    for (size, name) in [(WIDE, "wide"), (NARROW, "narrow")] {
        stage.screen(size, "light").await;
        let mut keep = async |state: &str, selector: &str| {
            found.extend(light_and_dark(&stage, size, &format!("{state}-{name}"), selector).await);
        };
        stage.open("/organizations/umbrella", &member("eve", "umbrella")).await;
        keep("new-organization", ".state").await;
        stage.open(LOGS, &member("mia", "acme")).await;
        keep("hostile", "tbody tr:nth-child(7)").await;
        stage.click("tbody tr:last-child button.open").await;
        keep("hostile-entry", ".panel pre").await;
    }
    stage.script("document.body.append(document.createElement('img'))").await;
    assert!(!stage.audit().await.is_empty(), "an audit that can't fail proves nothing");
    assert!(found.is_empty(), "axe finds\n{}", found.join("\n"));
}

/// Texts that would break a page that takes them for anything but text.
pub(crate) fn hostile() -> Vec<String> {
    let texts = [
        "<script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        "\u{202e}gnp.exe \u{2066}\u{2067}",
        "=HYPERLINK(\"http://evil.example\")",
        "👩‍👩‍👧‍👦 ̷̨̛Z̸a̶l̵g̶o̷",
        "{{constructor.constructor('window.hacked = 1')()}}",
    ];
    texts.map(str::to_owned).into_iter().chain(["W".repeat(10_000)]).collect()
}
