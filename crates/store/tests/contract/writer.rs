//! The queue before the database: its bound, its end, and requests that share a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use activity_logs_model::{Context, JsonText, NewEntry, Timestamp};
use activity_logs_store::{Clock, Error, Options, RecordError, Removal, Store};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{
    Subject, assert_dense, entries, entry, everything, id, log, now, patient, person, record, send,
    workspace,
};

contract!(
    a_full_queue_refuses_and_keeps_what_it_took,
    a_request_larger_than_the_queue_goes_alone,
    closing_commits_what_was_accepted,
    one_poison_request_harms_no_other,
    refused_requests_cost_few_commits,
    what_one_database_can_not_hold_neither_takes,
    senders_of_what_is_refused_hold_nobody_up,
);

/// Counts the commits: the store looks at the clock for each.
#[derive(Default)]
struct CountingClock(AtomicUsize);

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(1, Ordering::Relaxed);
        now()
    }
}

/// An entry that passes the store's door and that no database takes.
fn poison() -> NewEntry {
    NewEntry { occurred_at: Some(Timestamp::from_micros(-1)), ..entry(Some("acme"), "poison") }
}

async fn a_full_queue_refuses_and_keeps_what_it_took(subject: Subject) {
    const QUEUE: usize = 64 * 1024;
    let store = subject.open_with(Options { queue_bytes: QUEUE, ..patient() }).await;
    let mut raw = subject.raw().await;
    raw.hold_write_lock().await;

    // What is large in an entry is not only its values.
    let large = |number: usize| NewEntry {
        context: Context { user_agent: Some("x".repeat(2_000)), ..Context::default() },
        user: activity_logs_model::Person { name: "n".repeat(1_000), ..person("ada") },
        ..entry(Some("acme"), &format!("number {number}"))
    };
    let (mut accepted, mut refused) = (Vec::new(), None);
    for number in 0..QUEUE / 100 {
        let new = large(number);
        match send(&store, vec![new.clone()]).await {
            Ok(pending) => accepted.push((new, pending)),
            Err(RecordError::QueueFull) => {
                refused = Some(new);
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    let refused = refused.expect("the queue has a bound");
    assert!(accepted.len() > 2, "too little fits");
    assert!(accepted.len() * 3_000 <= QUEUE, "{} requests of 3 kB fit", accepted.len());
    // What is being committed counts until it is committed.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = send(&store, vec![refused.clone()]).await.map(|_| ());
    assert!(matches!(answer, Err(RecordError::QueueFull)), "{answer:?}");
    assert_eq!(store.head().await.expect("readers do not wait"), 0);

    raw.release_write_lock().await;
    let mut sent = Vec::new();
    for (new, pending) in accepted {
        pending.await.expect("what was accepted is recorded");
        sent.push(new.id);
    }
    let written = log(&store, Some("acme")).await;
    assert_eq!(written.iter().map(|entry| Some(entry.id)).collect::<Vec<_>>(), sent);
    record(&store, vec![refused]).await;
}

async fn a_request_larger_than_the_queue_goes_alone(subject: Subject) {
    let store = subject.open_with(Options { queue_bytes: 1, ..patient() }).await;
    let mut raw = subject.raw().await;
    raw.hold_write_lock().await;
    let pending = send(&store, entries(Some("acme"), 100)).await.expect("it is accepted");
    let answer = send(&store, entries(None, 1)).await.map(|_| ());
    assert!(matches!(answer, Err(RecordError::QueueFull)), "{answer:?}");
    raw.release_write_lock().await;
    pending.await.expect("recorded");
    record(&store, entries(None, 1)).await;
    assert_eq!(everything(&store).await.len(), 101);
}

async fn closing_commits_what_was_accepted(subject: Subject) {
    let store = subject.open().await;
    let mut raw = subject.raw().await;
    raw.hold_write_lock().await;
    let mut pending = Vec::new();
    for _ in 0..5 {
        pending.push(send(&store, entries(Some("acme"), 3)).await.expect("accepted"));
        // The first is being committed when the others arrive; they wait behind it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever asked may go; what was accepted stays accepted.
    drop(pending.pop());
    // A signal and the end of the server may both close it.
    let closings = [store.clone(), store.clone()]
        .map(|store| tokio::spawn(async move { store.close().await }));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let late = store.record(entries(Some("acme"), 1)).await;
    assert!(matches!(late, Err(RecordError::Store(Error::Closed))), "{late:?}");
    raw.release_write_lock().await;

    for closing in closings {
        closing.await.expect("closed");
    }
    for request in pending {
        request.await.expect("committed");
    }
    let late = store.record(entries(Some("acme"), 1)).await;
    assert!(matches!(late, Err(RecordError::Store(Error::Closed))), "{late:?}");
    let removal =
        Removal { organization: id("acme"), user: person("root"), context: Context::default() };
    let late = store.remove_organization(removal).await;
    assert!(matches!(late, Err(RecordError::Store(Error::Closed))), "{late:?}");

    let store = subject.open().await;
    let written = log(&store, Some("acme")).await;
    assert_eq!(written.len(), 15);
    assert_dense(&written);
}

async fn one_poison_request_harms_no_other(subject: Subject) {
    let store = subject.open().await;
    let mut raw = subject.raw().await;
    // All of them wait for one commit.
    raw.hold_write_lock().await;
    let mut good = Vec::new();
    let mut poisons = Vec::new();
    for number in 0..8 {
        let mut request = entries(Some("acme"), 2);
        if number % 4 == 2 {
            request.push(poison());
            poisons.push(send(&store, request).await.expect("accepted"));
        } else {
            let ids: Vec<_> = request.iter().map(|entry| entry.id).collect();
            good.push((ids, send(&store, request).await.expect("accepted")));
        }
    }
    raw.release_write_lock().await;

    let mut sent = Vec::new();
    for (ids, request) in good {
        request.await.expect("a good request is recorded");
        sent.extend(ids);
    }
    for poison in poisons {
        let answer = poison.await;
        assert!(matches!(answer, Err(RecordError::Store(Error::Database(_)))), "{answer:?}");
    }
    let written = log(&store, Some("acme")).await;
    assert_eq!(written.iter().map(|entry| Some(entry.id)).collect::<Vec<_>>(), sent);
    assert_dense(&written);
    record(&store, entries(Some("acme"), 1)).await;
}

async fn refused_requests_cost_few_commits(subject: Subject) {
    const REQUESTS: usize = 400;
    let clock = Arc::new(CountingClock::default());
    let store = subject.open_with(Options { clock: clock.clone(), ..patient() }).await;
    let mut raw = subject.raw().await;
    raw.hold_write_lock().await;
    let mut pending = Vec::new();
    for number in 0..REQUESTS {
        let request = if number == 250 { vec![poison()] } else { entries(Some("acme"), 1) };
        pending.push(send(&store, request).await.expect("accepted"));
    }
    raw.release_write_lock().await;
    let answers = futures_util::future::join_all(pending).await;
    let refused: Vec<_> = (0..REQUESTS).filter(|number| answers[*number].is_err()).collect();
    assert_eq!(refused, [250]);
    // The first request may go alone; the others share a group.
    let commits = clock.0.load(Ordering::Relaxed);
    assert!((3..=24).contains(&commits), "{commits} commits");
    assert_dense(&log(&store, Some("acme")).await);
}

async fn what_one_database_can_not_hold_neither_takes(subject: Subject) {
    let clock = Arc::new(CountingClock::default());
    let store = subject.open_with(Options { clock: clock.clone(), ..patient() }).await;
    let with = |change: fn(&mut NewEntry)| {
        let mut entry = entry(Some("acme"), "fine");
        entry.workspace = Some(workspace("lab"));
        change(&mut entry);
        entry
    };
    let unfit = [
        ("/identifier", with(|entry| entry.identifier = "a\0b".to_owned())),
        ("/user/name", with(|entry| entry.user.name = "\0".to_owned())),
        ("/user/email", with(|entry| entry.user.email = Some("a@\0".to_owned()))),
        ("/organization/name", with(|e| e.organization.as_mut().expect("one").name.push('\0'))),
        ("/workspace/name", with(|e| e.workspace.as_mut().expect("one").name.push('\0'))),
        ("/old_value", with(|e| e.old_value = Some(JsonText::from_stored("\"\0\"".to_owned())))),
        ("/new_value", with(|e| e.new_value = Some(JsonText::from_stored("\"\0\"".to_owned())))),
        ("/context/ip_address", with(|e| e.context.ip_address = Some("\0".to_owned()))),
        ("/context/user_agent", with(|e| e.context.user_agent = Some("\0".to_owned()))),
        ("/context/request_id", with(|e| e.context.request_id = Some("\0".to_owned()))),
    ];
    for (at, entry) in unfit {
        let answer = store.record(vec![with(|_| ()), entry]).await;
        let is_told =
            matches!(&answer, Err(RecordError::UnfitText { index: 1, pointer }) if *pointer == at);
        assert!(is_told, "{at}: {answer:?}");
    }
    assert_eq!(clock.0.load(Ordering::Relaxed), 0, "refused at the door");
    record(&store, vec![with(|_| ())]).await;
    assert_eq!(everything(&store).await.len(), 1);

    let user = activity_logs_model::Person { name: "\0".to_owned(), ..person("root") };
    let removal = Removal { organization: id("acme"), user, context: Context::default() };
    let answer = store.remove_organization(removal).await;
    assert!(matches!(answer, Err(RecordError::UnfitText { .. })), "{answer:?}");
    assert_eq!(everything(&store).await.len(), 1, "nothing was removed");
}

/// How long it takes four senders to record, each one request after the other.
async fn time_to_record(store: &Store) -> Duration {
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        senders.spawn(async move {
            for _ in 0..25 {
                store.record(entries(Some("acme"), 20)).await.expect("recorded");
            }
        });
    }
    senders.join_all().await;
    begun.elapsed()
}

async fn senders_of_what_is_refused_hold_nobody_up(subject: Subject) {
    let store = subject.open().await;
    time_to_record(&store).await;
    let alone = time_to_record(&store).await;
    let mut others = JoinSet::new();
    let (unfit, bad) = (store.clone(), store.clone());
    // Refused at the door: as many as a sender likes, who waits for no answer.
    others.spawn(async move {
        loop {
            let entry = NewEntry { identifier: "\0".to_owned(), ..entry(Some("acme"), "") };
            drop(send(&unfit, vec![entry]).await);
            sleep(Duration::from_millis(1)).await;
        }
    });
    // Refused by the database: one at a time.
    others.spawn(async move {
        loop {
            assert!(bad.record(vec![poison()]).await.is_err(), "it is refused");
        }
    });
    let beside = time_to_record(&store).await;
    others.shutdown().await;
    assert!(
        beside < 10 * alone + Duration::from_secs(1),
        "{alone:?} alone, {beside:?} beside them"
    );
    assert_eq!(everything(&store).await.len(), 3 * 4 * 25 * 20);
}
