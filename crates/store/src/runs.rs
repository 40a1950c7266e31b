//! The index in the database: sealing runs, and bringing a process up to date. One text,
//! compiled once for each database like the module `log`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Instant;

use activity_logs_model::Entry;
use futures_util::TryStreamExt as _;
use futures_util::stream::TryChunksError;
use sqlx::{Executor, Row as _};

use super::log::{corrupt, lock_head};
use super::{
    Connection, Database, Db, begin_write, delete_lists, fetch_lists, insert_lists, remove_entries,
};
use crate::Error;
use crate::backend::{Connections, Watched};
use crate::index::PACKED_PART;
use crate::index::codec::{Unreadable, read_header, read_keys};
use crate::index::facts::{Facts, Texts};
use crate::index::seal::{ListRow, SealedRun, seal};
use crate::index::state::{Head, Removals};
use crate::index::{Key, RunHeader};

/// How many entries of a deleted organization go in one step.
const REMOVAL_STEP: i64 = 2_000;

/// How many rows are held at once while facts are read.
const FACTS_AT_ONCE: usize = 1_024;

/// How many lists are held at once while they are only brought into memory.
const LISTS_AT_ONCE: usize = 256;

/// What listings need to know of the entries at some positions.
pub(super) const FACTS_OF: &str = "SELECT occurred_at, sequence, position, organization_id, \
    type, action, outcome, user_id, COALESCE(workspace_id, '') \
    FROM entries WHERE position >= $1 AND position < $2 ORDER BY position";

pub(super) fn unreadable(error: Unreadable) -> Error {
    Error::Database(corrupt(error))
}

/// The positions of a run.
pub(super) fn positions(run: i64, run_entries: i64) -> Range<i64> {
    run * run_entries + 1..(run + 1) * run_entries + 1
}

/// Adds the facts of the entries at these positions, in so far as their logs are kept.
pub(super) async fn read_facts<'e>(
    executor: impl Executor<'e, Database = Db>,
    positions: Range<i64>,
    removed: &HashSet<String>,
    facts: &mut Facts,
) -> Result<(), Error> {
    // In pieces: tens of thousands of rows at once take more memory than all else.
    let query = sqlx::query(FACTS_OF).bind(positions.start).bind(positions.end);
    let mut pieces = query.fetch(executor).try_chunks(FACTS_AT_ONCE);
    while let Some(rows) = pieces.try_next().await.map_err(|TryChunksError(_, error)| error)? {
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            let texts = Texts {
                log: row.try_get(3)?,
                kind: row.try_get(4)?,
                action: row.try_get(5)?,
                outcome: row.try_get(6)?,
                user: row.try_get(7)?,
                workspace: row.try_get(8)?,
            };
            let key = Key {
                occurred_at: row.try_get(0)?,
                sequence: row.try_get(1)?,
                position: row.try_get(2)?,
            };
            if !removed.contains(texts.log) {
                read.push((key, texts));
            }
        }
        facts.add(read);
    }
    Ok(())
}

