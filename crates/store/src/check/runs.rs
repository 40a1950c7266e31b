//! Whether each sealed run of the index says what its entries say.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row as _;

use super::super::Connection;
use super::super::runs::{keys_without, read_keys_of, seal_facts};
use crate::Error;
use crate::index::Key;
use crate::index::facts::Facts;
use crate::index::seal::ListRow;
use crate::index::state::Removals;

/// Makes a run anew from the facts of its entries and compares it with what is stored.
pub(super) async fn differences(
    connection: &mut Connection,
    run: i64,
    run_entries: i64,
    removals: &Removals,
    mut facts: Facts,
) -> Result<Vec<String>, Error> {
    let mut differences = Vec::new();
    let keys = match read_keys_of(connection, run).await {
        Ok(keys) => keys,
        Err(error) if error.is_unreadable() => {
            return Ok(vec![format!("run {run}: its keys can't be read")]);
        }
        Err(error) => return Err(error),
    };
    // Of a log that is being removed a run has nothing once the removal has passed it, nor if it
    // was sealed after the end.
    let sealed: HashSet<Key> = keys.iter().copied().collect();
    facts.retain(|facts, fact| match removals.get(facts.text(fact.log)) {
        Some(next_run) => *next_run <= run && sealed.contains(&fact.key),
        None => true,
    });
    let made = seal_facts(run, run_entries, &facts, &keys_without(&keys, &facts));
    let header = sqlx::query("SELECT entries, bounds, logs, log_of_rank FROM runs WHERE run = $1")
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
    let stored =
        sqlx::query("SELECT organization_id, list, entries, content FROM run_lists WHERE run = $1")
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

/// What the index has of runs that are not complete.
pub(super) async fn beyond(
    connection: &mut Connection,
    runs: i64,
) -> Result<Option<String>, Error> {
    let beyond: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM runs WHERE run < 0 OR run >= $1) \
         + (SELECT COUNT(*) FROM run_keys WHERE run < 0 OR run >= $1) \
         + (SELECT COUNT(*) FROM run_lists WHERE run < 0 OR run >= $1)",
    )
    .bind(runs)
    .fetch_one(connection)
    .await?;
    Ok((beyond > 0).then(|| format!("{beyond} rows are of runs that are not complete")))
}
