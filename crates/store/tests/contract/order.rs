//! Sequences stay dense and positions rise in commit order, whoever records at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use activity_logs_model::{Entry, NewEntry};
use activity_logs_store::{RecordError, Store};
use tokio::task::JoinSet;

use crate::support::{
    ALL, EVERYTHING, Subject, assert_dense, entry, everything, listing, log, newest_first, record,
};

contract!(sequences_are_dense_and_positions_rise);

const LOGS: [Option<&str>; 4] = [Some("acme"), Some("umbrella"), Some("initech"), None];
const TASKS: usize = 8;
const REQUESTS: usize = 24;

/// One sender: its requests go to both nodes in turn, and some of them are refused.
async fn send(nodes: [Store; 2], known: NewEntry, task: usize) -> Vec<Entry> {
    let mut written: Vec<Entry> = Vec::new();
    for number in 0..REQUESTS {
        let (store, other) = (&nodes[(task + number) % 2], &nodes[(task + number + 1) % 2]);
        let mut request: Vec<_> = (0..=(task + number) % 3)
            .map(|index| entry(LOGS[(task + number + index) % 4], &format!("{task} {number}")))
            .collect();
        if number % 5 == 4 {
            request.push(NewEntry { identifier: "other".to_owned(), ..known.clone() });
            let index = request.len() - 1;
            let answer = store.record(request).await;
            assert!(matches!(answer, Err(RecordError::IdConflict(at)) if at == [index]));
            continue;
        }
        let answered = record(store, request).await;
        let newest = answered.last().map_or(0, |entry| entry.position);
        if let (Some(before), Some(first)) = (written.last(), answered.first()) {
            assert!(before.position < first.position, "what begins later has a higher position");
        }
        let head = other.head().await.expect("the head");
        assert!(head >= newest, "the other node does not see what was acknowledged");
        written.extend(answered);
    }
    written
}

/// Reads on and on up to the head: what lies at or below a head can't appear later.
async fn watch(store: Store, stop: Arc<AtomicBool>) -> usize {
    let mut seen = BTreeMap::new();
    let (mut last_head, mut rounds) = (0, 0);
    loop {
        let ending = stop.load(Ordering::Relaxed);
        let head = store.head().await.expect("the head");
        assert!(head >= last_head, "the head went back from {last_head} to {head}");
        let page = store.list(&listing(&EVERYTHING, &ALL, head)).await.expect("a page");
        for entry in &page.entries {
            let before = seen.insert(entry.position, entry.id);
            assert!(entry.position <= head);
            match before {
                Some(id) => assert_eq!(id, entry.id),
                None => assert!(entry.position > last_head, "{entry:?} appeared below {last_head}"),
            }
        }
        assert_eq!(page.entries.len(), seen.len(), "what was seen is gone");
        assert_eq!(page.total, seen.len() as u64);
        (last_head, rounds) = (head, rounds + 1);
        if ending {
            return rounds;
        }
    }
}

/// A server may be set up to promise more or less than the log needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_defaults_change_nothing() {
    let subject = Subject::postgres(256).await;
    let mut raw = subject.raw().await;
    for setting in ["default_transaction_isolation = 'serializable'", "synchronous_commit = off"] {
        let alter = format!("'ALTER DATABASE %I SET {}'", setting.replace('\'', "''"));
        raw.must(&format!("DO $$ BEGIN EXECUTE format({alter}, current_database()); END $$")).await;
    }
    sequences_are_dense_and_positions_rise(subject).await;
}

async fn sequences_are_dense_and_positions_rise(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let known = entry(Some("acme"), "known");
    let mut written = record(&nodes[0], vec![known.clone()]).await;

    let stop = Arc::new(AtomicBool::new(false));
    let watchers = [0, 1].map(|node| tokio::spawn(watch(nodes[node].clone(), stop.clone())));
    let mut senders = JoinSet::new();
    for task in 0..TASKS {
        senders.spawn(send(nodes.clone(), known.clone(), task));
    }
    written.extend(senders.join_all().await.into_iter().flatten());
    stop.store(true, Ordering::Relaxed);
    for watcher in watchers {
        let rounds = watcher.await.expect("the watcher saw nothing wrong");
        assert!(rounds > 2, "nothing was watched");
    }

    assert_eq!(everything(&nodes[1]).await, newest_first(written.clone()));
    let positions: BTreeSet<_> = written.iter().map(|entry| entry.position).collect();
    assert_eq!(positions.len(), written.len(), "a position was used twice");
    assert_eq!(positions.last().copied(), Some(nodes[0].head().await.expect("the head")));
    for name in LOGS {
        let log = log(&nodes[0], name).await;
        assert!(log.len() > TASKS, "{name:?} got too little to prove anything");
        assert_dense(&log);
    }
}
