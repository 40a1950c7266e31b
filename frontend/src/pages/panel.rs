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
    open: Callback<String>,
    /// The entries above and below in the list, where it has this one.
    beside: Memo<Option<(Option<String>, Option<String>)>>,
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
    let above = move || beside.get().and_then(|(above, _)| above);
    let below = move || beside.get().and_then(|(_, below)| below);
    let go = move |id: Option<String>| id.into_iter().for_each(|id| open.run(id));
    let key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "Escape" => close.run(()),
        "ArrowUp" if event.alt_key() => go(above()),
        "ArrowDown" if event.alt_key() => go(below()),
        _ => {}
    };
    view! {
        <aside class="panel" node_ref=frame tabindex="-1" aria-label="Entry" on:keydown=key>
            <div class="panel-head">
                <button class="quiet" type="button" title="Alt+Up" disabled=move || above().is_none() on:click=move |_| go(above())>"Previous"</button>
                <button class="quiet" type="button" title="Alt+Down" disabled=move || below().is_none() on:click=move |_| go(below())>"Next"</button>
                <button class="quiet" type="button" title="Escape" on:click=move |_| close.run(())>"Close"</button>
            </div>
            {move || match answer.get() {
                None => view! { <Skeleton rows=8/> }.into_any(),
                Some(Err(failure)) => view! { <Failed failure=failure retry=load/> }.into_any(),
                Some(Ok(entry)) => view! { <EntryDetails entry=entry change=change/> }.into_any(),
            }}
        </aside>
    }
}
