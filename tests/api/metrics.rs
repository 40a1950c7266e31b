//! What the service says of itself to those who watch it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use activity_logs::metrics::{self, Metrics};
use activity_logs_store::{Options, Store};
use activity_logs_tests::raw::Raw;
use activity_logs_tests::{Kind, TestService, admin, entry, on_both_databases, secret, settings};
use reqwest::Method;
use serde_json::json;

on_both_databases! {
    what_the_service_does_is_measured
}

async fn scrape(service: &TestService) -> String {
    let answer = service.request(Method::GET, "/metrics", None).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

/// The sum of a metric's samples that have all of these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let samples = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    let samples = samples.filter(|(series, _)| {
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    });
    samples.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

async fn what_the_service_does_is_measured(kind: Kind) {
    let service = TestService::start(kind).await;
    let before = scrape(&service).await;
    let mut denied = entry("acme", "denied");
    denied["outcome"] = "denied".into();
    service.record(json!([entry("acme", "one"), entry("acme", "two"), denied])).await;
    service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    let after = scrape(&service).await;
    // Other tests of the process count too: so at least.
    let grew =
        |name: &str, labels: &[&str]| value(&after, name, labels) - value(&before, name, labels);
    assert!(grew("activity_logs_recorded_entries_total", &["outcome=\"success\""]) >= 3.0);
    assert!(grew("activity_logs_recorded_entries_total", &["outcome=\"denied\""]) >= 1.0);
    assert!(grew("activity_logs_commit_seconds_count", &[]) >= 2.0);
    assert!(grew("activity_logs_reading_seconds_count", &["ended=\"well\""]) >= 1.0);
    let recording = ["method=\"POST\"", "route=\"/api/v1/activity-logs\"", "status=\"201\""];
    assert!(grew("activity_logs_http_requests_total", &recording) >= 1.0);
    for (name, least) in [
        ("activity_logs_head_position", 1.0),
        ("activity_logs_database_connections", 2.0),
        ("activity_logs_build_info", 1.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 3.0),
        ("process_start_time_seconds", 1e9),
    ] {
        assert!(value(&after, name, &[]) >= least, "{name} is missing");
    }
    for name in [
        "activity_logs_queue_bytes",
        "activity_logs_queue_requests",
        "activity_logs_readings",
        "activity_logs_index_lag_entries",
        "activity_logs_index_recent_entries",
    ] {
        assert!(after.contains(&format!("\n{name} ")), "{name} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_described_and_prometheus_agrees() {
    let service = TestService::start(Kind::Sqlite).await;
    service.record(json!([entry("acme", "one")])).await;
    service.get("/api/v1/organizations/acme/activity-logs", &admin()).await;
    let metrics = scrape(&service).await;
    let names = |kind: &str| -> BTreeSet<&str> {
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(kind));
        lines.filter_map(|line| line.split(' ').next()).collect()
    };
    assert_eq!(names("# TYPE "), names("# HELP "));
    assert!(names("# HELP ").len() > 15, "{metrics}");

    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool is there: `cargo xtask test` installs it");
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_makes_a_label() {
    let service = TestService::start(Kind::Sqlite).await;
    let labels = |metrics: &str| -> BTreeSet<String> {
        let requests = metrics.lines().filter(|line| line.starts_with("activity_logs_http"));
        requests
            .filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series.to_owned()))
            .collect()
    };
    let ask = async |round: usize| {
        let mut connection = Raw::connect(service.address()).await;
        for number in 0..400 {
            let method = format!("M{round}X{number}{}", "X".repeat(number * 5));
            let path = ["/livez", "/nowhere", "/docs/x", "/api/v1/x"][number % 4];
            let request =
                format!("{method} {path}{} HTTP/1.1\r\nHost: a\r\n\r\n", ["", "/x"][number % 2]);
            connection.send(request).await.unwrap();
            assert!(connection.answer(false).await.status() >= 400);
        }
        labels(&scrape(&service).await)
    };
    let before: BTreeSet<String> = ask(0).await;
    let after = ask(1).await;
    let of_random: Vec<_> =
        after.difference(&before).filter(|line| line.contains("other")).collect();
    assert_eq!(of_random, Vec::<&String>::new());
    let whole: String = after.into_iter().collect();
    assert!(whole.contains("method=\"other\""));
    assert!(!whole.contains("M1X") && !whole.contains("nowhere"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_share_one_text() {
    metrics::start();
    let database = Kind::Sqlite.database().await;
    let store = Store::open(database.url(), Options::default()).await.unwrap();
    let metrics = Metrics::new(store.clone());
    let asked = (0..50).map(|_| metrics.render());
    let texts = futures_util::future::join_all(asked).await;
    let texts: Vec<_> = texts.into_iter().map(Result::unwrap).collect();
    let texts: BTreeSet<_> = texts.iter().map(|text| text.as_ptr()).collect();
    assert!(texts.len() <= 2, "{} texts for 50 who asked at once", texts.len());
    let later = metrics.render().await.unwrap();
    assert!(!texts.contains(&later.as_ptr()), "who asks later gets what is so then");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_have_a_listener_of_their_own() {
    let database = Kind::Sqlite.database().await;
    let mut own = settings(database.url(), secret(), Options::default()).await.unwrap();
    own.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    let service = TestService::start_with(own).await.unwrap();
    for path in ["/metrics", "/%6detrics", "/metrics/"] {
        let answer = service.get(path, &admin()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found"), "{path}");
    }
    let address = service.metrics_address().unwrap();
    let get = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.unwrap();
    let metrics = get("/metrics").await;
    assert_eq!(metrics.status(), 200);
    assert!(metrics.text().await.unwrap().contains("activity_logs_build_info"));
    for path in ["/", "/livez", "/api/v1/me", "/docs/"] {
        assert_eq!(get(path).await.status(), 404, "{path}");
    }
}
