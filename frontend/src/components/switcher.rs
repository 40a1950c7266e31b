//! The way from one organization to another.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::session::Session;

/// A searchable list of the organizations one may open.
#[component]
pub(crate) fn Switcher(
    /// The organization whose page is shown.
    current: Memo<Option<String>>,
) -> impl IntoView {
    let session = expect_context::<Session>();
    let search = RwSignal::new(String::new());
    let open = RwSignal::new(false);
    let client = session.client;
    let found = LocalResource::new(move || {
        let (client, text, open) = (client.clone(), search.get(), open.get());
        async move { if open { client.organizations(text.trim()).await.ok() } else { None } }
    });
    view! {
        <details class="switcher" prop:open=move || open.get() on:toggle=move |event| {
            let details = event_target::<web_sys::Element>(&event);
            open.set(details.has_attribute("open"));
        }>
            <summary>{move || current.get().unwrap_or_else(|| "Choose an organization".to_owned())}</summary>
            <div class="switcher-list">
                <input
                    class="search"
                    type="search"
                    placeholder="Search"
                    aria-label="Search organizations"
                    prop:value=move || search.get()
                    on:input=move |event| search.set(event_target_value(&event))
                />
                <ul>
                    {move || found.get().flatten().map(|list| list.items.into_iter().map(|item| view! {
                        <li on:click=move |_| open.set(false)>
                            <A href=format!("/organizations/{}", item.id)><span class="text">{item.name}</span></A>
                        </li>
                    }).collect_view())}
                </ul>
            </div>
        </details>
    }
}
