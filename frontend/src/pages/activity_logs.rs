//! The log: of one organization, or of everything the viewer sees.

use activity_logs_model::paging::Scope;
use activity_logs_model::wire::Listing;
use activity_logs_model::{Entry, PageSize};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map};

use crate::api::Failure;
use crate::browser::{keep, kept, session_storage};
use crate::components::filters::{Change, Chips, Filters};
use crate::components::pager::{Pager, Paging};
use crate::components::panel::EntryDetails;
use crate::components::states::{Empty, Failed, Skeleton};
use crate::components::table::LogTable;
use crate::components::widths::Widths;
use crate::session::{Session, sessions};
use crate::url::ListState;

const PAGE_SIZE: &str = "activity-logs.page-size";

fn remembered_page_size() -> PageSize {
    let kept = kept(session_storage(), PAGE_SIZE);
    let size = PageSize::ALL.into_iter().find(|size| kept == Some(size.get().to_string()));
    size.unwrap_or_default()
}

/// The page of the log that the address names.
#[component]
pub(crate) fn ActivityLogs() -> impl IntoView {
    let session = expect_context::<Session>();
    let sessions = sessions();
    let params = use_params_map();
    let organization = Memo::new(move |_| params.with(|params| params.get("organization")));
    let global = organization.get_untracked().is_none();
    let location = use_location();
    let (path, search) = (location.pathname, location.search);
    let catalog = session.catalog.clone();
    let state = {
        let catalog = catalog.clone();
        Memo::new(move |_| {
            let scope =
                if organization.get().is_none() { Scope::Global } else { Scope::Organization };
            let parsed = ListState::parse(&search.get(), scope, &catalog, remembered_page_size());
            parsed.map_err(|problem| Failure::Problem(Box::new(problem)))
        })
    };
    let navigate = use_navigate();
    let go = Callback::new(move |state: ListState| {
        let target = format!("{}?{}", path.get_untracked(), state.to_query());
        navigate(&target, NavigateOptions { scroll: false, ..NavigateOptions::default() });
    });

    // The rows stay, dimmed, until those of another page are there.
    let answer = RwSignal::new(None::<Result<Listing, Failure>>);
    let busy = RwSignal::new(true);
    let attempt = RwSignal::new(0_u32);
    let newest = StoredValue::new(0_u32);
    // What is open does not change the list, so it does not ask for the list again.
    let listed =
        Memo::new(move |_| (organization.get(), state.get().map(|state| state.parameters)));
    let client = session.client.clone();
    Effect::new(move |_| {
        attempt.track();
        let (organization, parameters) = listed.get();
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(failure) => return answer.set(Some(Err(failure))),
        };
        newest.update_value(|newest| *newest += 1);
        let (client, turn) = (client.clone(), newest.get_value());
        busy.set(true);
        spawn_local(async move {
            let got = client.list(organization.as_deref(), &parameters.to_query()).await;
            if newest.try_get_value() != Some(turn) {
                return;
            }
            if let Err(failure) = &got {
                sessions.heed(failure);
            }
            answer.set(Some(got));
            busy.set(false);
        });
    });

    let change = Callback::new(move |change: Change| {
        if let Ok(state) = state.get_untracked() {
            go.run(state.changed(change));
        }
    });
    let clear = Callback::new(move |()| {
        change.run(Box::new(|parameters| parameters.filter = Default::default()));
    });
    let refresh = move |_| {
        if let Ok(now) = state.get_untracked() {
            if now.parameters.as_of.is_some() {
                let parameters =
                    activity_logs_model::ListingParameters { as_of: None, ..now.parameters };
                go.run(ListState { parameters, entry: None });
            } else {
                attempt.update(|attempt| *attempt += 1);
            }
        }
    };
    let retry = Callback::new(move |()| match state.get_untracked() {
        Ok(_) => attempt.update(|attempt| *attempt += 1),
        Err(_) => window().location().set_search("").unwrap_or_default(),
    });
    let as_of = move || {
        answer.with_untracked(|answer| answer.as_ref()?.as_ref().ok().map(|listing| listing.as_of))
    };
    let opened = Signal::derive(move || state.get().ok().and_then(|state| state.entry));
    let open = Callback::new(move |id: String| {
        if let (Ok(state), Some(as_of)) = (state.get_untracked(), as_of()) {
            go.run(state.open(Some(id), as_of));
        }
    });
    let close = Callback::new(move |()| {
        if let (Ok(state), Some(as_of)) = (state.get_untracked(), as_of()) {
            go.run(state.open(None, as_of));
        }
    });
    let go_to = Callback::new(move |page: u64| {
        if let (Ok(state), Some(as_of)) = (state.get_untracked(), as_of()) {
            go.run(state.page(page, as_of));
        }
    });
    let resize = Callback::new(move |size: PageSize| {
        keep(session_storage(), PAGE_SIZE, &size.get().to_string());
        change.run(Box::new(move |parameters| parameters.page_size = size));
    });
    let beside = Callback::new(move |step: isize| {
        let ids: Vec<String> = answer.with_untracked(|answer| match answer {
            Some(Ok(listing)) => listing.items.iter().map(|entry| entry.id.to_string()).collect(),
            _ => Vec::new(),
        });
        let at = opened.get_untracked().and_then(|id| ids.iter().position(|other| *other == id));
        if let Some(id) = at.and_then(|at| ids.get(at.checked_add_signed(step)?)) {
            open.run(id.clone());
        }
    });
    let widths = Widths::load();
    let filter =
        Memo::new(move |_| state.get().map(|state| state.parameters.filter).unwrap_or_default());
    let page_size =
        move || state.get().map_or(PageSize::default(), |state| state.parameters.page_size);

    view! {
        <div class="page-head">
            <h1>{if global { "All activity" } else { "Activity Logs" }}</h1>
            <div class="actions">
                <button class="quiet" type="button" on:click=move |_| widths.reset()>"Reset widths"</button>
                <button class="primary" type="button" on:click=refresh>"Refresh"</button>
            </div>
        </div>
        <Filters catalog=catalog global=global change=change/>
        {move || view! { <Chips filter=filter.get() change=change/> }}
        {move || match answer.get() {
            None => view! { <Skeleton rows=page_size().get()/> }.into_any(),
            Some(Err(failure)) => view! { <Failed failure=failure retry=retry/> }.into_any(),
            Some(Ok(listing)) if listing.total == 0 => {
                let filtered = !filter.get_untracked().to_parameters().is_empty();
                view! { <Empty filtered=filtered clear=clear/> }.into_any()
            }
            Some(Ok(listing)) => {
                let paging = Paging {
                    page: listing.page,
                    page_size: PageSize::ALL.into_iter().find(|size| size.get() == listing.page_size).unwrap_or_default(),
                    shown: listing.items.len() as u64,
                    total: listing.total,
                };
                view! {
                    <LogTable entries=listing.items busy=busy.into() opened=opened open=open widths=widths/>
                    <Pager paging=paging go=go_to resize=resize/>
                }.into_any()
            }
        }}
        {move || opened.get().map(|id| view! { <Panel organization=organization.get_untracked() id=id close=close beside=beside/> })}
    }
}

