//! The schema as the migrations make it, compared with that of a database.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;

use super::MIGRATIONS;
use crate::Error;

/// What a new database has, a line each; a test holds it to the migrations.
const EXPECTED: &str = include_str!("schema.txt");

/// The same of a database that is there.
const FOUND: &str = include_str!("schema.sql");

/// What of the schema is not as the migrations make it, in words.
pub(super) async fn differences(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let found: Vec<String> = sqlx::query_scalar(FOUND).fetch_all(connection).await?;
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let expected: BTreeSet<&str> = EXPECTED.lines().collect();
    let missing = expected.difference(&found).map(|line| format!("not in the database: {line}"));
    let strange = found.difference(&expected).map(|line| format!("not of the schema: {line}"));
    Ok(missing.chain(strange).collect())
}

/// Refuses a database that has no log, or not of this program's schema.
pub(super) async fn require_log(connection: &mut PgConnection) -> Result<(), Error> {
    let is_log = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL \
        AND to_regclass('service_head') IS NOT NULL AND to_regclass('entries') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(is_log).fetch_one(&mut *connection).await? {
        return Err(Error::NoLog("the database has none".to_owned()));
    }
    let applied = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";
    let applied: i64 = sqlx::query_scalar(applied).fetch_one(connection).await?;
    let built_for = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if applied == built_for { Ok(()) } else { Err(Error::SchemaNotCurrent) }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use sqlx::Connection as _;

    use super::*;
    use crate::testing::TestDatabase;
    use crate::{Options, Store};

    #[tokio::test]
    async fn what_is_expected_is_what_a_new_database_has() {
        let database = TestDatabase::postgres().await;
        let store = Store::open(database.url(), Options::default()).await.expect("it opens");
        store.close().await;
        let mut connection = PgConnection::connect(database.url()).await.expect("an answer");
        let found: Vec<String> =
            sqlx::query_scalar(FOUND).fetch_all(&mut connection).await.expect("lines");
        let found = found.join("\n") + "\n";
        if found != EXPECTED {
            let path = std::env::temp_dir().join("schema.txt");
            std::fs::write(&path, &found).expect("written");
            panic!(
                "copy {} to crates/store/src/postgres/schema.txt, and look at what changes",
                path.display()
            );
        }
    }
}
