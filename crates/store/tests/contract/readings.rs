//! Who sees what, and which entries a filter asks for, exist as a predicate and as sets: both
//! readings must agree on everything.

use std::collections::HashMap;

use activity_logs_model::visibility::{GrantClaim, MembershipClaim};
use activity_logs_model::{
    Caller, Claims, Entry, Filter, NewEntry, OrganizationId, Outcome, Role, Timestamp, Type,
    Visibility,
};
use activity_logs_store::{ListingQuery, Scope, Store};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::support::{
    ALL, Subject, counted, entry, id, listing, newest_first, organization, record, told, workspace,
};

contract!(visibility_is_one_rule, filters_are_one_rule, a_token_may_name_thousands);

// Few of each, so that they meet; some differ in case alone, share ids with others, or look like
// the index's own names.
const USERS: &[&str] = &["ada", "Ada", "ben", "a*", "cn=Ada,ou=Eng", "*"];
const ORGANIZATIONS: &[&str] = &["acme", "*", "umbrella", "a_me", "ada"];
/// Of these each has so few entries that they are kept together.
const SMALL_ORGANIZATIONS: &[&str] = &["o*", "Acme", "a/b", "ä", "auth0|64f1", "s-6", "s-7", "s 8"];
const WORKSPACES: &[&str] = &["ws-1", "WS-1", "ws_1", "a/b", "*"];
const TYPES: &[&str] = &[
    "Workspace",
    "Users",
    "ActivityLogs",
    "AdminUsers",
    "AdminAccounts",
    "Admin",
    "ADMINUSERS",
    "Adm",
    "UsersAdmin",
];
const ACTIONS: &[&str] = &["Create", "Update", "Fetch", "FetchAll"];
const TIMES: std::ops::Range<i64> = 0..8;

fn one<T>(of: &'static [&'static str]) -> impl Strategy<Value = T>
where
    T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug,
{
    select(of).prop_map(id)
}

fn time() -> impl Strategy<Value = Timestamp> {
    TIMES.prop_map(Timestamp::from_micros)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    select(&Outcome::ALL[..])
}

fn any_organization() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(ORGANIZATIONS), 1 => select(SMALL_ORGANIZATIONS)]
}

fn new_entry() -> impl Strategy<Value = NewEntry> {
    let place = prop_oneof![
        1 => Just(None),
        7 => (any_organization(), option::of(select(WORKSPACES))).prop_map(Some),
    ];
    let kind_and_outcome = prop_oneof![
        3 => (one(TYPES), outcome()),
        // Who attempted it does not see it everywhere.
        1 => Just((Type::activity_logs(), Outcome::Denied)),
    ];
    let what = (kind_and_outcome, one(ACTIONS), time());
    (place, one(USERS), what).prop_map(|(place, user, ((kind, outcome), action, at))| {
        let mut new = entry(None, "x");
        new.organization = place.map(|(name, _)| organization(name));
        new.workspace = place.and_then(|(_, name)| name).map(workspace);
        new.user.id = user;
        NewEntry { kind, action, outcome, occurred_at: Some(at), ..new }
    })
}

