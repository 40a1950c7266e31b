//! What is PostgreSQL's own: how it is opened, locked and written in bulk.

#[path = "check/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod check;
#[path = "entries.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod entries;
#[path = "listing.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod listing;
#[path = "lists.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod lists;
#[path = "log.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
pub(crate) mod log;
mod role;
#[path = "runs.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod runs;
mod schema;
#[path = "server.rs"]
mod server;
#[path = "spans.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod spans;
#[path = "standing.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod standing;
#[path = "transaction.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod transaction;

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use activity_logs_model::{Entry, JsonText};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use crate::backend::{Backend as _, Check};
use crate::clock::ClockWatch;
use crate::index::seal::ListRow;
use crate::index::state::Index;
use crate::plan::LogKey;
use crate::{Error, LOCK_WAIT, Options, STANDING_CONNECTIONS};
use log::{COLUMNS, VERSION, log_id, log_id_of, read_entry};
use role::prove;
use schema::differences as schema_differences;
use transaction::begin_write;

type Db = sqlx::Postgres;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Held to the end of the transaction: positions rise in commit order over all nodes.
const LOCK_HEAD: &str =
    "SELECT position, removals, recorded_at FROM service_head WHERE id = 1 FOR UPDATE";

const BEGIN: &str = "BEGIN";

/// Fails where nothing can be recorded, and waits for nobody who records.
const TRY_WRITING: &str = "SELECT position FROM service_head WHERE id = 1 FOR UPDATE SKIP LOCKED";

/// The types of [`COLUMNS`].
const COLUMN_TYPES: [&str; 22] = [
    "text", "bigint", "bigint", "uuid", "bigint", "bigint", "text", "text", "text", "text", "text",
    "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text",
];

/// How many rows of lists one statement inserts.
const LISTS_AT_ONCE: usize = 4_096;

/// The log in a PostgreSQL database.
pub(crate) struct Database {
    /// A connection of its own, so that readers can't keep the writer waiting.
    writer: PgPool,
    readers: PgPool,
    /// For what is answered at once, however slow the readings are.
    standing: PgPool,
    /// One connection that tries whether entries can be recorded.
    probe: PgPool,
    /// Whether the last commit failed for lack of a working database.
    is_failing: AtomicBool,
    clock: ClockWatch,
    index: Index,
    /// Whether the last commit was asked for entries that were there already.
    meets_repetitions: AtomicBool,
}

/// Connects, and brings the schema up to date if it is not.
pub(crate) async fn open(url: &str, options: &Options) -> Result<Database, Error> {
    let connect = PgConnectOptions::from_str(url)?.application_name("activity-logs");
    server::warn_of_listeners(&connect);
    // What an idle connection leads to is looked at before it is used, instead of a mere ping.
    let pool = PgPoolOptions::new()
        .acquire_timeout(options.wait)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(server::takes_entries(connection)));
    migrate(&pool, &connect, options).await?;

    let pool = pool.after_connect(|connection: &mut PgConnection, _| {
        Box::pin(
            async move { sqlx::query(role::WORK_AS_SERVICE).execute(connection).await.map(|_| ()) },
        )
    });
    let limit = options.reading_time.as_millis().to_string();
    let reading = connect.clone().options([("statement_timeout", limit.as_str())]);
    let wait = options.wait.as_millis().to_string();
    // Whatever the server's defaults are: an acknowledgement waits for the disk, and each
    // statement sees what was committed before the head was locked.
    let writing = connect.options([
        ("lock_timeout", wait.as_str()),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
    ]);
    let single = pool.clone().max_connections(1);
    let writer = single.clone().connect_with(writing.clone()).await?;
    let probe = single.connect_with(writing).await?;
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
    database.ready().await.map_err(server::if_read_only)?;
    database.refresh().await?;
    Ok(database)
}

/// A transaction that reads what was committed when it began.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Recounts what a database holds; changes nothing but for the role of one that was restored.
pub(crate) async fn check(url: &str) -> Result<Check, Error> {
    let connect = PgConnectOptions::from_str(url)?.application_name("activity-logs check");
    let mut connection = PgConnection::connect_with(&connect).await?;
    schema::require_log(&mut connection).await?;
    role::prepare(&mut connection).await?;
    let checked = check::check_all(&mut connection).await;
    connection.close().await?;
    checked
}

