//! Values before and after, in words that a person reads.

use activity_logs_model::JsonText;
use leptos::prelude::*;

use crate::logic::values::{Change, change, visible};

/// What changed, field by field.
#[component]
pub(crate) fn ChangeView(old: Option<JsonText>, new: Option<JsonText>) -> impl IntoView {
    let side = |class: &'static str, text: Option<String>| {
        text.map(|text| view! { <span class=format!("{class} text")>{visible(&text)}</span> })
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
    match change(old.as_ref(), new.as_ref()) {
        Change::None => view! { <p>"This action carries no values."</p> }.into_any(),
        Change::Simple { before, after } => both(before, after).into_any(),
        Change::Fields(fields) => view! {
            <dl class="fields">
                {fields.into_iter().map(|field| view! {
                    <dt class="text">{visible(&field.name)}</dt>
                    <dd>{both(field.before, field.after)}</dd>
                }).collect_view()}
            </dl>
        }
        .into_any(),
    }
}
