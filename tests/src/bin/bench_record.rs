//! Measures recording, each figure as a ratio in one run: import against the same rows put into
//! the same table and indexes without counters, by a bare loop of prepared batch inserts (SQLite)
//! or COPY (PostgreSQL); HTTP against import; many single senders against one.
//!
//! `bench-record PROGRAM [FILE]`; `cargo xtask bench` builds and starts all it needs.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use activity_logs_model::record::parse_entry;
use activity_logs_model::{Catalog, Entry, Timestamp};
use activity_logs_store::testing::insert_bare;
use activity_logs_tests::served::Served;
use activity_logs_tests::{Kind, real_data, recorder};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

/// Figures are medians of this many rounds, in each of which every case runs once.
const ROUNDS: usize = 3;
const BATCH: usize = 1_000;
const HTTP_BATCH: usize = 100;
const SINGLE_SECONDS: u64 = 4;

struct Round {
    bare: f64,
    import: f64,
    import_megabytes: f64,
    http: f64,
    one: f64,
    many: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let program = arguments.next().context("the first argument is the program")?;
    let file = arguments.next().or_else(|| real_data("incidents.ndjson.gz"));
    let file =
        file.context("name an NDJSON file of entries: cargo xtask bench record --file FILE")?;
    let lines = read_lines(&file)?;
    println!("{} entries, {ROUNDS} rounds, medians; rates in entries per second\n", lines.len());
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(round(kind, &file, &program, &lines).await?);
        }
        report(kind, &rounds);
    }
    Ok(())
}

fn report(kind: Kind, rounds: &[Round]) {
    let median = |figure: &dyn Fn(&Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let row = |name: &str, rate: f64, ratio: f64, of: &str, goal: &str| {
        println!("  {name:<42} {rate:>9.0}   {ratio:>5.2} of {of} (goal {goal})");
    };
    println!("{kind:?}");
    let bare = match kind {
        Kind::Sqlite => "bare loop of prepared batch inserts",
        Kind::Postgres => "COPY",
    };
    println!("  {:<42} {:>9.0}", format!("{bare}, no counters"), median(&|r| r.bare));
    row("import", median(&|r| r.import), median(&|r| r.import / r.bare), "that", "0.60");
    row(
        "HTTP, batches of 100, 16 connections",
        median(&|r| r.http),
        median(&|r| r.http / r.import),
        "import",
        "0.70",
    );
    println!("  {:<42} {:>9.0}", "HTTP, single entries, 1 connection", median(&|r| r.one));
    row(
        "HTTP, single entries, 64 connections",
        median(&|r| r.many),
        median(&|r| r.many / r.one),
        "1 connection",
        "4.00",
    );
    println!(
        "  {:<42} {:>9.0}   (goal 150)\n",
        "peak memory of the importer, MB",
        median(&|r| r.import_megabytes)
    );
}

async fn round(kind: Kind, file: &Path, program: &Path, lines: &[String]) -> Result<Round> {
    let count = lines.len() as f64;
    let bare = {
        let entries = rows(lines);
        let database = kind.database().await;
        count / insert_bare(database.url(), &entries, BATCH).await?.as_secs_f64()
    };
    let (import, import_megabytes) = {
        let database = kind.database().await;
        let started = Instant::now();
        let peak = run_import(program, file, database.url())?;
        (count / started.elapsed().as_secs_f64(), peak)
    };
    let database = kind.database().await;
    let service = Served::start(program, database.url())?;
    let bodies: Vec<String> = lines
        .chunks(HTTP_BATCH)
        .map(|lines| format!("{{\"entries\":[{}]}}", lines.join(",")))
        .collect();
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let bodies = Arc::new(bodies);
    let body = move || bodies.get(next.fetch_add(1, Ordering::Relaxed)).cloned();
    send(&service, 16, body).await?;
    let http = count / started.elapsed().as_secs_f64();
    let mut singles = Vec::new();
    for connections in [1, 64] {
        let until = Instant::now() + Duration::from_secs(SINGLE_SECONDS);
        let template: Value = serde_json::from_str(&lines[0])?;
        let single = move || {
            (Instant::now() < until).then(|| {
                let mut entry = template.clone();
                entry["id"] = json!(Uuid::new_v4());
                json!({"entries": [entry]}).to_string()
            })
        };
        let started = Instant::now();
        let sent = send(&service, connections, single).await?;
        singles.push(sent as f64 / started.elapsed().as_secs_f64());
    }
    Ok(Round { bare, import, import_megabytes, http, one: singles[0], many: singles[1] })
}

/// Sends bodies over so many connections until there are no more; gives how many were sent.
async fn send<F>(service: &Served, connections: usize, body: F) -> Result<usize>
where
    F: Fn() -> Option<String> + Clone + Send + 'static,
{
    let mut senders = Vec::new();
    for _ in 0..connections {
        let (body, url, token) = (
            body.clone(),
            format!("http://{}/api/v1/activity-logs", service.address()),
            recorder(),
        );
        senders.push(tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut sent = 0;
            while let Some(body) = body() {
                let request = client
                    .post(&url)
                    .bearer_auth(&token)
                    .header("content-type", "application/json");
                let response = request.body(body).send().await?;
                ensure!(
                    response.status() == 201,
                    "{}: {}",
                    response.status(),
                    response.text().await?
                );
                response.bytes().await?;
                sent += 1;
            }
            Ok(sent)
        }));
    }
    let mut sent = 0;
    for sender in senders {
        sent += sender.await??;
    }
    Ok(sent)
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut bytes)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    Ok(text.lines().map(str::to_owned).collect())
}

/// The rows as the log would hold them, made before the clock starts.
fn rows(lines: &[String]) -> Vec<Entry> {
    let catalog = Catalog::built_in();
    let mut sequences = std::collections::HashMap::new();
    let row = |(index, line): (usize, &String)| {
        let new = parse_entry(line.as_bytes(), &catalog, Timestamp::MAX).ok()?;
        let sequence =
            sequences.entry(new.organization.as_ref().map(|o| o.id.clone())).or_insert(0);
        *sequence += 1;
        let id = new.id?;
        Some(new.recorded(id, Timestamp::MAX, index as i64 + 1, *sequence - 1))
    };
    lines.iter().enumerate().filter_map(row).collect()
}

/// Runs the program's import; gives its peak memory in megabytes.
fn run_import(program: &Path, file: &Path, url: &str) -> Result<f64> {
    let mut child = Command::new(program)
        .arg("import")
        .arg(file)
        .args(["--database-url", url])
        .stdout(Stdio::null())
        .spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the import ended with {status}");
            return Ok(peak);
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = kilobytes.map_or(peak, |kilobytes| kilobytes / 1024.0);
        std::thread::sleep(Duration::from_millis(10));
    }
}
