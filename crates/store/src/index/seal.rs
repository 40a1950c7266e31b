//! Making a run from the facts of its entries.

use std::collections::{BTreeMap, HashMap};

use super::codec::{
    write_header, write_keys, write_log_of_rank, write_logs, write_named, write_values,
};
use super::facts::{Code, Fact, Facts};
use super::names::parts_of;
use super::ranks::Ranks;
use super::{CHUNKS, Class, EVERYTHING, Facet, Key, PACKED, RunHeader, is_grouped, list_name};

/// A row of the table `run_lists`, but its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListRow {
    pub(crate) log: String,
    pub(crate) list: String,
    pub(crate) entries: i64,
    pub(crate) content: Vec<u8>,
}

/// All that is written when a run is sealed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealedRun {
    pub(crate) header: RunHeader,
    /// The chunks of keys.
    pub(crate) chunks: Vec<Vec<u8>>,
    /// How many entries each log has.
    pub(crate) logs: Vec<u8>,
    /// Which log each rank is of.
    pub(crate) log_of_rank: Vec<u8>,
    /// In the order of log and list.
    pub(crate) lists: Vec<ListRow>,
}

impl SealedRun {
    pub(crate) fn bounds(&self) -> Vec<u8> {
        write_header(&self.header)
    }
}

/// The log of a rank whose entry is gone; there are never as many logs.
const NO_LOG: u16 = u16::MAX;

/// The lists in the making; ranks are added in ascending order.
type Lists = HashMap<(Class, FacetCode), Vec<u16>>;

/// A facet by the codes of its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FacetCode {
    All,
    Type(Code),
    Action(Code),
    Outcome(Code),
    User(Code),
    Workspace(Code),
    TypeAndAction(Code, Code),
    DeniedAttempts,
}

impl FacetCode {
    fn all_of(fact: &Fact) -> impl Iterator<Item = FacetCode> {
        let facets = [
            FacetCode::All,
            FacetCode::Type(fact.kind),
            FacetCode::Action(fact.action),
            FacetCode::Outcome(fact.outcome),
            FacetCode::User(fact.user),
            FacetCode::Workspace(fact.workspace),
            FacetCode::TypeAndAction(fact.kind, fact.action),
        ];
        let attempts = fact.is_denied_attempt.then_some(FacetCode::DeniedAttempts);
        facets.into_iter().chain(attempts)
    }

    fn name(self, class: Class, facts: &Facts) -> String {
        let text = |code| facts.text(code);
        let facet = match self {
            FacetCode::All => Facet::All,
            FacetCode::Type(kind) => Facet::Type(text(kind)),
            FacetCode::Action(action) => Facet::Action(text(action)),
            FacetCode::Outcome(outcome) => Facet::Outcome(text(outcome)),
            FacetCode::User(user) => Facet::User(text(user)),
            FacetCode::Workspace(workspace) => Facet::Workspace(text(workspace)),
            FacetCode::TypeAndAction(kind, action) => {
                Facet::TypeAndAction(text(kind), text(action))
            }
            FacetCode::DeniedAttempts => Facet::DeniedAttempts,
        };
        list_name(class, facet)
    }
}

/// Makes the run of these entries, at most 65,536; logs with at most `most_packed` of them keep
/// their lists in one row. Entries that were removed keep their ranks, so that those of others
/// stay, and are in no list: of them only the keys are left, `gone`. The same entries make the same
/// bytes.
pub(crate) fn seal(number: i64, facts: &Facts, gone: &[Key], most_packed: usize) -> SealedRun {
    let mut ranked: Vec<(Key, Option<Fact>)> =
        facts.iter().map(|fact| (fact.key, Some(fact))).collect();
    ranked.extend(gone.iter().map(|key| (*key, None)));
    ranked.sort_by_key(|(key, _)| *key);
    let entries = ranked.len();
    let keys: Vec<Key> = ranked.iter().map(|(key, _)| *key).collect();
    let chunk = entries.div_ceil(CHUNKS).max(1);
    let header = RunHeader {
        number,
        entries,
        firsts: keys.iter().step_by(chunk).copied().collect(),
        last: keys.last().copied(),
    };
    let mut everything = Lists::new();
    let mut by_log: BTreeMap<&str, Vec<(u16, &Fact)>> = BTreeMap::new();
    for (rank, (_, fact)) in ranked.iter().enumerate() {
        let Some(fact) = fact else { continue };
        let rank = rank as u16;
        for facet in FacetCode::all_of(fact) {
            everything.entry((fact.class, facet)).or_default().push(rank);
        }
        by_log.entry(facts.text(fact.log)).or_default().push((rank, fact));
    }

    let mut lists = Vec::new();
    let mut logs = Vec::with_capacity(by_log.len());
    let mut log_of_rank = vec![NO_LOG; entries];
    let mut places = Vec::with_capacity(by_log.len());
    for (number, (log, members)) in by_log.iter().enumerate() {
        let mut of_log = Lists::new();
        let mut counts = [0, 0];
        for (rank, fact) in members {
            for facet in FacetCode::all_of(fact) {
                of_log.entry((fact.class, facet)).or_default().push(*rank);
            }
            counts[fact.class as usize] += 1;
            log_of_rank[usize::from(*rank)] = number as u16;
        }
        logs.push(((*log).to_owned(), counts));
        let named: BTreeMap<String, Vec<u16>> = of_log
            .into_iter()
            .map(|((class, facet), ranks)| (facet.name(class, facts), ranks))
            .collect();
        if counts[Class::Ordinary as usize] > 0 {
            let by_workspace = named.iter().filter_map(|(name, set)| match parts_of(name) {
                Some((Class::Ordinary, Facet::Workspace(workspace))) => Some((workspace, &set[..])),
                _ => None,
            });
            places.push((*log, write_named(by_workspace)));
        }
        if members.len() <= most_packed {
            lists.push(ListRow {
                log: (*log).to_owned(),
                list: PACKED.to_owned(),
                entries: members.len() as i64,
                content: write_named(named.iter().map(|(name, set)| (name.as_str(), &set[..]))),
            });
        } else {
            lists.extend(named.into_iter().map(|(list, ranks)| ListRow {
                log: (*log).to_owned(),
                list,
                entries: ranks.len() as i64,
                content: Ranks::write(&ranks),
            }));
        }
    }
    lists.extend(everything.into_iter().map(|((class, facet), ranks)| {
        let list = facet.name(class, facts);
        let content = if is_grouped(EVERYTHING, &list) {
            let mut by_log: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
            for rank in &ranks {
                let (log, _) = &logs[usize::from(log_of_rank[usize::from(*rank)])];
                by_log.entry(log).or_default().push(*rank);
            }
            write_named(by_log.iter().map(|(log, set)| (*log, &set[..])))
        } else {
            Ranks::write(&ranks)
        };
        ListRow { log: EVERYTHING.to_owned(), list, entries: ranks.len() as i64, content }
    }));
    if !places.is_empty() {
        lists.push(ListRow {
            log: EVERYTHING.to_owned(),
            list: list_name(Class::Ordinary, Facet::Places),
            entries: logs
                .iter()
                .map(|(_, counts)| i64::from(counts[Class::Ordinary as usize]))
                .sum(),
            content: write_values(places.iter().map(|(log, sets)| (*log, &sets[..]))),
        });
    }
    lists.sort_by(|a, b| (&a.log, &a.list).cmp(&(&b.log, &b.list)));
    SealedRun {
        chunks: keys.chunks(chunk).map(write_keys).collect(),
        header,
        logs: write_logs(&logs),
        log_of_rank: write_log_of_rank(&log_of_rank),
        lists,
    }
}
