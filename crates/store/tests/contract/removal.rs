//! The end of an organization.

use std::sync::Arc;

use activity_logs_model::wire::RecordStatus;
use activity_logs_model::{Action, Context, NewEntry, Outcome, Type};
use activity_logs_store::{LogState, RecordError, Removal, Scope, Store};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{
    EVERYTHING, Subject, assert_dense, entries, entry, everything, id, log, newest_first, now,
    person, record,
};

contract!(
    an_organization_ends_whole,
    removing_what_is_not_there_changes_nothing,
    a_removal_meets_recording,
    one_of_two_removals_wins,
);

fn removal(organization: &str) -> Removal {
    Removal {
        organization: id(organization),
        user: person("root"),
        context: Context { request_id: Some("r-1".to_owned()), ..Context::default() },
    }
}

async fn assert_gone(store: &Store, known: &NewEntry) {
    let acme = id("acme");
    assert_eq!(store.log_state(&acme).await.expect("a state"), LogState::Deleted);
    assert_eq!(log(store, Some("acme")).await, []);
    for scope in [Scope::Everything, Scope::Organization(&acme)] {
        let found = store.find(scope, &EVERYTHING, known.id.expect("an id")).await;
        assert_eq!(found.expect("an answer"), None);
    }
    let (organizations, total) = store.organizations(None, 0, 100).await.expect("a page");
    let ids: Vec<_> = organizations.iter().map(|o| o.id.as_str()).collect();
    assert_eq!((ids, total), (vec!["Acme", "umbrella"], 2));
    assert_eq!(store.organizations(Some("acme inc"), 0, 9).await.expect("a page").1, 1);

    let request = vec![
        entry(None, "elsewhere"),
        known.clone(),
        entry(Some("umbrella"), "elsewhere"),
        entry(Some("acme"), "x"),
    ];
    match store.record(request).await {
        Err(RecordError::OrganizationDeleted(organization, at)) => {
            assert_eq!((organization, at), (acme, vec![1, 3]));
        }
        other => panic!("{other:?}"),
    }
    let again = store.remove_organization(removal("acme")).await;
    assert!(
        matches!(&again, Err(RecordError::OrganizationDeleted(gone, _)) if gone.as_str() == "acme"),
        "{again:?}"
    );
}

async fn an_organization_ends_whole(subject: Subject) {
    let store = subject.open().await;
    let known = entry(Some("acme"), "known");
    let mut gone = entries(Some("acme"), 40);
    gone.push(known.clone());
    record(&store, gone).await;
    let mut kept = record(&store, entries(Some("umbrella"), 3)).await;
    kept.extend(record(&store, entries(Some("Acme"), 3)).await);
    kept.extend(record(&store, entries(None, 3)).await);
    let head = store.head().await.expect("the head");

    let receipt = store.remove_organization(removal("acme")).await.expect("a receipt");
    assert_eq!(receipt.entries, 41);
    let said = &receipt.entry;
    assert_eq!((said.position, said.sequence), (head + 1, 3));
    assert_eq!((&said.kind, &said.action), (&Type::admin_accounts(), &Action::delete()));
    assert_eq!((said.outcome, said.recorded_at), (Outcome::Success, now()));
    assert_eq!((&said.organization, &said.workspace), (&None, &None));
    assert_eq!((&said.user, &said.context), (&removal("acme").user, &removal("acme").context));
    assert_eq!(said.identifier, "acme Inc.");
    let state = said.old_value.as_ref().expect("the state before").as_str();
    assert!(state.contains("41") && state.contains("\"acme\""), "{state}");
    kept.push(receipt.entry);
    let tombstone =
        "SELECT organization_name || search_key FROM logs WHERE organization_id = 'acme'";
    assert_eq!(subject.raw().await.texts(tombstone).await, [""], "its name stays nowhere");

    assert_gone(&store, &known).await;
    assert_eq!(everything(&store).await, newest_first(kept.clone()));
    store.close().await;
    let store = subject.open().await;
    assert_gone(&store, &known).await;
    assert_eq!(everything(&store).await, newest_first(kept));
    assert_eq!(store.head().await.expect("the head"), head + 1);
}

async fn removing_what_is_not_there_changes_nothing(subject: Subject) {
    let store = subject.open().await;
    let written = record(&store, entries(Some("acme"), 2)).await;
    let answer = store.remove_organization(removal("ACME")).await;
    assert!(matches!(answer, Err(RecordError::UnknownOrganization)), "{answer:?}");
    assert_eq!(everything(&store).await, newest_first(written));
    let state = store.log_state(&id("ACME")).await.expect("a state");
    assert_eq!(state, LogState::Absent);
    // The connection is free again.
    record(&store, entries(Some("ACME"), 1)).await;
}

async fn a_removal_meets_recording(subject: Subject) {
    let nodes = subject.two_nodes().await;
    record(&nodes[0], vec![entry(Some("acme"), "first")]).await;
    let mut senders = JoinSet::new();
    let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..6 {
        let (store, begun) = (nodes[number % 2].clone(), begun.clone());
        senders.spawn(async move {
            let mut acknowledged = 0;
            loop {
                let request = vec![entry(None, "beside"), entry(Some("acme"), "x")];
                match store.record(request).await {
                    Ok(places) => {
                        assert!(places.iter().all(|place| place.status == RecordStatus::New));
                        acknowledged += 1;
                        let _ = begun.send(());
                    }
                    Err(RecordError::OrganizationDeleted(_, at)) => {
                        assert_eq!(at, [1]);
                        return acknowledged;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    for _ in 0..12 {
        beginnings.recv().await.expect("the senders run");
    }
    let receipt = nodes[1].remove_organization(removal("acme")).await.expect("a receipt");
    let acknowledged: u64 = senders.join_all().await.into_iter().sum();

    assert_eq!(receipt.entries, acknowledged + 1);
    assert_eq!(log(&nodes[0], Some("acme")).await, []);
    let platform = log(&nodes[0], None).await;
    assert_eq!(platform.len() as u64, acknowledged + 1);
    assert_dense(&platform);
    assert_eq!(platform.last(), Some(&receipt.entry), "nothing came after the end");
}

async fn one_of_two_removals_wins(subject: Subject) {
    let nodes = subject.two_nodes().await;
    record(&nodes[0], entries(Some("acme"), 5)).await;
    let together = Arc::new(Barrier::new(2));
    let mut removals = JoinSet::new();
    for store in nodes.clone() {
        let together = together.clone();
        removals.spawn(async move {
            together.wait().await;
            store.remove_organization(removal("acme")).await
        });
    }
    let answers = removals.join_all().await;
    let receipts: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(receipts.len(), 1, "{answers:?}");
    assert_eq!(receipts[0].entries, 5);
    let refused = |answer: &_| matches!(answer, Err(RecordError::OrganizationDeleted(..)));
    assert!(answers.iter().any(refused), "{answers:?}");
    assert_eq!(log(&nodes[0], None).await.len(), 1);
}
