//! The same entry is recorded once, however often, wherever and whenever it is sent.

use activity_logs_model::wire::RecordStatus;
use activity_logs_model::{Context, JsonText, NewEntry, OrganizationRef, Outcome, Timestamp};
use activity_logs_store::{RecordError, Recorded, Scope};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{
    EVERYTHING, Subject, entries, entry, everything, id, newest_first, organization, placed,
    record, workspace,
};

contract!(
    concurrent_duplicates_are_recorded_once,
    a_repetition_may_leave_out_the_time,
    every_difference_is_a_conflict,
    a_conflict_refuses_the_whole_request,
    conflicting_senders_have_one_winner,
    each_log_has_its_own_ids,
);

fn places(answer: &[Recorded]) -> Vec<(Uuid, i64, i64)> {
    answer.iter().map(|place| (place.id, place.sequence, place.position)).collect()
}

async fn concurrent_duplicates_are_recorded_once(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let mut batch = entries(Some("acme"), 12);
    batch.extend(entries(None, 4));
    batch.extend(entries(Some("umbrella"), 4));

    let mut senders = JoinSet::new();
    for number in 0..16 {
        let (store, batch) = (nodes[number % 2].clone(), batch.clone());
        senders.spawn(async move { store.record(batch).await.expect("recorded") });
    }
    let answers = senders.join_all().await;

    for answer in &answers {
        assert_eq!(places(answer), places(&answers[0]));
    }
    for index in 0..batch.len() {
        let is_new = |answer: &&Vec<Recorded>| answer[index].status == RecordStatus::New;
        assert_eq!(answers.iter().filter(is_new).count(), 1, "entry {index}");
    }
    let expected: Vec<_> =
        batch.iter().zip(&answers[0]).map(|(new, place)| placed(new, place)).collect();
    for store in &nodes {
        assert_eq!(everything(store).await, newest_first(expected.clone()));
        store.close().await;
    }

    let store = subject.open().await;
    let again = store.record(batch).await.expect("an answer");
    assert!(again.iter().all(|place| place.status == RecordStatus::Duplicate), "{again:?}");
    assert_eq!(places(&again), places(&answers[0]));
    assert_eq!(everything(&store).await, newest_first(expected));
}

async fn a_repetition_may_leave_out_the_time(subject: Subject) {
    let store = subject.open().await;
    let at = Some(Timestamp::EPOCH.plus_seconds(7));
    let without_time = entry(Some("acme"), "sent without a time");
    let with_time = NewEntry { occurred_at: at, ..entry(Some("acme"), "sent with a time") };
    let written = record(&store, vec![without_time.clone(), with_time.clone()]).await;

    let repetition = vec![without_time.clone(), NewEntry { occurred_at: None, ..with_time }];
    let again = store.record(repetition).await.expect("an answer");
    assert!(again.iter().all(|place| place.status == RecordStatus::Duplicate), "{again:?}");
    assert_eq!(everything(&store).await, newest_first(written));

    let other_time = NewEntry { occurred_at: at, ..without_time };
    let refusal = store.record(vec![other_time]).await;
    assert!(matches!(refusal, Err(RecordError::IdConflict(at)) if at == [0]));
}

