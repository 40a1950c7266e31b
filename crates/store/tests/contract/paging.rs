//! Pages hold still while others record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Entry, Filter, NewEntry, Outcome, Timestamp, Type, Visibility};
use activity_logs_store::{ListingQuery, Scope, Store};
use tokio::task::JoinSet;

use crate::support::{
    Subject, entry, everything, id, listing, newest_first, organization, person, record, workspace,
};

contract!(pages_hold_still_while_others_record);

const WALKS: usize = 4;

/// Entry number `number` of a sequence that mixes logs, people, types and, above all, times:
/// many are older than everything that was recorded before.
fn mixed(number: usize) -> NewEntry {
    let place = [Some("acme"), Some("umbrella"), None][number % 3];
    let mut new = entry(place, &format!("number {number}"));
    new.occurred_at = Some(Timestamp::from_micros((number * 7_919 % 61) as i64));
    new.user = person(["ada", "ben", "cy"][number / 3 % 3]);
    new.kind = id(["Workspace", "Users", "AdminUsers", "ActivityLogs"][number / 9 % 4]);
    new.outcome = [Outcome::Success, Outcome::Denied][number / 27 % 2];
    new.workspace = place.and([None, Some("ws-1"), Some("ws-2")][number / 36 % 3]).map(workspace);
    new
}

/// What a reader looks for.
struct Question {
    organization: Option<&'static str>,
    visibility: Visibility,
    filter: Filter,
    page_size: u64,
}

impl Question {
    fn asks_for(&self, entry: &Entry) -> bool {
        let wanted = self.organization.map(organization).map(|o| o.id);
        let place = entry.organization.as_ref().map(|o| &o.id);
        wanted.is_none_or(|id| place == Some(&id))
            && self.visibility.allows(entry)
            && self.filter.matches(entry)
    }
}

fn questions() -> [Question; 5] {
    let member = Visibility::Reader {
        user: id("ada"),
        reach: [
            (id("acme"), Reach::Whole),
            (
                id("umbrella"),
                Reach::Part { without_workspace: true, workspaces: [id("ws-2")].into() },
            ),
        ]
        .into(),
    };
    // Of so many that they are read in one pass.
    let part = Reach::Part { without_workspace: true, workspaces: [id("ws-1")].into() };
    let reach = ["acme", "elsewhere", "nowhere"].map(|name| (id(name), part.clone()));
    let restricted = Visibility::Reader { user: id("ben"), reach: reach.into() };
    let everything = || Visibility::Everything;
    let filter = Filter {
        types: ["Workspace", "Users"].map(id).into(),
        users: ["ada", "cy"].map(id).into(),
        to: Some(Timestamp::from_micros(50)),
        ..Filter::default()
    };
    let ask = |organization, visibility, filter, page_size| Question {
        organization,
        visibility,
        filter,
        page_size,
    };
    [
        ask(None, everything(), Filter::default(), 25),
        ask(None, everything(), filter.clone(), 7),
        ask(None, member.clone(), Filter::default(), 25),
        ask(Some("umbrella"), member, filter, 2),
        ask(None, restricted, Filter::default(), 7),
    ]
}

/// One reading of all pages of a listing.
struct Walk {
    question: usize,
    as_of: i64,
    entries: Vec<Entry>,
}

/// Walks a listing again and again; each page read leaves an entry of its own, as in the
/// service. Returns the walks and what they left.
async fn walk(store: Store, number: usize, recorded: Arc<AtomicUsize>) -> (Vec<Walk>, Vec<Entry>) {
    let question = &questions()[number];
    let wanted = question.organization.map(id);
    let scope = wanted.as_ref().map_or(Scope::Everything, Scope::Organization);
    let (mut walks, mut left) = (Vec::new(), Vec::new());
    for _ in 0..WALKS {
        let as_of = store.head().await.expect("the head");
        let (mut entries, mut total, mut pages) = (Vec::new(), None, 0);
        loop {
            let query = ListingQuery {
                scope,
                offset: entries.len() as u64,
                limit: question.page_size,
                ..listing(&question.visibility, &question.filter, as_of)
            };
            let page = store.list(&query).await.expect("a page");
            assert_eq!(*total.get_or_insert(page.total), page.total, "the total moved");
            if page.entries.is_empty() {
                break;
            }
            entries.extend(page.entries);
            pages += 1;
            let mark = NewEntry {
                kind: Type::activity_logs(),
                user: person("ada"),
                ..entry(question.organization, "a page")
            };
            left.extend(record(&store, vec![mark]).await);
            // Something of somebody else's between any two pages.
            let before = recorded.load(Ordering::Relaxed);
            while recorded.load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(total, Some(entries.len() as u64));
        assert!(pages >= 4, "too few pages to prove anything");
        walks.push(Walk { question: number, as_of, entries });
    }
    (walks, left)
}

async fn keep_recording(
    store: Store,
    first: usize,
    recorded: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<Entry> {
    let mut written = Vec::new();
    for start in (first..).step_by(6) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        written.extend(record(&store, (start..start + 3).map(mixed).collect()).await);
        recorded.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    written
}

async fn pages_hold_still_while_others_record(subject: Subject) {
    let nodes = subject.two_nodes().await;
    let mut written = record(&nodes[0], (0..216).map(mixed).collect()).await;

    let stop = Arc::new(AtomicBool::new(false));
    let recorded = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for (store, first) in nodes.iter().zip([216, 219]) {
        writers.spawn(keep_recording(store.clone(), first, recorded.clone(), stop.clone()));
    }
    let mut readers = JoinSet::new();
    for number in 0..questions().len() {
        readers.spawn(walk(nodes[number % 2].clone(), number, recorded.clone()));
    }
    let (walks, left): (Vec<_>, Vec<_>) = readers.join_all().await.into_iter().unzip();
    stop.store(true, Ordering::Relaxed);
    written.extend(left.into_iter().flatten());
    written.extend(writers.join_all().await.into_iter().flatten());

    let written = newest_first(written);
    assert_eq!(everything(&nodes[0]).await, written);
    for walk in walks.into_iter().flatten() {
        let question = &questions()[walk.question];
        let mut expected = written.clone();
        expected.retain(|entry| entry.position <= walk.as_of && question.asks_for(entry));
        let wrong = walk.entries.iter().zip(&expected).find(|(found, wanted)| found != wanted);
        assert_eq!(wrong, None, "question {}", walk.question);
        assert_eq!(walk.entries.len(), expected.len(), "question {}", walk.question);
    }
}
