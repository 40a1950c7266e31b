//! What is SQLite's own: how it is opened, locked and written in bulk.

mod backup;
#[path = "check/mod.rs"]
mod check;
#[path = "entries.rs"]
mod entries;
#[path = "listing.rs"]
mod listing;
#[path = "lists.rs"]
mod lists;
#[path = "log.rs"]
pub(crate) mod log;
#[path = "runs.rs"]
mod runs;
mod schema;
#[path = "spans.rs"]
mod spans;
#[path = "standing.rs"]
mod standing;
#[path = "transaction.rs"]
mod transaction;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use activity_logs_model::Entry;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder};
use uuid::Uuid;

use crate::backend::{Backend as _, Check};
use crate::clock::ClockWatch;
use crate::index::seal::ListRow;
use crate::index::state::Index;
use crate::plan::LogKey;
use crate::{Error, LOCK_WAIT, Options, STANDING_CONNECTIONS, files};
pub(crate) use backup::backup;
use log::{COLUMNS, VERSION, log_id, log_id_of, read_entry};
use schema::{differences as schema_differences, prove};
use transaction::begin_write;

type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// The transaction holds the only write lock there is from its beginning.
const LOCK_HEAD: &str = "SELECT position, removals, recorded_at FROM service_head WHERE id = 1";

/// Takes the write lock at once.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Fails where nothing can be recorded. (BEGIN IMMEDIATE does not, on a read-only file.)
const TRY_WRITING: &str = "UPDATE service_head SET position = position WHERE id = 1";

/// How long readiness waits for whoever writes.
const PROBE_WAIT: Duration = Duration::from_millis(100);

/// How many rows one statement inserts; few sizes, so that the prepared statements are reused.
const INSERT_SIZES: [usize; 3] = [64, 8, 1];
/// How many ids one statement looks up.
const LOOKUP_SIZES: [usize; 3] = [256, 16, 1];

/// The log in a SQLite file.
pub(crate) struct Database {
    /// One connection: SQLite has one writer.
    writer: SqlitePool,
    readers: SqlitePool,
    /// For what is answered at once, however slow the readings are.
    standing: SqlitePool,
    /// One connection that tries whether entries can be recorded.
    probe: SqlitePool,
    /// Whether the last commit failed for lack of a working database.
    is_failing: AtomicBool,
    clock: ClockWatch,
    index: Index,
    /// Whether the last commit was asked for entries that were there already.
    meets_repetitions: AtomicBool,
}

/// Opens the file, makes it if it is not there, and brings its schema up to date.
pub(crate) async fn open(path: &Path, options: &Options) -> Result<Database, Error> {
    let advice = || format!("{} or its folder may not be written to by this user", path.display());
    let opened = open_files(path, options).await;
    let database = opened.map_err(|error| error.if_read_only(advice))?;
    database.ready().await.map_err(|error| error.if_read_only(advice))?;
    files::warn_of_readers(path);
    Ok(database)
}

async fn open_files(path: &Path, options: &Options) -> Result<Database, Error> {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What was removed is overwritten.
        .pragma("secure_delete", "ON")
        .busy_timeout(options.wait);
    let lock = files::lock_and_make(path, options.wait.max(LOCK_WAIT)).await?;
    let pool = SqlitePoolOptions::new().acquire_timeout(options.wait);
    let writing = pool.clone().max_connections(1);
    #[cfg(feature = "testing")]
    let writing = crate::testing::with_most_pages(writing, options);
    let writer = writing.clone().connect_with(connect.clone()).await?;
    MIGRATIONS.run(&writer).await.map_err(Error::Migration)?;
    drop(lock);
    // So small a cache that what it tries reaches the disk before it is taken back.
    let trying = connect.clone().busy_timeout(PROBE_WAIT).pragma("cache_size", "8");
    let probe = writing.connect_with(trying).await?;
    let reading = connect.pragma("query_only", "ON");
    let standing =
        pool.clone().max_connections(STANDING_CONNECTIONS).connect_with(reading.clone()).await?;
    let readers = pool.max_connections(options.read_connections).connect_with(reading).await?;
    let index = Index::new(log::run_entries(&readers).await?);
    let database = Database {
        writer,
        readers,
        standing,
        probe,
        is_failing: AtomicBool::default(),
        clock: ClockWatch::default(),
        index,
        meets_repetitions: AtomicBool::default(),
    };
    database.refresh().await?;
    Ok(database)
}

