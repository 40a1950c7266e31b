//! The listings that are measured.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use activity_logs_tests::generated::{HUGE, MANY, organization};
use activity_logs_tests::served::Served;
use activity_logs_tests::{admin, token};
use anyhow::{Context as _, Result, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use serde_json::{Value, json};

/// How often each page is asked for.
const ROUNDS: usize = 60;
/// How many pages are asked for before any is measured.
const WARMING: usize = 300;
/// How often the service is started to ask for each listing for the first time.
const STARTS: usize = 9;

/// The listing whose first page the member of many organizations is measured against.
pub(crate) const REFERENCE: &str = "organization";

/// The time that pages of one kind took, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Times {
    pub(crate) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |part: f64| {
            times.get((times.len() as f64 * part) as usize).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p95: at(0.95) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6.2}/{:>6.2}", self.p50, self.p95)
    }
}

/// What was measured of a listing.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) total: u64,
    pub(crate) goal: f64,
    against_reference: bool,
    /// Page 1 when nobody asked for the listing since the service was started.
    pub(crate) anew: Times,
    pub(crate) first: Times,
    pub(crate) middle: Times,
    pub(crate) last: Times,
    pub(crate) random: Times,
}

impl Figures {
    /// The slowest kind of page against the first page: medians, and 95th percentiles.
    pub(crate) fn against_first(&self, reference: f64) -> (f64, f64) {
        let pages = [self.first, self.middle, self.last, self.random];
        let p50 = pages.iter().map(|times| times.p50).fold(0.0, f64::max);
        let p95 = pages.iter().map(|times| times.p95).fold(0.0, f64::max);
        let first = if self.against_reference { reference } else { self.first.p95 };
        (p50 / self.first.p50, p95 / first)
    }

    pub(crate) fn to_json(
        &self,
        cold: Option<[Times; 2]>,
        reference: f64,
        of_smallest: Option<f64>,
    ) -> Value {
        let times = |times: Times| json!({"p50": times.p50, "p95": times.p95});
        let (p50, p95) = self.against_first(reference);
        json!({
            "case": self.name, "total": self.total, "anew": times(self.anew),
            "cold_first": cold.map(|[first, _]| times(first)),
            "cold_middle": cold.map(|[_, middle]| times(middle)), "first": times(self.first),
            "middle": times(self.middle), "last": times(self.last), "random": times(self.random),
            "p50_of_first": p50, "p95_of_first": p95, "goal": self.goal, "met": p95 <= self.goal,
            "first_of_smallest_log": of_smallest,
        })
    }
}

/// A listing to measure: name, path, token, goal.
pub(crate) struct Case {
    name: &'static str,
    path: String,
    token: String,
    goal: f64,
    against_reference: bool,
    /// Pinned to a position this part of the log ago.
    ago: Option<usize>,
}

fn member(organizations: &[String], workspaces: Option<&[&str]>) -> String {
    let one = |id: &String| match workspaces {
        None => json!({"id": id}),
        Some(workspaces) => json!({"id": id, "workspaces": workspaces}),
    };
    let organizations: Vec<Value> = organizations.iter().map(one).collect();
    token(json!({"sub": "reader-1", "role": "user", "organizations": organizations}))
}

pub(crate) fn cases(entries: usize) -> Vec<Case> {
    let of_organization = format!("/organizations/{HUGE}/activity-logs?");
    let global = "/activity-logs?".to_owned();
    let case = |name, filter: &str, goal| Case {
        name,
        path: format!("{of_organization}{filter}"),
        token: admin(),
        goal,
        against_reference: false,
        ago: None,
    };
    let many: Vec<String> = (1..=MANY).map(organization).collect();
    let huge = [HUGE.to_owned()];
    let of_member = |name, token, goal, against_reference| Case {
        name,
        path: global.clone(),
        token,
        goal,
        against_reference,
        ago: None,
    };
    let granted = token(json!({"sub": "reader-1", "role": "user",
        "organizations": [{"id": "org-0001"}], "workspaces": [{"organization_id": HUGE, "id": "ws-3"}]}));
    vec![
        case(REFERENCE, "", 2.0),
        case("organization, type", "type=Users", 2.0),
        case("organization, action", "action=Fetch", 2.0),
        case("organization, outcome", "outcome=denied", 2.0),
        case("organization, user", "user_id=user-0-2", 2.0),
        case("organization, rare user", "user_id=user-0-4800", 2.0),
        case("organization, workspace", "workspace_id=ws-2", 2.0),
        case("organization, type, action", "type=Workspace&action=Deploy", 2.0),
        case(
            "organization, type, time",
            "type=Users&from=2025-03-05T09:30:00Z&to=2025-09-01T00:00:00Z",
            2.0,
        ),
        case("user, type, outcome", "user_id=user-0-2&type=Workspace&outcome=denied", 2.0),
        Case {
            ago: Some(1_000_000.min(entries / 2)),
            against_reference: true,
            ..case("organization, pinned", "", 3.0)
        },
        Case { token: member(&huge, None), ..case("organization, member", "", 2.0) },
        Case {
            token: member(&huge, Some(&["ws-1", "ws-2"])),
            ..case("organization, restricted", "", 2.0)
        },
        Case { path: global.clone(), ..case("everything", "", 3.0) },
        Case { path: format!("{global}type=Users"), ..case("everything, type", "", 3.0) },
        Case { path: format!("{global}user_id=support-1"), ..case("everything, user", "", 3.0) },
        of_member("member of 1", member(&huge, None), 5.0, true),
        of_member("member of 10", member(&many[..10], None), 5.0, true),
        of_member("member of 1,000", member(&many, None), 5.0, true),
        of_member("restricted in 250", member(&many[..250], Some(&["ws-1", "ws-2"])), 5.0, true),
        of_member("member with a grant", granted, 5.0, true),
    ]
}

