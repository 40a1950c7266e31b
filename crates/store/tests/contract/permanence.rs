//! The database itself keeps entries from being changed or removed.

use activity_logs_model::Context;
use activity_logs_store::{Error, RecordError, Removal};
use sqlx::error::DatabaseError;

use crate::support::{
    EVERYTHING, Raw, Subject, entries, everything, id, newest_first, person, record,
};

contract!(entries_are_permanent);

const EVERYWHERE: [&str; 9] = [
    "UPDATE entries SET identifier = 'changed'",
    "UPDATE entries SET organization_id = 'umbrella' WHERE organization_id = 'acme'",
    "UPDATE entries SET sequence = sequence + 100 WHERE organization_id = ''",
    "DELETE FROM entries",
    "DELETE FROM entries WHERE organization_id = 'acme' AND sequence = 1",
    "DELETE FROM entries WHERE organization_id = ''",
    "INSERT INTO entries SELECT * FROM entries WHERE true \
     ON CONFLICT (organization_id, sequence) DO UPDATE SET identifier = 'changed'",
    "DELETE FROM logs",
    "DELETE FROM service_head",
];

const SQLITE: [&str; 15] = [
    "UPDATE OR REPLACE entries SET sequence = 0",
    "UPDATE OR IGNORE entries SET identifier = 'changed'",
    "INSERT OR REPLACE INTO entries SELECT * FROM entries",
    "REPLACE INTO entries SELECT organization_id, sequence, position + 100, randomblob(16), \
     occurred_at, recorded_at, type, action, outcome, user_id, user_name, user_email, \
     organization_name, workspace_id, workspace_name, 'changed', old_value, new_value, ip_address, \
     user_agent, request_id, question FROM entries",
    "REPLACE INTO entries SELECT organization_id, sequence + 100, position + 100, id, \
     occurred_at, recorded_at, type, action, outcome, user_id, user_name, user_email, \
     organization_name, workspace_id, workspace_name, 'changed', old_value, new_value, ip_address, \
     user_agent, request_id, question FROM entries",
    "UPDATE logs SET next_sequence = 0 WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = next_sequence - 1 WHERE organization_id = ''",
    "UPDATE logs SET organization_id = 'other' WHERE organization_id = 'acme'",
    "UPDATE logs SET deleted_at = NULL WHERE organization_id = 'gone'",
    "UPDATE logs SET next_sequence = 100 WHERE organization_id = 'gone'",
    "REPLACE INTO logs VALUES ('acme', 'acme Inc.', 'acme', 0, NULL)",
    "REPLACE INTO logs VALUES ('gone', 'gone Inc.', 'gone', 3, NULL)",
    "REPLACE INTO service_head VALUES (1, 0, 0, 65536, 0, randomblob(32))",
    "UPDATE service_head SET position = 0",
    "UPDATE service_head SET position = position - 1",
];

const POSTGRES: [&str; 15] = [
    "TRUNCATE entries",
    "TRUNCATE logs",
    "TRUNCATE service_head",
    "DROP TABLE entries",
    "ALTER TABLE entries RENAME TO other",
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "SELECT remove_entries_of('acme', 9)",
    "SELECT remove_entries_of('', 9)",
    "SELECT remove_entries_of('never', 9)",
    "UPDATE logs SET organization_id = 'other' WHERE organization_id = 'acme'",
    "UPDATE service_head SET id = 1",
    "INSERT INTO service_head VALUES (2, 0, 0, 65536, 0, sha256(''))",
    "UPDATE _sqlx_migrations SET version = 0",
    "CREATE OR REPLACE FUNCTION remove_entries_of(organization TEXT, most BIGINT) RETURNS BIGINT \
     LANGUAGE sql AS 'SELECT 0::bigint'",
    "SELECT * FROM entries FOR UPDATE",
];

