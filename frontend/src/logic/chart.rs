//! What the dashboard's charts draw of the activity per day.

use std::collections::BTreeMap;

use activity_logs_model::wire::{DailyActivity, DayActivity};
use activity_logs_model::{Outcome, Type};

/// A day's bar; lengths are in percent of the chart's height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    /// What people did.
    pub(crate) done: u64,
    /// How much of it was denied or failed.
    pub(crate) undone: u64,
    /// The height of the whole bar.
    pub(crate) height: u64,
    /// The part of the bar that is undone.
    pub(crate) undone_height: u64,
}

/// The bars of the days. A day with anything has a bar that can be seen.
pub(crate) fn bars(days: &[DayActivity]) -> Vec<Bar> {
    let highest = days.iter().map(|day| day.total).max().unwrap_or(0).max(1);
    let percent = |part: u64| (part * 100).div_ceil(highest);
    let bar = |day: &DayActivity| {
        let undone = day.total - day.outcomes.get(&Outcome::Success).copied().unwrap_or(0);
        Bar { done: day.total, undone, height: percent(day.total), undone_height: percent(undone) }
    };
    days.iter().map(bar).collect()
}

/// The types that had most, with how many entries and the length of their bars in percent of the
/// longest.
pub(crate) fn top_types(activity: &DailyActivity, most: usize) -> Vec<(Type, u64, u64)> {
    let mut sums: BTreeMap<&Type, u64> = BTreeMap::new();
    for (kind, count) in activity.days.iter().flat_map(|day| &day.types) {
        *sums.entry(kind).or_default() += count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let highest = sums.first().map_or(1, |(_, count)| *count);
    let row = |(kind, count): (&Type, u64)| (kind.clone(), count, (count * 100).div_ceil(highest));
    sums.into_iter().take(most).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_logs_model::Timestamp;

    fn day(counts: &[(&str, u64)], success: u64) -> DayActivity {
        let total = counts.iter().map(|(_, count)| count).sum();
        let mut outcomes = BTreeMap::new();
        if success > 0 {
            outcomes.insert(Outcome::Success, success);
        }
        if total > success {
            outcomes.insert(Outcome::Denied, total - success);
        }
        DayActivity {
            date: String::new(),
            from: Timestamp::EPOCH,
            to: Timestamp::EPOCH,
            total,
            types: counts.iter().map(|(kind, count)| (kind.parse().unwrap(), *count)).collect(),
            outcomes,
        }
    }

    #[test]
    fn bars_are_as_high_as_the_busiest_day() {
        let days = [day(&[], 0), day(&[("Users", 1_000)], 990), day(&[("Users", 1)], 1)];
        let heights: Vec<_> = bars(&days).iter().map(|b| (b.height, b.undone_height)).collect();
        assert_eq!(heights, [(0, 0), (100, 1), (1, 0)]);
        assert_eq!(bars(&days)[1].undone, 10);
        assert_eq!(bars(&[day(&[], 0)])[0].height, 0);
    }

    #[test]
    fn the_types_with_most_come_first() {
        let days =
            vec![day(&[("Users", 2), ("Plans", 3)], 5), day(&[("Users", 4), ("Invoices", 1)], 5)];
        let activity = DailyActivity {
            time_zone: String::new(),
            days,
            as_of: "kq3mTz0cT4mJxk9vL1bq2w".parse().unwrap(),
        };
        let top = top_types(&activity, 2);
        let top: Vec<_> =
            top.iter().map(|(kind, n, length)| (kind.as_str(), *n, *length)).collect();
        assert_eq!(top, [("Users", 6, 100), ("Plans", 3, 50)]);
    }
}