/// Asks for one page; gives how long it took and what came.
pub(crate) async fn ask(
    client: &Client,
    served: &Served,
    case: &Case,
    page: u64,
    as_of: Option<&str>,
) -> Result<(f64, Value)> {
    let pinned = as_of.map_or(String::new(), |as_of| format!("&as_of={as_of}"));
    let url = format!("http://{}/api/v1{}&page={page}{pinned}", served.address(), case.path);
    let begun = Instant::now();
    let response = client.get(url).bearer_auth(&case.token).send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    ensure!(status == 200, "{}: {status} {}", case.name, String::from_utf8_lossy(&body));
    Ok((took, serde_json::from_slice(&body)?))
}

/// The `as_of` that a case is pinned to, if it is.
pub(crate) async fn pinned(case: &Case, served: &Served, entries: usize) -> Option<String> {
    Some(served.as_of((entries - case.ago?) as i64).await)
}

/// How long page 1 of each listing takes who asks for it first after a start.
pub(crate) async fn anew(program: &Path, url: &str, entries: usize) -> Result<Vec<Times>> {
    let cases = cases(entries);
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..STARTS {
        let served = Served::start(program, url)?;
        let client = Client::new();
        let nothing = format!("http://{}/api/v1/activity-logs?page=1", served.address());
        // Connects, and lets the service read on to the newest entry.
        client.get(nothing).bearer_auth(member(&[], None)).send().await?.bytes().await?;
        for (case, times) in cases.iter().zip(&mut times) {
            let as_of = pinned(case, &served, entries).await;
            times.push(ask(&client, &served, case, 1, as_of.as_deref()).await?.0);
        }
    }
    Ok(times.into_iter().map(Times::of).collect())
}

/// Measures all listings, the kinds of page in turn, so that noise meets all alike.
pub(crate) async fn measure(
    served: &Served,
    entries: usize,
    anew: &[Times],
) -> Result<Vec<Figures>> {
    let client = Client::new();
    let mut random = SmallRng::seed_from_u64(7);
    let mut figures = Vec::new();
    // These are the figures of a log that is read: the system has to meet a new copy of it first.
    let all = cases(entries);
    let case = all.iter().find(|case| case.name == REFERENCE).context("the reference")?;
    let (_, listing) = ask(&client, served, case, 1, None).await?;
    let pages = listing["total_pages"].as_u64().unwrap_or_default().max(1);
    for _ in 0..WARMING {
        ask(&client, served, case, random.random_range(1..=pages), None).await?;
    }
    for (case, anew) in all.into_iter().zip(anew.iter().copied()) {
        let as_of = pinned(&case, served, entries).await;
        let as_of = as_of.as_deref();
        let (_, listing) = ask(&client, served, &case, 1, as_of).await?;
        let total = listing["total"].as_u64().unwrap_or_default();
        let pages = listing["total_pages"].as_u64().unwrap_or_default().max(1);
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            let near = (pages / 2 + random.random_range(0..40)).clamp(1, pages);
            let wanted = [1, near, pages, random.random_range(1..=pages)];
            for (page, times) in wanted.into_iter().zip(&mut times) {
                let (took, listing) = ask(&client, served, &case, page, as_of).await?;
                times.push(took);
                let now = listing["total"].as_u64().unwrap_or_default();
                // Each reading leaves an entry, which the next one may see.
                ensure!(
                    now >= total && now <= total + 4 * ROUNDS as u64 + 1,
                    "{}: {now} of {total}",
                    case.name
                );
                ensure!(
                    page == pages
                        || listing["items"].as_array().is_some_and(|items| items.len() == 25)
                );
            }
        }
        let [first, middle, last, random] = times.map(Times::of);
        let Case { name, goal, against_reference, .. } = case;
        let figure =
            Figures { name, total, goal, against_reference, anew, first, middle, last, random };
        figures.push(figure);
    }
    Ok(figures)
}

/// Page 1 of each listing against page 1 of the same listing in a smaller log, both asked in turn,
/// because a machine is not always as fast: ratios of medians.
pub(crate) async fn against_smaller(
    (served, entries): (&Served, usize),
    (smaller, fewer): (&Served, usize),
) -> Result<Vec<f64>> {
    let client = Client::new();
    let mut ratios = Vec::new();
    for (case, small) in cases(entries).iter().zip(&cases(fewer)) {
        let mut times = [const { Vec::new() }; 2];
        let as_of = pinned(case, served, entries).await;
        let as_of_small = pinned(small, smaller, fewer).await;
        for round in 0..=ROUNDS {
            let took = [
                ask(&client, served, case, 1, as_of.as_deref()).await?.0,
                ask(&client, smaller, small, 1, as_of_small.as_deref()).await?.0,
            ];
            // The first is asked anew.
            if round > 0 {
                times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
            }
        }
        let [large, small] = times.map(Times::of);
        ratios.push(large.p50 / small.p50);
    }
    Ok(ratios)
}
