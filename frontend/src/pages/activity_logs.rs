//! The log: of one organization, or of everything the viewer sees.

use activity_logs_model::paging::Scope;
use activity_logs_model::wire::Listing;
use activity_logs_model::{AsOf, Filter, ListingParameters, PageSize};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map};

use super::panel::Panel;
use crate::api::Failure;
use crate::browser::{element, focus, keep, kept, number, session_storage, set_title};
use crate::components::filters::{Change, Chips, Filters};
use crate::components::pager::{Pager, Paging, showing};
use crate::components::states::{Empty, Failed, Skeleton, is_wrong_address};
use crate::components::table::LogTable;
use crate::components::widths::Widths;
use crate::logic::names::Names;
use crate::session::{Session, sessions};
use crate::url::ListState;

const PAGE_SIZE: &str = "activity-logs.page-size";

fn remembered_page_size() -> PageSize {
    let kept = kept(session_storage(), PAGE_SIZE);
    let size = PageSize::ALL.into_iter().find(|size| kept == Some(size.get().to_string()));
    size.unwrap_or_default()
}

/// Which listing: the organization, or all of them, and what was asked for.
type Question = (Option<String>, ListingParameters);

/// What is on screen, and what it answers, pinned to where it looks.
#[derive(Clone)]
struct Shown {
    question: Option<Question>,
    answer: Result<Listing, Failure>,
}

/// What Refresh compares with: the listing as it was, and its total.
type Before = (Option<String>, Filter, u64);

