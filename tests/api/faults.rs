//! Faults as callers meet them: a busy queue, a database that is away, and a stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use activity_logs_store::Options;
use activity_logs_store::testing::TestDatabase;
use activity_logs_tests::{
    Answer, Kind, TestService, admin, entry, member, on_both_databases, secret,
};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _};

on_both_databases! {
    a_full_queue_answers_503_and_loses_nothing
    eight_readings_of_one_caller_are_under_way_at_once
    a_reading_that_cannot_be_recorded_fails
    a_reading_that_takes_too_long_says_how_to_narrow_it
    stopping_finishes_what_was_accepted
}

/// Holds the lock that every commit needs, until it is dropped.
struct Lock {
    _connection: LockConnection,
}

#[expect(dead_code, reason = "held, not used")]
enum LockConnection {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

async fn lock(kind: Kind, database: &TestDatabase) -> Lock {
    let connection = match kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(database.url()).await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            LockConnection::Sqlite(connection)
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
            connection.execute("BEGIN").await.unwrap();
            connection.execute("SELECT position FROM service_head FOR UPDATE").await.unwrap();
            LockConnection::Postgres(connection)
        }
    };
    Lock { _connection: connection }
}

async fn a_reading_that_takes_too_long_says_how_to_narrow_it(kind: Kind) {
    let database = kind.database().await;
    database.set_run_entries(64).await;
    let options = Options { reading_time: Duration::ZERO, ..Options::default() };
    let service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    let many: Vec<_> = (0..400).map(|number| entry("acme", &format!("{number}"))).collect();
    service.record(json!(many)).await;
    // An answer that is there at once is in time even then.
    let mut slow = 0;
    for _ in 0..40 {
        let answer = service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
        if answer.status == 200 {
            assert!(answer.body["total"].as_u64() >= Some(400), "{}", answer.body);
            continue;
        }
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "reading_too_slow"));
        assert!(answer.body["detail"].as_str().unwrap().contains("`from`"), "{}", answer.body);
        assert_eq!(answer.header("retry-after"), "", "it would only be slow again");
        slow += 1;
    }
    assert!(slow > 0, "on a busy machine most answers are there at once, but not all");
}

async fn eight_readings_of_one_caller_are_under_way_at_once(kind: Kind) {
    let database = kind.database().await;
    let options = Options {
        wait: Duration::from_secs(60),
        reading_time: Duration::from_secs(1),
        ..Options::default()
    };
    let service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    service.record(json!([entry("acme", "first")])).await;
    let path = "/api/v1/organizations/acme/activity-logs/recent";
    let (greedy, other) = (member("greedy", "acme"), member("other", "acme"));
    // A reading is under way until its entry is committed.
    let held = lock(kind, &database).await;
    let all = (0..12).map(|_| service.get(path, &greedy));
    let release = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        // Others have turns of their own: this one waits for the commit, like the first eight.
        let others = tokio::time::timeout(Duration::from_secs(2), service.get(path, &other)).await;
        assert!(others.is_err(), "{others:?}");
        drop(held);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(all), release);
    let (read, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!((read.len(), refused.len()), (8, 4));
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.problem()), (429, "too_many_requests"));
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(service.get(path, &greedy).await.status, 200, "as soon as they are done");
}

async fn a_full_queue_answers_503_and_loses_nothing(kind: Kind) {
    let database = kind.database().await;
    let options =
        Options { queue_bytes: 8 * 1024, wait: Duration::from_secs(30), ..Options::default() };
    let service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    service.record(json!([entry("acme", "first")])).await;
    let held = lock(kind, &database).await;
    let sending: Vec<_> =
        (0..40).map(|i| service.record(json!([entry("acme", &format!("{i}"))]))).collect();
    let release = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        drop(held);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(sending), release);
    let (taken, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert!(
        !taken.is_empty() && !refused.is_empty(),
        "{} taken, {} refused",
        taken.len(),
        refused.len()
    );
    for answer in &refused {
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "queue_full"));
        assert_eq!(answer.header("retry-after"), "1");
    }
    let log = service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    assert_eq!(log.body["total"], taken.len() + 1, "what was acknowledged, and nothing else");
}

