//! What goes in comes out, in the order of every listing.

use activity_logs_model::{
    Context, Entry, JsonText, NewEntry, OrganizationRef, Outcome, Person, Timestamp, Type,
    Visibility, WorkspaceRef,
};
use activity_logs_store::{ListingQuery, Scope};
use uuid::Uuid;

use crate::support::{
    ALL, EVERYTHING, Subject, counted, entries, entry, everything, id, listing, newest_first, now,
    record, told,
};

contract!(
    every_field_comes_back,
    an_entry_without_id_and_time_gets_both,
    listings_are_newest_first_and_cut_anywhere,
    a_listing_looks_up_to_its_position,
    recent_leaves_out_what_readers_left,
    spans_are_counted_by_type_and_outcome,
    find_takes_the_newest_that_is_seen,
    nothing_to_record_is_recorded,
);

/// Characters that a collation, an escape or a quoting mistake would change.
const TRICKY: &str = " \u{feff}Ä'b\"c\\d%e_f\n\t\u{1}\u{7f}😀e\u{301}\u{e9} $1 ?1 \u{10ffff} ";

fn full() -> NewEntry {
    let value = serde_json::json!({"a": [1, 2.5, true, null, TRICKY], "": {"ß": -0.5e-7}});
    NewEntry {
        id: Some(Uuid::max()),
        occurred_at: Some(Timestamp::EPOCH),
        kind: id("AdminRolePermissions"),
        action: id("Update"),
        outcome: Outcome::Denied,
        user: Person {
            id: id(&"u".repeat(128)),
            name: TRICKY.to_owned(),
            email: Some(TRICKY.to_owned()),
        },
        organization: Some(OrganizationRef { id: id("Az09._:@-"), name: TRICKY.to_owned() }),
        workspace: Some(WorkspaceRef { id: id("-@:_.90zA"), name: TRICKY.to_owned() }),
        identifier: TRICKY.repeat(20),
        old_value: JsonText::from_value(&value).expect("a value"),
        new_value: JsonText::from_value(&"x".repeat(65_000).into()).expect("a value"),
        context: Context {
            ip_address: Some("2001:db8::7".to_owned()),
            user_agent: Some(TRICKY.to_owned()),
            request_id: Some(TRICKY.to_owned()),
        },
        question: JsonText::from_value(&value).expect("a value"),
    }
}

async fn every_field_comes_back(subject: Subject) {
    let store = subject.open().await;
    let bare = NewEntry { id: Some(Uuid::nil()), ..entry(None, "") };
    let late = NewEntry {
        occurred_at: Some(Timestamp::MAX),
        outcome: Outcome::Failure,
        ..entry(Some("acme"), "x")
    };
    let written = record(&store, vec![full(), bare, late]).await;
    assert_eq!(everything(&store).await, newest_first(written.clone()));

    for entry in &written {
        let found = store.find(Scope::Everything, &EVERYTHING, entry.id).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(entry));
        let Some(organization) = &entry.organization else { continue };
        let scope = Scope::Organization(&organization.id);
        let found = store.find(scope, &EVERYTHING, entry.id).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(entry));
        let recent = store.recent(&organization.id, &EVERYTHING, 10, 6).await.expect("entries");
        assert_eq!(recent, std::slice::from_ref(entry));
    }

    store.close().await;
    let store = subject.open().await;
    assert_eq!(everything(&store).await, newest_first(written));
}

async fn an_entry_without_id_and_time_gets_both(subject: Subject) {
    let store = subject.open().await;
    let anonymous = || NewEntry { id: None, ..entry(Some("acme"), "x") };
    let written = record(&store, vec![anonymous(), anonymous()]).await;
    assert_ne!(written[0].id, written[1].id);
    for entry in everything(&store).await {
        assert_eq!((entry.occurred_at, entry.recorded_at), (now(), now()));
        assert_eq!(entry.id.get_version_num(), 7);
    }
}

/// Entries of several logs, most of which tie with others in their time.
fn tied() -> Vec<NewEntry> {
    let logs = [Some("acme"), None, Some("umbrella"), Some("acme")];
    let at = |number: usize| Some(Timestamp::EPOCH.plus_seconds([3, 1, 3, 2, 3][number % 5]));
    (0..30)
        .map(|number| NewEntry { occurred_at: at(number), ..entry(logs[number % 4], "x") })
        .collect()
}

async fn listings_are_newest_first_and_cut_anywhere(subject: Subject) {
    let store = subject.open().await;
    let written = record(&store, tied()).await;
    let head = store.head().await.expect("the head");
    let acme = id("acme");
    for scope in [Scope::Everything, Scope::Organization(&acme)] {
        let in_scope = |entry: &Entry| match scope {
            Scope::Everything => true,
            Scope::Organization(id) => entry.organization.as_ref().is_some_and(|o| o.id == *id),
        };
        let expected = newest_first(written.iter().filter(|e| in_scope(e)).cloned().collect());
        let count = expected.len();
        let whole = ListingQuery { scope, ..listing(&EVERYTHING, &ALL, head) };
        let corners = [0, 1, 7, count - 1, count, count + 1, usize::MAX];
        for (offset, limit) in corners.iter().flat_map(|o| corners.iter().map(move |l| (*o, *l))) {
            let query = ListingQuery { offset: offset as u64, limit: limit as u64, ..whole };
            let page = store.list(&query).await.expect("a page");
            let start = offset.min(count);
            let end = start.saturating_add(limit).min(count);
            assert_eq!(page.entries, expected[start..end], "offset {offset}, limit {limit}");
            assert_eq!(page.total, count as u64);
        }
    }
}

