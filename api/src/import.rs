//! Recording from NDJSON: one entry a line, plain or gzip, straight into the database.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use activity_logs_model::record::{self, MAX_BODY_BYTES, Rejection, parse_entry};
use activity_logs_model::wire::RecordStatus;
use activity_logs_model::{Catalog, NewEntry};
use activity_logs_store::{Clock as _, RecordError, Store, SystemClock};
use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

/// How many entries are recorded together.
const BATCH: usize = 1_000;
/// How many batches are on their way at once: one being read, one written, and some between.
const IN_FLIGHT: usize = 8;
/// How long to wait when others keep the writer busy.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Entries that are new.
    pub(crate) recorded: u64,
    /// Entries that were there already.
    pub(crate) duplicates: u64,
    /// Lines that are not acceptable entries; each was reported.
    pub(crate) bad: u64,
    /// Recorded entries whose line had no id: importing the file again would repeat them.
    pub(crate) without_id: u64,
}

/// Lines that were read: entries with their line numbers, or what is wrong with one.
enum Line {
    Batch(Vec<(u64, NewEntry)>),
    Bad(u64, String),
    Failed(anyhow::Error),
}

/// Imports a file (`-` is standard input). Bad lines are reported on standard error, and do
/// not keep others from being recorded.
///
/// # Errors
/// When the file can't be read or the database fails; what was recorded until then stays,
/// and importing again goes on where it ended.
pub(crate) async fn import(path: &Path, store: &Store, catalog: Catalog) -> anyhow::Result<Report> {
    let bar = progress_bar(path);
    let (sender, mut lines) = mpsc::channel(IN_FLIGHT);
    let reader = {
        let (path, bar) = (path.to_owned(), bar.clone());
        std::thread::spawn(move || {
            if let Err(error) = read_lines(&path, &bar, &catalog, &sender) {
                let _ = sender.blocking_send(Line::Failed(error));
            }
        })
    };
    let mut report = Report::default();
    let mut writing = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(written) = writing.next() => add(&mut report, written, &bar)?,
            line = lines.recv(), if writing.len() < IN_FLIGHT => match line {
                Some(Line::Batch(batch)) => writing.push(write(store, batch)),
                Some(Line::Bad(line, why)) => {
                    report.bad += 1;
                    say_bad(&bar, line, &why);
                }
                Some(Line::Failed(error)) => {
                    // What was read before is kept.
                    while let Some(written) = writing.next().await {
                        add(&mut report, written, &bar)?;
                    }
                    return Err(error);
                }
                None if writing.is_empty() => break,
                None => {
                    while let Some(written) = writing.next().await {
                        add(&mut report, written, &bar)?;
                    }
                }
            },
        }
    }
    bar.finish_and_clear();
    let _ = reader.join();
    Ok(report)
}

fn add(
    report: &mut Report,
    written: anyhow::Result<(Report, Vec<(u64, String)>)>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let (part, bad) = written?;
    report.recorded += part.recorded;
    report.duplicates += part.duplicates;
    report.without_id += part.without_id;
    report.bad += bad.len() as u64;
    for (line, why) in bad {
        say_bad(bar, line, &why);
    }
    bar.set_message(format!("{} recorded, {} there already", report.recorded, report.duplicates));
    Ok(())
}

fn say_bad(bar: &ProgressBar, line: u64, why: &str) {
    bar.suspend(|| eprintln!("line {line}: {why}"));
}

