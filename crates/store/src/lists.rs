//! The parts of the index as listings read them. One text, compiled once for each database like
//! the module `log`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use sqlx::Row as _;

use super::runs::unreadable;
use super::{Database, fetch_keys, fetch_lists};
use crate::Error;
use crate::index::codec::{
    Unreadable, read_keys, read_log_of_rank, read_logs, read_named, read_values,
};
use crate::index::known::ChunkAt;
use crate::index::ranks::Ranks;
use crate::index::state::Removals;
use crate::index::terms::{Logs, Parts, Term};
use crate::index::{Class, EVERYTHING, Facet, Key, PACKED, RunHeader, is_grouped, list_name};

/// The lists of some runs: by log and list, then by run.
#[derive(Default)]
pub(super) struct Lists(HashMap<(String, String), BTreeMap<i64, List>>);

/// Chunks of keys that were read.
pub(super) type Chunks = HashMap<ChunkAt, Arc<[Key]>>;

/// How many entries a list has in a run, and which, if that was asked for.
type List = (usize, Option<Vec<u8>>);

impl Lists {
    fn at(&self, log: &str, list: &str, run: i64) -> Option<&List> {
        // Looked up by owned names: few, and of the order of the statement's own.
        self.0.get(&(log.to_owned(), list.to_owned()))?.get(&run)
    }

    /// Calls for each set of ranks that a list of a log has in a run.
    pub(super) fn each(
        &self,
        log: &str,
        list: &str,
        run: i64,
        mut each: impl FnMut(&Content<'_>),
    ) -> Result<(), Error> {
        if let Some((entries, content)) = self.at(log, list, run) {
            match content {
                Some(content) if is_grouped(log, list) => {
                    read_named(content, |log, ranks| each(&Content::Few(log, ranks)))
                        .map_err(unreadable)?;
                }
                content => each(&Content::Stored(*entries, content.as_deref().unwrap_or_default())),
            }
        }
        if let Some((_, Some(packed))) = self.at(log, PACKED, run) {
            read_named(packed, |name, ranks| {
                if name == list {
                    each(&Content::Few(log, ranks));
                }
            })
            .map_err(unreadable)?;
        }
        Ok(())
    }
}

pub(super) enum Content<'a> {
    /// As the table holds it.
    Stored(usize, &'a [u8]),
    /// Of this log.
    Few(&'a str, &'a [u16]),
}

impl Content<'_> {
    pub(super) fn entries(&self) -> usize {
        match self {
            Content::Stored(entries, _) => *entries,
            Content::Few(_, ranks) => ranks.len(),
        }
    }

    pub(super) fn add_to(&self, set: &mut Ranks) {
        match self {
            Content::Stored(_, content) => set.add_written(content),
            Content::Few(_, ranks) => ranks.iter().for_each(|rank| set.insert(*rank)),
        }
    }
}

