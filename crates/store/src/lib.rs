//! The log in a database: SQLite or PostgreSQL behind one trait ([`Backend`]), one writer
//! that commits in groups, and the promises of the log.
//!
//! * What [`Store::record`] has acknowledged is durable and never changes.
//! * `sequence` is dense in each organization's log; `position` rises in commit order over
//!   the whole service, over all nodes that share a database.
//! * A listing pinned to an `as_of` answers the same for ever, until its organization is
//!   deleted.

mod as_of;
mod backend;
mod clock;
mod database_url;
mod error;
mod files;
mod index;
mod measured;
mod plan;
mod postgres;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use activity_logs_model::wire::OrganizationItem;
use activity_logs_model::{
    AsOf, Entry, Filter, NewEntry, OrganizationId, Timestamp, Type, Visibility,
};
use uuid::Uuid;

pub use backend::{
    Backend, Check, Commit, Connections, ListingQuery, LogState, Page, Recorded, Removal, Removed,
    Scope, SpanCount, Watched,
};
pub use error::{Error, RecordError};
use measured::Measured;
use writer::Writer;

/// How long another process may hold the lock under which a database is made, at least.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How many connections serve what is answered at once.
pub(crate) const STANDING_CONNECTIONS: u32 = 2;

/// Where the time comes from; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// How a store behaves; [`Options::default`] suits a server.
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The most bytes of entries that wait to be committed; beyond, recording is refused.
    pub queue_bytes: usize,
    /// How long to wait for a connection, or for another process's lock.
    pub wait: Duration,
    /// The most connections for reading.
    pub read_connections: u32,
    /// How long one reading may take; beyond, it ends with [`Error::TooSlow`].
    pub reading_time: Duration,
    /// The most pages that a SQLite file may have, as on a full disk; 0 for any.
    #[cfg(feature = "testing")]
    pub most_pages: Arc<std::sync::atomic::AtomicU32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            queue_bytes: 32 * 1024 * 1024,
            wait: Duration::from_secs(3),
            read_connections: 8,
            reading_time: Duration::from_secs(10),
            #[cfg(feature = "testing")]
            most_pages: Arc::default(),
        }
    }
}

/// The log. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    writer: Writer,
    positions: Arc<as_of::Positions>,
    reading_time: Duration,
}

impl Store {
    /// Opens the database that the URL names (`sqlite:PATH` or `postgres://…`), makes it if it
    /// is a SQLite file that does not exist yet, and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error`] when the URL is of another kind, the database does not answer or its schema
    /// can't be brought up to date.
    pub async fn open(url: &str, options: Options) -> Result<Self, Error> {
        let backend: Arc<dyn Backend> = match url.split_once(':') {
            Some(("sqlite", path)) => Arc::new(sqlite::open(&sqlite_path(path), &options).await?),
            Some(("postgres" | "postgresql", _)) => {
                database_url::check(url)?;
                Arc::new(postgres::open(url, &options).await?)
            }
            _ => return Err(Error::UnknownDatabase),
        };
        let positions = Arc::new(as_of::Positions::new(&backend.secret().await?)?);
        let writer = Writer::start(backend.clone(), options.clock.clone(), options.queue_bytes);
        Ok(Self { backend, writer, positions, reading_time: options.reading_time })
    }

    /// Records entries, all or none, and returns once they are durable: what became of each,
    /// in order.
    ///
    /// # Errors
    /// [`RecordError`]: a text with U+0000, an id that is taken by another entry, a deleted
    /// organization, a full queue, or a database that fails. Nothing was recorded then, unless the connection broke
    /// during the commit; repeating with the same ids is safe in any case.
    pub async fn record(&self, entries: Vec<NewEntry>) -> Result<Vec<Recorded>, RecordError> {
        for (index, entry) in entries.iter().enumerate() {
            entry.check_texts().map_err(|pointer| RecordError::UnfitText { index, pointer })?;
        }
        self.writer.record(entries).await
    }

    /// Removes an organization with its whole log, leaves a tombstone, and records that in the
    /// platform log.
    ///
    /// # Errors
    /// [`RecordError::UnknownOrganization`], [`RecordError::OrganizationDeleted`], or a queue or
    /// database that fails; nothing was removed then.
    pub async fn remove_organization(&self, removal: Removal) -> Result<Removed, RecordError> {
        self.writer.remove(removal).await
    }

    /// The newest position: where a listing without `as_of` looks.
    ///
    /// # Errors
    /// [`Error`] when the database fails.
    pub async fn head(&self) -> Result<i64, Error> {
        self.backend.head().await
    }

    /// How a position is named outside of the service: the same for ever and on every node, and
    /// telling nothing to whoever reads it.
    pub fn as_of(&self, position: i64) -> AsOf {
        self.positions.name(position)
    }

    /// The position that an `as_of` names, if this log's service has made it.
    pub fn position_of(&self, as_of: &AsOf) -> Option<i64> {
        self.positions.read(as_of)
    }

    /// What is known of an organization's log.
    ///
    /// # Errors
    /// [`Error`] when the database fails.
    pub async fn log_state(&self, organization: &OrganizationId) -> Result<LogState, Error> {
        self.backend.log_state(organization).await
    }

    /// One page of a listing, with its exact total.
    ///
    /// # Errors
    /// [`Error::TooSlow`], or when the database fails.
    pub async fn list(&self, query: &ListingQuery<'_>) -> Result<Page, Error> {
        self.list_telling(query, |_| {}).await
    }

