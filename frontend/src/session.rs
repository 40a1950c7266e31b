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

/// A token of the address, beside the one that the tab has kept.
#[derive(Clone)]
pub(crate) struct Offer {
    given: String,
    kept: String,
}

impl Offer {
    /// Who the two tokens are for, as they say themselves: the one given, the one kept.
    pub(crate) fn names(&self) -> (String, String) {
        let name = |token: &str| {
            let claims = claims(token);
            claims.and_then(|claims| claims.name.or(claims.sub)).unwrap_or_default()
        };
        (name(&self.given), name(&self.kept))
    }
}

/// Where signing in stands.
#[derive(Clone)]
pub(crate) enum State {
    /// A kept token is being tried.
    Trying,
    /// It could not be tried: there was no answer, or one that says nothing of the token.
    Stuck(Failure, String),
    /// The address carries a token while another one is kept: whoever made that address must not
    /// decide who is signed in.
    Offered(Offer),
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
    /// that the tab has kept; asks, if both are there.
    pub(crate) fn start() -> Self {
        let sessions = Self(RwSignal::new(State::Trying));
        let location = window().location();
        let hash = location.hash().unwrap_or_default();
        let given = hash.strip_prefix("#token=").map(str::to_owned);
        if given.is_some() {
            // The whole address: a path alone could begin with two slashes and name another host.
            let href = location.href().unwrap_or_default();
            let bare = href.split('#').next().unwrap_or_default();
            let removed = window()
                .history()
                .and_then(|history| history.replace_state_with_url(&"".into(), "", Some(bare)));
            if removed.is_err() {
                let _ = location.set_hash("");
            }
        }
        let kept = kept(session_storage(), TOKEN);
        match (given, kept) {
            (Some(given), Some(kept)) if given != kept && !has_ended(&kept) => {
                sessions.0.set(State::Offered(Offer { given, kept }));
            }
            (Some(token), _) | (None, Some(token)) => sessions.sign_in(token),
            (None, None) => sessions.0.set(State::Out(None)),
        }
        sessions
    }

    /// The state, followed.
    pub(crate) fn get(self) -> State {
        self.0.get()
    }

    /// Takes the token of the address, or stays with the one that was kept.
    pub(crate) fn decide(self, offer: Offer, takes_it: bool) {
        self.sign_in(if takes_it { offer.given } else { offer.kept });
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

/// What a token (RFC 7519) says of itself. Nobody has checked it here.
#[derive(serde::Deserialize)]
struct Claims {
    exp: Option<f64>,
    name: Option<String>,
    sub: Option<String>,
}

fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    // `atob` returns a character for each byte.
    let bytes =
        window().atob(&payload).ok()?.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>();
    serde_json::from_slice(&bytes.ok()?).ok()
}

/// When a token ends, in milliseconds since 1970, as far as it says so.
fn expiry(token: &str) -> Option<f64> {
    Some(claims(token)?.exp? * 1_000.0)
}

fn has_ended(token: &str) -> bool {
    expiry(token).is_some_and(|expiry| expiry <= js_sys::Date::now())
}

/// The app's sessions.
pub(crate) fn sessions() -> Sessions {
    expect_context::<Sessions>()
}
