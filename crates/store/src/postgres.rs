//! What is PostgreSQL's own: how it is opened, locked and written in bulk.

#[path = "conditions.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
mod conditions;
#[path = "log.rs"]
#[expect(clippy::duplicate_mod, reason = "one text is compiled for each database")]
pub(crate) mod log;

use std::str::FromStr;

use activity_logs_model::{Entry, JsonText, OrganizationId};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Transaction};
use uuid::Uuid;

use crate::plan::LogKey;
use crate::{Error, Options};
use log::{COLUMNS, log_id, log_id_of, read_entry};

type Db = sqlx::Postgres;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Held to the end of the transaction: positions rise in commit order over all nodes.
const LOCK_HEAD: &str = "SELECT position FROM service_head WHERE id = 1 FOR UPDATE";

/// Every connection works as the role that can't change or remove entries.
const WORK_AS_SERVICE: &str = "SET ROLE activity_logs_service";

/// The log in a PostgreSQL database.
pub(crate) struct Database {
    /// A connection of its own, so that readers can't keep the writer waiting.
    writer: PgPool,
    readers: PgPool,
}

/// Connects, and brings the schema up to date if it is not.
pub(crate) async fn open(url: &str, options: &Options) -> Result<Database, Error> {
    let connect = PgConnectOptions::from_str(url)?.application_name("activity-logs");
    let pool = PgPoolOptions::new().acquire_timeout(options.wait);
    migrate(&pool, &connect).await?;

    let pool = pool.after_connect(|connection: &mut PgConnection, _| {
        Box::pin(async move { sqlx::query(WORK_AS_SERVICE).execute(connection).await.map(|_| ()) })
    });
    let limit = options.statement_timeout.as_millis().to_string();
    let reading = connect.clone().options([("statement_timeout", limit.as_str())]);
    let wait = options.wait.as_millis().to_string();
    // Whatever the server's defaults are: an acknowledgement waits for the disk, and each
    // statement sees what was committed before the head was locked.
    let writing = connect.options([
        ("lock_timeout", wait.as_str()),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
    ]);
    let writer = pool.clone().max_connections(1).connect_with(writing).await?;
    let readers = pool.max_connections(options.read_connections).connect_with(reading).await?;
    Ok(Database { writer, readers })
}

/// Migrates as the user of the URL, who owns the schema; sqlx holds a lock meanwhile, so that
/// several nodes can start at once. Where nothing is to do, no right to migrate is needed.
async fn migrate(pool: &PgPoolOptions, connect: &PgConnectOptions) -> Result<(), Error> {
    let owner = pool.clone().max_connections(1).connect_with(connect.clone()).await?;
    let applied = sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MAX(version) FROM _sqlx_migrations WHERE success",
    )
    .fetch_one(&owner)
    .await;
    let built_for = MIGRATIONS.iter().map(|migration| migration.version).max();
    if !matches!(applied, Ok(version) if version == built_for) {
        MIGRATIONS.run(&owner).await.map_err(Error::Migration)?;
    }
    owner.close().await;
    Ok(())
}

async fn begin_write(pool: &PgPool) -> Result<Transaction<'static, Db>, sqlx::Error> {
    pool.begin().await
}

async fn insert_entries(connection: &mut Connection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(entries: &'a [Entry], value: impl Fn(&'a Entry) -> T) -> Vec<T> {
        entries.iter().map(value).collect()
    }
    let statement = format!(
        "INSERT INTO entries ({COLUMNS}) SELECT * FROM UNNEST(\
         $1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[], $7::text[], \
         $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], \
         $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[])"
    );
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

async fn remove_entries(
    connection: &mut Connection,
    id: &OrganizationId,
) -> Result<u64, sqlx::Error> {
    let removed: i64 = sqlx::query_scalar("SELECT remove_entries_of($1)")
        .bind(id.as_str().to_owned())
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(removed).unwrap_or(0))
}
