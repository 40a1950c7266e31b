//! The frame around every page: navigation, who is signed in, and the routes.

use leptos::prelude::*;
use leptos_router::components::{A, Route, Router, Routes};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::browser::{keep, kept, local_storage};
use crate::components::switcher::Switcher;
use crate::pages::activity_logs::ActivityLogs;
use crate::pages::dashboard::Dashboard;
use crate::pages::sign_in::SignIn;
use crate::session::{Session, Sessions, State};

const THEME: &str = "activity-logs.theme";

/// The app.
#[component]
pub(crate) fn App() -> impl IntoView {
    let sessions = Sessions::start();
    provide_context(sessions);
    if let Some(theme) = kept(local_storage(), THEME) {
        set_theme(&theme);
    }
    view! {
        <Router>
            {move || match sessions.get() {
                State::Trying => view! { <main class="sign-in"><p role="status">"Signing in …"</p></main> }.into_any(),
                State::Out(why) => view! { <SignIn why=why/> }.into_any(),
                State::In(session) => view! { <Frame session=session/> }.into_any(),
            }}
        </Router>
    }
}

#[component]
fn Frame(session: Session) -> impl IntoView {
    let sessions = crate::session::sessions();
    let path = use_location().pathname;
    let organization = Memo::new(move |_| {
        let path = path.get();
        let rest = path.strip_prefix("/organizations/")?;
        rest.split('/').next().filter(|id| !id.is_empty()).map(str::to_owned)
    });
    provide_context(session.clone());
    let role = match session.me.role {
        activity_logs_model::Role::Admin => "Administrator",
        activity_logs_model::Role::User => "Member",
        activity_logs_model::Role::Service => "Service",
    };
    view! {
        <a class="skip-link" href="#content">"Skip to the content"</a>
        <header class="topbar">
            <A href="/" attr:class="brand">"Activity Logs"</A>
            <nav class="main-nav" aria-label="Main"><A href="/activity-logs">"All activity"</A></nav>
            <Switcher current=organization/>
            <div class="who">
                <span class="text">{session.me.name.clone()}</span>
                <small class="role">{role}</small>
                <button class="quiet" type="button" on:click=|_| toggle_theme()>"Theme"</button>
                <button class="quiet" type="button" on:click=move |_| sessions.sign_out(None)>"Sign out"</button>
            </div>
        </header>
        <div class="layout">
            {move || organization.get().map(|id| view! {
                <aside class="sidebar">
                    <nav aria-label="Organization">
                        <A href=format!("/organizations/{id}") exact=true>"Dashboard"</A>
                        <A href=format!("/organizations/{id}/activity-logs")>"Activity Logs"</A>
                    </nav>
                </aside>
            })}
            <main class="content" id="content" tabindex="-1">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=Start/>
                    <Route path=path!("/activity-logs") view=ActivityLogs/>
                    <Route path=path!("/organizations/:organization") view=Dashboard/>
                    <Route path=path!("/organizations/:organization/activity-logs") view=ActivityLogs/>
                </Routes>
            </main>
        </div>
    }
}

/// Leads to where somebody most likely wants to be.
#[component]
fn Start() -> impl IntoView {
    let session = expect_context::<Session>();
    let first = session.me.organizations.first().map(|organization| organization.id.to_string());
    let granted = session.me.workspaces.first().map(|grant| grant.organization_id.to_string());
    let target = match first.or(granted) {
        Some(id) => format!("/organizations/{id}"),
        None => "/activity-logs".to_owned(),
    };
    view! { <leptos_router::components::Redirect path=target/> }
}

#[component]
fn NotFound() -> impl IntoView {
    view! {
        <section class="state">
            <h2>"There is no such page"</h2>
            <p>"The address may be mistyped, or the page has moved."</p>
            <A href="/">"Go to the start"</A>
        </section>
    }
}

fn set_theme(theme: &str) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-theme", theme);
    }
}

fn toggle_theme() {
    let current = document().document_element().and_then(|root| root.get_attribute("data-theme"));
    let dark = match current.as_deref() {
        Some(theme) => theme == "dark",
        None => window()
            .match_media("(prefers-color-scheme: dark)")
            .ok()
            .flatten()
            .is_some_and(|query| query.matches()),
    };
    let theme = if dark { "light" } else { "dark" };
    set_theme(theme);
    keep(local_storage(), THEME, theme);
}
