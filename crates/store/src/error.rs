//! What can go wrong in the store.

use activity_logs_model::OrganizationId;

/// A database that fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is neither `sqlite:…` nor `postgres://…`.
    #[error("the database URL must begin with sqlite: or postgres://")]
    UnknownDatabase,
    /// It does not answer, or is busy for too long; trying again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(sqlx::Error),
    /// A statement failed: a defect, or a database somebody else changed.
    #[error("the database refused a statement: {0}")]
    Database(sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The schema is not the one this program was built for.
    #[error("the database's schema is not current; restart the service to bring it up to date")]
    SchemaNotCurrent,
    /// A file or folder of the database can't be used.
    #[error("the database's file can't be used: {0}")]
    File(#[from] std::io::Error),
    /// A reading took longer than [`Options::reading_time`](crate::Options::reading_time).
    #[error("the reading takes too long")]
    TooSlow,
    /// The store was closed.
    #[error("the log is closed")]
    Closed,
}

impl Error {
    /// Whether a part of the index did not fit the rest: it was changed meanwhile, or ever.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Error::Database(sqlx::Error::Decode(_)))
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

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match code.as_ref().parse::<u32>() {
                // SQLite's primary result codes: BUSY, LOCKED, IOERR, FULL, CANTOPEN.
                Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6 | 10 | 13 | 14),
                // PostgreSQL's SQLSTATE: connection, resources, operator intervention, system,
                // serialization, and a lock that was not to be had.
                _ => {
                    ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class))
                        || code == "55P03"
                        || code == "25006"
                }
            }
        }
        _ => false,
    }
}

/// Why entries were not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
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