pub(super) async fn read_removals<'e>(
    executor: impl Executor<'e, Database = Db>,
) -> Result<Removals, Error> {
    let rows = sqlx::query("SELECT organization_id, next_run FROM removals").fetch_all(executor);
    let read = |row: &super::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    Ok(rows.await?.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}

/// The run as its entries make it; of those that are no more, it keeps the keys.
pub(super) async fn make_run(
    connection: &mut Connection,
    run: i64,
    run_entries: i64,
    removed: &HashSet<String>,
) -> Result<SealedRun, Error> {
    let mut facts = Facts::default();
    read_facts(&mut *connection, positions(run, run_entries), removed, &mut facts).await?;
    let gone = keys_without(&read_keys_of(connection, run).await?, &facts);
    Ok(seal_facts(run, run_entries, &facts, &gone))
}

pub(super) fn seal_facts(run: i64, run_entries: i64, facts: &Facts, gone: &[Key]) -> SealedRun {
    seal(run, facts, gone, usize::try_from(run_entries / PACKED_PART).unwrap_or(0))
}

pub(super) fn keys_without(keys: &[Key], facts: &Facts) -> Vec<Key> {
    let there: HashSet<Key> = facts.iter().map(|fact| fact.key).collect();
    keys.iter().filter(|key| !there.contains(key)).copied().collect()
}

/// The keys of a sealed run.
pub(super) async fn read_keys_of(connection: &mut Connection, run: i64) -> Result<Vec<Key>, Error> {
    let rows = sqlx::query("SELECT keys FROM run_keys WHERE run = $1 ORDER BY chunk")
        .bind(run)
        .fetch_all(connection)
        .await?;
    let mut keys = Vec::new();
    for row in &rows {
        keys.extend(read_keys(row.try_get(0)?).map_err(unreadable)?);
    }
    Ok(keys)
}

/// Writes a run.
async fn write_run(connection: &mut Connection, run: &SealedRun) -> Result<(), Error> {
    let number = run.header.number;
    sqlx::query(
        "INSERT INTO runs (run, entries, bounds, logs, log_of_rank) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(number)
    .bind(i32::try_from(run.header.entries).unwrap_or(i32::MAX))
    .bind(run.bounds())
    .bind(run.logs.as_slice())
    .bind(run.log_of_rank.as_slice())
    .execute(&mut *connection)
    .await?;
    for (chunk, keys) in (0_i32..).zip(&run.chunks) {
        sqlx::query("INSERT INTO run_keys (run, chunk, keys) VALUES ($1, $2, $3)")
            .bind(number)
            .bind(chunk)
            .bind(keys.as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(insert_lists(connection, number, &run.lists).await?)
}

impl Database {
    /// See [`Store::watch`](crate::Store::watch).
    pub(super) fn watched(&self) -> Watched {
        let connections = |size: u32, idle: usize| Connections {
            size,
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
        };
        let state = self.index.read();
        Watched {
            recording: connections(self.writer.size(), self.writer.num_idle()),
            reading: connections(self.readers.size(), self.readers.num_idle()),
            sealed: state.runs.len() as i64 * self.index.run_entries,
            through: state.through,
        }
    }

    /// Seals the runs that these entries complete. In their transaction, so that counts and
    /// entries can't part ways.
    pub(super) async fn seal_runs(
        &self,
        connection: &mut Connection,
        before: Head,
        entries: &[Entry],
    ) -> Result<(), Error> {
        let run_entries = self.index.run_entries;
        let position = entries.last().map_or(before.position, |entry| entry.position);
        for run in before.position / run_entries..position / run_entries {
            let sealed = match self.index.completed(before, run, entries) {
                Some(facts) => seal_facts(run, run_entries, &facts, &[]),
                None => {
                    let removed = read_removals(&mut *connection).await?.into_keys().collect();
                    make_run(connection, run, run_entries, &removed).await?
                }
            };
            write_run(connection, &sealed).await?;
        }
        Ok(())
    }

    /// Brings what the process knows up to what is committed now.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let run_entries = self.index.run_entries;
        if self.index.is_current(self.read_head().await?) {
            return Ok(());
        }
        let _guard = self.index.refreshing.lock().await;
        let head = self.read_head().await?;
        if self.index.is_current(head) {
            return Ok(());
        }
        let Head { position, version } = head;
        // A removal can have changed anything, in this process or another.
        let (mut runs, through) = {
            let state = self.index.read();
            if state.version == version {
                (state.runs.to_vec(), state.through)
            } else {
                (Vec::new(), 0)
            }
        };
        let sealed = position / run_entries;
        if (runs.len() as i64) < sealed {
            runs.extend(self.read_headers(runs.len() as i64..sealed).await?);
        }
        let removals = read_removals(&self.readers).await?;
        let removed = removals.keys().cloned().collect();
        let mut fresh = Facts::default();
        let from = through.max(sealed * run_entries) + 1;
        read_facts(&self.readers, from..position + 1, &removed, &mut fresh).await?;

        let mut state = self.index.write();
        // Meanwhile this process may have committed more, and completed another run.
        if state.through / run_entries > sealed {
            return Ok(());
        }
        let first = if through < state.through { from } else { i64::MAX };
        state.recent.retain(|_, fact| {
            let at = fact.key.position;
            at > sealed * run_entries && (at > position || at < first)
        });
        state.recent.add(fresh.iter().map(|fact| (fact.key, fresh.texts_of(&fact))));
        state.through = state.through.max(position);
        state.runs = runs.into();
        state.removals = removals.into();
        state.version = version;
        Ok(())
    }

    pub(super) async fn read_head(&self) -> Result<Head, Error> {
        let head = sqlx::query_as("SELECT position, removals FROM service_head WHERE id = 1");
        let (position, version) = head.fetch_one(&self.readers).await?;
        Ok(Head { position, version })
    }

    async fn read_headers(&self, runs: Range<i64>) -> Result<Vec<RunHeader>, Error> {
        let rows = sqlx::query(
            "SELECT run, entries, bounds FROM runs WHERE run >= $1 AND run < $2 ORDER BY run",
        )
        .bind(runs.start)
        .bind(runs.end)
        .fetch_all(&self.readers)
        .await?;
        let mut headers = Vec::with_capacity(rows.len());
        for row in &rows {
            let entries = usize::try_from(row.try_get::<i32, _>(1)?).unwrap_or(0);
            let bounds: &[u8] = row.try_get(2)?;
            headers.push(read_header(row.try_get(0)?, entries, bounds).map_err(unreadable)?);
        }
        if headers.len() as i64 == runs.end - runs.start {
            Ok(headers)
        } else {
            Err(unreadable(Unreadable))
        }
    }

    /// Takes out a bit more of what is being removed; gives whether there is more.
    ///
    /// What there is to write is found out beside recording, which waits for the writing alone.
    pub(super) async fn remove_some(&self) -> Result<bool, Error> {
        let begun = Instant::now();
        let head = self.read_head().await?;
        let removals = read_removals(&self.readers).await?;
        let Some((organization, next_run)) = removals.iter().min() else { return Ok(false) };
        let run_entries = self.index.run_entries;
        let is_sealed = |head: Head| *next_run < head.position / run_entries;
        let changed = if is_sealed(head) {
            Some(self.without(organization, *next_run, &removals).await?)
        } else {
            None
        };

        let found_out = begun.elapsed();
        let mut transaction = begin_write(&self.writer).await?;
        let now = lock_head(&mut transaction).await?;
        // Another process may have done this step, or another commit sealed one more run.
        if now.version != head.version || is_sealed(now) != changed.is_some() {
            return Ok(true);
        }
        let locked = Instant::now();
        if let Some(changed) = changed {
            changed.write(&mut transaction, *next_run).await?;
            sqlx::query("UPDATE removals SET next_run = next_run + 1 WHERE organization_id = $1")
                .bind(organization.as_str())
                .execute(&mut *transaction)
                .await?;
            count_removal(&mut transaction).await?;
        } else if remove_entries(&mut transaction, organization, REMOVAL_STEP).await? {
            count_removal(&mut transaction).await?;
        }
        let written = locked.elapsed();
        transaction.commit().await?;
        let committed = locked.elapsed();
        tracing::debug!(next_run, ?found_out, ?written, ?committed, "a step of a removal");
        Ok(true)
    }

    /// What taking an organization out of a run changes. Ranks stay, so these are only the lists
    /// that its entries are in.
    async fn without(
        &self,
        organization: &str,
        run: i64,
        removals: &Removals,
    ) -> Result<Changed, Error> {
        let run_entries = self.index.run_entries;
        let gone_before =
            removals.iter().filter(|(log, next)| *log != organization && **next > run);
        let removed: HashSet<String> = gone_before.map(|(log, _)| log.clone()).collect();
        let mut facts = Facts::default();
        let mut reader = self.readers.acquire().await?;
        read_facts(&mut *reader, positions(run, run_entries), &removed, &mut facts).await?;
        let keys = read_keys_of(&mut reader, run).await?;
        drop(reader);
        let organization = organization.to_owned();
        let changed = tokio::task::spawn_blocking(move || {
            // A run that was sealed after its end has nothing of an organization.
            let sealed: HashSet<Key> = keys.iter().copied().collect();
            facts.retain(|_, fact| sealed.contains(&fact.key));
            let old = seal_facts(run, run_entries, &facts, &keys_without(&keys, &facts));
            facts.retain(|facts, fact| facts.text(fact.log) != organization);
            let new = seal_facts(run, run_entries, &facts, &keys_without(&keys, &facts));
            Changed::between(old, new)
        });
        let changed = changed.await.map_err(|_| Error::Closed)?;
        // Read once, they are in memory when recording waits for them to be written.
        for lists in changed.before.chunks(LISTS_AT_ONCE) {
            let names: Vec<_> = lists.iter().map(|row| (&*row.log, &*row.list)).collect();
            fetch_lists(&self.readers, &names, &(run..=run), &[run]).await?;
        }
        Ok(changed)
    }
}

/// What changes in a run.
struct Changed {
    logs: Vec<u8>,
    log_of_rank: Vec<u8>,
    before: Vec<ListRow>,
    after: Vec<ListRow>,
}

impl Changed {
    fn between(old: SealedRun, new: SealedRun) -> Self {
        let is_same = {
            let kept: HashMap<(&str, &str), &ListRow> =
                new.lists.iter().map(|list| ((&*list.log, &*list.list), list)).collect();
            old.lists
                .iter()
                .filter(|list| kept.get(&(&*list.log, &*list.list)) == Some(list))
                .map(|list| (list.log.clone(), list.list.clone()))
                .collect::<HashSet<_>>()
        };
        let changes = |lists: Vec<ListRow>| -> Vec<ListRow> {
            let is_changed =
                |list: &ListRow| !is_same.contains(&(list.log.clone(), list.list.clone()));
            lists.into_iter().filter(is_changed).collect()
        };
        let SealedRun { logs, log_of_rank, lists, .. } = new;
        Self { logs, log_of_rank, before: changes(old.lists), after: changes(lists) }
    }

    async fn write(&self, connection: &mut Connection, run: i64) -> Result<(), Error> {
        delete_lists(connection, run, &self.before).await?;
        insert_lists(connection, run, &self.after).await?;
        sqlx::query("UPDATE runs SET logs = $1, log_of_rank = $2 WHERE run = $3")
            .bind(self.logs.as_slice())
            .bind(self.log_of_rank.as_slice())
            .bind(run)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Tells all processes that what listings hold has changed by a removal.
pub(super) async fn count_removal(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query("UPDATE service_head SET removals = removals + 1 WHERE id = 1")
        .execute(connection)
        .await?;
    Ok(())
}
