//! Databases for tests: each test has its own, on either kind, and leaves nothing behind.

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use activity_logs_model::{Entry, JsonText};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Error, Options, Store, postgres, sqlite};

/// Names a PostgreSQL server that tests may make databases in, by the URL of any database of
/// it; the role must be a superuser. `cargo xtask test` starts a server and sets this.
pub const POSTGRES_VARIABLE: &str = "ACTIVITY_LOGS_TEST_POSTGRES";

/// A database of one test, empty at first. Dropped with it.
pub struct TestDatabase {
    url: String,
    _home: Home,
}

enum Home {
    Folder { _folder: TempDir },
    Server { name: String },
}

impl TestDatabase {
    /// A SQLite file in a folder of its own.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("log.db").display());
        Self { url, _home: Home::Folder { _folder: folder } }
    }

    /// A database of its own on the tests' PostgreSQL server.
    ///
    /// # Panics
    /// When there is no such server: says how to get one.
    pub async fn postgres() -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut connection = maintenance().await;
        let statement = format!("CREATE DATABASE {name}");
        connection.execute(AssertSqlSafe(statement)).await.expect("a database of the test's own");
        let url = server_url();
        let (server, _) = url.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{server}/{name}"), _home: Home::Server { name } }
    }

    /// Makes its runs shorter than those of a service, so that few entries fill many.
    ///
    /// # Panics
    /// When the database does not take it; nothing may be recorded in it yet.
    pub async fn set_run_entries(&self, run_entries: u32) {
        let statement =
            format!("UPDATE service_head SET run_entries = {run_entries} WHERE position = 0");
        let store = Store::open(&self.url, Options::default()).await.expect("the database opens");
        store.close().await;
        let done = if let Some(path) = self.url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new().filename(path);
            let mut file = SqliteConnection::connect_with(&options).await.expect("the file opens");
            file.execute(AssertSqlSafe(statement)).await.expect("the runs' length").rows_affected()
        } else {
            let mut server = PgConnection::connect(&self.url).await.expect("the server answers");
            server
                .execute(AssertSqlSafe(statement))
                .await
                .expect("the runs' length")
                .rows_affected()
        };
        assert_eq!(done, 1, "something was recorded already");
    }

    /// The URL that [`Store::open`](crate::Store::open) takes.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The statements that listings are read by: lists of runs, chunks of keys, facts of recent
/// entries, lists of types and outcomes, and entries by position.
pub fn hot_statements(url: &str) -> Vec<String> {
    if url.starts_with("sqlite:") { sqlite::hot_statements() } else { postgres::hot_statements() }
}

/// The baseline of recording: the same rows into the same table with the same indexes and the same
/// durability, and nothing that counts them. On SQLite a bare loop of prepared batch inserts of
/// `batch` rows, each committed; on PostgreSQL one COPY.
///
/// # Errors
/// [`Error`] when the database fails.
pub async fn insert_bare(url: &str, entries: &[Entry], batch: usize) -> Result<Duration, Error> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let database = sqlite::open(Path::new(path), &Options::default()).await?;
        let started = Instant::now();
        for entries in entries.chunks(batch) {
            sqlite::insert_bare(&database, entries).await?;
        }
        return Ok(started.elapsed());
    }
    Store::open(url, Options::default()).await?.close().await;
    let rows: String = entries.iter().map(copy_row).collect();
    let mut connection = PgConnection::connect(url).await?;
    let started = Instant::now();
    let statement = format!("COPY entries ({}) FROM STDIN", postgres::log::COLUMNS);
    let mut copy = connection.copy_in_raw(&statement).await?;
    copy.send(rows.as_bytes()).await?;
    copy.finish().await?;
    Ok(started.elapsed())
}

/// A row in the text format of COPY (PostgreSQL's manual, "COPY").
fn copy_row(entry: &Entry) -> String {
    let text = |text: &str| {
        let escaped = text.replace('\\', "\\\\").replace('\t', "\\t");
        escaped.replace('\n', "\\n").replace('\r', "\\r")
    };
    let optional = |value: Option<&str>| value.map_or("\\N".to_owned(), text);
    let columns = [
        entry.organization.as_ref().map_or(String::new(), |o| o.id.to_string()),
        entry.sequence.to_string(),
        entry.position.to_string(),
        entry.id.to_string(),
        entry.occurred_at.as_micros().to_string(),
        entry.recorded_at.as_micros().to_string(),
        entry.kind.to_string(),
        entry.action.to_string(),
        entry.outcome.as_str().to_owned(),
        entry.user.id.to_string(),
        text(&entry.user.name),
        optional(entry.user.email.as_deref()),
        optional(entry.organization.as_ref().map(|o| o.name.as_str())),
        optional(entry.workspace.as_ref().map(|w| w.id.as_str())),
        optional(entry.workspace.as_ref().map(|w| w.name.as_str())),
        text(&entry.identifier),
        optional(entry.old_value.as_ref().map(JsonText::as_str)),
        optional(entry.new_value.as_ref().map(JsonText::as_str)),
        optional(entry.context.ip_address.as_deref()),
        optional(entry.context.user_agent.as_deref()),
        optional(entry.context.request_id.as_deref()),
    ];
    columns.join("\t") + "\n"
}

/// Bounds the pages of a SQLite file, for each connection as it is made.
pub(crate) fn with_most_pages(pool: SqlitePoolOptions, options: &Options) -> SqlitePoolOptions {
    let most = options.most_pages.clone();
    pool.after_connect(move |connection, _| {
        let bound = format!("PRAGMA max_page_count = {}", most.load(Ordering::Relaxed));
        Box::pin(async move { connection.execute(AssertSqlSafe(bound)).await.map(|_| ()) })
    })
}

fn server_url() -> String {
    std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_VARIABLE} is not set; `cargo xtask test` starts a PostgreSQL server and sets it")
    })
}

async fn maintenance() -> PgConnection {
    let options = PgConnectOptions::from_str(&server_url()).expect("a PostgreSQL URL");
    PgConnection::connect_with(&options).await.expect("the tests' PostgreSQL server answers")
}

impl Drop for Home {
    fn drop(&mut self) {
        let Home::Server { name } = self else { return };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let role = format!("DROP ROLE IF EXISTS activity_logs_{name}");
        // A runtime of its own: a test's may be ending.
        let drop = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut server = maintenance().await;
                let _ = server.execute(AssertSqlSafe(statement)).await;
                let _ = server.execute(AssertSqlSafe(role)).await;
            });
        });
        let _ = drop.join();
    }
}
