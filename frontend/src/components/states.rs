//! The states of a list that has no rows to show.

use leptos::prelude::*;

use crate::api::Failure;

/// Rows of the real size, while the first answer is under way.
#[component]
pub(crate) fn Skeleton(rows: u64) -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="visually-hidden">"Loading …"</span>
            {(0..rows).map(|_| view! { <div class="bar"></div> }).collect_view()}
        </div>
    }
}

/// A list without entries, with what to do about it.
#[component]
pub(crate) fn Empty(
    /// Whether filters may be why.
    filtered: bool,
    /// Clears them.
    clear: Callback<()>,
) -> impl IntoView {
    view! {
        <section class="state">
            {if filtered {
                view! {
                    <h2>"Nothing matches these filters"</h2>
                    <p>"Remove one of them, or look at everything."</p>
                    <button class="primary" type="button" on:click=move |_| clear.run(())>"Clear all filters"</button>
                }.into_any()
            } else {
                view! {
                    <h2>"Nothing has happened here yet"</h2>
                    <p>"Entries appear as soon as a service records the first: "<code>"POST /api/v1/activity-logs"</code>". The "<a href="/docs/" rel="external">"API reference"</a>" shows how."</p>
                }.into_any()
            }}
        </section>
    }
}

/// What went wrong, and a way on.
#[component]
pub(crate) fn Failed(failure: Failure, retry: Callback<()>) -> impl IntoView {
    let (title, detail) = words(&failure);
    let way_on = match &failure {
        // Trying again would only be recorded again.
        Failure::Problem(problem) if matches!(problem.status, 403 | 404 | 410) => {
            view! { <p><a href="/">"Go to the start"</a></p> }.into_any()
        }
        failure => {
            let label = if is_wrong_address(failure) { "Show everything" } else { "Try again" };
            view! { <button class="primary" type="button" on:click=move |_| retry.run(())>{label}</button> }.into_any()
        }
    };
    view! {
        <section class="state error" role="alert">
            <h2>{title}</h2>
            <p class="text">{detail}</p>
            {way_on}
        </section>
    }
}

/// Whether asking for the same again can't help: the address has parameters that are wrong.
pub(crate) fn is_wrong_address(failure: &Failure) -> bool {
    matches!(failure, Failure::Problem(problem) if matches!(problem.status, 400 | 422))
}

/// A failure in words: what happened, and what to do.
fn words(failure: &Failure) -> (String, String) {
    match failure {
        Failure::Offline => (
            "The service can't be reached".to_owned(),
            "Check your connection; nothing on this page is lost.".to_owned(),
        ),
        Failure::SignedOut => {
            ("Your session has ended".to_owned(), "Sign in again to go on.".to_owned())
        }
        Failure::Problem(problem) if problem.status == 403 => (
            "You have no access to this organization".to_owned(),
            "Ask its owner for membership. That you tried was recorded.".to_owned(),
        ),
        Failure::Problem(problem) if is_wrong_address(failure) => {
            let parameters: Vec<&str> =
                problem.errors.iter().map(|error| error.pointer.trim_start_matches('?')).collect();
            (
                "The address asks for something that is not there".to_owned(),
                format!(
                    "What can't be read in it: {}. It may be mistyped, or made by another version.",
                    parameters.join(", ")
                ),
            )
        }
        Failure::Problem(problem) => {
            let fields =
                problem.errors.iter().map(|error| format!(" {} {}.", error.pointer, error.detail));
            (problem.title.clone(), problem.detail.clone() + &fields.collect::<String>())
        }
        Failure::Unexpected(why) => (
            "The service answered in a way this page does not understand".to_owned(),
            format!("It may be of another version; reload the page. ({why})"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_logs_model::{Problem, ProblemCode};

    #[test]
    fn failures_say_what_to_do() {
        let denied = Failure::Problem(Box::new(Problem::new(ProblemCode::Forbidden, "no")));
        assert!(words(&denied).1.contains("Ask its owner"));
        let mut busy = Problem::new(ProblemCode::QueueFull, "Try again shortly.");
        busy.errors = vec![activity_logs_model::FieldError::new("?page", "must be 1 or more")];
        let (title, detail) = words(&Failure::Problem(Box::new(busy)));
        assert_eq!(
            (title.as_str(), detail.as_str()),
            ("The service is busy", "Try again shortly. ?page must be 1 or more.")
        );
    }
}
