//! The log watches itself: each reading leaves an entry before its answer leaves.

use activity_logs_model::entry::MAX_IDENTIFIER_LENGTH;
use activity_logs_model::{
    Action, Caller, Context, NewEntry, OrganizationId, OrganizationRef, Outcome, Type,
};
use actix_web::HttpRequest;

use crate::app::App;
use crate::problem::ApiError;

/// What was looked at: one entry or a list, and which.
pub(crate) struct Look {
    action: Action,
    identifier: String,
}

impl Look {
    /// A list, described in words.
    pub(crate) fn list(description: String) -> Self {
        Self { action: Action::fetch_all(), identifier: description }
    }

    /// One entry.
    pub(crate) fn entry(id: impl std::fmt::Display) -> Self {
        Self { action: Action::fetch(), identifier: format!("entry {id}") }
    }

    /// What a request that was denied wanted to look at.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        match request.match_info().get("id") {
            Some(id) => Self::entry(id),
            None if request.path().ends_with("/recent") => Self::list("newest entries".to_owned()),
            None => Self::list("activity logs".to_owned()),
        }
    }

    /// The same, of an organization that the entry itself can't name.
    pub(crate) fn in_organization(mut self, id: &OrganizationId) -> Self {
        self.identifier.push_str(&format!(" of organization {id}"));
        self
    }
}

/// Records that somebody looks. The answer must not leave before this has returned.
///
/// # Errors
/// A 503 problem when it can't be recorded: then the reading fails.
pub(crate) async fn record_reading(
    app: &App,
    caller: &Caller,
    context: Context,
    organization: Option<OrganizationRef>,
    look: Look,
) -> Result<(), ApiError> {
    record(app, caller, context, organization, Type::activity_logs(), look, Outcome::Success).await
}

/// Records that somebody wanted to look and may not.
///
/// # Errors
/// A 503 problem when it can't be recorded.
pub(crate) async fn record_denied(
    app: &App,
    caller: &Caller,
    context: Context,
    organization: Option<OrganizationRef>,
    look: Look,
) -> Result<(), ApiError> {
    record(app, caller, context, organization, Type::activity_logs(), look, Outcome::Denied).await
}

/// Records that somebody wanted to end an organization and may not.
///
/// # Errors
/// A 503 problem when it can't be recorded.
pub(crate) async fn record_denied_removal(
    app: &App,
    caller: &Caller,
    context: Context,
    organization: &OrganizationId,
) -> Result<(), ApiError> {
    let look = Look { action: Action::delete(), identifier: organization.to_string() };
    record(app, caller, context, None, Type::admin_accounts(), look, Outcome::Denied).await
}

async fn record(
    app: &App,
    caller: &Caller,
    context: Context,
    organization: Option<OrganizationRef>,
    kind: Type,
    look: Look,
    outcome: Outcome,
) -> Result<(), ApiError> {
    let entry = NewEntry {
        id: None,
        occurred_at: None,
        kind,
        action: look.action,
        outcome,
        user: caller.person.clone(),
        organization,
        workspace: None,
        identifier: shortened(look.identifier),
        old_value: None,
        new_value: None,
        context,
    };
    let recorded = app.store.record(vec![entry]).await;
    recorded.map_err(|error| ApiError::from(error).reading_not_recorded())?;
    Ok(())
}

fn shortened(text: String) -> String {
    if text.chars().count() <= MAX_IDENTIFIER_LENGTH {
        return text;
    }
    text.chars().take(MAX_IDENTIFIER_LENGTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_descriptions_are_cut_visibly() {
        let cut = shortened("ä".repeat(600));
        assert_eq!(cut.chars().count(), 512);
        assert!(cut.ends_with('…'));
        assert_eq!(shortened("ä".repeat(512)), "ä".repeat(512));
    }
}
