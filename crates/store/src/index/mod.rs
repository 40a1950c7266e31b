//! The index of the log: what makes totals exact and any page cost what the first costs.
//!
//! Positions are cut into *runs* of 65,536. The transaction that records a run's last entry
//! also *seals* it: it writes, once and for good,
//!
//! * the run's entries in the order of listings, as *keys* in 64 chunks; an entry's place in
//!   that order is its *rank* in the run;
//! * for every *list* that people filter by (all entries of an organization, those of one type,
//!   of one user …) the set of ranks in it, and how many they are.
//!
//! A total is a sum over runs, a page is found by rank, and filters combine as sets do. The
//! entries after the last sealed run, the *recent* ones, are counted themselves: every process
//! holds their facts in memory and reads on from where it is. So counts can't part ways with
//! entries, late arrivals and hot instants need no care, and a listing that is pinned to a
//! position takes the runs before it whole and cuts one.
//!
//! Ids of the platform are any text. Names of lists, in which they occur, are taken apart by the
//! functions of [`names`] alone.

pub(crate) mod codec;
pub(crate) mod facts;
pub(crate) mod known;
pub(crate) mod names;
pub(crate) mod ranks;
pub(crate) mod seal;
pub(crate) mod select;
pub(crate) mod state;
pub(crate) mod terms;

pub(crate) use names::{Class, Facet, facet_of, is_grouped, list_name};

/// Chunks of keys in a run.
pub(crate) const CHUNKS: usize = 64;

/// The log that stands for all of them: no id begins like this.
pub(crate) const EVERYTHING: &str = "!";

/// A log with at most this part of a run's positions keeps its lists of the run in one row.
pub(crate) const PACKED_PART: i64 = 128;

/// The name of the row that holds all lists of a small organization.
pub(crate) const PACKED: &str = "";

/// An entry's place in the order of listings, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// When it happened, in microseconds since the epoch.
    pub(crate) occurred_at: i64,
    /// Its place in its own log.
    pub(crate) sequence: i64,
    /// Its place in the service: orders what ties in different logs.
    pub(crate) position: i64,
}

/// What is known of a sealed run without looking into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunHeader {
    /// Its number: it holds the positions after `number * run_entries`.
    pub(crate) number: i64,
    /// How many entries it has: fewer than positions where an organization was deleted.
    pub(crate) entries: usize,
    /// The first key of each chunk.
    pub(crate) firsts: Vec<Key>,
    /// The last key.
    pub(crate) last: Option<Key>,
}

impl RunHeader {
    /// How many entries each of its chunks has, but the last.
    pub(crate) fn chunk_entries(&self) -> usize {
        self.entries.div_ceil(CHUNKS).max(1)
    }

    /// The ranks in a chunk.
    pub(crate) fn ranks_of(&self, chunk: usize) -> std::ops::Range<usize> {
        let size = self.chunk_entries();
        (chunk * size).min(self.entries)..((chunk + 1) * size).min(self.entries)
    }

    /// A bound that no key of the chunk exceeds.
    pub(crate) fn bound_of(&self, chunk: usize) -> Option<Key> {
        self.firsts.get(chunk + 1).copied().or(self.last)
    }
}
