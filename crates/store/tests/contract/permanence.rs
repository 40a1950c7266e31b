//! The database itself keeps entries from being changed or removed.

use activity_logs_model::Context;
use activity_logs_store::testing::TestDatabase;
use activity_logs_store::{Error, RecordError, Removal, Store, check};
use sqlx::Connection as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnection;

use crate::support::{
    EVERYTHING, Raw, Subject, entries, everything, id, newest_first, patient, person, record,
};

contract!(entries_are_permanent, the_log_is_proven_to_be_protected);

const EVERYWHERE: [&str; 11] = [
    "UPDATE entries SET identifier = 'changed'",
    "UPDATE entries SET organization_id = 'umbrella' WHERE organization_id = 'acme'",
    "UPDATE entries SET sequence = sequence + 100 WHERE organization_id = ''",
    "DELETE FROM entries",
    "DELETE FROM entries WHERE organization_id = 'acme' AND sequence = 1",
    "DELETE FROM entries WHERE organization_id = ''",
    "INSERT INTO entries SELECT * FROM entries WHERE true \
     ON CONFLICT (organization_id, sequence) DO UPDATE SET identifier = 'changed'",
    "INSERT INTO entries SELECT * FROM entries WHERE true \
     ON CONFLICT (id, organization_id) DO UPDATE SET identifier = 'changed'",
    "DELETE FROM logs",
    "UPDATE logs SET deleted_at = NULL WHERE organization_id = 'gone'",
    "DELETE FROM service_head",
];

/// An entry of "acme" with other columns, in SQLite's order of columns.
macro_rules! forged {
    ($head:literal, $log:literal, $sequence:literal, $position:literal, $id:literal) => {
        concat!(
            $head,
            " SELECT ",
            $log,
            ", ",
            $sequence,
            ", ",
            $position,
            ", ",
            $id,
            ", occurred_at, recorded_at, type, action, outcome, user_id, user_name, user_email, 'x', \
             workspace_id, workspace_name, 'changed', old_value, new_value, ip_address, user_agent, \
             request_id, question FROM entries WHERE organization_id = 'acme'"
        )
    };
}

const SQLITE: [&str; 37] = [
    "UPDATE OR REPLACE entries SET sequence = 0",
    "UPDATE OR REPLACE entries SET rowid = 1",
    "UPDATE OR IGNORE entries SET identifier = 'changed'",
    "INSERT OR REPLACE INTO entries SELECT * FROM entries",
    forged!("REPLACE INTO entries", "'acme'", "sequence", "position + 100", "randomblob(16)"),
    forged!("REPLACE INTO entries", "'acme'", "sequence + 100", "position + 100", "id"),
    forged!("REPLACE INTO entries", "'zz'", "sequence", "position", "randomblob(16)"),
    // A hidden key is a key too.
    "REPLACE INTO entries (rowid, organization_id, sequence, position, id, occurred_at, recorded_at, \
     type, action, outcome, user_id, user_name, organization_name, identifier) \
     SELECT rowid, 'zz', sequence, position + 100, randomblob(16), occurred_at, recorded_at, \
     type, action, outcome, user_id, user_name, 'x', 'changed' FROM entries WHERE organization_id = 'acme'",
    "INSERT INTO entries (rowid, organization_id, sequence, position, id, occurred_at, recorded_at, \
     type, action, outcome, user_id, user_name, organization_name, identifier) \
     SELECT -1, 'zz', sequence, position + 100, randomblob(16), occurred_at, recorded_at, \
     type, action, outcome, user_id, user_name, 'x', 'changed' FROM entries WHERE sequence = 1 AND organization_id = 'acme'",
    forged!("INSERT INTO entries", "'gone'", "sequence", "position + 100", "randomblob(16)"),
    "UPDATE logs SET next_sequence = 0 WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = next_sequence - 1 WHERE organization_id = ''",
    "UPDATE logs SET organization_id = 'other' WHERE organization_id = 'acme'",
    "UPDATE OR REPLACE logs SET organization_id = 'acme' WHERE organization_id = ''",
    "UPDATE logs SET next_sequence = 100 WHERE organization_id = 'gone'",
    "REPLACE INTO logs VALUES ('acme', 'acme Inc.', 'acme', 0, NULL)",
    "REPLACE INTO logs VALUES ('gone', 'gone Inc.', 'gone', 3, NULL)",
    "INSERT INTO logs VALUES ('gone', 'gone Inc.', 'gone', 3, NULL) \
     ON CONFLICT DO UPDATE SET deleted_at = NULL",
    "REPLACE INTO service_head SELECT * FROM service_head",
    "REPLACE INTO service_head (rowid, id, position, secret) VALUES (1, 1, 0, randomblob(32))",
    "INSERT INTO service_head SELECT * FROM service_head WHERE true \
     ON CONFLICT DO UPDATE SET position = 0",
    "UPDATE service_head SET position = 0",
    "UPDATE service_head SET position = position - 1",
    "UPDATE service_head SET removals = removals - 1",
    "UPDATE service_head SET run_entries = run_entries - 1",
    "UPDATE service_head SET secret = randomblob(32)",
    "INSERT INTO removals VALUES ('acme', 0)",
    "UPDATE OR REPLACE run_lists SET run = 0",
    "REPLACE INTO run_lists SELECT organization_id, list, run, entries + 1, content FROM run_lists",
    "DELETE FROM run_lists",
    "REPLACE INTO runs SELECT run, entries - 1, bounds, logs, log_of_rank FROM runs",
    "UPDATE runs SET logs = bounds",
    "DELETE FROM runs",
    "REPLACE INTO run_keys SELECT run, chunk, x'00' FROM run_keys",
    "REPLACE INTO run_keys (rowid, run, chunk, keys) SELECT rowid, run, chunk + 100, keys FROM run_keys",
    "UPDATE OR REPLACE run_keys SET chunk = 0",
    "DELETE FROM run_keys",
];

