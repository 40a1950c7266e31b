//! The one writer of a process: it collects what has arrived and commits it as one
//! transaction, so that waiting requests share one sync to the disk (group commit).
//!
//! The queue is bounded in bytes: what does not fit is refused at once instead of growing
//! the memory.

use std::sync::Arc;
use std::time::Duration;

use activity_logs_model::{JsonText, NewEntry};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::backend::{Backend, Commit, Recorded, Removal, Removed};
use crate::measured::Measured;
use crate::{Clock, Error, RecordError};

/// The most entries in one transaction: enough to make the sync's share small, few enough
/// that nobody waits long behind a bulk import.
const MAX_GROUP: usize = 4_000;
/// What a queued entry takes beside its texts.
const ENTRY_OVERHEAD: usize = 512;
/// How long removing pauses at least between its steps.
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);
/// The queue is counted in units of this many bytes.
const UNIT: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, RecordError>>;

enum Command {
    Record { entries: Vec<NewEntry>, reply: Reply<Vec<Recorded>>, space: Space },
    Remove { removal: Removal, reply: Reply<Removed> },
    Close,
}

/// What a request takes of the queue until it is committed.
struct Space {
    _units: OwnedSemaphorePermit,
    _request: Measured,
    _bytes: Measured,
}

#[derive(Clone)]
pub(crate) struct Writer {
    commands: mpsc::UnboundedSender<Command>,
    space: Arc<Semaphore>,
    capacity: u32,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Writer {
    pub(crate) fn start(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        queue_bytes: usize,
    ) -> Self {
        // Unbounded in commands, bounded by the space that each of them holds.
        let (commands, queue) = mpsc::unbounded_channel();
        let capacity = u32::try_from(queue_bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        let task = tokio::spawn(run(queue, backend, clock));
        Self {
            commands,
            space: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
            task: Arc::new(Mutex::new(Some(task))),
        }
    }

    pub(crate) async fn record(
        &self,
        entries: Vec<NewEntry>,
    ) -> Result<Vec<Recorded>, RecordError> {
        // A request larger than the whole queue still goes through, alone.
        let units = size_of_entries(&entries).div_ceil(UNIT).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX).min(self.capacity);
        let space = match self.space.clone().try_acquire_many_owned(units) {
            Ok(units) => Space {
                _bytes: Measured::amount(
                    "activity_logs_queue_bytes",
                    (units.num_permits() * UNIT) as f64,
                ),
                _units: units,
                _request: Measured::one("activity_logs_queue_requests"),
            },
            Err(tokio::sync::TryAcquireError::Closed) => return Err(Error::Closed.into()),
            Err(tokio::sync::TryAcquireError::NoPermits) => {
                metrics::counter!("activity_logs_queue_full_total").increment(1);
                return Err(RecordError::QueueFull);
            }
        };
        self.send(|reply| Command::Record { entries, reply, space }).await
    }

    pub(crate) async fn remove(&self, removal: Removal) -> Result<Removed, RecordError> {
        self.send(|reply| Command::Remove { removal, reply }).await
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, RecordError> {
        if self.space.is_closed() {
            return Err(Error::Closed.into());
        }
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Accepts nothing more and returns when everything accepted is committed.
    pub(crate) async fn close(&self) {
        self.space.close();
        // Held to the end: whoever closes second must not close the database under the first.
        let mut task = self.task.lock().await;
        let Some(task) = task.take() else { return };
        let _ = self.commands.send(Command::Close);
        if task.await.is_err() {
            tracing::error!("the writer ended abnormally");
        }
    }
}

async fn run(
    mut queue: mpsc::UnboundedReceiver<Command>,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
) {
    let removed = Arc::new(Notify::new());
    let removing = tokio::spawn(remove(backend.clone(), removed.clone()));
    let mut group = Group::default();
    'commands: while let Some(command) = queue.recv().await {
        let mut next = Some(command);
        while let Some(command) = next.take() {
            match command {
                Command::Record { entries, reply, space } => group.add(entries, reply, space),
                // Order is kept: what arrived before is committed before.
                Command::Remove { removal, reply } => {
                    group.commit(&*backend, &*clock).await;
                    let _ = reply.send(backend.remove_organization(&removal, clock.now()).await);
                    removed.notify_one();
                }
                Command::Close => break 'commands,
            }
            if group.entries < MAX_GROUP {
                next = queue.try_recv().ok();
            }
        }
        group.commit(&*backend, &*clock).await;
    }
    group.commit(&*backend, &*clock).await;
    // What is left to remove goes after the next start.
    removing.abort();
    let _ = removing.await;
}

/// Takes out what deleted organizations have left, of an earlier process or this one, beside
/// what is recorded.
async fn remove(backend: Arc<dyn Backend>, removed: Arc<Notify>) {
    loop {
        let begun = Instant::now();
        match backend.remove_some().await {
            // Others get at least as much of the database, and readers a still moment.
            Ok(true) => sleep(begun.elapsed().max(REMOVAL_PAUSE)).await,
            Ok(false) => removed.notified().await,
            Err(error) => {
                tracing::warn!(%error, "a deleted organization's entries wait to be removed until the next deletion or start");
                removed.notified().await;
            }
        }
    }
}

/// The requests of the next transaction.
#[derive(Default)]
struct Group {
    requests: Vec<Vec<NewEntry>>,
    replies: Vec<Reply<Vec<Recorded>>>,
    /// Held until the commit, so that the queue's bound covers what is being written too.
    space: Vec<Space>,
    entries: usize,
}

impl Group {
    fn add(&mut self, entries: Vec<NewEntry>, reply: Reply<Vec<Recorded>>, space: Space) {
        self.entries += entries.len();
        self.requests.push(entries);
        self.replies.push(reply);
        self.space.push(space);
    }

    async fn commit(&mut self, backend: &dyn Backend, clock: &dyn Clock) {
        let group = std::mem::take(self);
        if group.requests.is_empty() {
            return;
        }
        metrics::histogram!("activity_logs_commit_entries").record(group.entries as f64);
        let begun = Instant::now();
        let commit = |requests| backend.commit(requests, clock.now());
        let results = commit_all(&group.requests, commit).await;
        metrics::histogram!("activity_logs_commit_seconds").record(begun.elapsed());
        drop(group.space);
        for (reply, result) in group.replies.into_iter().zip(results) {
            // Whoever asked may have gone; the entries are recorded all the same.
            let _ = reply.send(result);
        }
    }
}

/// Commits all requests as one transaction. Those that the database refuses are halved, and halved
/// again: one bad request among thousands costs a dozen commits and takes no other with it.
async fn commit_all<'a>(
    requests: &'a [Vec<NewEntry>],
    mut commit: impl FnMut(&'a [Vec<NewEntry>]) -> BoxFuture<'a, Result<Commit, Error>>,
) -> Commit {
    let mut results = Vec::with_capacity(requests.len());
    // What is to be committed, the last of them first.
    let mut parts = vec![requests];
    while let Some(part) = parts.pop() {
        match commit(part).await {
            Ok(committed) => results.extend(committed),
            Err(error) if error.is_refusal() => {
                if part.len() == 1 {
                    tracing::error!(%error, "a request was refused by the database");
                    results.push(Err(error.into()));
                } else {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
            // Whatever it is, the rest would meet it too.
            Err(error) => {
                let rest = results.len()..requests.len();
                results.extend(rest.map(|_| Err(repeat(&error).into())));
                break;
            }
        }
    }
    results
}

/// The same error for another request of the group.
fn repeat(error: &Error) -> Error {
    let copy = |error: &sqlx::Error| sqlx::Error::Protocol(error.to_string());
    match error {
        Error::Unavailable(error) => Error::Unavailable(copy(error)),
        Error::Database(error) => Error::Database(copy(error)),
        _ => Error::Closed,
    }
}

fn size_of_entries(entries: &[NewEntry]) -> usize {
    let value = |value: &Option<JsonText>| value.as_ref().map_or(0, |value| value.as_str().len());
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let size = |entry: &NewEntry| {
        let NewEntry { user, organization, workspace, context, .. } = entry;
        ENTRY_OVERHEAD
            + entry.identifier.len()
            + value(&entry.old_value)
            + value(&entry.new_value)
            + user.name.len()
            + text(&user.email)
            + organization.as_ref().map_or(0, |organization| organization.name.len())
            + workspace.as_ref().map_or(0, |workspace| workspace.name.len())
            + text(&context.ip_address)
            + text(&context.user_agent)
            + text(&context.request_id)
            + value(&entry.question)
    };
    entries.iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_logs_model::record::parse_entry;
    use activity_logs_model::{Catalog, Timestamp};

    fn requests(count: usize) -> Vec<Vec<NewEntry>> {
        let json = br#"{"type": "Users", "action": "Fetch", "user": {"id": "u", "name": "U"}}"#;
        let entry = parse_entry(json, &Catalog::built_in(), Timestamp::EPOCH).expect("an entry");
        let numbered =
            |number: usize| vec![NewEntry { identifier: number.to_string(), ..entry.clone() }];
        (0..count).map(numbered).collect()
    }

    /// What becomes of each request if the database refuses some, and how many commits it takes.
    async fn committed(count: usize, refused: &[usize], error: fn() -> Error) -> (String, usize) {
        let mut commits = 0;
        let requests = requests(count);
        let results = commit_all(&requests, |part| {
            commits += 1;
            let is_refused = |request: &Vec<NewEntry>| {
                refused.iter().any(|n| request[0].identifier == n.to_string())
            };
            let answer = if part.iter().any(is_refused) {
                Err(error())
            } else {
                Ok(part.iter().map(|_| Ok(Vec::new())).collect())
            };
            Box::pin(std::future::ready(answer))
        })
        .await;
        (results.iter().map(|result| if result.is_ok() { '+' } else { '-' }).collect(), commits)
    }

    fn refusal() -> Error {
        Error::Database(sqlx::Error::Encode("refused".into()))
    }

    #[tokio::test]
    async fn one_bad_request_costs_few_commits() {
        assert_eq!(committed(5, &[], refusal).await, ("+++++".to_owned(), 1));
        assert_eq!(committed(1, &[0], refusal).await, ("-".to_owned(), 1));
        assert_eq!(committed(8, &[2, 7], refusal).await.0, "++-++++-");
        for bad in [0, 1_234, 3_999] {
            let (results, commits) = committed(4_000, &[bad], refusal).await;
            assert_eq!(results.find('-'), Some(bad));
            assert_eq!(results.matches('+').count(), 3_999);
            assert!(commits <= 25, "{commits} commits");
        }
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_not_asked_again() {
        let away = || Error::Unavailable(sqlx::Error::PoolTimedOut);
        assert_eq!(committed(4, &[2], away).await, ("----".to_owned(), 1));
        let failing = || Error::Database(sqlx::Error::RowNotFound);
        assert_eq!(committed(4, &[2], failing).await, ("----".to_owned(), 1));
    }
}
