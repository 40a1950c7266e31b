//! Benchmarks: each builds and starts all it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::postgres::{self, Durability, Server};
use crate::run::{self, cargo, is_root, target};
use crate::{Case, Database, browser, web};

/// Measures a case, or all of them.
pub(crate) fn run(
    case: Option<Case>,
    file: Option<&Path>,
    entries: &[usize],
    database: Option<Database>,
) -> Result<()> {
    if matches!(case, Some(Case::Record) | None) {
        record(file)?;
    }
    if matches!(case, Some(Case::Listing) | None) {
        listing(entries, database)?;
    }
    if matches!(case, Some(Case::Web) | None) {
        of_web()?;
    }
    Ok(())
}

fn of_web() -> Result<()> {
    web::build()?;
    browser::add_browser()?;
    let package = ["--package", "activity-logs-tests", "--bin", "bench-web"];
    run::run(cargo(["run", "--release"]).args(package))
}

fn build() -> Result<()> {
    let packages = ["--package", "activity-logs", "--package", "activity-logs-tests"];
    run::run(cargo(["build", "--release", "--bins"]).args(packages))
}

fn record(file: Option<&Path>) -> Result<()> {
    let server = Server::start(Durability::Full)?;
    build()?;
    let mut bench = Command::new(target("release/bench-record"));
    bench.arg(target("release/activity-logs")).args(file.map(std::path::absolute).transpose()?);
    run::run(bench.env(postgres::VARIABLE, server.url()))
}

/// The logs are made once and kept: ten million entries take a quarter of an hour.
fn listing(entries: &[usize], database: Option<Database>) -> Result<()> {
    build()?;
    let folder = logs_folder()?;
    let server = Server::start_kept(&folder.join("postgres"), Durability::Full)?;
    let mut bench = Command::new(target("release/bench-listing"));
    bench.arg(target("release/activity-logs")).arg(folder.join("logs"));
    bench.args(database.map(|database| match database {
        Database::Postgres => "postgres",
        Database::Sqlite => "sqlite",
    }));
    bench.args(entries.iter().map(usize::to_string));
    run::run(bench.env(postgres::VARIABLE, server.url()))
}

/// Where generated logs are kept. PostgreSQL does not run as root, and then does not get to root's
/// own cache.
fn logs_folder() -> Result<PathBuf> {
    if is_root() {
        return Ok(PathBuf::from("/var/cache/activity-logs-bench"));
    }
    Ok(run::tools()?.join("bench"))
}