const POSTGRES: [&str; 26] = [
    "TRUNCATE entries",
    "TRUNCATE logs",
    "TRUNCATE service_head",
    "DROP TABLE entries",
    "ALTER TABLE entries RENAME TO other",
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "SELECT remove_entries_of('acme', 9)",
    "SELECT remove_entries_of('', 9)",
    "SELECT remove_entries_of('never', 9)",
    "SELECT end_organization('gone', 1)",
    "SELECT end_organization('gone', NULL)",
    "SELECT end_organization('acme', NULL)",
    "SELECT end_organization('never', 1)",
    "UPDATE logs SET organization_id = 'other' WHERE organization_id = 'acme'",
    "UPDATE logs SET deleted_at = 1 WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = 0 WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = 9 WHERE organization_id = 'gone'",
    "INSERT INTO logs VALUES ('new', 'New', 'new', 0, 1)",
    "INSERT INTO removals VALUES ('acme', 0)",
    "UPDATE service_head SET position = 0",
    "UPDATE service_head SET removals = removals - 1",
    "UPDATE service_head SET run_entries = 1",
    "UPDATE service_head SET secret = sha256('')",
    "UPDATE _sqlx_migrations SET version = 0",
    "CREATE OR REPLACE FUNCTION remove_entries_of(organization TEXT, most BIGINT) RETURNS BOOLEAN \
     LANGUAGE sql AS 'SELECT true'",
    "SELECT * FROM entries FOR UPDATE",
];

/// What the owner of PostgreSQL's tables is held to as well.
const OWNER: [&str; 11] = [
    "TRUNCATE entries",
    "TRUNCATE logs",
    "TRUNCATE service_head",
    "UPDATE logs SET organization_id = 'other' WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = 0 WHERE organization_id = 'acme'",
    "UPDATE logs SET next_sequence = 9 WHERE organization_id = 'gone'",
    "UPDATE service_head SET position = 0",
    "UPDATE service_head SET removals = removals - 1",
    "UPDATE service_head SET run_entries = 1",
    "UPDATE service_head SET secret = sha256('')",
    "SELECT remove_entries_of('acme', 9)",
];

