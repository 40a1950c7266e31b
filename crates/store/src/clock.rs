//! A clock that goes back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use activity_logs_model::Timestamp;

/// Clocks of several nodes differ a little, and a commit may wait for another's.
const TOLERANCE: Duration = Duration::from_secs(5);
/// How long nothing more is said.
const PAUSE: Duration = Duration::from_secs(60);

/// Says that the clock is behind the log, now and then.
#[derive(Default)]
pub(crate) struct ClockWatch {
    told: Mutex<Option<Instant>>,
}

impl ClockWatch {
    /// Compares the clock with the newest time of recording.
    pub(crate) fn compare(&self, now: Timestamp, newest: Timestamp) {
        if let Some(behind) = self.behind(now, newest, Instant::now()) {
            let seconds = behind.as_secs();
            tracing::warn!(
                seconds,
                "this machine's clock is {seconds} seconds behind the newest entry's time of \
                 recording, which new entries get until the clock has reached it; set the clock"
            );
        }
    }

    /// How far the clock is behind, if that is to be told.
    fn behind(&self, now: Timestamp, newest: Timestamp, at: Instant) -> Option<Duration> {
        let micros = u64::try_from(newest.as_micros() - now.as_micros()).ok()?;
        let behind = Duration::from_micros(micros);
        if behind <= TOLERANCE {
            return None;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| at.duration_since(told) < PAUSE) {
            return None;
        }
        *told = Some(at);
        Some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_minute_and_how_far() {
        let watch = ClockWatch::default();
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let begun = Instant::now();
        assert_eq!(watch.behind(at(100), at(90), begun), None);
        assert_eq!(watch.behind(at(96), at(100), begun), None, "nodes differ a little");
        assert_eq!(watch.behind(at(100), at(3_700), begun), Some(Duration::from_secs(3_600)));
        let later = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(watch.behind(at(159), at(3_700), later(59)), None);
        assert_eq!(watch.behind(at(161), at(3_700), later(61)), Some(Duration::from_secs(3_539)));
    }
}
