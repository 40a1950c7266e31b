//! Scope, visibility and filter as sets: which lists, combined how.

use std::collections::{BTreeMap, BTreeSet};

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Filter, OrganizationId, UserId, Visibility, WorkspaceId};

use super::names::class_of;
use super::{Class, EVERYTHING, Facet, facet_of, list_name};
use crate::backend::Scope;

/// With more organizations than this part of a run's positions, their entries are found in one
/// pass over the run, at a cost that grows with the run, instead of by each organization's lists.
const SINGLE_LOGS_PART: i64 = 4_096;
/// So few organizations are always read by their lists.
const FEW_LOGS: usize = 2;
/// More than a few are not, if they have more lists than this between them.
const MOST_SINGLE_LISTS: usize = 128;
/// With more pairs of type and action than this, the two are looked up apart.
const MOST_PAIRS: usize = 64;

/// A part of a listing; the parts of one listing have no entry in common.
///
/// It holds the entries that are in some list of each field, and in none of `without`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    pub(crate) logs: Logs,
    /// The lists of one field have no entry in common.
    pub(crate) fields: Vec<Vec<String>>,
    pub(crate) without: Vec<String>,
}

/// Whose lists the fields name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Logs {
    /// One organization's.
    One(String),
    /// Those over all logs.
    All,
    /// Those over all logs, cut down to what these organizations have of these classes.
    These(BTreeSet<String>, Vec<Class>),
    /// Those over all logs, cut down to what somebody sees of organizations that they see in part.
    Parts(Parts),
    /// Those over all logs, the first field a user's: cut down to the organizations in `only`
    /// (none: any log) that are not in `except`.
    OfUser { only: BTreeSet<String>, except: BTreeSet<String> },
}

/// What somebody sees of organizations that they see in part, administrative entries apart: those
/// of some workspaces, and their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Parts {
    /// The workspaces of each organization; empty is what has none.
    pub(crate) workspaces: BTreeMap<String, BTreeSet<String>>,
    /// The list of their own entries.
    pub(crate) own: String,
}

impl Logs {
    /// The log under which the lists are stored.
    pub(crate) fn name(&self) -> &str {
        match self {
            Logs::One(log) => log,
            _ => EVERYTHING,
        }
    }
}

impl Term {
    /// Whether the counts of its lists say how many entries it has.
    pub(crate) fn is_counted(&self) -> bool {
        let by_lists = match &self.logs {
            Logs::One(_) | Logs::All => true,
            Logs::OfUser { only, except } => only.is_empty() && except.is_empty(),
            Logs::These(..) | Logs::Parts(_) => false,
        };
        let [field] = &self.fields[..] else { return false };
        // Lists of types have no entry in common, and all are part of "all".
        let is_all = |list: &String| facet_of(list) == Some(Facet::All);
        let is_type = |list: &String| matches!(facet_of(list), Some(Facet::Type(_)));
        let subtracts = field.iter().all(is_all) && self.without.iter().all(is_type);
        by_lists && (self.without.is_empty() || subtracts)
    }

    /// Whether its lists are those of one log.
    pub(crate) fn is_of_log(&self) -> bool {
        matches!(self.logs, Logs::One(_))
    }

    /// Whether the counts by log say how many entries it has.
    pub(crate) fn is_counted_by_log(&self) -> bool {
        matches!(self.logs, Logs::These(..)) && self.fields.is_empty() && self.without.is_empty()
    }

    /// Whether entries of this class are among its own.
    fn has(&self, class: Class) -> bool {
        match (&self.logs, self.fields.first()) {
            (Logs::These(_, classes), _) => classes.contains(&class),
            (Logs::Parts(_), _) => class == Class::Ordinary,
            (_, field) => field.into_iter().flatten().any(|list| class_of(list) == Some(class)),
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let logs: Vec<&String> = match &self.logs {
            Logs::One(_) | Logs::All => Vec::new(),
            Logs::These(logs, _) => logs.iter().collect(),
            Logs::Parts(Parts { workspaces, .. }) => {
                workspaces.iter().flat_map(|(log, seen)| seen.iter().chain([log])).collect()
            }
            Logs::OfUser { only, except } => only.iter().chain(except).collect(),
        };
        let names = logs.into_iter().map(String::as_str).chain(self.lists());
        size_of::<Self>() + names.map(|name| name.len() + size_of::<String>()).sum::<usize>()
    }

    /// All lists that it names.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &str> {
        let own = match &self.logs {
            Logs::Parts(parts) => Some(&parts.own),
            _ => None,
        };
        self.fields.iter().flatten().chain(&self.without).chain(own).map(String::as_str)
    }
}

