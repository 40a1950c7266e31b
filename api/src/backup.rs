//! `activity-logs backup`: a copy of a log that is in use.

use std::path::Path;

use anyhow::{Context as _, bail};

/// How PostgreSQL copies a database; the role is named after the database and made anew.
const PG_DUMP: &str = "a PostgreSQL database is copied by pg_dump, while the service records:
  pg_dump --format=custom --no-owner --no-privileges --file=FILE URL
and restored into an empty database by
  pg_restore --exit-on-error --no-owner --no-privileges --dbname=URL FILE
Then run `activity-logs check` on it.";

/// Copies the log to a file that does not exist yet.
///
/// # Errors
/// Why there is no copy, for people; for PostgreSQL what to run instead.
pub(crate) async fn run(url: &str, file: &Path) -> anyhow::Result<()> {
    if url.starts_with("postgres") {
        bail!(PG_DUMP);
    }
    activity_logs_store::backup(url, file).await.context("copying the log")?;
    println!("{} is a copy of the log; `activity-logs check` can check it", file.display());
    Ok(())
}