/// Migrates as the user of the URL, who owns the schema; sqlx holds a lock meanwhile, so that
/// several nodes can start at once. Where nothing is to do, no right to migrate is needed.
async fn migrate(
    pool: &PgPoolOptions,
    connect: &PgConnectOptions,
    options: &Options,
) -> Result<(), Error> {
    let wait = options.wait.max(LOCK_WAIT).as_millis().to_string();
    let connect = connect.clone().options([("lock_timeout", wait)]);
    let owner = pool.clone().max_connections(1).connect_with(connect).await?;
    server::require_utf8(&owner).await?;
    let applied = sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MAX(version) FROM _sqlx_migrations WHERE success",
    )
    .fetch_one(&owner)
    .await;
    let built_for = MIGRATIONS.iter().map(|migration| migration.version).max();
    if !matches!(applied, Ok(version) if version == built_for) {
        let migrated = MIGRATIONS.run(&owner).await.map_err(Error::Migration);
        migrated.map_err(server::if_read_only)?;
    }
    role::prepare(&mut *owner.acquire().await?).await?;
    owner.close().await;
    Ok(())
}

/// Entries are rarely sent twice: the unique index finds the few at no cost.
const LOOKS_FIRST: bool = false;

/// Whether an entry was refused because another has its id.
fn is_taken_id(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.constraint()) == Some("entries_by_id")
}

async fn insert_entries(connection: &mut Connection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(entries: &'a [Entry], value: impl Fn(&'a Entry) -> T) -> Vec<T> {
        entries.iter().map(value).collect()
    }
    // In the list of what is selected, UNNEST runs row by row; after FROM it would first write
    // each column out. (COPY stands still for 40 ms a time: sqlx sends its end by itself, and
    // TCP waits for the acknowledgement of what went before.)
    let arrays: Vec<String> = COLUMN_TYPES
        .iter()
        .enumerate()
        .map(|(column, kind)| format!("UNNEST(${}::{kind}[])", column + 1))
        .collect();
    let statement = format!("INSERT INTO entries ({COLUMNS}) SELECT {}", arrays.join(", "));
    sqlx::query(AssertSqlSafe(statement))
        .bind(column(entries, log_id_of))
        .bind(column(entries, |e| e.sequence))
        .bind(column(entries, |e| e.position))
        .bind(column(entries, |e| e.id))
        .bind(column(entries, |e| e.occurred_at.as_micros()))
        .bind(column(entries, |e| e.recorded_at.as_micros()))
        .bind(column(entries, |e| e.kind.as_str()))
        .bind(column(entries, |e| e.action.as_str()))
        .bind(column(entries, |e| e.outcome.as_str()))
        .bind(column(entries, |e| e.user.id.as_str()))
        .bind(column(entries, |e| e.user.name.as_str()))
        .bind(column(entries, |e| e.user.email.as_deref()))
        .bind(column(entries, |e| e.organization.as_ref().map(|o| o.name.as_str())))
        .bind(column(entries, |e| e.workspace.as_ref().map(|w| w.id.as_str())))
        .bind(column(entries, |e| e.workspace.as_ref().map(|w| w.name.as_str())))
        .bind(column(entries, |e| e.identifier.as_str()))
        .bind(column(entries, |e| e.old_value.as_ref().map(JsonText::as_str)))
        .bind(column(entries, |e| e.new_value.as_ref().map(JsonText::as_str)))
        .bind(column(entries, |e| e.context.ip_address.as_deref()))
        .bind(column(entries, |e| e.context.user_agent.as_deref()))
        .bind(column(entries, |e| e.context.request_id.as_deref()))
        .bind(column(entries, |e| e.question.as_ref().map(JsonText::as_str)))
        .execute(connection)
        .await?;
    Ok(())
}

