//! What all parts of the suite need: a database of the test's own, entries, and a hand on
//! the database beside the store.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use activity_logs_model::wire::RecordStatus;
use activity_logs_model::{
    Context, Entry, Filter, NewEntry, OrganizationId, OrganizationRef, Outcome, Person, Timestamp,
    Type, Visibility, WorkspaceRef,
};
use activity_logs_store::testing::TestDatabase;
use activity_logs_store::{
    Clock, ListingQuery, Options, RecordError, Recorded, Scope, SpanCount, Store, check,
};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// The present instant of every store here, so that a test knows each entry in full.
pub(crate) fn now() -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_000_000)
}

pub(crate) static ALL: Filter = Filter {
    types: Vec::new(),
    without_types: Vec::new(),
    actions: Vec::new(),
    outcomes: Vec::new(),
    users: Vec::new(),
    workspaces: Vec::new(),
    organizations: Vec::new(),
    from: None,
    to: None,
};

pub(crate) static EVERYTHING: Visibility = Visibility::Everything;

/// Waits long enough for whatever a test does to a database on a busy machine.
pub(crate) fn patient() -> Options {
    waiting(Duration::from_secs(40))
}

pub(crate) fn waiting(wait: Duration) -> Options {
    Options { clock: Arc::new(StoppedClock), wait, ..Options::default() }
}

/// A database under test.
pub(crate) struct Subject(TestDatabase);

impl Subject {
    /// With runs of so many positions.
    pub(crate) async fn sqlite(run_entries: u32) -> Self {
        Self::with_runs_of(run_entries, TestDatabase::sqlite()).await
    }

    /// With runs of so many positions.
    pub(crate) async fn postgres(run_entries: u32) -> Self {
        Self::with_runs_of(run_entries, TestDatabase::postgres().await).await
    }

    async fn with_runs_of(run_entries: u32, database: TestDatabase) -> Self {
        database.set_run_entries(run_entries).await;
        Self(database)
    }

    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }

    /// The file, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.url().strip_prefix("sqlite:").map(Path::new)
    }

    /// What a check tells.
    pub(crate) async fn differences(&self) -> Vec<String> {
        check(self.url()).await.expect("a check").differences
    }

    pub(crate) async fn open(&self) -> Store {
        self.open_with(patient()).await
    }

    pub(crate) async fn open_with(&self, options: Options) -> Store {
        Store::open(self.url(), options).await.expect("the database opens")
    }

    /// Two services on one database, as two processes would have it: they share nothing else.
    pub(crate) async fn two_nodes(&self) -> [Store; 2] {
        [self.open().await, self.open().await]
    }

    /// A connection past the store, with all rights there are.
    pub(crate) async fn raw(&self) -> Raw {
        Self::raw_of(self.url()).await
    }

    pub(crate) async fn raw_of(url: &str) -> Raw {
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let options = options.busy_timeout(Duration::from_secs(30));
                Raw::Sqlite(SqliteConnection::connect_with(&options).await.expect("the file opens"))
            }
            None => Raw::Postgres(PgConnection::connect(url).await.expect("the server answers")),
        }
    }
}

/// A connection past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

const SLOW: &str = "0 < ( \
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000000) \
    SELECT COUNT(*) FROM numbers)";

impl Raw {
    pub(crate) async fn execute(&mut self, statement: &str) -> Result<u64, sqlx::Error> {
        let statement = AssertSqlSafe(statement.to_owned());
        Ok(match self {
            Raw::Sqlite(connection) => connection.execute(statement).await?.rows_affected(),
            Raw::Postgres(connection) => connection.execute(statement).await?.rows_affected(),
        })
    }