/// The page of the log that the address names.
#[component]
pub(crate) fn ActivityLogs() -> impl IntoView {
    let session = expect_context::<Session>();
    let sessions = sessions();
    let params = use_params_map();
    let organization = Memo::new(move |_| params.with(|params| params.get("organization")));
    let global = organization.get_untracked().is_none();
    let title = if global { "All activity" } else { "Activity Logs" };
    set_title(title);
    let location = use_location();
    let (path, search) = (location.pathname, location.search);
    let catalog = session.catalog.clone();
    let state = {
        let catalog = catalog.clone();
        let scope = if global { Scope::Global } else { Scope::Organization };
        Memo::new(move |_| {
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
    let shown = RwSignal::new(None::<Shown>);
    let busy = RwSignal::new(true);
    let (said, news) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let names = RwSignal::new(Names::default());
    let before = StoredValue::new(None::<Before>);
    let attempt = RwSignal::new(0_u32);
    let newest = StoredValue::new(0_u32);
    // What is open does not change the list, so it does not ask for the list again.
    let asked = Memo::new(move |_| (organization.get(), state.get().map(|state| state.parameters)));
    let client = session.client.clone();
    Effect::new(move |tried: Option<u32>| {
        let attempt = attempt.get();
        let (organization, parameters) = asked.get();
        newest.update_value(|newest| *newest += 1);
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(failure) => {
                shown.set(Some(Shown { question: None, answer: Err(failure) }));
                return attempt;
            }
        };
        let question = (organization.clone(), parameters.clone());
        let is_there = shown.with_untracked(|shown| {
            shown.as_ref().is_some_and(|shown| shown.question.as_ref() == Some(&question))
        });
        if is_there && tried == Some(attempt) {
            busy.set(false);
            return attempt;
        }
        let (client, turn) = (client.clone(), newest.get_value());
        busy.set(true);
        news.set(String::new());
        spawn_local(async move {
            let answer = client.list(organization.as_deref(), &parameters.to_query()).await;
            if newest.try_get_value() != Some(turn) {
                return;
            }
            let mut question = None;
            match &answer {
                Ok(listing) => {
                    names.maybe_update(|names| names.learn(&listing.items));
                    let before = before.try_update_value(Option::take).flatten();
                    let same = before.filter(|(scope, filter, _)| {
                        *scope == organization && *filter == parameters.filter
                    });
                    news.set(
                        same.map(|(.., total)| since(total, listing.total)).unwrap_or_default(),
                    );
                    said.set(showing(&paging(listing)));
                    let as_of = Some(listing.as_of.clone());
                    let pinned = ListingParameters { as_of, ..parameters.clone() };
                    question = Some((organization, pinned));
                }
                Err(Failure::Offline) if is_same_page(shown, &organization, &parameters) => {
                    news.set(
                        "The service can't be reached; these are the entries from before"
                            .to_owned(),
                    );
                    busy.set(false);
                    return;
                }
                Err(failure) => sessions.heed(failure),
            }
            shown.set(Some(Shown { question, answer }));
            busy.set(false);
            to_first_row();
        });
        attempt
    });
    let listing = move || {
        shown.with_untracked(|shown| shown.as_ref().and_then(|shown| shown.answer.clone().ok()))
    };

    let change = Callback::new(move |change: Change| {
        if let Ok(state) = state.get_untracked() {
            go.run(state.changed(change));
        }
    });
    let clear = Callback::new(move |()| {
        change.run(Box::new(|parameters| parameters.filter = Filter::default()));
    });
    let refresh = Callback::new(move |()| {
        let Ok(now) = state.get_untracked() else { return };
        before.set_value(listing().map(|listing| {
            (organization.get_untracked(), now.parameters.filter.clone(), listing.total)
        }));
        if now.parameters.as_of.is_some() {
            let parameters = ListingParameters { as_of: None, ..now.parameters };
            go.run(ListState { parameters, entry: None });
        } else {
            attempt.update(|attempt| *attempt += 1);
        }
    });
    let retry = Callback::new(move |()| {
        let wrong = shown.with_untracked(|shown| {
            shown.as_ref().is_some_and(|shown| shown.answer.as_ref().is_err_and(is_wrong_address))
        });
        if wrong {
            go.run(ListState::everything(remembered_page_size()));
        } else {
            attempt.update(|attempt| *attempt += 1);
        }
    });
    // What failed for want of a network is asked for again when it is back.
    let online = window_event_listener(leptos::ev::online, move |_| {
        if shown.with_untracked(|shown| shown.as_ref().is_some_and(|shown| shown.answer.is_err())) {
            retry.run(());
        }
    });
    on_cleanup(move || online.remove());

    let opened = Signal::derive(move || state.get().ok().and_then(|state| state.entry));
    let pinned = move |to: &dyn Fn(ListState, AsOf) -> ListState| {
        if let (Ok(state), Some(listing)) = (state.get_untracked(), listing()) {
            go.run(to(state, listing.as_of));
        }
    };
    let open = Callback::new(move |id: String| {
        pinned(&|state, as_of| state.open(Some(id.clone()), as_of));
    });
    let close = Callback::new(move |()| {
        let id = opened.get_untracked().unwrap_or_default();
        pinned(&|state, as_of| state.open(None, as_of));
        focus(&format!("tr[data-id='{id}'] button"));
    });
    let go_to = Callback::new(move |page: u64| pinned(&|state, as_of| state.page(page, as_of)));
    let resize = Callback::new(move |size: PageSize| {
        keep(session_storage(), PAGE_SIZE, &size.get().to_string());
        change.run(Box::new(move |parameters| parameters.page_size = size));
    });
    // The entries above and below the open one, on the page that is shown.
    let beside = Memo::new(move |_| {
        let id = opened.get()?;
        shown.with(|shown| {
            let items = &shown.as_ref()?.answer.as_ref().ok()?.items;
            let ids: Vec<String> = items.iter().map(|entry| entry.id.to_string()).collect();
            let at = ids.iter().position(|other| *other == id)?;
            let above = at.checked_sub(1).and_then(|at| ids.get(at));
            Some((above.cloned(), ids.get(at + 1).cloned()))
        })
    });
    let widths = Widths::load(&session.me.id);
    let filter =
        Memo::new(move |_| state.get().map(|state| state.parameters.filter).unwrap_or_default());
    let chips_catalog = catalog.clone();

    view! {
        <div class="page-head">
            <h1>{title}</h1>
            <div class="actions">
                <span class="visually-hidden" role="status">{said}</span>
                <span role="status">{news}</span>
                <button class="quiet reset" type="button" on:click=move |_| widths.reset()>"Reset widths"</button>
                <button class="primary" type="button" on:click=move |_| refresh.run(())>"Refresh"</button>
            </div>
        </div>
        <Filters catalog=catalog global=global filter=filter names=names change=change/>
        {move || view! { <Chips filter=filter.get() catalog=chips_catalog.clone() names=names change=change/> }}
        {move || match shown.with(|shown| shown.as_ref().map(|shown| shown.answer.clone())) {
            None => {
                let size = state.get_untracked().map_or(PageSize::default(), |state| state.parameters.page_size);
                view! { <div class="table-frame"><Skeleton rows=size.get()/></div><div class="pager"></div> }.into_any()
            }
            Some(Err(failure)) => view! { <Failed failure=failure retry=retry/> }.into_any(),
            Some(Ok(listing)) if listing.total == 0 => {
                let filtered = !filter.get_untracked().to_parameters().is_empty();
                view! { <Empty filtered=filtered clear=clear/> }.into_any()
            }
            Some(Ok(listing)) => {
                let paging = paging(&listing);
                view! {
                    <LogTable entries=listing.items busy=busy.into() opened=opened open=open widths=widths/>
                    <Pager paging=paging go=go_to resize=resize/>
                }.into_any()
            }
        }}
        {move || opened.get().map(|id| view! {
            <Panel organization=organization.get_untracked() id=id close=close open=open beside=beside change=change/>
        })}
    }
}

fn paging(listing: &Listing) -> Paging {
    let size = PageSize::ALL.into_iter().find(|size| size.get() == listing.page_size);
    Paging {
        page: listing.page,
        page_size: size.unwrap_or_default(),
        shown: listing.items.len() as u64,
        total: listing.total,
    }
}

/// Whether the rows on screen are those of this page, looked at some time.
fn is_same_page(
    shown: RwSignal<Option<Shown>>,
    organization: &Option<String>,
    parameters: &ListingParameters,
) -> bool {
    let wanted = ListingParameters { as_of: None, ..parameters.clone() };
    shown.with_untracked(|shown| {
        let question = shown.as_ref().and_then(|shown| shown.question.as_ref());
        question.is_some_and(|(scope, shown)| {
            scope == organization && ListingParameters { as_of: None, ..shown.clone() } == wanted
        })
    })
}

/// What Refresh has brought.
fn since(before: u64, now: u64) -> String {
    match now.saturating_sub(before) {
        0 => "Nothing new".to_owned(),
        1 => "1 new entry".to_owned(),
        more => format!("{} new entries", number(more)),
    }
}

/// A new page begins at its first row.
fn to_first_row() {
    if let Some(frame) = element(".table-frame") {
        frame.set_scroll_top(0);
        if frame.get_bounding_client_rect().top() < 0.0 {
            frame.scroll_into_view();
        }
    }
}
