//! An organization at a glance: what people did last, and how much happens.

use activity_logs_model::wire::{DailyActivity, Recent};
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;

use crate::ask::ask;
use crate::browser::{local_time, number, set_title, time_zone};
use crate::components::chart::{PerDay, PerType};
use crate::components::states::{Empty, Failed, Skeleton};
use crate::components::table::OutcomeBadge;
use crate::logic::values::visible;
use crate::session::{Session, sessions};
use crate::url::log_path;

/// How many rows the list has when it is full.
const ROWS: u64 = 6;
/// How many days the charts cover.
const DAYS: u64 = 30;

/// The dashboard of the organization in the address.
#[component]
pub(crate) fn Dashboard() -> impl IntoView {
    set_title("Dashboard");
    let params = use_params_map();
    let organization =
        Memo::new(move |_| params.with(|params| params.get("organization").unwrap_or_default()));
    // Another organization's dashboard is another one: nothing of the last is left on it.
    move || view! { <Organization id=organization.get()/> }.into_any()
}

#[component]
fn Organization(id: String) -> impl IntoView {
    let client = expect_context::<Session>().client;
    let sessions = sessions();
    let attempt = RwSignal::new(0);
    let recent = {
        let (client, id) = (client.clone(), id.clone());
        ask(move || {
            attempt.track();
            let (client, id) = (client.clone(), id.clone());
            async move { sessions.heeded(client.recent(&id).await) }
        })
    };
    let activity = {
        let id = id.clone();
        ask(move || {
            attempt.track();
            let (client, id) = (client.clone(), id.clone());
            async move { client.days(&id, DAYS, &time_zone()).await.ok() }
        })
    };
    let retry = Callback::new(move |()| attempt.update(|attempt| *attempt += 1));
    let log = log_path(&id);
    let more = log.clone();
    let charts = move || {
        let log = log.clone();
        match activity.get() {
            None => view! { <Skeleton rows=ROWS/> }.into_any(),
            Some(None) => {
                view! { <p class="hint">"The activity per day can't be shown now."</p> }.into_any()
            }
            Some(Some(activity)) => view! { <Charts activity=activity log=log/> }.into_any(),
        }
    };
    // Who may not look has no use for a second box that says so.
    let is_shown = move || !recent.with(|recent| matches!(recent, Some(Err(_))));
    view! {
        <div class="page-head"><h1>"Dashboard"</h1></div>
        <div class="cards">
            <section class="card recent" aria-labelledby="recent">
                <div class="card-head">
                    <h2 id="recent">"Recent activity"</h2>
                    <A href=more attr:class="more">"Show more"</A>
                </div>
                {move || match recent.get() {
                    None => view! { <Skeleton rows=ROWS + 1/> }.into_any(),
                    Some(Err(failure)) => view! { <Failed failure=failure retry=retry/> }.into_any(),
                    Some(Ok(recent)) if recent.items.is_empty() => view! { <Empty filtered=false clear=retry/> }.into_any(),
                    Some(Ok(recent)) => view! { <Compact recent=recent/> }.into_any(),
                }}
            </section>
            {move || is_shown().then(|| view! {
                <section class="card activity" aria-labelledby="activity">
                    <div class="card-head"><h2 id="activity">"The last 30 days"</h2></div>
                    {charts.clone()}
                </section>
            })}
        </div>
    }
}

#[component]
fn Charts(activity: DailyActivity, log: String) -> impl IntoView {
    let total: u64 = activity.days.iter().map(|day| day.total).sum();
    view! {
        <p class="total"><strong>{number(total)}</strong>" entries"</p>
        <PerDay activity=activity.clone() log=log.clone()/>
        <PerType activity=activity log=log/>
    }
}

#[component]
fn Compact(recent: Recent) -> impl IntoView {
    view! {
        <table class="compact">
            <thead><tr><th scope="col">"Type"</th><th scope="col">"Action"</th><th scope="col">"User"</th><th scope="col">"Time"</th></tr></thead>
            <tbody>
                {recent.items.into_iter().map(|entry| view! {
                    <tr>
                        <td>{entry.kind.label()}</td>
                        <td><OutcomeBadge outcome=entry.outcome/>{entry.action.label()}</td>
                        <td class="text">{visible(&entry.user.name)}</td>
                        <td class="time"><time datetime=entry.occurred_at.to_string() title=format!("{} (UTC)", entry.occurred_at)>{local_time(entry.occurred_at)}</time></td>
                    </tr>
                }).collect_view()}
            </tbody>
        </table>
    }
}
