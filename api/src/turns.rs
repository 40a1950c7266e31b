//! How many readings of one caller are under way at once, so that nobody starves the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_logs_model::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::ApiError;

/// How many readings of one caller are under way at once.
const AT_ONCE: usize = 8;
/// How many more of theirs may wait.
const WAITING: usize = 64;

/// The turns of all callers.
pub struct Turns {
    callers: Arc<Mutex<HashMap<UserId, Arc<Semaphore>>>>,
    /// The longest that a reading waits for its turn.
    wait: Duration,
}

/// A reading's turn: holds its place until it is dropped.
pub(crate) struct Turn {
    callers: Arc<Mutex<HashMap<UserId, Arc<Semaphore>>>>,
    caller: UserId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Turns for which a reading waits so long at most.
    pub fn new(wait: Duration) -> Self {
        Self { callers: Arc::default(), wait }
    }

    /// Waits until the caller has fewer readings under way than they may.
    ///
    /// # Errors
    /// A 429 problem when that takes too long, or too many of theirs wait already.
    pub(crate) async fn take(&self, caller: &UserId) -> Result<Turn, ApiError> {
        let mut turn = Turn { callers: self.callers.clone(), caller: caller.clone(), permit: None };
        let places = {
            let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
            let places =
                callers.entry(caller.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
            // Whoever reads or waits holds one, and the map does.
            if Arc::strong_count(places) > AT_ONCE + WAITING {
                return Err(too_many());
            }
            places.clone()
        };
        match tokio::time::timeout(self.wait, places.acquire_owned()).await {
            Ok(Ok(permit)) => {
                turn.permit = Some(permit);
                Ok(turn)
            }
            _ => Err(too_many()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        self.permit = None;
        // Nobody else of theirs reads or waits: only the map holds it.
        if callers.get(&self.caller).is_some_and(|places| Arc::strong_count(places) == 1) {
            callers.remove(&self.caller);
        }
    }
}

fn too_many() -> ApiError {
    let detail = format!(
        "You have {AT_ONCE} readings under way, and further ones waited too long. Try again when they are done."
    );
    ApiError::too_many_requests(detail, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_waits_for_their_own_readings_and_for_nobody_elses() {
        let turns = Turns::new(Duration::from_secs(10));
        let (greedy, other) = ("greedy".parse().unwrap(), "other".parse().unwrap());
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(turns.take(&greedy).await.unwrap_or_else(|_| panic!("a turn")));
        }
        let started = tokio::time::Instant::now();
        assert!(turns.take(&greedy).await.is_err());
        assert_eq!(started.elapsed(), Duration::from_secs(10));
        let started = tokio::time::Instant::now();
        assert!(turns.take(&other).await.is_ok());
        assert_eq!(started.elapsed(), Duration::ZERO);

        held.pop();
        assert!(turns.take(&greedy).await.is_ok(), "as soon as one is done");
        held.clear();
        assert!(turns.callers.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_are_bounded_too() {
        let turns = Turns::new(Duration::from_secs(10));
        let greedy = "greedy".parse().unwrap();
        let all = futures_util::future::join_all((0..200).map(|_| async {
            let turn = turns.take(&greedy).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            turn.is_ok()
        }));
        assert_eq!(all.await.into_iter().filter(|taken| *taken).count(), AT_ONCE);
        assert!(turns.callers.lock().unwrap().is_empty());
    }
}