async fn a_listing_looks_up_to_its_position(subject: Subject) {
    let store = subject.open().await;
    let written = record(&store, tied()).await;
    for as_of in [i64::MIN, -1, 0, 1, 17, 30, 31, i64::MAX] {
        let seen = written.iter().filter(|entry| entry.position <= as_of).cloned().collect();
        let page = store.list(&listing(&EVERYTHING, &ALL, as_of)).await.expect("a page");
        assert_eq!(page.entries, newest_first(seen), "as of {as_of}");
    }
}

async fn recent_leaves_out_what_readers_left(subject: Subject) {
    let store = subject.open().await;
    let mut new = tied();
    for (number, entry) in new.iter_mut().enumerate() {
        if number % 3 == 0 {
            entry.kind = Type::activity_logs();
            entry.action = id("FetchAll");
        }
        if number % 5 == 0 {
            entry.user.id = id("me");
        }
    }
    let written = record(&store, new).await;
    let acme = id("acme");
    let me = Visibility::Reader { user: id("me"), reach: [].into() };
    for (visibility, as_of, limit) in
        [(&EVERYTHING, 30, 6), (&EVERYTHING, 30, 25), (&EVERYTHING, 12, 6), (&me, 30, 25)]
    {
        let mut expected = newest_first(written.clone());
        expected.retain(|entry| {
            entry.organization.as_ref().is_some_and(|o| o.id == acme)
                && entry.kind != Type::activity_logs()
                && entry.position <= as_of
                && visibility.allows(entry)
        });
        expected.truncate(limit);
        assert!(!expected.is_empty());
        let recent = store.recent(&acme, visibility, as_of, limit as u64).await.expect("entries");
        assert_eq!(recent, expected);
    }
}

async fn spans_are_counted_by_type_and_outcome(subject: Subject) {
    let store = subject.open().await;
    let mut new = tied();
    for (number, entry) in new.iter_mut().enumerate() {
        // A span has its first microsecond and not its last.
        let micros = [0, 999_999, 1_000_000, 1_999_999, 2_999_999, 3_000_000][number % 6];
        entry.occurred_at = Some(Timestamp::from_micros(micros));
        entry.outcome = [Outcome::Success, Outcome::Denied][number % 2];
        entry.user.id = if number % 5 == 0 { id("me") } else { entry.user.id.clone() };
    }
    let written = record(&store, new).await;
    let acme = id("acme");
    let me = Visibility::Reader { user: id("me"), reach: [].into() };
    let bounds = [0, 1_000_000, 2_000_000, 2_500_000, 3_000_000].map(Timestamp::from_micros);
    for (scope, visibility, as_of) in [
        (Scope::Organization(&acme), &EVERYTHING, 30),
        (Scope::Organization(&acme), &EVERYTHING, 11),
        (Scope::Organization(&acme), &me, 30),
        (Scope::Everything, &EVERYTHING, 30),
    ] {
        for bounds in [&bounds[..], &bounds[..2], &bounds[..1], &[]] {
            let seen = written.iter().filter(|entry| {
                let organization = entry.organization.as_ref().map(|o| &o.id);
                (scope == Scope::Everything || organization == Some(&acme))
                    && entry.position <= as_of
                    && visibility.allows(entry)
            });
            let expected = counted(seen, bounds);
            assert_eq!(expected.is_empty(), bounds.len() < 2);
            let counts =
                store.count_in_spans(scope, visibility, as_of, bounds).await.expect("counts");
            assert_eq!(told(counts), expected);
        }
    }
}

async fn find_takes_the_newest_that_is_seen(subject: Subject) {
    let store = subject.open().await;
    let logs = [Some("acme"), Some("umbrella"), None];
    let shared = Some(Uuid::from_u128(7));
    let mut new: Vec<_> =
        logs.map(|log| NewEntry { id: shared, ..entry(log, "shared") }).into_iter().collect();
    new[1].user.id = id("me");
    let written = record(&store, new).await;
    let me = Visibility::Reader { user: id("me"), reach: [].into() };
    let find = async |scope, visibility| {
        store.find(scope, visibility, Uuid::from_u128(7)).await.expect("an answer")
    };
    assert_eq!(find(Scope::Everything, &EVERYTHING).await.as_ref(), Some(&written[2]));
    assert_eq!(find(Scope::Everything, &me).await.as_ref(), Some(&written[1]));
    assert_eq!(find(Scope::Everything, &Visibility::Nothing).await, None);
    let acme = id("acme");
    assert_eq!(find(Scope::Organization(&acme), &EVERYTHING).await.as_ref(), Some(&written[0]));
    assert_eq!(find(Scope::Organization(&acme), &me).await, None);
    let other = store.find(Scope::Everything, &EVERYTHING, Uuid::from_u128(8)).await;
    assert_eq!(other.expect("an answer"), None);
}

async fn nothing_to_record_is_recorded(subject: Subject) {
    let store = subject.open().await;
    assert_eq!(store.record(Vec::new()).await.expect("an answer"), []);
    assert_eq!(store.head().await.expect("the head"), 0);
    // More than one statement of each kind holds.
    let written = record(&store, entries(Some("acme"), 1_000)).await;
    assert_eq!(everything(&store).await, newest_first(written));
}