/// A transaction that reads what was committed when it began.
const SNAPSHOT: &str = "BEGIN";

/// Recounts what a file holds; changes nothing, and makes no file.
pub(crate) async fn check(path: &Path, wait: Duration) -> Result<Check, Error> {
    files::require_content(path)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .pragma("query_only", "ON")
        .busy_timeout(wait);
    let mut connection = SqliteConnection::connect_with(&connect).await?;
    let checked = match schema::require_log(&mut connection, path).await {
        Ok(()) => check::check_all(&mut connection).await,
        Err(error) => Err(error),
    };
    // What SQLite makes beside the file is removed by closing it.
    connection.close().await?;
    checked
}

/// The triggers that keep entries can't tell a repetition from an attack.
const LOOKS_FIRST: bool = true;

fn is_taken_id(_: &sqlx::Error) -> bool {
    false
}

/// Cuts a slice into pieces of the given sizes, the largest that fit first.
fn pieces<'a, T>(mut items: &'a [T], sizes: &'a [usize]) -> impl Iterator<Item = &'a [T]> {
    std::iter::from_fn(move || {
        let size = *sizes.iter().find(|size| **size <= items.len())?;
        let (piece, rest) = items.split_at(size);
        items = rest;
        Some(piece)
    })
}

async fn insert_entries(connection: &mut Connection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    for entries in pieces(entries, &INSERT_SIZES) {
        let mut query = QueryBuilder::<Db>::new(format!("INSERT INTO entries ({COLUMNS}) "));
        query.push_values(entries, |mut row, entry| {
            let text = |text: &str| text.to_owned();
            row.push_bind(text(log_id_of(entry)))
                .push_bind(entry.sequence)
                .push_bind(entry.position)
                .push_bind(entry.id)
                .push_bind(entry.occurred_at.as_micros())
                .push_bind(entry.recorded_at.as_micros())
                .push_bind(text(entry.kind.as_str()))
                .push_bind(text(entry.action.as_str()))
                .push_bind(text(entry.outcome.as_str()))
                .push_bind(text(entry.user.id.as_str()))
                .push_bind(text(&entry.user.name))
                .push_bind(entry.user.email.clone())
                .push_bind(entry.organization.as_ref().map(|o| o.name.clone()))
                .push_bind(entry.workspace.as_ref().map(|w| w.id.to_string()))
                .push_bind(entry.workspace.as_ref().map(|w| w.name.clone()))
                .push_bind(text(&entry.identifier))
                .push_bind(entry.old_value.as_ref().map(|v| text(v.as_str())))
                .push_bind(entry.new_value.as_ref().map(|v| text(v.as_str())))
                .push_bind(entry.context.ip_address.clone())
                .push_bind(entry.context.user_agent.clone())
                .push_bind(entry.context.request_id.clone())
                .push_bind(entry.question.as_ref().map(|v| text(v.as_str())));
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn find_existing(
    connection: &mut Connection,
    ids: &[(LogKey, Uuid)],
) -> Result<Vec<Entry>, sqlx::Error> {
    let mut entries = Vec::new();
    for ids in pieces(ids, &LOOKUP_SIZES) {
        let mut query = QueryBuilder::<Db>::new("WITH wanted (wanted_id, wanted_log) AS (");
        query.push_values(ids, |mut row, (log, id)| {
            row.push_bind(*id).push_bind(log_id(log).to_owned());
        });
        // CROSS JOIN keeps SQLite from walking the entries instead of the few wanted ids.
        query.push(format_args!(
            ") SELECT {COLUMNS} FROM wanted CROSS JOIN entries ON id = wanted_id AND organization_id = wanted_log"
        ));
        for row in query.build().fetch_all(&mut *connection).await? {
            entries.push(read_entry(&row)?);
        }
    }
    Ok(entries)
}

async fn end_organization(
    connection: &mut Connection,
    log: &str,
    ended_at: i64,
) -> Result<(), sqlx::Error> {
    // The name goes with the organization; its id stays, so that nobody can bring it back.
    sqlx::query("UPDATE logs SET deleted_at = $1, organization_name = '', search_key = '' WHERE organization_id = $2")
        .bind(ended_at)
        .bind(log.to_owned())
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO removals (organization_id, next_run) VALUES ($1, 0)")
        .bind(log.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes the oldest entries of a log that has ended, and the removal with the last of them.
/// Returns whether it is over.
async fn remove_entries(
    connection: &mut Connection,
    log: &str,
    most: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "DELETE FROM entries WHERE organization_id = $1 AND sequence < $2 + \
         (SELECT MIN(sequence) FROM entries WHERE organization_id = $1)",
    )
    .bind(log.to_owned())
    .bind(most)
    .execute(&mut *connection)
    .await?;
    let over = sqlx::query(
        "DELETE FROM removals WHERE organization_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM entries WHERE organization_id = $1)",
    )
    .bind(log.to_owned())
    .execute(connection)
    .await?;
    Ok(over.rows_affected() > 0)
}

async fn insert_lists(
    connection: &mut Connection,
    run: i64,
    lists: &[ListRow],
) -> Result<(), sqlx::Error> {
    for lists in pieces(lists, &INSERT_SIZES) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO run_lists (organization_id, list, run, entries, content) ",
        );
        query.push_values(lists, |mut row, list| {
            row.push_bind(list.log.clone())
                .push_bind(list.list.clone())
                .push_bind(run)
                .push_bind(list.entries)
                .push_bind(list.content.clone());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn delete_lists(
    connection: &mut Connection,
    run: i64,
    lists: &[ListRow],
) -> Result<(), sqlx::Error> {
    let names: Vec<(&str, &str)> =
        lists.iter().map(|row| (row.log.as_str(), row.list.as_str())).collect();
    sqlx::query(
        "DELETE FROM run_lists WHERE run = $2 AND (organization_id, list) IN \
         (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
    )
    .bind(json(&names))
    .bind(run)
    .execute(connection)
    .await?;
    Ok(())
}

const LISTS_OF: &str = "SELECT organization_id, list, run, entries, \
     CASE WHEN list = '' OR run IN (SELECT value FROM json_each($4)) THEN content END \
     FROM json_each($1) AS wanted CROSS JOIN run_lists \
     ON organization_id = wanted.value ->> 0 AND list = wanted.value ->> 1 AND run BETWEEN $2 AND $3";

/// Lists, by log and name, in a stretch of runs, with their content in some of them.
async fn fetch_lists(
    pool: &SqlitePool,
    wanted: &[(&str, &str)],
    runs: &RangeInclusive<i64>,
    contents: &[i64],
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(LISTS_OF)
        .bind(json(wanted))
        .bind(*runs.start())
        .bind(*runs.end())
        .bind(json(contents))
        .fetch_all(pool)
        .await
}

const KEYS_OF: &str = "SELECT run, chunk, keys FROM json_each($1) AS wanted CROSS JOIN run_keys \
     ON run = wanted.value ->> 0 AND chunk = wanted.value ->> 1";

/// Chunks of keys, by run and number.
async fn fetch_keys(pool: &SqlitePool, chunks: &[(i64, i64)]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(KEYS_OF).bind(json(chunks)).fetch_all(pool).await
}

fn entries_at() -> String {
    format!(
        "SELECT {COLUMNS}, {VERSION} FROM entries WHERE position IN (SELECT value FROM json_each($1))"
    )
}

/// The statements that listings are read by, for tests of how the database goes about them.
#[cfg(feature = "testing")]
pub(crate) fn hot_statements() -> Vec<String> {
    let fixed = [LISTS_OF, KEYS_OF, runs::FACTS_OF].map(str::to_owned);
    fixed.into_iter().chain([spans::types_and_outcomes(), entries_at()]).collect()
}

/// The entries at these positions, each with the version of the removals.
async fn fetch_entries(pool: &SqlitePool, positions: &[i64]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(entries_at())).bind(json(positions)).fetch_all(pool).await
}

/// SQLite takes no arrays but as JSON.
fn json(values: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

/// Inserts entries and does nothing else that a log needs: what recording is measured against.
#[cfg(feature = "testing")]
pub(crate) async fn insert_bare(database: &Database, entries: &[Entry]) -> Result<(), Error> {
    let mut transaction = begin_write(&database.writer).await?;
    insert_entries(&mut transaction, entries).await?;
    Ok(transaction.commit().await?)
}
