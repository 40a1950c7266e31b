//! The entries in the order of their positions, held against the heads of their logs.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;

use crate::Error;
use crate::index::facts::Facts;
use crate::index::state::Removals;

use super::super::Connection;
use super::super::log::to_u64;

/// What is known of a log before its entries are looked at, and found of it meanwhile.
struct Log {
    next_sequence: i64,
    has_ended: bool,
    /// Its entries are being removed, the oldest first.
    is_going: bool,
    /// The sequence after the last that was seen.
    seen: Option<i64>,
    entries: i64,
}

/// A walk over all entries.
pub(super) struct Walk {
    /// The newest position, as the service's head says.
    head: i64,
    logs: HashMap<String, Log>,
    /// How many entries there are of logs without a head.
    headless: BTreeMap<String, i64>,
    last: i64,
    entries: i64,
}

impl Walk {
    pub(super) async fn begin(
        connection: &mut Connection,
        head: i64,
        removals: &Removals,
    ) -> Result<Self, Error> {
        let rows = sqlx::query("SELECT organization_id, next_sequence, deleted_at FROM logs")
            .fetch_all(connection)
            .await?;
        let mut logs = HashMap::with_capacity(rows.len());
        for row in &rows {
            let name: String = row.try_get(0)?;
            let log = Log {
                next_sequence: row.try_get(1)?,
                has_ended: row.try_get::<Option<i64>, _>(2)?.is_some(),
                is_going: removals.contains_key(&name),
                seen: None,
                entries: 0,
            };
            logs.insert(name, log);
        }
        Ok(Self { head, logs, headless: BTreeMap::new(), last: 0, entries: 0 })
    }

    /// Looks at the entries of the next positions.
    pub(super) fn see(&mut self, facts: &Facts, differences: &mut Vec<String>) {
        let mut entries: Vec<_> = facts
            .iter()
            .map(|fact| (fact.key.position, fact.key.sequence, facts.text(fact.log)))
            .collect();
        entries.sort_unstable();
        for (position, sequence, log) in entries {
            self.entries += 1;
            if position == self.last {
                differences.push(format!("two entries have the position {position}"));
            }
            self.last = position;
            let Some(known) = self.logs.get_mut(log) else {
                *self.headless.entry(log.to_owned()).or_default() += 1;
                continue;
            };
            let expected = known.seen.unwrap_or(if known.is_going { sequence } else { 0 });
            if sequence != expected {
                differences.push(format!(
                    "{}: at position {position} is its entry {sequence}, and {expected} should be",
                    name_of(log)
                ));
            }
            known.seen = Some(sequence + 1);
            known.entries += 1;
        }
    }

    pub(super) fn entries(&self) -> u64 {
        to_u64(self.entries)
    }

    /// Compares what was seen in all with what the heads say.
    pub(super) fn end(self, differences: &mut Vec<String>) {
        for (name, entries) in &self.headless {
            differences.push(format!("{} has {entries} entries and no head", name_of(name)));
        }
        let mut logs: Vec<_> = self.logs.iter().collect();
        logs.sort_unstable_by_key(|(name, _)| *name);
        let mut removed = 0;
        for (name, log) in logs {
            let name = name_of(name);
            let next = log.seen.unwrap_or(0);
            if log.has_ended {
                removed += log.next_sequence - log.entries;
                if log.seen.is_some() && !log.is_going {
                    differences.push(format!("{name} has ended and has {} entries", log.entries));
                    continue;
                }
            } else if log.is_going {
                differences.push(format!("{name} is being removed and has not ended"));
            }
            if next != log.next_sequence && (log.seen.is_some() || !log.has_ended) {
                differences.push(format!(
                    "{name} has {next} entries, and its head says {}",
                    log.next_sequence
                ));
            }
        }
        if self.last > self.head {
            differences.push(format!(
                "the newest entry has the position {}, and the service's head says {}",
                self.last, self.head
            ));
        }
        // Each position belongs to one entry, there or removed.
        if self.entries + removed != self.head {
            differences.push(format!(
                "the service's head says {}, and {} entries are there and {removed} were removed",
                self.head, self.entries
            ));
        }
    }
}

fn name_of(log: &str) -> String {
    if log.is_empty() { "the platform log".to_owned() } else { format!("the log of {log}") }
}
