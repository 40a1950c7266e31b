//! Measures the web app in a real browser: what a first visit transfers, how soon rows are there,
//! and how much work pages and large values are, against the same rows in plain DOM.
//!
//! `cargo xtask bench web` builds and starts all it needs.

use activity_logs_tests::browser::Stage;
use activity_logs_tests::{Kind, entry, member};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Figures are medians of this many rounds.
const ROUNDS: usize = 10;
/// How many entries the log has.
const ENTRIES: usize = 3_000;
/// How long the large values are, in bytes.
const LARGE: usize = 20_000;

const LOGS: &str = "/organizations/acme/activity-logs";
const LARGE_LOGS: &str = "/organizations/large/activity-logs";

/// Remembers when the first row has been painted, from the very start of each document on.
const WATCH_FIRST_ROW: &str = "
new MutationObserver((_, observer) => {
  if (!document.querySelector('table.log tbody tr')) return;
  observer.disconnect();
  requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { window.firstRow = performance.now(); }; port2.postMessage(0); });
}).observe(document, { childList: true, subtree: true });";

/// Holds each answer back until `window.release()` lets it go, so that the work it makes can be
/// measured apart from the waiting; and the same rows built by hand.
const TOOLS: &str = "
const ask = window.fetch;
window.held = null;
window.fetch = async (...a) => {
  const answer = await ask(...a);
  const text = await answer.text();
  await new Promise((go) => { window.held = text; window.release = go; });
  window.held = null;
  return new Response(text, { status: answer.status, headers: answer.headers });
};
window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel(); port1.onmessage = done; port2.postMessage(0); })));
const time = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'short' });
const words = (token) => token.replace(/([a-z])([A-Z])/g, '$1 $2');
const plain = (value) => value === null ? null : typeof value === 'string' ? value.slice(0, 120)
  : Object.entries(value).map(([k, v]) => `${k}: ${typeof v === 'string' ? v : JSON.stringify(v)}`).join(', ').slice(0, 120);
const cell = (row, text, names) => {
  const td = document.createElement('td');
  if (text !== null) {
    const span = document.createElement('span');
    span.className = names; span.title = text; span.textContent = text; td.append(span);
  }
  row.append(td);
};
window.plainRows = (text) => {
  const rows = document.createDocumentFragment();
  for (const entry of JSON.parse(text).items) {
    const row = document.createElement('tr');
    row.dataset.id = entry.id; row.setAttribute('aria-selected', 'false');
    const td = document.createElement('td'); td.className = 'time';
    const button = document.createElement('button');
    button.className = 'cell open'; button.type = 'button'; button.title = `${entry.occurred_at} (UTC)`;
    const at = document.createElement('time');
    at.dateTime = entry.occurred_at; at.textContent = time.format(new Date(entry.occurred_at));
    button.append(at); td.append(button); row.append(td);
    cell(row, words(entry.type), 'cell text');
    cell(row, words(entry.action), 'cell');
    cell(row, entry.user.name, 'cell text');
    cell(row, entry.organization?.name ?? null, 'cell text');
    cell(row, entry.workspace?.name ?? null, 'cell text');
    cell(row, entry.identifier, 'cell text');
    cell(row, plain(entry.old_value), 'cell value before text');
    cell(row, plain(entry.new_value), 'cell value after text');
    rows.append(row);
  }
  document.querySelector('table.log tbody').replaceChildren(rows);
};";

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::set(Kind::Sqlite).await;
    fill(&stage).await;
    stage.devtools("Performance.enable", json!({})).await;
    stage.devtools("Network.enable", json!({})).await;
    stage
        .devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH_FIRST_ROW}))
        .await;
    first_visit(&stage).await?;
    first_rows(&stage).await?;
    switching(&stage).await?;
    large_values(&stage).await?;
    Ok(())
}

