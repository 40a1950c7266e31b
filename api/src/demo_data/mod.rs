//! The sample data of the `demo` command: eight weeks of a few organizations and of the
//! platform they live on.
//!
//! Each place is played through in time order on its own state, so that every value before
//! is the value after of an earlier entry. What happens is drawn from one generator and when
//! from another: the stories are the same whenever the demo starts.

mod billing;
mod cast;
mod deeds;
mod play;
#[cfg(test)]
mod tests;
mod thing;
mod things;

use activity_logs_model::visibility::{GrantClaim, MembershipClaim};
use activity_logs_model::{
    Action, Claims, Context, NewEntry, OrganizationRef, Outcome, Person, Question, Role, Timestamp,
    Type,
};

use cast::{Actor, CAST, HOMES, PLATFORM, Rank};
use play::Play;

/// Somebody to look at the sample data as.
#[derive(Debug, Clone)]
pub(crate) struct DemoPerson {
    /// What they are, for people.
    pub(crate) title: &'static str,
    /// What a token would say about them.
    pub(crate) claims: Claims,
}

/// The sample entries in the order of their arrival, all of them before `now`. About one in a
/// hundred arrives later than others that happened after it.
pub(crate) fn entries(now: Timestamp) -> Vec<NewEntry> {
    let resources = things::resources();
    let mut arrivals = Vec::new();
    for (index, home) in HOMES.iter().enumerate() {
        arrivals.extend(Play::new(index, home, &resources, now).perform());
    }
    arrivals.extend(refused_recordings(now));
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals.into_iter().map(|(_, entry)| entry).collect()
}

/// What a service left that wanted to record where it may not.
fn refused_recordings(now: Timestamp) -> Vec<(Timestamp, NewEntry)> {
    let home = &HOMES[0];
    let refused = |days_ago: i64| {
        let at = now.plus_seconds(-days_ago * 86_400);
        let entry = NewEntry {
            id: None,
            occurred_at: Some(at),
            kind: Type::activity_logs(),
            action: Action::create(),
            outcome: Outcome::Denied,
            user: Person { id: text("svc-crm"), name: "CRM".to_owned(), email: None },
            organization: Some(OrganizationRef { id: text(home.id), name: home.name.to_owned() }),
            workspace: None,
            identifier: "recording".to_owned(),
            old_value: None,
            new_value: None,
            context: Context::default(),
            question: Question::default().to_json(),
        };
        (at, entry)
    };
    [31, 6].map(refused).into()
}

/// One caller of each sort that sees something else of the sample data.
pub(crate) fn people() -> Vec<DemoPerson> {
    let readers = [
        ("Administrator", "user-5", Role::Admin),
        ("Owner of two organizations", "user-1", Role::User),
        ("Member of one organization", "user-2", Role::User),
        ("Member restricted to two workspaces", "user-3", Role::User),
        ("Outsider with a grant of one workspace", "user-4", Role::User),
    ];
    let mut people: Vec<_> = readers
        .into_iter()
        .map(|(title, id, role)| DemoPerson { title, claims: claims(cast_member(id), role) })
        .collect();
    people.push(DemoPerson {
        title: "Service that records",
        claims: Claims {
            sub: text("svc-recorder"),
            name: Some("Recorder".to_owned()),
            email: None,
            role: Role::Service,
            organizations: None,
            workspaces: Vec::new(),
        },
    });
    people
}

fn claims(actor: &Actor, role: Role) -> Claims {
    let parts = || actor.parts.iter().filter(|part| part.place != PLATFORM);
    let named = |place| HOMES.iter().find(|home| home.id == place).map(|home| home.name.to_owned());
    let members = parts().filter(|part| matches!(part.rank, Rank::Member | Rank::Manager));
    let guests = parts().filter(|part| part.rank == Rank::Guest);
    Claims {
        sub: text(actor.id),
        name: Some(actor.name.to_owned()),
        email: actor.email.map(str::to_owned),
        role,
        organizations: Some(
            members
                .map(|part| MembershipClaim {
                    id: text(part.place),
                    name: named(part.place),
                    workspaces: (!part.only.is_empty())
                        .then(|| part.only.iter().map(|id| text(id)).collect()),
                })
                .collect(),
        ),
        workspaces: guests
            .flat_map(|part| part.only.iter().map(|id| (part.place, id)))
            .map(|(place, id)| GrantClaim { organization_id: text(place), id: text(id) })
            .collect(),
    }
}

fn cast_member(id: &str) -> &'static Actor {
    CAST.iter().find(|actor| actor.id == id).expect("the tables name people of the cast")
}

/// A checked text of the model out of a table.
fn text<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("the tables hold valid identifiers and tokens")
}
