//! The same rows as others keep and page through them: in a table with indexes that begin with the
//! organization and what is filtered by, asked with `LIMIT … OFFSET …` and `COUNT(*)`.

use std::time::Instant;

use activity_logs_model::{Filter, OrganizationId, Type, Visibility};
use activity_logs_store::{ListingQuery, Options, Scope, Store};
use activity_logs_tests::Kind;
use activity_logs_tests::generated::HUGE;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::cases::{Figures, REFERENCE, Times};
use crate::data::{Log, PAGE};

const ROUNDS: usize = 60;
const NAIVE_ROUNDS: usize = 9;

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    async fn open(log: &Log) -> Result<Self> {
        match log.kind {
            Kind::Sqlite => {
                let url = format!("sqlite:{}.naive?mode=rwc", log.place);
                let mut file = Connection::Sqlite(SqliteConnection::connect(&url).await?);
                file.execute(&format!("ATTACH '{}' AS log", log.place)).await?;
                Ok(file)
            }
            Kind::Postgres => Ok(Connection::Postgres(PgConnection::connect(&log.url).await?)),
        }
    }

    async fn close(self) -> Result<()> {
        match self {
            Connection::Sqlite(file) => file.close().await?,
            Connection::Postgres(database) => database.close().await?,
        }
        Ok(())
    }

    async fn execute(&mut self, statement: &str) -> Result<()> {
        let query = AssertSqlSafe(statement);
        match self {
            Connection::Sqlite(file) => {
                sqlx::query(query).execute(file).await?;
            }
            Connection::Postgres(database) => {
                sqlx::query(query).execute(database).await?;
            }
        }
        Ok(())
    }

    /// The sequences of a page.
    async fn page(&mut self, statement: &str) -> Result<Vec<i64>> {
        let query = AssertSqlSafe(statement);
        Ok(match self {
            Connection::Sqlite(file) => {
                let rows = sqlx::query(query).fetch_all(file).await?;
                rows.iter().map(|row| row.get("sequence")).collect()
            }
            Connection::Postgres(database) => {
                let rows = sqlx::query(query).fetch_all(database).await?;
                rows.iter().map(|row| row.get("sequence")).collect()
            }
        })
    }

    async fn count(&mut self, statement: &str) -> Result<i64> {
        let query = AssertSqlSafe(statement);
        Ok(match self {
            Connection::Sqlite(file) => sqlx::query_scalar(query).fetch_one(file).await?,
            Connection::Postgres(database) => sqlx::query_scalar(query).fetch_one(database).await?,
        })
    }
}

/// Makes the table of a log, if it is not there.
pub(crate) async fn make(log: &Log) -> Result<()> {
    let mut connection = Connection::open(log).await?;
    if connection.execute("SELECT 1 FROM naive_entries LIMIT 1").await.is_err() {
        let entries = if log.kind == Kind::Sqlite { "log.entries" } else { "entries" };
        // All or nothing: without an index it would be no match.
        for statement in [
            "BEGIN",
            &format!("CREATE TABLE naive_entries AS SELECT * FROM {entries}"),
            "CREATE INDEX naive_by_time ON naive_entries (organization_id, occurred_at, sequence)",
            "CREATE INDEX naive_by_type ON naive_entries (organization_id, type, occurred_at, sequence)",
            "COMMIT",
            "ANALYZE",
        ] {
            connection.execute(statement).await?;
        }
        if log.kind == Kind::Postgres {
            // So that COUNT(*) need not look at the rows themselves.
            connection.execute("VACUUM naive_entries").await?;
        }
    }
    connection.close().await
}

/// Pages in the middle of two listings with their totals: read from the table, by the store,
/// which must find the same, and from the service, whose answer leaves an entry too.
pub(crate) async fn measure(log: &Log, figures: &[Figures]) -> Result<Vec<Value>> {
    let mut connection = Connection::open(log).await?;
    let store = Store::open(&log.url, Options::default()).await?;
    let as_of = store.head().await?;
    let organization: OrganizationId = HUGE.parse()?;
    let mut rows = Vec::new();
    for (name, types) in [(REFERENCE, &[][..]), ("organization, type", &["Users"][..])] {
        let case = figures.iter().find(|case| case.name == name).context("the case")?;
        let types = types.iter().map(|kind| Ok(kind.parse()?)).collect::<Result<Vec<Type>>>()?;
        let condition: String =
            types.iter().map(|kind| format!(" AND type = '{}'", kind.as_str())).collect();
        let filter = Filter { types, ..Filter::default() };
        let from = format!("FROM naive_entries WHERE organization_id = '{HUGE}'{condition}");
        let count = format!("SELECT COUNT(*) {from}");
        let offsets = (0..).map(|round| case.total / 2 + round * PAGE as u64);
        // The first of each is not counted: nothing has been read yet.
        let mut pages = Vec::new();
        let mut ours = Vec::new();
        for offset in offsets.clone().take(1 + ROUNDS) {
            let query = ListingQuery {
                scope: Scope::Organization(&organization),
                visibility: &Visibility::Everything,
                filter: &filter,
                as_of,
                offset,
                limit: PAGE as u64,
            };
            let begun = Instant::now();
            let page = store.list(&query).await?;
            ours.push(begun.elapsed().as_secs_f64() * 1_000.0);
            let sequences = page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
            pages.push((sequences, i64::try_from(page.total)?));
        }
        let mut naive = Vec::new();
        for (offset, expected) in offsets.zip(&pages).take(1 + NAIVE_ROUNDS) {
            let page = format!(
                "SELECT * {from} ORDER BY occurred_at DESC, sequence DESC LIMIT {PAGE} OFFSET {offset}"
            );
            let begun = Instant::now();
            let found = (connection.page(&page).await?, connection.count(&count).await?);
            naive.push(begun.elapsed().as_secs_f64() * 1_000.0);
            ensure!(found == *expected, "{name}: not the same from {offset} on");
        }
        let [naive, ours] = [naive, ours].map(|times| Times::of(times[1..].to_vec()));
        let (of_store, of_service) = (naive.p50 / ours.p50, naive.p50 / case.middle.p50);
        println!(
            "  {name}: middle page and total by OFFSET and COUNT(*) {:.1} ms, by the store {:.2} ms: {of_store:.0} times faster (goal 100 at 10 million), over HTTP {:.2} ms: {of_service:.0} times",
            naive.p50, ours.p50, case.middle.p50
        );
        rows.push(json!({
            "case": name, "naive": naive.p50, "store": ours.p50, "http": case.middle.p50,
            "store_faster": of_store, "http_faster": of_service,
        }));
    }
    store.close().await;
    connection.close().await?;
    Ok(rows)
}