async fn entries_are_permanent(subject: Subject) {
    let store = subject.open().await;
    let mut written = record(&store, entries(Some("acme"), 3)).await;
    written.extend(record(&store, entries(None, 3)).await);
    record(&store, entries(Some("gone"), 3)).await;
    let removal =
        Removal { organization: id("gone"), user: person("root"), context: Context::default() };
    written.push(store.remove_organization(removal).await.expect("a receipt").entry);
    let written = newest_first(written);

    let mut raw = subject.raw().await;
    let (attempts, refusals): (&[_], &[_]) = match &mut raw {
        Raw::Sqlite(_) => {
            (&SQLITE, &["permanent", "only advances", "keeps its row", "never reused"])
        }
        Raw::Postgres(_) => {
            raw.must("SET ROLE activity_logs_service").await;
            // A table of the caller's own must not pass for the one that holds tombstones.
            raw.must(
                "CREATE TEMPORARY TABLE logs AS SELECT 'acme' AS organization_id, 1 AS deleted_at",
            )
            .await;
            let refused = raw.execute("SELECT remove_entries_of('acme', 9)").await;
            assert!(matches!(&refused, Err(error) if is_privilege(error)), "{refused:?}");
            raw.must("DROP TABLE pg_temp.logs").await;
            (&POSTGRES, &["42501"])
        }
    };
    for attempt in EVERYWHERE.iter().chain(attempts) {
        let error = match raw.execute(attempt).await {
            Ok(rows) => panic!("{attempt}: done to {rows} rows"),
            Err(sqlx::Error::Database(error)) => error,
            Err(error) => panic!("{attempt}: {error}"),
        };
        let said = format!("{} {}", error.code().unwrap_or_default(), error.message());
        assert!(refusals.iter().any(|refusal| said.contains(refusal)), "{attempt}: {said}");
        assert_eq!(everything(&store).await, written, "{attempt}");
    }
    let next = record(&store, entries(Some("acme"), 1)).await;
    assert_eq!(next[0].sequence, 3);
    let late = store.record(entries(Some("gone"), 1)).await;
    assert!(matches!(late, Err(RecordError::OrganizationDeleted(..))), "{late:?}");
}

/// The role has no right to change entries, and the store works as that role: what the role
/// loses, the store loses, though the user it logs in as may do everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_works_as_the_role_that_can_change_nothing() {
    let subject = Subject::postgres(256).await;
    let store = subject.open().await;
    let written = record(&store, entries(Some("acme"), 2)).await;
    let mut raw = subject.raw().await;
    let held = raw
        .texts(
            "SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', \
             'REFERENCES', 'TRIGGER']) AS privilege \
             WHERE has_table_privilege('activity_logs_service', 'entries', privilege) \
             OR privilege IN ('UPDATE', 'REFERENCES') \
             AND has_any_column_privilege('activity_logs_service', 'entries', privilege)",
        )
        .await;
    assert_eq!(held, ["SELECT", "INSERT"]);

    raw.must("REVOKE SELECT ON entries FROM activity_logs_service").await;
    let found = store.recent(&id("acme"), &EVERYTHING, 2, 6).await;
    assert!(matches!(&found, Err(Error::Database(error)) if is_privilege(error)), "{found:?}");
    raw.must("GRANT SELECT ON entries TO activity_logs_service").await;

    raw.must("REVOKE INSERT ON entries FROM activity_logs_service").await;
    let answer = store.record(entries(Some("acme"), 1)).await;
    // One error answers all requests of a commit; only its words reach each of them.
    assert!(
        matches!(&answer, Err(RecordError::Store(Error::Database(error)))
            if error.to_string().contains("permission denied for table entries")),
        "{answer:?}"
    );
    raw.must("GRANT INSERT ON entries TO activity_logs_service").await;

    assert_eq!(everything(&store).await, newest_first(written));
    record(&store, entries(Some("acme"), 1)).await;
}

fn is_privilege(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some("42501")
}
