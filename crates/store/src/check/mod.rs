//! Whether the log and its index are what the service wrote. One text, compiled once for each
//! database like the module `log`.
//!
//! All of it is read in one snapshot: recording goes on beside it, and a removal that is under way
//! stands still in it.

mod runs;
mod walk;

use std::collections::HashSet;

use super::runs::{positions, read_facts, read_removals};
use super::{Connection, SNAPSHOT, schema_differences};
use crate::Error;
use crate::backend::Check;
use crate::index::facts::Facts;
use walk::Walk;

/// No more differences than this are told.
const MOST_DIFFERENCES: usize = 100;

/// Recounts everything and compares.
pub(super) async fn check_all(connection: &mut Connection) -> Result<Check, Error> {
    sqlx::query(SNAPSHOT).execute(&mut *connection).await?;
    let mut check = Check::default();
    let mut differences = schema_differences(connection).await?;
    let head = sqlx::query_as("SELECT position, run_entries FROM service_head WHERE id = 1");
    let found: Option<(i64, i32)> = head.fetch_optional(&mut *connection).await?;
    let Some((head, run_entries)) = found else {
        differences.push("the service has no head".to_owned());
        return Ok(Check { differences, ..check });
    };
    let run_entries = i64::from(run_entries);
    let removals = read_removals(&mut *connection).await?;
    let mut walk = Walk::begin(connection, head, &removals).await?;
    let sealed = head / run_entries;
    let (mut of_entries, mut of_runs) = (Vec::new(), Vec::new());
    for run in 0..=sealed {
        let mut facts = Facts::default();
        let positions = positions(run, run_entries);
        // What lies beyond the head lies beyond the last run.
        let end = if run < sealed { positions.end } else { i64::MAX };
        let nothing = HashSet::new();
        read_facts(&mut *connection, positions.start..end, &nothing, &mut facts).await?;
        walk.see(&facts, &mut of_entries);
        of_entries.truncate(MOST_DIFFERENCES);
        if run < sealed {
            of_runs
                .extend(runs::differences(connection, run, run_entries, &removals, facts).await?);
            of_runs.truncate(MOST_DIFFERENCES);
            check.runs += 1;
        }
    }
    check.entries = walk.entries();
    walk.end(&mut differences);
    differences.extend(runs::beyond(connection, sealed).await?);
    differences.extend(of_entries);
    differences.extend(of_runs);
    differences.truncate(MOST_DIFFERENCES);
    sqlx::query("ROLLBACK").execute(connection).await?;
    Ok(Check { differences, ..check })
}
