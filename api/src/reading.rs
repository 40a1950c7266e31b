//! The log watches itself: each reading leaves an entry before its answer leaves.

use activity_logs_model::entry::MAX_IDENTIFIER_LENGTH;
use activity_logs_model::{
    Action, Caller, Context, NewEntry, OrganizationId, OrganizationRef, Outcome, Type,
};
use actix_web::HttpRequest;

use crate::app::App;
use crate::problem::ApiError;

/// What somebody did, or wanted to do, to the log.
pub(crate) struct Look {
    kind: Type,
    action: Action,
    outcome: Outcome,
    identifier: String,
}

impl Look {
    fn new(kind: Type, action: Action, identifier: String) -> Self {
        Self { kind, action, outcome: Outcome::Success, identifier }
    }

    /// Looked at a list, described in words.
    pub(crate) fn list(description: String) -> Self {
        Self::new(Type::activity_logs(), Action::fetch_all(), description)
    }

    /// Looked at one entry.
    pub(crate) fn entry(id: impl std::fmt::Display) -> Self {
        Self::new(Type::activity_logs(), Action::fetch(), format!("entry {id}"))
    }

    /// Ended an organization.
    pub(crate) fn removal(organization: &OrganizationId) -> Self {
        Self::new(Type::admin_accounts(), Action::delete(), organization.to_string())
    }

    /// What a request wants to look at.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        match request.match_info().get("id") {
            Some(id) => Self::entry(id),
            None if request.path().ends_with("/recent") => Self::list("newest entries".to_owned()),
            None if request.path().ends_with("/days") => Self::list("activity per day".to_owned()),
            None => Self::list("activity logs".to_owned()),
        }
    }

    /// The same, of an organization that the entry itself can't name.
    pub(crate) fn in_organization(mut self, id: &OrganizationId) -> Self {
        self.identifier.push_str(&format!(" of organization {id}"));
        self
    }

    /// The same, wanted and refused.
    pub(crate) fn denied(self) -> Self {
        Self { outcome: Outcome::Denied, ..self }
    }
}

/// Records what somebody did or wanted to do, in the organization's log or (`None`) in the
/// platform log. The answer must not leave before this has returned.
///
/// # Errors
/// A 503 problem when it can't be recorded: then the reading fails.
pub(crate) async fn record_look(
    app: &App,
    caller: &Caller,
    context: Context,
    organization: Option<OrganizationRef>,
    look: Look,
) -> Result<(), ApiError> {
    let entry = NewEntry {
        id: None,
        occurred_at: None,
        kind: look.kind,
        action: look.action,
        outcome: look.outcome,
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
