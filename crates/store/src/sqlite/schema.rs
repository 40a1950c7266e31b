//! The schema as the migrations make it, compared with that of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};

use super::MIGRATIONS;
use crate::Error;

/// The text of each table, index and trigger by kind and name.
type Schema = BTreeMap<(String, String), String>;

/// Indexes without a text are those of primary keys; the rest of SQLite's own tables come and go.
const SCHEMA: &str = "SELECT type, name, sql FROM sqlite_schema \
     WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

async fn read(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(SCHEMA).fetch_all(connection).await?;
    // A table that was renamed and renamed back is in quotes.
    let plain = |text: String| text.replace('"', "");
    Ok(rows.into_iter().map(|(kind, name, text)| ((kind, name), plain(text))).collect())
}

/// What the migrations make, found out once.
async fn expected() -> Result<&'static Schema, Error> {
    static EXPECTED: OnceLock<Schema> = OnceLock::new();
    if let Some(schema) = EXPECTED.get() {
        return Ok(schema);
    }
    let memory = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    MIGRATIONS.run(&memory).await.map_err(Error::Migration)?;
    let mut connection = memory.acquire().await?;
    let schema = read(&mut connection).await?;
    Ok(EXPECTED.get_or_init(|| schema))
}

/// What of the schema is not as the migrations make it, and of the file not as SQLite writes it, in
/// words.
pub(super) async fn differences(connection: &mut SqliteConnection) -> Result<Vec<String>, Error> {
    let (expected, found) = (expected().await?, read(connection).await?);
    let mut differences: Vec<String> = missing_or_changed(expected, &found).collect();
    // Indexes hold all rows and no others, and rows are as their tables say.
    let told: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
    differences.extend(told.into_iter().filter(|line| line != "ok"));
    let strange = found.keys().filter(|name| !expected.contains_key(name));
    differences
        .extend(strange.map(|(kind, name)| format!("the {kind} {name} is not of the schema")));
    Ok(differences)
}

/// Refuses a file that is not a log, or not of this program's schema.
pub(super) async fn require_log(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), Error> {
    let is_log = "SELECT COUNT(*) = 3 FROM sqlite_schema \
        WHERE type = 'table' AND name IN ('_sqlx_migrations', 'service_head', 'entries')";
    let found = sqlx::query_scalar::<_, bool>(is_log).fetch_one(&mut *connection).await;
    let is_log = match found {
        Ok(is_log) => is_log,
        // NOTADB
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("26") => false,
        Err(error) => return Err(error.into()),
    };
    if !is_log {
        return Err(Error::NoLog(format!(
            "{} has none; the newest entries of a running service are in the file beside it \
             that ends in -wal, so make copies with `activity-logs backup`",
            path.display()
        )));
    }
    let applied: i64 = sqlx::query_scalar(APPLIED).fetch_one(connection).await?;
    if applied == built_for() { Ok(()) } else { Err(Error::SchemaNotCurrent) }
}

fn built_for() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

const APPLIED: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";

/// Proves that the file still refuses to change or remove entries.
///
/// # Errors
/// [`Error::Unprotected`] says what is missing or changed.
pub(super) async fn prove(connection: &mut SqliteConnection) -> Result<(), Error> {
    let found = read(connection).await?;
    let flaws: Vec<String> = missing_or_changed(expected().await?, &found).collect();
    if flaws.is_empty() { Ok(()) } else { Err(Error::Unprotected(flaws.join("; "))) }
}

fn missing_or_changed<'a>(
    expected: &'a Schema,
    found: &'a Schema,
) -> impl Iterator<Item = String> + 'a {
    expected.iter().filter_map(|(name @ (kind, label), text)| match found.get(name) {
        None => Some(format!("the {kind} {label} is missing")),
        Some(found) if found != text => {
            Some(format!("the {kind} {label} is not that of the schema"))
        }
        Some(_) => None,
    })
}
