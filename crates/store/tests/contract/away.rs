//! A database that goes away comes back by itself, and nothing acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use activity_logs_model::{Context, Entry};
use activity_logs_store::{Error, RecordError, Removal, Store};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::proxy::{Network, Proxy};
use crate::support::{
    ALL, EVERYTHING, Subject, assert_dense, entries, entry, everything, id, listing, log,
    newest_first, person, placed, record, waiting,
};

contract!(a_lock_held_too_long_is_told);

const WAIT: Duration = Duration::from_secs(1);
/// Far more than [`WAIT`], for a busy machine; far less than for ever.
const PATIENCE: Duration = Duration::from_secs(20);

fn is_unavailable<T>(answer: &Result<T, RecordError>) -> bool {
    matches!(answer, Err(RecordError::Store(Error::Unavailable(_))))
}

async fn a_lock_held_too_long_is_told(subject: Subject) {
    let store = subject.open_with(waiting(WAIT)).await;
    let written = record(&store, entries(Some("acme"), 2)).await;
    let mut raw = subject.raw().await;
    raw.hold_write_lock().await;

    let new = entries(Some("acme"), 2);
    let answer = timeout(PATIENCE, store.record(new.clone())).await.expect("an answer in time");
    assert!(is_unavailable(&answer), "{answer:?}");
    let removal =
        Removal { organization: id("acme"), user: person("root"), context: Context::default() };
    let answer = timeout(PATIENCE, store.remove_organization(removal)).await.expect("in time");
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!(everything(&store).await, newest_first(written), "readers do not wait");
    store.ready().await.expect("ready to read");

    raw.release_write_lock().await;
    let later = record(&store, new).await;
    assert_eq!(later.last().map(|entry| entry.sequence), Some(3), "nothing was recorded before");
}

/// That reading and recording fail, and say why.
async fn assert_away(store: &Store) {
    let reads = async {
        let head = store.head().await.map(|_| ());
        let list = store.list(&listing(&EVERYTHING, &ALL, 1)).await.map(|_| ());
        let ready = store.ready().await;
        [head, list, ready]
    };
    for answer in timeout(PATIENCE, reads).await.expect("answers in time") {
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    }
    let record = store.record(entries(Some("umbrella"), 1));
    let answer = timeout(PATIENCE, record).await.expect("an answer in time");
    assert!(is_unavailable(&answer), "{answer:?}");
}

async fn assert_back(store: &Store) {
    let back = async {
        while store.ready().await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("the store finds its database again");
}

/// Records on and on, and repeats each request until it is answered.
async fn persist(store: Store, stop: Arc<AtomicBool>) -> (Vec<Entry>, usize) {
    let (mut acknowledged, mut failures) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let request = vec![entry(Some("acme"), "x"), entry(None, "y")];
        let places = loop {
            match store.record(request.clone()).await {
                Ok(places) => break places,
                answer if is_unavailable(&answer) => {
                    failures += 1;
                    sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        acknowledged.extend(request.iter().zip(&places).map(|(new, place)| placed(new, place)));
    }
    (acknowledged, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_network_loses_nothing_that_was_acknowledged() {
    let subject = Subject::postgres(256).await;
    let proxy = Proxy::before(subject.url()).await;
    let store = Store::open(proxy.url(), waiting(WAIT)).await.expect("it opens");

    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        senders.spawn(persist(store.clone(), stop.clone()));
    }
    for round in 0..12 {
        // Cut at various points of a commit.
        sleep(Duration::from_micros(20_000 + 1_700 * round)).await;
        proxy.set(Network::Cut);
        if round % 6 == 0 {
            assert_away(&store).await;
        }
        proxy.set(Network::Up);
        assert_back(&store).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    let mut failures = 0;
    for (entries, failed) in senders.join_all().await {
        acknowledged.extend(entries);
        failures += failed;
    }
    assert!(failures > 0, "no sender noticed");

    let direct = subject.open().await;
    let acknowledged = newest_first(acknowledged);
    assert_eq!(everything(&direct).await.len(), acknowledged.len());
    assert_eq!(everything(&direct).await, acknowledged);
    assert_dense(&log(&direct, Some("acme")).await);
    assert_dense(&log(&direct, None).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_network_is_told() {
    let subject = Subject::postgres(256).await;
    let proxy = Proxy::before(subject.url()).await;
    let store = Store::open(proxy.url(), waiting(WAIT)).await.expect("it opens");
    let written = record(&store, entries(Some("acme"), 2)).await;

    proxy.set(Network::Silent);
    assert_away(&store).await;
    proxy.set(Network::Up);
    assert_back(&store).await;
    assert_eq!(everything(&store).await, newest_first(written));
    record(&store, entries(Some("acme"), 1)).await;
}
