//! A copy of a log that is in use.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::schema;
use crate::{Error, files};

/// Copies the log as it is at one moment to a new file. The service may record meanwhile.
///
/// The copy has its name only once it is complete and on the disk.
pub(crate) async fn backup(path: &Path, target: &Path, wait: Duration) -> Result<(), Error> {
    files::require_content(path)?;
    if target.try_exists().map_err(|error| Error::file(target, error))? {
        return Err(Error::file(target, std::io::ErrorKind::AlreadyExists.into()));
    }
    let connect =
        SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(wait);
    let mut connection = SqliteConnection::connect_with(&connect).await?;
    let copied = copy(&mut connection, path, target).await;
    // What SQLite makes beside the file is removed by closing it.
    connection.close().await?;
    copied
}

async fn copy(connection: &mut SqliteConnection, path: &Path, target: &Path) -> Result<(), Error> {
    schema::require_log(connection, path).await?;
    let folder = files::folder_of(target).unwrap_or(Path::new("."));
    // For its user alone, as the log is.
    let copy = tempfile::Builder::new()
        .prefix(".activity-logs-")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(|error| Error::file(folder, error))?;
    let name = copy.path().to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO $1").bind(name).execute(connection).await?;
    copy.as_file().sync_all().map_err(|error| Error::file(target, error))?;
    copy.persist_noclobber(target).map_err(|error| Error::file(target, error.error))?;
    let folder_on_disk = File::open(folder).and_then(|folder| folder.sync_all());
    folder_on_disk.map_err(|error| Error::file(folder, error))
}
