//! Attempts that were not allowed or found nothing: each is recorded, but not without bound, or
//! whoever makes them could fill the log of somebody else.
//!
//! Of each caller a few a minute leave an entry of their own. The others are counted, and when the
//! minute is over one entry says how many there were.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_logs_model::{OrganizationId, OrganizationRef, Person, UserId};
use tokio::time::Instant;

/// How long attempts are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many attempts of one caller at the same organization leave an entry.
const DENIED_AT_ONE: u32 = 5;
/// How many attempts of one caller leave an entry, whatever they are aimed at.
const DENIED: u32 = 30;
/// How many refused recordings, or entries that are not there, leave an entry.
const OTHERS: u32 = 1;

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Attempt {
    /// Reading a log that the caller may not open.
    Reading,
    /// Ending an organization.
    Removal,
    /// Recording where the caller may not.
    Recording,
    /// Opening an entry that is not there, or not for the caller to see.
    Missing,
}

impl Attempt {
    /// Whether further attempts are refused, instead of only being counted.
    pub(crate) fn is_bounded(self) -> bool {
        matches!(self, Attempt::Reading | Attempt::Removal)
    }
}

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It leaves an entry of its own.
    Record,
    /// It was counted; the count is recorded after so many seconds.
    Count(u64),
}

/// Attempts that were counted and have no entry of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Further {
    pub(crate) person: Person,
    pub(crate) attempt: Attempt,
    /// The organization that was aimed at; `None` where there were several, or none.
    pub(crate) aim: Option<OrganizationId>,
    /// The log that the entry goes to.
    pub(crate) log: Option<OrganizationRef>,
    pub(crate) attempts: u64,
}

/// The attempts of all callers in this minute.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<UserId, Window>>);

struct Window {
    opened: Instant,
    person: Person,
    lines: HashMap<(Attempt, Option<OrganizationId>), Line>,
}

#[derive(Default)]
struct Line {
    log: Option<OrganizationRef>,
    recorded: u32,
    further: u64,
}

impl Attempts {
    /// Takes note of an attempt at an organization's log (`None`: of no organization).
    pub(crate) fn admit(
        &self,
        person: &Person,
        attempt: Attempt,
        aim: Option<&OrganizationId>,
        log: Option<&OrganizationRef>,
    ) -> Admission {
        let now = Instant::now();
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = callers.entry(person.id.clone()).or_insert_with(|| Window {
            opened: now,
            person: person.clone(),
            lines: HashMap::new(),
        });
        let of_kind = window.lines.iter().filter(|((kind, _), _)| *kind == attempt);
        let is_spent = of_kind.map(|(_, line)| line.recorded).sum::<u32>() >= DENIED;
        let (key, most) = match attempt {
            Attempt::Reading | Attempt::Removal => {
                let key = (attempt, aim.cloned());
                // What goes beyond is counted together, or the lines would grow without bound.
                if is_spent && !window.lines.contains_key(&key) {
                    ((attempt, None), 0)
                } else {
                    (key, if is_spent { 0 } else { DENIED_AT_ONE })
                }
            }
            Attempt::Recording | Attempt::Missing => ((attempt, None), OTHERS),
        };
        let line = window.lines.entry(key.clone()).or_default();
        if line.recorded < most {
            line.recorded += 1;
            if key.1.is_some() {
                line.log = log.cloned();
            }
            return Admission::Record;
        }
        line.further += 1;
        let left = WINDOW.saturating_sub(now.duration_since(window.opened));
        Admission::Count(left.as_secs() + 1)
    }

    /// What was counted in the windows that are over, or (`all`) in every window; it is forgotten
    /// here.
    pub(crate) fn take(&self, all: bool) -> Vec<Further> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over: Vec<UserId> = callers
            .iter()
            .filter(|(_, window)| all || window.opened.elapsed() >= WINDOW)
            .map(|(id, _)| id.clone())
            .collect();
        let mut further = Vec::new();
        for window in over.iter().filter_map(|id| callers.remove(id)) {
            let Window { person, lines, .. } = window;
            let counted = lines.into_iter().filter(|(_, line)| line.further > 0);
            further.extend(counted.map(|((attempt, aim), line)| Further {
                person: person.clone(),
                attempt,
                aim,
                log: line.log,
                attempts: line.further,
            }));
        }
        further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eve() -> Person {
        Person { id: "eve".parse().unwrap(), name: "Eve".to_owned(), email: None }
    }

    fn acme() -> OrganizationRef {
        OrganizationRef { id: "acme".parse().unwrap(), name: "Acme".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_a_minute_are_recorded_and_the_others_counted() {
        let attempts = Attempts::default();
        let acme = acme();
        let read = || attempts.admit(&eve(), Attempt::Reading, Some(&acme.id), Some(&acme));
        for _ in 0..DENIED_AT_ONE {
            assert_eq!(read(), Admission::Record);
        }
        assert_eq!(read(), Admission::Count(61));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(read(), Admission::Count(21));
        assert_eq!(attempts.take(false), [], "the minute is not over");
        tokio::time::advance(Duration::from_secs(20)).await;
        let taken = attempts.take(false);
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].attempts, &taken[0].log), (2, &Some(acme.clone())));
        assert_eq!(read(), Admission::Record, "another minute");
        assert_eq!(attempts.take(true), [], "nothing more was counted");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_at_many_organizations_are_bounded_together() {
        let attempts = Attempts::default();
        let mut recorded = 0;
        for number in 0..10_000 {
            let id = format!("org-{number}").parse().unwrap();
            let admission = attempts.admit(&eve(), Attempt::Reading, Some(&id), None);
            recorded += u32::from(admission == Admission::Record);
        }
        assert_eq!(recorded, DENIED);
        assert!(attempts.0.lock().unwrap()[&eve().id].lines.len() <= DENIED as usize + 1);
        let taken = attempts.take(true);
        assert_eq!((taken.len(), taken[0].attempts), (1, 10_000 - u64::from(DENIED)));
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_of_attempts_are_counted_apart() {
        let attempts = Attempts::default();
        for kind in [Attempt::Reading, Attempt::Recording, Attempt::Missing] {
            assert_eq!(attempts.admit(&eve(), kind, None, None), Admission::Record);
        }
        for kind in [Attempt::Recording, Attempt::Missing] {
            assert_eq!(attempts.admit(&eve(), kind, None, None), Admission::Count(61));
        }
        assert_eq!(attempts.admit(&eve(), Attempt::Reading, None, None), Admission::Record);
    }
}
