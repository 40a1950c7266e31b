//! The long rounds: what `test` does a few times, done many times.

use anyhow::Result;

use crate::postgres::{Durability, Server, VARIABLE};
use crate::run::{cargo, run};

/// How often the program is killed on each database.
const CRASHES: &str = "100";
/// How many cases each property has.
const CASES: &str = "4096";

/// Kills the program again and again, and holds every property against many more cases.
pub(crate) fn run_long() -> Result<()> {
    let server = Server::start(Durability::None)?;
    let test = |arguments: &[&str]| {
        let mut test = cargo(["test", "--workspace"]);
        test.args(arguments).env(VARIABLE, server.url());
        test.env("ACTIVITY_LOGS_CRASH_ROUNDS", CRASHES).env("PROPTEST_CASES", CASES);
        run(&mut test)
    };
    test(&["--test", "crash"])?;
    test(&["--lib"])?;
    test(&["--test", "contract"])
}
