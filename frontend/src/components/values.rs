//! Values before and after, in words that a person reads.

use activity_logs_model::{Entry, JsonText};
use leptos::prelude::*;

use crate::logic::values::{Change, change, short};

/// How much of a value a cell of the table shows, in characters.
const CELL: usize = 120;

/// One value in a cell of the table.
#[component]
pub(crate) fn ValueCell(value: Option<JsonText>, class: &'static str) -> impl IntoView {
    value.map(|value| {
        let text = short(&value, CELL);
        view! { <span class=format!("value {class} text") title=text.clone()>{text.clone()}</span> }
    })
}

/// What changed, field by field.
#[component]
pub(crate) fn ChangeView(entry: Entry) -> impl IntoView {
    let side = |class: &'static str, text: Option<String>| {
        text.map(|text| view! { <span class=format!("{class} text")>{text}</span> })
    };
    let both = move |before: Option<String>, after: Option<String>| {
        let arrow = before.is_some() && after.is_some();
        view! {
            <span class="value">
                {side("before", before)}
                {arrow.then(|| view! { <span class="arrow">" → "</span> })}
                {side("after", after)}
            </span>
        }
    };
    match change(entry.old_value.as_ref(), entry.new_value.as_ref()) {
        Change::None => view! { <p>"This action carries no values."</p> }.into_any(),
        Change::Simple { before, after } => both(before, after).into_any(),
        Change::Fields(fields) => view! {
            <dl class="fields">
                {fields.into_iter().map(|field| view! {
                    <dt class="text">{field.name}</dt>
                    <dd>{both(field.before, field.after)}</dd>
                }).collect_view()}
            </dl>
        }
        .into_any(),
    }
}
