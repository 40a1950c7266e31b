//! The table: columns by mouse, touch and keyboard, cells that keep to themselves, and what the
//! keyboard and a screen reader find.

use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, entry, member, on_both_databases};
use fantoccini::actions::{
    InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction, TouchActions,
};
use fantoccini::elements::Element;
use serde_json::{Value, json};

on_both_databases! {
    columns_are_resized_by_every_hand
    rows_scroll_under_their_heads_and_cells_are_cut
    everything_is_reached_by_keyboard
    nothing_moves_while_it_loads
}

const LOGS: &str = "/organizations/acme/activity-logs";
const IDENTIFIER: &str = "table.log th:nth-child(7)";

async fn filled() -> Vec<Value> {
    let mut entries: Vec<Value> = (0..120).map(|i| entry("acme", &format!("thing {i}"))).collect();
    for (i, entry) in entries.iter_mut().enumerate() {
        entry["occurred_at"] = json!(format!("2026-01-01T00:{:02}:{:02}Z", i / 60, i % 60));
    }
    entries[119]["identifier"] = json!("an identifier that is a good deal longer than its column");
    entries
}

async fn open(kind: Kind) -> Stage {
    let stage = Stage::set(kind).await;
    assert_eq!(stage.service.record(json!(filled().await)).await.status, 201);
    stage.screen((1440, 900), "light").await;
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("table.log tbody tr:nth-child(25)").await;
    stage
}

async fn width(stage: &Stage) -> f64 {
    let width =
        format!("return document.querySelector('{IDENTIFIER}').getBoundingClientRect().width");
    stage.script(&width).await.as_f64().unwrap()
}

fn drag(handle: &Element, x: i64) -> [PointerAction; 4] {
    [
        PointerAction::MoveToElement { element: handle.clone(), duration: None, x: 0.0, y: 0.0 },
        PointerAction::Down { button: MOUSE_BUTTON_LEFT },
        PointerAction::MoveBy { duration: None, x: x as f64, y: 0.0 },
        PointerAction::Up { button: MOUSE_BUTTON_LEFT },
    ]
}

async fn columns_are_resized_by_every_hand(kind: Kind) {
    let stage = open(kind).await;
    let handle = stage.find(&format!("{IDENTIFIER} .resizer")).await;
    let start = width(&stage).await;
    let mut mouse = MouseActions::new("mouse".to_owned());
    for action in drag(&handle, 60) {
        mouse = mouse.then(action);
    }
    stage.page.perform_actions(mouse).await.unwrap();
    assert_eq!(width(&stage).await, start + 60.0, "by mouse");
    let mut touch = TouchActions::new("finger".to_owned());
    for action in drag(&handle, -40) {
        touch = touch.then(action);
    }
    stage.page.perform_actions(touch).await.unwrap();
    assert_eq!(width(&stage).await, start + 20.0, "by touch");
    handle.send_keys("\u{e012}").await.unwrap();
    assert_eq!(width(&stage).await, start + 4.0, "by keyboard");
    assert_eq!(handle.attr("aria-valuenow").await.unwrap().unwrap(), (start + 4.0).to_string());

    let is_cut = "const cell = document.querySelector('tbody tr:first-child td:nth-child(7) .cell'); \
        return cell.scrollWidth > cell.clientWidth";
    assert_eq!(stage.script(is_cut).await, true);
    let twice = [drag(&handle, 0), drag(&handle, 0)].concat();
    let twice = twice.into_iter().fold(MouseActions::new("mouse".to_owned()), MouseActions::then);
    stage.page.perform_actions(twice).await.unwrap();
    assert_eq!(stage.script(is_cut).await, false, "a double click fits the content");

    let fitted = width(&stage).await;
    stage.page.refresh().await.unwrap();
    stage.find("table.log").await;
    assert_eq!(width(&stage).await, fitted, "widths are kept");
    stage.open(LOGS, &member("ben", "acme")).await;
    stage.find("table.log").await;
    assert_eq!(width(&stage).await, start, "for each viewer their own");
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("table.log").await;
    stage.click("button.reset").await;
    assert_eq!(width(&stage).await, start);
}

