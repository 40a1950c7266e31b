//! The index behind listings: what it must survive, and how the database goes about it.

use std::collections::BTreeSet;
use std::time::Duration;

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Context, Entry, Filter, NewEntry, Outcome, Timestamp, Visibility};
use activity_logs_store::testing::hot_statements;
use activity_logs_store::{Error, ListingQuery, Options, Removal, Scope, Store};
use sqlx::Row as _;

use crate::support::{
    ALL, EVERYTHING, Raw, Subject, entry, id, listing, newest_first, patient, person, record,
    workspace,
};

contract!(
    pages_of_one_instant_are_exact,
    what_was_counted_is_counted_on,
    listings_hold_still_while_an_organization_goes,
    another_entry_does_not_stand_in,
    a_reading_that_takes_too_long_is_told,
    statements_use_their_indexes,
);

/// Entries of several logs, people and types; every tenth is late.
pub(crate) fn mixed(count: usize) -> Vec<NewEntry> {
    let one = |number: usize| {
        let log = [Some("acme"), Some("acme"), Some("umbrella"), None][number % 4];
        let late = if number.is_multiple_of(10) { 300 } else { 0 };
        let mut new = entry(log, &format!("number {number}"));
        new.occurred_at = Some(Timestamp::from_micros((number * 10) as i64 + 1_000 - late));
        new.user = person(["ada", "ben", "cy"][number % 3]);
        new.kind = id(["Users", "AdminUsers", "Workspace", "ActivityLogs"][number / 3 % 4]);
        new.outcome = [Outcome::Success, Outcome::Denied][number / 5 % 2];
        new.workspace = log.and([None, Some("ws-1"), Some("ws-2")][number / 7 % 3]).map(workspace);
        new
    };
    (0..count).map(one).collect()
}

async fn pages_of_one_instant_are_exact(subject: Subject) {
    let store = subject.open().await;
    let mut new = mixed(900);
    for entry in &mut new {
        entry.occurred_at = Some(Timestamp::from_micros(7));
    }
    let written = newest_first(record(&store, new).await);
    let acme = id("acme");
    let of_acme: Vec<_> =
        written.iter().filter(|e| e.organization.as_ref().is_some_and(|o| o.id == acme)).collect();
    let head = store.head().await.expect("the head");
    for offset in [0, 1, 24, 25, 255, 256, 257, 425, 449, 450, 451] {
        let scope = Scope::Organization(&acme);
        let query = ListingQuery { scope, offset, limit: 25, ..listing(&EVERYTHING, &ALL, head) };
        let page = store.list(&query).await.expect("a page");
        let offset = usize::try_from(offset).expect("a small number");
        let expected = &of_acme[offset.min(450)..(offset + 25).min(450)];
        assert_eq!(page.entries.iter().collect::<Vec<_>>(), expected, "from {offset}");
        assert_eq!(page.total, 450);
    }
}

/// Everything, and what somebody sees who sees little of many organizations.
fn readers() -> [Visibility; 2] {
    let part = |workspaces: &[&str]| Reach::Part {
        without_workspace: true,
        workspaces: workspaces.iter().map(|name| id(name)).collect(),
    };
    let elsewhere = (0..9).map(|number| (id(&format!("other-{number}")), part(&["ws-1"])));
    let reach = elsewhere.chain([(id("acme"), part(&["ws-1"])), (id("umbrella"), part(&[]))]);
    [Visibility::Everything, Visibility::Reader { user: id("ada"), reach: reach.collect() }]
}

/// Compares listings as of some positions, on each node, with what was recorded.
async fn agree(nodes: &[Store; 2], written: &[Entry], positions: &[i64]) {
    let filters = [ALL.clone(), Filter { users: vec![id("ada")], ..Filter::default() }];
    let readers = readers();
    let asked =
        filters.iter().flat_map(|filter| readers.iter().map(move |reader| (filter, reader)));
    for (store, as_of) in nodes.iter().flat_map(|node| positions.iter().map(move |at| (node, *at)))
    {
        for (filter, visibility) in asked.clone() {
            let page = store.list(&listing(visibility, filter, as_of)).await.expect("a page");
            let is_in = |entry: &&Entry| {
                entry.position <= as_of && visibility.allows(entry) && filter.matches(entry)
            };
            let expected: Vec<_> = written.iter().filter(is_in).cloned().collect();
            assert!(!expected.is_empty());
            assert_eq!(page.total, expected.len() as u64, "as of {as_of}");
            assert_eq!(page.entries, expected, "as of {as_of}");
        }
    }
}

