//! The dashboard's charts: how much happened on each day, and of which types.

use activity_logs_model::wire::{DailyActivity, DayActivity};
use activity_logs_model::{Timestamp, Type};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::browser::{focus, local_day, number};
use crate::logic::chart::{Bar, bars, top_types};

/// How many types are named.
const TYPES: usize = 6;

/// A bar for each day, oldest first; each leads to the day's entries. The arrow keys go from day
/// to day, so that the chart is one stop of the Tab key.
#[component]
pub(crate) fn PerDay(
    activity: DailyActivity,
    /// The address of the log.
    log: String,
) -> impl IntoView {
    let all = bars(&activity.days);
    let last = all.len().saturating_sub(1);
    let highest = all.iter().map(|bar| bar.done).max().unwrap_or(0);
    let some_undone = all.iter().any(|bar| bar.undone > 0);
    let current = RwSignal::new(last);
    let key = move |event: web_sys::KeyboardEvent| {
        let at = current.get_untracked();
        let to = match event.key().as_str() {
            "ArrowLeft" => at.saturating_sub(1),
            "ArrowRight" => (at + 1).min(last),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        current.set(to);
        focus(&format!(".bars li:nth-child({}) a", to + 1));
    };
    let bar = |(index, (day, bar)): (usize, (DayActivity, Bar))| {
        let undone = match bar.undone {
            0 => String::new(),
            undone => format!(", {} denied or failed", number(undone)),
        };
        let name = format!("{}: {}{undone}", local_day(day.from), number(bar.done));
        let href = format!("{log}?{}", span(day.from, day.to));
        view! {
            <li>
                <a href=href title=name.clone() aria-label=name.clone() tabindex=move || if current.get() == index { "0" } else { "-1" }>
                    <span class="bar-done" style:height=format!("{}%", bar.height)>
                        <span class="bar-undone" style:height=format!("{}%", (bar.undone_height * 100).checked_div(bar.height).unwrap_or(0))></span>
                    </span>
                </a>
            </li>
        }
    };
    let ends = activity
        .days
        .first()
        .zip(activity.days.last())
        .map(|(first, last)| (first.from, last.from));
    let (first_day, last_day) =
        ends.map(|(first, last)| (local_day(first), local_day(last))).unwrap_or_default();
    view! {
        <figure class="chart" aria-label="Entries per day">
            <span class="chart-top" aria-hidden="true">{number(highest)}</span>
            <ol class="bars" on:keydown=key>
                {activity.days.into_iter().zip(all).enumerate().map(bar).collect_view()}
            </ol>
            <figcaption><span>{first_day}</span>{some_undone.then(|| view! { <span class="key">"denied or failed"</span> })}<span>{last_day}</span></figcaption>
        </figure>
    }
}

/// The types that had most; each leads to its entries.
#[component]
pub(crate) fn PerType(
    activity: DailyActivity,
    /// The address of the log.
    log: String,
) -> impl IntoView {
    let span = activity
        .days
        .first()
        .zip(activity.days.last())
        .map(|(first, last)| span(first.from, last.to));
    let span = span.unwrap_or_default();
    let row = |(kind, count, length): (Type, u64, u64)| {
        view! {
            <li>
                <A href=format!("{log}?type={kind}&{span}")>{kind.label()}</A>
                <span class="count">{number(count)}</span>
                <span class="length" aria-hidden="true"><span style:width=format!("{length}%")></span></span>
            </li>
        }
    };
    view! {
        <ol class="types">{top_types(&activity, TYPES).into_iter().map(row).collect_view()}</ol>
    }
}

fn span(from: Timestamp, to: Timestamp) -> String {
    format!("from={from}&to={to}")
}
