//! What one caller may take of the service's time and memory.

use std::io::Write as _;
use std::time::{Duration, Instant};

use activity_logs::serve::Limits;
use activity_logs_store::Options;
use activity_logs_tests::raw::Raw;
use activity_logs_tests::{Answer, Kind, TestService, entry, recorder, secret, settings};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

const PATH: &str = "/api/v1/activity-logs";
/// The largest file there is without a token.
const BUNDLE: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n";

/// A service whose limits are those of the tests: the rest is generous.
async fn start(limits: Limits) -> TestService {
    let database = Kind::Sqlite.database().await;
    let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
    settings.limits = limits;
    TestService::start_with(settings).await.unwrap().keeping(database)
}

fn post(length: usize) -> String {
    let token = recorder();
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// One entry, in a body of at least this size.
fn body(identifier: &str, size: usize) -> Vec<u8> {
    let mut body = json!({"entries": [entry("acme", identifier)]}).to_string().into_bytes();
    body.resize(body.len().max(size), b' ');
    body
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(service: &TestService, encoding: &str, body: Vec<u8>) -> Answer {
    let request = service.request(Method::POST, PATH, Some(&recorder()));
    let request = request.header("content-type", "application/json");
    Answer::of(request.header("content-encoding", encoding).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_cut() {
    let limits = Limits { answer: Duration::from_millis(500), ..Limits::default() };
    let service = start(limits).await;
    let mut size = Raw::connect(service.address()).await;
    size.send(BUNDLE).await.unwrap();
    let size = size.answer(false).await.body.len();

    let mut idle = Raw::connect(service.address()).await;
    idle.send(BUNDLE.repeat(16)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    let came = idle.rest().await;
    assert!(came < size * 16, "all of it, {came} bytes, was kept for who took none of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_taken_slowly_arrives() {
    let limits = Limits { answer: Duration::from_secs(1), ..Limits::default() };
    let service = start(limits).await;
    let mut slow = Raw::connect(service.address()).await;
    slow.send(BUNDLE.repeat(8)).await.unwrap();
    let mut sizes = Vec::new();
    for _ in 0..8 {
        sleep(Duration::from_millis(400)).await;
        sizes.push(slow.answer(false).await.body.len());
    }
    assert!(sizes[0] > 1_000_000 && sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_time_that_grows_with_what_arrives() {
    let limits = Limits { body: Duration::from_millis(700), ..Limits::default() };
    let service = start(limits).await;
    let mut still = Raw::connect(service.address()).await;
    let begun = Instant::now();
    still.send(post(1000)).await.unwrap();
    still.send("{\"entries\"").await.unwrap();
    let answer = still.answer(false).await;
    assert_eq!((answer.status(), answer.problem().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), "close");
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    still.rest().await;

    let mut steady = Raw::connect(service.address()).await;
    let body = body("steady", 256 * 1024);
    steady.send(post(body.len())).await.unwrap();
    for piece in body.chunks(32 * 1024) {
        steady.send(piece).await.unwrap();
        sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(steady.answer(false).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_between_requests_becomes_one_in_time() {
    let limits = Limits { head: Duration::from_millis(500), ..Limits::default() };
    let service = start(limits).await;
    let livez = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";

    // The first head of a connection, then one after it, then a body that nobody reads.
    let chunked = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (begin, drop) in [("G", "E"), (livez, "G"), (chunked.as_str(), "1\r\na\r\n")] {
        let mut slow = Raw::connect(service.address()).await;
        slow.send(begin).await.unwrap();
        let begun = Instant::now();
        while slow.send(drop).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
            assert!(begun.elapsed() < Duration::from_secs(10), "{begin:?} is never cut");
        }
    }

    // Who sends whole requests is never cut, however many on one connection.
    let mut busy = Raw::connect(service.address()).await;
    for _ in 0..15 {
        busy.send(livez).await.unwrap();
        assert_eq!(busy.answer(false).await.status(), 200);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_under_way_share_a_bounded_room() {
    let service = start(Limits { bodies_bytes: 128 * 1024, ..Limits::default() }).await;
    let mut slow = Raw::connect(service.address()).await;
    let large = body("large", 120 * 1024);
    slow.send(post(large.len())).await.unwrap();
    slow.send(&large[..100 * 1024]).await.unwrap();
    sleep(Duration::from_millis(300)).await;

    let other = || async {
        let mut other = Raw::connect(service.address()).await;
        let body = body("other", 60 * 1024);
        other.send(post(body.len())).await.unwrap();
        let _ = other.send(&body).await;
        other.answer(false).await
    };
    let refused = other().await;
    assert_eq!((refused.status(), refused.problem().as_str()), (503, "queue_full"));
    assert_eq!(refused.header("retry-after"), "1");
    slow.send(&large[100 * 1024..]).await.unwrap();
    assert_eq!(slow.answer(false).await.status(), 201, "what was under way is not disturbed");
    assert_eq!(other().await.status(), 201, "and then there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_slow_client() {
    let mut service = start(Limits { shutdown: Duration::from_secs(1), ..Limits::default() }).await;
    let mut body = Raw::connect(service.address()).await;
    body.send(post(1000)).await.unwrap();
    let mut chunked = Raw::connect(service.address()).await;
    chunked
        .send(post(1000).replace("Content-Length: 1000", "Transfer-Encoding: chunked"))
        .await
        .unwrap();
    let mut answer = Raw::connect(service.address()).await;
    answer.send(BUNDLE.repeat(16)).await.unwrap();
    let mut head = Raw::connect(service.address()).await;
    head.send("GET /livez").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    service.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_gzip() {
    let service = start(Limits::default()).await;
    for (identifier, size) in [("small", 0), ("large", 3_000_000)] {
        let mut packed = body(identifier, size);
        let mut sent: Value = serde_json::from_slice(&packed).unwrap();
        sent["entries"][0]["id"] = uuid::Uuid::new_v4().to_string().into();
        packed.splice(.., sent.to_string().into_bytes());
        packed.resize(packed.len().max(size), b' ');
        let first = send(&service, "gzip", gzip(&packed)).await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = send(&service, "GZIP", gzip(&packed)).await;
        assert_eq!(again.body["entries"][0]["id"], first.body["entries"][0]["id"]);
        assert_eq!(send(&service, "identity", packed).await.status, 201, "the same, plain");
    }
    let whole = gzip(&body("halves", 0));
    let cut = whole[..whole.len() - 4].to_vec();
    for bad in [b"not gzip".to_vec(), cut, Vec::new()] {
        let answer = send(&service, "gzip", bad).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "malformed_json"));
    }
    for encoding in ["br", "deflate", "gzip, gzip", "x-gzip", ""] {
        let answer = send(&service, encoding, gzip(&body("other", 0))).await;
        assert_eq!(answer.problem(), "unsupported_media_type", "{encoding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unpacks_to_too_much_is_refused_early() {
    let service = start(Limits::default()).await;
    // A gigabyte in a megabyte: what one unpacks of many, one after the other.
    let bomb = gzip(&vec![b' '; 8 * 1024 * 1024]).repeat(128);
    for bomb in [bomb, gzip(&body("one too many", 4 * 1024 * 1024 + 1))] {
        let begun = Instant::now();
        let answer = send(&service, "gzip", bomb).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (413, "body_too_large"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    let largest = send(&service, "gzip", gzip(&body("the largest", 4 * 1024 * 1024))).await;
    assert_eq!(largest.status, 201);
}
