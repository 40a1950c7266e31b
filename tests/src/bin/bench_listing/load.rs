//! What is measured beside warm pages: cold caches, many readers at once, and recording while
//! an organization goes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use activity_logs_tests::generated::HUGE;
use activity_logs_tests::served::Served;
use activity_logs_tests::{Kind, admin, entry, recorder};
use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

use crate::cases::{Times, ask, cases, pinned};
use crate::data::Log;

const READERS: usize = 32;
const READING: Duration = Duration::from_secs(6);
const COLD_ROUNDS: usize = 3;
const LONGEST_REMOVAL: Duration = Duration::from_secs(60);

/// The first and a middle page of each listing, asked of a service that was just started, with
/// neither the system nor PostgreSQL holding anything of the log; nothing, where the system's cache
/// of files can't be dropped.
pub(crate) async fn cold(program: &Path, log: &Log) -> Result<Vec<[Times; 2]>> {
    let mut cold = Vec::new();
    for case in cases(log.entries) {
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..COLD_ROUNDS {
            log.fill_buffers_with_other_things().await?;
            let _ = Command::new("sync").status();
            if std::fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
                println!("  cold: only root can drop the system's cache of files");
                return Ok(Vec::new());
            }
            let served = Served::start(program, &log.url)?;
            let client = Client::new();
            let as_of = pinned(&case, &served, log.entries).await;
            let as_of = as_of.as_deref();
            let (first, listing) = ask(&client, &served, &case, 1, as_of).await?;
            let middle = listing["total_pages"].as_u64().unwrap_or_default() / 2;
            times[0].push(first);
            times[1].push(ask(&client, &served, &case, middle.max(1), as_of).await?.0);
        }
        cold.push(times.map(Times::of));
    }
    Ok(cold)
}

/// How often a second 32 readers at once get page 1.
pub(crate) async fn reading(served: &Served) -> Result<f64> {
    let asked = Arc::new(AtomicUsize::new(0));
    let until = Instant::now() + READING;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let (asked, token) = (asked.clone(), admin());
        let url = format!("http://{}/api/v1/organizations/{HUGE}/activity-logs", served.address());
        readers.push(tokio::spawn(async move {
            let client = Client::new();
            while Instant::now() < until {
                let response = client.get(&url).bearer_auth(&token).send().await?;
                ensure!(response.status() == 200, "{}", response.status());
                response.bytes().await?;
                asked.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }));
    }
    for reader in readers {
        reader.await??;
    }
    Ok(asked.load(Ordering::Relaxed) as f64 / READING.as_secs_f64())
}

/// The same by pgbench with the same statements, on a copy; nobody may be connected to the log.
/// Once with the statement that counts, and once without: the service holds what it counted.
pub(crate) async fn against_pgbench(http: f64, log: &Log) -> Result<Value> {
    if log.kind == Kind::Sqlite {
        println!("  page 1, 32 connections: {http:.0} a second");
        return Ok(json!({"http": http}));
    }
    let copy = log.copy().await?;
    let rates = pgbench(&copy, &[BEFORE, TOTAL, AFTER])
        .and_then(|counting| Ok((counting, pgbench(&copy, &[BEFORE, AFTER])?)));
    copy.discard().await?;
    let (counting, held) = rates?;
    println!(
        "  page 1, 32 connections: {http:.0} a second; pgbench with the same statements {counting:.0}: {:.2} (goal 0.6), without the one that counts {held:.0}: {:.2}",
        http / counting,
        http / held
    );
    Ok(json!({
        "http": http, "pgbench": counting, "ratio": http / counting,
        "pgbench_without_total": held, "ratio_without_total": http / held,
    }))
}

