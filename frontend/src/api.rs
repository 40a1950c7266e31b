//! The REST API as the app uses it. What needs a token is a method of [`Signed`], which can't
//! be had without one.

use activity_logs_model::percent::encode;
use activity_logs_model::wire::{ActivityTypes, DailyActivity, Listing, Me, Organizations, Recent};
use activity_logs_model::{FieldError, OrganizationId, Problem, ProblemCode, ServedEntry};
use gloo_net::http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// Why there is no answer to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The service can't be reached.
    Offline,
    /// The token is not accepted (any more).
    SignedOut,
    /// The service says why.
    Problem(Box<Problem>),
    /// The answer is not what this app understands.
    Unexpected(String),
}

/// A caller without a token.
pub(crate) struct Anonymous;

/// The people a demo offers.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Demo {
    /// One of each role.
    pub(crate) people: Vec<DemoPerson>,
}

/// Somebody to be in the demo.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DemoPerson {
    /// What they are.
    pub(crate) title: String,
    /// Their name.
    pub(crate) name: String,
    /// Where they start; administrators start with everything.
    pub(crate) organization: Option<String>,
    /// Their token.
    pub(crate) token: String,
}

impl Anonymous {
    /// The people of the demo; a failure where the service is none.
    pub(crate) async fn demo(&self) -> Result<Demo, Failure> {
        get("/demo.json", None).await
    }
}

/// A caller with a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    token: String,
}

impl Signed {
    /// Takes a token; whether it is good, the first answer says.
    pub(crate) fn new(token: String) -> Self {
        Self { token }
    }

    /// The token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Who the token says I am.
    pub(crate) async fn me(&self) -> Result<Me, Failure> {
        self.get("/api/v1/me").await
    }

    /// The types and actions there are.
    pub(crate) async fn activity_types(&self) -> Result<ActivityTypes, Failure> {
        self.get("/api/v1/activity-types").await
    }

    /// The organizations I may open whose name or id contains a text.
    pub(crate) async fn organizations(&self, search: &str) -> Result<Organizations, Failure> {
        let search = match search {
            "" => String::new(),
            text => format!("&q={}", encode(text)),
        };
        self.get(&format!("/api/v1/organizations?page_size=50{search}")).await
    }

    /// A page of a listing: of an organization, or (`None`) of all.
    pub(crate) async fn list(
        &self,
        organization: Option<&str>,
        query: &str,
    ) -> Result<Listing, Failure> {
        self.get(&format!("{}?{query}", logs(organization)?)).await
    }

    /// The newest entries of an organization.
    pub(crate) async fn recent(&self, organization: &str) -> Result<Recent, Failure> {
        self.get(&format!("{}/recent", logs(Some(organization))?)).await
    }

    /// How much happened in an organization on each of its last days in a time zone.
    pub(crate) async fn days(
        &self,
        organization: &str,
        days: u64,
        time_zone: &str,
    ) -> Result<DailyActivity, Failure> {
        let zone = encode(time_zone);
        let logs = logs(Some(organization))?;
        self.get(&format!("{logs}/days?days={days}&time_zone={zone}")).await
    }

    /// One entry.
    pub(crate) async fn entry(
        &self,
        organization: Option<&str>,
        id: &str,
    ) -> Result<ServedEntry, Failure> {
        let id: Uuid = id.parse().map_err(|_| wrong_address("?entry", "must be a UUID"))?;
        self.get(&format!("{}/{id}", logs(organization)?)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        get(path, Some(&self.token)).await
    }
}

/// The path of a log. Ids come from the address of the page, which anybody can have written: they
/// are read before anything is asked, or they could lead to another operation.
fn logs(organization: Option<&str>) -> Result<String, Failure> {
    let Some(id) = organization else { return Ok("/api/v1/activity-logs".to_owned()) };
    let id: OrganizationId = id.parse().map_err(|why| wrong_address("{organization_id}", why))?;
    Ok(format!("/api/v1/organizations/{}/activity-logs", encode(id.as_str())))
}

fn wrong_address(pointer: &str, why: impl ToString) -> Failure {
    let detail = "The address of this page can't be read; nothing was asked for.";
    let errors = vec![FieldError::new(pointer, why)];
    let code = ProblemCode::MalformedParameters;
    Failure::Problem(Box::new(Problem::with_errors(code, detail, errors)))
}

async fn get<T: DeserializeOwned>(path: &str, token: Option<&str>) -> Result<T, Failure> {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("Authorization", &format!("Bearer {token}"));
    }
    let response = request.send().await.map_err(|_| Failure::Offline)?;
    let text = response.text().await.map_err(|_| Failure::Offline)?;
    if response.ok() {
        return serde_json::from_str(&text).map_err(|error| Failure::Unexpected(error.to_string()));
    }
    match (response.status(), serde_json::from_str::<Problem>(&text)) {
        (401, _) => Err(Failure::SignedOut),
        (_, Ok(problem)) => Err(Failure::Problem(Box::new(problem))),
        (status, Err(_)) => Err(Failure::Unexpected(format!("status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_leads_to_another_address() {
        for id in ["..", ".", "!acme", " acme", ""] {
            assert!(logs(Some(id)).is_err(), "{id}");
        }
        for id in ["../../x", "%2e%2e", "..\\..", "a..b", "...", "x?y#z", "auth0|..", "/.."] {
            let path = logs(Some(id)).unwrap();
            assert_eq!(path.matches('/').count(), 5, "{path}");
            assert!(!path.contains(['?', '#', '\\']), "{path}");
        }
    }
}
