//! What can go wrong in the store.

use std::path::{Path, PathBuf};

use activity_logs_model::OrganizationId;
use sqlx::migrate::MigrateError;

/// The most characters of a database's own message: it may repeat what was sent.
const MAX_MESSAGE: usize = 500;

/// A database that fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is neither `sqlite:…` nor `postgres://…`.
    #[error("the database URL must begin with sqlite: or postgres://")]
    UnknownDatabase,
    /// The URL of a PostgreSQL database has another form than it should; says which, without
    /// repeating any of it.
    #[error("the database URL can't be used: {0}")]
    DatabaseUrl(String),
    /// It does not answer, or is busy for too long; trying again later may help.
    #[error("the database is not available: {}", shortened(.0))]
    Unavailable(sqlx::Error),
    /// A statement failed: a defect, or a database somebody else changed.
    #[error("the database refused a statement: {}", shortened(.0))]
    Database(sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(MigrateError),
    /// The schema is not the one this program was built for.
    #[error("the database's schema is not current; restart the service to bring it up to date")]
    SchemaNotCurrent,
    /// The database does not keep this program from changing or removing entries; says why.
    #[error("the database does not keep entries from being changed: {0}")]
    Unprotected(String),
    /// There is no log to check or copy; says what is there instead.
    #[error("there is no log: {0}")]
    NoLog(String),
    /// A file or folder of the database can't be used.
    #[error("{} can't be used: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another process holds the lock under which a database is made, for too long.
    #[error("another process holds {}; end it, and start again", .0.display())]
    Locked(PathBuf),
    /// The database takes no entries; says what to do about it.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// The database can't hold every text.
    #[error(
        "the database has the encoding {0}, and entries need UTF8; make it with \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// At this position stands another entry than was recorded there: somebody else wrote it.
    #[error(
        "at position {0} there is another entry than was recorded there; `activity-logs check` says more"
    )]
    Displaced(i64),
    /// A reading took longer than [`Options::reading_time`](crate::Options::reading_time).
    #[error("the reading takes too long")]
    TooSlow,
    /// The store was closed.
    #[error("the log is closed")]
    Closed,
}

fn shortened(error: &sqlx::Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Error {
    /// Whether a part of the index did not fit the rest: it was changed meanwhile, or ever.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Error::Database(sqlx::Error::Decode(_)))
    }

    pub(crate) fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }

    /// Says what to do about a database that takes no entries; other errors stay as they are.
    pub(crate) fn if_read_only(self, advice: impl FnOnce() -> String) -> Self {
        let error = match &self {
            Self::Unavailable(error)
            | Self::Database(error)
            | Self::Migration(
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
            ) => error,
            _ => return self,
        };
        let is_read_only = match code(error) {
            Some(Code::Sqlite(code)) => code == 8,
            Some(Code::Postgres(code)) => code == "25006",
            None => false,
        };
        if is_read_only { Self::ReadOnly(advice()) } else { self }
    }

    /// Whether the database refused what it was given, so that it may well take other data.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Error::Database(error) if is_refusal(error))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailable(&error) { Error::Unavailable(error) } else { Error::Database(error) }
    }
}

/// Whether PostgreSQL ended the statement because it took too long (`query_canceled`).
pub(crate) fn is_cancelled(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("57014"))
}

/// What the database says went wrong.
enum Code {
    /// SQLite's primary result code.
    Sqlite(u32),
    /// PostgreSQL's SQLSTATE.
    Postgres(String),
}

fn code(error: &sqlx::Error) -> Option<Code> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    match error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        Some(_) => Some(Code::Sqlite(code.parse::<u32>().ok()? & 0xff)),
        None => Some(Code::Postgres(code.into_owned())),
    }
}

/// Whether it may be over after a while, on another connection.
fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        // A transaction before this one did not end, which is its connection's fault.
        | sqlx::Error::InvalidSavePointStatement => true,
        error => match code(error) {
            // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
            Some(Code::Sqlite(code)) => matches!(code, 5..=10 | 13..=15),
            // Connection, resources (memory, disk), operator intervention, system, serialization,
            // a lock that was not to be had, and a server that takes no writes.
            Some(Code::Postgres(code)) => {
                ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class))
                    || code == "55P03"
                    || code == "25006"
            }
            None => false,
        },
    }
}

/// Whether another connection writes just now (BUSY, LOCKED).
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(Code::Sqlite(5 | 6)))
}

/// Whether another request may well be taken: what was refused are the data.
fn is_refusal(error: &sqlx::Error) -> bool {
    match code(error) {
        // TOOBIG, CONSTRAINT, MISMATCH.
        Some(Code::Sqlite(code)) => matches!(code, 18..=20),
        // Data, integrity, limits of the program (of an index row, for one), and triggers.
        Some(Code::Postgres(code)) => {
            ["22", "23", "54", "P0"].iter().any(|class| code.starts_with(class))
        }
        None => matches!(error, sqlx::Error::Encode(_)),
    }
}

/// Why entries were not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A text has U+0000, which PostgreSQL can't hold. What senders give is checked before.
    #[error("the text at {pointer} of entry {index} contains U+0000")]
    UnfitText {
        /// Which of the entries.
        index: usize,
        /// Where in it.
        pointer: &'static str,
    },
    /// The entries at these indexes have ids that are taken by entries with other content.
    #[error("ids are taken by entries with other content")]
    IdConflict(Vec<usize>),
    /// The organization was deleted; for recording, the entries at these indexes lie in it.
    #[error("the organization {0} was deleted")]
    OrganizationDeleted(OrganizationId, Vec<usize>),
    /// There is no such organization to remove.
    #[error("the organization has no log")]
    UnknownOrganization,
    /// More waits to be committed than may.
    #[error("too much is waiting to be recorded")]
    QueueFull,
    /// The database fails.
    #[error(transparent)]
    Store(#[from] Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_repeats_is_cut() {
        for make in [Error::Unavailable, Error::Database] {
            let said = make(sqlx::Error::Protocol("ä".repeat(50_000))).to_string();
            assert!(said.chars().count() < MAX_MESSAGE + 100 && said.ends_with('…'));
        }
        let short = Error::Database(sqlx::Error::Protocol("short".to_owned())).to_string();
        assert!(short.ends_with("short"), "{short}");
    }
}
