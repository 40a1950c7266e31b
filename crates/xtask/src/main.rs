//! The project's own commands. `cargo xtask demo` and `cargo xtask test` are all the set-up
//! that a machine with a Rust toolchain needs.

mod bench;
mod browser;
mod contract;
mod foreign;
mod postgres;
mod run;
mod service;
mod soak;
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
    /// Lint the OpenAPI document, and run clients that are generated from it against the program.
    Foreign,
    /// The long rounds: kill the program a hundred times on each database, and hold properties
    /// against many more cases.
    Soak,
    /// Write the OpenAPI document to the folder openapi, in each of its versions.
    Openapi {
        /// Only check that the committed documents are current.
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
        Command::Foreign => foreign::test(),
        Command::Soak => soak::run_long(),
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
    for (version, name) in [("3.1", "openapi.json"), ("3.0", "openapi-3.0.json")] {
        let mut program = std::process::Command::new(target("debug/activity-logs"));
        let document = output(program.args(["openapi", "--version", version]))?;
        let path = root().join("openapi").join(name);
        if !check {
            std::fs::write(path, document)?;
        } else if std::fs::read_to_string(path).unwrap_or_default() != document {
            bail!("openapi/{name} is not current; run `cargo xtask openapi` and commit it");
        }
    }
    Ok(())
}
