//! An organization at a glance: what people did last.

use activity_logs_model::wire::Recent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;

use crate::api::Failure;
use crate::browser::local_time;
use crate::components::states::{Empty, Failed, Skeleton};
use crate::components::table::OutcomeBadge;
use crate::session::{Session, sessions};

/// How many rows the list has when it is full.
const ROWS: u64 = 6;

/// The dashboard of the organization in the address.
#[component]
pub(crate) fn Dashboard() -> impl IntoView {
    let params = use_params_map();
    let organization =
        Memo::new(move |_| params.with(|params| params.get("organization").unwrap_or_default()));
    let client = expect_context::<Session>().client;
    let sessions = sessions();
    let answer = RwSignal::new(None::<Result<Recent, Failure>>);
    let attempt = RwSignal::new(0);
    Effect::new(move |_| {
        attempt.track();
        let (client, id) = (client.clone(), organization.get());
        answer.set(None);
        spawn_local(async move {
            let got = client.recent(&id).await;
            if organization.try_get_untracked().as_ref() != Some(&id) {
                return;
            }
            if let Err(failure) = &got {
                sessions.heed(failure);
            }
            answer.set(Some(got));
        });
    });
    let retry = Callback::new(move |()| attempt.update(|attempt| *attempt += 1));
    let more = move || format!("/organizations/{}/activity-logs", organization.get());
    view! {
        <div class="page-head"><h1>"Dashboard"</h1></div>
        <section class="card" aria-labelledby="recent">
            <div class="card-head">
                <h2 id="recent">"Recent activity"</h2>
                <A href=more attr:class="more">"Show more"</A>
            </div>
            {move || match answer.get() {
                None => view! { <Skeleton rows=ROWS/> }.into_any(),
                Some(Err(failure)) => view! { <Failed failure=failure retry=retry/> }.into_any(),
                Some(Ok(recent)) if recent.items.is_empty() => view! { <Empty filtered=false clear=retry/> }.into_any(),
                Some(Ok(recent)) => view! { <Compact recent=recent/> }.into_any(),
            }}
        </section>
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
                        <td class="text">{entry.user.name}</td>
                        <td class="time"><time datetime=entry.occurred_at.to_string() title=format!("{} (UTC)", entry.occurred_at)>{local_time(entry.occurred_at)}</time></td>
                    </tr>
                }).collect_view()}
            </tbody>
        </table>
    }
}