/// The parts of a listing: [`Visibility`] and [`Filter`] as sets, the range of
/// time apart. Must hold exactly where `Visibility::allows` and `Filter::matches` do.
pub(crate) fn terms(
    scope: Scope<'_>,
    visibility: &Visibility,
    filter: &Filter,
    run_entries: i64,
) -> Vec<Term> {
    let most_single = usize::try_from(run_entries / SINGLE_LOGS_PART).unwrap_or(0);
    let terms = match (scope, visibility) {
        (_, Visibility::Nothing) => Vec::new(),
        (Scope::Organization(id), _) if !filter.allows_organization(id) => Vec::new(),
        (Scope::Organization(id), Visibility::Everything) => {
            vec![Term::of_log(id.as_str(), or_all(fields(filter, &Class::BOTH), &Class::BOTH))]
        }
        (Scope::Everything, Visibility::Everything) => everything(filter, most_single),
        (Scope::Organization(id), Visibility::Reader { user, reach }) => {
            let mut terms = Vec::new();
            if let Some(reach) = reach.get(id) {
                terms.extend(reached(id, reach, user, filter));
            } else {
                terms.push(own_beyond_reach(id.as_str(), user, filter));
            }
            terms.push(own(id.as_str(), user, filter, Class::Administrative));
            terms
        }
        (Scope::Everything, Visibility::Reader { user, reach }) => {
            let mut terms = Vec::new();
            let reach: Vec<_> =
                reach.iter().filter(|(id, _)| filter.allows_organization(id)).collect();
            let whole = reach.iter().filter(|(_, reach)| **reach == Reach::Whole);
            let whole: BTreeSet<_> = whole.map(|(id, _)| id.to_string()).collect();
            terms.extend(of_logs(&whole, filter, &[Class::Ordinary], most_single));
            terms.extend(of_parts(&reach, user, filter, most_single));
            let only: BTreeSet<_> = filter.organizations.iter().map(ToString::to_string).collect();
            let mut beyond = own_beyond_reach(EVERYTHING, user, filter);
            beyond.logs = Logs::OfUser {
                only: only.clone(),
                except: reach.iter().map(|(id, _)| id.to_string()).collect(),
            };
            let mut administrative = own(EVERYTHING, user, filter, Class::Administrative);
            administrative.logs = Logs::OfUser { only, except: BTreeSet::new() };
            terms.extend([beyond, administrative]);
            terms
        }
    };
    // A field without lists matches nothing.
    let mut terms: Vec<Term> = terms
        .into_iter()
        .filter(|term| term.fields.iter().all(|field| !field.is_empty()))
        .collect();
    for kind in &filter.without_types {
        let class = Class::of(kind.as_str());
        let list = list_name(class, Facet::Type(kind.as_str()));
        for term in terms.iter_mut().filter(|term| term.has(class)) {
            term.without.push(list.clone());
        }
    }
    terms
}

impl Term {
    fn of_log(log: &str, fields: Vec<Vec<String>>) -> Self {
        let logs = if log == EVERYTHING { Logs::All } else { Logs::One(log.to_owned()) };
        Self { logs, fields, without: Vec::new() }
    }
}

/// Everything that matches, as an administrator sees it.
fn everything(filter: &Filter, most_single: usize) -> Vec<Term> {
    if filter.organizations.is_empty() {
        let fields = or_all(fields(filter, &Class::BOTH), &Class::BOTH);
        return vec![Term::of_log(EVERYTHING, fields)];
    }
    let logs = filter.organizations.iter().map(ToString::to_string).collect();
    of_logs(&logs, filter, &Class::BOTH, most_single)
}

/// What matches in whole organizations.
fn of_logs(
    logs: &BTreeSet<String>,
    filter: &Filter,
    classes: &[Class],
    most_single: usize,
) -> Vec<Term> {
    let of_log = or_all(fields(filter, classes), classes);
    if !are_single(logs.len(), of_log.iter().flatten().count(), most_single) {
        let logs = Logs::These(logs.clone(), classes.to_vec());
        return vec![Term { logs, fields: fields(filter, classes), without: Vec::new() }];
    }
    logs.iter().map(|log| Term::of_log(log, of_log.clone())).collect()
}

