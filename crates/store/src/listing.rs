//! Listings from the index: totals by counts, pages by rank. One text, compiled once for each
//! database like the module `log`.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use activity_logs_model::{Filter, Timestamp, Visibility};

use super::Database;
use super::lists::{Lists, chunk_keys, chunk_of, rank_of, removed_set, term_count, term_set};
use super::runs::unreadable;
use crate::Error;
use crate::backend::{ListingQuery, Page, Scope};
use crate::index::codec::Unreadable;
use crate::index::facts::{Fact, Facts, Matching};
use crate::index::known::{Counts, Listing, SetOf};
use crate::index::ranks::Ranks;
use crate::index::select::{Part, narrow};
use crate::index::state::Removals;
use crate::index::terms::{Logs, Term, terms};
use crate::index::{Key, RunHeader};

/// How many lists of runs are held at once, each eight kilobytes at most.
const MOST_LISTS_AT_ONCE: usize = 1_024;

/// What a listing holds in a run.
#[derive(Clone)]
pub(super) struct InRun {
    /// Which of the view's headers.
    pub(super) run: usize,
    /// The ranks that time and `as_of` leave.
    window: Range<usize>,
    /// Where `as_of` cuts the run: the ranks before it.
    cut: Option<Arc<Ranks>>,
    entries: usize,
    /// Which ranks, where that is known.
    pub(super) ranks: Option<Ranks>,
}

impl InRun {
    fn is_whole(&self, header: &RunHeader) -> bool {
        self.cut.is_none() && self.window == (0..header.entries)
    }

    /// Takes what it holds of all that the listing has in the run.
    fn set(&mut self, whole: &Ranks) {
        let mut ranks = whole.clone();
        if let Some(cut) = &self.cut {
            ranks.keep(cut);
        }
        ranks.keep(&Ranks::all(self.window.clone()));
        self.entries = ranks.len();
        self.ranks = Some(ranks);
    }
}

/// A listing, counted.
pub(super) struct View {
    pub(super) headers: Arc<Vec<RunHeader>>,
    listing: Arc<Listing>,
    removals: Arc<Removals>,
    pub(super) runs: Vec<InRun>,
    /// Its entries after the last run, ascending.
    recent: Vec<Matching>,
}

impl View {
    /// As of how many removals.
    pub(super) fn version(&self) -> i64 {
        self.listing.version
    }

    /// The number of one of its runs in the log.
    fn number(&self, run: usize) -> i64 {
        self.headers[self.runs[run].run].number
    }

    fn total(&self) -> usize {
        let recent = self.recent.iter().map(Matching::len);
        self.runs.iter().map(|run| run.entries).chain(recent).sum()
    }
}

