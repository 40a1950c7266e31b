//! Whether the index says what the entries say. One text, compiled once for each database like
//! the module `log`.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::log::{lock_head, to_u64};
use super::runs::{make_run, read_removals};
use super::{Connection, Database, begin_write};
use crate::Error;
use crate::backend::Check;
use crate::index::seal::ListRow;
use crate::index::state::Head;

/// No more differences than this are told.
const MOST_DIFFERENCES: usize = 100;

impl Database {
    /// Counts everything anew.
    ///
    /// One run at a time holds the head, so that others can record between.
    pub(super) async fn check_all(&self) -> Result<Check, Error> {
        while self.remove_some().await? {}
        let mut check = Check::default();
        self.check_heads(&mut check).await?;
        for run in 0.. {
            let mut transaction = begin_write(&self.writer).await?;
            let Head { position, .. } = lock_head(&mut transaction).await?;
            if run >= position / self.index.run_entries {
                check.differences.extend(runs_too_many(&mut transaction, run).await?);
                break;
            }
            check.differences.extend(self.run_differences(&mut transaction, run).await?);
            check.runs += 1;
        }
        check.differences.truncate(MOST_DIFFERENCES);
        Ok(check)
    }

    /// Whether every log has as many entries as its head says, and the service's position is
    /// that of the newest entry.
    async fn check_heads(&self, check: &mut Check) -> Result<(), Error> {
        let mut transaction = begin_write(&self.writer).await?;
        let Head { position, .. } = lock_head(&mut transaction).await?;
        let Check { entries, differences, .. } = check;
        let logs = sqlx::query(
            "SELECT COALESCE(logs.organization_id, counted.organization_id), \
             COALESCE(CASE WHEN deleted_at IS NULL THEN next_sequence ELSE 0 END, 0), COALESCE(entries, 0) \
             FROM logs FULL JOIN (SELECT organization_id, COUNT(*) AS entries, MAX(sequence) + 1 AS next \
             FROM entries GROUP BY organization_id) AS counted ON counted.organization_id = logs.organization_id \
             WHERE COALESCE(CASE WHEN deleted_at IS NULL THEN next_sequence ELSE 0 END, 0) <> COALESCE(entries, 0) \
             OR next <> COALESCE(next_sequence, 0) ORDER BY 1 LIMIT 100",
        )
        .fetch_all(&mut *transaction)
        .await?;
        for row in logs {
            let (log, head, entries): (String, i64, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            differences.push(format!(
                "the log of {} has {entries} entries, and its head says {head}",
                if log.is_empty() { "the platform" } else { &log }
            ));
        }
        let (count, newest): (i64, i64) =
            sqlx::query_as("SELECT COUNT(*), COALESCE(MAX(position), 0) FROM entries")
                .fetch_one(&mut *transaction)
                .await?;
        *entries = to_u64(count);
        if newest > position {
            differences.push(format!(
                "the newest entry has position {newest}, and the service's head says {position}"
            ));
        }
        Ok(())
    }

    async fn run_differences(
        &self,
        connection: &mut Connection,
        run: i64,
    ) -> Result<Vec<String>, Error> {
        let removed = read_removals(&mut *connection).await?.into_keys().collect();
        let made = make_run(connection, run, self.index.run_entries, &removed).await?;
        let mut differences = Vec::new();
        let header =
            sqlx::query("SELECT entries, bounds, logs, log_of_rank FROM runs WHERE run = $1")
                .bind(run)
                .fetch_optional(&mut *connection)
                .await?;
        let Some(header) = header else {
            return Ok(vec![format!("run {run} is missing")]);
        };
        let stored: (i32, Vec<u8>, Vec<u8>, Vec<u8>) =
            (header.try_get(0)?, header.try_get(1)?, header.try_get(2)?, header.try_get(3)?);
        let entries = i32::try_from(made.header.entries).unwrap_or(i32::MAX);
        if stored.0 != entries {
            differences.push(format!(
                "run {run} says that it has {} entries, and {entries} are there",
                stored.0
            ));
        }
        if (&stored.1, &stored.2, &stored.3) != (&made.bounds(), &made.logs, &made.log_of_rank) {
            differences.push(format!("run {run}: its bounds or logs are not those of its entries"));
        }
        let keys: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT keys FROM run_keys WHERE run = $1 ORDER BY chunk")
                .bind(run)
                .fetch_all(&mut *connection)
                .await?;
        if keys != made.chunks {
            differences.push(format!("run {run}: its keys are not those of its entries"));
        }
        let stored = sqlx::query(
            "SELECT organization_id, list, entries, content FROM run_lists WHERE run = $1",
        )
        .bind(run)
        .fetch_all(&mut *connection)
        .await?;
        let mut found = BTreeMap::new();
        for row in &stored {
            let row = ListRow {
                log: row.try_get(0)?,
                list: row.try_get(1)?,
                entries: row.try_get::<i32, _>(2)?.into(),
                content: row.try_get(3)?,
            };
            found.insert((row.log.clone(), row.list.clone()), row);
        }
        for list in &made.lists {
            let name = format!("run {run}, log {:?}, list {:?}", list.log, list.list);
            match found.remove(&(list.log.clone(), list.list.clone())) {
                Some(stored) if stored == *list => {}
                Some(stored) if stored.entries != list.entries => differences.push(format!(
                    "{name}: {} entries are counted, and {} are there",
                    stored.entries, list.entries
                )),
                Some(_) => differences.push(format!("{name}: other entries than are there")),
                None => differences.push(format!("{name}: {} entries are missing", list.entries)),
            }
        }
        differences.extend(found.into_values().map(|list| {
            format!("run {run}, log {:?}, list {:?}: no entry is of it", list.log, list.list)
        }));
        Ok(differences)
    }
}

async fn runs_too_many(connection: &mut Connection, runs: i64) -> Result<Option<String>, Error> {
    let beyond: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM runs WHERE run >= $1) \
         + (SELECT COUNT(*) FROM run_keys WHERE run >= $1) \
         + (SELECT COUNT(*) FROM run_lists WHERE run >= $1)",
    )
    .bind(runs)
    .fetch_one(connection)
    .await?;
    Ok((beyond > 0).then(|| format!("{beyond} rows are of runs that are not complete")))
}
