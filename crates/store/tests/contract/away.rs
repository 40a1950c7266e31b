//! A database that goes away comes back by itself, and nothing acknowledged is lost.

use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use activity_logs_model::{Context, Entry, NewEntry, Person};
use activity_logs_store::{Error, LogState, Options, RecordError, Removal, Scope, Store};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::proxy::{Network, Proxy};
use crate::support::{
    ALL, EVERYTHING, Subject, assert_dense, entries, entry, everything, id, listing, log,
    newest_first, patient, person, placed, record, waiting,
};

contract!(
    a_lock_held_too_long_is_told,
    nothing_else_waits_for_slow_readings,
    a_read_only_database_is_told_and_over_when_it_takes_entries_again,
);

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

async fn nothing_else_waits_for_slow_readings(subject: Subject) {
    const READERS: u32 = 2;
    let options = Options { read_connections: READERS, ..patient() };
    let store = subject.open_with(options).await;
    let written = record(&store, vec![entry(Some("acme"), "x")]).await;
    let mut raw = subject.raw().await;
    raw.delay_readings("entries").await;
    let mut slow = JoinSet::new();
    for _ in 0..2 * READERS {
        let (store, id) = (store.clone(), written[0].id);
        slow.spawn(async move { store.find(Scope::Everything, &EVERYTHING, id).await });
    }
    sleep(Duration::from_millis(200)).await;

    let others = async {
        match store.ready().await {
            Ok(()) => {}
            // There the table is replaced to make it slow, and that is told, at once too.
            Err(Error::Unprotected(_)) if subject.path().is_some() => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(store.head().await.expect("the head"), 1);
        let state = store.log_state(&id("acme")).await.expect("its state");
        assert_eq!(state, LogState::Live("acme Inc.".to_owned()));
        assert_eq!(store.organizations(None, 0, 10).await.expect("a list").1, 1);
    };
    timeout(PATIENCE, others).await.expect("answers at once");
    assert!(slow.try_join_next().is_none(), "a slow reading was faster");
    slow.shutdown().await;
    raw.delay_no_readings("entries").await;
}

/// Makes the whole database read-only for whoever connects from now on, or no longer.
async fn set_read_only(subject: &Subject, is_read_only: bool) {
    match subject.path() {
        Some(path) => {
            // SQLite's file format, "File format version numbers": 2 can be written to, 3 only read.
            let mut file = std::fs::File::options().write(true).open(path).expect("the file");
            file.seek(std::io::SeekFrom::Start(18)).expect("its header");
            file.write_all(&[if is_read_only { 3 } else { 2 }]).expect("written");
        }
        None => {
            let (server, name) = subject.url().rsplit_once('/').expect("a database");
            let mut maintenance = Subject::raw_of(&format!("{server}/postgres")).await;
            let switch =
                format!("ALTER DATABASE {name} SET default_transaction_read_only = {is_read_only}");
            maintenance.must(&switch).await;
        }
    }
}

async fn a_read_only_database_is_told_and_over_when_it_takes_entries_again(subject: Subject) {
    let store = subject.open_with(waiting(WAIT)).await;
    record(&store, entries(Some("acme"), 1)).await;
    if subject.path().is_some() {
        store.close().await;
        set_read_only(&subject, true).await;
    } else {
        // As after a switchover: connections end, and lead to a standby from then on.
        set_read_only(&subject, true).await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        subject.raw().await.must(others).await;
        for _ in 0..3 {
            let answer = store.record(entries(Some("acme"), 1)).await;
            assert!(is_unavailable(&answer), "{answer:?}");
            let ready = store.ready().await;
            assert!(matches!(ready, Err(Error::Unavailable(_))), "{ready:?}");
        }
    }
    let opened = Store::open(subject.url(), waiting(WAIT)).await.map(|_| ());
    assert!(matches!(opened, Err(Error::ReadOnly(_))), "{opened:?}");

    set_read_only(&subject, false).await;
    let store = if subject.path().is_some() { subject.open().await } else { store };
    store.ready().await.expect("ready at once");
    store.head().await.expect("a connection to the primary");
    record(&store, entries(Some("acme"), 1)).await;
    assert_dense(&log(&store, Some("acme")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_over_when_there_is_space_again() {
    let subject = Subject::sqlite(256).await;
    let pages = Arc::new(AtomicU32::new(60));
    let options = Options { most_pages: pages.clone(), ..patient() };
    let store = subject.open_with(options).await;
    let large = || NewEntry {
        user: Person { name: "n".repeat(20_000), ..person("ada") },
        ..entry(Some("acme"), "large")
    };
    let mut recorded = 0;
    let full = loop {
        match store.record(vec![large()]).await {
            Ok(_) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 60, "the disk has a bound");
    };
    assert!(matches!(full, RecordError::Store(Error::Unavailable(_))), "{full:?}");
    for _ in 0..3 {
        // What is small may still fit. The bound is its connection's, so the last one must fail.
        let small = store.record(entries(Some("acme"), 1)).await;
        recorded += usize::from(small.is_ok());
        let answer = store.record(vec![large()]).await;
        assert!(is_unavailable(&answer), "{answer:?}");
        let ready = store.ready().await;
        assert!(matches!(ready, Err(Error::Unavailable(_))), "{ready:?}");
    }
    pages.store(10_000, Ordering::Relaxed);
    store.ready().await.expect("ready at once");
    record(&store, vec![large()]).await;
    store.ready().await.expect("ready still");
    let written = log(&store, Some("acme")).await;
    assert_eq!(written.len(), recorded + 1, "what was acknowledged, and nothing else");
    assert_dense(&written);
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
async fn connections_that_broke_while_idle_keep_nothing_from_being_ready() {
    let subject = Subject::postgres(256).await;
    let store = subject.open_with(waiting(WAIT)).await;
    let written = record(&store, entries(Some("acme"), 2)).await;
    let mut readings = JoinSet::new();
    for _ in 0..40 {
        let (store, id) = (store.clone(), written[0].id);
        readings.spawn(async move { store.find(Scope::Everything, &EVERYTHING, id).await });
    }
    readings.join_all().await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended = subject.raw().await.must(others).await;
    assert!(ended > 4, "{ended} connections were idle");
    store.ready().await.expect("ready at once");
    store.head().await.expect("a new connection");
    record(&store, entries(Some("acme"), 1)).await;
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
