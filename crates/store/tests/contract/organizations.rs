//! Which organizations there are, and what is known of their logs.

use std::collections::HashMap;

use activity_logs_model::{NewEntry, OrganizationId, OrganizationRef};
use activity_logs_store::{LogState, Removal};

use crate::support::{Subject, entry, id, person, record};

contract!(organizations_are_listed_and_searched, log_states_tell_living_from_deleted);

fn named(organization: &str, name: &str) -> NewEntry {
    let organization = OrganizationRef { id: id(organization), name: name.to_owned() };
    NewEntry { organization: Some(organization), ..entry(None, "x") }
}

const ORGANIZATIONS: [(&str, &str); 9] = [
    ("acme", "Acme"),
    ("Acme", "acme and daughters"),
    ("oeko", "ÖKONOMIE Süd"),
    ("half", "50% off_road"),
    ("slash", "back\\slash"),
    ("quote", "O'Neill \"and\" sons"),
    ("z_1", "Same"),
    ("z-2", "same"),
    ("kanji", "東京"),
];

async fn organizations_are_listed_and_searched(subject: Subject) {
    let store = subject.open().await;
    record(&store, vec![named("acme", "Old name"), entry(None, "platform")]).await;
    let renamed: Vec<_> = ORGANIZATIONS.iter().map(|(id, name)| named(id, name)).collect();
    record(&store, renamed).await;

    let key = |(id, name): &(&str, &str)| format!("{name}\n{id}").to_lowercase();
    let searches = [
        "",
        "a",
        "ACME",
        "ökonomie",
        "ÖKO",
        "%",
        "_",
        "\\",
        "'",
        "\"",
        "z_",
        "same",
        "東",
        "Old name",
        "platform",
        "no such",
    ];
    for search in searches.map(Some).into_iter().chain([None]) {
        let mut expected: Vec<_> = ORGANIZATIONS
            .iter()
            .filter(|organization| {
                let (id, name) = (organization.0.to_lowercase(), organization.1.to_lowercase());
                let wanted = search.unwrap_or_default().to_lowercase();
                id.contains(&wanted) || name.contains(&wanted)
            })
            .collect();
        expected.sort_by_key(|organization| (key(organization), organization.0));
        for (offset, limit) in [(0, 100), (0, 3), (2, 3), (100, 3), (0, 0)] {
            let (items, total) = store.organizations(search, offset, limit).await.expect("a page");
            let items: Vec<_> = items.iter().map(|o| (o.id.as_str(), o.name.as_str())).collect();
            let page = expected.iter().skip(offset as usize).take(limit as usize);
            assert_eq!(items, page.map(|o| **o).collect::<Vec<_>>(), "{search:?} {offset} {limit}");
            assert_eq!(total, expected.len() as u64, "{search:?}");
        }
    }
}

async fn log_states_tell_living_from_deleted(subject: Subject) {
    let store = subject.open().await;
    let new = vec![named("acme", "Old"), named("acme", "New"), named("gone", "Gone")];
    record(&store, new).await;
    let removal =
        Removal { organization: id("gone"), user: person("root"), context: Default::default() };
    store.remove_organization(removal).await.expect("removed");

    let ids: Vec<OrganizationId> = ["never", "gone", "acme", "Acme"].map(id).into();
    let states = store.log_states(&ids).await.expect("states");
    assert_eq!(states.len(), 2, "{states:?}");
    let states: HashMap<_, _> = states.into_iter().collect();
    assert_eq!(states.get(&ids[1]), Some(&LogState::Deleted));
    assert_eq!(states.get(&ids[2]), Some(&LogState::Live("New".to_owned())));
    assert_eq!(store.log_states(&[]).await.expect("states"), []);

    assert_eq!(store.log_state(&ids[0]).await.expect("a state"), LogState::Absent);
    assert_eq!(store.log_state(&ids[1]).await.expect("a state"), LogState::Deleted);
    let state = store.log_state(&ids[2]).await.expect("a state");
    assert_eq!(state, LogState::Live("New".to_owned()));
}
