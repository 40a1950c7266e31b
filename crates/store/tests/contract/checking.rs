//! What a check tells, and whom it holds up.

use std::time::Duration;

use activity_logs_store::testing::TestDatabase;
use activity_logs_store::{Error, Store, backup, check};

use crate::counting::mixed;
use crate::support::{Raw, Subject, entries, everything, patient, record};

contract!(
    a_check_tells_what_does_not_agree,
    a_check_tells_a_changed_schema,
    a_check_holds_nobody_up,
    a_check_leaves_a_removal_as_it_is,
);

/// What the database's owner can do to what is recorded and how it is found.
const DAMAGE: [&str; 19] = [
    "UPDATE run_lists SET entries = entries + 1 WHERE organization_id = '!' AND list = 'o*' AND run = 1",
    "UPDATE run_lists SET content = (SELECT content FROM run_lists WHERE organization_id = '!' AND list = 'otWorkspace' AND run = 1) \
     WHERE organization_id = '!' AND list = 'otUsers' AND run = 1",
    "DELETE FROM run_lists WHERE organization_id = '!' AND list = 'ouada' AND run = 0",
    "INSERT INTO run_lists SELECT organization_id, 'otOther', run, entries, content FROM run_lists \
     WHERE organization_id = '!' AND list = 'otUsers' AND run = 1",
    "DELETE FROM run_keys WHERE run = 1 AND chunk = 3",
    "UPDATE runs SET entries = entries - 1 WHERE run = 1",
    "UPDATE runs SET logs = bounds WHERE run = 0",
    "UPDATE run_keys SET run = 99 WHERE run = 1",
    "UPDATE entries SET outcome = 'failure' WHERE position = 7",
    "UPDATE entries SET occurred_at = occurred_at + 1 WHERE position = 8",
    "UPDATE entries SET position = 100000 WHERE position = 599",
    "UPDATE entries SET organization_id = '', organization_name = NULL, workspace_id = NULL, workspace_name = NULL, sequence = 1000 WHERE position = 597",
    "DELETE FROM entries WHERE position = 596",
    "UPDATE logs SET next_sequence = next_sequence + 1 WHERE organization_id = 'acme'",
    "UPDATE logs SET deleted_at = 1 WHERE organization_id = 'umbrella'",
    "INSERT INTO removals VALUES ('acme', 99)",
    "DELETE FROM logs WHERE organization_id = ''",
    "UPDATE service_head SET position = position + 600",
    "DELETE FROM runs WHERE run = 0",
];

async fn a_check_tells_what_does_not_agree(subject: Subject) {
    let store = subject.open().await;
    record(&store, mixed(600)).await;
    let found = check(subject.url()).await.expect("a check");
    assert_eq!((found.entries, found.differences.len()), (600, 0));
    assert!(found.runs > 0, "something was compared");
    store.close().await;
    let mut raw = subject.raw().await;
    raw.drop_triggers().await;
    for statement in DAMAGE {
        let before = subject.differences().await;
        assert!(raw.must(statement).await > 0, "{statement}: done to nothing");
        let after = subject.differences().await;
        let is_new = |difference: &&String| !before.contains(difference);
        assert!(
            after.iter().any(|difference| is_new(&difference)),
            "{statement}: not told beyond {before:?}"
        );
    }
}

