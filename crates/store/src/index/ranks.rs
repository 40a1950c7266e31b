//! Sets of ranks in a run.

use std::ops::Range;

/// The most ranks a run can have.
pub(crate) const MOST_RANKS: usize = 1 << 16;

const WORDS: usize = MOST_RANKS / 64;
/// The bytes of a set.
pub(crate) const BITMAP_BYTES: usize = MOST_RANKS / 8;

/// A set of ranks: a bit for each. It is stored as whichever is shorter, the bits or the ranks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ranks(Box<[u64; WORDS]>);

impl Ranks {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; WORDS]))
    }

    /// All ranks of a range.
    pub(crate) fn all(range: Range<usize>) -> Self {
        let mut ranks = Self::new();
        for (word, bits) in ranks.0.iter_mut().enumerate() {
            *bits = mask(word, &range);
        }
        ranks
    }

    pub(crate) fn insert(&mut self, rank: u16) {
        self.0[usize::from(rank) / 64] |= 1 << (rank % 64);
    }

    pub(crate) fn contains(&self, rank: usize) -> bool {
        self.0[rank / 64] >> (rank % 64) & 1 == 1
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// How many lie in a range.
    pub(crate) fn count_in(&self, range: &Range<usize>) -> usize {
        if range.is_empty() {
            return 0;
        }
        let words = range.start / 64..=(range.end - 1) / 64;
        words.map(|word| (self.0[word] & mask(word, range)).count_ones() as usize).sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.combine(other, |a, b| a | b);
    }

    pub(crate) fn keep(&mut self, other: &Self) {
        self.combine(other, |a, b| a & b);
    }

    pub(crate) fn remove(&mut self, other: &Self) {
        self.combine(other, |a, b| a & !b);
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine = with(*mine, *theirs);
        }
    }

    /// The ranks, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().filter(|(_, bits)| **bits != 0).flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(word * 64 + bit)
            })
        })
    }

    /// Writes ranks that ascend; eight kilobytes at most.
    pub(crate) fn write(ranks: &[u16]) -> Vec<u8> {
        if ranks.len() * 2 < BITMAP_BYTES {
            return ranks.iter().flat_map(|rank| rank.to_le_bytes()).collect();
        }
        let mut bitmap = Self::new();
        ranks.iter().for_each(|rank| bitmap.insert(*rank));
        bitmap.0.iter().flat_map(|bits| bits.to_le_bytes()).collect()
    }

    /// Adds what [`Ranks::write`] wrote.
    pub(crate) fn add_written(&mut self, bytes: &[u8]) {
        if bytes.len() == BITMAP_BYTES {
            for (mine, theirs) in self.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *mine |= u64::from_le_bytes(*theirs);
            }
        } else {
            for rank in bytes.as_chunks::<2>().0 {
                self.insert(u16::from_le_bytes(*rank));
            }
        }
    }
}

/// The bits of a word that lie in a range of ranks.
fn mask(word: usize, range: &Range<usize>) -> u64 {
    let below = |end: usize| match end.saturating_sub(word * 64) {
        bits @ 0..64 => (1 << bits) - 1,
        _ => u64::MAX,
    };
    below(range.end) & !below(range.start)
}

impl std::fmt::Debug for Ranks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set() -> impl Strategy<Value = BTreeSet<u16>> {
        let few = prop::collection::btree_set(any::<u16>(), 0..40);
        let many = (any::<u16>(), 0_usize..20_000).prop_map(|(first, length)| {
            (0..length).map(|i| first.wrapping_add((i * 3) as u16)).collect()
        });
        prop_oneof![few, many]
    }

    fn ranks(set: &BTreeSet<u16>) -> Ranks {
        let mut ranks = Ranks::new();
        set.iter().for_each(|rank| ranks.insert(*rank));
        ranks
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in set(), b in set(), from in 0..MOST_RANKS, to in 0..=MOST_RANKS) {
            let (x, y) = (ranks(&a), ranks(&b));
            prop_assert_eq!(x.len(), a.len());
            prop_assert!(x.iter().eq(a.iter().map(|rank| usize::from(*rank))));
            let combined = |with: fn(&mut Ranks, &Ranks)| { let mut z = x.clone(); with(&mut z, &y); z };
            prop_assert_eq!(combined(Ranks::add), ranks(&(&a | &b)));
            prop_assert_eq!(combined(Ranks::keep), ranks(&(&a & &b)));
            prop_assert_eq!(combined(Ranks::remove), ranks(&(&a - &b)));
            let range = from.min(to)..to;
            prop_assert_eq!(x.count_in(&range), a.iter().filter(|r| range.contains(&usize::from(**r))).count());
            let mut cut = x.clone();
            cut.keep(&Ranks::all(range.clone()));
            prop_assert_eq!(cut.len(), x.count_in(&range));
            let mut read = Ranks::new();
            read.add_written(&Ranks::write(&a.iter().copied().collect::<Vec<_>>()));
            prop_assert_eq!(read, x);
        }
    }
}
