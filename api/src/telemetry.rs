//! Structured logs. They hold no tokens, names, values or filters.

use std::io::{IsTerminal as _, Write as _};

use activity_logs_store::{Clock as _, SystemClock};
use anyhow::Context as _;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The most characters of a text from elsewhere in a line of the log.
const MAX_TEXT: usize = 1_000;

/// What these say may hold a password: a part of a URL, or a header.
const SILENCED: [&str; 3] = ["sqlx_postgres::options::parse=off", "ureq=off", "ureq_proto=off"];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for programs.
    Json,
}

/// Starts logging to standard error. `filter` is in the form of `tracing`'s `EnvFilter`
/// (`info`, `activity_logs=debug`).
///
/// # Errors
/// When the filter can't be read or logging was started before.
pub fn start_logs(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let mut filter = EnvFilter::try_new(filter).context("what to log (--log)")?;
    for silenced in SILENCED {
        filter = filter.add_directive(silenced.parse()?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))
}

/// Says on standard error why a command could not be done, whatever is logged: in the form of a
/// log line where those are for programs.
pub(crate) fn tell_failure(format: LogFormat, why: &str) {
    let line = match format {
        LogFormat::Pretty => format!("activity-logs: {why}"),
        LogFormat::Json => serde_json::json!({
            "timestamp": SystemClock.now().to_string(),
            "level": "ERROR",
            "message": why,
            "target": "activity_logs",
        })
        .to_string(),
    };
    // Where nobody listens, nobody can be told.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A text from elsewhere (a database's message, a library's), short enough for a line of the log.
pub(crate) fn shortened(text: &impl std::fmt::Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_visibly() {
        assert_eq!(shortened(&"ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT));
        assert_eq!(shortened(&"ä".repeat(50_000)), format!("{}…", "ä".repeat(MAX_TEXT)));
    }
}
