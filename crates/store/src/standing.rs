//! What is asked all the time and answered at once: whether the database takes entries, the newest
//! position, and which logs there are. These have connections of their own, so that no number of
//! slow readings can make them wait.

use std::sync::atomic::Ordering;
use std::time::Duration;

use activity_logs_model::OrganizationId;
use activity_logs_model::wire::OrganizationItem;
use sqlx::{Executor as _, QueryBuilder, Row as _};
use tokio::time::timeout;

use super::log::{corrupt, push_in, to_i64, to_u64};
use super::{Database, Db, MIGRATIONS, TRY_WRITING, begin_write, prove};
use crate::Error;
use crate::backend::LogState;
use crate::error::is_busy;

/// What is written, and taken back, to see whether there is space again.
const PROBE_BYTES: usize = 256 * 1024;
/// How long a connection may take to answer.
const PROOF_WAIT: Duration = Duration::from_secs(1);

impl Database {
    /// Notes whether what was written has reached the database.
    pub(super) fn note(&self, result: Result<(), &Error>) {
        match result {
            Ok(()) => self.is_failing.store(false, Ordering::Relaxed),
            Err(Error::Unavailable(_)) => self.is_failing.store(true, Ordering::Relaxed),
            // The request's fault.
            Err(_) => {}
        }
    }

    /// Whether the schema is this program's, and the database takes what recording writes. All of
    /// it is taken back.
    pub(super) async fn take_entries(&self) -> Result<(), Error> {
        let applied: i64 = sqlx::query_scalar(
            "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success",
        )
        .fetch_one(&self.probe)
        .await?;
        let built_for = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        if applied != built_for {
            return Err(Error::SchemaNotCurrent);
        }
        self.prove_protected().await?;
        let mut transaction = match begin_write(&self.probe).await {
            // Somebody else writes, so it can be done.
            Err(error) if is_busy(&error) => return Ok(()),
            begun => begun?,
        };
        transaction.execute(TRY_WRITING).await?;
        if self.is_failing.load(Ordering::Relaxed) {
            // What failed may have been larger than a row.
            sqlx::query(
                "INSERT INTO run_lists (organization_id, list, run, entries, content) \
                 VALUES ('', 'readiness', 0, 1, $1)",
            )
            .bind(vec![0_u8; PROBE_BYTES])
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.rollback().await?)
    }

    /// Whether the connections can't change or remove entries: one that tries, and those that
    /// record and read as far as they are free. One that broke while it was idle proves nothing: it
    /// is replaced before anything is done on it.
    async fn prove_protected(&self) -> Result<(), Error> {
        let mut probe = self.probe.acquire().await?;
        prove(&mut probe).await?;
        drop(probe);
        for pool in [&self.writer, &self.readers, &self.standing] {
            if let Some(mut connection) = pool.try_acquire() {
                match timeout(PROOF_WAIT, prove(&mut connection)).await {
                    Ok(Err(Error::Unavailable(_))) | Err(_) => connection.close_on_drop(),
                    Ok(proof) => proof?,
                }
            }
        }
        Ok(())
    }

    pub(super) async fn newest_position(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("SELECT position FROM service_head WHERE id = 1")
            .fetch_one(&self.standing)
            .await?)
    }

    pub(super) async fn states_of(
        &self,
        ids: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, LogState)>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<Db>::new(
            "SELECT organization_id, organization_name, deleted_at FROM logs WHERE organization_id",
        );
        push_in(&mut query, ids.iter().map(OrganizationId::as_str));
        let mut states = Vec::new();
        for row in query.build().persistent(ids.len() == 1).fetch_all(&self.standing).await? {
            let id = row.try_get::<String, _>(0)?.try_into().map_err(corrupt)?;
            let state = match row.try_get::<Option<i64>, _>(2)? {
                Some(_) => LogState::Deleted,
                None => LogState::Live(row.try_get::<Option<String>, _>(1)?.unwrap_or_default()),
            };
            states.push((id, state));
        }
        Ok(states)
    }

    pub(super) async fn living(
        &self,
        search: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<OrganizationItem>, u64), Error> {
        let select = |what: &str| {
            let mut query = QueryBuilder::<Db>::new(format!(
                "SELECT {what} FROM logs WHERE deleted_at IS NULL AND organization_id <> ''"
            ));
            if let Some(text) = search {
                let folded = text.to_lowercase();
                let literal = folded.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                query
                    .push(" AND search_key LIKE ")
                    .push_bind(format!("%{literal}%"))
                    .push(" ESCAPE '\\'");
            }
            query
        };
        let total: i64 = select("COUNT(*)").build_query_scalar().fetch_one(&self.standing).await?;
        let mut page = select("organization_id, organization_name");
        page.push(" ORDER BY search_key, organization_id LIMIT ").push_bind(to_i64(limit));
        page.push(" OFFSET ").push_bind(to_i64(offset));
        let mut items = Vec::new();
        for row in page.build().fetch_all(&self.standing).await? {
            let id = row.try_get::<String, _>(0)?.try_into().map_err(corrupt)?;
            items.push(OrganizationItem {
                id,
                name: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
            });
        }
        Ok((items, to_u64(total)))
    }
}
