//! Entries as they leave the service: each caller gets the fields that they may know.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::{Action, Type};
use crate::entry::{Context, Entry, OrganizationRef, Outcome, Person, WorkspaceRef};
use crate::json::{self, JsonText};
use crate::question::Question;
use crate::time::Timestamp;
use crate::visibility::Visibility;

/// One permanent entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Entry))]
pub struct ServedEntry {
    /// Identity and idempotency key within its organization's log.
    pub id: Uuid,
    /// When the action happened: the order of every listing.
    pub occurred_at: Timestamp,
    /// When the service committed it.
    pub recorded_at: Timestamp,
    /// Strictly increasing over the whole service in commit order; never reused. Only for those
    /// who see everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = false, minimum = 1, examples(90210)))]
    pub position: Option<i64>,
    /// Place in its organization's own log (or the platform log): dense, from 0, in commit order.
    /// Only for those who may open that organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = false, minimum = 0, examples(411)))]
    pub sequence: Option<i64>,
    /// What kind of resource.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Which operation.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub user: Person,
    /// Where it happened; null for a system-level action.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub organization: Option<OrganizationRef>,
    /// In which workspace; null for an action on the organization as a whole.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub workspace: Option<WorkspaceRef>,
    /// Human-readable name of the affected resource.
    #[cfg_attr(feature = "openapi", schema(max_length = 512, examples("Research cluster")))]
    pub identifier: String,
    /// State before; null where there is none.
    #[serde(default, deserialize_with = "json::read_written")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required))]
    pub old_value: Option<JsonText>,
    /// State after; null where there is none.
    #[serde(default, deserialize_with = "json::read_written")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required))]
    pub new_value: Option<JsonText>,
    /// Where it came from.
    pub context: Context,
    /// What a reading of the log asked for: filters, page, id. Null for all other entries, and
    /// for everybody but that reader and administrators.
    #[serde(default, deserialize_with = "json::read_written")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>, required))]
    pub question: Option<JsonText>,
}

impl Visibility {
    /// The entry, which this caller sees, as they may know it:
    ///
    /// * its position tells how busy the whole platform is, its sequence how busy an organization
    ///   is, so they are left out for those who do not see as much anyway;
    /// * what a reader of the log asked for is between them and administrators;
    /// * a reader who is not a member shows members their name alone.
    pub fn serve(&self, entry: Entry) -> ServedEntry {
        let sees_everything = *self == Visibility::Everything;
        let opens = entry.organization.as_ref().map_or(sees_everything, |o| self.opens(&o.id));
        let is_own = matches!(self, Visibility::Reader { user, .. } if entry.user.id == *user);
        let mut served = ServedEntry {
            id: entry.id,
            occurred_at: entry.occurred_at,
            recorded_at: entry.recorded_at,
            position: sees_everything.then_some(entry.position),
            sequence: opens.then_some(entry.sequence),
            kind: entry.kind,
            action: entry.action,
            outcome: entry.outcome,
            user: entry.user,
            organization: entry.organization,
            workspace: entry.workspace,
            identifier: entry.identifier,
            old_value: entry.old_value,
            new_value: entry.new_value,
            context: entry.context,
            question: entry.question,
        };
        if !sees_everything && !is_own && served.kind == Type::activity_logs() {
            let question = served.question.take();
            if !question.is_some_and(|question| Question::is_of_member(&question)) {
                served.user.email = None;
                served.context = Context::default();
            }
        }
        served
    }
}
