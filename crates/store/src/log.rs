//! The statements of the log and what surrounds them: one text for both databases. It is
//! compiled once for each, with what differs taken from the module around it (`super`).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use activity_logs_model::entry::InvalidOutcome;
use activity_logs_model::wire::OrganizationItem;
use activity_logs_model::{
    Action, Context, Entry, JsonText, NewEntry, OrganizationId, OrganizationRef, Outcome, Person,
    Timestamp, Type, Visibility, WorkspaceRef,
};
use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::runs::count_removal;
use super::{
    Connection, Database, Db, LOCK_HEAD, LOOKS_FIRST, Row, begin_write, end_organization,
    find_existing, insert_entries, is_taken_id,
};
use crate::backend::{
    Backend, Commit, ListingQuery, LogState, Page, Recorded, Removal, Removed, Scope, SpanCount,
    Watched,
};
use crate::index::state::Head;
use crate::plan::{LogHead, LogKey, log_of, plan};
use crate::{Error, RecordError, search_key};

/// The columns of an entry, in the order in which `read_entry` takes and
/// `insert_entries` gives them.
pub(crate) const COLUMNS: &str = "organization_id, sequence, position, id, occurred_at, recorded_at, \
    type, action, outcome, user_id, user_name, user_email, organization_name, workspace_id, \
    workspace_name, identifier, old_value, new_value, ip_address, user_agent, request_id, question";

/// How often a removal has changed what listings hold.
pub(super) const VERSION: &str = "(SELECT removals FROM service_head WHERE id = 1)";

/// The reserved organization of the platform log.
const PLATFORM: &str = "";

/// How a log is named in the database.
pub(super) fn log_id(log: &LogKey) -> &str {
    log.as_ref().map_or(PLATFORM, OrganizationId::as_str)
}

/// How the log of an entry is named in the database.
pub(super) fn log_id_of(entry: &Entry) -> &str {
    entry.organization.as_ref().map_or(PLATFORM, |organization| organization.id.as_str())
}

pub(super) fn corrupt<E: std::error::Error + Send + Sync + 'static>(error: E) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn read_entry(row: &Row) -> Result<Entry, sqlx::Error> {
    let text = |index: usize| row.try_get::<String, _>(index);
    let optional = |index: usize| row.try_get::<Option<String>, _>(index);
    let organization = match optional(12)? {
        Some(name) => Some(OrganizationRef { id: text(0)?.try_into().map_err(corrupt)?, name }),
        None => None,
    };
    let workspace = match (optional(13)?, optional(14)?) {
        (Some(id), Some(name)) => Some(WorkspaceRef { id: id.try_into().map_err(corrupt)?, name }),
        _ => None,
    };
    Ok(Entry {
        sequence: row.try_get(1)?,
        position: row.try_get(2)?,
        id: row.try_get(3)?,
        occurred_at: Timestamp::from_micros(row.try_get(4)?),
        recorded_at: Timestamp::from_micros(row.try_get(5)?),
        kind: Type::try_from(text(6)?).map_err(corrupt)?,
        action: Action::try_from(text(7)?).map_err(corrupt)?,
        outcome: read_outcome(&text(8)?)?,
        user: Person {
            id: text(9)?.try_into().map_err(corrupt)?,
            name: text(10)?,
            email: optional(11)?,
        },
        organization,
        workspace,
        identifier: text(15)?,
        old_value: optional(16)?.map(JsonText::from_stored),
        new_value: optional(17)?.map(JsonText::from_stored),
        context: Context {
            ip_address: optional(18)?,
            user_agent: optional(19)?,
            request_id: optional(20)?,
        },
        question: optional(21)?.map(JsonText::from_stored),
    })
}

pub(super) fn read_outcome(text: &str) -> Result<Outcome, sqlx::Error> {
    text.parse().map_err(|why: InvalidOutcome| sqlx::Error::Decode(why.into()))
}

/// How many positions a run has in this database.
pub(super) async fn run_entries(pool: &sqlx::Pool<Db>) -> Result<i64, sqlx::Error> {
    let run_entries: i32 = sqlx::query_scalar("SELECT run_entries FROM service_head WHERE id = 1")
        .fetch_one(pool)
        .await?;
    Ok(run_entries.into())
}

pub(super) async fn lock_head(connection: &mut Connection) -> Result<Head, sqlx::Error> {
    Ok(lock_head_and_time(connection).await?.0)
}

/// The same, with the newest time of recording.
async fn lock_head_and_time(connection: &mut Connection) -> Result<(Head, Timestamp), sqlx::Error> {
    let (position, version, newest) = sqlx::query_as(LOCK_HEAD).fetch_one(connection).await?;
    Ok((Head { position, version }, Timestamp::from_micros(newest)))
}