fn claims() -> impl Strategy<Value = Claims> {
    let role =
        prop_oneof![1 => Just(Role::Admin), 1 => Just(Role::Service), 12 => Just(Role::User)];
    let membership = (any_organization(), option::weighted(0.7, vec(one(WORKSPACES), 0..3)))
        .prop_map(|(name, workspaces)| MembershipClaim { id: id(name), name: None, workspaces })
        .boxed();
    let grant = (any_organization(), one(WORKSPACES))
        .prop_map(|(name, workspace)| GrantClaim { organization_id: id(name), id: workspace })
        .boxed();
    // Few organizations are read each by itself, many in one pass.
    let memberships = prop_oneof![
        1 => Just(None),
        4 => vec(membership.clone(), 0..4).prop_map(Some),
        5 => vec(membership, 4..20).prop_map(Some),
    ];
    let grants = prop_oneof![3 => vec(grant.clone(), 0..4), 1 => vec(grant, 4..20)];
    (role, one(USERS), memberships, grants).prop_map(|(role, sub, organizations, workspaces)| {
        Claims { sub, name: None, email: None, role, organizations, workspaces }
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    /// Mostly empty, so that what combines still matches something.
    fn some<T: Clone + std::fmt::Debug + 'static>(
        values: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Vec<T>> {
        prop_oneof![2 => Just(Vec::new()), 1 => vec(values, 1..4)]
    }
    let what = (
        some(one(TYPES)),
        prop_oneof![5 => Just(Vec::new()), 1 => vec(one(TYPES), 1..3)],
        some(one(ACTIONS)),
        some(outcome()),
    );
    let organizations = some(any_organization().prop_map(id));
    let whose = (some(one(USERS)), some(one(WORKSPACES)), organizations);
    let when = (option::weighted(0.3, time()), option::weighted(0.3, time()));
    (what, whose, when).prop_map(
        |(
            (types, without_types, actions, outcomes),
            (users, workspaces, organizations),
            (from, to),
        )| Filter {
            types,
            without_types,
            actions,
            outcomes,
            users,
            workspaces,
            organizations,
            from,
            to,
        },
    )
}

fn visibility_of(claims: Claims) -> Visibility {
    Caller::try_from(claims).expect("a caller").visibility()
}

/// Random entries, recorded; each log numbers its ids anew, so that logs share them.
async fn load(store: &Store, runner: &mut TestRunner) -> Vec<Entry> {
    let mut new = vec(new_entry(), 400).new_tree(runner).expect("entries").current();
    let mut next: HashMap<Option<OrganizationId>, u128> = HashMap::new();
    for entry in &mut new {
        let number = next.entry(entry.organization.as_ref().map(|o| o.id.clone())).or_default();
        entry.id = Some(Uuid::from_u128(*number));
        *number += 1;
    }
    record(store, new).await
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Runs a check of the database for each random case.
fn for_each<S: Strategy>(
    mut runner: TestRunner,
    cases: &S,
    check: impl AsyncFn(S::Value) -> Result<(), TestCaseError>,
) {
    let outcome = tokio::task::block_in_place(|| {
        runner.run(cases, |case| Handle::current().block_on(check(case)))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn failed(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// What two lists of entries do not share, in few words.
fn compare(found: &[Entry], expected: &[Entry], of: &str) -> Result<(), TestCaseError> {
    if found == expected {
        return Ok(());
    }
    let only = |these: &[Entry], those: &[Entry]| {
        these.iter().filter(|entry| !those.contains(entry)).take(3).cloned().collect::<Vec<_>>()
    };
    let (extra, missing) = (only(found, expected), only(expected, found));
    Err(failed(format!("{of}: found in vain {extra:#?}, missing {missing:#?}, or another order")))
}

fn scopes(organizations: &[OrganizationId]) -> impl Iterator<Item = Scope<'_>> {
    std::iter::once(Scope::Everything).chain(organizations.iter().map(Scope::Organization))
}

fn lies_in(entry: &Entry, scope: Scope<'_>) -> bool {
    match scope {
        Scope::Everything => true,
        Scope::Organization(id) => entry.organization.as_ref().is_some_and(|o| o.id == *id),
    }
}

async fn visibility_is_one_rule(subject: Subject) {
    let store = subject.open().await;
    let mut runner = runner(32);
    let entries = newest_first(load(&store, &mut runner).await);
    assert_eq!(subject.differences().await, [""; 0]);
    let head = store.head().await.expect("the head");
    let looked_at = ORGANIZATIONS.iter().chain(&SMALL_ORGANIZATIONS[..2]);
    let organizations: Vec<OrganizationId> = looked_at.map(|name| id(name)).collect();

    let case = (claims(), vec(any::<Index>(), 6), 0..=400_i64);
    for_each(runner, &case, async |(claims, picks, as_of)| {
        let visibility = visibility_of(claims);
        for scope in scopes(&organizations) {
            let seen = |entry: &&Entry| lies_in(entry, scope) && visibility.allows(entry);
            let expected: Vec<_> = entries.iter().filter(seen).cloned().collect();
            let query = ListingQuery { scope, ..listing(&visibility, &ALL, head) };
            let page = store.list(&query).await.map_err(failed)?;
            compare(&page.entries, &expected, &format!("{scope:?}"))?;
            if page.total != expected.len() as u64 {
                return Err(failed(format!("{scope:?}: total {}", page.total)));
            }
            let bounds = [1, 2, 5, 5, 7].map(Timestamp::from_micros);
            let counts = store.count_in_spans(scope, &visibility, as_of, &bounds).await;
            let pinned = expected.iter().filter(|entry| entry.position <= as_of);
            if told(counts.map_err(failed)?) != counted(pinned, &bounds) {
                return Err(failed(format!("{scope:?}: the counts up to {as_of}")));
            }
            for pick in &picks {
                let wanted = pick.get(&entries).id;
                let found = store.find(scope, &visibility, wanted).await.map_err(failed)?;
                let same_id = expected.iter().filter(|entry| entry.id == wanted);
                let newest = same_id.max_by_key(|entry| entry.position);
                compare(
                    found.as_slice(),
                    newest.cloned().as_slice(),
                    &format!("{scope:?} {wanted}"),
                )?;
            }
        }
        Ok(())
    });
}

async fn filters_are_one_rule(subject: Subject) {
    let store = subject.open().await;
    let mut runner = runner(64);
    let entries = newest_first(load(&store, &mut runner).await);
    assert_eq!(subject.differences().await, [""; 0]);
    let acme: OrganizationId = id("acme");

    let case = (claims(), filter(), 0..=400_i64, any::<Index>(), 0..30_usize, any::<bool>());
    for_each(runner, &case, async |(claims, filter, as_of, offset, limit, global)| {
        let visibility = visibility_of(claims);
        let scope = if global { Scope::Everything } else { Scope::Organization(&acme) };
        let seen = |entry: &&Entry| {
            lies_in(entry, scope)
                && entry.position <= as_of
                && visibility.allows(entry)
                && filter.matches(entry)
        };
        let expected: Vec<_> = entries.iter().filter(seen).cloned().collect();
        let whole = ListingQuery { scope, ..listing(&visibility, &filter, as_of) };
        let page = store.list(&whole).await.map_err(failed)?;
        compare(&page.entries, &expected, "the whole")?;

        let offset = offset.index(expected.len() + 1);
        let query = ListingQuery { offset: offset as u64, limit: limit as u64, ..whole };
        let part = store.list(&query).await.map_err(failed)?;
        let end = (offset + limit).min(expected.len());
        compare(&part.entries, &expected[offset..end], "a page")?;
        let total = expected.len() as u64;
        if (page.total, part.total) != (total, total) {
            return Err(failed(format!("totals {} and {} of {total}", page.total, part.total)));
        }
        Ok(())
    });
}

/// Databases bound how deep an expression may be; how much a token grants is not bounded by that.
async fn a_token_may_name_thousands(subject: Subject) {
    let store = subject.open().await;
    let inside = |log: &str, name: &str| NewEntry {
        workspace: Some(workspace(name)),
        ..entry(Some(log), name)
    };
    let recorded =
        record(&store, vec![inside("org-7", "ws-7"), inside("org-7", "ws-8"), inside("x", "ws-7")])
            .await;
    let membership = |i: usize| MembershipClaim {
        id: id(&format!("org-{i}")),
        name: None,
        workspaces: (!i.is_multiple_of(3)).then(|| vec![id(&format!("ws-{i}"))]),
    };
    let grant = |i: usize| GrantClaim {
        organization_id: id(&format!("granted-{i}")),
        id: id(&format!("ws-{i}")),
    };
    let visibility = visibility_of(Claims {
        sub: id("nobody"),
        name: None,
        email: None,
        role: Role::User,
        organizations: Some((0..3_000).map(membership).collect()),
        workspaces: (0..3_000).map(grant).collect(),
    });
    let page = store.list(&listing(&visibility, &ALL, 3)).await.expect("a page");
    assert_eq!(page.entries, recorded[..1]);
}