    pub(crate) async fn must(&mut self, statement: &str) -> u64 {
        self.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The first column of each row, as text.
    pub(crate) async fn texts(&mut self, query: &str) -> Vec<String> {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match self {
            Raw::Sqlite(connection) => sqlx::query_scalar(query).fetch_all(connection).await,
            Raw::Postgres(connection) => sqlx::query_scalar(query).fetch_all(connection).await,
        }
        .expect("a list of texts")
    }

    /// The columns of a table.
    pub(crate) async fn columns(&mut self, table: &str) -> Vec<String> {
        let query = match self {
            Raw::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Raw::Postgres(_) => format!(
                "SELECT attname::text FROM pg_attribute \
                 WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            ),
        };
        self.texts(&query).await
    }

    /// Takes away what keeps others from writing entries to positions that are taken.
    pub(crate) async fn let_positions_be_taken(&mut self) {
        if let Raw::Postgres(_) = self {
            // No triggers for this connection.
            self.must("SET session_replication_role = replica").await;
        }
        let names = match self {
            Raw::Sqlite(_) => {
                "SELECT 'TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'entries' \
                 UNION ALL SELECT 'INDEX ' || name FROM pragma_index_list('entries') AS list \
                 WHERE \"unique\" = 1 AND origin = 'c' AND (SELECT COUNT(*) FROM pragma_index_info(list.name)) = 1"
            }
            Raw::Postgres(_) => {
                "SELECT 'INDEX ' || indexrelid::regclass::text FROM pg_index \
                 WHERE indrelid = 'entries'::regclass AND indisunique AND indnkeyatts = 1"
            }
        };
        for name in self.texts(names).await {
            self.must(&format!("DROP {name}")).await;
        }
    }

    /// Waits until this query returns this text alone.
    pub(crate) async fn until(&mut self, query: &str, expected: &str) {
        for _ in 0..400 {
            if self.texts(query).await == [expected] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{query}: {expected} did not come");
    }

    /// On PostgreSQL, does what follows as the role that the service works as.
    pub(crate) async fn work_as_service(&mut self) {
        self.must("SELECT set_config('role', service_role(), false)").await;
    }

    /// Lets everything be changed, as the owner of the database can have it.
    pub(crate) async fn drop_triggers(&mut self) {
        let statements = match self {
            Raw::Sqlite(_) => {
                "SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'"
            }
            Raw::Postgres(_) => {
                "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) \
                 FROM pg_trigger WHERE NOT tgisinternal"
            }
        };
        for statement in self.texts(statements).await {
            self.must(&statement).await;
        }
    }

    /// Takes what a commit needs, as another node's long commit would.
    pub(crate) async fn hold_write_lock(&mut self) {
        match self {
            Raw::Sqlite(_) => self.must("BEGIN IMMEDIATE").await,
            Raw::Postgres(_) => {
                self.must("BEGIN").await;
                self.must("SELECT position FROM service_head WHERE id = 1 FOR UPDATE").await
            }
        };
    }

    pub(crate) async fn release_write_lock(&mut self) {
        self.must("ROLLBACK").await;
    }

    /// From now on, what reads a table takes long. Nothing locks readers of SQLite out, so there
    /// the table becomes a view that takes seconds to compute.
    pub(crate) async fn delay_readings(&mut self, table: &str) {
        match self {
            Raw::Sqlite(_) => {
                self.must(&format!("ALTER TABLE {table} RENAME TO kept_{table}")).await;
                let view =
                    format!("CREATE VIEW {table} AS SELECT * FROM kept_{table} WHERE {SLOW}");
                self.must(&view).await
            }
            Raw::Postgres(_) => {
                self.must("BEGIN").await;
                self.must(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await
            }
        };
    }

    pub(crate) async fn delay_no_readings(&mut self, table: &str) {
        match self {
            Raw::Sqlite(_) => {
                self.must(&format!("DROP VIEW {table}")).await;
                self.must(&format!("ALTER TABLE kept_{table} RENAME TO {table}")).await
            }
            Raw::Postgres(_) => self.must("ROLLBACK").await,
        };
    }
}

/// Reads an id or token that the test wrote itself.
pub(crate) fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a well-formed id or token")
}

pub(crate) fn organization(name: &str) -> OrganizationRef {
    OrganizationRef { id: id(name), name: format!("{name} Inc.") }
}

pub(crate) fn workspace(name: &str) -> WorkspaceRef {
    WorkspaceRef { id: id(name), name: format!("The {name}") }
}

pub(crate) fn person(name: &str) -> Person {
    Person { id: id(name), name: format!("{name} Abara"), email: None }
}

/// A plain entry with an id of its own, in an organization's log or the platform log.
pub(crate) fn entry(log: Option<&str>, identifier: &str) -> NewEntry {
    NewEntry {
        id: Some(Uuid::now_v7()),
        occurred_at: None,
        kind: id("Users"),
        action: id("Fetch"),
        outcome: Outcome::Success,
        user: person("ada"),
        organization: log.map(organization),
        workspace: None,
        identifier: identifier.to_owned(),
        old_value: None,
        new_value: None,
        context: Context::default(),
        question: None,
    }
}

/// That many plain entries for one log.
pub(crate) fn entries(log: Option<&str>, count: usize) -> Vec<NewEntry> {
    (0..count).map(|number| entry(log, &format!("number {number}"))).collect()
}

/// The entry as it must read once it has its place.
pub(crate) fn placed(new: &NewEntry, place: &Recorded) -> Entry {
    new.clone().recorded(place.id, now(), place.position, place.sequence)
}

/// Records entries that are all new, and tells how they must read.
pub(crate) async fn record(store: &Store, new: Vec<NewEntry>) -> Vec<Entry> {
    let places = store.record(new.clone()).await.expect("recorded");
    assert_eq!(places.len(), new.len());
    assert!(places.iter().all(|place| place.status == RecordStatus::New), "{places:?}");
    new.iter().zip(&places).map(|(new, place)| placed(new, place)).collect()
}

pub(crate) fn newest_first(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| Reverse((entry.occurred_at, entry.sequence, entry.position)));
    entries
}

/// The whole listing up to a position, over all logs, unless changed.
pub(crate) fn listing<'a>(
    visibility: &'a Visibility,
    filter: &'a Filter,
    as_of: i64,
) -> ListingQuery<'a> {
    ListingQuery {
        scope: Scope::Everything,
        visibility,
        filter,
        as_of,
        offset: 0,
        limit: 1_000_000,
    }
}

