//! A key set that follows its source: read again and again in the background, trusted for a
//! bounded time when that fails.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use activity_logs_model::ProblemCode;
use anyhow::{Context as _, bail};
use tokio::time::Instant;

use super::jwk::{self, Key};
use super::source::{FETCH_TIMEOUT, SetSource};
use crate::problem::ApiError;

/// A set is read again when it is older than this.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// After a failure, and for an unknown key id, it is read again after this.
const RETRY: Duration = Duration::from_secs(30);
/// A service that has no keys yet asks for them more often.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How often the background looks whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// The same failure is told once in this time.
const TELL_AGAIN: Duration = Duration::from_secs(5 * 60);

use crate::metrics::KEY_SET_READ_AT as READ_AT;

/// A key set and where it comes from.
pub(super) struct KeySet {
    source: SetSource,
    max_stale: Duration,
    state: RwLock<State>,
    reading: tokio::sync::Mutex<()>,
}

struct State {
    keys: Arc<[Key]>,
    /// When the set was last read.
    read: Option<Instant>,
    /// When it was last tried, and whether that failed.
    tried: Option<Instant>,
    failed: bool,
    left_out: Vec<String>,
    told: Option<(Instant, String)>,
}

impl KeySet {
    fn new(source: SetSource, max_stale: Duration) -> Arc<Self> {
        let state = State {
            keys: Arc::new([]),
            read: None,
            tried: None,
            failed: false,
            left_out: Vec::new(),
            told: None,
        };
        Arc::new(Self { source, max_stale, state: RwLock::new(state), reading: Default::default() })
    }

    /// Reads the set, and keeps reading it for as long as somebody holds it. An address that does
    /// not answer yet is waited for in the background.
    ///
    /// # Errors
    /// When a file can't be read, or has no key that can be used.
    pub(super) async fn load(source: SetSource, max_stale: Duration) -> anyhow::Result<Arc<Self>> {
        // What is measured here must find the recorder.
        crate::metrics::start();
        metrics::gauge!(READ_AT).set(0.0);
        let set = Self::new(source, max_stale);
        let read = set.read_again().await;
        if matches!(set.source, SetSource::File(_)) {
            let keys = read.with_context(|| format!("reading the key set {}", set.source))?;
            if keys == 0 {
                let left_out = set.with_state(|state| state.left_out.join("; "));
                bail!("the key set {} has no key that can be used: [{left_out}]", set.source);
            }
        }
        tokio::spawn(follow(Arc::downgrade(&set)));
        Ok(set)
    }

    /// The keys that tokens are checked with now.
    ///
    /// # Errors
    /// A 503 problem when the set was never read, or not for too long.
    pub(super) fn current(&self) -> Result<Arc<[Key]>, ApiError> {
        self.with_state(|state| match state.read {
            Some(read) if read.elapsed() <= self.max_stale => Ok(state.keys.clone()),
            _ => Err(ApiError::new(
                ProblemCode::KeysUnavailable,
                "The keys that tokens are checked with can't be read; try again shortly.",
            )),
        })
    }

    /// The same, read anew where the wanted key is not among them; strangers can't make that
    /// happen more often than every half minute. Who names a known key never waits.
    ///
    /// # Errors
    /// Those of [`KeySet::current`].
    pub(super) async fn current_with(
        self: &Arc<Self>,
        wanted: Option<&str>,
    ) -> Result<Arc<[Key]>, ApiError> {
        let keys = self.current()?;
        if jwk::named(&keys, wanted).next().is_some() {
            return Ok(keys);
        }
        self.refresh(RETRY).await;
        self.current()
    }

    /// Reads the set again, unless that was tried within `pause`. A reading that is under way is
    /// waited for.
    pub(super) async fn refresh(self: &Arc<Self>, pause: Duration) {
        let set = self.clone();
        // A task of its own: it ends what it has begun, even if whoever waits for it leaves.
        let refreshed = tokio::spawn(async move {
            let _one = set.reading.lock().await;
            if set.with_state(|state| state.tried.is_none_or(|tried| tried.elapsed() >= pause)) {
                let _ = set.read_locked().await;
            }
        });
        let _ = refreshed.await;
    }

    async fn read_again(&self) -> anyhow::Result<usize> {
        let _one = self.reading.lock().await;
        self.read_locked().await
    }

