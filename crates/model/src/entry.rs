//! The entry: who did what to which resource, where, when, and what it looked like
//! before and after.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::catalog::{Action, Type};
use crate::id::{OrganizationId, UserId, WorkspaceId};
use crate::json::JsonText;
use crate::time::Timestamp;

/// How an attempt ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// It was done.
    #[default]
    Success,
    /// It was refused for lack of a right.
    Denied,
    /// It was tried and failed.
    Failure,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Success, Outcome::Denied, Outcome::Failure];

    /// The wire token.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Denied => "denied",
            Outcome::Failure => "failure",
        }
    }
}

/// A text that is not an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be success, denied or failure")]
pub struct InvalidOutcome;

impl FromStr for Outcome {
    type Err = InvalidOutcome;
    fn from_str(token: &str) -> Result<Self, InvalidOutcome> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == token).ok_or(InvalidOutcome)
    }
}

/// The longest name of a person, organization or workspace, in characters.
pub const MAX_NAME_LENGTH: usize = 256;
/// The longest identifier of an affected resource, in characters.
pub const MAX_IDENTIFIER_LENGTH: usize = 512;
/// The longest e-mail address, in characters.
pub const MAX_EMAIL_LENGTH: usize = 320;
/// The longest `User-Agent`, in characters.
pub const MAX_USER_AGENT_LENGTH: usize = 2048;
/// The longest identifier of a request, in characters.
pub const MAX_REQUEST_ID_LENGTH: usize = 256;

/// Checks a text that people wrote: its length in characters, and that both databases can
/// hold it.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check_text(text: &str, least: usize, most: usize) -> Result<(), String> {
    if text.contains('\0') {
        return Err("must not contain U+0000".to_owned());
    }
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(format!("must be {least} to {most} characters, is {length}"))
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_text(&text, 1, MAX_NAME_LENGTH).map_err(serde::de::Error::custom)?;
    Ok(text)
}

fn optional_text<'de, D: Deserializer<'de>, const MOST: usize>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    if let Some(text) = &text {
        check_text(text, 1, MOST).map_err(serde::de::Error::custom)?;
    }
    Ok(text)
}

fn ip_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    if text.as_ref().is_some_and(|text| text.parse::<IpAddr>().is_err()) {
        return Err(serde::de::Error::custom("must be an IPv4 or IPv6 address"));
    }
    Ok(text)
}

/// Who did it, named as they were at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// The platform's identifier of the person.
    pub id: UserId,
    /// Their name at that moment.
    #[serde(deserialize_with = "name")]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 256, examples("Ada Abara"))
    )]
    pub name: String,
    /// Their e-mail address at that moment.
    #[serde(
        default,
        deserialize_with = "optional_text::<_, MAX_EMAIL_LENGTH>",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(max_length = 320, examples("ada@example.com")))]
    pub email: Option<String>,
}

/// The organization it happened in, named as it was at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrganizationRef {
    /// The organization's identifier.
    pub id: OrganizationId,
    /// Its name at that moment.
    #[serde(deserialize_with = "name")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 256, examples("Acme")))]
    pub name: String,
}

/// The workspace it happened in, named as it was at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceRef {
    /// The workspace's identifier, unique only inside its organization.
    pub id: WorkspaceId,
    /// Its name at that moment.
    #[serde(deserialize_with = "name")]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 256, examples("Research"))
    )]
    pub name: String,
}

/// Where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Context {
    /// IPv4 or IPv6 address. What stands around it when it is sent (brackets, a port, a zone) is
    /// left out.
    #[serde(default, deserialize_with = "ip_address", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("192.0.2.7")))]
    pub ip_address: Option<String>,
    /// The program's `User-Agent`.
    #[serde(
        default,
        deserialize_with = "optional_text::<_, MAX_USER_AGENT_LENGTH>",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(max_length = 2048, examples("curl/8.5.0")))]
    pub user_agent: Option<String>,
    /// The platform's identifier of the request that did it.
    #[serde(
        default,
        deserialize_with = "optional_text::<_, MAX_REQUEST_ID_LENGTH>",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(max_length = 256, examples("req-8c1f")))]
    pub request_id: Option<String>,
}

/// A valid entry that is not recorded yet: what a recorder hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Identity in its organization's log; `None` lets the service make one.
    pub id: Option<Uuid>,
    /// When it happened; `None` stands for the time of arrival.
    pub occurred_at: Option<Timestamp>,
    /// What kind of resource.
    pub kind: Type,
    /// Which operation.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub user: Person,
    /// Where; `None` is a system-level action, kept in the platform log.
    pub organization: Option<OrganizationRef>,
    /// In which workspace of the organization.
    pub workspace: Option<WorkspaceRef>,
    /// Human-readable name of the affected resource.
    pub identifier: String,
    /// State before.
    pub old_value: Option<JsonText>,
    /// State after.
    pub new_value: Option<JsonText>,
    /// Where it came from.
    pub context: Context,
    /// What was asked for, on entries that the service makes about reading.
    pub question: Option<JsonText>,
}

