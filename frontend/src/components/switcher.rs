//! The way from one organization to another.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::ask::ask;
use crate::browser::{element, focus, number};
use crate::session::Session;
use crate::url::dashboard_path;

/// A searchable list of the organizations one may open.
#[component]
pub(crate) fn Switcher(
    /// The organization whose page is shown.
    current: Memo<Option<String>>,
) -> impl IntoView {
    let session = expect_context::<Session>();
    let search = RwSignal::new(String::new());
    let open = RwSignal::new(false);
    let client = session.client.clone();
    let found = ask(move || {
        let (client, text, open) = (client.clone(), search.get(), open.get());
        async move { if open { client.organizations(text.trim()).await.ok() } else { None } }
    });
    let client = session.client.clone();
    let name = ask(move || {
        let (client, id) = (client.clone(), current.get());
        async move {
            let id = id?;
            let found = client.organizations(&id).await.ok()?;
            found.items.into_iter().find(|item| item.id.as_str() == id).map(|item| item.name)
        }
    });
    let label = move || match current.get() {
        Some(id) => name.get().flatten().unwrap_or(id),
        None => "Choose an organization".to_owned(),
    };
    let shut = move || {
        open.set(false);
        search.set(String::new());
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            shut();
            focus(".switcher summary");
        }
    };
    // A press anywhere else closes the list, as with any menu.
    let elsewhere = window_event_listener(leptos::ev::pointerdown, move |event| {
        let inside = element(".switcher").is_some_and(|switcher| {
            switcher.contains(Some(&event_target::<web_sys::Node>(&event)))
        });
        if !inside && open.get_untracked() {
            shut();
        }
    });
    on_cleanup(move || elsewhere.remove());
    let item = move |id: String, name: String| {
        let is_current = current.get_untracked().as_deref() == Some(id.as_str());
        view! {
            <li on:click=move |_| shut() class:current=is_current>
                <A href=dashboard_path(&id)><span class="text">{name}</span></A>
            </li>
        }
    };
    view! {
        <details class="switcher" prop:open=move || open.get() on:keydown=key on:toggle=move |event| {
            let is_open = event_target::<web_sys::Element>(&event).has_attribute("open");
            if is_open != open.get_untracked() {
                open.set(is_open);
            }
            if is_open {
                focus(".switcher .search");
            }
        }>
            <summary>{label}</summary>
            <div class="switcher-list">
                <input
                    class="search"
                    type="search"
                    placeholder="Search"
                    aria-label="Search organizations"
                    prop:value=move || search.get()
                    on:input=move |event| search.set(event_target_value(&event))
                />
                {move || found.get().flatten().map(|list| {
                    let (shown, total) = (list.items.len() as u64, list.total);
                    view! {
                        <ul>{list.items.into_iter().map(|found| item(found.id.to_string(), found.name)).collect_view()}</ul>
                        <p class="hint" role="status">{match (shown, total) {
                            (0, _) => "None has this in its name or id.".to_owned(),
                            (shown, total) if shown < total => format!("{} of {}; search to find the others.", number(shown), number(total)),
                            _ => String::new(),
                        }}</p>
                    }
                })}
            </div>
        </details>
    }
}