async fn rows_scroll_under_their_heads_and_cells_are_cut(kind: Kind) {
    let stage = open(kind).await;
    let heads = "document.querySelector('table.log th').getBoundingClientRect().top";
    let moved = format!(
        "const frame = document.querySelector('.table-frame'), before = {heads}; \
         frame.scrollTop = 200; return [before, {heads}, frame.scrollTop]"
    );
    let moved = stage.script(&moved).await;
    assert_eq!(moved[0], moved[1], "the heads stay");
    assert!(moved[2].as_f64().unwrap() > 100.0, "the rows do not");
    let sorts = stage
        .script("return [...document.querySelectorAll('th')].map((head) => head.ariaSort)")
        .await;
    assert_eq!(sorts[0], "descending");
    assert!(sorts.as_array().unwrap()[1..].iter().all(Value::is_null));
    let time = stage.find("tbody tr:first-child button.open").await;
    assert_eq!(time.attr("title").await.unwrap().unwrap(), "2026-01-01T00:01:59.000000Z (UTC)");
    let heights = stage.script("return [...new Set([...document.querySelectorAll('tbody tr')].map((row) => row.offsetHeight))]").await;
    assert_eq!(heights.as_array().unwrap().len(), 1, "no value makes its row higher: {heights}");

    stage.click("[aria-label='Page 2']").await;
    stage.until_text(".showing", "Showing 26-50 of 120 items").await;
    assert_eq!(stage.script("return document.querySelector('.table-frame').scrollTop").await, 0);
}

async fn everything_is_reached_by_keyboard(kind: Kind) {
    let stage = open(kind).await;
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let focused =
        "const at = document.activeElement; return at.getAttribute('aria-label') ?? at.textContent";
    let press = async |keys: &str| {
        stage.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
    };
    stage.script("document.activeElement.blur()").await;
    stage.find("body").await.send_keys(TAB).await.unwrap();
    assert_eq!(stage.script(focused).await, "Skip to the content");
    press(ENTER).await;
    assert_eq!(stage.script("return document.activeElement.id").await, "content");

    // From the content on, the Tab key alone comes to each of these, and it can be seen where it is.
    let mut wanted =
        vec!["Refresh", "Filters", "Activity, newest first", "Width of Time", "Page 2"];
    for _ in 0..80 {
        press(TAB).await;
        let name = stage.script(focused).await;
        let name = name.as_str().unwrap_or_default().to_owned();
        wanted.retain(|wanted| name != *wanted && !(*wanted == "Filters" && name.contains("Any")));
        let seen = "const at = document.activeElement; if (at === document.body) return true; \
            const style = getComputedStyle(at); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2";
        assert_eq!(stage.script(seen).await, true, "the focus on {name} is seen");
        if wanted.is_empty() {
            break;
        }
    }
    assert!(wanted.is_empty(), "the Tab key never came to {wanted:?}");
    press(ENTER).await;
    stage.until_text(".showing", "Showing 26-50 of 120 items").await;
    let announced =
        stage.script("return document.querySelector('.page-head [role=status]').textContent").await;
    assert_eq!(announced, "Showing 26-50 of 120 items", "a screen reader hears it");

    stage.find("tbody tr:nth-child(3) button.open").await.send_keys(ENTER).await.unwrap();
    stage.until_text(".panel p", "thing 92").await;
    let animation = "return getComputedStyle(document.querySelector('.panel')).animationName";
    assert_eq!(stage.script(animation).await, "none", "who wants nothing to move is spared it");
    press("\u{e00a}\u{e013}\u{e000}").await;
    stage.until_text(".panel p", "thing 93").await;
    press("\u{e00c}").await;
    stage.find("tr[aria-selected='false']:nth-child(2)").await;
    let row = "return document.activeElement.closest('tr').rowIndex";
    assert_eq!(stage.script(row).await, 2, "the keyboard is back on the row");
}

async fn nothing_moves_while_it_loads(kind: Kind) {
    let stage = open(kind).await;
    stage.network(true, 400).await;
    for size in [(1440, 900), (360, 740)] {
        stage.screen(size, "light").await;
        for (path, selector) in [(LOGS, "table.log tbody tr"), ("/organizations/acme", ".types li")]
        {
            stage.open(path, &member("mia", "acme")).await;
            stage.find(selector).await;
            let (sum, shifts) = stage.shifts().await;
            assert!(sum < 0.01, "{path} at {size:?} moves by {sum}: {shifts}");
        }
    }
    stage.script("document.querySelector('main').style.marginTop = '300px'").await;
    let (sum, _) = stage.shifts().await;
    assert!(sum >= 0.01, "a measure that sees no movement proves nothing");
}
