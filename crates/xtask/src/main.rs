//! The project's own commands. `cargo xtask demo` and `cargo xtask test` are all the set-up
//! that a machine with a Rust toolchain needs.

mod bench;
mod browser;
mod contract;
mod postgres;
mod run;
mod suite;
mod tidy;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};

use crate::run::{cargo, output, root, target};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Build the service and the web app, and serve sample data.
    Demo {
        /// Handed on to `activity-logs demo`, for example `--listen 127.0.0.1:9000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the web app into frontend/dist, compressed and ready to serve.
    Web,
    /// Run every check and test there is.
    Test,
    /// Write the OpenAPI document to openapi/openapi.json.
    Openapi {
        /// Only check that the committed document is current.
        #[arg(long)]
        check: bool,
    },
    /// Check the house rules: layering, migration parity, file sizes, what must not be written.
    Tidy,
    /// Measure against a baseline, in one run, on both databases.
    Bench {
        /// What to measure; everything, unless it is named.
        case: Option<Case>,
        /// NDJSON file (plain or gzip) of the entries to record.
        #[arg(long)]
        file: Option<PathBuf>,
        /// How many entries the logs have whose listings are measured.
        #[arg(long, value_delimiter = ',')]
        entries: Vec<usize>,
        /// The database whose listings are measured; both, unless it is named.
        #[arg(long)]
        database: Option<Database>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    Postgres,
    Sqlite,
}

#[derive(Clone, Copy, ValueEnum)]
enum Case {
    /// Listings: any page against the first, large logs against small ones and against OFFSET.
    Listing,
    /// Recording: import, HTTP batches and single entries.
    Record,
    /// The web app: what a first visit transfers, how soon and how smoothly it shows rows.
    Web,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Demo { arguments } => demo(&arguments),
        Command::Web => web::build().map(|dist| println!("the web app is in {}", dist.display())),
        Command::Test => suite::run_everything(),
        Command::Openapi { check } => openapi(check),
        Command::Tidy => tidy::check().map(|rules| println!("tidy: {rules} rules hold")),
        Command::Bench { case, file, entries, database } => {
            bench::run(case, file.as_deref(), &entries, database)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(arguments: &[String]) -> Result<()> {
    let dist = web::build()?;
    let mut demo = cargo(["run", "--package", "activity-logs", "--", "demo", "--web-root"]);
    run::run(demo.arg(dist).args(arguments))
}

fn openapi(check: bool) -> Result<()> {
    run::run(&mut cargo(["build", "--package", "activity-logs"]))?;
    let document =
        output(std::process::Command::new(target("debug/activity-logs")).arg("openapi"))?;
    let path = root().join("openapi/openapi.json");
    if !check {
        return Ok(std::fs::write(path, document)?);
    }
    if std::fs::read_to_string(path).unwrap_or_default() != document {
        bail!("openapi/openapi.json is not current; run `cargo xtask openapi` and commit it");
    }
    Ok(())
}
