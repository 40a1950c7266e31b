//! Databases are made, brought up to date and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use activity_logs_model::{Context, Timestamp};
use activity_logs_store::{Clock, Error, Options, Removal, Store};
use tokio::task::JoinSet;

use crate::support::{
    Subject, assert_dense, entries, everything, id, log, newest_first, patient, person, record,
};

contract!(
    nodes_start_at_once_on_a_new_database,
    a_newer_schema_is_not_current,
    a_clock_that_goes_back_takes_no_time_back,
);

async fn nodes_start_at_once_on_a_new_database(subject: Subject) {
    let mut starts = JoinSet::new();
    for _ in 0..6 {
        let url = subject.url().to_owned();
        starts.spawn(async move {
            let store = Store::open(&url, patient()).await.expect("the node starts");
            store.ready().await.expect("the node is ready");
            let written = record(&store, entries(Some("acme"), 2)).await;
            (store, written)
        });
    }
    let (nodes, written): (Vec<_>, Vec<_>) = starts.join_all().await.into_iter().unzip();
    let written = newest_first(written.into_iter().flatten().collect());
    for store in &nodes {
        assert_eq!(everything(store).await, written);
        store.close().await;
    }
    let store = subject.open().await;
    store.ready().await.expect("ready again");
    assert_eq!(everything(&store).await, written);
    assert_dense(&log(&store, Some("acme")).await);
}

async fn a_newer_schema_is_not_current(subject: Subject) {
    let store = subject.open().await;
    let mut raw = subject.raw().await;
    raw.must(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'of a newer program', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    )
    .await;
    let ready = store.ready().await;
    assert!(matches!(ready, Err(Error::SchemaNotCurrent)), "{ready:?}");
    let opened = Store::open(subject.url(), patient()).await;
    assert!(matches!(opened, Err(Error::Migration(_))), "an old program must not start on it");
}

/// A clock that a test sets.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(self.0.load(Ordering::Relaxed))
    }
}

async fn a_clock_that_goes_back_takes_no_time_back(subject: Subject) {
    const DAY: i64 = 24 * 60 * 60;
    let clock = Arc::new(SetClock(AtomicI64::new(1_000 * DAY)));
    let options = || Options { clock: clock.clone(), ..patient() };
    let recorded_at = async |store: &Store| {
        store.record(entries(Some("acme"), 1)).await.expect("recorded");
        let log = log(store, Some("acme")).await;
        assert!(log.is_sorted_by_key(|entry| entry.recorded_at), "it goes back");
        let newest = log.last().expect("an entry");
        assert_eq!(newest.occurred_at, newest.recorded_at);
        newest.recorded_at
    };
    let store = subject.open_with(options()).await;
    let first = recorded_at(&store).await;
    assert_eq!(first, clock.now());
    clock.0.store(999 * DAY, Ordering::Relaxed);
    assert_eq!(recorded_at(&store).await, first);
    // Another node, and a process after a restart.
    assert_eq!(recorded_at(&subject.open_with(options()).await).await, first);
    store.close().await;
    let store = subject.open_with(options()).await;
    assert_eq!(recorded_at(&store).await, first);
    let removal =
        Removal { organization: id("acme"), user: person("root"), context: Context::default() };
    let receipt = store.remove_organization(removal).await.expect("removed");
    assert_eq!(receipt.entry.recorded_at, first);
    clock.0.store(1_001 * DAY, Ordering::Relaxed);
    record(&store, entries(None, 1)).await;
    assert_eq!(log(&store, None).await[1].recorded_at, clock.now(), "it goes on by itself");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("data");
    let url = format!("sqlite:{}", folder.join("log.db").display());
    let store = Store::open(&url, patient()).await.expect("it opens");
    record(&store, entries(None, 1)).await;
    let mode =
        |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for file in folder.read_dir().expect("a folder").flatten() {
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        names.push(file.file_name().into_string().expect("a name"));
    }
    names.sort();
    assert_eq!(names, ["log.db", "log.db-lock", "log.db-shm", "log.db-wal"]);
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let subject = Subject::postgres(256).await;
    let (server, name) = subject.url().rsplit_once('/').expect("a database");
    let mut maintenance = Subject::raw_of(&format!("{server}/postgres")).await;
    // With the name that is removed after the test.
    maintenance.must(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    let create = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    maintenance.must(&format!("CREATE DATABASE {name} {create}")).await;
    let opened = Store::open(subject.url(), patient()).await.map(|_| ());
    assert!(matches!(&opened, Err(Error::Encoding(name)) if name == "SQL_ASCII"), "{opened:?}");
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    assert!(subject.raw().await.texts(tables).await.is_empty(), "nothing was made in it");
}

#[tokio::test]
async fn other_databases_are_refused() {
    for url in ["", "sqlite", "mysql://localhost/log", "data/log.db"] {
        let opened = Store::open(url, patient()).await;
        assert!(matches!(opened, Err(Error::UnknownDatabase)), "{url:?}");
    }
}