    /// The same, and tells the total to `counted` as soon as it is known, before the page is
    /// read: again, should an organization that goes change it meanwhile.
    ///
    /// # Errors
    /// [`Error::TooSlow`], or when the database fails.
    pub async fn list_telling(
        &self,
        query: &ListingQuery<'_>,
        mut counted: impl FnMut(u64) + Send,
    ) -> Result<Page, Error> {
        self.in_time(self.backend.list(query, &mut counted)).await
    }

    /// Ends a reading that takes longer than it may.
    async fn in_time<T>(
        &self,
        reading: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let under_way = Measured::one("activity_logs_readings");
        let begun = Instant::now();
        let read = match tokio::time::timeout(self.reading_time, reading).await {
            Ok(Err(Error::Unavailable(error))) if error::is_cancelled(&error) => {
                Err(Error::TooSlow)
            }
            Ok(read) => read,
            Err(_) => Err(Error::TooSlow),
        };
        drop(under_way);
        let ended = match &read {
            Ok(_) => "well",
            Err(Error::TooSlow) => "too_slow",
            Err(_) => "failed",
        };
        metrics::histogram!("activity_logs_reading_seconds", "ended" => ended)
            .record(begun.elapsed());
        read
    }

    /// The newest entries of an organization, up to `limit`, without those about reading the log.
    ///
    /// # Errors
    /// [`Error::TooSlow`], or when the database fails.
    pub async fn recent(
        &self,
        organization: &OrganizationId,
        visibility: &Visibility,
        as_of: i64,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        let filter = Filter { without_types: vec![Type::activity_logs()], ..Filter::default() };
        let scope = Scope::Organization(organization);
        let query = ListingQuery { scope, visibility, filter: &filter, as_of, offset: 0, limit };
        Ok(self.list(&query).await?.entries)
    }

    /// How many entries lie in each of the half-open spans between `bounds`, which rise: exact, by
    /// type and outcome. Spans, types and outcomes without entries are left out.
    ///
    /// # Errors
    /// [`Error::TooSlow`], or when the database fails.
    pub async fn count_in_spans(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        as_of: i64,
        bounds: &[Timestamp],
    ) -> Result<Vec<SpanCount>, Error> {
        self.in_time(self.backend.count_in_spans(scope, visibility, as_of, bounds)).await
    }

    /// The entry with this id, if the caller sees it; the newest, where several logs have one.
    ///
    /// # Errors
    /// [`Error::TooSlow`], or when the database fails.
    pub async fn find(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        id: Uuid,
    ) -> Result<Option<Entry>, Error> {
        self.in_time(self.backend.find(scope, visibility, id)).await
    }

    /// The organizations that have a log, by name: those whose name or id contains `search`
    /// (whatever its case), from `offset` on, up to `limit`; and how many there are in all.
    ///
    /// # Errors
    /// [`Error`] when the database fails.
    pub async fn organizations(
        &self,
        search: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<OrganizationItem>, u64), Error> {
        self.backend.organizations(search, offset, limit).await
    }

    /// What is known of the logs of these organizations, those without a log left out.
    ///
    /// # Errors
    /// [`Error`] when the database fails.
    pub async fn log_states(
        &self,
        ids: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, LogState)>, Error> {
        self.backend.log_states(ids).await
    }

    /// What this process knows of its own work, for those who watch it.
    pub fn watch(&self) -> Watched {
        self.backend.watch()
    }

    /// Whether the database answers, its schema is the one this program was built for, and it
    /// takes entries.
    ///
    /// # Errors
    /// [`Error`] says which of them is not so.
    pub async fn ready(&self) -> Result<(), Error> {
        self.backend.ready().await
    }

    /// Commits what has been accepted, then closes the database. Recording is refused from now on.
    pub async fn close(&self) {
        self.writer.close().await;
        self.backend.close().await;
    }
}

/// Recounts everything in the database that the URL names and compares: the schema with that of the
/// migrations, the entries with the heads of their logs, and the index that listings are read from
/// with the entries. Reads the whole log in one snapshot, holds nobody up and removes nothing.
///
/// # Errors
/// [`Error::NoLog`] when there is no log, or another [`Error`] when the database fails.
pub async fn check(url: &str) -> Result<Check, Error> {
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite::check(&sqlite_path(path), Options::default().wait).await,
        Some(("postgres" | "postgresql", _)) => {
            database_url::check(url)?;
            postgres::check(url).await
        }
        _ => Err(Error::UnknownDatabase),
    }
}

/// Copies the log in a SQLite file, as it is at one moment, to a new file; the service may record
/// meanwhile.
///
/// # Errors
/// [`Error::UnknownDatabase`] when the URL is of another database, [`Error::NoLog`] when there is
/// no log, [`Error::File`] when the new file exists or can't be written.
pub async fn backup(url: &str, file: &Path) -> Result<(), Error> {
    match url.split_once(':') {
        Some(("sqlite", path)) => {
            sqlite::backup(&sqlite_path(path), file, Options::default().wait).await
        }
        _ => Err(Error::UnknownDatabase),
    }
}

fn sqlite_path(path: &str) -> PathBuf {
    PathBuf::from(path.strip_prefix("//").unwrap_or(path))
}

/// What people search and sort organizations by: the name, a line break and the id, folded.
pub(crate) fn search_key(id: &OrganizationId, name: &str) -> String {
    format!("{name}\n{id}").to_lowercase()
}
