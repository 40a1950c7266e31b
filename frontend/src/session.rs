//! Who is signed in: a token kept for the tab, and what the service says of it.

use std::time::Duration;

use activity_logs_model::Catalog;
use activity_logs_model::wire::Me;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::{Failure, Signed};
use crate::browser::{forget, keep, kept, session_storage};

const TOKEN: &str = "activity-logs.token";
/// What `setTimeout` can wait, in milliseconds.
const LONGEST_TIMER: f64 = 2_147_483_647.0;

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
    /// It could not be tried: there was no answer, or one that says nothing of the token.
    Stuck(Failure, String),
    /// Nobody is signed in; holds why, where somebody just was.
    Out(Option<String>),
    /// Somebody is.
    In(Session),
}

/// The state of the whole app.
#[derive(Clone, Copy)]
pub(crate) struct Sessions(RwSignal<State>);

impl Sessions {
    /// Starts with the token that the tab has kept, or with the one of the address (`#token=…`,
    /// removed from it at once): a link signs nobody in who is somebody already.
    pub(crate) fn start() -> Self {
        let sessions = Self(RwSignal::new(State::Trying));
        let location = window().location();
        let hash = location.hash().unwrap_or_default();
        let given = hash.strip_prefix("#token=").map(str::to_owned);
        if given.is_some()
            && let (Ok(address), Ok(history)) = (location.href(), window().history())
        {
            // The whole of it: a path like `//x` by itself would be read as a host.
            let address = address.split('#').next();
            let _ = history.replace_state_with_url(&"".into(), "", address);
        }
        let kept = kept(session_storage(), TOKEN).filter(|token| !has_ended(token));
        match kept.or(given) {
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
            let token = token.trim().to_owned();
            let client = Signed::new(token.clone());
            let known = match client.me().await {
                Ok(me) => client.activity_types().await.map(|types| (me, types)),
                Err(failure) => Err(failure),
            };
            match known {
                Ok((me, types)) => {
                    keep(session_storage(), TOKEN, &token);
                    self.end_in_time(token);
                    let catalog = Catalog::from_wire(&types);
                    self.0.set(State::In(Session { client, me, catalog }));
                }
                Err(Failure::SignedOut) => {
                    self.sign_out(Some("The token is not valid here, or no longer.".to_owned()));
                }
                Err(failure) => self.0.set(State::Stuck(failure, token)),
            }
        });
    }

    /// Says that the session has ended when it does, and not only with the next click.
    fn end_in_time(self, token: String) {
        let Some(left) = expiry(&token).map(|expiry| expiry - js_sys::Date::now()) else { return };
        let left = Duration::from_millis(left.clamp(0.0, LONGEST_TIMER) as u64);
        set_timeout(
            move || {
                let is_same = |session: &Session| session.client.token() == token;
                if has_ended(&token)
                    && matches!(self.0.get_untracked(), State::In(session) if is_same(&session))
                {
                    self.heed(&Failure::SignedOut);
                }
            },
            left,
        );
    }

    /// Forgets the token, and says why.
    pub(crate) fn sign_out(self, why: Option<String>) {
        forget(session_storage(), TOKEN);
        self.0.set(State::Out(why));
    }

    /// Hands an answer on; signs out when it says that the token has ended.
    pub(crate) fn heeded<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        answer.inspect_err(|failure| self.heed(failure))
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

/// When a token (RFC 7519) ends, in milliseconds since 1970, as far as it says so.
fn expiry(token: &str) -> Option<f64> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: f64,
    }
    let payload = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    let claims: Claims = serde_json::from_str(&window().atob(&payload).ok()?).ok()?;
    Some(claims.exp * 1_000.0)
}

fn has_ended(token: &str) -> bool {
    expiry(token).is_some_and(|expiry| expiry <= js_sys::Date::now())
}

/// The app's sessions.
pub(crate) fn sessions() -> Sessions {
    expect_context::<Sessions>()
}