/// Whether so many organizations are read by the lists of each, that many of one.
fn are_single(logs: usize, lists: usize, most_single: usize) -> bool {
    logs <= FEW_LOGS || logs <= most_single && logs.saturating_mul(lists) <= MOST_SINGLE_LISTS
}

/// What somebody sees of the organizations that they see in part, administrative entries apart.
fn of_parts(
    reach: &[(&OrganizationId, &Reach)],
    user: &UserId,
    filter: &Filter,
    most_single: usize,
) -> Vec<Term> {
    let classes = [Class::Ordinary];
    let mut logs = 0;
    let mut lists = 0;
    let mut workspaces = BTreeMap::new();
    for (id, reach) in reach {
        let Reach::Part { without_workspace, workspaces: seen } = reach else { continue };
        let none = without_workspace.then(String::new);
        let seen: BTreeSet<String> = seen.iter().map(ToString::to_string).chain(none).collect();
        logs += 1;
        lists = lists.max(seen.len());
        workspaces.insert(id.to_string(), seen);
    }
    let fields = fields(filter, &classes);
    // What they reach, and what they did beyond.
    let lists = 2 * (lists + fields.iter().flatten().count());
    if are_single(logs, lists, most_single) {
        return reach
            .iter()
            .filter(|(_, reach)| **reach != Reach::Whole)
            .flat_map(|(id, reach)| reached(id, reach, user, filter))
            .collect();
    }
    let own = list_name(Class::Ordinary, Facet::User(user.as_str()));
    let logs = Logs::Parts(Parts { workspaces, own });
    vec![Term { logs, fields, without: Vec::new() }]
}

/// What somebody reaches in an organization, administrative entries apart, and what they did in
/// it beyond their reach.
fn reached(id: &OrganizationId, reach: &Reach, user: &UserId, filter: &Filter) -> Vec<Term> {
    let classes = [Class::Ordinary];
    let Reach::Part { without_workspace, workspaces } = reach else {
        return vec![Term::of_log(id.as_str(), or_all(fields(filter, &classes), &classes))];
    };
    let none = without_workspace.then_some("");
    let seen: Vec<&str> = workspaces.iter().map(WorkspaceId::as_str).chain(none).collect();
    let name = |workspace: &str| list_name(Class::Ordinary, Facet::Workspace(workspace));
    let lists: Vec<String> = seen.iter().map(|workspace| name(workspace)).collect();
    let wanted = |workspace: &&&str| {
        filter.workspaces.is_empty()
            || filter.workspaces.iter().any(|id| id.as_str() == **workspace)
    };
    let mut within = vec![seen.iter().filter(wanted).map(|workspace| name(workspace)).collect()];
    within.extend(fields(&Filter { workspaces: Vec::new(), ..filter.clone() }, &classes));
    let mut beyond = own(id.as_str(), user, filter, Class::Ordinary);
    beyond.without = lists;
    vec![Term::of_log(id.as_str(), within), beyond]
}

/// What somebody did themselves.
fn own(log: &str, user: &UserId, filter: &Filter, class: Class) -> Term {
    let list = list_name(class, Facet::User(user.as_str()));
    let wanted = filter.users.is_empty() || filter.users.contains(user);
    let mut all = vec![wanted.then_some(list).into_iter().collect()];
    all.extend(fields(&Filter { users: Vec::new(), ..filter.clone() }, &[class]));
    Term::of_log(log, all)
}

/// What somebody did themselves where they may not open the log, administrative entries apart:
/// not denied attempts on it.
fn own_beyond_reach(log: &str, user: &UserId, filter: &Filter) -> Term {
    let mut own = own(log, user, filter, Class::Ordinary);
    own.without.push(list_name(Class::Ordinary, Facet::DeniedAttempts));
    own
}

/// All entries of these classes, where nothing else is asked for.
fn or_all(fields: Vec<Vec<String>>, classes: &[Class]) -> Vec<Vec<String>> {
    if fields.is_empty() {
        vec![classes.iter().map(|class| list_name(*class, Facet::All)).collect()]
    } else {
        fields
    }
}