/// Records a batch; entries that the log refuses are taken out, reported, and the rest goes on.
async fn write(
    store: &Store,
    mut batch: Vec<(u64, NewEntry)>,
) -> anyhow::Result<(Report, Vec<(u64, String)>)> {
    let mut bad = Vec::new();
    loop {
        let entries: Vec<NewEntry> = batch.iter().map(|(_, entry)| entry.clone()).collect();
        let (indexes, why) = match store.record(entries).await {
            Ok(recorded) => {
                let new = recorded.iter().filter(|entry| entry.status == RecordStatus::New).count();
                let report = Report {
                    recorded: new as u64,
                    duplicates: (recorded.len() - new) as u64,
                    without_id: batch.iter().filter(|(_, entry)| entry.id.is_none()).count() as u64,
                    bad: 0,
                };
                return Ok((report, bad));
            }
            Err(RecordError::QueueFull) => {
                tokio::time::sleep(BUSY_PAUSE).await;
                continue;
            }
            Err(RecordError::IdConflict(indexes)) => {
                (indexes, "its id is taken by an entry with other content".to_owned())
            }
            Err(RecordError::OrganizationDeleted(id, indexes)) => {
                (indexes, format!("the organization {id} was deleted"))
            }
            Err(error) => {
                return Err(error).context("recording; importing again goes on from here");
            }
        };
        for index in indexes.into_iter().rev() {
            let (line, _) = batch.remove(index);
            bad.push((line, why.clone()));
        }
        if batch.is_empty() {
            return Ok((Report::default(), bad));
        }
    }
}

fn read_lines(
    path: &Path,
    bar: &ProgressBar,
    catalog: &Catalog,
    sender: &mpsc::Sender<Line>,
) -> anyhow::Result<()> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?)
    };
    let mut raw = BufReader::new(bar.wrap_read(source));
    let gzip = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut lines: Box<dyn BufRead> =
        if gzip { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };

    let mut batch = Vec::with_capacity(BATCH);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = MAX_BODY_BYTES as u64 + 1;
        let read = (&mut lines)
            .take(limit)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("reading line {number}"));
        let end = match read {
            Ok(bytes) => bytes == 0,
            Err(error) => {
                // What was read before the damage is recorded before it is reported.
                let _ = sender.blocking_send(Line::Batch(batch));
                return Err(error);
            }
        };
        if !record::without_mark(&line).trim_ascii().is_empty() {
            if line.len() as u64 == limit && !line.ends_with(b"\n") {
                lines.skip_until(b'\n')?;
                let why = format!("is longer than {MAX_BODY_BYTES} bytes");
                if sender.blocking_send(Line::Bad(number, why)).is_err() {
                    return Ok(());
                }
                continue;
            }
            match parse_entry(&line, catalog, SystemClock.now()) {
                Ok(entry) => batch.push((number, entry)),
                Err(rejection) => {
                    if sender.blocking_send(Line::Bad(number, describe(rejection))).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        if batch.len() == BATCH || (end && !batch.is_empty()) {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if sender.blocking_send(Line::Batch(full)).is_err() {
                return Ok(());
            }
        }
        if end {
            break;
        }
    }
    Ok(())
}

fn describe(rejection: Rejection) -> String {
    match rejection {
        Rejection::Malformed(error) => {
            format!("is not JSON: column {}: {}", error.column, error.why)
        }
        Rejection::Invalid(errors) => {
            let words: Vec<String> = errors
                .iter()
                .map(|error| format!("{} {}", error.pointer, error.detail).trim().to_owned())
                .collect();
            words.join("; ")
        }
    }
}

fn progress_bar(path: &Path) -> ProgressBar {
    let style = |template: &str| {
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    };
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() => ProgressBar::new(file.len())
            .with_style(style("{bar:40} {percent}% of {total_bytes}, {msg}, {eta} to go")),
        _ => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} read, {msg}")),
    }
}

/// Runs the command `import` and says what was done.
///
/// # Errors
/// See [`import`]; also when lines were bad, after all others were recorded.
pub(crate) async fn run(path: PathBuf, store: Store, catalog: Catalog) -> anyhow::Result<bool> {
    let report = import(&path, &store, catalog).await;
    store.close().await;
    let report = report?;
    println!(
        "{} recorded, {} there already, {} bad lines",
        report.recorded, report.duplicates, report.bad
    );
    if report.without_id > 0 {
        eprintln!(
            "{} entries had no id: the service made new ones, and importing the file again would repeat them.",
            report.without_id
        );
    }
    Ok(report.bad == 0)
}
