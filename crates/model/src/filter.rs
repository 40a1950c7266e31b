//! Filters: which entries of a listing are asked for.

use crate::catalog::{Action, Type};
use crate::entry::{Entry, Outcome};
use crate::id::{OrganizationId, UserId, WorkspaceId};
use crate::time::Timestamp;

/// What entries must match. Fields combine with AND, the values of one field with OR; an
/// empty field matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Types of resource.
    pub types: Vec<Type>,
    /// Types of resource that are left out; no request can ask for it.
    pub without_types: Vec<Type>,
    /// Operations.
    pub actions: Vec<Action>,
    /// Outcomes.
    pub outcomes: Vec<Outcome>,
    /// Who did it.
    pub users: Vec<UserId>,
    /// Workspaces, of whatever organization.
    pub workspaces: Vec<WorkspaceId>,
    /// Organizations (only in the global listing).
    pub organizations: Vec<OrganizationId>,
    /// The earliest instant, included.
    pub from: Option<Timestamp>,
    /// The latest instant, excluded.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether the entry matches.
    pub fn matches(&self, entry: &Entry) -> bool {
        fn any<T: PartialEq>(wanted: &[T], value: Option<&T>) -> bool {
            wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
        }
        any(&self.types, Some(&entry.kind))
            && !self.without_types.contains(&entry.kind)
            && any(&self.actions, Some(&entry.action))
            && any(&self.outcomes, Some(&entry.outcome))
            && any(&self.users, Some(&entry.user.id))
            && any(&self.workspaces, entry.workspace.as_ref().map(|w| &w.id))
            && any(&self.organizations, entry.organization.as_ref().map(|o| &o.id))
            && self.from.is_none_or(|from| entry.occurred_at >= from)
            && self.to.is_none_or(|to| entry.occurred_at < to)
    }

    /// Whether entries of this organization can match.
    pub fn allows_organization(&self, id: &OrganizationId) -> bool {
        self.organizations.is_empty() || self.organizations.contains(id)
    }

    /// The filter as query parameters, each field's values in their order.
    pub fn to_parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        let mut add = |name, values: Vec<String>| {
            parameters.extend(values.into_iter().map(|value| (name, value)));
        };
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(T::to_string).collect()
        }
        add("type", texts(&self.types));
        add("action", texts(&self.actions));
        add("outcome", self.outcomes.iter().map(|o| o.as_str().to_owned()).collect());
        add("user_id", texts(&self.users));
        add("workspace_id", texts(&self.workspaces));
        add("organization_id", texts(&self.organizations));
        add("from", self.from.iter().map(Timestamp::to_string).collect());
        add("to", self.to.iter().map(Timestamp::to_string).collect());
        parameters
    }

    /// The filter in words, for the entry that its reading leaves: `, type=Users`.
    pub fn describe(&self) -> String {
        self.to_parameters().into_iter().map(|(name, value)| format!(", {name}={value}")).collect()
    }
}
