//! The schema as the migrations make it, compared with that of a file.

use std::collections::BTreeMap;
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

/// What of the schema is not as the migrations make it, in words.
#[expect(dead_code, reason = "the check compares it next")]
pub(super) async fn differences(connection: &mut SqliteConnection) -> Result<Vec<String>, Error> {
    let (expected, found) = (expected().await?, read(connection).await?);
    let mut differences: Vec<String> = missing_or_changed(expected, &found).collect();
    let strange = found.keys().filter(|name| !expected.contains_key(name));
    differences
        .extend(strange.map(|(kind, name)| format!("the {kind} {name} is not of the schema")));
    Ok(differences)
}

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