async fn find_existing(
    connection: &mut Connection,
    ids: &[(LogKey, Uuid)],
) -> Result<Vec<Entry>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let statement = format!(
        "SELECT {COLUMNS} FROM entries \
         JOIN UNNEST($1::uuid[], $2::text[]) AS wanted (wanted_id, wanted_log) \
         ON id = wanted_id AND organization_id = wanted_log COLLATE \"C\""
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(ids.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .bind(ids.iter().map(|(log, _)| log_id(log)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_entry).collect()
}

async fn end_organization(
    connection: &mut Connection,
    log: &str,
    ended_at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT end_organization($1, $2)")
        .bind(log)
        .bind(ended_at)
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
    sqlx::query_scalar("SELECT remove_entries_of($1, $2)")
        .bind(log)
        .bind(most)
        .fetch_one(connection)
        .await
}

async fn insert_lists(
    connection: &mut Connection,
    run: i64,
    lists: &[ListRow],
) -> Result<(), sqlx::Error> {
    for lists in lists.chunks(LISTS_AT_ONCE) {
        sqlx::query(
            "INSERT INTO run_lists (organization_id, list, run, entries, content) \
             SELECT log, list, $1, entries, content \
             FROM UNNEST($2::text[], $3::text[], $4::int[], $5::bytea[]) AS row (log, list, entries, content)",
        )
        .bind(run)
        .bind(lists.iter().map(|row| row.log.as_str()).collect::<Vec<_>>())
        .bind(lists.iter().map(|row| row.list.as_str()).collect::<Vec<_>>())
        .bind(lists.iter().map(|row| row.entries).collect::<Vec<_>>())
        .bind(lists.iter().map(|row| row.content.as_slice()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn delete_lists(
    connection: &mut Connection,
    run: i64,
    lists: &[ListRow],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM run_lists USING UNNEST($2::text[], $3::text[]) AS gone (log, name) \
         WHERE organization_id = gone.log COLLATE \"C\" AND list = gone.name COLLATE \"C\" AND run = $1",
    )
    .bind(run)
    .bind(lists.iter().map(|row| row.log.as_str()).collect::<Vec<_>>())
    .bind(lists.iter().map(|row| row.list.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// LATERAL with OFFSET 0: each list is looked up by the primary key, whatever the planner thinks.
const LISTS_OF: &str = "SELECT found.organization_id, found.list, found.run, found.entries, \
     CASE WHEN found.list = '' OR found.run = ANY($5) THEN found.content END \
     FROM UNNEST($1::text[], $2::text[]) AS wanted (log, name) CROSS JOIN LATERAL (\
     SELECT * FROM run_lists WHERE organization_id = wanted.log COLLATE \"C\" \
     AND list = wanted.name COLLATE \"C\" AND run BETWEEN $3 AND $4 OFFSET 0) AS found";

/// Lists, by log and name, in a stretch of runs, with their content in some of them.
async fn fetch_lists(
    pool: &PgPool,
    wanted: &[(&str, &str)],
    runs: &RangeInclusive<i64>,
    contents: &[i64],
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(LISTS_OF)
        .bind(wanted.iter().map(|(log, _)| *log).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, name)| *name).collect::<Vec<_>>())
        .bind(*runs.start())
        .bind(*runs.end())
        .bind(contents)
        .fetch_all(pool)
        .await
}

const KEYS_OF: &str = "SELECT found.run, found.chunk, found.keys \
     FROM UNNEST($1::bigint[], $2::bigint[]) AS wanted (run, chunk) CROSS JOIN LATERAL (\
     SELECT * FROM run_keys WHERE run = wanted.run AND chunk = wanted.chunk OFFSET 0) AS found";

/// Chunks of keys, by run and number.
async fn fetch_keys(pool: &PgPool, chunks: &[(i64, i64)]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(KEYS_OF)
        .bind(chunks.iter().map(|(run, _)| *run).collect::<Vec<_>>())
        .bind(chunks.iter().map(|(_, chunk)| *chunk).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
}

fn entries_at() -> String {
    format!("SELECT {COLUMNS}, {VERSION} FROM entries WHERE position = ANY($1)")
}

/// The statements that listings are read by, for tests of how the database goes about them.
#[cfg(feature = "testing")]
pub(crate) fn hot_statements() -> Vec<String> {
    let fixed = [LISTS_OF, KEYS_OF, runs::FACTS_OF].map(str::to_owned);
    fixed.into_iter().chain([spans::types_and_outcomes(), entries_at()]).collect()
}

/// The entries at these positions, each with the version of the removals.
async fn fetch_entries(pool: &PgPool, positions: &[i64]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(entries_at())).bind(positions).fetch_all(pool).await
}