/// What a reading of page 1 asks of the database, and the entry that it leaves. The statements are
/// those of the store (`LISTS_OF` for the total, `entries_at`, and a commit of one entry).
const BEFORE: &str = r#"
SELECT organization_id, organization_name, deleted_at FROM logs WHERE organization_id = 'org-0000';
SELECT position, removals FROM service_head WHERE id = 1 \gset
SELECT position, removals FROM service_head WHERE id = 1;
"#;
const TOTAL: &str = r#"
SELECT found.organization_id, found.list, found.run, found.entries, CASE WHEN found.list = '' OR found.run = ANY('{}'::bigint[]) THEN found.content END FROM UNNEST('{org-0000,org-0000,org-0000}'::text[], '{"",a*,o*}'::text[]) AS wanted (log, name) CROSS JOIN LATERAL (SELECT * FROM run_lists WHERE organization_id = wanted.log COLLATE "C" AND list = wanted.name COLLATE "C" AND run BETWEEN 0 AND 1000000 OFFSET 0) AS found;
"#;
const AFTER: &str = r#"
SELECT *, (SELECT removals FROM service_head WHERE id = 1) FROM entries WHERE position = ANY(ARRAY(SELECT generate_series(:position - 24, :position)));
BEGIN;
SELECT position AS p, removals FROM service_head WHERE id = 1 FOR UPDATE \gset
SELECT organization_id, organization_name, next_sequence AS s, deleted_at FROM logs WHERE organization_id IN ('org-0000') \gset
INSERT INTO entries (organization_id, sequence, position, id, occurred_at, recorded_at, type, action, outcome, user_id, user_name, organization_name, identifier) VALUES ('org-0000', :s, :p + 1, gen_random_uuid(), 1767225600000000, 1767225600000000, 'ActivityLogs', 'FetchAll', 'success', 'root', 'root', 'Organization 0', 'page 1 of 200000');
INSERT INTO logs (organization_id, organization_name, search_key, next_sequence) VALUES ('org-0000', 'Organization 0', 'organization 0', :s + 1) ON CONFLICT (organization_id) DO UPDATE SET organization_name = excluded.organization_name, search_key = excluded.search_key, next_sequence = excluded.next_sequence;
UPDATE service_head SET position = :p + 1 WHERE id = 1;
COMMIT;
"#;

fn pgbench(log: &Log, statements: &[&str]) -> Result<f64> {
    let script = std::env::temp_dir().join(format!("{}.sql", log.place));
    std::fs::write(&script, statements.concat())?;
    let seconds = READING.as_secs().to_string();
    let output = Command::new("pgbench")
        .args([
            "--no-vacuum",
            "--client",
            "32",
            "--jobs",
            "2",
            "--time",
            &seconds,
            "--protocol",
            "prepared",
            "--file",
        ])
        .arg(&script)
        .arg(&log.url)
        .output()
        .context("pgbench is needed: install postgresql-contrib")?;
    std::fs::remove_file(&script)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = line.and_then(|line| line.split(' ').next()).and_then(|rate| rate.parse().ok());
    rate.with_context(|| format!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The longest that recording one entry elsewhere takes while the huge organization goes.
pub(crate) async fn removal(program: &Path, log: &Log) -> Result<Value> {
    if log.entries < 1_000_000 {
        return Ok(Value::Null);
    }
    let copy = log.copy().await?;
    let served = Served::start(program, &copy.url)?;
    let client = Client::new();
    let base = format!("http://{}/api/v1", served.address());
    let begun = Instant::now();
    let deletion =
        client.delete(format!("{base}/organizations/{HUGE}?confirm={HUGE}")).bearer_auth(admin());
    let deletion = tokio::spawn(deletion.send());
    let mut longest: f64 = 0.0;
    let mut sent = 0;
    let mut gone = None;
    while begun.elapsed() < LONGEST_REMOVAL {
        let body = json!({"entries": [entry("org-0001", "beside")]});
        let asked = Instant::now();
        let response = client
            .post(format!("{base}/activity-logs"))
            .bearer_auth(recorder())
            .json(&body)
            .send()
            .await?;
        ensure!(response.status() == 201, "{}", response.status());
        longest = longest.max(asked.elapsed().as_secs_f64());
        sent += 1;
        if gone.is_none() && deletion.is_finished() {
            gone = Some(begun.elapsed().as_secs_f64());
        }
    }
    let receipt: Value = deletion.await??.json().await?;
    let removed = receipt["removed_entries"].as_u64().context("a receipt")?;
    drop(served);
    copy.discard().await?;
    println!(
        "  while {removed} entries of an organization go: answered after {:.2} s; {sent} entries recorded beside, the longest wait {longest:.2} s (goal 1)",
        gone.unwrap_or_default()
    );
    Ok(
        json!({"entries": removed, "answered_after": gone, "recorded_beside": sent, "longest_wait": longest}),
    )
}
