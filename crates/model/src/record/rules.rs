//! The rules that an entry must keep beyond the form of its fields.

use super::MAX_AHEAD_SECONDS;
use crate::catalog::{Action, Catalog, Type, ValueRule};
use crate::entry::Outcome;
use crate::time::Timestamp;

/// What the rules are about: as much of an entry as could be read.
pub(super) struct Facts<'a> {
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) kind: Option<&'a Type>,
    pub(super) action: Option<&'a Action>,
    pub(super) outcome: Option<Outcome>,
    pub(super) has_organization: bool,
    pub(super) has_workspace: bool,
    pub(super) has_old: bool,
    pub(super) has_new: bool,
}

impl Facts<'_> {
    /// Calls for each rule that is broken, with the field that breaks it.
    pub(super) fn check(
        &self,
        catalog: &Catalog,
        now: Timestamp,
        mut broken: impl FnMut(&str, &str),
    ) {
        if let Some(at) = self.occurred_at {
            if at < Timestamp::EPOCH {
                broken("occurred_at", "must not lie before 1970-01-01T00:00:00Z");
            } else if at > now.plus_seconds(MAX_AHEAD_SECONDS) {
                broken("occurred_at", "must not lie more than five minutes in the future");
            }
        }
        if self.has_workspace && !self.has_organization {
            broken("workspace", "a workspace needs its organization");
        }
        let Some(kind) = self.kind else { return };
        if *kind == Type::activity_logs() {
            broken("type", "ActivityLogs entries are recorded by the service itself");
        } else if catalog.find_type(kind.as_str()).is_none() {
            broken("type", "is not a type of the catalog (see GET /api/v1/activity-types)");
        } else if let Some(action) = self.action {
            match catalog.rule(kind, action) {
                Some(rule) => self.check_values(rule, &mut broken),
                None => broken(
                    "action",
                    &format!("is not an action of {kind} (see GET /api/v1/activity-types)"),
                ),
            }
        }
    }

    fn check_values(&self, rule: ValueRule, broken: &mut impl FnMut(&str, &str)) {
        let (old, new) = (self.has_old, self.has_new);
        let done = self.outcome == Some(Outcome::Success);
        match rule {
            ValueRule::None => {
                if old {
                    broken("old_value", "a read has no values");
                }
                if new {
                    broken("new_value", "a read has no values");
                }
            }
            ValueRule::Create => {
                if old {
                    broken("old_value", "what is created has no state before");
                }
                if !new && done {
                    broken("new_value", "must be the whole initial state");
                }
            }
            ValueRule::Change => {
                if !old && !new && done {
                    broken("new_value", "a change needs the value before, after or both");
                }
            }
            ValueRule::Remove => {
                if !old && done {
                    broken("old_value", "must be the state before");
                }
            }
            ValueRule::Any => {}
        }
    }
}
