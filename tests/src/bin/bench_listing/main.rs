//! Measures listings: any page of any filter against the first page, large logs against small
//! ones, and both against `LIMIT … OFFSET …` with `COUNT(*)` on the same rows in the same run.
//!
//! `bench-listing PROGRAM FOLDER [sqlite|postgres] [SIZE …]`; `cargo xtask bench listing` builds and
//! starts all it needs. The logs stay in FOLDER and on the PostgreSQL server, for the next run.

mod cases;
mod data;
mod load;
mod naive;

use std::path::PathBuf;

use activity_logs_tests::Kind;
use activity_logs_tests::served::Served;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::cases::{against_smaller, anew, measure};
use crate::data::Log;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = PathBuf::from(arguments.next().context("the first argument is the program")?);
    let folder = PathBuf::from(arguments.next().context("the second argument is a folder")?);
    let mut arguments = arguments.peekable();
    let kinds = match arguments.peek().map(String::as_str) {
        Some("sqlite") => vec![Kind::Sqlite],
        Some("postgres") => vec![Kind::Postgres],
        _ => vec![Kind::Postgres, Kind::Sqlite],
    };
    if kinds.len() == 1 {
        arguments.next();
    }
    let mut sizes: Vec<usize> =
        arguments.map(|size| size.parse().context("a size")).collect::<Result<_>>()?;
    if sizes.is_empty() {
        sizes = vec![10_000, 1_000_000, 10_000_000];
    }
    std::fs::create_dir_all(&folder)?;
    let mut results = Vec::new();
    for kind in kinds {
        let mut smallest: Option<Log> = None;
        for size in &sizes {
            let log = Log::open(kind, &folder, *size).await?;
            naive::make(&log).await?;
            results.push(one(&program, &log, smallest.as_ref()).await?);
            smallest.get_or_insert(log);
        }
    }
    let report = json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "unit": "milliseconds over HTTP, the entry that each reading leaves included",
        "results": results,
    });
    let path = folder.join("listing.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report)?)?;
    println!("written as JSON to {}", path.display());
    Ok(())
}

/// Measures one log.
async fn one(program: &std::path::Path, log: &Log, smallest: Option<&Log>) -> Result<Value> {
    println!("\n{:?}, {} entries", log.kind, log.entries);
    let space = log.space().await?;
    for (part, bytes) in &space {
        println!("  {part:<34} {bytes:>7.1} bytes an entry");
    }
    // Each reading leaves an entry, so what is read is a copy.
    let work = log.copy().await?;
    let anew = anew(program, &work.url, log.entries).await?;
    let served = Served::start(program, &work.url)?;
    let figures = measure(&served, log.entries, &anew).await?;
    let memory = served.peak_megabytes();
    let mut of_smallest = Vec::new();
    if let Some(smallest) = smallest {
        let copy = smallest.copy().await?;
        let small = Served::start(program, &copy.url)?;
        of_smallest = against_smaller((&served, log.entries), (&small, smallest.entries)).await?;
        drop(small);
        copy.discard().await?;
    }
    drop(served);
    let naive = naive::measure(log, &figures).await?;
    let cold = load::cold(program, &work).await?;
    println!(
        "  {:<28} {:>9}  {:>13} {:>13} {:>13} {:>13} {:>13} {:>13} {:>13}   of page 1: p50  p95 (goal)  of the smallest log",
        "p50/p95, ms",
        "entries",
        "cold",
        "cold, middle",
        "asked anew",
        "first",
        "middle",
        "last",
        "random"
    );
    let reference =
        figures.iter().find(|f| f.name == cases::REFERENCE).map_or(1.0, |f| f.first.p95);
    let mut rows = Vec::new();
    for (index, case) in figures.iter().enumerate() {
        let cold = cold.get(index).copied();
        let (p50, p95) = case.against_first(reference);
        let of_small = of_smallest.get(index).copied();
        let [cold_first, cold_middle] =
            cold.map_or([const { String::new() }; 2], |times| times.map(|t| t.to_string()));
        println!(
            "  {:<28} {:>9}  {cold_first:>13} {cold_middle:>13} {} {} {} {} {}   {p50:>14.2} {p95:>5.2} ({:.1}) {}",
            case.name,
            case.total,
            case.anew,
            case.first,
            case.middle,
            case.last,
            case.random,
            case.goal,
            of_small.map_or(String::new(), |ratio| format!("{ratio:>12.2}")),
        );
        rows.push(case.to_json(cold, reference, of_small));
    }
    let served = Served::start(program, &work.url)?;
    let http = load::reading(&served).await?;
    let memory = memory.zip(served.peak_megabytes()).map(|(pages, many)| pages.max(many));
    println!("  peak memory of the service: {:.0} MB (goal 200)", memory.unwrap_or_default());
    drop(served);
    let reading = load::against_pgbench(http, &work).await?;
    work.discard().await?;
    let removal = load::removal(program, log).await?;
    Ok(json!({
        "database": format!("{:?}", log.kind), "entries": log.entries, "bytes_an_entry": space,
        "cases": rows, "naive": naive, "reading": reading,
        "peak_megabytes": memory, "removal": removal,
    }))
}
