//! Counts by span of time, type and outcome. One text, compiled once for each database like the
//! module `log`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use activity_logs_model::{Filter, Timestamp, Visibility};
use sqlx::{AssertSqlSafe, Row as _};

use super::Database;
use super::listing::{InRun, View};
use super::lists::{chunk_of, rank_of};
use super::log::{corrupt, read_outcome};
use crate::Error;
use crate::backend::{Scope, SpanCount};
use crate::index::names::TYPES_AND_OUTCOMES;
use crate::index::ranks::Ranks;
use crate::index::{EVERYTHING, Facet, facet_of};

/// How many runs are looked into at once.
const RUNS_AT_ONCE: usize = 16;

/// The lists of types and of outcomes over all logs.
pub(super) fn types_and_outcomes() -> String {
    let lists = |(from, to)| {
        format!(
            "SELECT run, list, content FROM run_lists WHERE organization_id = $1 \
             AND list >= '{from}' AND list < '{to}' AND run BETWEEN $2 AND $3"
        )
    };
    TYPES_AND_OUTCOMES.map(lists).join(" UNION ALL ")
}

/// By span, type and outcome.
type Counts = BTreeMap<(usize, String, String), u64>;

fn read_count(
    ((span, kind, outcome), entries): ((usize, String, String), u64),
) -> Result<SpanCount, sqlx::Error> {
    let kind = kind.try_into().map_err(corrupt)?;
    Ok(SpanCount { span, kind, outcome: read_outcome(&outcome)?, entries })
}

impl Database {
    /// How many entries of each type and outcome lie between bounds that rise.
    pub(super) async fn spans(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        as_of: i64,
        bounds: &[Timestamp],
    ) -> Result<Vec<SpanCount>, Error> {
        let [first, .., last] = bounds else { return Ok(Vec::new()) };
        let filter = Filter { from: Some(*first), to: Some(*last), ..Filter::default() };
        let mut failed_at = None;
        loop {
            match self.try_spans(scope, visibility, &filter, as_of, bounds).await {
                Ok(Some(counts)) => {
                    return Ok(counts.into_iter().map(read_count).collect::<Result<_, _>>()?);
                }
                Ok(None) => {}
                Err(error) => self.is_passing(error, &mut failed_at).await?,
            }
        }
    }

    /// The counts, unless a removal came between two of the statements.
    async fn try_spans(
        &self,
        scope: Scope<'_>,
        visibility: &Visibility,
        filter: &Filter,
        as_of: i64,
        bounds: &[Timestamp],
    ) -> Result<Option<Counts>, Error> {
        let mut counts = Counts::new();
        let span_of = |micros| bounds.partition_point(|bound| bound.as_micros() <= micros) - 1;
        let view = self
            .view(scope, visibility, filter, as_of, true, |facts, fact| {
                let texts = facts.texts_of(fact);
                let span = span_of(fact.key.occurred_at);
                let key = (span, texts.kind.to_owned(), texts.outcome.to_owned());
                *counts.entry(key).or_default() += 1;
            })
            .await?;
        for runs in view.runs.chunks(RUNS_AT_ONCE) {
            self.count_spans_in(&view, runs, bounds, &mut counts).await?;
        }
        Ok((self.read_head().await?.version == view.version()).then_some(counts))
    }

    async fn count_spans_in(
        &self,
        view: &View,
        runs: &[InRun],
        bounds: &[Timestamp],
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let number = |run: &InRun| view.headers[run.run].number;
        let (Some(first), Some(last)) =
            (runs.iter().map(number).min(), runs.iter().map(number).max())
        else {
            return Ok(());
        };
        let chunks: BTreeSet<(i64, usize)> = runs
            .iter()
            .flat_map(|run| {
                let header = &view.headers[run.run];
                bounds.iter().filter_map(|bound| {
                    chunk_of(header, bound.as_micros()).map(|chunk| (header.number, chunk))
                })
            })
            .collect();
        let keys = self.read_chunks(&chunks).await?;
        let rows = sqlx::query(AssertSqlSafe(types_and_outcomes()))
            .bind(EVERYTHING)
            .bind(first)
            .bind(last)
            .fetch_all(&self.readers)
            .await?;
        let mut lists: HashMap<i64, Vec<(String, Ranks)>> = HashMap::new();
        for row in &rows {
            let mut ranks = Ranks::new();
            ranks.add_written(row.try_get(2)?);
            lists.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, ranks));
        }
        for run in runs {
            let (header, Some(ranks)) = (&view.headers[run.run], &run.ranks) else { continue };
            let lists = lists.get(&header.number).map(Vec::as_slice).unwrap_or_default();
            let mut types = Vec::new();
            let mut outcomes = Vec::new();
            for (list, set) in lists {
                match facet_of(list) {
                    Some(Facet::Type(kind)) => types.push((kind, set)),
                    Some(Facet::Outcome(outcome)) => outcomes.push((outcome, set)),
                    _ => {}
                }
            }
            let starts = bounds
                .iter()
                .map(|bound| rank_of(header, bound.as_micros(), &keys))
                .collect::<Result<Vec<usize>, Error>>()?;
            for (kind, of_kind) in types {
                let mut of_kind = of_kind.clone();
                of_kind.keep(ranks);
                for (outcome, of_outcome) in &outcomes {
                    let mut of_both = of_kind.clone();
                    of_both.keep(of_outcome);
                    for (span, edges) in starts.windows(2).enumerate() {
                        let entries = of_both.count_in(&(edges[0]..edges[1])) as u64;
                        if entries > 0 {
                            let key = (span, kind.to_owned(), (*outcome).to_owned());
                            *counts.entry(key).or_default() += entries;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
