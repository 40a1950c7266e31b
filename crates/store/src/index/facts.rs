//! What listings need to know of entries that no sealed run has yet.

use std::collections::HashMap;

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Entry, Filter, Visibility};

use super::{Class, Key};
use crate::backend::Scope;

/// A text's number in the [`Facts`] that hold it.
pub(crate) type Code = u32;

/// What listings need to know of one entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact {
    pub(crate) key: Key,
    pub(crate) log: Code,
    pub(crate) kind: Code,
    pub(crate) action: Code,
    pub(crate) outcome: Code,
    pub(crate) user: Code,
    /// The code of the empty text: none.
    pub(crate) workspace: Code,
    pub(crate) class: Class,
}

/// The texts of an entry by which it is found, in the order in which the database gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub(crate) log: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) action: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) user: &'a str,
    pub(crate) workspace: &'a str,
}

/// The facts of consecutive positions, in the order of listings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    facts: Vec<Fact>,
    texts: Vec<Box<str>>,
    codes: HashMap<Box<str>, Code>,
}

impl Facts {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Fact> {
        self.facts.iter()
    }

    pub(crate) fn text(&self, code: Code) -> &str {
        &self.texts[code as usize]
    }

    fn code(&mut self, text: &str) -> Code {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = Code::try_from(self.texts.len()).unwrap_or(Code::MAX);
        self.texts.push(text.into());
        self.codes.insert(text.into(), code);
        code
    }

    /// Adds entries that are not there yet; cheap where they are the newest.
    pub(crate) fn add<'a>(&mut self, entries: impl IntoIterator<Item = (Key, Texts<'a>)>) {
        let before = self.facts.len();
        for (key, texts) in entries {
            let fact = Fact {
                key,
                log: self.code(texts.log),
                kind: self.code(texts.kind),
                action: self.code(texts.action),
                outcome: self.code(texts.outcome),
                user: self.code(texts.user),
                workspace: self.code(texts.workspace),
                class: Class::of(texts.kind),
            };
            self.facts.push(fact);
        }
        let from = before.saturating_sub(1);
        if !self.facts[from..].is_sorted_by_key(|fact| fact.key) {
            // Stable sorting merges what is in order already.
            self.facts.sort_by_key(|fact| fact.key);
        }
    }

    /// Keeps only the entries for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Self, &Fact) -> bool) {
        let mut kept = Facts::default();
        let facts = std::mem::take(&mut self.facts);
        let wanted = facts.iter().filter(|fact| keep(self, fact));
        kept.add(wanted.map(|fact| (fact.key, self.texts_of(fact))));
        *self = kept;
    }

    pub(crate) fn texts_of(&self, fact: &Fact) -> Texts<'_> {
        Texts {
            log: self.text(fact.log),
            kind: self.text(fact.kind),
            action: self.text(fact.action),
            outcome: self.text(fact.outcome),
            user: self.text(fact.user),
            workspace: self.text(fact.workspace),
        }
    }

    /// Calls for each entry up to a position that is in scope, seen and matches, in the order of
    /// their keys.
    pub(crate) fn each_matching(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        filter: &Filter,
        as_of: i64,
        each: impl FnMut(&Fact),
    ) {
        let matcher = Matcher::new(self, scope, visibility, filter);
        let begin = filter.from.map_or(0, |from| {
            self.facts.partition_point(|fact| fact.key.occurred_at < from.as_micros())
        });
        let end = filter.to.map_or(self.facts.len(), |to| {
            self.facts.partition_point(|fact| fact.key.occurred_at < to.as_micros())
        });
        let facts = self.facts.get(begin..end).unwrap_or_default();
        facts
            .iter()
            .filter(|fact| fact.key.position <= as_of && matcher.matches(fact))
            .for_each(each);
    }

    fn codes<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<Code> {
        texts.into_iter().filter_map(|text| self.codes.get(text).copied()).collect()
    }
}

/// The texts of an entry.
pub(crate) fn texts_of_entry(entry: &Entry) -> (Key, Texts<'_>) {
    let key = Key {
        occurred_at: entry.occurred_at.as_micros(),
        sequence: entry.sequence,
        position: entry.position,
    };
    let texts = Texts {
        log: entry.organization.as_ref().map_or("", |organization| organization.id.as_str()),
        kind: entry.kind.as_str(),
        action: entry.action.as_str(),
        outcome: entry.outcome.as_str(),
        user: entry.user.id.as_str(),
        workspace: entry.workspace.as_ref().map_or("", |workspace| workspace.id.as_str()),
    };
    (key, texts)
}