impl Database {
    /// Adds the lists of these terms in a stretch of runs, with their content in `contents`.
    pub(super) async fn read_lists(
        &self,
        terms: &[&Term],
        removals: &Removals,
        runs: &RangeInclusive<i64>,
        contents: &BTreeSet<i64>,
        lists: &mut Lists,
    ) -> Result<(), Error> {
        let mut wanted: BTreeSet<(&str, String)> = BTreeSet::new();
        let all = |class| list_name(class, Facet::All);
        for term in terms {
            let log = term.logs.name();
            wanted.extend(term.lists().map(|list| (log, list.to_owned())));
            match &term.logs {
                Logs::One(_) => {
                    wanted.insert((log, PACKED.to_owned()));
                }
                Logs::These(_, classes) => {
                    wanted.extend(classes.iter().map(|class| (log, all(*class))));
                }
                Logs::All | Logs::Parts(_) | Logs::OfUser { .. } => {}
            }
        }
        if terms.iter().any(|term| !term.is_of_log()) {
            for log in removals.keys() {
                wanted.extend(Class::BOTH.map(|class| (log.as_str(), all(class))));
                wanted.insert((log, PACKED.to_owned()));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let contents: Vec<i64> = contents.iter().copied().collect();
        let wanted: Vec<(&str, &str)> =
            wanted.iter().map(|(log, list)| (*log, list.as_str())).collect();
        for row in fetch_lists(&self.readers, &wanted, runs, &contents).await? {
            let entries = usize::try_from(row.try_get::<i32, _>(3)?).unwrap_or(0);
            let of_list: &mut BTreeMap<_, _> =
                lists.0.entry((row.try_get(0)?, row.try_get(1)?)).or_default();
            let content: Option<Vec<u8>> = row.try_get(4)?;
            let run: i64 = row.try_get(2)?;
            if content.is_some() || !of_list.contains_key(&run) {
                of_list.insert(run, (entries, content));
            }
        }
        Ok(())
    }

    /// How many entries these organizations have in each run, and for the runs in `sets`, at
    /// which ranks.
    pub(super) async fn read_logs_of_runs(
        &self,
        these: &BTreeSet<String>,
        classes: &[Class],
        runs: &RangeInclusive<i64>,
        sets: &BTreeSet<i64>,
    ) -> Result<HashMap<i64, (usize, Option<Ranks>)>, Error> {
        let rows = sqlx::query("SELECT run, logs FROM runs WHERE run BETWEEN $1 AND $2")
            .bind(*runs.start())
            .bind(*runs.end())
            .fetch_all(&self.readers)
            .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let run: i64 = row.try_get(0)?;
            let mut count = 0;
            let mut members = Vec::new();
            let mut wanted = these.iter().map(String::as_str).peekable();
            read_logs(row.try_get(1)?, |log, of_class| {
                while wanted.next_if(|wanted| *wanted < log).is_some() {}
                let is_member = wanted.peek() == Some(&log);
                if is_member {
                    count += classes.iter().map(|class| of_class[*class as usize]).sum::<u64>();
                }
                members.push(is_member);
            })
            .map_err(unreadable)?;
            let mut set = None;
            if sets.contains(&run) {
                let row = sqlx::query("SELECT log_of_rank FROM runs WHERE run = $1")
                    .bind(run)
                    .fetch_one(&self.readers)
                    .await?;
                let of_rank = read_log_of_rank(row.try_get(0)?).enumerate();
                let is_member = |log: u16| members.get(usize::from(log)) == Some(&true);
                let ranks = set.insert(Ranks::new());
                of_rank
                    .filter(|(_, log)| is_member(*log))
                    .for_each(|(rank, _)| ranks.insert(rank as u16));
            }
            found.insert(run, (usize::try_from(count).unwrap_or(usize::MAX), set));
        }
        Ok(found)
    }

    /// What some organizations have of some of their workspaces, in these runs.
    pub(super) async fn read_parts_of_runs(
        &self,
        parts: &Parts,
        runs: &BTreeSet<i64>,
    ) -> Result<HashMap<i64, (usize, Option<Ranks>)>, Error> {
        let mut found = HashMap::with_capacity(runs.len());
        let list = list_name(Class::Ordinary, Facet::Places);
        for run in runs {
            let row = sqlx::query(
                "SELECT content FROM run_lists WHERE organization_id = $1 AND list = $2 AND run = $3",
            )
            .bind(EVERYTHING)
            .bind(list.as_str())
            .bind(*run)
            .fetch_optional(&self.readers)
            .await?;
            let mut set = Ranks::new();
            if let Some(row) = row {
                read_values(row.try_get(0)?, |log, by_workspace| {
                    let Some(seen) = parts.workspaces.get(log) else { return Ok(()) };
                    read_named(by_workspace, |workspace, ranks| {
                        if seen.contains(workspace) {
                            ranks.iter().for_each(|rank| set.insert(*rank));
                        }
                    })
                })
                .map_err(unreadable)?;
            }
            found.insert(*run, (set.len(), Some(set)));
        }
        Ok(found)
    }

    /// Chunks of keys.
    pub(super) async fn read_chunks(&self, chunks: &BTreeSet<ChunkAt>) -> Result<Chunks, Error> {
        let mut read = HashMap::with_capacity(chunks.len());
        let mut unknown = Vec::new();
        for at in chunks {
            match self.index.known.chunk(*at) {
                Some(keys) => {
                    read.insert(*at, keys);
                }
                None => unknown.push((at.0, at.1 as i64)),
            }
        }
        if unknown.is_empty() {
            return Ok(read);
        }
        for row in fetch_keys(&self.readers, &unknown).await? {
            let chunk = usize::try_from(row.try_get::<i32, _>(1)?).unwrap_or(0);
            let at = (row.try_get(0)?, chunk);
            let keys: Arc<[Key]> = read_keys(row.try_get(2)?).map_err(unreadable)?.into();
            self.index.known.keep_chunk(at, keys.clone());
            read.insert(at, keys);
        }
        Ok(read)
    }
}

/// The chunk in which entries before and from a time meet.
pub(super) fn chunk_of(header: &RunHeader, time: i64) -> Option<usize> {
    header.firsts.partition_point(|first| first.occurred_at < time).checked_sub(1)
}

/// The keys of a chunk that was read.
pub(super) fn chunk_keys<'a>(
    header: &RunHeader,
    chunk: usize,
    read: &'a Chunks,
) -> Result<&'a [Key], Error> {
    read.get(&(header.number, chunk)).map(|keys| &**keys).ok_or_else(|| unreadable(Unreadable))
}

