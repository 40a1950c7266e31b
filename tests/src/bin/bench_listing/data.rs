//! The logs that are measured, kept from run to run.

use std::path::Path;
use std::time::Instant;

use activity_logs_store::{Options, Store};
use activity_logs_tests::Kind;
use activity_logs_tests::generated::{GENERATION, Generator};
use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

const BATCH: usize = 1_000;
const IN_FLIGHT: usize = 8;
pub(crate) const PAGE: usize = 25;

/// A log of a size, in a database that is kept.
pub(crate) struct Log {
    pub(crate) kind: Kind,
    pub(crate) entries: usize,
    pub(crate) url: String,
    /// The file, or the name of the database.
    pub(crate) place: String,
}

/// The server that the logs on PostgreSQL are kept on.
pub(crate) fn server() -> Result<String> {
    let url = std::env::var("ACTIVITY_LOGS_TEST_POSTGRES");
    let url = url.context("ACTIVITY_LOGS_TEST_POSTGRES names no server")?;
    Ok(url.rsplit_once('/').context("a URL with a database")?.0.to_owned())
}

pub(crate) async fn on_server(statement: String) -> Result<()> {
    let mut server = PgConnection::connect(&format!("{}/postgres", server()?)).await?;
    sqlx::query(AssertSqlSafe(statement)).execute(&mut server).await?;
    Ok(())
}

impl Log {
    /// Opens the log of a size, and makes it first if it is not there whole.
    pub(crate) async fn open(kind: Kind, folder: &Path, entries: usize) -> Result<Self> {
        // Whoever changes the schema or the generator gets new logs.
        let schema =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite"))?;
        let name = format!("listing_{entries}_{}_{GENERATION}", schema.count());
        let log = match kind {
            Kind::Sqlite => {
                let place = folder.join(format!("{name}.db")).display().to_string();
                Self { kind, entries, url: format!("sqlite:{place}"), place }
            }
            Kind::Postgres => {
                let url = format!("{}/{name}", server()?);
                // It may be there already.
                let _ = on_server(format!("CREATE DATABASE {name}")).await;
                Self { kind, entries, url, place: name }
            }
        };
        log.fill().await?;
        Ok(log)
    }

    async fn fill(&self) -> Result<()> {
        let store = Store::open(&self.url, Options::default()).await?;
        let there = usize::try_from(store.head().await?)?;
        if there < self.entries {
            println!("making {:?} with {} entries", self.kind, self.entries);
            let begun = Instant::now();
            // What is there of an interrupted run is skipped: the entries are the same each time.
            let mut entries = Generator::new(self.entries).skip(there);
            let batches = std::iter::from_fn(|| {
                let batch: Vec<_> = entries.by_ref().take(BATCH).collect();
                (!batch.is_empty()).then_some(batch)
            });
            let mut recording = futures_util::stream::iter(batches)
                .map(|batch| store.record(batch))
                .buffered(IN_FLIGHT);
            let mut made = there;
            while let Some(recorded) = recording.next().await {
                let before = made / 1_000_000;
                made += recorded?.len();
                if made / 1_000_000 > before {
                    println!("  {made} after {:.0} s", begun.elapsed().as_secs_f64());
                }
            }
        }
        store.close().await;
        if self.kind == Kind::Postgres {
            let mut database = PgConnection::connect(&self.url).await?;
            sqlx::query("VACUUM ANALYZE").execute(&mut database).await?;
        }
        Ok(())
    }

    /// Bytes an entry on disk, by table and index.
    pub(crate) async fn space(&self) -> Result<Vec<(String, f64)>> {
        let statement = match self.kind {
            Kind::Sqlite => "SELECT name, SUM(pgsize) FROM dbstat GROUP BY 1 ORDER BY 2 DESC",
            Kind::Postgres => {
                "SELECT COALESCE((SELECT 'long values of ' || of.relname FROM pg_class AS of \
                 WHERE of.reltoastrelid = part.oid), part.relname)::text, pg_relation_size(part.oid) \
                 FROM pg_class AS part WHERE relkind IN ('r', 'i', 't') AND pg_relation_size(part.oid) > 0 \
                 AND (relnamespace = 'public'::regnamespace AND relname NOT LIKE 'naive%' \
                 OR part.oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'naive%')) \
                 ORDER BY 2 DESC"
            }
        };
        let mut space: Vec<(String, f64)> = Vec::new();
        let mut add = |name: String, bytes: i64| {
            space.push((name, bytes as f64 / self.entries as f64));
        };
        match self.kind {
            Kind::Sqlite => {
                let mut file = SqliteConnection::connect(&self.url).await?;
                match sqlx::query(statement).fetch_all(&mut file).await {
                    Ok(rows) => rows.iter().for_each(|row| add(row.get(0), row.get(1))),
                    // Built without the table of pages.
                    Err(_) => {
                        add("the file".to_owned(), std::fs::metadata(&self.place)?.len() as i64);
                    }
                }
            }
            Kind::Postgres => {
                let mut database = PgConnection::connect(&self.url).await?;
                let rows = sqlx::query(statement).fetch_all(&mut database).await?;
                rows.iter().for_each(|row| add(row.get(0), row.get(1)));
            }
        }
        let all = space.iter().map(|(_, bytes)| bytes).sum();
        space.retain(|(_, bytes)| *bytes >= 0.5);
        space.push(("all".to_owned(), all));
        Ok(space)
    }

    /// Leaves nothing in PostgreSQL's buffers of what listings are read from.
    pub(crate) async fn fill_buffers_with_other_things(&self) -> Result<()> {
        if self.kind == Kind::Postgres {
            let mut database = PgConnection::connect(&self.url).await?;
            let extension = sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_prewarm");
            extension.execute(&mut database).await?;
            let fill = sqlx::query("SELECT pg_prewarm('entries_by_id', 'buffer')");
            fill.execute(&mut database).await?;
        }
        Ok(())
    }

    /// A copy to do harm to.
    pub(crate) async fn copy(&self) -> Result<Self> {
        let place = format!("{}_", self.place);
        let url = match self.kind {
            Kind::Sqlite => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{place}{end}"));
                }
                std::fs::copy(&self.place, &place)?;
                std::fs::File::open(&place)?.sync_all()?;
                format!("sqlite:{place}")
            }
            Kind::Postgres => {
                on_server(format!("DROP DATABASE IF EXISTS {place} WITH (FORCE)")).await?;
                // Copied as files and on the disk, so that nothing of it is still to be written
                // while the copy is measured.
                let (of, how) = (&self.place, "STRATEGY FILE_COPY");
                on_server(format!("CREATE DATABASE {place} TEMPLATE {of} {how}")).await?;
                format!("{}/{place}", server()?)
            }
        };
        Ok(Self { kind: self.kind, entries: self.entries, url, place })
    }

    /// Removes a copy.
    pub(crate) async fn discard(self) -> Result<()> {
        match self.kind {
            Kind::Sqlite => {
                for end in ["", "-wal", "-shm", "-lock"] {
                    let _ = std::fs::remove_file(format!("{}{end}", self.place));
                }
                Ok(())
            }
            Kind::Postgres => on_server(format!("DROP DATABASE {} WITH (FORCE)", self.place)).await,
        }
    }
}
