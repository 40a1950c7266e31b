//! The open entry, beside the list.

use leptos::prelude::*;

use crate::ask::ask;
use crate::components::filters::Change;
use crate::components::panel::EntryDetails;
use crate::components::states::{Failed, Skeleton};
use crate::session::{Session, sessions};

/// The open entry, asked for by itself: its address can be shared.
#[component]
pub(crate) fn Panel(
    organization: Option<String>,
    id: String,
    close: Callback<()>,
    /// Opens the entry so many rows further down.
    beside: Callback<isize>,
    change: Callback<Change>,
) -> impl IntoView {
    let client = expect_context::<Session>().client;
    let sessions = sessions();
    let attempt = RwSignal::new(0_u32);
    let answer = ask(move || {
        attempt.track();
        let (client, organization, id) = (client.clone(), organization.clone(), id.clone());
        async move { sessions.heeded(client.entry(organization.as_deref(), &id).await) }
    });
    let load = Callback::new(move |()| attempt.update(|attempt| *attempt += 1));
    let frame = NodeRef::<leptos::html::Aside>::new();
    frame.on_load(|frame| {
        let _ = frame.focus();
    });
    let key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "Escape" => close.run(()),
        "ArrowUp" if event.alt_key() => beside.run(-1),
        "ArrowDown" if event.alt_key() => beside.run(1),
        _ => {}
    };
    let button = |label: &'static str, keys: &'static str, act: Box<dyn Fn()>| {
        view! { <button class="quiet" type="button" title=keys aria-keyshortcuts=keys on:click=move |_| act()>{label}</button> }
    };
    view! {
        <aside class="panel" node_ref=frame tabindex="-1" aria-label="Entry" on:keydown=key>
            <div class="panel-head">
                {button("Previous", "Alt+ArrowUp", Box::new(move || beside.run(-1)))}
                {button("Next", "Alt+ArrowDown", Box::new(move || beside.run(1)))}
                {button("Close", "Escape", Box::new(move || close.run(())))}
            </div>
            {move || match answer.get() {
                None => view! { <Skeleton rows=8/> }.into_any(),
                Some(Err(failure)) => view! { <Failed failure=failure retry=load/> }.into_any(),
                Some(Ok(entry)) => view! { <EntryDetails entry=entry change=change/> }.into_any(),
            }}
        </aside>
    }
}