async fn every_difference_is_a_conflict(subject: Subject) {
    let store = subject.open().await;
    let value = |text: &str| JsonText::parse(text).expect("a value");
    let original = NewEntry {
        occurred_at: Some(Timestamp::EPOCH),
        action: id("Update"),
        workspace: Some(workspace("ws-1")),
        old_value: value("1"),
        new_value: value("{\"a\":1}"),
        ..entry(Some("acme"), "x")
    };
    let written = record(&store, vec![original.clone()]).await;

    let changes: [fn(&mut NewEntry); 17] = [
        |e| e.occurred_at = Some(Timestamp::from_micros(1)),
        |e| e.kind = id("Plans"),
        |e| e.action = id("Create"),
        |e| e.outcome = Outcome::Failure,
        |e| e.user.id = id("Ada"),
        |e| e.user.name.push(' '),
        |e| e.user.email = Some("ada@example.com".to_owned()),
        |e| {
            e.organization =
                Some(OrganizationRef { name: "New".to_owned(), ..organization("acme") });
        },
        |e| e.workspace = None,
        |e| e.workspace = Some(workspace("WS-1")),
        |e| e.identifier = "X".to_owned(),
        |e| e.old_value = None,
        |e| e.new_value = None,
        |e| e.new_value = JsonText::parse("{\"a\":2}").expect("a value"),
        |e| e.context = Context { ip_address: Some("::1".to_owned()), ..Context::default() },
        |e| e.context = Context { user_agent: Some("x".to_owned()), ..Context::default() },
        |e| e.context = Context { request_id: Some("x".to_owned()), ..Context::default() },
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = original.clone();
        change(&mut changed);
        let answer = store.record(vec![changed]).await;
        assert!(matches!(answer, Err(RecordError::IdConflict(at)) if at == [0]), "change {number}");
    }
    assert_eq!(everything(&store).await, written);
}

async fn a_conflict_refuses_the_whole_request(subject: Subject) {
    let store = subject.open().await;
    let known = entries(Some("acme"), 2);
    let written = record(&store, known.clone()).await;

    let changed =
        |index: usize| NewEntry { identifier: "other".to_owned(), ..known[index].clone() };
    let fresh = entry(Some("acme"), "fresh");
    let twice = entry(None, "twice");
    let twice_otherwise = NewEntry { identifier: "otherwise".to_owned(), ..twice.clone() };
    let request = vec![
        fresh.clone(),
        changed(1),
        known[0].clone(),
        entry(Some("new-here"), "fresh too"),
        twice.clone(),
        changed(0),
        twice_otherwise,
    ];
    let answer = store.record(request).await;
    assert!(matches!(&answer, Err(RecordError::IdConflict(at)) if at == &[1, 5, 6]), "{answer:?}");
    assert_eq!(everything(&store).await, newest_first(written.clone()));
    assert_eq!(store.head().await.expect("the head"), 2);
    let found = store.find(Scope::Everything, &EVERYTHING, fresh.id.expect("an id")).await;
    assert_eq!(found.expect("an answer"), None);

    let later = record(&store, vec![fresh, twice]).await;
    assert_eq!((later[0].sequence, later[0].position), (2, 3), "the refusal left no gap");
}

async fn conflicting_senders_have_one_winner(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let shared = entries(Some("acme"), 3);
    let mut senders = JoinSet::new();
    for number in 0..12 {
        let store = nodes[number % 2].clone();
        let mut request = shared.clone();
        request[1].identifier = format!("of sender {number}");
        request.insert(0, entry(Some("acme"), &format!("beside {number}")));
        senders.spawn(async move { (number, store.record(request).await) });
    }
    let mut winners = Vec::new();
    for (number, answer) in senders.join_all().await {
        match answer {
            Ok(_) => winners.push(number),
            Err(RecordError::IdConflict(at)) => assert_eq!(at, [2]),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let log = everything(&nodes[0]).await;
    assert_eq!(log.len(), 4);
    let identifier = format!("of sender {}", winners[0]);
    assert!(log.iter().any(|entry| entry.identifier == identifier));
}

async fn each_log_has_its_own_ids(subject: Subject) {
    let store = subject.open().await;
    let shared = Some(Uuid::from_u128(1));
    let in_log = |log| NewEntry { id: shared, ..entry(log, "x") };
    let written =
        record(&store, vec![in_log(Some("acme")), in_log(Some("Acme")), in_log(None)]).await;
    assert!(written.iter().all(|entry| entry.sequence == 0));
    assert_eq!(everything(&store).await, newest_first(written));
}
