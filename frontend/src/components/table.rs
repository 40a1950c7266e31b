//! The table of entries.

use activity_logs_model::{JsonText, Outcome, ServedEntry};
use leptos::prelude::*;

use super::widths::{COLUMNS, Resizer, Widths};
use crate::browser::{element, local_time, time_zone};
use crate::logic::values::{short, visible};

/// How much of a value a cell shows, in characters.
const CELL: usize = 120;

const HEADS: [&str; COLUMNS] = [
    "Time",
    "Type",
    "Action",
    "User",
    "Organization",
    "Workspace",
    "Identifier",
    "Old Value",
    "New Value",
];

/// The nine columns, newest first.
#[component]
pub(crate) fn LogTable(
    entries: Vec<ServedEntry>,
    /// Whether newer rows are under way.
    busy: Signal<bool>,
    /// The id of the entry that is open.
    opened: Signal<Option<String>>,
    open: Callback<String>,
    widths: Widths,
) -> impl IntoView {
    let choose = move |event: web_sys::MouseEvent| {
        let row = event_target::<web_sys::Element>(&event).closest("tr[data-id]").ok().flatten();
        if let Some(id) = row.and_then(|row| row.get_attribute("data-id")) {
            open.run(id);
        }
    };
    let frame = NodeRef::<leptos::html::Div>::new();
    frame.on_load(move |frame| widths.fill(frame.client_width()));
    Effect::new(move |_| mark(opened.get()));
    view! {
        <div class="table-frame" node_ref=frame tabindex="0" role="region" aria-label="Activity, newest first" aria-busy=move || busy.get().to_string()>
            <table class="log" style:width=move || format!("{}px", widths.total())>
                <colgroup>
                    {(0..COLUMNS).map(|column| view! { <col style:width=move || format!("{}px", widths.get(column))/> }).collect_view()}
                </colgroup>
                <thead>
                    <tr>
                        {HEADS.into_iter().enumerate().map(|(column, label)| view! {
                            <th scope="col" aria-sort=(column == 0).then_some("descending")>
                                <span class="cell">{label}{(column == 0).then(|| view! { <small title="Your time zone, newest first">{format!(" ({}) ↓", time_zone())}</small> })}</span>
                                <Resizer widths=widths column=column label=label/>
                            </th>
                        }).collect_view()}
                    </tr>
                </thead>
                <tbody on:click=choose>
                    {entries.into_iter().map(row).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

/// Marks the row of the open entry; one effect for the table is less work than one for each row.
fn mark(opened: Option<String>) {
    if let Some(row) = element("table.log tr[aria-selected=true]") {
        let _ = row.set_attribute("aria-selected", "false");
    }
    let row = opened.and_then(|id| element(&format!("table.log tr[data-id='{id}']")));
    if let Some(row) = row {
        let _ = row.set_attribute("aria-selected", "true");
    }
}

fn row(entry: ServedEntry) -> impl IntoView {
    let text = |text: String| {
        let text = visible(&text);
        view! { <span class="cell text" title=text.clone()>{text.clone()}</span> }
    };
    let value = |value: Option<JsonText>, class| {
        value.map(|value| {
            let text = visible(&short(&value, CELL));
            view! { <span class=class title=text.clone()>{text.clone()}</span> }
        })
    };
    let utc = entry.occurred_at.to_string();
    view! {
        <tr data-id=entry.id.to_string() aria-selected="false">
            <td class="time">
                <button class="cell open" type="button" title=format!("{utc} (UTC)")>
                    <time datetime=utc.clone()>{local_time(entry.occurred_at)}</time>
                </button>
            </td>
            <td>{text(entry.kind.label())}</td>
            <td><span class="cell"><OutcomeBadge outcome=entry.outcome/>{entry.action.label()}</span></td>
            <td>{text(entry.user.name)}</td>
            <td>{entry.organization.map(|organization| text(organization.name))}</td>
            <td>{entry.workspace.map(|workspace| text(workspace.name))}</td>
            <td>{text(entry.identifier)}</td>
            <td>{value(entry.old_value, "cell value before text")}</td>
            <td>{value(entry.new_value, "cell value after text")}</td>
        </tr>
    }
}

/// Says at a glance that something was not done.
#[component]
pub(crate) fn OutcomeBadge(outcome: Outcome) -> impl IntoView {
    let class = match outcome {
        Outcome::Success => return None,
        Outcome::Denied => "badge denied",
        Outcome::Failure => "badge failure",
    };
    // First, so that a narrow column cuts what follows it.
    Some(view! { <span class=class>{outcome.as_str()}</span>" " })
}