async fn what_was_counted_is_counted_on(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let mut written = Vec::new();
    for part in mixed(1_000).chunks(90) {
        written.extend(record(&nodes[written.len() / 90 % 2], part.to_vec()).await);
        let head = written.len() as i64;
        let newest = newest_first(written.clone());
        agree(&nodes, &newest, &[head, head / 2, head]).await;
    }
}

async fn listings_hold_still_while_an_organization_goes(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let written = newest_first(record(&nodes[0], mixed(1_200)).await);
    let pinned = nodes[0].head().await.expect("the head");
    // What was counted before must not be told after.
    agree(&nodes, &written, &[pinned, 700, 256]).await;
    let acme = id("acme");
    let is_kept =
        |entry: &Entry| entry.organization.as_ref().is_none_or(|o| o.id.as_str() != "acme");
    let kept: Vec<_> = written.into_iter().filter(is_kept).collect();
    let removal = Removal { organization: acme, user: person("root"), context: Context::default() };
    let receipt = nodes[0].remove_organization(removal).await.expect("a receipt");
    assert_eq!(receipt.entries, 600);
    let mut raw = subject.raw().await;
    let mut states = BTreeSet::new();
    // On both nodes, one of which learns of the removal by the database alone.
    loop {
        let left = raw.texts("SELECT CAST(next_run AS TEXT) FROM removals").await;
        agree(&nodes, &kept, &[pinned, 700]).await;
        if left.is_empty() {
            break;
        }
        states.insert(left);
    }
    assert_eq!(subject.differences().await, [""; 0]);
    let rows = "SELECT CAST(COUNT(*) AS TEXT) FROM run_lists WHERE organization_id = 'acme' \
                UNION ALL SELECT CAST(COUNT(*) AS TEXT) FROM entries WHERE organization_id = 'acme'";
    assert_eq!(raw.texts(rows).await, ["0", "0"], "seen in {} states", states.len());
}

