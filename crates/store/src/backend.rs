//! What a database must do for the log.

use activity_logs_model::wire::{OrganizationItem, RecordStatus};
use activity_logs_model::{
    Context, Entry, Filter, NewEntry, OrganizationId, Outcome, Person, Timestamp, Type, Visibility,
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::{Error, RecordError};

/// Which log a reading looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Every log, the platform log included.
    Everything,
    /// One organization's log.
    Organization(&'a OrganizationId),
}

/// A page of a listing to read.
#[derive(Debug, Clone, Copy)]
pub struct ListingQuery<'a> {
    /// Which log.
    pub scope: Scope<'a>,
    /// What the caller sees of it.
    pub visibility: &'a Visibility,
    /// Which of those entries.
    pub filter: &'a Filter,
    /// The position up to which the listing looks.
    pub as_of: i64,
    /// How many entries come before the page.
    pub offset: u64,
    /// How many entries the page holds at most.
    pub limit: u64,
}

impl ListingQuery<'_> {
    /// Whether the entry is one of the listing's, `as_of` apart.
    pub(crate) fn asks_for(&self, entry: &Entry) -> bool {
        let is_in_scope = match self.scope {
            Scope::Everything => true,
            Scope::Organization(id) => entry.organization.as_ref().is_some_and(|o| o.id == *id),
        };
        is_in_scope && self.visibility.allows(entry) && self.filter.matches(entry)
    }
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, newest first by (`occurred_at`, `sequence`).
    pub entries: Vec<Entry>,
    /// How many entries the whole listing has: exact.
    pub total: u64,
}

/// What is known of an organization's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogState {
    /// Nothing was ever recorded in it.
    Absent,
    /// It lives; holds the organization's name in the newest entry of a service.
    Live(String),
    /// The organization was deleted.
    Deleted,
}

/// The end of an organization.
#[derive(Debug, Clone)]
pub struct Removal {
    /// Which.
    pub organization: OrganizationId,
    /// The administrator who ends it.
    pub user: Person,
    /// Where the request came from.
    pub context: Context,
}

/// What became of an entry that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its identity.
    pub id: Uuid,
    /// Its place in its organization's log.
    pub sequence: i64,
    /// Its place in the order of all commits.
    pub position: i64,
    /// Whether it is new or was there already.
    pub status: RecordStatus,
}

/// What is left of a deleted organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// How many entries were removed with it.
    pub entries: u64,
    /// The entry in the platform log that says so.
    pub entry: Entry,
}

/// How many entries of one type and outcome a span of time has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanCount {
    /// The span, from 0.
    pub span: usize,
    /// The type.
    pub kind: Type,
    /// The outcome.
    pub outcome: Outcome,
    /// How many; at least one.
    pub entries: u64,
}

/// What a recount has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// How many entries there are.
    pub entries: u64,
    /// How many runs of the index were made again and compared.
    pub runs: u64,
    /// What is not as the entries say, in words; empty if all is well. The first hundred.
    pub differences: Vec<String>,
}

/// How many connections there are for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// All of them.
    pub size: u32,
    /// Those that nobody uses.
    pub idle: u32,
}

/// What a process knows of its work, without asking the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The connections that record.
    pub recording: Connections,
    /// The connections that read.
    pub reading: Connections,
    /// The position up to which runs are sealed.
    pub sealed: i64,
    /// The position up to which this process has read.
    pub through: i64,
}

/// What became of the requests of one commit, in their order.
pub type Commit = Vec<Result<Vec<Recorded>, RecordError>>;

/// A database that holds the log.
///
/// Every implementation passes the same contract suite. Obligations:
/// * `commit` and `remove_organization` return only after their transaction is durable
///   (synced to the disk), and change nothing when they return an error, except that a
///   connection lost during the commit leaves the outcome unknown.
/// * They may run at the same time in several processes on one database; positions rise in
///   the order in which their transactions become visible, and sequences stay dense.
/// * A reading bounded by a position that `head` has returned sees everything up to it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Records each request, all of its entries or none, in one transaction.
    async fn commit(&self, requests: &[Vec<NewEntry>], now: Timestamp) -> Result<Commit, Error>;

    /// Takes an organization's entries out of everything that is read, leaves a tombstone and
    /// records that in the platform log, in one transaction; `remove_some` then removes them.
    async fn remove_organization(
        &self,
        removal: &Removal,
        now: Timestamp,
    ) -> Result<Removed, RecordError>;

    /// Takes out a part of what deleted organizations have left, small enough that nobody waits
    /// for long; gives whether there may be more.
    async fn remove_some(&self) -> Result<bool, Error>;

    /// The key that the database was made with: 32 random bytes.
    async fn secret(&self) -> Result<Vec<u8>, Error>;

    /// See [`Store::head`](crate::Store::head).
    async fn head(&self) -> Result<i64, Error>;

    /// See [`Store::log_state`](crate::Store::log_state).
    async fn log_state(&self, organization: &OrganizationId) -> Result<LogState, Error> {
        let mut states = self.log_states(std::slice::from_ref(organization)).await?;
        Ok(states.pop().map_or(LogState::Absent, |(_, state)| state))
    }

    /// See [`Store::log_states`](crate::Store::log_states).
    async fn log_states(
        &self,
        ids: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, LogState)>, Error>;

    /// See [`Store::list_telling`](crate::Store::list_telling).
    async fn list(
        &self,
        query: &ListingQuery<'_>,
        counted: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Page, Error>;

    /// See [`Store::count_in_spans`](crate::Store::count_in_spans).
    async fn count_in_spans(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        as_of: i64,
        bounds: &[Timestamp],
    ) -> Result<Vec<SpanCount>, Error>;

    /// See [`Store::find`](crate::Store::find).
    async fn find(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        id: Uuid,
    ) -> Result<Option<Entry>, Error>;

    /// See [`Store::organizations`](crate::Store::organizations).
    async fn organizations(
        &self,
        search: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<OrganizationItem>, u64), Error>;

    /// See [`Store::watch`](crate::Store::watch).
    fn watch(&self) -> Watched;

    /// See [`Store::ready`](crate::Store::ready).
    async fn ready(&self) -> Result<(), Error>;

    /// Closes all connections.
    async fn close(&self);
}