/// The open entry, asked for by itself: its address can be shared.
#[component]
fn Panel(
    organization: Option<String>,
    id: String,
    close: Callback<()>,
    beside: Callback<isize>,
) -> impl IntoView {
    let client = expect_context::<Session>().client;
    let sessions = sessions();
    let answer = RwSignal::new(None::<Result<Entry, Failure>>);
    let load = Callback::new(move |()| {
        let (client, organization, id) = (client.clone(), organization.clone(), id.clone());
        spawn_local(async move {
            let got = client.entry(organization.as_deref(), &id).await;
            if let Err(failure) = &got {
                sessions.heed(failure);
            }
            let _ = answer.try_set(Some(got));
        });
    });
    load.run(());
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
    view! {
        <aside class="panel" node_ref=frame tabindex="-1" aria-label="Entry" on:keydown=key>
            <div class="panel-head">
                <button class="quiet" type="button" title="Alt+Up" on:click=move |_| beside.run(-1)>"Previous"</button>
                <button class="quiet" type="button" title="Alt+Down" on:click=move |_| beside.run(1)>"Next"</button>
                <button class="quiet" type="button" title="Escape" on:click=move |_| close.run(())>"Close"</button>
            </div>
            {move || match answer.get() {
                None => view! { <Skeleton rows=8/> }.into_any(),
                Some(Err(failure)) => view! { <Failed failure=failure retry=load/> }.into_any(),
                Some(Ok(entry)) => view! { <EntryDetails entry=entry/> }.into_any(),
            }}
        </aside>
    }
}
