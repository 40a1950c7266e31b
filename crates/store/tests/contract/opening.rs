//! Databases are made, brought up to date and opened again.

use activity_logs_store::{Error, Store};
use tokio::task::JoinSet;

use crate::support::{
    Subject, assert_dense, entries, everything, log, newest_first, patient, record,
};

contract!(nodes_start_at_once_on_a_new_database, a_newer_schema_is_not_current);

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

#[tokio::test]
async fn other_databases_are_refused() {
    for url in ["", "sqlite", "mysql://localhost/log", "data/log.db"] {
        let opened = Store::open(url, patient()).await;
        assert!(matches!(opened, Err(Error::UnknownDatabase)), "{url:?}");
    }
}
