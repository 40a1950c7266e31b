//! Scope, visibility and filter as sets: which lists, combined how.

use std::collections::BTreeSet;

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Filter, OrganizationId, UserId, Visibility};

use super::{Class, EVERYTHING, Facet, class_of, list_name};
use crate::backend::Scope;

/// With more organizations than this part of a run's positions, their entries are found by the
/// log of each rank, at a cost that grows with the run, instead of by each organization's lists.
const SINGLE_LOGS_PART: i64 = 4_096;
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
    /// Those over all logs, the first field a user's: cut down to the organizations in `only`
    /// (none: any log) that are not in `except`.
    OfUser { only: BTreeSet<String>, except: BTreeSet<String> },
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
            Logs::These(..) => false,
        };
        let [field] = &self.fields[..] else { return false };
        // Lists of types have no entry in common, and all are part of "all".
        let facet_of = |list: &String| list.as_bytes().get(1).copied();
        let is_all = |list: &String| facet_of(list) == Some(b'*');
        let is_type = |list: &String| facet_of(list) == Some(b't');
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
            (_, field) => field.into_iter().flatten().any(|list| class_of(list) == Some(class)),
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let logs: Vec<&BTreeSet<String>> = match &self.logs {
            Logs::One(_) | Logs::All => Vec::new(),
            Logs::These(logs, _) => vec![logs],
            Logs::OfUser { only, except } => vec![only, except],
        };
        let names = logs.into_iter().flatten().map(String::as_str).chain(self.lists());
        size_of::<Self>() + names.map(|name| name.len() + size_of::<String>()).sum::<usize>()
    }

    /// All lists that it names.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().flatten().chain(&self.without).map(String::as_str)
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
                terms.push(own(id.as_str(), user, filter, Class::Ordinary));
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
            for (id, reach) in reach.iter().filter(|(_, reach)| **reach != Reach::Whole) {
                terms.extend(reached(id, reach, user, filter));
            }
            let only: BTreeSet<_> = filter.organizations.iter().map(ToString::to_string).collect();
            for class in Class::BOTH {
                let mut term = own(EVERYTHING, user, filter, class);
                let seen = reach.iter().filter(|_| class == Class::Ordinary);
                term.logs = Logs::OfUser {
                    only: only.clone(),
                    except: seen.map(|(id, _)| id.to_string()).collect(),
                };
                terms.push(term);
            }
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
    if logs.len() > most_single {
        let logs = Logs::These(logs.clone(), classes.to_vec());
        return vec![Term { logs, fields: fields(filter, classes), without: Vec::new() }];
    }
    let fields = or_all(fields(filter, classes), classes);
    logs.iter().map(|log| Term::of_log(log, fields.clone())).collect()
}

/// What somebody reaches in an organization, administrative entries apart, and what they did in
/// it beyond their reach.
fn reached(id: &OrganizationId, reach: &Reach, user: &UserId, filter: &Filter) -> Vec<Term> {
    let classes = [Class::Ordinary];
    let Reach::Part { without_workspace, workspaces } = reach else {
        return vec![Term::of_log(id.as_str(), or_all(fields(filter, &classes), &classes))];
    };
    let none = without_workspace.then_some("");
    let seen: Vec<&str> =
        workspaces.iter().map(activity_logs_model::WorkspaceId::as_str).chain(none).collect();
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
    let workspaces =
        texts(&mut filter.workspaces.iter().map(activity_logs_model::WorkspaceId::as_str));

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