/// How many entries of a run lie before a time.
pub(super) fn rank_of(header: &RunHeader, time: i64, read: &Chunks) -> Result<usize, Error> {
    let Some(chunk) = chunk_of(header, time) else { return Ok(0) };
    let keys = chunk_keys(header, chunk, read)?;
    let before = keys.partition_point(|key| key.occurred_at < time);
    Ok(header.ranks_of(chunk).start + before)
}

/// The ranks of one list.
fn list_set(lists: &Lists, log: &str, list: &str, run: i64) -> Result<Ranks, Error> {
    let mut set = Ranks::new();
    lists.each(log, list, run, |content| content.add_to(&mut set))?;
    Ok(set)
}

/// The ranks of a term.
pub(super) fn term_set(
    term: &Term,
    lists: &Lists,
    run: i64,
    of_logs: Option<&Ranks>,
) -> Result<Ranks, Error> {
    let log = term.logs.name();
    let mut all: Option<Ranks> = of_logs.cloned();
    if let Logs::These(_, classes) = &term.logs {
        // Which class an entry is of, its log does not say.
        let mut of_classes = Ranks::new();
        for class in classes {
            of_classes.add(&list_set(lists, log, &list_name(*class, Facet::All), run)?);
        }
        all.get_or_insert_with(Ranks::new).keep(&of_classes);
    }
    if let Logs::Parts(parts) = &term.logs {
        let seen = all.get_or_insert_with(Ranks::new);
        lists.each(log, &parts.own, run, |content| {
            if let Content::Few(log, _) = content
                && parts.workspaces.contains_key(*log)
            {
                content.add_to(seen);
            }
        })?;
    }
    for (index, field) in term.fields.iter().enumerate() {
        let mut any = Ranks::new();
        for list in field {
            lists.each(log, list, run, |content| {
                if let (0, Logs::OfUser { only, except }, Content::Few(log, _)) =
                    (index, &term.logs, content)
                    && (except.contains(*log) || !(only.is_empty() || only.contains(*log)))
                {
                    return;
                }
                content.add_to(&mut any);
            })?;
        }
        match &mut all {
            None => all = Some(any),
            Some(all) => all.keep(&any),
        }
    }
    let mut all = all.unwrap_or_else(Ranks::new);
    for list in &term.without {
        all.remove(&list_set(lists, log, list, run)?);
    }
    Ok(all)
}

/// How many entries a term has, where the counts of its lists say so.
pub(super) fn term_count(term: &Term, lists: &Lists, run: i64) -> Result<usize, Error> {
    let log = term.logs.name();
    let mut entries = 0_usize;
    for list in term.fields.iter().flatten() {
        lists.each(log, list, run, |content| entries += content.entries())?;
    }
    for list in &term.without {
        lists.each(log, list, run, |content| {
            entries = entries.saturating_sub(content.entries());
        })?;
    }
    Ok(entries)
}

/// The ranks of what is being removed.
pub(super) fn removed_set(removals: &Removals, lists: &Lists, run: i64) -> Result<Ranks, Error> {
    let mut set = Ranks::new();
    for log in removals.keys() {
        for class in Class::BOTH {
            set.add(&list_set(lists, log, &list_name(class, Facet::All), run)?);
        }
    }
    Ok(set)
}