    /// Returns how many keys can be used.
    async fn read_locked(&self) -> anyhow::Result<usize> {
        self.with_state_mut(|state| state.tried = Some(Instant::now()));
        let source = self.source.clone();
        let reading = tokio::task::spawn_blocking(move || source.read());
        let read = match tokio::time::timeout(FETCH_TIMEOUT * 2, reading).await {
            Ok(Ok(text)) => text.and_then(|text| jwk::read(&text)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(anyhow::anyhow!("it can't be read in time")),
        };
        match read {
            Ok(keys) => Ok(self.replace(keys)),
            Err(error) => {
                self.tell_failure(&format!("{error:#}"));
                Err(error)
            }
        }
    }

    /// What was read takes the place of what was there, also if nothing in it can be used: that
    /// is how keys are revoked.
    fn replace(&self, keys: jwk::Keys) -> usize {
        let count = keys.usable.len();
        let (changed, was_failing) = self.with_state_mut(|state| {
            let changed = state.read.is_none()
                || state.left_out != keys.left_out
                || state.keys.len() != count;
            let was_failing = std::mem::take(&mut state.failed) && state.read.is_some();
            state.read = state.tried;
            state.told = None;
            state.keys = keys.usable.into();
            state.left_out.clone_from(&keys.left_out);
            (changed, was_failing)
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!(READ_AT).set(now.as_secs_f64());
        let source = &self.source;
        if was_failing {
            tracing::info!(%source, "the key set can be read again");
        }
        if changed {
            for line in &keys.left_out {
                tracing::warn!(%source, "left out of the key set: {line}");
            }
            if count == 0 {
                tracing::warn!(%source, "the key set has no key that can be used: no token is accepted");
            } else {
                tracing::info!(%source, keys = count, "the key set was read");
            }
        }
        count
    }

    fn tell_failure(&self, why: &str) {
        let refuses = self.current().is_err();
        let consequence = match (refuses, self.with_state(|state| state.read)) {
            (false, _) => "the keys of before are used".to_owned(),
            (true, None) => "requests get 503 until it can be read".to_owned(),
            (true, Some(read)) => format!(
                "requests get 503, for it was last read {} ago",
                humantime::format_duration(Duration::from_secs(read.elapsed().as_secs()))
            ),
        };
        let tells = self.with_state_mut(|state| {
            state.failed = true;
            let key = format!("{why} {refuses}");
            let told = state
                .told
                .as_ref()
                .is_some_and(|(at, told)| *told == key && at.elapsed() < TELL_AGAIN);
            if !told {
                state.told = Some((Instant::now(), key));
            }
            !told
        });
        if tells {
            tracing::warn!(source = %self.source, "the key set can't be read: {why}; {consequence}");
        }
    }

    fn is_due(&self) -> bool {
        self.with_state(|state| {
            let pause = match (state.read, state.failed) {
                (None, _) => FIRST_RETRY,
                (Some(_), true) => RETRY,
                (Some(_), false) => MAX_AGE.min(self.max_stale / 2),
            };
            state.tried.is_none_or(|tried| tried.elapsed() >= pause)
        })
    }

    fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_state_mut<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn follow(set: Weak<KeySet>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(set) = set.upgrade() else { return };
        if set.is_due() {
            set.refresh(TICK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A key set with these key ids, all of one key (RFC 8037, appendix A.2).
    fn write_set(path: &Path, ids: &[&str]) {
        let key = |id: &&str| {
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": id,
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        };
        let keys: Vec<_> = ids.iter().map(key).collect();
        std::fs::write(path, serde_json::json!({ "keys": keys }).to_string()).unwrap();
    }

    async fn knows(set: &Arc<KeySet>, id: &str) -> bool {
        let keys = set.current_with(Some(id)).await.unwrap();
        jwk::named(&keys, Some(id)).next().is_some()
    }

    /// A set without the task that follows its source, so that the test alone moves it.
    async fn read(path: &Path) -> Arc<KeySet> {
        let set = KeySet::new(SetSource::File(path.to_owned()), Duration::from_secs(3600));
        set.read_again().await.unwrap();
        set
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_reads_the_set_again_and_a_known_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        write_set(&path, &["old"]);
        let set = read(&path).await;
        write_set(&path, &["new"]);
        assert!(!knows(&set, "new").await, "just read");
        tokio::time::advance(RETRY).await;
        assert!(knows(&set, "old").await, "a known key does not make the service look again");
        assert!(knows(&set, "new").await, "an unknown one does, after a while");
        assert!(!knows(&set, "old").await, "what has left the set opens nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_was_emptied_revokes_every_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        for rest in [
            serde_json::json!({"keys": []}),
            serde_json::json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "old"}]}),
        ] {
            write_set(&path, &["old"]);
            let set = read(&path).await;
            assert!(knows(&set, "old").await);
            std::fs::write(&path, rest.to_string()).unwrap();
            set.refresh(Duration::ZERO).await;
            assert!(!knows(&set, "old").await, "{rest}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_away_is_trusted_for_a_bounded_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        write_set(&path, &["old"]);
        let set = read(&path).await;
        for broken in [None, Some("<html>"), Some("{}")] {
            match broken {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            set.refresh(Duration::ZERO).await;
            assert!(knows(&set, "old").await, "{broken:?} takes nothing away");
        }
        tokio::time::advance(Duration::from_secs(3601)).await;
        assert!(set.current().is_err(), "not for ever");
        write_set(&path, &["old"]);
        set.refresh(Duration::ZERO).await;
        assert!(set.current().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn it_follows_its_source_in_the_background() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        write_set(&path, &["old"]);
        let source = SetSource::File(path.clone());
        let set = KeySet::load(source, Duration::from_secs(24 * 3600)).await.unwrap();
        write_set(&path, &["new"]);
        tokio::time::sleep(MAX_AGE + TICK * 2).await;
        while set.with_state(|state| state.read.is_some_and(|read| read.elapsed() > TICK * 5)) {
            tokio::time::sleep(TICK).await;
        }
        let keys = set.current().unwrap();
        assert!(jwk::named(&keys, Some("new")).next().is_some(), "nobody asked for it");
        let alone = Arc::downgrade(&set);
        drop(set);
        tokio::time::sleep(TICK * 2).await;
        assert!(alone.upgrade().is_none(), "the task ends with the set");
    }
}