async fn entries_are_permanent(subject: Subject) {
    let store = subject.open().await;
    let mut written = record(&store, entries(Some("acme"), 3)).await;
    written.extend(record(&store, entries(None, 300)).await);
    record(&store, entries(Some("gone"), 3)).await;
    let removal =
        Removal { organization: id("gone"), user: person("root"), context: Context::default() };
    written.push(store.remove_organization(removal).await.expect("a receipt").entry);
    let written = newest_first(written);

    let mut raw = subject.raw().await;
    raw.until("SELECT CAST(COUNT(*) AS TEXT) FROM removals", "0").await;
    match &mut raw {
        Raw::Sqlite(_) => {
            let refusals = ["permanent", "only advances", "keeps its row", "has ended", "sealed"];
            let attempts: Vec<_> = EVERYWHERE.iter().chain(&SQLITE).collect();
            are_refused(&mut raw, &attempts, &refusals).await;
        }
        Raw::Postgres(_) => {
            let attempts: Vec<_> = EVERYWHERE.iter().chain(&OWNER).collect();
            are_refused(&mut raw, &attempts, &["42501"]).await;
            // A table of the caller's own must not pass for the one that holds tombstones.
            raw.must(
                "CREATE TEMPORARY TABLE logs AS SELECT 'acme' AS organization_id, 1 AS deleted_at",
            )
            .await;
            raw.must("CREATE TEMPORARY TABLE removals AS SELECT 'acme' AS organization_id, 1 AS next_run").await;
            are_refused(
                &mut raw,
                &[&"DELETE FROM entries WHERE organization_id = 'acme'"],
                &["42501"],
            )
            .await;
            raw.must("GRANT SELECT ON logs, removals TO PUBLIC").await;
            raw.work_as_service().await;
            are_refused(&mut raw, &[&"SELECT remove_entries_of('acme', 9)"], &["42501"]).await;
            raw.must("RESET ROLE").await;
            raw.must("DROP TABLE pg_temp.logs, pg_temp.removals").await;
            raw.work_as_service().await;
            let attempts: Vec<_> = EVERYWHERE.iter().chain(&POSTGRES).collect();
            are_refused(&mut raw, &attempts, &["42501"]).await;
        }
    }
    assert_eq!(everything(&store).await, written);
    assert_eq!(subject.differences().await, [""; 0]);
    let next = record(&store, entries(Some("acme"), 1)).await;
    assert_eq!(next[0].sequence, 3);
    let late = store.record(entries(Some("gone"), 1)).await;
    assert!(matches!(late, Err(RecordError::OrganizationDeleted(..))), "{late:?}");
}

async fn are_refused(raw: &mut Raw, attempts: &[&&str], refusals: &[&str]) {
    for attempt in attempts {
        let error = match raw.execute(attempt).await {
            Ok(rows) => panic!("{attempt}: done to {rows} rows"),
            Err(sqlx::Error::Database(error)) => error,
            Err(error) => panic!("{attempt}: {error}"),
        };
        let said = format!("{} {}", error.code().unwrap_or_default(), error.message());
        assert!(refusals.iter().any(|refusal| said.contains(refusal)), "{attempt}: {said}");
    }
}

/// The role can end an organization, which leaves a tombstone for good, and nothing else: no entry
/// comes back, altered or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_can_not_rewrite_a_log() {
    let subject = Subject::postgres(256).await;
    let store = subject.open().await;
    record(&store, entries(Some("acme"), 300)).await;
    store.close().await;
    let mut raw = subject.raw().await;
    raw.work_as_service().await;
    raw.must("BEGIN").await;
    raw.must("CREATE TEMPORARY TABLE copy AS SELECT * FROM entries").await;
    for refused in [
        "UPDATE logs SET deleted_at = 1 WHERE organization_id = 'acme'",
        "SELECT remove_entries_of('acme', 1000)",
    ] {
        raw.must("SAVEPOINT before").await;
        are_refused(&mut raw, &[&refused], &["42501"]).await;
        raw.must("ROLLBACK TO before").await;
    }
    raw.must("SELECT end_organization('acme', 1)").await;
    raw.must("SELECT remove_entries_of('acme', 1000)").await;
    assert_eq!(raw.texts("SELECT CAST(COUNT(*) AS TEXT) FROM entries").await, ["0"]);
    raw.must("SAVEPOINT removed").await;
    let back = [
        "UPDATE logs SET deleted_at = NULL WHERE organization_id = 'acme'",
        "UPDATE logs SET organization_name = 'acme Inc.' WHERE organization_id = 'acme'",
        "DELETE FROM logs WHERE organization_id = 'acme'",
        "SELECT end_organization('acme', NULL)",
    ];
    for refused in back {
        are_refused(&mut raw, &[&refused], &["42501"]).await;
        raw.must("ROLLBACK TO removed").await;
    }
    raw.must("UPDATE copy SET identifier = 'harmless'").await;
    raw.must("INSERT INTO entries SELECT * FROM copy").await;
    raw.must("COMMIT").await;
    let told = subject.differences().await;
    assert!(told.iter().any(|told| told.contains("acme")), "{told:?}");
}

