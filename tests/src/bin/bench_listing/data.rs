//! The logs that are measured, kept from run to run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use activity_logs_store::{Options, Store};
use activity_logs_tests::Kind;
use activity_logs_tests::generated::{GENERATION, Generator, HUGE};
use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::cases::Figures;

const BATCH: usize = 1_000;
const IN_FLIGHT: usize = 8;
const PAGE: usize = 25;

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

/// The same rows as others keep them: a table with indexes that begin with the organization and
/// what is filtered by, asked with `LIMIT … OFFSET …` and `COUNT(*)`.
pub(crate) struct Naive {
    url: String,
}

impl Naive {
    pub(crate) async fn open(log: &Log) -> Result<Self> {
        let indexes = [
            "CREATE INDEX naive_by_time ON naive_entries (organization_id, occurred_at, sequence)",
            "CREATE INDEX naive_by_type ON naive_entries (organization_id, type, occurred_at, sequence)",
        ];
        match log.kind {
            Kind::Sqlite => {
                let path = PathBuf::from(format!("{}.naive", log.place));
                let url = format!("sqlite:{}?mode=rwc", path.display());
                let mut file = SqliteConnection::connect(&url).await?;
                if sqlx::query("SELECT 1 FROM naive_entries LIMIT 1")
                    .execute(&mut file)
                    .await
                    .is_err()
                {
                    let attach = format!("ATTACH '{}' AS log", log.place);
                    sqlx::query(AssertSqlSafe(attach)).execute(&mut file).await?;
                    let copy = "CREATE TABLE naive_entries AS SELECT * FROM log.entries";
                    sqlx::query(copy).execute(&mut file).await?;
                    for index in indexes {
                        sqlx::query(index).execute(&mut file).await?;
                    }
                }
                Ok(Self { url })
            }
            Kind::Postgres => {
                let mut database = PgConnection::connect(&log.url).await?;
                if sqlx::query("SELECT 1 FROM naive_by_type_done")
                    .execute(&mut database)
                    .await
                    .is_err()
                {
                    sqlx::query("DROP TABLE IF EXISTS naive_entries")
                        .execute(&mut database)
                        .await?;
                    let copy = "CREATE TABLE naive_entries AS SELECT * FROM entries";
                    sqlx::query(copy).execute(&mut database).await?;
                    for index in indexes {
                        sqlx::query(index).execute(&mut database).await?;
                    }
                    sqlx::query("VACUUM ANALYZE naive_entries").execute(&mut database).await?;
                    sqlx::query("CREATE TABLE naive_by_type_done (done INT)")
                        .execute(&mut database)
                        .await?;
                }
                Ok(Self { url: log.url.clone() })
            }
        }
    }

    /// The middle page and the total of two listings, and how much faster the service is.
    pub(crate) async fn measure(&self, log: &Log, figures: &[Figures]) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for (name, condition) in
            [("organization", ""), ("organization, type", " AND type = 'Users'")]
        {
            let case = figures.iter().find(|case| case.name == name).context("the case")?;
            let filter = format!("FROM naive_entries WHERE organization_id = '{HUGE}'{condition}");
            let page = format!(
                "SELECT * {filter} ORDER BY occurred_at DESC, sequence DESC LIMIT {PAGE} OFFSET {}",
                case.total / 2
            );
            let count = format!("SELECT COUNT(*) {filter}");
            let mut times = Vec::new();
            for _ in 0..3 {
                let begun = Instant::now();
                let found = match log.kind {
                    Kind::Sqlite => {
                        let mut file = SqliteConnection::connect(&self.url).await?;
                        let rows =
                            sqlx::query(AssertSqlSafe(page.clone())).fetch_all(&mut file).await?;
                        sqlx::query(AssertSqlSafe(count.clone())).fetch_one(&mut file).await?;
                        rows.len()
                    }
                    Kind::Postgres => {
                        let mut database = PgConnection::connect(&self.url).await?;
                        let rows = sqlx::query(AssertSqlSafe(page.clone()))
                            .fetch_all(&mut database)
                            .await?;
                        sqlx::query(AssertSqlSafe(count.clone())).fetch_one(&mut database).await?;
                        rows.len()
                    }
                };
                ensure!(found == PAGE, "the naive page has {found} rows");
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
            times.sort_by(f64::total_cmp);
            let times_faster = times[1] / case.middle.p50;
            println!(
                "  {name}: middle page and total by OFFSET and COUNT(*) {:.1} ms, {times_faster:.0} times ours (goal 100 at 10 million)",
                times[1]
            );
            rows.push(json!({"case": name, "milliseconds": times[1], "times_ours": times_faster}));
        }
        Ok(rows)
    }
}
