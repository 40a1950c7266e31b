//! The schema keeps each organization's data by itself, so that it can be distributed.

use std::collections::BTreeSet;
use std::path::Path;

use activity_logs_model::Context;
use activity_logs_store::Removal;

use crate::support::{Raw, Subject, entries, id, log, person, record};

contract!(organization_data_is_kept_by_organization);

/// Tables that are of no organization: where the service is, and the order of all entries.
const OF_THE_SERVICE: [&str; 4] = ["_sqlx_migrations", "service_head", "runs", "run_keys"];

fn all_tables(raw: &Raw) -> &'static str {
    match raw {
        Raw::Sqlite(_) => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        Raw::Postgres(_) => {
            "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        }
    }
}

fn first_of_primary_key(raw: &Raw, table: &str) -> String {
    match raw {
        Raw::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') WHERE pk = 1"),
        Raw::Postgres(_) => format!(
            "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] \
             WHERE indisprimary AND indrelid = '{table}'::regclass"
        ),
    }
}

/// The unique indexes that do not name the organization: a distributed table can't have them.
fn unique_without_organization(raw: &Raw, table: &str) -> String {
    match raw {
        Raw::Sqlite(_) => format!(
            "SELECT name FROM pragma_index_list('{table}') AS list WHERE \"unique\" = 1 AND NOT EXISTS \
             (SELECT 1 FROM pragma_index_info(list.name) AS part WHERE part.name = 'organization_id')"
        ),
        Raw::Postgres(_) => format!(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique AND indrelid = '{table}'::regclass \
             AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = indrelid \
             AND attnum = ANY (indkey::int2[]) AND attname = 'organization_id')"
        ),
    }
}

fn foreign_keys(raw: &Raw, table: &str) -> String {
    match raw {
        Raw::Sqlite(_) => format!("SELECT \"table\" FROM pragma_foreign_key_list('{table}')"),
        Raw::Postgres(_) => format!(
            "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = '{table}'::regclass"
        ),
    }
}

async fn organization_data_is_kept_by_organization(subject: Subject) {
    let store = subject.open().await;
    let mut raw = subject.raw().await;
    let tables: BTreeSet<String> = raw.texts(all_tables(&raw)).await.into_iter().collect();
    assert!(["entries", "logs"].iter().all(|name| tables.contains(*name)), "{tables:?}");
    for table in tables {
        let of_the_service = OF_THE_SERVICE.contains(&table.as_str());
        let first = raw.texts(&first_of_primary_key(&raw, &table)).await;
        assert_eq!(first == ["organization_id"], !of_the_service, "{table}: {first:?}");
        if !of_the_service {
            let unique = raw.texts(&unique_without_organization(&raw, &table)).await;
            // Where a table is not distributed, no two entries have one position.
            let expected: &[&str] = if table == "entries" { &["entries_by_position"] } else { &[] };
            assert_eq!(unique, expected, "{table}");
            let leaving = raw.texts(&foreign_keys(&raw, &table)).await;
            assert_eq!(leaving, [""; 0], "{table}");
        }
    }
    store.close().await;
}

/// A distributed table of PostgreSQL takes no triggers: they hold its owner to what the service's
/// role has no right to anyway, and nothing needs them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_works_without_the_triggers_of_postgres() {
    let subject = Subject::postgres(256).await;
    let store = subject.open().await;
    let mut raw = subject.raw().await;
    raw.drop_triggers().await;
    let written = record(&store, entries(None, 300)).await;
    record(&store, entries(Some("acme"), 3)).await;
    let removal =
        Removal { organization: id("acme"), user: person("root"), context: Context::default() };
    store.remove_organization(removal).await.expect("a receipt");
    raw.until("SELECT CAST(COUNT(*) AS TEXT) FROM entries", "301").await;
    raw.work_as_service().await;
    for refused in ["DELETE FROM entries", "UPDATE entries SET identifier = ''", "TRUNCATE entries"]
    {
        let error = raw.execute(refused).await.expect_err(refused).to_string();
        assert!(error.contains("permission denied for table entries"), "{refused}: {error}");
    }
    assert_eq!(log(&store, None).await[..300], written);
}

#[test]
fn migrations_have_the_same_names_for_both_databases() {
    let names = |database: &str| -> BTreeSet<_> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
        let files = std::fs::read_dir(&folder).expect("the folder of migrations");
        files.map(|file| file.expect("a file").file_name()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}