async fn a_reading_that_cannot_be_recorded_fails(kind: Kind) {
    let database = kind.database().await;
    // A queue that one entry fills, and a commit that waits.
    let options = Options { queue_bytes: 600, wait: Duration::from_secs(30), ..Options::default() };
    let service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    service.record(json!([entry("acme", "first")])).await;
    let held = lock(kind, &database).await;
    let path = "/api/v1/organizations/acme/activity-logs";
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = service.get(path, &admin()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "reading_not_recorded"));
        assert!(!answer.body.to_string().contains("first"));
        drop(held);
    };
    let (waiting, ()) = tokio::join!(service.record(json!([entry("acme", "second")])), release);
    assert_eq!(waiting.status, 201);
    assert_eq!(service.get(path, &admin()).await.status, 200);
}

async fn stopping_finishes_what_was_accepted(kind: Kind) {
    let database = kind.database().await;
    let options = Options { wait: Duration::from_secs(30), ..Options::default() };
    let mut service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    service.record(json!([entry("acme", "first")])).await;
    let held = lock(kind, &database).await;
    let request = service
        .request(Method::POST, "/api/v1/activity-logs", Some(&activity_logs_tests::recorder()))
        .json(&json!({"entries": [entry("acme", "second")]}));
    let sending = tokio::spawn(Answer::of(request));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(held);
    };
    tokio::join!(service.stop(), release);
    assert_eq!(sending.await.unwrap().status, 201, "a request under way is answered");
    let again = TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    let log = again.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    assert_eq!(log.body["total"], 2);
}

/// A way to a database that can be cut.
struct Proxy {
    address: std::net::SocketAddr,
    open: tokio::sync::watch::Sender<bool>,
}

async fn proxy(to: String) -> Proxy {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (open, state) = tokio::sync::watch::channel(true);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, mut state) = (to.clone(), state.clone());
            tokio::spawn(async move {
                if !*state.borrow() {
                    return;
                }
                let Ok(mut far) = tokio::net::TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = state.wait_for(|open| !open) => {}
                }
            });
        }
    });
    Proxy { address, open }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_answers_503_and_comes_back_by_itself() {
    let database = TestDatabase::postgres().await;
    let (scheme_and_user, rest) = database.url().split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let proxy = proxy(server.to_owned()).await;
    let url = format!("{scheme_and_user}@{}/{name}", proxy.address);
    let options = Options { wait: Duration::from_millis(700), ..Options::default() };
    let service = TestService::start_on(&url, secret(), options).await.unwrap();
    let path = "/api/v1/organizations/acme/activity-logs";
    assert_eq!(service.record(json!([entry("acme", "before")])).await.status, 201);

    proxy.open.send(false).unwrap();
    for answer in
        [service.record(json!([entry("acme", "lost")])).await, service.get(path, &admin()).await]
    {
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "database_unavailable"));
        assert_eq!(answer.header("retry-after"), "5");
        assert!(!answer.body.to_string().contains("127.0.0.1"), "causes stay inside: {answer:?}");
    }
    let ready = Answer::of(service.request(Method::GET, "/readyz", None)).await;
    assert_eq!(ready.status, 503);
    let live = Answer::of(service.request(Method::GET, "/livez", None)).await;
    assert_eq!(live.status, 200, "the process lives, whatever its database does");

    proxy.open.send(true).unwrap();
    let after = service.record(json!([entry("acme", "after")])).await;
    assert_eq!(after.status, 201, "{after:?}");
    let log = service.get(path, &admin()).await;
    assert_eq!(log.body["total"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_answers_503_until_there_is_space() {
    let database = TestDatabase::sqlite();
    let pages = Arc::new(AtomicU32::new(80));
    let options = Options { most_pages: pages.clone(), ..Options::default() };
    let service = TestService::start_on(database.url(), secret(), options).await.unwrap();
    let mut large = entry("acme", "large");
    large["old_value"] = "x".repeat(20_000).into();
    let mut recorded = 0;
    let full = loop {
        let answer = service.record(json!([large])).await;
        if answer.status != 201 {
            break answer;
        }
        recorded += 1;
        assert!(recorded < 80, "the disk has a bound");
    };
    for answer in [full, service.record(json!([large])).await] {
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "database_unavailable"));
        assert!(!answer.header("retry-after").is_empty());
    }
    let ready = async || Answer::of(service.request(Method::GET, "/readyz", None)).await.status;
    assert_eq!(ready().await, 503);
    pages.store(10_000, Ordering::Relaxed);
    assert_eq!(ready().await, 200);
    assert_eq!(service.record(json!([large])).await.status, 201);
    let log = service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    assert_eq!(log.body["total"], recorded + 1);
}
