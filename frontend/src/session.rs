//! Who is signed in: a token kept for the tab, and what the service says of it.

use activity_logs_model::Catalog;
use activity_logs_model::wire::Me;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::{Failure, Signed};
use crate::browser::{forget, keep, kept, session_storage};

const TOKEN: &str = "activity-logs.token";

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Session {
    /// Asks the service in their name.
    pub(crate) client: Signed,
    /// Who they are.
    pub(crate) me: Me,
    /// The types and actions that the service knows.
    pub(crate) catalog: Catalog,
}

/// Where signing in stands.
#[derive(Clone)]
pub(crate) enum State {
    /// A kept token is being tried.
    Trying,
    /// Nobody is signed in; holds why, where somebody just was.
    Out(Option<String>),
    /// Somebody is.
    In(Session),
}

/// The state of the whole app.
#[derive(Clone, Copy)]
pub(crate) struct Sessions(RwSignal<State>);

impl Sessions {
    /// Starts with the token of the address (`#token=…`, removed from it at once) or the one
    /// that the tab has kept.
    pub(crate) fn start() -> Self {
        let sessions = Self(RwSignal::new(State::Trying));
        let location = window().location();
        let hash = location.hash().unwrap_or_default();
        let given = hash.strip_prefix("#token=").map(str::to_owned);
        if given.is_some()
            && let (Ok(path), Ok(search), Ok(history)) =
                (location.pathname(), location.search(), window().history())
        {
            let _ =
                history.replace_state_with_url(&"".into(), "", Some(&format!("{path}{search}")));
        }
        match given.or_else(|| kept(session_storage(), TOKEN)) {
            Some(token) => sessions.sign_in(token),
            None => sessions.0.set(State::Out(None)),
        }
        sessions
    }

    /// The state, followed.
    pub(crate) fn get(self) -> State {
        self.0.get()
    }

    /// Tries a token.
    pub(crate) fn sign_in(self, token: String) {
        self.0.set(State::Trying);
        spawn_local(async move {
            let client = Signed::new(token.trim().to_owned());
            let known = match client.me().await {
                Ok(me) => client.activity_types().await.map(|types| (me, types)),
                Err(failure) => Err(failure),
            };
            match known {
                Ok((me, types)) => {
                    keep(session_storage(), TOKEN, client.token());
                    self.0.set(State::In(Session {
                        client,
                        me,
                        catalog: Catalog::from_wire(&types),
                    }));
                }
                Err(failure) => self.sign_out(Some(match failure {
                    Failure::SignedOut => "The token is not valid here, or no longer.".to_owned(),
                    Failure::Offline => "The service can't be reached.".to_owned(),
                    Failure::Problem(problem) => problem.detail,
                    Failure::Unexpected(why) => format!(
                        "The service answered in a way this page does not understand ({why})."
                    ),
                })),
            }
        });
    }

    /// Forgets the token, and says why.
    pub(crate) fn sign_out(self, why: Option<String>) {
        forget(session_storage(), TOKEN);
        self.0.set(State::Out(why));
    }

    /// Signs out when an answer says that the token has ended.
    pub(crate) fn heed(self, failure: &Failure) {
        if *failure == Failure::SignedOut {
            self.sign_out(Some(
                "Your session has ended. Sign in again to go on where you were.".to_owned(),
            ));
        }
    }
}

/// The app's sessions.
pub(crate) fn sessions() -> Sessions {
    expect_context::<Sessions>()
}
