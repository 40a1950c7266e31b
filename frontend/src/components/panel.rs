//! The side panel: everything about one entry.

use activity_logs_model::{Filter, ServedEntry};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::filters::Change;
use super::table::OutcomeBadge;
use super::values::ChangeView;
use crate::browser::{copy, local_time, pretty, time_zone};
use crate::logic::values::{visible, visible_json};

/// One entry with all it has.
#[component]
pub(crate) fn EntryDetails(
    entry: ServedEntry,
    /// Narrows the list to what is like this entry.
    change: Callback<Change>,
) -> impl IntoView {
    let json = visible_json(&pretty(&serde_json::to_string(&entry).unwrap_or_default()));
    let row = |name: &'static str, value: Option<String>| {
        value.map(|value| {
            view! { <dt>{name}</dt><dd class="text">{visible(&value)}</dd> }.into_any()
        })
    };
    let named = |label: &'static str, name: &str, id: &str, narrow: fn(&mut Filter, &str)| {
        let wanted = id.to_owned();
        let narrow = move |_| {
            let wanted = wanted.clone();
            change.run(Box::new(move |p| narrow(&mut p.filter, &wanted)));
        };
        view! {
            <dt>{label}</dt>
            <dd class="text">
                {visible(&format!("{name} ({id})"))}
                <button class="quiet only" type="button" aria-label=format!("Show only this {}", label.to_lowercase()) on:click=narrow>"only this"</button>
            </dd>
        }
        .into_any()
    };
    let (user, organization, workspace) = (entry.user, entry.organization, entry.workspace);
    let id = entry.id.to_string();
    let copied = RwSignal::new("");
    let copier = |label: &'static str, said: &'static str, text: Box<dyn Fn() -> String>| {
        let copy = move |_| {
            let text = text();
            spawn_local(async move {
                let done = copy(&text).await;
                copied.set(if done { said } else { "The browser does not let this page copy." });
            });
        };
        view! { <button class="quiet" type="button" on:click=copy>{label}</button> }
    };
    let (id_copy, json_copy) = (id.clone(), json.clone());
    view! {
        <h2 class="text"><OutcomeBadge outcome=entry.outcome/>{entry.kind.label()}" · "{entry.action.label()}</h2>
        <p class="text">{visible(&entry.identifier)}</p>
        <ChangeView old=entry.old_value new=entry.new_value/>
        <dl class="fields">
            {row("Time", Some(format!("{} ({})", local_time(entry.occurred_at), time_zone())))}
            {row("Time, UTC", Some(entry.occurred_at.to_string()))}
            {row("Recorded, UTC", Some(entry.recorded_at.to_string()))}
            {named("User", &user.name, user.id.as_str(), |filter, id| filter.users = id.parse().into_iter().collect())}
            {row("E-mail", user.email)}
            {row("Organization", organization.map(|o| format!("{} ({})", o.name, o.id)))}
            {workspace.map(|w| named("Workspace", &w.name, w.id.as_str(), |filter, id| filter.workspaces = id.parse().into_iter().collect()))}
            {row("Address", entry.context.ip_address)}
            {row("Program", entry.context.user_agent)}
            {row("Request", entry.context.request_id)}
            {row("Asked for", entry.question.as_ref().map(|question| question.as_str().to_owned()))}
            {row("Place in the log", entry.sequence.map(|sequence| sequence.to_string()))}
            {row("Id", Some(id))}
        </dl>
        <p class="actions">
            {copier("Copy id", "The id is copied.", Box::new(move || id_copy.clone()))}
            {copier("Copy JSON", "The JSON is copied.", Box::new(move || json_copy.clone()))}
            {copier("Copy link", "The link is copied.", Box::new(|| window().location().href().unwrap_or_default()))}
            <span role="status">{copied}</span>
        </p>
        <pre class="json text" role="region" tabindex="0" aria-label="The entry as JSON">{json}</pre>
    }
}
