//! The table of entries.

use activity_logs_model::{Entry, Outcome};
use leptos::prelude::*;

use super::values::ValueCell;
use super::widths::{COLUMNS, Resizer, Widths};
use crate::browser::{local_time, time_zone};

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
    entries: Vec<Entry>,
    /// Whether newer rows are under way.
    busy: Signal<bool>,
    /// The id of the entry that is open.
    opened: Signal<Option<String>>,
    open: Callback<String>,
    widths: Widths,
) -> impl IntoView {
    let zone = time_zone();
    view! {
        <div class="table-frame" tabindex="0" role="region" aria-label="Activity" aria-busy=move || busy.get().to_string()>
            <table class="log" style:width=move || format!("{}px", widths.total())>
                <colgroup>
                    {(0..COLUMNS).map(|column| view! { <col style:width=move || format!("{}px", widths.get(column))/> }).collect_view()}
                </colgroup>
                <thead>
                    <tr>
                        {HEADS.into_iter().enumerate().map(|(column, label)| view! {
                            <th scope="col" aria-sort=(column == 0).then_some("descending")>
                                <span class="cell">{label}{(column == 0).then(|| view! { <small title="Your time zone">{format!(" ({zone})")}</small> })}</span>
                                <Resizer widths=widths column=column label=label/>
                            </th>
                        }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    {entries.into_iter().map(|entry| view! { <Row entry=entry opened=opened open=open/> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Row(entry: Entry, opened: Signal<Option<String>>, open: Callback<String>) -> impl IntoView {
    let id = entry.id.to_string();
    let selected = {
        let id = id.clone();
        move || (opened.get().as_deref() == Some(id.as_str())).to_string()
    };
    let text =
        |text: String| view! { <span class="cell text" title=text.clone()>{text.clone()}</span> };
    let utc = entry.occurred_at.to_string();
    view! {
        <tr aria-selected=selected on:click={ let id = id.clone(); move |_| open.run(id.clone()) }>
            <td class="time">
                <button class="cell open" type="button" title=format!("{utc} (UTC)") aria-label=format!("Open the entry of {utc}")>
                    <time datetime=utc.clone()>{local_time(entry.occurred_at)}</time>
                </button>
            </td>
            <td>{text(entry.kind.label())}</td>
            <td><span class="cell"><OutcomeBadge outcome=entry.outcome/>{entry.action.label()}</span></td>
            <td>{text(entry.user.name)}</td>
            <td>{entry.organization.map(|organization| text(organization.name))}</td>
            <td>{entry.workspace.map(|workspace| text(workspace.name))}</td>
            <td>{text(entry.identifier)}</td>
            <td><span class="cell"><ValueCell value=entry.old_value class="before"/></span></td>
            <td><span class="cell"><ValueCell value=entry.new_value class="after"/></span></td>
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
