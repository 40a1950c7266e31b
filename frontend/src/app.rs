//! The frame around every page: navigation, who is signed in, and the routes.

use activity_logs_model::Role;
use activity_logs_model::wire::Me;
use leptos::prelude::*;
use leptos_router::components::{A, FlatRoutes, Route, Router};
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::{NavigateOptions, path};
use wasm_bindgen::JsCast as _;

use crate::browser::{focus, keep, kept, local_storage, matches, set_title};
use crate::components::states::Failed;
use crate::components::switcher::Switcher;
use crate::pages::activity_logs::ActivityLogs;
use crate::pages::dashboard::Dashboard;
use crate::pages::sign_in::{Offered, SignIn};
use crate::session::{Session, Sessions, State};
use crate::url::{dashboard_path, log_path, organization_of};

const THEME: &str = "activity-logs.theme";

/// The app.
#[component]
pub(crate) fn App() -> impl IntoView {
    let sessions = Sessions::start();
    provide_context(sessions);
    let theme = RwSignal::new(kept(local_storage(), THEME));
    Effect::new(move |_| {
        if let (Some(theme), Some(root)) = (theme.get(), document().document_element()) {
            let _ = root.set_attribute("data-theme", &theme);
        }
    });
    view! {
        <Router>
            {move || match sessions.get() {
                State::Trying => view! { <main class="sign-in"><p role="status">"Signing in …"</p></main> }.into_any(),
                State::Stuck(failure, token) => {
                    let retry = Callback::new(move |()| sessions.sign_in(token.clone()));
                    view! { <main class="sign-in"><h1 class="visually-hidden">"Activity Logs"</h1><Failed failure=failure retry=retry/></main> }.into_any()
                }
                State::Offered(offer) => view! { <Offered offer=offer/> }.into_any(),
                State::Out(why) => view! { <SignIn why=why/> }.into_any(),
                State::In(session) => view! { <Frame session=session theme=theme/> }.into_any(),
            }}
        </Router>
    }
}

#[component]
fn Frame(session: Session, theme: RwSignal<Option<String>>) -> impl IntoView {
    let sessions = crate::session::sessions();
    let path = use_location().pathname;
    let organization = Memo::new(move |_| organization_of(&path.get()));
    provide_context(session.clone());
    // A new page is announced, and the keyboard starts at its beginning.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            focus("#content");
        }
        now
    });
    let is_offline = RwSignal::new(!window().navigator().on_line());
    let listeners = [
        window_event_listener_untyped("offline", move |_| is_offline.set(true)),
        window_event_listener_untyped("online", move |_| is_offline.set(false)),
    ];
    on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
    // The router would decode a link's path before it goes there, and an id with a percent sign or
    // a backslash would become another one.
    let navigate = use_navigate();
    let follow = move |event: web_sys::MouseEvent| {
        if let Some(href) = organization_link(&event) {
            event.prevent_default();
            navigate(&href, NavigateOptions::default());
        }
    };
    let me = session.me.clone();
    let role = move || organization.with(|id| role(&me, id.as_deref()));
    let is_dark = move || match theme.get_untracked() {
        Some(theme) => theme == "dark",
        None => matches("(prefers-color-scheme: dark)"),
    };
    let turn = move |_| {
        let other = if is_dark() { "light" } else { "dark" };
        keep(local_storage(), THEME, other);
        theme.set(Some(other.to_owned()));
    };
    view! {
        <a class="skip-link" href="#content" on:click=|event| { event.prevent_default(); focus("#content"); }>"Skip to the content"</a>
        <header class="topbar" on:click=follow.clone()>
            <A href="/" attr:class="brand">"Activity Logs"</A>
            <nav class="main-nav" aria-label="Main"><A href="/activity-logs">"All activity"</A></nav>
            <Switcher current=organization/>
            <div class="who">
                <span class="text">{session.me.name.clone()}</span>
                <small class="role">{role}</small>
                <button class="quiet" type="button" on:click=turn>"Theme"</button>
                <button class="quiet" type="button" on:click=move |_| sessions.sign_out(None)>"Sign out"</button>
            </div>
        </header>
        <div role="status">
            {move || is_offline.get().then(|| view! {
                <p class="notice offline">"You are offline. What you see stays; nothing newer can be shown until you are back."</p>
            })}
        </div>
        <div class="layout" on:click=follow>
            {move || organization.get().map(|id| view! {
                <aside class="sidebar">
                    <nav aria-label="Organization">
                        <A href=dashboard_path(&id) exact=true>"Dashboard"</A>
                        <A href=log_path(&id)>"Activity Logs"</A>
                    </nav>
                </aside>
            })}
            <main class="content" id="content" tabindex="-1">
                <FlatRoutes fallback=NotFound>
                    <Route path=path!("/") view=Start/>
                    <Route path=path!("/activity-logs") view=ActivityLogs/>
                    <Route path=path!("/organizations/:organization") view=Dashboard/>
                    <Route path=path!("/organizations/:organization/activity-logs") view=ActivityLogs/>
                </FlatRoutes>
            </main>
        </div>
    }
}

/// Where a click leads, if it follows a link to a page of an organization in this tab.
fn organization_link(event: &web_sys::MouseEvent) -> Option<String> {
    let elsewhere = event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || elsewhere {
        return None;
    }
    let clicked: web_sys::Element = event.target()?.dyn_into().ok()?;
    let href = clicked.closest("a[href]").ok()??.get_attribute("href")?;
    organization_of(&href).map(|_| href)
}

/// What somebody is, in the organization whose page is shown.
fn role(me: &Me, organization: Option<&str>) -> &'static str {
    let member =
        |id| me.organizations.iter().flatten().find(|membership| membership.id.as_str() == id);
    match (me.role, organization) {
        (Role::Admin, _) => "Administrator",
        (Role::Service, _) => "Service",
        (Role::User, None) => "User",
        (Role::User, Some(id)) => match member(id).map(|membership| &membership.workspaces) {
            Some(None) => "Member",
            Some(Some(_)) => "Member, some workspaces",
            None => "Guest",
        },
    }
}

/// Leads to where somebody most likely wants to be.
#[component]
fn Start() -> impl IntoView {
    let session = expect_context::<Session>();
    let first = session
        .me
        .organizations
        .iter()
        .flatten()
        .next()
        .map(|organization| organization.id.to_string());
    let granted = session.me.workspaces.first().map(|grant| grant.organization_id.to_string());
    let target = match first.or(granted) {
        Some(id) => dashboard_path(&id),
        None => "/activity-logs".to_owned(),
    };
    view! { <leptos_router::components::Redirect path=target/> }
}

#[component]
fn NotFound() -> impl IntoView {
    set_title("Not found");
    view! {
        <section class="state">
            <h1>"There is no such page"</h1>
            <p>"The address may be mistyped, or the page has moved."</p>
            <A href="/">"Go to the start"</A>
        </section>
    }
}