/// The filter's fields in lists of these classes, organizations and time apart.
fn fields(filter: &Filter, classes: &[Class]) -> Vec<Vec<String>> {
    let texts = |values: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        values.map(str::to_owned).collect()
    };
    let types = texts(&mut filter.types.iter().map(activity_logs_model::Type::as_str));
    let actions = texts(&mut filter.actions.iter().map(activity_logs_model::Action::as_str));
    let outcomes = texts(&mut filter.outcomes.iter().map(|outcome| outcome.as_str()));
    let users = texts(&mut filter.users.iter().map(activity_logs_model::UserId::as_str));
    let workspaces = texts(&mut filter.workspaces.iter().map(WorkspaceId::as_str));

    let types_of = |class: Class| types.iter().filter(move |kind| Class::of(kind) == class);
    let in_classes = |lists: &dyn Fn(Class) -> Vec<String>| -> Vec<String> {
        classes.iter().flat_map(|class| lists(*class)).collect()
    };
    let of = |values: &BTreeSet<String>, facet: fn(&str) -> Facet<'_>| {
        in_classes(&|class| values.iter().map(|value| list_name(class, facet(value))).collect())
    };
    let mut fields = Vec::new();
    if !types.is_empty() && !actions.is_empty() && types.len() * actions.len() <= MOST_PAIRS {
        fields.push(in_classes(&|class| {
            let pair = |kind: &String, action: &String| {
                list_name(class, Facet::TypeAndAction(kind, action))
            };
            types_of(class)
                .flat_map(|kind| actions.iter().map(move |action| pair(kind, action)))
                .collect()
        }));
    } else {
        if !types.is_empty() {
            fields.push(in_classes(&|class| {
                types_of(class).map(|kind| list_name(class, Facet::Type(kind))).collect()
            }));
        }
        if !actions.is_empty() {
            fields.push(of(&actions, |value| Facet::Action(value)));
        }
    }
    for (values, facet) in [
        (&outcomes, (|value| Facet::Outcome(value)) as fn(&str) -> Facet<'_>),
        (&users, |value| Facet::User(value)),
        (&workspaces, |value| Facet::Workspace(value)),
    ] {
        if !values.is_empty() {
            fields.push(of(values, facet));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN_ENTRIES: i64 = 65_536;

    /// Sees two workspaces of each of so many organizations, no two of the same name.
    fn restricted(organizations: usize) -> Visibility {
        let one = |number: usize| {
            let workspaces = ["a", "b"].map(|name| format!("ws-{number}-{name}").parse().unwrap());
            let reach = Reach::Part { without_workspace: true, workspaces: workspaces.into() };
            (format!("org-{number}").parse().unwrap(), reach)
        };
        let reach = (0..organizations).map(one).collect();
        Visibility::Reader { user: "ada".parse().unwrap(), reach }
    }

    fn users(count: usize) -> Filter {
        let users = (0..count).map(|number| format!("user-{number}").parse().unwrap());
        Filter { users: users.chain(["ada".parse().unwrap()]).collect(), ..Filter::default() }
    }

    fn of(organizations: usize, filter: &Filter) -> (usize, usize) {
        let terms = terms(Scope::Everything, &restricted(organizations), filter, RUN_ENTRIES);
        (terms.len(), terms.iter().map(|term| term.lists().count()).sum())
    }

    #[test]
    fn what_is_read_does_not_grow_with_many_organizations() {
        for filter in [Filter::default(), users(99)] {
            let (terms, lists) = of(17, &filter);
            assert_eq!(terms, 3);
            assert_eq!(of(250, &filter), (terms, lists));
            assert_eq!(of(2_500, &filter), (terms, lists));
        }
        // Two for each, what they reach and what they did beyond; and two for what they did elsewhere.
        assert_eq!(of(16, &Filter::default()).0, 16 * 2 + 2);
        assert_eq!(of(3, &users(9)).0, 3 * 2 + 2);
        assert_eq!(of(3, &users(99)).0, 3, "many lists of a few organizations are many");
        assert_eq!(of(2, &users(99)).0, 2 * 2 + 2);
    }

    #[test]
    fn an_id_is_not_taken_for_a_list() {
        let filter = |user: &str| Filter {
            users: vec![user.parse().unwrap()],
            without_types: vec!["Users".parse().unwrap()],
            ..Filter::default()
        };
        for user in ["ada", "*", "o*", "t"] {
            let filter = filter(user);
            let of_user = terms(Scope::Everything, &Visibility::Everything, &filter, RUN_ENTRIES);
            assert!(!of_user[0].is_counted(), "types are not subtracted from a user's entries");
        }
        let filter = Filter { users: Vec::new(), ..filter("ada") };
        let all = terms(Scope::Everything, &Visibility::Everything, &filter, RUN_ENTRIES);
        assert!(all[0].is_counted());
    }
}