async fn fill(stage: &Stage) {
    let at =
        |i: usize| format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + i / 1_440, i / 60 % 24, i % 60);
    let mut entries = Vec::new();
    for i in 0..ENTRIES {
        let mut entry = entry("acme", &format!("Research cluster {i}"));
        entry["occurred_at"] = json!(at(i));
        entry["workspace"] =
            json!({"id": format!("ws-{}", i % 9), "name": format!("Workspace {}", i % 9)});
        if i % 3 == 0 {
            entry["old_value"] = json!({"plan": "Standard", "seats": i, "region": "eu-west-1"});
            entry["new_value"] = json!({"plan": "Premium", "seats": i + 1, "region": "eu-west-1"});
        }
        entries.push(entry);
    }
    for i in 0..100 {
        let mut entry = entry("large", &format!("Large {i}"));
        entry["occurred_at"] = json!(at(i));
        let fields: serde_json::Map<String, Value> =
            (0..LARGE / 50).map(|n| (format!("field_{n:04}"), json!("v".repeat(32)))).collect();
        entry["old_value"] = json!(fields);
        entry["new_value"] = json!("x".repeat(LARGE));
        entries.push(entry);
    }
    for entries in entries.chunks(50) {
        assert_eq!(stage.service.record(json!(entries)).await.status, 201);
    }
}

/// What the browser received, by file; the API's answers are not counted.
async fn first_visit(stage: &Stage) -> Result<()> {
    stage.open(LOGS, &member("mia", "acme")).await;
    stage.find("table.log tbody tr").await;
    let files = stage
        .script(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
               .filter((file) => !file.name.includes('/api/') && !file.name.includes('/demo.json'))
               .map((file) => [new URL(file.name).pathname, file.transferSize, file.decodedBodySize])",
        )
        .await;
    let mut files: Vec<(String, u64, u64)> = serde_json::from_value(files)?;
    files.sort_by_key(|file| std::cmp::Reverse(file.1));
    println!("A first visit, bytes on the wire with headers (and unpacked)");
    for (name, sent, unpacked) in &files {
        println!("  {sent:>9}  ({unpacked:>9})  {name}");
    }
    let sum: u64 = files.iter().map(|file| file.1).sum();
    println!("  {sum:>9}  in all (goal 307,200; Auditize's page: 504 KB of JS and CSS)\n");
    Ok(())
}

async fn first_rows(stage: &Stage) -> Result<()> {
    println!("From navigation to first rows on screen, ms, median of {ROUNDS}");
    for (name, is_cold) in [("files in the browser's cache", false), ("empty browser cache", true)]
    {
        let mut times = Vec::new();
        stage.devtools("Network.setCacheDisabled", json!({"cacheDisabled": is_cold})).await;
        for _ in 0..ROUNDS {
            stage.open(LOGS, &member("mia", "acme")).await;
            let at = "const wait = () => window.firstRow ? done(window.firstRow) : setTimeout(wait, 5); wait();";
            times.push(stage.script_async(at).await.as_f64().context("a time")?);
        }
        println!("  {:>9.0}  {name}", median(times));
    }
    stage.devtools("Network.setCacheDisabled", json!({"cacheDisabled": false})).await;
    println!();
    Ok(())
}

/// The work of another page of 100 rows, from its answer to the painted page.
async fn switching(stage: &Stage) -> Result<()> {
    let (mut app, mut plain) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Both start from a new document, in turn.
        for is_app in [round % 2 == 0, round % 2 != 0] {
            stage.open(&format!("{LOGS}?page_size=100"), &member("mia", "acme")).await;
            stage.find("table.log tbody tr:nth-child(100)").await;
            stage.script(TOOLS).await;
            for page in 2..5 {
                let (start, finish) = if is_app {
                    (
                        format!("document.querySelector(\"[aria-label='Page {page}']\").click();"),
                        "const first = document.querySelector('table.log tbody tr').dataset.id; window.release();
                         const wait = () => document.querySelector('table.log tbody tr').dataset.id !== first
                           ? window.painted().then(done) : setTimeout(wait, 0); wait();"
                            .to_owned(),
                    )
                } else {
                    (
                        format!("const token = sessionStorage.getItem('activity-logs.token');
                         window.answer = fetch('/api/v1{LOGS}?page_size=100&page={page}', {{ headers: {{ Authorization: `Bearer ${{token}}` }} }}).then((a) => a.text());"),
                        "const first = document.querySelector('table.log tbody tr').dataset.id;
                         window.answer.then(window.plainRows); window.release();
                         const wait = () => document.querySelector('table.log tbody tr').dataset.id !== first
                           ? window.painted().then(done) : setTimeout(wait, 0); wait();"
                            .to_owned(),
                    )
                };
                stage.script(&start).await;
                stage.script_async("const wait = () => window.held ? setTimeout(done, 100) : setTimeout(wait, 5); wait();").await;
                let start = work(stage).await?;
                stage.script_async(&finish).await;
                let end = work(stage).await?;
                let spent: [f64; 4] = std::array::from_fn(|part| end[part] - start[part]);
                if is_app { app.push(spent) } else { plain.push(spent) }
            }
        }
    }
    let part = |rounds: &[[f64; 4]], part: usize| median(rounds.iter().map(|r| r[part]).collect());
    println!("Another page of 100 rows, the main thread's work from answer to paint, ms, median");
    println!("  {:>9}  {:>9} {:>9} {:>9}", "in all", "script", "style", "layout");
    for (name, rounds) in [("plain DOM by plain JavaScript", &plain), ("the app", &app)] {
        let [all, script, style, layout] = std::array::from_fn(|index| part(rounds, index));
        println!("  {all:>9.1}  {script:>9.1} {style:>9.1} {layout:>9.1}  {name}");
    }
    println!("  the app: {:.2} of plain DOM (goal 1.50)\n", part(&app, 0) / part(&plain, 0));
    Ok(())
}

