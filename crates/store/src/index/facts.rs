//! What listings need to know of entries that no sealed run has yet.

use std::collections::HashMap;
use std::sync::Arc;

use activity_logs_model::visibility::{Reach, is_denied_attempt};
use activity_logs_model::{
    Action, Entry, Filter, OrganizationId, Timestamp, Type, UserId, Visibility, WorkspaceId,
};

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
    /// On a log: not everybody sees their own.
    pub(crate) is_denied_attempt: bool,
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

/// How many facts a block has at most: what a commit copies while somebody reads it.
const BLOCK_FACTS: usize = 256;

/// Facts that follow each other in the order of listings, field by field: a listing looks at all
/// recent facts, but at few of their fields.
#[derive(Debug, Clone, Default)]
struct Block {
    keys: Vec<Key>,
    logs: Vec<Code>,
    kinds: Vec<Code>,
    actions: Vec<Code>,
    outcomes: Vec<Code>,
    users: Vec<Code>,
    workspaces: Vec<Code>,
    classes: Vec<Class>,
    denied_attempts: Vec<bool>,
    /// No position is beyond.
    newest: i64,
}

impl Block {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn at(&self, place: usize) -> Fact {
        Fact {
            key: self.keys[place],
            log: self.logs[place],
            kind: self.kinds[place],
            action: self.actions[place],
            outcome: self.outcomes[place],
            user: self.users[place],
            workspace: self.workspaces[place],
            class: self.classes[place],
            is_denied_attempt: self.denied_attempts[place],
        }
    }

    fn insert(&mut self, place: usize, fact: Fact) {
        self.keys.insert(place, fact.key);
        self.logs.insert(place, fact.log);
        self.kinds.insert(place, fact.kind);
        self.actions.insert(place, fact.action);
        self.outcomes.insert(place, fact.outcome);
        self.users.insert(place, fact.user);
        self.workspaces.insert(place, fact.workspace);
        self.classes.insert(place, fact.class);
        self.denied_attempts.insert(place, fact.is_denied_attempt);
        self.newest = self.newest.max(fact.key.position);
    }

    /// Cuts off the facts from a place on.
    fn split_off(&mut self, place: usize) -> Self {
        Self {
            keys: self.keys.split_off(place),
            logs: self.logs.split_off(place),
            kinds: self.kinds.split_off(place),
            actions: self.actions.split_off(place),
            outcomes: self.outcomes.split_off(place),
            users: self.users.split_off(place),
            workspaces: self.workspaces.split_off(place),
            classes: self.classes.split_off(place),
            denied_attempts: self.denied_attempts.split_off(place),
            newest: self.newest,
        }
    }

    /// The first place whose key is not before.
    fn place_of(&self, is_before: impl Fn(&Key) -> bool) -> usize {
        self.keys.partition_point(is_before)
    }
}

/// The facts of consecutive positions, in the order of listings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// None is empty.
    blocks: Vec<Arc<Block>>,
    texts: Vec<Box<str>>,
    codes: HashMap<Box<str>, Code>,
}

/// Some places in a block, ascending.
struct Places(Vec<u16>);

impl Places {
    /// Keeps those for which it holds. Every listing looks at all recent facts, and which of them
    /// match can't be predicted; so there is nothing here to predict.
    fn keep(&mut self, holds: impl Fn(usize) -> bool) {
        let mut kept = 0;
        for index in 0..self.0.len() {
            let place = self.0[index];
            self.0[kept] = place;
            kept += usize::from(holds(usize::from(place)));
        }
        self.0.truncate(kept);
    }
}

/// The facts of a block that match.
pub(crate) struct Matching {
    block: Arc<Block>,
    places: Vec<u16>,
}

impl Matching {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Their keys, ascending.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = Key> {
        self.places.iter().map(|place| self.block.keys[usize::from(*place)])
    }
}

impl Facts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Fact> {
        self.blocks.iter().flat_map(|block| (0..block.len()).map(|place| block.at(place)))
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