/// Puts in a row beside the service: the entry at a position again, in the log `zz`.
async fn put_in_again(raw: &mut Raw, position: i64, sequence: &str) {
    let columns = raw.columns("entries").await;
    let values = columns.iter().map(|column| match column.as_str() {
        "organization_id" => "'zz'",
        "sequence" => sequence,
        column => column,
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let columns = columns.join(", ");
    let statement = format!(
        "INSERT INTO entries ({columns}) SELECT {values} FROM entries WHERE position = {position}"
    );
    assert_eq!(raw.must(&statement).await, 1);
}

async fn another_entry_does_not_stand_in(subject: Subject) {
    let store = subject.open().await;
    let written = record(&store, mixed(600)).await;
    let acme = id("acme");
    let is_of_acme = |entry: &&Entry| entry.organization.as_ref().is_some_and(|o| o.id == acme);
    let mut raw = subject.raw().await;
    raw.let_positions_be_taken().await;
    let member = Visibility::Reader { user: id("mia"), reach: [(id("acme"), Reach::Whole)].into() };
    // In a run, and after the last.
    for newest in [false, true] {
        let ordinary = |entry: &&Entry| is_of_acme(entry) && !entry.kind.is_administrative();
        let of_acme: Vec<&Entry> = written.iter().filter(ordinary).collect();
        let four = if newest { of_acme.len() - 4..of_acme.len() } else { 0..4 };
        let [beside, same, alone, whole] = of_acme[four] else { panic!("four entries") };
        put_in_again(&mut raw, beside.position, "sequence + 1000").await;
        put_in_again(&mut raw, same.position, "sequence").await;
        put_in_again(&mut raw, alone.position, "sequence + 1000").await;
        let gone = format!(
            "DELETE FROM entries WHERE position = {} AND organization_id = 'acme'",
            alone.position
        );
        assert_eq!(raw.must(&gone).await, 1);
        for (entry, is_shown) in [(beside, false), (same, false), (alone, false), (whole, true)] {
            let at = entry.occurred_at;
            let filter = Filter {
                types: vec![entry.kind.clone()],
                from: Some(at),
                to: Some(Timestamp::from_micros(at.as_micros() + 1)),
                ..Filter::default()
            };
            for visibility in [&EVERYTHING, &member] {
                for scope in [Scope::Organization(&acme), Scope::Everything] {
                    let query = ListingQuery { scope, ..listing(visibility, &filter, 600) };
                    let answer = store.list(&query).await;
                    let is_told = match &answer {
                        Ok(page) => is_shown && page.entries == [entry.clone()],
                        Err(Error::Displaced(position)) => !is_shown && *position == entry.position,
                        Err(_) => false,
                    };
                    assert!(is_told, "{newest} {scope:?}: {answer:?} for {entry:?}");
                }
            }
        }
    }
}

async fn a_reading_that_takes_too_long_is_told(subject: Subject) {
    let reading_time = Duration::from_millis(200);
    let store = subject.open_with(Options { reading_time, ..patient() }).await;
    record(&store, mixed(600)).await;
    let mut raw = subject.raw().await;
    let bounds = [0, 5_000].map(Timestamp::from_micros);
    let listing = listing(&EVERYTHING, &ALL, 600);
    for _ in 0..3 {
        raw.delay_readings("service_head").await;
        let listed = store.list(&listing).await;
        assert!(matches!(listed, Err(Error::TooSlow)), "{listed:?}");
        let counted = store.count_in_spans(Scope::Everything, &EVERYTHING, 600, &bounds).await;
        assert!(matches!(counted, Err(Error::TooSlow)), "{counted:?}");
        raw.delay_no_readings("service_head").await;
    }
    store.close().await;
    let store = subject.open().await;
    assert_eq!(store.list(&listing).await.expect("a page").total, 600);
    let counted = store.count_in_spans(Scope::Everything, &EVERYTHING, 600, &bounds).await;
    assert!(counted.is_ok(), "{counted:?}");
}

/// What the planner says of each hot statement, without what depends on the version.
async fn statements_use_their_indexes(subject: Subject) {
    let store = subject.open().await;
    for part in mixed(5_000).chunks(500) {
        record(&store, part.to_vec()).await;
    }
    let mut raw = subject.raw().await;
    raw.must("ANALYZE").await;
    let arguments = [
        "ARRAY['!', 'acme'], ARRAY['o*', ''], 0, 3, ARRAY[1, 2]",
        "ARRAY[1, 2], ARRAY[0, 3]",
        "4990, 5001",
        "'!', 0, 3",
        "ARRAY[17, 4000, 2500]",
    ];
    let mut plans = Vec::new();
    for (number, (statement, arguments)) in
        hot_statements(subject.url()).into_iter().zip(arguments).enumerate()
    {
        let lines: Vec<String> = match &mut raw {
            Raw::Sqlite(connection) => {
                let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let rows = sqlx::query(explain).fetch_all(connection).await.expect("a plan");
                rows.iter().map(|row| row.get::<String, _>(3)).collect()
            }
            Raw::Postgres(_) => {
                raw.must(&format!("PREPARE hot_{number} AS {statement}")).await;
                raw.texts(&format!("EXPLAIN (COSTS OFF) EXECUTE hot_{number} ({arguments})")).await
            }
        };
        let scans = lines.iter().map(|line| line.trim().trim_start_matches("->").trim());
        let scans = scans.filter(|line| {
            ["Scan", "SEARCH", "SCAN", "Sort", "TEMP B-TREE"].iter().any(|word| line.contains(word))
        });
        plans.push(scans.map(str::to_owned).collect::<Vec<_>>().join("\n"));
    }
    let expected = match &raw {
        Raw::Sqlite(_) => include_str!("plans/sqlite.txt"),
        Raw::Postgres(_) => include_str!("plans/postgres.txt"),
    };
    assert_eq!(plans.join("\n\n"), expected.trim_end(), "the plans are others");
}
