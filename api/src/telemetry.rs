//! Structured logs. They hold no tokens, names, values or filters.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The most characters of a text from elsewhere in a line of the log.
const MAX_TEXT: usize = 1_000;

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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))
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
