//! What a process knows of the index: the sealed runs from outside, and the entries after them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use activity_logs_model::Entry;
use tokio::sync::Mutex;

use super::RunHeader;
use super::facts::{Facts, texts_of_entry};
use super::known::Known;

/// Deleted organizations whose entries are still there, and the run from which on they are.
pub(crate) type Removals = HashMap<String, i64>;

/// Where the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The newest position.
    pub(crate) position: i64,
    /// How often a removal has changed what listings hold.
    pub(crate) version: i64,
}

/// Shared by all who read and record through one process.
pub(crate) struct Index {
    /// How many positions a run has.
    pub(crate) run_entries: i64,
    /// Held by whoever brings the state up to date, so that one does it for all.
    pub(crate) refreshing: Mutex<()>,
    pub(crate) known: Known,
    state: RwLock<State>,
}

/// A state of the log.
#[derive(Default)]
pub(crate) struct State {
    /// The sealed runs.
    pub(crate) runs: Arc<Vec<RunHeader>>,
    /// The entries after them, up to the position `through`.
    pub(crate) recent: Facts,
    pub(crate) through: i64,
    /// What is being removed, as of this many removals.
    pub(crate) removals: Arc<Removals>,
    pub(crate) version: i64,
}

impl State {
    /// Whether it knows all runs up to the entries that it knows one by one.
    pub(crate) fn is_complete(&self, run_entries: i64) -> bool {
        self.runs.len() as i64 == self.through / run_entries
    }
}

impl Index {
    pub(crate) fn new(run_entries: i64) -> Self {
        let (refreshing, state) = (Mutex::default(), RwLock::default());
        Self { run_entries, refreshing, known: Known::new(), state }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing was committed that it does not know.
    pub(crate) fn is_current(&self, head: Head) -> bool {
        let state = self.read();
        state.through >= head.position
            && state.version == head.version
            && state.is_complete(self.run_entries)
    }

    /// Takes note of entries that this process has committed, so that nobody has to read them.
    pub(crate) fn committed(&self, entries: &[Entry]) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let mut state = self.write();
        if state.through + 1 == first.position {
            let sealed = last.position - last.position % self.run_entries;
            if first.position <= sealed {
                state.recent = Facts::default();
            }
            let unsealed = entries.iter().filter(|entry| entry.position > sealed);
            state.recent.add(unsealed.map(texts_of_entry));
            state.through = last.position;
        }
    }

    /// The facts of the first run that a commit completes, if this process knows all before it.
    pub(crate) fn completed(&self, before: Head, run: i64, entries: &[Entry]) -> Option<Facts> {
        let state = self.read();
        let last = (run + 1) * self.run_entries;
        let knows = state.through == before.position && state.version == before.version;
        if !knows || before.position / self.run_entries != run {
            return None;
        }
        let mut facts = state.recent.clone();
        let completing = entries.iter().filter(|entry| entry.position <= last);
        facts.add(completing.map(texts_of_entry));
        Some(facts)
    }
}