    /// Adds entries that are not there yet; cheapest where they are the newest.
    pub(crate) fn add<'a>(&mut self, entries: impl IntoIterator<Item = (Key, Texts<'a>)>) {
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
                is_denied_attempt: is_denied_attempt(texts.kind, texts.outcome),
            };
            self.insert(fact);
        }
    }

    fn insert(&mut self, fact: Fact) {
        // The first block that ends after it; the last one has room, or there is a new one.
        let ends_before =
            |block: &Arc<Block>| block.keys.last().is_some_and(|last| *last < fact.key);
        let mut at = self.blocks.partition_point(ends_before);
        if at == self.blocks.len() {
            match self.blocks.last() {
                Some(last) if last.len() < BLOCK_FACTS => at -= 1,
                _ => self.blocks.push(Arc::default()),
            }
        }
        let block = Arc::make_mut(&mut self.blocks[at]);
        block.insert(block.place_of(|other| *other < fact.key), fact);
        if block.len() > BLOCK_FACTS {
            let rest = block.split_off(block.len() / 2);
            self.blocks.insert(at + 1, Arc::new(rest));
        }
    }

    /// Keeps only the entries for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Self, &Fact) -> bool) {
        let mut kept = Facts::default();
        let wanted = self.iter().filter(|fact| keep(self, fact));
        kept.add(wanted.map(|fact| (fact.key, self.texts_of(&fact))));
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

    /// The entries up to a position that are in scope, seen and match, in the order of their
    /// keys.
    pub(crate) fn matching(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        filter: &Filter,
        as_of: i64,
        mut each: impl FnMut(&Fact),
    ) -> Vec<Matching> {
        let matcher = Matcher::new(self, scope, visibility, filter);
        let time = |instant: Option<Timestamp>| instant.map(Timestamp::as_micros);
        let (from, to) = (time(filter.from), time(filter.to));
        let mut found = Vec::new();
        for block in &self.blocks {
            let place_of = |time: i64| block.place_of(|key| key.occurred_at < time);
            let (first, end) = (from.map_or(0, place_of), to.map_or(block.len(), place_of));
            let mut places = Places((0..).take(end).skip(first).collect());
            if block.newest > as_of {
                places.keep(|place| block.keys[place].position <= as_of);
            }
            matcher.keep(block, &mut places);
            if !places.0.is_empty() {
                places.0.iter().for_each(|place| each(&block.at(usize::from(*place))));
                found.push(Matching { block: block.clone(), places: places.0 });
            }
        }
        found
    }

    /// Which codes are those of some texts.
    fn codes<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Codes {
        let mut codes = vec![false; self.texts.len()];
        for text in texts {
            if let Some(code) = self.codes.get(text) {
                codes[*code as usize] = true;
            }
        }
        codes
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

/// Whether each code is among some.
type Codes = Vec<bool>;

/// A field of the facts of a block.
type Field = fn(&Block) -> &[Code];

/// A listing's scope, visibility and filter in codes, its range of time apart: must hold exactly
/// where `Visibility::allows` and `Filter::matches` do.
struct Matcher {
    /// For each field that is filtered, the codes that match.
    fields: Vec<(Field, Codes)>,
    seen: Seen,
}

enum Seen {
    Everything,
    Nothing,
    Reader {
        user: Option<Code>,
        /// By the code of the log.
        reach: Vec<Sees>,
        /// Of logs seen in part, the codes of workspaces that are seen, ascending: there may be
        /// thousands of such logs.
        parts: Vec<Vec<Code>>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    None,
    Whole,
    Part(usize),
}

impl Matcher {
    fn new(facts: &Facts, scope: Scope<'_>, visibility: &Visibility, filter: &Filter) -> Self {
        let mut fields: Vec<(Field, Codes)> = Vec::new();
        let mut any = |field: Field, values: &mut dyn ExactSizeIterator<Item = &str>| {
            if values.len() > 0 {
                fields.push((field, facts.codes(values)));
            }
        };
        any(|block| &block.logs, &mut filter.organizations.iter().map(OrganizationId::as_str));
        if let Scope::Organization(id) = scope {
            any(|block| &block.logs, &mut [id.as_str()].into_iter());
        }
        any(|block| &block.kinds, &mut filter.types.iter().map(Type::as_str));
        any(|block| &block.actions, &mut filter.actions.iter().map(Action::as_str));
        any(|block| &block.outcomes, &mut filter.outcomes.iter().map(|outcome| outcome.as_str()));
        any(|block| &block.users, &mut filter.users.iter().map(UserId::as_str));
        any(|block| &block.workspaces, &mut filter.workspaces.iter().map(WorkspaceId::as_str));
        if !filter.without_types.is_empty() {
            let mut kinds = facts.codes(filter.without_types.iter().map(Type::as_str));
            kinds.iter_mut().for_each(|is_without| *is_without = !*is_without);
            fields.push((|block| &block.kinds, kinds));
        }
        let seen = match visibility {
            Visibility::Everything => Seen::Everything,
            Visibility::Nothing => Seen::Nothing,
            Visibility::Reader { user, reach } => {
                let mut by_log = vec![Sees::None; facts.texts.len()];
                let mut parts = Vec::new();
                for (id, reach) in reach {
                    let Some(log) = facts.codes.get(id.as_str()) else { continue };
                    by_log[*log as usize] = match reach {
                        Reach::Whole => Sees::Whole,
                        Reach::Part { without_workspace, workspaces } => {
                            let none = without_workspace.then_some("");
                            let seen = workspaces.iter().map(WorkspaceId::as_str).chain(none);
                            let codes = seen.filter_map(|text| facts.codes.get(text).copied());
                            let mut codes: Vec<Code> = codes.collect();
                            codes.sort_unstable();
                            parts.push(codes);
                            Sees::Part(parts.len() - 1)
                        }
                    };
                }
                let user = facts.codes.get(user.as_str()).copied();
                Seen::Reader { user, reach: by_log, parts }
            }
        };
        Self { fields, seen }
    }

    /// Keeps the places whose facts match.
    fn keep(&self, block: &Block, places: &mut Places) {
        for (field, codes) in &self.fields {
            let field = field(block);
            places.keep(|place| codes[field[place] as usize]);
        }
        match &self.seen {
            Seen::Everything => {}
            Seen::Nothing => places.0.clear(),
            Seen::Reader { user, reach, parts } => places.keep(|place| {
                let reach = reach[block.logs[place] as usize];
                let sees = match reach {
                    Sees::None => false,
                    Sees::Whole => true,
                    Sees::Part(part) => parts[part].binary_search(&block.workspaces[place]).is_ok(),
                };
                let is_own = *user == Some(block.users[place]);
                let sees_own = (reach != Sees::None) | !block.denied_attempts[place];
                (is_own & sees_own) | (sees & (block.classes[place] == Class::Ordinary))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(number: i64) -> Texts<'static> {
        let kind = ["Users", "AdminUsers", "Plans"][number as usize % 3];
        let user = ["ada", "ben"][number as usize % 2];
        let log = ["acme", "umbrella", ""][number as usize / 7 % 3];
        Texts { log, kind, action: "Fetch", outcome: "success", user, workspace: "" }
    }

    proptest! {
        #[test]
        fn whatever_the_order_they_come_in(times in prop::collection::vec(0_i64..400, 0..1_500),
            batch in 1_usize..700, from in 0_i64..400, as_of in 0_i64..1_500) {
            let keys: Vec<Key> = (1..).zip(&times)
                .map(|(position, time)| Key { occurred_at: *time, sequence: position, position }).collect();
            let mut facts = Facts::default();
            for keys in keys.chunks(batch) {
                facts.add(keys.iter().map(|key| (*key, texts(key.position))));
            }
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            prop_assert!(facts.iter().map(|fact| fact.key).eq(sorted.iter().copied()));
            prop_assert!(facts.blocks.iter().all(|block| (1..=BLOCK_FACTS).contains(&block.len())));

            let filter = Filter {
                from: Some(Timestamp::from_micros(from)),
                users: vec!["ada".parse().unwrap()],
                ..Filter::default()
            };
            let matching = facts.matching(Scope::Everything, &Visibility::Everything, &filter, as_of, |_| {});
            let found: Vec<Key> = matching.iter().flat_map(Matching::keys).collect();
            let is_in = |key: &&Key| {
                key.occurred_at >= from && key.position <= as_of && texts(key.position).user == "ada"
            };
            let expected: Vec<Key> = sorted.iter().filter(is_in).copied().collect();
            prop_assert_eq!(matching.iter().map(Matching::len).sum::<usize>(), expected.len());
            prop_assert_eq!(found, expected);

            facts.retain(|_, fact| fact.key.position > as_of);
            prop_assert!(facts.iter().map(|fact| fact.key).eq(sorted.into_iter().filter(|key| key.position > as_of)));
        }
    }
}
