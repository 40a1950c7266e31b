//! What the service measures of itself, for Prometheus. Labels are of closed sets: nothing that a
//! caller sends becomes one.

use std::sync::OnceLock;
use std::time::Duration;

use activity_logs_store::{Connections, Store};
use actix_web::http::Method;
use actix_web::web::Bytes;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::problem::ApiError;

/// How long a database that does not answer keeps a scrape waiting.
const HEAD_PATIENCE: Duration = Duration::from_secs(1);

/// When the key set of tokens was last read.
pub(crate) const KEY_SET_READ_AT: &str = "activity_logs_key_set_read_timestamp_seconds";

/// The upper bounds of the buckets of what is named so.
const BUCKETS: [(&str, &[f64]); 2] = [
    ("_seconds", &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
    (
        "_entries",
        &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0],
    ),
];

/// The metrics of this process, and of its store, as text.
pub struct Metrics {
    store: Store,
    process: Collector,
    rendered: Mutex<Option<Rendered>>,
}

struct Rendered {
    begun: Instant,
    text: Bytes,
}

/// Starts collecting, if that has not begun yet. What is counted before is lost.
///
/// # Panics
/// When another recorder of metrics was installed in the process.
pub fn start() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let handle = install().expect("nobody else records metrics in this process");
        describe();
        Collector::default().describe();
        handle
    })
}

impl Metrics {
    /// Those of this process and of a store.
    pub fn new(store: Store) -> Self {
        Self { store, process: Collector::default(), rendered: Mutex::new(None) }
    }

    /// The metrics as they are now. However many ask at once, one text is made at a time, away
    /// from the threads that answer requests, and serves all who had asked before it was begun.
    ///
    /// # Errors
    /// When the text can't be made.
    pub async fn render(&self) -> Result<Bytes, ApiError> {
        let asked = Instant::now();
        let mut rendered = self.rendered.lock().await;
        if let Some(last) = rendered.as_ref().filter(|last| last.begun >= asked) {
            return Ok(last.text.clone());
        }
        let begun = Instant::now();
        measure(&self.store).await;
        let process = self.process.clone();
        let render = move || {
            process.collect();
            start().run_upkeep();
            start().render()
        };
        let text = tokio::task::spawn_blocking(render).await.map_err(ApiError::internal)?;
        let text = Bytes::from(text);
        *rendered = Some(Rendered { begun, text: text.clone() });
        Ok(text)
    }
}

/// Counts a request that was answered.
pub(crate) fn answered(method: &'static str, route: &str, status: u16, took: Duration) {
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    counter!("activity_logs_http_requests_total", &labels).increment(1);
    histogram!("activity_logs_http_request_seconds", &labels).record(took.as_secs_f64());
}

/// The name of a method, from a closed set: HTTP allows any word of any length.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn install() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for (suffix, bounds) in BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), bounds)?;
    }
    Ok(builder.install_recorder()?)
}

fn describe() {
    describe_gauge!(
        KEY_SET_READ_AT,
        Unit::Seconds,
        "When the key set was last read, in seconds since 1970; 0 is never."
    );
    describe_counter!(
        "activity_logs_http_requests_total",
        Unit::Count,
        "Requests answered, by method, route and status."
    );
    describe_histogram!(
        "activity_logs_http_request_seconds",
        Unit::Seconds,
        "Time from a request's head to its answer's head."
    );
    describe_counter!(
        "activity_logs_recorded_entries_total",
        Unit::Count,
        "Entries committed, by outcome."
    );
    describe_histogram!(
        "activity_logs_commit_entries",
        Unit::Count,
        "Entries committed in one transaction."
    );
    describe_histogram!(
        "activity_logs_commit_seconds",
        Unit::Seconds,
        "Time of one transaction that records."
    );
    describe_histogram!(
        "activity_logs_reading_seconds",
        Unit::Seconds,
        "Time of one reading in the database, by how it ended."
    );
    describe_counter!(
        "activity_logs_queue_full_total",
        Unit::Count,
        "Requests refused because the queue was full."
    );
    describe_gauge!(
        "activity_logs_queue_requests",
        Unit::Count,
        "Requests that wait to be committed or are being committed."
    );
    describe_gauge!(
        "activity_logs_queue_bytes",
        Unit::Bytes,
        "What the requests in the queue take of its memory."
    );
    describe_gauge!(
        "activity_logs_readings",
        Unit::Count,
        "Readings under way; what exceeds the connections for reading waits for one."
    );
    describe_gauge!(
        "activity_logs_database_connections",
        Unit::Count,
        "Connections to the database, by what they are for and whether they are in use."
    );
    describe_gauge!(
        "activity_logs_head_position",
        Unit::Count,
        "The newest position of the log, in the database."
    );
    describe_gauge!(
        "activity_logs_index_lag_entries",
        Unit::Count,
        "Positions between the head and what this process has read; the next reading reads them."
    );
    describe_gauge!(
        "activity_logs_index_recent_entries",
        Unit::Count,
        "Positions after the last sealed run; they are counted one by one."
    );
    describe_gauge!(
        "activity_logs_build_info",
        Unit::Count,
        "Always 1; the label says which version runs."
    );
}

/// Takes the measures that nobody counts as they change.
async fn measure(store: &Store) {
    gauge!("activity_logs_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let watched = store.watch();
    for (purpose, Connections { size, idle }) in
        [("recording", watched.recording), ("reading", watched.reading)]
    {
        let connections = |state: &'static str| gauge!("activity_logs_database_connections", "purpose" => purpose, "state" => state);
        connections("idle").set(f64::from(idle));
        connections("used").set(f64::from(size.saturating_sub(idle)));
    }
    gauge!("activity_logs_index_recent_entries").set((watched.through - watched.sealed) as f64);
    // Where the database does not answer, the last head stands.
    if let Ok(Ok(head)) = timeout(HEAD_PATIENCE, store.head()).await {
        gauge!("activity_logs_head_position").set(head as f64);
        gauge!("activity_logs_index_lag_entries").set((head - watched.through).max(0) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_of_a_closed_set() {
        for name in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
            assert_eq!(method_name(&Method::from_bytes(name.as_bytes()).unwrap()), name);
        }
        for name in ["get", "TRACE", "CONNECT", "PROPFIND", &"X".repeat(50_000)] {
            assert_eq!(method_name(&Method::from_bytes(name.as_bytes()).unwrap()), "other");
        }
    }
}
