//! How the parts of a run are written in the database.

use super::{Key, RunHeader};

/// A stored part of the index that can't be read: somebody else wrote it.
#[derive(Debug, thiserror::Error)]
#[error("a part of the index can't be read; `activity-logs check` says more")]
pub(crate) struct Unreadable;

/// Appends an unsigned integer in LEB128.
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a signed integer, zigzag: small in either direction is short.
fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn unsigned(&mut self) -> Result<u64, Unreadable> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else { return Err(Unreadable) };
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unreadable)
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.unsigned()?).map_err(|_| Unreadable)
    }

    fn signed(&mut self) -> Result<i64, Unreadable> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Unreadable)
    }
}

/// Writes keys as differences to the key before.
pub(crate) fn write_keys(keys: &[Key]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * 8);
    let mut before = Key { occurred_at: 0, sequence: 0, position: 0 };
    for key in keys {
        put_signed(&mut bytes, key.occurred_at - before.occurred_at);
        put_signed(&mut bytes, key.sequence - before.sequence);
        put_signed(&mut bytes, key.position - before.position);
        before = *key;
    }
    bytes
}

/// Reads what [`write_keys`] wrote.
pub(crate) fn read_keys(bytes: &[u8]) -> Result<Vec<Key>, Unreadable> {
    let mut reader = Reader(bytes);
    let mut keys = Vec::with_capacity(bytes.len() / 6);
    let mut key = Key { occurred_at: 0, sequence: 0, position: 0 };
    while !reader.0.is_empty() {
        key.occurred_at = key.occurred_at.wrapping_add(reader.signed()?);
        key.sequence = key.sequence.wrapping_add(reader.signed()?);
        key.position = key.position.wrapping_add(reader.signed()?);
        keys.push(key);
    }
    Ok(keys)
}

/// Writes a run's header, but its number: the first key of each chunk, then the last key.
pub(crate) fn write_header(header: &RunHeader) -> Vec<u8> {
    let keys: Vec<Key> = header.firsts.iter().copied().chain(header.last).collect();
    write_keys(&keys)
}

/// Reads what [`write_header`] wrote.
pub(crate) fn read_header(
    number: i64,
    entries: usize,
    bytes: &[u8],
) -> Result<RunHeader, Unreadable> {
    let mut firsts = read_keys(bytes)?;
    let last = firsts.pop();
    let header = RunHeader { number, entries, firsts, last };
    let chunks = header.entries.div_ceil(header.chunk_entries());
    if header.firsts.len() == chunks { Ok(header) } else { Err(Unreadable) }
}

/// Writes named sets of ranks in one value: the lists of a small log, or one list by log.
pub(crate) fn write_named<'a>(sets: impl IntoIterator<Item = (&'a str, &'a [u16])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, ranks) in sets {
        put_text(&mut bytes, name);
        put(&mut bytes, ranks.len() as u64);
        let mut before = 0;
        for rank in ranks {
            put(&mut bytes, u64::from(rank - before));
            before = *rank;
        }
    }
    bytes
}

/// Reads what [`write_named`] wrote: calls for each set, with its ranks ascending.
pub(crate) fn read_named<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a str, &[u16]),
) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    let mut ranks = Vec::new();
    while !reader.0.is_empty() {
        let name = reader.text()?;
        let length = reader.length()?;
        ranks.clear();
        let mut rank = 0_u64;
        for _ in 0..length {
            rank = rank.saturating_add(reader.unsigned()?);
            ranks.push(u16::try_from(rank).map_err(|_| Unreadable)?);
        }
        each(name, &ranks);
    }
    Ok(())
}

/// Writes named values in one.
pub(crate) fn write_values<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in values {
        put_text(&mut bytes, name);
        put(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Reads what [`write_values`] wrote: calls for each value, in their order.
pub(crate) fn read_values<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a str, &'a [u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let name = reader.text()?;
        let length = reader.length()?;
        each(name, reader.take(length)?)?;
    }
    Ok(())
}

/// Writes how many entries each log has in a run, ordinary and administrative ones.
pub(crate) fn write_logs(logs: &[(String, [u32; 2])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, [ordinary, administrative]) in logs {
        put_text(&mut bytes, name);
        put(&mut bytes, u64::from(*ordinary));
        put(&mut bytes, u64::from(*administrative));
    }
    bytes
}

/// Reads what [`write_logs`] wrote: calls for each log, in the order of their names.
pub(crate) fn read_logs<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a str, [u64; 2]),
) -> Result<(), Unreadable> {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        each(reader.text()?, [reader.unsigned()?, reader.unsigned()?]);
    }
    Ok(())
}

/// Writes the log of each rank.
pub(crate) fn write_log_of_rank(of_rank: &[u16]) -> Vec<u8> {
    of_rank.iter().flat_map(|log| log.to_le_bytes()).collect()
}

/// Reads what [`write_log_of_rank`] wrote.
pub(crate) fn read_log_of_rank(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.as_chunks::<2>().0.iter().map(|log| u16::from_le_bytes(*log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key() -> impl Strategy<Value = Key> {
        (0..i64::MAX / 2, 0..i64::MAX / 2, 1..i64::MAX / 2)
            .prop_map(|(occurred_at, sequence, position)| Key { occurred_at, sequence, position })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(keys in prop::collection::vec(key(), 0..70),
            sets in prop::collection::btree_map(any::<String>(), prop::collection::btree_set(any::<u16>(), 0..50), 0..8),
            logs in prop::collection::vec((any::<String>(), any::<[u32; 2]>()), 0..9),
            values in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u8>(), 0..200)), 0..9),
            of_rank in prop::collection::vec(any::<u16>(), 0..40)) {
            prop_assert_eq!(&read_keys(&write_keys(&keys)).unwrap(), &keys);
            let sets: BTreeMap<_, Vec<u16>> = sets.into_iter().map(|(name, set)| (name, set.into_iter().collect())).collect();
            let bytes = write_named(sets.iter().map(|(name, set)| (name.as_str(), set.as_slice())));
            let mut read = BTreeMap::new();
            read_named(&bytes, |name, ranks| { read.insert(name.to_owned(), ranks.to_vec()); }).unwrap();
            prop_assert_eq!(read, sets);
            let mut read = Vec::new();
            let bytes = write_values(values.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
            read_values(&bytes, |name, value| { read.push((name.to_owned(), value.to_vec())); Ok(()) }).unwrap();
            prop_assert_eq!(read, values);
            let mut read = Vec::new();
            read_logs(&write_logs(&logs), |name, counts| read.push((name.to_owned(), counts.map(|count| count as u32)))).unwrap();
            prop_assert_eq!(read, logs);
            prop_assert_eq!(read_log_of_rank(&write_log_of_rank(&of_rank)).collect::<Vec<_>>(), of_rank);
        }

        #[test]
        fn what_somebody_else_wrote_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_keys(&bytes);
            let _ = read_header(0, 10, &bytes);
            let _ = read_named(&bytes, |_, _| {});
            let _ = read_logs(&bytes, |_, _| {});
            let _ = read_values(&bytes, |_, _| Ok(()));
        }
    }
}