impl NewEntry {
    /// Checks what every database must be able to hold, whoever made the entry.
    ///
    /// # Errors
    /// The pointer of a text with U+0000.
    pub fn check_texts(&self) -> Result<(), &'static str> {
        // Each field is named, so that a new one can't be forgotten.
        let Self {
            id: _,
            occurred_at: _,
            kind,
            action,
            outcome: _,
            user: Person { id: user_id, name: user_name, email },
            organization,
            workspace,
            identifier,
            old_value,
            new_value,
            context: Context { ip_address, user_agent, request_id },
            question,
        } = self;
        let texts = [
            ("/type", Some(kind.as_str())),
            ("/action", Some(action.as_str())),
            ("/user/id", Some(user_id.as_str())),
            ("/user/name", Some(user_name)),
            ("/user/email", email.as_deref()),
            ("/organization/id", organization.as_ref().map(|o| o.id.as_str())),
            ("/organization/name", organization.as_ref().map(|o| o.name.as_str())),
            ("/workspace/id", workspace.as_ref().map(|w| w.id.as_str())),
            ("/workspace/name", workspace.as_ref().map(|w| w.name.as_str())),
            ("/identifier", Some(identifier)),
            ("/old_value", old_value.as_ref().map(JsonText::as_str)),
            ("/new_value", new_value.as_ref().map(JsonText::as_str)),
            ("/context/ip_address", ip_address.as_deref()),
            ("/context/user_agent", user_agent.as_deref()),
            ("/context/request_id", request_id.as_deref()),
            ("/question", question.as_ref().map(JsonText::as_str)),
        ];
        let with_nul = texts.into_iter().find(|(_, text)| text.is_some_and(|t| t.contains('\0')));
        with_nul.map_or(Ok(()), |(pointer, _)| Err(pointer))
    }

    /// Whether `entry` is this one, recorded: nothing sent here says otherwise. An
    /// `occurred_at` that was left to the service matches any, so that a sender may repeat
    /// a request whose answer it never got.
    pub fn is_same_as(&self, entry: &Entry) -> bool {
        self.occurred_at.is_none_or(|at| at == entry.occurred_at)
            && self.kind == entry.kind
            && self.action == entry.action
            && self.outcome == entry.outcome
            && self.user == entry.user
            && self.organization == entry.organization
            && self.workspace == entry.workspace
            && self.identifier == entry.identifier
            && self.old_value == entry.old_value
            && self.new_value == entry.new_value
            && self.context == entry.context
            && self.question == entry.question
    }

    /// This entry with the place in the log that the service gave it. `recorded_at` stands
    /// in for a missing `occurred_at`.
    pub fn recorded(self, id: Uuid, recorded_at: Timestamp, position: i64, sequence: i64) -> Entry {
        Entry {
            id,
            occurred_at: self.occurred_at.unwrap_or(recorded_at),
            recorded_at,
            position,
            sequence,
            kind: self.kind,
            action: self.action,
            outcome: self.outcome,
            user: self.user,
            organization: self.organization,
            workspace: self.workspace,
            identifier: self.identifier,
            old_value: self.old_value,
            new_value: self.new_value,
            context: self.context,
            question: self.question,
        }
    }
}

/// One permanent entry of the log, as the service keeps it. What a caller gets of it is a
/// [`ServedEntry`](crate::ServedEntry).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity and idempotency key within its organization's log.
    pub id: Uuid,
    /// When the action happened: the order of every listing.
    pub occurred_at: Timestamp,
    /// When the service committed it.
    pub recorded_at: Timestamp,
    /// Strictly increasing over the whole service in commit order; never reused.
    pub position: i64,
    /// Place in its organization's own log (or the platform log): dense, from 0, in commit order.
    pub sequence: i64,
    /// What kind of resource.
    pub kind: Type,
    /// Which operation.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub user: Person,
    /// Where it happened; `None` is a system-level action.
    pub organization: Option<OrganizationRef>,
    /// In which workspace; `None` is an action on the organization as a whole.
    pub workspace: Option<WorkspaceRef>,
    /// Human-readable name of the affected resource.
    pub identifier: String,
    /// State before.
    pub old_value: Option<JsonText>,
    /// State after.
    pub new_value: Option<JsonText>,
    /// Where it came from.
    pub context: Context,
    /// What was asked for, on entries that the service makes about reading.
    pub question: Option<JsonText>,
}
