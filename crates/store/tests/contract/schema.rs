//! The schema keeps each organization's data by itself, so that it can be distributed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Raw, Subject};

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
            assert_eq!(unique, [""; 0], "{table}");
            let leaving = raw.texts(&foreign_keys(&raw, &table)).await;
            assert_eq!(leaving, [""; 0], "{table}");
        }
    }
    store.close().await;
}

/// On a distributed table PostgreSQL takes no triggers.
#[tokio::test]
async fn postgres_tables_have_no_triggers() {
    let subject = Subject::postgres(256).await;
    let store = subject.open().await;
    let triggers = "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(subject.raw().await.texts(triggers).await, [""; 0]);
    store.close().await;
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