/// What protects the log, and what is there to find entries by.
async fn a_check_tells_a_changed_schema(subject: Subject) {
    let store = subject.open().await;
    record(&store, mixed(300)).await;
    store.close().await;
    let mut raw = subject.raw().await;
    let changes: &[(&str, &str)] = match &raw {
        Raw::Sqlite(_) => &[
            ("DROP TRIGGER entries_never_change", "entries_never_change is missing"),
            (
                "CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries WHEN 0 BEGIN SELECT 1; END",
                "entries_never_change is not that of the schema",
            ),
            ("DROP INDEX entries_by_position", "entries_by_position is missing"),
            (
                "CREATE INDEX entries_by_position ON entries (position)",
                "entries_by_position is not that of the schema",
            ),
            (
                "CREATE TRIGGER watching AFTER INSERT ON entries BEGIN DELETE FROM removals; END",
                "watching is not of the schema",
            ),
            ("CREATE VIEW other AS SELECT 1", "other is not of the schema"),
            (
                "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger'",
                "logs_never_go is missing",
            ),
        ],
        Raw::Postgres(_) => &[
            (
                "ALTER TABLE logs DISABLE TRIGGER logs_only_advance",
                "not in the database: trigger CREATE TRIGGER logs_only",
            ),
            (
                "DROP TRIGGER entries_never_change ON entries",
                "not in the database: trigger CREATE TRIGGER entries_never_ch",
            ),
            ("DROP INDEX entries_by_position", "entries_by_position"),
            (
                "CREATE INDEX entries_by_position ON entries (position)",
                "not of the schema: index CREATE INDEX entries_by_pos",
            ),
            (
                "ALTER TABLE entries DROP CONSTRAINT entries_check",
                "constraint entries_check on entries",
            ),
            (
                "ALTER TABLE entries ADD COLUMN note TEXT",
                "not of the schema: column entries.note text",
            ),
            (
                "GRANT UPDATE ON entries TO PUBLIC",
                "not of the schema: right to UPDATE entries for everybody",
            ),
            (
                "CREATE OR REPLACE FUNCTION refuse_removal() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
                "function refuse_removal()",
            ),
            (
                "CREATE FUNCTION other() RETURNS INT LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
                "not of the schema: function other()",
            ),
            (
                "CREATE RULE quiet AS ON UPDATE TO logs DO INSTEAD NOTHING",
                "not of the schema: rule quiet on logs",
            ),
            (
                "ALTER TABLE entries ENABLE ROW LEVEL SECURITY",
                "not of the schema: policies on entries",
            ),
            (
                "DO $$ BEGIN EXECUTE format('GRANT UPDATE (deleted_at) ON logs TO %I', service_role()); END $$",
                "not of the schema: right to UPDATE logs.deleted_at for the service",
            ),
            (
                "DO $$ BEGIN EXECUTE format('REVOKE INSERT ON runs FROM %I', service_role()); END $$",
                "not in the database: right to INSERT runs for the service",
            ),
        ],
    };
    assert_eq!(subject.differences().await, [""; 0]);
    for (change, told) in changes {
        raw.must(change).await;
        let differences = subject.differences().await;
        assert!(differences.iter().any(|line| line.contains(told)), "{change}: {differences:?}");
    }
}