/// How long the main thread has worked so far, in milliseconds: in all, and of that on scripts, on
/// style and on layout.
async fn work(stage: &Stage) -> Result<[f64; 4]> {
    let answer = stage.devtools("Performance.getMetrics", json!({})).await;
    let metrics = answer["metrics"].as_array().context("metrics")?;
    let read = |name: &str| {
        let metric = metrics.iter().find(|metric| metric["name"] == name);
        metric
            .and_then(|metric| metric["value"].as_f64())
            .map_or(f64::NAN, |seconds| seconds * 1_000.0)
    };
    Ok(["TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration"].map(read))
}

/// The longest step (script, style and layout) while scrolling and while resizing a column, with
/// 100 rows of large values.
async fn large_values(stage: &Stage) -> Result<()> {
    const STEPS: &str = "
      const frame = document.querySelector('.table-frame'), table = frame.querySelector('table');
      const handle = document.querySelector('th:nth-child(8) .resizer');
      const col = table.querySelector('col:nth-child(8)');
      const width = parseFloat(col.style.width), all = parseFloat(table.style.width);
      const pointer = (type, x) => handle.dispatchEvent(new PointerEvent(type, { clientX: x, bubbles: true, pointerId: 1 }));
      const resize = IS_APP ? (x) => pointer('pointermove', x)
        : (x) => { col.style.width = `${width + x}px`; table.style.width = `${all + x}px`; };
      if (IS_APP) pointer('pointerdown', 0);
      const steps = [];
      for (let i = 1; i <= 120; i += 1) {
        await new Promise(requestAnimationFrame);
        const from = performance.now();
        if (i % 2) frame.scrollTop = i * 25; else resize(i);
        // What follows a change runs as a microtask.
        for (let turn = 0; turn < 9; turn += 1) await null;
        if (i % 2 === 0 && parseFloat(col.style.width) !== width + i) throw new Error('the column keeps its width');
        frame.getBoundingClientRect(); table.rows[50].cells[7].getBoundingClientRect();
        steps.push(performance.now() - from);
      }
      if (IS_APP) pointer('pointerup', 120);
      done(Math.max(...steps));";
    let (mut app, mut plain) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for is_app in [round % 2 == 0, round % 2 != 0] {
            stage.open(&format!("{LARGE_LOGS}?page_size=100"), &member("mia", "large")).await;
            stage.find("table.log tbody tr:nth-child(100)").await;
            if !is_app {
                // The same elements without anything that listens or follows.
                stage.script("const frame = document.querySelector('.table-frame'); frame.replaceWith(frame.cloneNode(true));").await;
            }
            let steps = format!("const IS_APP = {is_app}; (async () => {{ {STEPS} }})();");
            let longest = stage.script_async(&steps).await.as_f64().context("a time")?;
            if is_app { app.push(longest) } else { plain.push(longest) }
        }
    }
    let (app, plain) = (median(app), median(plain));
    println!("100 rows of two values of {LARGE} bytes: longest step (script, style, layout) while");
    println!("scrolling and resizing a column, ms, median of {ROUNDS}");
    println!("  {plain:>9.1}  a static table of the same rows");
    println!("  {app:>9.1}  the app: {:.2} of it (goal 1.50)", app / plain);
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
