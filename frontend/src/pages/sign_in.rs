//! Signing in: as one of the people of a demo, or with a token.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::api::{Anonymous, DemoPerson};
use crate::ask::ask;
use crate::browser::set_title;
use crate::session::{Offer, sessions};
use crate::url::dashboard_path;

/// The page of everybody who is not signed in. `why` says what ended the session before.
#[component]
pub(crate) fn SignIn(why: Option<String>) -> impl IntoView {
    let sessions = sessions();
    set_title("Sign in");
    // A person who was thrown out comes back to the page they were on; a demo's starts anew.
    let returning = why.is_some();
    let demo = ask(|| async { Anonymous.demo().await.ok() });
    let token = RwSignal::new(String::new());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !token.get_untracked().trim().is_empty() {
            sessions.sign_in(token.get_untracked());
        }
    };
    view! {
        <main class="sign-in">
            <section class="card">
                <h1>"Activity Logs"</h1>
                {why.map(|why| view! { <p class="notice" role="alert">{why}</p> })}
                {move || demo.get().flatten().map(|demo| view! {
                    <h2>"Look around as"</h2>
                    <ul class="people">
                        {demo.people.into_iter().map(|person| view! { <Person person=person returning=returning/> }).collect_view()}
                    </ul>
                })}
                <form class="token-form" on:submit=submit>
                    <label for="token">"Sign in with a token"</label>
                    <textarea
                        id="token"
                        rows="3"
                        spellcheck="false"
                        autocomplete="off"
                        placeholder="eyJ…"
                        prop:value=move || token.get()
                        on:input=move |event| token.set(event_target_value(&event))
                    ></textarea>
                    <button class="primary" type="submit">"Sign in"</button>
                </form>
            </section>
        </main>
    }
}

/// Asks whether a link may sign somebody in while somebody is signed in.
#[component]
pub(crate) fn Offered(offer: Offer) -> impl IntoView {
    let sessions = sessions();
    set_title("Sign in");
    let (given, kept) = offer.names();
    let stay = {
        let offer = offer.clone();
        move |_| sessions.decide(offer.clone(), false)
    };
    let switch = move |_| sessions.decide(offer.clone(), true);
    view! {
        <main class="sign-in">
            <section class="card">
                <h1>"Sign in as somebody else?"</h1>
                <p>
                    "The link that you opened signs in " <bdi class="text">{given}</bdi>
                    ". You are signed in as " <bdi class="text">{kept}</bdi>
                    ". If you did not expect this, stay signed in."
                </p>
                <div class="choices">
                    <button class="primary" type="button" on:click=stay>"Stay signed in"</button>
                    <button type="button" on:click=switch>"Sign in with the link"</button>
                </div>
            </section>
        </main>
    }
}

#[component]
fn Person(person: DemoPerson, returning: bool) -> impl IntoView {
    let sessions = sessions();
    let navigate = use_navigate();
    let target = match &person.organization {
        Some(id) => dashboard_path(id),
        None => "/activity-logs".to_owned(),
    };
    let choose = move |_| {
        if !returning {
            navigate(&target, NavigateOptions { replace: true, ..NavigateOptions::default() });
        }
        sessions.sign_in(person.token.clone());
    };
    view! {
        <li>
            <button class="person" type="button" on:click=choose>
                <span class="person-title">{person.title}</span>
                <span class="person-name text">{person.name}</span>
            </button>
        </li>
    }
}