/// One role a database: who works for one log does nothing to another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_one_log_opens_no_other() {
    let (one, other) = (Subject::postgres(256).await, Subject::postgres(256).await);
    let (store, neighbor) = (one.open().await, other.open().await);
    record(&store, entries(Some("acme"), 1)).await;
    record(&neighbor, entries(Some("acme"), 1)).await;
    let role = one.raw().await.texts("SELECT service_role()").await.remove(0);
    let mut raw = other.raw().await;
    raw.must(&format!("SET ROLE {role}")).await;
    let attempts = [
        &"SELECT * FROM entries",
        &"INSERT INTO removals VALUES ('acme', 0)",
        &"SELECT end_organization('acme', 1)",
    ];
    are_refused(&mut raw, &attempts, &["42501"]).await;
    raw.must("RESET ROLE").await;
    let takes = "SELECT CAST(octet_length(service_role()) AS TEXT)";
    assert!(raw.texts(takes).await[0].parse::<u32>().expect("a number") <= 63);
}

/// A store that could change entries does not start, and one that can by now is not ready.
async fn the_log_is_proven_to_be_protected(subject: Subject) {
    let store = subject.open().await;
    record(&store, entries(Some("acme"), 1)).await;
    let mut raw = subject.raw().await;
    let changes: Vec<(String, String, &str)> = match &mut raw {
        Raw::Sqlite(_) => {
            let mut changes = Vec::new();
            for trigger in ["entries_never_change", "entries_never_go", "entries_are_not_replaced"]
            {
                let text = format!("SELECT sql FROM sqlite_schema WHERE name = '{trigger}'");
                let text = raw.texts(&text).await.remove(0);
                changes.push((format!("DROP TRIGGER {trigger}"), text, trigger));
            }
            changes
        }
        Raw::Postgres(_) => {
            let role = raw.texts("SELECT quote_ident(service_role())").await.remove(0);
            let on_role = |change: &str| change.replace("@", &role);
            [
                (
                    "GRANT UPDATE ON entries TO @",
                    "REVOKE UPDATE ON entries FROM @",
                    "may UPDATE entries",
                ),
                (
                    "GRANT UPDATE (identifier) ON entries TO @",
                    "REVOKE UPDATE (identifier) ON entries FROM @",
                    "may UPDATE entries",
                ),
                (
                    "GRANT DELETE ON entries TO PUBLIC",
                    "REVOKE DELETE ON entries FROM PUBLIC",
                    "may DELETE entries",
                ),
                (
                    "GRANT TRUNCATE ON entries TO @",
                    "REVOKE TRUNCATE ON entries FROM @",
                    "may TRUNCATE entries",
                ),
                (
                    "GRANT UPDATE (deleted_at) ON logs TO @",
                    "REVOKE UPDATE (deleted_at) ON logs FROM @",
                    "may UPDATE tombstones",
                ),
                ("ALTER USER @ SUPERUSER", "ALTER USER @ NOSUPERUSER", "superuser"),
                ("ALTER USER @ CREATEROLE", "ALTER USER @ NOCREATEROLE", "member of other roles"),
                ("GRANT postgres TO @", "REVOKE postgres FROM @", "belongs to the owner"),
            ]
            .into_iter()
            .map(|(change, back, says)| (on_role(change), on_role(back), says))
            .collect()
        }
    };
    for (change, back, says) in changes {
        raw.must(&change).await;
        let unready = store.ready().await.expect_err(&change).to_string();
        let Err(refused) = Store::open(subject.url(), patient()).await else {
            panic!("{change}: it starts")
        };
        for error in [unready, refused.to_string()] {
            assert!(error.contains(says), "{change}: {error}");
        }
        raw.must(&back).await;
        store.ready().await.expect("ready again");
    }
}

