//! Entries as they leave: one by its id, and those of a page. One text, compiled once for each
//! database like the module `log`.

use std::collections::HashMap;

use activity_logs_model::{Entry, Visibility};
use futures_util::TryStreamExt as _;
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::log::{COLUMNS, read_entry};
use super::runs::unreadable;
use super::{Database, fetch_entries};
use crate::Error;
use crate::backend::{ListingQuery, Scope};
use crate::index::Key;
use crate::index::codec::Unreadable;
use crate::index::facts::texts_of_entry;

impl Database {
    /// The newest entry with this id that is seen.
    pub(super) async fn entry_with_id(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        id: Uuid,
    ) -> Result<Option<Entry>, Error> {
        let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM entries WHERE id = "));
        query.push_bind(id);
        if let Scope::Organization(organization) = scope {
            query.push(" AND organization_id = ").push_bind(organization.to_string());
        }
        query.push(
            " AND organization_id NOT IN (SELECT organization_id FROM removals) \
             ORDER BY position DESC",
        );
        // One at a time: any number of logs can have an entry with this id.
        let mut rows = query.build().fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            let entry = read_entry(&row)?;
            if visibility.allows(&entry) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The entries with these keys, in their order; nothing if a removal came between.
    ///
    /// Whatever stands at their positions, nothing leaves but what the listing asks for.
    pub(super) async fn entries_at(
        &self,
        keys: &[Key],
        query: &ListingQuery<'_>,
        version: i64,
    ) -> Result<Option<Vec<Entry>>, Error> {
        if keys.is_empty() {
            let head = self.read_head().await?;
            return Ok((head.version == version).then(Vec::new));
        }
        let positions: Vec<i64> = keys.iter().map(|key| key.position).collect();
        let mut found = HashMap::with_capacity(keys.len());
        for row in fetch_entries(&self.readers, &positions).await? {
            if row.try_get::<i64, _>(row.len() - 1)? != version {
                return Ok(None);
            }
            let entry = read_entry(&row)?;
            let (key, _) = texts_of_entry(&entry);
            let is_it = keys.binary_search(&key).is_ok() && query.asks_for(&entry);
            if !is_it || found.insert(key, entry).is_some() {
                return Err(Error::Displaced(key.position));
            }
        }
        let entries: Option<Vec<Entry>> = keys.iter().map(|key| found.remove(key)).collect();
        if entries.is_none() && self.read_head().await?.version == version {
            return Err(unreadable(Unreadable));
        }
        Ok(entries)
    }
}