pub(super) fn push_in<T>(query: &mut QueryBuilder<Db>, values: impl IntoIterator<Item = T>)
where
    T: AsRef<str>,
{
    query.push(" IN (");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value.as_ref().to_owned());
    }
    query.push(")");
}

/// The heads of these logs. The head of the service is locked, so nobody else changes them.
async fn read_heads(
    connection: &mut Connection,
    logs: &BTreeSet<LogKey>,
) -> Result<HashMap<LogKey, LogHead>, sqlx::Error> {
    let mut heads = HashMap::with_capacity(logs.len());
    let logs: Vec<&LogKey> = logs.iter().collect();
    for logs in logs.chunks(1_000) {
        let mut query = QueryBuilder::<Db>::new(
            "SELECT organization_id, organization_name, next_sequence, deleted_at FROM logs WHERE organization_id",
        );
        push_in(&mut query, logs.iter().map(|log| log_id(log)));
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let id: String = row.try_get(0)?;
            let log = if id == PLATFORM { None } else { Some(id.try_into().map_err(corrupt)?) };
            let head = LogHead {
                name: row.try_get(1)?,
                next_sequence: row.try_get(2)?,
                deleted: row.try_get::<Option<i64>, _>(3)?.is_some(),
            };
            heads.insert(log, head);
        }
    }
    Ok(heads)
}

