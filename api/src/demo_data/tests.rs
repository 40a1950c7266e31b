use std::collections::{BTreeMap, BTreeSet};

use activity_logs_model::record::{EntryInput, parse_entry};
use activity_logs_model::{Caller, Catalog, Outcome, Type};

use super::*;

const DAY: i64 = 24 * 3_600;

/// A Saturday, the first of a month, a leap day's eve and some working day.
fn moments() -> [Timestamp; 4] {
    ["2026-01-31T12:00:00Z", "2026-03-01T00:20:00Z", "2028-02-28T23:59:59Z", "2026-07-15T03:00:00Z"]
        .map(text)
}

fn count_by<K: Ord>(entries: &[NewEntry], key: impl Fn(&NewEntry) -> K) -> BTreeMap<K, usize> {
    entries.iter().fold(BTreeMap::new(), |mut counts, entry| {
        *counts.entry(key(entry)).or_default() += 1;
        counts
    })
}

#[test]
fn every_pair_of_the_catalog_occurs_at_least_twice() {
    let catalog = Catalog::built_in();
    for now in moments() {
        let counts = count_by(&entries(now), |e| (e.kind.clone(), e.action.clone()));
        for (kind, actions) in catalog.types() {
            for action in actions {
                let count = counts.get(&(kind.clone(), action.clone())).copied().unwrap_or(0);
                assert!(count >= 2, "{kind} {action}: {count} at {now}");
            }
        }
    }
}

#[test]
fn every_entry_keeps_the_rules() {
    let catalog = Catalog::built_in();
    for now in moments() {
        for entry in entries(now) {
            if entry.kind == Type::activity_logs() {
                assert!(entry.old_value.is_none() && entry.new_value.is_none());
                continue;
            }
            let input = EntryInput {
                id: entry.id,
                occurred_at: entry.occurred_at,
                kind: entry.kind.clone(),
                action: entry.action.clone(),
                outcome: Some(entry.outcome),
                user: entry.user.clone(),
                organization: entry.organization.clone(),
                workspace: entry.workspace.clone(),
                identifier: Some(entry.identifier.clone()),
                old_value: entry.old_value.clone(),
                new_value: entry.new_value.clone(),
                context: Some(entry.context.clone()),
            };
            let json = serde_json::to_vec(&input).expect("an entry is JSON");
            assert_eq!(parse_entry(&json, &catalog, now), Ok(entry));
        }
    }
}

#[test]
fn there_is_enough_of_everything() {
    for now in moments() {
        let entries = entries(now);
        assert!((2_500..=3_000).contains(&entries.len()), "{}", entries.len());
        let places = count_by(&entries, |e| e.organization.as_ref().map(|o| o.id.to_string()));
        assert!(places.iter().filter(|(id, n)| id.is_some() && **n >= 300).count() >= 3);
        assert!(places[&None] >= 100 && places[&Some("lumon".to_owned())] < 25, "{places:?}");
        let outcomes = count_by(&entries, |e| e.outcome);
        assert!(outcomes[&Outcome::Denied] >= 20 && outcomes[&Outcome::Failure] >= 20);
        assert!(outcomes[&Outcome::Success] * 10 > entries.len() * 9, "{outcomes:?}");
        let administrative = entries.iter().filter(|e| e.kind.is_administrative()).count();
        assert!(administrative * 5 < entries.len(), "{administrative}");
    }
}

#[test]
fn it_covers_the_last_weeks_and_nothing_ahead() {
    for now in moments() {
        let times: Vec<_> = entries(now).into_iter().filter_map(|e| e.occurred_at).collect();
        let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
        assert!(first.is_some_and(|first| first < now.plus_seconds(-42 * DAY)));
        assert!(first.is_some_and(|first| first >= now.plus_seconds(-56 * DAY)));
        assert!(last.is_some_and(|last| last <= now && last > now.plus_seconds(-3_600)));

        let (mut newest, mut late) = (Timestamp::MIN, 0);
        for at in &times {
            late += usize::from(*at < newest);
            newest = newest.max(*at);
        }
        assert!((times.len() / 200..times.len() / 33).contains(&late), "{late}");
    }
}

#[test]
fn it_is_the_same_each_time_and_tells_the_same_stories_at_any_time() {
    let [now, other, ..] = moments();
    assert_eq!(entries(now), entries(now));
    let stories = |now| {
        let mut told = entries(now);
        told.retain(|e| e.identifier == "Vision lab" && e.new_value != e.old_value);
        told.sort_by_key(|e| e.occurred_at);
        told.into_iter().map(|e| (e.action, e.old_value, e.new_value)).collect::<Vec<_>>()
    };
    assert_eq!(stories(now), stories(other));
    let actions: Vec<_> = stories(now).into_iter().map(|(action, ..)| action.to_string()).collect();
    let told = "Create Deploy Update Update Update Suspend Resume Upgrade Terminate";
    assert_eq!(actions.join(" "), told);
}

#[test]
fn a_workspace_id_is_reused_under_another_name() {
    let entries = entries(moments()[0]);
    let names: BTreeSet<_> = entries
        .iter()
        .filter_map(|e| e.workspace.as_ref().filter(|w| w.id.as_str() == "ws-1"))
        .map(|w| &w.name)
        .collect();
    assert!(names.len() >= 3, "{names:?}");
}

#[test]
fn everybody_sees_something_else() {
    let now = moments()[0];
    let entries: Vec<_> = (1..)
        .zip(entries(now))
        .map(|(position, entry)| entry.recorded(uuid::Uuid::nil(), now, position, position))
        .collect();
    let mut seen = Vec::new();
    for person in people() {
        let caller = Caller::try_from(person.claims).expect("claims are valid");
        let did = entries.iter().filter(|e| e.user.id == caller.person.id).count();
        assert!(did > 0 || caller.role == Role::Service, "{}", person.title);
        let visibility = caller.visibility();
        seen.push(entries.iter().filter(|e| visibility.allows(e)).count());
    }
    assert_eq!(seen[0], entries.len());
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    assert_eq!(seen.last(), Some(&0));
}
