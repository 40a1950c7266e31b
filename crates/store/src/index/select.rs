//! Finding a page by rank: which parts of the log can hold it.

use std::ops::Range;

use super::Key;

/// A part of a listing whose keys lie between two bounds, which are included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) first: Key,
    pub(crate) last: Key,
    /// How many entries of the listing it holds.
    pub(crate) entries: usize,
}

/// The parts that can hold entries of a page, and how many entries certainly come before all
/// of theirs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Narrowed {
    pub(crate) parts: Vec<usize>,
    pub(crate) before: usize,
}

/// Narrows a listing down to the parts that can hold its entries at `places`, counted from the
/// oldest. Bounds may be loose: looser ones leave more parts.
///
/// Below a bound lie at least the entries of all parts that end before it, and at most those of
/// all parts that begin before it; so of two bounds, one is certainly not above the page, and
/// one certainly not below it, and parts outside of both are out.
pub(crate) fn narrow(parts: &[Part], places: &Range<usize>) -> Narrowed {
    let mut begins: Vec<(Key, usize)> =
        parts.iter().map(|part| (part.first, part.entries)).collect();
    let mut ends: Vec<(Key, usize)> = parts.iter().map(|part| (part.last, part.entries)).collect();
    begins.sort_unstable_by_key(|(key, _)| *key);
    ends.sort_unstable_by_key(|(key, _)| *key);
    // The largest bound below which at most `places.start` entries can lie.
    let mut low = None;
    let mut at_most = 0;
    for (key, entries) in &begins {
        if at_most > places.start {
            break;
        }
        low = Some(*key);
        at_most += entries;
    }
    // The smallest bound up to which at least `places.end` entries lie.
    let mut high = None;
    let mut at_least = 0;
    for (key, entries) in &ends {
        at_least += entries;
        if at_least >= places.end {
            high = Some(*key);
            break;
        }
    }
    let mut narrowed = Narrowed { parts: Vec::new(), before: 0 };
    for (index, part) in parts.iter().enumerate() {
        if low.is_some_and(|low| part.last < low) {
            narrowed.before += part.entries;
        } else if part.entries > 0 && high.is_none_or(|high| part.first <= high) {
            narrowed.parts.push(index);
        }
    }
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(occurred_at: i64, position: i64) -> Key {
        Key { occurred_at, sequence: 0, position }
    }

    proptest! {
        #[test]
        fn no_entry_of_the_page_is_lost(times in prop::collection::vec(prop::collection::vec(0_i64..40, 1..9), 1..12),
            start in 0_usize..60, length in 1_usize..20) {
            let mut position = 0;
            let parts: Vec<Vec<Key>> = times.iter().map(|times| {
                let mut keys: Vec<Key> = times.iter().map(|time| { position += 1; key(*time, position) }).collect();
                keys.sort_unstable();
                keys
            }).collect();
            let mut all: Vec<Key> = parts.concat();
            all.sort_unstable();
            let places = start.min(all.len())..(start + length).min(all.len());
            prop_assume!(!places.is_empty());
            let bounds: Vec<Part> = parts.iter().map(|keys| Part {
                first: keys[0], last: keys[keys.len() - 1], entries: keys.len() }).collect();
            let narrowed = narrow(&bounds, &places);
            let mut left: Vec<Key> = narrowed.parts.iter().flat_map(|part| parts[*part].clone()).collect();
            left.sort_unstable();
            let found = &left[places.start - narrowed.before..places.end - narrowed.before];
            prop_assert_eq!(found, &all[places.clone()]);
        }

        #[test]
        fn parts_in_order_leave_one_or_two(count in 2_usize..50, place in 0_usize..490) {
            let parts: Vec<Part> = (0..count as i64).map(|part| Part {
                first: key(part * 10, 1), last: key(part * 10 + 9, 1), entries: 10 }).collect();
            let place = place % (count * 10 - 5);
            let narrowed = narrow(&parts, &(place..place + 5));
            prop_assert!(narrowed.parts.len() <= 2, "{:?}", narrowed);
        }
    }
}