async fn write_heads(
    connection: &mut Connection,
    heads: &HashMap<LogKey, LogHead>,
) -> Result<(), sqlx::Error> {
    let heads: Vec<_> = heads.iter().collect();
    for heads in heads.chunks(1_000) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO logs (organization_id, organization_name, search_key, next_sequence) ",
        );
        query.push_values(heads, |mut row, (log, head)| {
            let name = head.name.as_deref();
            let key = match (log, name) {
                (Some(id), Some(name)) => search_key(id, name),
                _ => String::new(),
            };
            row.push_bind(log_id(log).to_owned()).push_bind(name.map(str::to_owned));
            row.push_bind(key).push_bind(head.next_sequence);
        });
        query.push(
            " ON CONFLICT (organization_id) DO UPDATE SET organization_name = excluded.organization_name, \
             search_key = excluded.search_key, next_sequence = excluded.next_sequence",
        );
        query.build().persistent(heads.len() == 1).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_position(connection: &mut Connection, newest: &Entry) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE service_head SET position = $1, recorded_at = $2 WHERE id = 1")
        .bind(newest.position)
        .bind(newest.recorded_at.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

impl Database {
    /// Plans and writes requests in the caller's transaction. Ids that are taken are looked for
    /// first, or else they make the writing fail.
    async fn write_requests(
        &self,
        connection: &mut Connection,
        requests: &[Vec<NewEntry>],
        now: Timestamp,
        looks_first: bool,
    ) -> Result<(Vec<Entry>, Commit), Error> {
        let (head, newest) = lock_head_and_time(connection).await?;
        self.clock.compare(now, newest);
        let all = || requests.iter().flatten();
        let logs: BTreeSet<LogKey> = all().map(log_of).collect();
        let heads = read_heads(connection, &logs).await?;
        // Ids that the service makes are new by construction.
        let chosen: Vec<(LogKey, Uuid)> =
            all().filter_map(|entry| Some((log_of(entry), entry.id?))).collect();
        let existing = if looks_first && !heads.is_empty() {
            find_existing(connection, &chosen).await?
        } else {
            Vec::new()
        };
        self.meets_repetitions.store(!existing.is_empty(), Ordering::Relaxed);

        let plan = plan(requests, head.position, heads, existing, now.max(newest));
        if let Some(last) = plan.entries.last() {
            insert_entries(connection, &plan.entries).await?;
            write_heads(connection, &plan.heads).await?;
            write_position(connection, last).await?;
            self.seal_runs(connection, head, &plan.entries).await?;
        }
        Ok((plan.entries, plan.results))
    }

    async fn try_commit(
        &self,
        requests: &[Vec<NewEntry>],
        now: Timestamp,
        looks_first: bool,
    ) -> Result<Commit, Error> {
        let mut transaction = begin_write(&self.writer).await?;
        let mut written = self.write_requests(&mut transaction, requests, now, looks_first).await;
        if !looks_first && matches!(&written, Ok((_, results)) if results.iter().any(is_conflict)) {
            // All ids that are taken are told, not only those that one request gives twice.
            transaction.rollback().await?;
            transaction = begin_write(&self.writer).await?;
            written = self.write_requests(&mut transaction, requests, now, true).await;
        }
        let (entries, results) = match written {
            Ok(written) => written,
            Err(error) => return Err(transaction.fail(error).await),
        };
        if entries.is_empty() {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
            self.index.committed(&entries);
        }
        for Entry { outcome, .. } in &entries {
            metrics::counter!("activity_logs_recorded_entries_total", "outcome" => outcome.as_str())
                .increment(1);
        }
        Ok(results)
    }
}

pub(super) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn to_u64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[async_trait]
impl Backend for Database {
    async fn commit(&self, requests: &[Vec<NewEntry>], now: Timestamp) -> Result<Commit, Error> {
        let looks_first = LOOKS_FIRST || self.meets_repetitions.load(Ordering::Relaxed);
        let done = match self.try_commit(requests, now, looks_first).await {
            Err(Error::Database(error)) if !looks_first && is_taken_id(&error) => {
                self.try_commit(requests, now, true).await
            }
            done => done,
        };
        self.note(done.as_ref().map(|_| ()));
        done
    }

    async fn remove_organization(
        &self,
        removal: &Removal,
        now: Timestamp,
    ) -> Result<Removed, RecordError> {
        let id = &removal.organization;
        let mut transaction = begin_write(&self.writer).await.map_err(Error::from)?;
        lock_head(&mut transaction).await.map_err(Error::from)?;
        let key = Some(id.clone());
        let heads = read_heads(&mut transaction, &BTreeSet::from([key.clone()]))
            .await
            .map_err(Error::from)?;
        let refusal = match heads.get(&key) {
            None => Some(RecordError::UnknownOrganization),
            Some(head) => {
                head.deleted.then(|| RecordError::OrganizationDeleted(id.clone(), Vec::new()))
            }
        };
        if let Some(refusal) = refusal {
            transaction.rollback().await.map_err(Error::from)?;
            return Err(refusal);
        }
        let head = &heads[&key];
        // The entries are out of all listings from now on; they go in steps afterwards.
        end_organization(&mut transaction, id.as_str(), now.as_micros())
            .await
            .map_err(Error::from)?;
        count_removal(&mut transaction).await?;
        let removed = to_u64(head.next_sequence);
        let name = head.name.clone().unwrap_or_default();
        let entry = removal_entry(removal, &name, removed);
        entry.check_texts().map_err(|pointer| RecordError::UnfitText { index: 0, pointer })?;
        let request = [vec![entry]];
        let (mut entries, _) = self.write_requests(&mut transaction, &request, now, true).await?;
        transaction.commit().await.map_err(Error::from)?;
        let entry = entries.pop().ok_or(Error::Closed)?;
        Ok(Removed { entries: removed, entry })
    }

    async fn remove_some(&self) -> Result<bool, Error> {
        Database::remove_some(self).await
    }

    async fn secret(&self) -> Result<Vec<u8>, Error> {
        let secret = sqlx::query_scalar("SELECT secret FROM service_head WHERE id = 1");
        Ok(secret.fetch_one(&self.readers).await?)
    }

    async fn head(&self) -> Result<i64, Error> {
        self.newest_position().await
    }

    async fn log_states(
        &self,
        ids: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, LogState)>, Error> {
        self.states_of(ids).await
    }

    async fn list(
        &self,
        query: &ListingQuery<'_>,
        counted: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Page, Error> {
        self.page(query, counted).await
    }

    async fn count_in_spans(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        as_of: i64,
        bounds: &[Timestamp],
    ) -> Result<Vec<SpanCount>, Error> {
        self.spans(scope, visibility, as_of, bounds).await
    }

    async fn find(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        id: Uuid,
    ) -> Result<Option<Entry>, Error> {
        self.entry_with_id(scope, visibility, id).await
    }

    async fn organizations(
        &self,
        search: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<OrganizationItem>, u64), Error> {
        self.living(search, offset, limit).await
    }

    fn watch(&self) -> Watched {
        self.watched()
    }

    async fn ready(&self) -> Result<(), Error> {
        self.take_entries().await
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
        self.standing.close().await;
        self.probe.close().await;
    }
}

fn is_conflict(result: &Result<Vec<Recorded>, RecordError>) -> bool {
    matches!(result, Err(RecordError::IdConflict(_)))
}

fn removal_entry(removal: &Removal, name: &str, removed: u64) -> NewEntry {
    let state = serde_json::json!({"id": removal.organization, "name": name, "entries": removed});
    NewEntry {
        id: None,
        occurred_at: None,
        kind: Type::admin_accounts(),
        action: Action::delete(),
        outcome: Outcome::Success,
        user: removal.user.clone(),
        organization: None,
        workspace: None,
        identifier: if name.is_empty() {
            removal.organization.to_string()
        } else {
            name.to_owned()
        },
        old_value: JsonText::from_value(&state).ok().flatten(),
        new_value: None,
        context: removal.context.clone(),
        question: None,
    }
}