impl Database {
    /// A page of a listing, with its total.
    pub(super) async fn page(
        &self,
        query: &ListingQuery<'_>,
        counted: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Page, Error> {
        let mut failed_at = None;
        loop {
            match self.try_page(query, counted).await {
                Ok(Some(page)) => return Ok(page),
                Ok(None) => {}
                Err(error) => self.is_passing(error, &mut failed_at).await?,
            }
        }
    }

    /// Whether a reading failed because a removal changed the index under it: gives back the error
    /// if not, or if it failed twice with nothing changed between.
    pub(super) async fn is_passing(
        &self,
        error: Error,
        failed_at: &mut Option<i64>,
    ) -> Result<(), Error> {
        if !error.is_unreadable() {
            return Err(error);
        }
        let version = self.read_head().await?.version;
        if failed_at.replace(version) == Some(version) { Err(error) } else { Ok(()) }
    }

    /// A page, unless a removal came between two of its statements.
    async fn try_page(
        &self,
        query: &ListingQuery<'_>,
        counted: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Option<Page>, Error> {
        let ListingQuery { scope, visibility, filter, as_of, .. } = *query;
        let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut view = self.view(scope, visibility, filter, as_of, false, |_, _| {}).await?;
        let total = view.total();
        counted(total as u64);
        let end = total.saturating_sub(offset);
        let keys = self.keys_at(&mut view, end.saturating_sub(limit)..end).await?;
        let Some(mut entries) = self.entries_at(&keys, query, view.version()).await? else {
            return Ok(None);
        };
        entries.reverse();
        Ok(Some(Page { entries, total: total as u64 }))
    }

    /// What a listing holds in each run, and after the last: counted, with `sets` also which.
    /// Calls for each of its entries after the last run.
    pub(super) async fn view(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        filter: &Filter,
        as_of: i64,
        sets: bool,
        mut each_recent: impl FnMut(&Facts, &Fact),
    ) -> Result<View, Error> {
        let (recent, headers, removals, version) = loop {
            self.refresh().await?;
            let state = self.index.read();
            // Another run may have been completed since.
            if !state.is_complete(self.index.run_entries) {
                continue;
            }
            let recent = state.recent.matching(scope, visibility, filter, as_of, |fact| {
                each_recent(&state.recent, fact);
            });
            break (recent, state.runs.clone(), state.removals.clone(), state.version);
        };
        let mut terms = terms(scope, visibility, filter, self.index.run_entries);
        for term in &mut terms {
            match &mut term.logs {
                Logs::One(log) if removals.contains_key(log) => term.fields = vec![Vec::new()],
                Logs::These(logs, _) => logs.retain(|log| !removals.contains_key(log)),
                Logs::Parts(parts) => {
                    parts.workspaces.retain(|log, _| !removals.contains_key(log));
                }
                _ => {}
            }
        }
        let listing = Arc::new(Listing { version, terms });
        let mut view = View { headers, listing, removals, runs: Vec::new(), recent };
        self.open_runs(&mut view, filter, as_of).await?;
        let wanted: Vec<usize> = (0..view.runs.len()).collect();
        self.evaluate(&mut view, &wanted, sets).await?;
        view.runs.retain(|run| run.entries > 0);
        Ok(view)
    }

    /// The runs that can hold entries of a view, cut down by time and `as_of`.
    async fn open_runs(&self, view: &mut View, filter: &Filter, as_of: i64) -> Result<(), Error> {
        let headers = view.headers.clone();
        let time =
            |instant: &Option<Timestamp>| instant.map(activity_logs_model::Timestamp::as_micros);
        let (from, to) = (time(&filter.from), time(&filter.to));
        let run_entries = self.index.run_entries;
        let opened = headers.iter().enumerate().filter(|(_, header)| {
            let (Some(first), Some(last)) = (header.firsts.first(), header.last) else {
                return false;
            };
            header.number * run_entries < as_of
                && from.is_none_or(|from| last.occurred_at >= from)
                && to.is_none_or(|to| first.occurred_at < to)
        });
        let opened: Vec<usize> = opened.map(|(index, _)| index).collect();
        // The chunks in which a bound lies, and all of the run that `as_of` cuts.
        let mut cut = self.index.known.set(SetOf::Position(as_of));
        let mut needed = BTreeSet::new();
        for index in &opened {
            let header = &headers[*index];
            needed.extend(
                [from, to]
                    .into_iter()
                    .flatten()
                    .filter_map(|time| chunk_of(header, time))
                    .map(|chunk| (header.number, chunk)),
            );
            if (header.number + 1) * run_entries > as_of && cut.is_none() {
                needed.extend((0..header.firsts.len()).map(|chunk| (header.number, chunk)));
            }
        }
        let keys = self.read_chunks(&needed).await?;
        for index in opened {
            let header = &headers[index];
            let rank = |time: i64| rank_of(header, time, &keys);
            let begin = from.map_or(Ok(0), rank)?;
            let end = to.map_or(Ok(header.entries), rank)?;
            let is_cut = (header.number + 1) * run_entries > as_of;
            if is_cut && cut.is_none() {
                let mut before = Ranks::new();
                for chunk in 0..header.firsts.len() {
                    let keys = chunk_keys(header, chunk, &keys)?;
                    for (rank, key) in header.ranks_of(chunk).zip(keys) {
                        if key.position <= as_of {
                            before.insert(rank as u16);
                        }
                    }
                }
                let before = Arc::new(before);
                self.index.known.keep_set(SetOf::Position(as_of), before.clone());
                cut = Some(before);
            }
            let cut = cut.clone().filter(|_| is_cut);
            view.runs.push(InRun { run: index, window: begin..end, cut, entries: 0, ranks: None });
        }
        Ok(())
    }

    /// Counts what some of the view's runs hold; also finds out which, where time or `as_of` cut
    /// a run or `sets` asks for it.
    async fn evaluate(&self, view: &mut View, runs: &[usize], sets: bool) -> Result<(), Error> {
        let known = &self.index.known;
        let mut counts = known.counts(&view.listing);
        let mut unknown = Vec::new();
        for run in runs {
            let number = view.number(*run);
            let opened = &mut view.runs[*run];
            let count = counts.get(number);
            if count == Some(0) {
                opened.entries = 0;
            } else if sets || !opened.is_whole(&view.headers[opened.run]) {
                match known.set(SetOf::Listing(counts.listing, number)) {
                    Some(set) => opened.set(&set),
                    None => unknown.push(*run),
                }
            } else if let Some(count) = count {
                opened.entries = count;
            } else {
                unknown.push(*run);
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let lists = view.listing.terms.iter().map(|term| term.lists().count() + 1).sum::<usize>();
        // However many lists are asked for, what is held at once stays small.
        for runs in unknown.chunks((MOST_LISTS_AT_ONCE / lists.max(1)).max(1)) {
            self.evaluate_some(view, runs, sets, &mut counts).await?;
        }
        known.keep_counts(&view.listing, counts);
        Ok(())
    }

    async fn evaluate_some(
        &self,
        view: &mut View,
        runs: &[usize],
        sets: bool,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let numbers: BTreeSet<i64> = runs.iter().map(|run| view.number(*run)).collect();
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
        let range = *first..=*last;
        let is_full = |run: &&usize| {
            let opened = &view.runs[**run];
            sets || !opened.is_whole(&view.headers[opened.run])
        };
        let full: BTreeSet<i64> =
            runs.iter().filter(is_full).map(|run| view.number(*run)).collect();

        let removals = view.removals.clone();
        let listing = view.listing.clone();
        let is_counted = |term: &Term| {
            term.is_counted_by_log()
                || term.is_counted() && (term.is_of_log() || removals.is_empty())
        };
        let (counted, others): (Vec<&Term>, Vec<&Term>) =
            listing.terms.iter().partition(|term| is_counted(term));
        let mut lists = Lists::default();
        self.read_lists(&counted, &removals, &range, &full, &mut lists).await?;
        self.read_lists(&others, &removals, &range, &numbers, &mut lists).await?;
        let mut logs = HashMap::new();
        for (index, term) in listing.terms.iter().enumerate() {
            let contents = if is_counted(term) { &full } else { &numbers };
            let of_runs = match &term.logs {
                Logs::These(these, classes) => {
                    self.read_logs_of_runs(these, classes, &range, contents).await?
                }
                Logs::Parts(parts) => self.read_parts_of_runs(parts, contents).await?,
                _ => continue,
            };
            logs.insert(index, of_runs);
        }
        for run in runs {
            let number = view.number(*run);
            let is_full = full.contains(&number);
            let mut entries = 0;
            let mut union = Ranks::new();
            for (index, term) in listing.terms.iter().enumerate() {
                let of_logs = logs.get(&index).and_then(|runs| runs.get(&number));
                if is_full || !is_counted(term) {
                    let of_logs = of_logs.and_then(|(_, set)| set.as_ref());
                    let mut set = term_set(term, &lists, number, of_logs)?;
                    if !term.is_of_log() {
                        set.remove(&removed_set(&removals, &lists, number)?);
                    }
                    entries += set.len();
                    union.add(&set);
                } else if let Some((count, _)) = of_logs {
                    entries += count;
                } else {
                    entries += term_count(term, &lists, number)?;
                }
            }
            counts.set(number, entries);
            let opened = &mut view.runs[*run];
            if is_full {
                opened.set(&union);
                let of = SetOf::Listing(counts.listing, number);
                self.index.known.keep_set(of, Arc::new(union));
            } else {
                opened.entries = entries;
            }
        }
        Ok(())
    }

    /// The keys at these places of a view, counted from the oldest.
    async fn keys_at(&self, view: &mut View, places: Range<usize>) -> Result<Vec<Key>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let headers = view.headers.clone();
        let mut parts: Vec<Part> = Vec::new();
        for run in &view.runs {
            let header = &headers[run.run];
            if let (Some(first), Some(last)) = (header.firsts.first(), header.last) {
                parts.push(Part { first: *first, last, entries: run.entries });
            }
        }
        let part_of = |recent: &Matching| {
            let (first, last) = (recent.keys().next()?, recent.keys().next_back()?);
            Some(Part { first, last, entries: recent.len() })
        };
        parts.extend(view.recent.iter().filter_map(part_of));
        let narrowed = narrow(&parts, &places);
        let (in_runs, in_recent): (Vec<usize>, Vec<usize>) =
            narrowed.parts.iter().partition(|part| **part < view.runs.len());
        let places = places.start - narrowed.before..places.end - narrowed.before;

        let unknown: Vec<usize> =
            in_runs.iter().copied().filter(|run| view.runs[*run].ranks.is_none()).collect();
        self.evaluate(view, &unknown, true).await?;
        let mut parts = Vec::new();
        let mut chunks = Vec::new();
        for run in in_runs {
            let run = &view.runs[run];
            let (header, Some(ranks)) = (&headers[run.run], &run.ranks) else { continue };
            for (chunk, first) in header.firsts.iter().enumerate() {
                let entries = ranks.count_in(&header.ranks_of(chunk));
                if let (1.., Some(last)) = (entries, header.bound_of(chunk)) {
                    parts.push(Part { first: *first, last, entries });
                    chunks.push((run, chunk));
                }
            }
        }
        let recent: Vec<&Matching> =
            in_recent.iter().map(|part| &view.recent[part - view.runs.len()]).collect();
        parts.extend(recent.iter().filter_map(|recent| part_of(recent)));
        let narrowed = narrow(&parts, &places);
        let wanted: Vec<(&InRun, usize)> =
            narrowed.parts.iter().filter_map(|part| chunks.get(*part).copied()).collect();
        let needed = wanted.iter().map(|(run, chunk)| (headers[run.run].number, *chunk)).collect();
        let read = self.read_chunks(&needed).await?;
        let mut keys: Vec<Key> = narrowed
            .parts
            .iter()
            .filter(|part| **part >= chunks.len())
            .flat_map(|part| recent[part - chunks.len()].keys())
            .collect();
        for (run, chunk) in wanted {
            let (header, Some(ranks)) = (&headers[run.run], &run.ranks) else { continue };
            let of_chunk = header.ranks_of(chunk).zip(chunk_keys(header, chunk, &read)?);
            keys.extend(of_chunk.filter(|(rank, _)| ranks.contains(*rank)).map(|(_, key)| *key));
        }
        keys.sort_unstable();
        let places = places.start - narrowed.before..places.end - narrowed.before;
        Ok(keys.get(places).ok_or_else(|| unreadable(Unreadable))?.to_vec())
    }
}