async fn a_check_holds_nobody_up(subject: Subject) {
    let store = subject.open().await;
    // The index of one run is enough to be slow.
    let mut there = 0;
    while check(subject.url()).await.expect("a check").runs == 0 {
        there += record(&store, mixed(20)).await.len() as u64;
    }
    let mut raw = subject.raw().await;
    raw.delay_readings("run_lists").await;
    let url = subject.url().to_owned();
    let checking = tokio::spawn(async move { check(&url).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..5 {
        let recorded =
            tokio::time::timeout(Duration::from_secs(20), store.record(entries(None, 1)));
        recorded.await.expect("recorded in time").expect("recorded");
    }
    assert!(!checking.is_finished(), "nothing was recorded beside the check");
    raw.delay_no_readings("run_lists").await;
    let found = checking.await.expect("it ends").expect("a check");
    assert!((there..=there + 5).contains(&found.entries), "{}", found.entries);
    assert_eq!(subject.differences().await, [""; 0]);
    assert_eq!(check(subject.url()).await.expect("a check").entries, there + 5);
}

async fn a_check_leaves_a_removal_as_it_is(subject: Subject) {
    let store = subject.open().await;
    record(&store, mixed(900)).await;
    store.close().await;
    let mut raw = subject.raw().await;
    match &raw {
        Raw::Sqlite(_) => {
            raw.must("UPDATE logs SET deleted_at = 1, organization_name = '', search_key = '' WHERE organization_id = 'acme'").await;
            raw.must("INSERT INTO removals VALUES ('acme', 0)").await;
        }
        Raw::Postgres(_) => {
            raw.must("SELECT end_organization('acme', 1)").await;
        }
    }
    raw.must("UPDATE service_head SET removals = removals + 1").await;
    for _ in 0..2 {
        let found = check(subject.url()).await.expect("a check");
        assert_eq!((found.entries, found.differences), (900, Vec::new()));
    }
    // The next process removes it; each state in between agrees.
    let store = subject.open().await;
    record(&store, entries(None, 1)).await;
    let states =
        "SELECT COALESCE(MAX(next_run), -1) || ' ' || (SELECT COUNT(*) FROM entries) FROM removals";
    let mut seen = Vec::new();
    while raw.texts(states).await != ["-1 451"] {
        let differences = subject.differences().await;
        assert_eq!(differences, [""; 0], "after {seen:?}");
        seen.push(raw.texts(states).await);
        assert!(seen.len() < 2_000, "the removal does not end: {seen:?}");
    }
    assert_eq!(subject.differences().await, [""; 0]);
    assert_eq!(everything(&store).await.len(), 451);
}

/// What is not a log is told, and nothing is made or lost by looking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_no_log_fails_and_makes_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let url = |name: &str| format!("sqlite:{}", path(name).display());
    let store = Store::open(&url("log.db"), patient()).await.expect("it opens");
    record(&store, entries(Some("acme"), 5)).await;

    // As somebody copies the file of a running service.
    std::fs::copy(path("log.db"), path("copied.db")).expect("copied");
    std::fs::write(path("empty.db"), "").expect("written");
    std::fs::write(path("text.db"), "no database at all, but long enough to be one".repeat(20))
        .expect("written");
    std::fs::write(path("lost.db"), "").expect("written");
    std::fs::copy(path("log.db-wal"), path("lost.db-wal")).expect("copied");
    let lost = std::fs::read(path("lost.db-wal")).expect("there");
    assert!(!lost.is_empty());
    let files = || {
        let files = folder.path().read_dir().expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("a file").file_name()).collect();
        files.sort();
        files
    };
    let before = files();
    for name in ["missing.db", "copied.db", "empty.db", "text.db", "lost.db"] {
        let checked = check(&url(name)).await;
        assert!(matches!(checked, Err(Error::NoLog(_))), "{name}: {checked:?}");
        let copied = backup(&url(name), &path("backup.db")).await;
        assert!(matches!(copied, Err(Error::NoLog(_))), "{name}: {copied:?}");
        assert_eq!(files(), before, "{name}");
    }
    let opened = Store::open(&url("lost.db"), patient()).await;
    assert!(matches!(opened, Err(Error::NoLog(_))), "its entries would be lost");
    assert_eq!(std::fs::read(path("lost.db-wal")).expect("still there"), lost);
    store.close().await;

    let postgres = TestDatabase::postgres().await;
    let checked = check(postgres.url()).await;
    assert!(matches!(checked, Err(Error::NoLog(_))), "{checked:?}");
}

/// A copy is complete, whatever is recorded meanwhile, and for its user alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_log_in_use_is_whole() {
    let subject = Subject::sqlite(256).await;
    let store = subject.open().await;
    record(&store, mixed(600)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("copy.db");
    let recording = {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                record(&store, entries(Some("acme"), 3)).await;
            }
        })
    };
    backup(subject.url(), &target).await.expect("a copy");
    recording.abort();
    let url = format!("sqlite:{}", target.display());
    let found = check(&url).await.expect("a check");
    assert!(found.entries >= 600 && found.entries % 3 == 0, "{}", found.entries);
    assert_eq!(found.differences, [""; 0]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(target.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 1, "nothing beside it");

    let before = std::fs::read(&target).expect("a copy");
    let again = backup(subject.url(), &target).await;
    assert!(matches!(again, Err(Error::File { .. })), "{again:?}");
    assert_eq!(std::fs::read(&target).expect("a copy"), before, "it is not overwritten");
    let restored = Store::open(&url, patient()).await.expect("it opens");
    assert_eq!(everything(&restored).await.len() as u64, found.entries);
    record(&restored, entries(Some("acme"), 1)).await;
}