/// An administrator may make the role beforehand; then the owner needs no right to make roles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_makes_no_roles_uses_the_one_that_is_there() {
    let database = TestDatabase::postgres().await;
    let (rest, name) = database.url().rsplit_once('/').expect("a URL with a database");
    let (_, server) = rest.rsplit_once('@').expect("a URL with a user");
    let owner = format!("owner_of_{name}");
    let url = format!("postgres://{owner}@{server}/{name}");
    let mut raw = Raw::Postgres(PgConnection::connect(database.url()).await.expect("an answer"));
    raw.must(&format!("CREATE ROLE {owner} LOGIN")).await;
    raw.must(&format!("ALTER DATABASE {name} OWNER TO {owner}")).await;

    let Err(error) = Store::open(&url, patient()).await else { panic!("nobody made the role") };
    let role = format!("activity_logs_{name}");
    let advice = format!("CREATE ROLE {role} NOLOGIN; GRANT {role} TO {owner};");
    assert!(error.to_string().contains(&advice), "{error}");
    raw.must(&advice).await;
    let store = Store::open(&url, patient()).await.expect("it starts");
    record(&store, entries(Some("acme"), 2)).await;
    store.ready().await.expect("ready");
    assert_eq!(check(&url).await.expect("a check").differences, [""; 0]);
    store.close().await;

    // The same for a user who is a member of the role and owns nothing.
    let user = format!("user_of_{name}");
    raw.must(&format!("CREATE ROLE {user} LOGIN IN ROLE {role}")).await;
    let store = Store::open(&url.replace(&owner, &user), patient()).await.expect("it starts");
    record(&store, entries(Some("acme"), 2)).await;
    store.close().await;
    raw.must(&format!("REASSIGN OWNED BY {owner} TO postgres")).await;
    raw.must(&format!("DROP ROLE {user}")).await;
    raw.must(&format!("ALTER DATABASE {name} OWNER TO postgres")).await;
    raw.must(&format!("DROP ROLE {owner}")).await;
}

/// The role has no right to change entries, and the store works as that role: what the role
/// loses, the store loses, though the user it logs in as may do everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_works_as_the_role_that_can_change_nothing() {
    let subject = Subject::postgres(256).await;
    let store = subject.open().await;
    let written = record(&store, entries(Some("acme"), 2)).await;
    let mut raw = subject.raw().await;
    let role = raw.texts("SELECT quote_ident(service_role())").await.remove(0);
    let held = raw
        .texts(
            "SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', \
             'REFERENCES', 'TRIGGER']) AS privilege \
             WHERE has_table_privilege(service_role(), 'entries', privilege) \
             OR privilege IN ('UPDATE', 'REFERENCES') \
             AND has_any_column_privilege(service_role(), 'entries', privilege)",
        )
        .await;
    assert_eq!(held, ["SELECT", "INSERT"]);

    raw.must(&format!("REVOKE SELECT ON entries FROM {role}")).await;
    let found = store.recent(&id("acme"), &EVERYTHING, 2, 6).await;
    assert!(matches!(&found, Err(Error::Database(error)) if is_privilege(error)), "{found:?}");
    raw.must(&format!("GRANT SELECT ON entries TO {role}")).await;

    raw.must(&format!("REVOKE INSERT ON entries FROM {role}")).await;
    let answer = store.record(entries(Some("acme"), 1)).await;
    // One error answers all requests of a commit; only its words reach each of them.
    assert!(
        matches!(&answer, Err(RecordError::Store(Error::Database(error)))
            if error.to_string().contains("permission denied for table entries")),
        "{answer:?}"
    );
    raw.must(&format!("GRANT INSERT ON entries TO {role}")).await;

    assert_eq!(everything(&store).await, newest_first(written));
    record(&store, entries(Some("acme"), 1)).await;
}

fn is_privilege(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some("42501")
}