/// All entries that there are, newest first.
pub(crate) async fn everything(store: &Store) -> Vec<Entry> {
    let head = store.head().await.expect("the head");
    let page = store.list(&listing(&EVERYTHING, &ALL, head)).await.expect("a page");
    assert_eq!(page.total, page.entries.len() as u64);
    page.entries
}

/// The log of one organization, or the platform log, in the order of its sequence.
pub(crate) async fn log(store: &Store, organization: Option<&str>) -> Vec<Entry> {
    let wanted: Option<OrganizationId> = organization.map(id);
    let mut entries = everything(store).await;
    entries.retain(|entry| entry.organization.as_ref().map(|o| &o.id) == wanted.as_ref());
    entries.sort_by_key(|entry| entry.sequence);
    entries
}

/// That the entries of one log, in the order of their sequences, have no gap and rise.
pub(crate) fn assert_dense(log: &[Entry]) {
    let sequences: Vec<_> = log.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (0..log.len() as i64).collect::<Vec<_>>());
    assert!(log.is_sorted_by(|a, b| a.position < b.position), "positions rise with sequences");
}

/// How many of these entries each span has, by type and outcome.
pub(crate) fn counted<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    bounds: &[Timestamp],
) -> BTreeMap<(usize, Type, Outcome), u64> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        let at = entry.occurred_at;
        if let Some(span) = bounds.windows(2).position(|span| (span[0]..span[1]).contains(&at)) {
            *counts.entry((span, entry.kind.clone(), entry.outcome)).or_default() += 1;
        }
    }
    counts
}

/// The same, as the store tells it.
pub(crate) fn told(counts: Vec<SpanCount>) -> BTreeMap<(usize, Type, Outcome), u64> {
    let told = counts.len();
    let counts: BTreeMap<_, _> =
        counts.into_iter().map(|c| ((c.span, c.kind, c.outcome), c.entries)).collect();
    assert_eq!(counts.len(), told, "each count is told once");
    counts
}

type Answer = Result<Vec<Recorded>, RecordError>;

/// A request that was accepted and has no answer yet.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Sends a request without waiting for its answer; fails if it is refused at once.
pub(crate) async fn send(store: &Store, entries: Vec<NewEntry>) -> Result<Pending, RecordError> {
    let store = store.clone();
    let mut request: Pending = Box::pin(async move { store.record(entries).await });
    let first = poll_fn(|context| {
        Poll::Ready(match request.as_mut().poll(context) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        })
    });
    match first.await {
        Some(Err(refusal)) => Err(refusal),
        Some(Ok(_)) => panic!("a commit can't be over so soon"),
        None => Ok(request),
    }
}