/// A listing's scope, visibility and filter in codes: must hold exactly where
/// `Visibility::allows` and `Filter::matches` do.
struct Matcher {
    /// For each field that is filtered, the codes that match.
    log: Option<Vec<Code>>,
    kind: Option<Vec<Code>>,
    without_kind: Vec<Code>,
    action: Option<Vec<Code>>,
    outcome: Option<Vec<Code>>,
    user: Option<Vec<Code>>,
    workspace: Option<Vec<Code>>,
    seen: Seen,
}

enum Seen {
    Everything,
    Nothing,
    Reader {
        user: Option<Code>,
        /// By the code of the log.
        reach: Vec<Sees>,
        parts: HashMap<Code, Vec<Code>>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    None,
    Whole,
    Part,
}

impl Matcher {
    fn new(facts: &Facts, scope: Scope<'_>, visibility: &Visibility, filter: &Filter) -> Self {
        fn any<'a, T: 'a>(
            facts: &Facts,
            values: &'a [T],
            text: impl Fn(&'a T) -> &'a str,
        ) -> Option<Vec<Code>> {
            (!values.is_empty()).then(|| facts.codes(values.iter().map(text)))
        }
        let log = match scope {
            Scope::Organization(id) if !filter.allows_organization(id) => Some(Vec::new()),
            Scope::Organization(id) => Some(facts.codes([id.as_str()])),
            Scope::Everything => any(facts, &filter.organizations, |id| id.as_str()),
        };
        let seen = match visibility {
            Visibility::Everything => Seen::Everything,
            Visibility::Nothing => Seen::Nothing,
            Visibility::Reader { user, reach } => {
                let mut by_log = vec![Sees::None; facts.texts.len()];
                let mut parts = HashMap::new();
                for (id, reach) in reach {
                    let Some(log) = facts.codes.get(id.as_str()) else { continue };
                    by_log[*log as usize] = match reach {
                        Reach::Whole => Sees::Whole,
                        Reach::Part { without_workspace, workspaces } => {
                            let none = without_workspace.then_some("");
                            let seen = workspaces
                                .iter()
                                .map(activity_logs_model::WorkspaceId::as_str)
                                .chain(none);
                            parts.insert(*log, facts.codes(seen));
                            Sees::Part
                        }
                    };
                }
                let user = facts.codes.get(user.as_str()).copied();
                Seen::Reader { user, reach: by_log, parts }
            }
        };
        Self {
            log,
            kind: any(facts, &filter.types, |kind| kind.as_str()),
            without_kind: facts
                .codes(filter.without_types.iter().map(activity_logs_model::Type::as_str)),
            action: any(facts, &filter.actions, |action| action.as_str()),
            outcome: any(facts, &filter.outcomes, |outcome| outcome.as_str()),
            user: any(facts, &filter.users, |user| user.as_str()),
            workspace: any(facts, &filter.workspaces, |workspace| workspace.as_str()),
            seen,
        }
    }

    fn matches(&self, fact: &Fact) -> bool {
        let any = |wanted: &Option<Vec<Code>>, code: Code| {
            wanted.as_ref().is_none_or(|wanted| wanted.contains(&code))
        };
        any(&self.log, fact.log)
            && any(&self.kind, fact.kind)
            && !self.without_kind.contains(&fact.kind)
            && any(&self.action, fact.action)
            && any(&self.outcome, fact.outcome)
            && any(&self.user, fact.user)
            && any(&self.workspace, fact.workspace)
            && match &self.seen {
                Seen::Everything => true,
                Seen::Nothing => false,
                Seen::Reader { user, reach, parts } => {
                    *user == Some(fact.user)
                        || fact.class == Class::Ordinary
                            && match reach[fact.log as usize] {
                                Sees::None => false,
                                Sees::Whole => true,
                                Sees::Part => parts
                                    .get(&fact.log)
                                    .is_some_and(|seen| seen.contains(&fact.workspace)),
                            }
                }
            }
    }
}
