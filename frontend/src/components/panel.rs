//! The side panel: everything about one entry.

use activity_logs_model::Entry;
use leptos::prelude::*;

use super::table::OutcomeBadge;
use super::values::ChangeView;
use crate::browser::{copy, local_time, time_zone};

/// One entry with all it has.
#[component]
pub(crate) fn EntryDetails(entry: Entry) -> impl IntoView {
    let json = serde_json::to_value(&entry)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_default();
    let row = |name: &'static str, value: Option<String>| {
        value.map(|value| view! { <dt>{name}</dt><dd class="text">{value}</dd> })
    };
    let named = |name: &str, id: &str| format!("{name} ({id})");
    let id = entry.id.to_string();
    let (id_copy, json_copy) = (id.clone(), json.clone());
    view! {
        <h2 class="text"><OutcomeBadge outcome=entry.outcome/>{entry.kind.label()}" · "{entry.action.label()}</h2>
        <p class="text">{entry.identifier.clone()}</p>
        <ChangeView entry=entry.clone()/>
        <dl class="fields">
            {row("Time", Some(format!("{} ({})", local_time(entry.occurred_at), time_zone())))}
            {row("Time, UTC", Some(entry.occurred_at.to_string()))}
            {row("Recorded, UTC", Some(entry.recorded_at.to_string()))}
            {row("User", Some(named(&entry.user.name, entry.user.id.as_str())))}
            {row("E-mail", entry.user.email.clone())}
            {row("Organization", entry.organization.as_ref().map(|o| named(&o.name, o.id.as_str())))}
            {row("Workspace", entry.workspace.as_ref().map(|w| named(&w.name, w.id.as_str())))}
            {row("Address", entry.context.ip_address.clone())}
            {row("Program", entry.context.user_agent.clone())}
            {row("Request", entry.context.request_id.clone())}
            {row("Place in the log", Some(format!("{} (position {})", entry.sequence, entry.position)))}
            {row("Id", Some(id))}
        </dl>
        <p class="actions">
            <button class="quiet" type="button" on:click=move |_| copy(&id_copy)>"Copy id"</button>
            <button class="quiet" type="button" on:click=move |_| copy(&json_copy)>"Copy JSON"</button>
            <button class="quiet" type="button" on:click=|_| copy(&window().location().href().unwrap_or_default())>"Copy link"</button>
        </p>
        <pre class="json text" tabindex="0">{json}</pre>
    }
}
