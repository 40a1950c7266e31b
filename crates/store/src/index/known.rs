//! What was found out about sealed runs, held for whoever asks next: people turn pages, and every
//! page needs the same counts.
//!
//! Nothing here can be out of date. A sealed run never changes but by a removal; that makes a new
//! version, and what was counted is held by version. Whoever reads while a version ends notices,
//! and reads again.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::Key;
use super::ranks::{BITMAP_BYTES, Ranks};
use super::terms::Term;

/// Bytes for counts, sets and keys.
const COUNTS_BYTES: u64 = 4 << 20;
const SETS_BYTES: u64 = 8 << 20;
const KEYS_BYTES: u64 = 8 << 20;
/// In how many parts each cache is, to be used at once.
const SHARDS: usize = 4;

/// A listing, its range of time and `as_of` apart, as of a version of what runs hold.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Listing {
    pub(crate) version: i64,
    pub(crate) terms: Vec<Term>,
}

/// How many entries a listing has in each sealed run, where that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Names the listing briefly.
    pub(crate) listing: u64,
    of_runs: Vec<Option<u32>>,
}

impl Counts {
    pub(crate) fn get(&self, run: i64) -> Option<usize> {
        let count = *self.of_runs.get(usize::try_from(run).ok()?)?;
        count.map(|count| count as usize)
    }

    pub(crate) fn set(&mut self, run: i64, count: usize) {
        let (Ok(run), Ok(count)) = (usize::try_from(run), u32::try_from(count)) else { return };
        if self.of_runs.len() <= run {
            self.of_runs.resize(run + 1, None);
        }
        self.of_runs[run] = Some(count);
    }
}

/// A set of ranks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SetOf {
    /// Of the listing that [`Counts::listing`] names: its entries in a run.
    Listing(u64, i64),
    /// The entries up to a position, in the run that has it.
    Position(i64),
}

/// A chunk of keys: the run's number, and the chunk's in it.
pub(crate) type ChunkAt = (i64, usize);

pub(crate) struct Known {
    counts: Cache<Arc<Listing>, Arc<Counts>, Bytes>,
    listings: AtomicU64,
    sets: Cache<SetOf, Arc<Ranks>, Bytes>,
    chunks: Cache<ChunkAt, Arc<[Key]>, Bytes>,
}

impl Known {
    pub(crate) fn new() -> Self {
        Self {
            counts: cache(COUNTS_BYTES, 2_048),
            listings: AtomicU64::new(0),
            sets: cache(SETS_BYTES, BITMAP_BYTES as u64),
            chunks: cache(KEYS_BYTES, 24_576),
        }
    }

    pub(crate) fn counts(&self, listing: &Arc<Listing>) -> Counts {
        self.counts.get(listing).map_or_else(
            || Counts {
                listing: self.listings.fetch_add(1, Ordering::Relaxed),
                ..Counts::default()
            },
            |counts| (*counts).clone(),
        )
    }

    pub(crate) fn keep_counts(&self, listing: &Arc<Listing>, counts: Counts) {
        self.counts.insert(listing.clone(), Arc::new(counts));
    }

    pub(crate) fn set(&self, of: SetOf) -> Option<Arc<Ranks>> {
        self.sets.get(&of)
    }

    pub(crate) fn keep_set(&self, of: SetOf, set: Arc<Ranks>) {
        self.sets.insert(of, set);
    }

    pub(crate) fn chunk(&self, at: ChunkAt) -> Option<Arc<[Key]>> {
        self.chunks.get(&at)
    }

    pub(crate) fn keep_chunk(&self, at: ChunkAt, keys: Arc<[Key]>) {
        self.chunks.insert(at, keys);
    }
}

/// A cache of so many bytes, for items of about `each`. In few parts on any machine: a part holds
/// no item that is larger than itself.
fn cache<K: Eq + Hash, V: Clone>(bytes: u64, each: u64) -> Cache<K, V, Bytes>
where
    Bytes: Weighter<K, V>,
{
    let items = usize::try_from(bytes / each).unwrap_or(usize::MAX);
    let mut options = OptionsBuilder::new();
    options.estimated_items_capacity(items).weight_capacity(bytes).shards(SHARDS);
    let options = options.build().expect("both capacities are set");
    Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// Weighs what is held by its bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Arc<Listing>, Arc<Counts>> for Bytes {
    fn weight(&self, listing: &Arc<Listing>, counts: &Arc<Counts>) -> u64 {
        let terms: usize = listing.terms.iter().map(Term::bytes).sum();
        (terms + counts.of_runs.len() * size_of::<Option<u32>>() + 128) as u64
    }
}

impl Weighter<SetOf, Arc<Ranks>> for Bytes {
    fn weight(&self, _: &SetOf, _: &Arc<Ranks>) -> u64 {
        BITMAP_BYTES as u64
    }
}

impl Weighter<ChunkAt, Arc<[Key]>> for Bytes {
    fn weight(&self, _: &ChunkAt, keys: &Arc<[Key]>) -> u64 {
        (size_of_val(&**keys) + 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Scope;
    use crate::index::terms::terms;
    use activity_logs_model::visibility::Reach;
    use activity_logs_model::{Filter, Visibility};

    fn listing(version: i64, organizations: usize) -> Arc<Listing> {
        let reach = (0..organizations)
            .map(|number| (format!("organization-{number:05}").parse().unwrap(), Reach::Whole));
        let member = Visibility::Reader { user: "ada".parse().unwrap(), reach: reach.collect() };
        let terms = terms(Scope::Everything, &member, &Filter::default(), 65_536);
        Arc::new(Listing { version, terms })
    }

    #[test]
    fn counts_are_held_by_listing_and_version() {
        let known = Known::new();
        let mut counts = known.counts(&listing(1, 2_000));
        assert_eq!(counts.get(0), None);
        counts.set(152, 7);
        let name = counts.listing;
        known.keep_counts(&listing(1, 2_000), counts);
        let held = known.counts(&listing(1, 2_000));
        assert_eq!(
            (held.listing, held.get(152), held.get(151), held.get(153)),
            (name, Some(7), None, None)
        );
        for other in [listing(2, 2_000), listing(1, 1_999)] {
            assert_eq!(known.counts(&other).get(152), None);
            assert_ne!(known.counts(&other).listing, name);
        }
    }

    #[test]
    fn it_stays_small() {
        let known = Known::new();
        for number in 0..5_000 {
            known.keep_set(SetOf::Position(number), Arc::new(Ranks::new()));
            let key = Key { occurred_at: 0, sequence: 0, position: 0 };
            known.keep_chunk((number, 0), vec![key; 1_024].into());
            let mut counts = Counts::default();
            counts.set(999, 1);
            known.keep_counts(&listing(number, 20), counts);
        }
        let weights = [known.sets.weight(), known.chunks.weight(), known.counts.weight()];
        for (weight, most) in weights.into_iter().zip([SETS_BYTES, KEYS_BYTES, COUNTS_BYTES]) {
            assert!((most / 2..=most).contains(&weight), "{weight} of {most}");
        }
    }
}
