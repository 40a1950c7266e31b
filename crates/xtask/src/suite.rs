//! Everything that must hold before a change lands.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::postgres::{Durability, Server, VARIABLE};
use crate::run::{add_wasm_target, cargo, install, is_on_path, run};
use crate::{browser, contract, openapi, tidy, web};

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs all checks and tests, to the end even if some fail, and closes with their counts.
fn run_all(counts: &mut Counts) -> Result<()> {
    let server = Server::start(Durability::None)?;
    step(counts, "format", || run(&mut cargo(["fmt", "--all", "--check"])));
    step(counts, "house rules", || tidy::check().map(|_| ()));
    step(counts, "lints", || {
        run(&mut cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]))
    });
    step(counts, "the model builds for the browser", || {
        add_wasm_target()?;
        run(&mut cargo([
            "check",
            "--package",
            "activity-logs-model",
            "--target",
            "wasm32-unknown-unknown",
        ]))
    });
    step(counts, "documentation", || {
        let mut command = cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        run(command.env("RUSTDOCFLAGS", "-D warnings"))
    });
    step(counts, "the OpenAPI documents are current", || openapi(true));
    step(counts, "the web app builds", || web::build().map(|_| ()));
    step(counts, "a browser and axe are there", || {
        browser::add_browser()?;
        browser::add_axe()
    });
    step(counts, "promtool is there", || {
        if is_on_path("promtool") { Ok(()) } else { install(&["prometheus"]) }
    });
    tests(counts, &server)?;
    step(counts, "the service keeps its OpenAPI document", || contract::test(&server));
    Ok(())
}

/// Runs the suite.
pub(crate) fn run_everything() -> Result<()> {
    let mut counts = Counts::default();
    run_all(&mut counts)?;
    println!("\n{} passed, {} failed", counts.passed, counts.failed);
    if counts.failed > 0 {
        bail!("not everything holds");
    }
    Ok(())
}

fn step(counts: &mut Counts, name: &str, check: impl FnOnce() -> Result<()>) {
    println!("\n== {name}");
    let started = Instant::now();
    match check() {
        Ok(()) => {
            counts.passed += 1;
            println!("== {name}: ok, {} s", started.elapsed().as_secs());
        }
        Err(error) => {
            counts.failed += 1;
            println!("== {name}: FAILED: {error:#}");
        }
    }
}

/// cargo's own tests, counted by its runner's closing lines.
fn tests(counts: &mut Counts, server: &Server) -> Result<()> {
    println!("\n== tests");
    let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
    let mut child = command.env(VARIABLE, server.url()).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().context("cargo has no output")?).lines();
    let before = (counts.passed, counts.failed);
    for line in lines.map_while(Result::ok) {
        println!("{line}");
        if let Some(result) = line.strip_prefix("test result: ") {
            counts.passed += number_before(result, " passed");
            counts.failed += number_before(result, " failed");
            if number_before(result, " ignored") > 0 {
                println!("== an ignored test is a test that is missing");
                counts.failed += 1;
            }
        }
    }
    let succeeded = child.wait()?.success();
    if !succeeded && counts.failed == before.1 {
        println!("== tests: FAILED before they could be counted");
        counts.failed += 1;
    }
    if counts.passed == before.0 {
        println!("== tests: FAILED: none ran");
        counts.failed += 1;
    }
    Ok(())
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}
