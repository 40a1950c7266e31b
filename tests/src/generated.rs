//! Logs made for measuring: as large as wanted, the same each time, and shaped as real ones
//! are: one huge organization among a thousand, few who do most, nights and weekends, entries
//! that come late, and a minute in which everything happens at once.

use activity_logs_model::{
    Context, JsonText, NewEntry, OrganizationRef, Outcome, Person, Timestamp, WorkspaceRef,
};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// Changes when the same size would give other entries.
pub const GENERATION: u32 = 1;
/// The organization with half of all entries.
pub const HUGE: &str = "org-0000";
/// How many organizations share a tenth of all entries: `org-0001` and on.
pub const MANY: usize = 1_000;

const OTHERS: usize = 99;
const HOURS: usize = 365 * 24;
const HOUR: i64 = 3_600_000_000;
/// 2025-01-01T00:00:00Z.
const BEGIN: i64 = 1_735_689_600_000_000;
/// What happens, how often, and with which values.
const KINDS: [(&str, &str, f64); 14] = [
    ("Workspace", "Deploy", 0.22),
    ("Workspace", "Fetch", 0.18),
    ("Users", "Update", 0.12),
    ("Workspace", "Status", 0.12),
    ("Users", "Fetch", 0.10),
    ("Organization", "Fetch", 0.07),
    ("Workspace", "Update", 0.06),
    ("Invoices", "Create", 0.04),
    ("Payments", "Create", 0.03),
    ("Subscriptions", "Update", 0.02),
    ("Workspace", "Create", 0.02),
    ("AdminUsers", "Fetch", 0.01),
    ("Organization", "Update", 0.007),
    ("Plans", "FetchAll", 0.003),
];

/// The name of an organization.
pub fn organization(number: usize) -> String {
    format!("org-{number:04}")
}

/// Makes the entries of a log, oldest first but for those that come late.
pub struct Generator {
    random: SmallRng,
    entries: usize,
    made: usize,
    /// For each hour of the year, how much of all happens before its end.
    hours: Vec<f64>,
}

impl Generator {
    /// For a log of so many entries.
    pub fn new(entries: usize) -> Self {
        let mut so_far = 0.0;
        let hours = (0..HOURS)
            .map(|hour| {
                // The year began on a Wednesday.
                let weekend = matches!((hour / 24 + 2) % 7, 5 | 6);
                let night = !(7..20).contains(&(hour % 24));
                so_far += if night { 0.15 } else { 1.0 } * if weekend { 0.25 } else { 1.0 };
                so_far
            })
            .collect();
        Self { random: SmallRng::seed_from_u64(entries as u64), entries, made: 0, hours }
    }

    /// Few are frequent: rank `n` about half as often as rank `n / 2`.
    fn zipf(&mut self, count: usize) -> usize {
        let exponent: f64 = self.random.random();
        ((count as f64 + 1.0).powf(exponent) as usize).saturating_sub(1).min(count - 1)
    }

    fn time(&mut self) -> i64 {
        let place = self.made as f64 / self.entries as f64;
        // A hundredth of all shares a minute, and a tenth of that a microsecond.
        if (0.6..0.61).contains(&place) {
            let minute = self.instant(0.6) / 60_000_000 * 60_000_000;
            let within: i64 = self.random.random_range(0..60_000_000);
            return minute + if self.random.random_bool(0.1) { 30_000_000 } else { within };
        }
        let at = self.instant(place);
        if self.random.random_bool(0.01) {
            return (at - self.random.random_range(0..72 * HOUR)).max(BEGIN);
        }
        at
    }

    fn instant(&self, place: f64) -> i64 {
        let all = self.hours[HOURS - 1];
        let hour = self.hours.partition_point(|end| *end <= place * all).min(HOURS - 1);
        let begin = if hour == 0 { 0.0 } else { self.hours[hour - 1] };
        let within = (place * all - begin) / (self.hours[hour] - begin);
        BEGIN + hour as i64 * HOUR + (within * HOUR as f64) as i64
    }
}

impl Iterator for Generator {
    type Item = NewEntry;

    fn next(&mut self) -> Option<NewEntry> {
        if self.made == self.entries {
            return None;
        }
        let occurred_at = Timestamp::from_micros(self.time());
        let place: f64 = self.random.random();
        let number = match place {
            0.0..0.5 => 0,
            0.5..0.6 => self.random.random_range(1..=MANY),
            _ => 1 + MANY + self.zipf(OTHERS),
        };
        let user = if self.random.random_bool(0.01) {
            format!("support-{}", self.zipf(5))
        } else {
            format!("user-{number}-{}", self.zipf(if number == 0 { 5_000 } else { 200 }))
        };
        let mut pick: f64 = self.random.random();
        let (kind, action, _) = KINDS
            .iter()
            .find(|(_, _, share)| {
                pick -= share;
                pick < 0.0
            })
            .unwrap_or(&KINDS[0]);
        let workspace = (*kind == "Workspace").then(|| {
            let id = format!("ws-{}", self.zipf(300));
            WorkspaceRef { name: format!("Workspace {id}"), id: known(&id) }
        });
        let value = |text: String| JsonText::parse(&text).ok().flatten();
        let (old_value, new_value) = match *action {
            "Update" => (
                value(format!(r#"{{"plan":"Standard","seats":{}}}"#, self.made % 97)),
                value(format!(r#"{{"plan":"Premium","seats":{}}}"#, self.made % 89)),
            ),
            "Create" => {
                (None, value(format!(r#"{{"region":"eu-west","size":{}}}"#, self.made % 9)))
            }
            _ => (None, None),
        };
        let outcome = match self.made % 40 {
            0 => Outcome::Denied,
            20 => Outcome::Failure,
            _ => Outcome::Success,
        };
        let id = organization(number);
        let entry = NewEntry {
            id: Some(Uuid::from_u128(self.random.random())),
            occurred_at: Some(occurred_at),
            kind: known(kind),
            action: known(action),
            outcome,
            user: Person { name: format!("Person {user}"), id: known(&user), email: None },
            organization: Some(OrganizationRef {
                name: format!("Organization {number}"),
                id: known(&id),
            }),
            workspace,
            identifier: format!("item {}", self.made % 9_973),
            old_value,
            new_value,
            context: Context::default(),
            question: None,
        };
        self.made += 1;
        Some(entry)
    }
}

/// Reads an id or token that is written here.
fn known<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a well-formed id or token")
}
