//! The files of a SQLite database: who may read them, and who brings the schema up to date.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Error;

/// How often a lock that somebody else holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How long a lock may be held before people are told.
const LOCK_UNTOLD: Duration = Duration::from_secs(1);

/// Makes the folder and the file that are not there yet, for this user alone; SQLite gives the files
/// beside it the same rights. Several processes may start on one new file: the first to lock the
/// file beside it makes it and brings its schema up to date. The others wait, but not for ever.
pub(crate) async fn lock_and_make(path: &Path, wait: Duration) -> Result<File, Error> {
    if let Some(folder) = folder_of(path) {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder).map_err(|error| Error::file(folder, error))?;
    }
    let lock = lock(path, wait).await?;
    if let Err(lost @ Error::NoLog(_)) = require_content(path)
        && beside(path, "-wal").metadata().is_ok_and(|wal| wal.len() > 0)
    {
        return Err(lost);
    }
    // A file that is there is not opened here: closing it would drop the locks that SQLite has on
    // it in this process.
    match private().create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::file(path, error))
        }
        _ => Ok(lock),
    }
}

pub(crate) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

async fn lock(path: &Path, wait: Duration) -> Result<File, Error> {
    let path = beside(path, "-lock");
    let file = private().create(true).open(&path).map_err(|error| Error::file(&path, error))?;
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(Error::file(&path, error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if begun.elapsed() > wait {
            return Err(Error::Locked(path));
        }
        if begun.elapsed() > LOCK_UNTOLD && !is_told {
            tracing::warn!("another process holds {}; waiting", path.display());
            is_told = true;
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Refuses a path without a log before SQLite opens it: of an empty file it would remove the
/// write-ahead log beside it, which may hold all entries.
pub(crate) fn require_content(path: &Path) -> Result<(), Error> {
    let length = |path: &Path| path.metadata().map(|metadata| metadata.len());
    match length(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoLog(format!("{} does not exist", path.display())))
        }
        Err(error) => Err(Error::file(path, error)),
        Ok(0) if length(&beside(path, "-wal")).is_ok_and(|length| length > 0) => {
            Err(Error::NoLog(format!(
                "{0} is empty, and {0}-wal has content that belongs to another file",
                path.display()
            )))
        }
        Ok(0) => Err(Error::NoLog(format!("{} is empty", path.display()))),
        Ok(_) => Ok(()),
    }
}

/// Says so if others on this machine can read the log.
pub(crate) fn warn_of_readers(path: &Path) {
    for (path, mode) in open_to_others(path) {
        tracing::warn!(
            "other users of this machine may use {path}; run `chmod {mode} {path}`",
            path = path.display()
        );
    }
}

/// What is open to others, with the mode that it should have.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Vec<(PathBuf, &'static str)> {
    use std::os::unix::fs::PermissionsExt;

    let has = |path: &Path, bits: u32| {
        path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & bits != 0)
    };
    let mut found = Vec::new();
    for ending in ["", "-wal", "-shm", "-lock"] {
        let path = beside(path, ending);
        if has(&path, 0o077) {
            found.push((path, "600"));
        }
    }
    // Files that only their owner reads may lie where others look, but not where they write.
    if let Some(folder) = folder_of(path)
        && has(folder, 0o022)
    {
        found.push((folder.to_owned(), "700"));
    }
    found
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Vec<(PathBuf, &'static str)> {
    Vec::new()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it is there").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_is_made_is_for_its_user_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("data/of/log.db");
        let lock = lock_and_make(&path, Duration::ZERO).await.expect("made");
        assert_eq!(mode(&home.path().join("data")), 0o700);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        assert_eq!([mode(&path), mode(&beside(&path, "-lock"))], [0o600; 2]);
        assert_eq!(open_to_others(&path), []);
        drop(lock);

        let given = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("given");
        };
        given(&path, 0o640);
        given(path.parent().expect("a folder"), 0o755);
        assert_eq!(open_to_others(&path), [(path.clone(), "600")]);
        lock_and_make(&path, Duration::ZERO).await.expect("there already");
        assert_eq!(mode(&path), 0o640, "what others have made stays as it is");
        given(path.parent().expect("a folder"), 0o777);
        assert_eq!(open_to_others(&path).len(), 2);
    }

    #[tokio::test]
    async fn a_lock_is_not_waited_for_without_end() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("log.db");
        let held = lock(&path, Duration::ZERO).await.expect("locked");
        let begun = Instant::now();
        let refused = lock(&path, Duration::from_millis(200)).await;
        assert!(begun.elapsed() < Duration::from_secs(20));
        let message = refused.expect_err("held").to_string();
        assert!(
            message.contains("log.db-lock") && message.contains("another process"),
            "{message}"
        );
        let waiting = tokio::spawn(async move { lock(&path, Duration::from_secs(30)).await });
        sleep(Duration::from_millis(100)).await;
        drop(held);
        waiting.await.expect("it waits").expect("locked at last");
    }
}
