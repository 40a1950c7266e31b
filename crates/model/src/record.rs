//! From bytes to valid entries: the form in which recorders send them, and the rules that
//! an entry must keep.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;
use uuid::Uuid;

use crate::catalog::{Action, Catalog, Type, ValueRule};
use crate::entry::{
    Context, MAX_IDENTIFIER_LENGTH, NewEntry, OrganizationRef, Outcome, Person, WorkspaceRef,
    check_text,
};
use crate::json::JsonText;
use crate::problem::FieldError;
use crate::time::Timestamp;

/// The most entries in one request.
pub const MAX_ENTRIES: usize = 1_000;
/// The largest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How far ahead of the service's clock an entry may lie, in seconds.
pub const MAX_AHEAD_SECONDS: i64 = 5 * 60;
/// The most field errors in one answer: enough to mend a sender by.
pub(crate) const MAX_ERRORS: usize = 50;

/// The body of `POST /activity-logs`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordRequest {
    /// The entries, 1 to 1,000: all of them are recorded, or none.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
    pub entries: Vec<EntryInput>,
}

/// An entry as a recorder sends it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "id": "0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11",
    "occurred_at": "2026-01-31T09:30:00Z",
    "type": "Organization",
    "action": "Update",
    "user": {"id": "user-1", "name": "Ada Abara", "email": "ada@example.com"},
    "organization": {"id": "acme", "name": "Acme"},
    "identifier": "Acme",
    "old_value": "Premium",
    "new_value": "Enterprise",
    "context": {"ip_address": "192.0.2.7"}
})))]
pub struct EntryInput {
    /// Identity and idempotency key within the organization's log; made by the service
    /// (UUIDv7) where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// When the action happened, from 1970 on, at most five minutes ahead; the time of
    /// arrival where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// What kind of resource: a type of `GET /activity-types`.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Which operation: an action of that type.
    pub action: Action,
    /// How it ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// Who did it.
    pub user: Person,
    /// Where; missing or null for a system-level action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// In which workspace of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceRef>,
    /// Human-readable name of the affected resource.
    #[serde(default, deserialize_with = "identifier")]
    #[cfg_attr(feature = "openapi", schema(max_length = 512, examples("Research cluster")))]
    pub identifier: String,
    /// State before, as the action's `values` rule asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required = false))]
    pub old_value: Option<JsonText>,
    /// State after, as the action's `values` rule asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required = false))]
    pub new_value: Option<JsonText>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_text(&text, 0, MAX_IDENTIFIER_LENGTH).map_err(serde::de::Error::custom)?;
    Ok(text)
}

/// Why bytes are no entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// No JSON; says where and why.
    Malformed(String),
    /// JSON that breaks rules; each error points at a field.
    Invalid(Vec<FieldError>),
}

/// Reads the body of `POST /activity-logs`. `now` is the service's clock.
///
/// # Errors
/// [`Rejection`] with every rule that is broken, up to fifty.
pub fn parse_request(
    body: &[u8],
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Vec<NewEntry>, Rejection> {
    let request: RecordRequest = parse_json(body)?;
    if request.entries.is_empty() || request.entries.len() > MAX_ENTRIES {
        let detail =
            format!("must hold 1 to {MAX_ENTRIES} entries, holds {}", request.entries.len());
        return Err(Rejection::Invalid(vec![FieldError::new("/entries", detail)]));
    }
    let mut errors = Vec::new();
    let mut entries = Vec::with_capacity(request.entries.len());
    for (index, input) in request.entries.into_iter().enumerate() {
        errors.extend(input.broken_rules(catalog, now).into_iter().map(|error| FieldError {
            pointer: format!("/entries/{index}{}", error.pointer),
            ..error
        }));
        entries.push(NewEntry::from(input));
    }
    if errors.is_empty() {
        return Ok(entries);
    }
    errors.truncate(MAX_ERRORS);
    Err(Rejection::Invalid(errors))
}

/// Reads one entry: a line of an import. `now` is the importer's clock.
///
/// # Errors
/// [`Rejection`] with every rule that is broken.
pub fn parse_entry(json: &[u8], catalog: &Catalog, now: Timestamp) -> Result<NewEntry, Rejection> {
    let input: EntryInput = parse_json(json)?;
    let errors = input.broken_rules(catalog, now);
    if errors.is_empty() { Ok(input.into()) } else { Err(Rejection::Invalid(errors)) }
}

impl EntryInput {
    fn broken_rules(&self, catalog: &Catalog, now: Timestamp) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut broken =
            |pointer: &str, detail: &str| errors.push(FieldError::new(pointer, detail));

        if let Some(at) = self.occurred_at {
            if at < Timestamp::EPOCH {
                broken("/occurred_at", "must not lie before 1970-01-01T00:00:00Z");
            } else if at > now.plus_seconds(MAX_AHEAD_SECONDS) {
                broken("/occurred_at", "must not lie more than five minutes in the future");
            }
        }
        if self.workspace.is_some() && self.organization.is_none() {
            broken("/workspace", "a workspace needs its organization");
        }
        if self.kind == Type::activity_logs() {
            broken("/type", "ActivityLogs entries are recorded by the service itself");
        } else if catalog.find_type(self.kind.as_str()).is_none() {
            broken("/type", "is no type of the catalog (see GET /api/v1/activity-types)");
        } else if let Some(rule) = catalog.rule(&self.kind, &self.action) {
            self.check_values(rule, &mut broken);
        } else {
            let detail = format!("is no action of {} (see GET /api/v1/activity-types)", self.kind);
            broken("/action", &detail);
        }
        errors
    }

    fn check_values(&self, rule: ValueRule, broken: &mut impl FnMut(&str, &str)) {
        let (old, new) = (self.old_value.is_some(), self.new_value.is_some());
        let done = self.outcome == Outcome::Success;
        match rule {
            ValueRule::None => {
                if old {
                    broken("/old_value", "a read has no values");
                }
                if new {
                    broken("/new_value", "a read has no values");
                }
            }
            ValueRule::Create => {
                if old {
                    broken("/old_value", "what is created has no state before");
                }
                if !new && done {
                    broken("/new_value", "must be the whole initial state");
                }
            }
            ValueRule::Change => {
                if !old && !new && done {
                    broken("/new_value", "a change needs the value before, after or both");
                }
            }
            ValueRule::Remove => {
                if !old && done {
                    broken("/old_value", "must be the state before");
                }
            }
            ValueRule::Any => {}
        }
    }
}

impl From<EntryInput> for NewEntry {
    fn from(input: EntryInput) -> Self {
        Self {
            id: input.id,
            occurred_at: input.occurred_at,
            kind: input.kind,
            action: input.action,
            outcome: input.outcome,
            user: input.user,
            organization: input.organization,
            workspace: input.workspace,
            identifier: input.identifier,
            old_value: input.old_value,
            new_value: input.new_value,
            context: input.context.unwrap_or_default(),
            question: None,
        }
    }
}

fn parse_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Rejection> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if error.classify() != Category::Data {
        return Err(Rejection::Malformed(error.to_string()));
    }
    // Only a body that is wrong pays for finding out where.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => {
            Err(Rejection::Invalid(vec![FieldError::new(pointer(error.path()), error.inner())]))
        }
        Ok(_) => Err(Rejection::Malformed(error.to_string())),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-01-31T12:00:00Z";

    fn good() -> Value {
        json!({
            "type": "Workspace", "action": "Update",
            "user": {"id": "user-1", "name": "Ada"},
            "organization": {"id": "acme", "name": "Acme"},
            "workspace": {"id": "ws-1", "name": "Research"},
            "identifier": "Research", "new_value": {"size": 2},
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut entry = good();
        entry[field] = value;
        entry
    }

    fn parse(entries: Value) -> Result<Vec<NewEntry>, Rejection> {
        let body = json!({ "entries": entries }).to_string();
        parse_request(body.as_bytes(), &Catalog::built_in(), NOW.parse().unwrap())
    }

    fn error_of(entry: Value) -> FieldError {
        match parse(json!([good(), entry])) {
            Err(Rejection::Invalid(errors)) => errors.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_entry_is_taken_as_it_is() {
        let entry = parse(json!([good()])).unwrap().remove(0);
        assert_eq!(entry.new_value.unwrap().as_str(), "{\"size\":2}");
        assert_eq!(entry.outcome, Outcome::Success);
        assert_eq!(entry.context, Context::default());
    }

    #[test]
    fn each_broken_rule_points_at_its_field() {
        let big = "x".repeat(64 * 1024);
        let cases = [
            (with("type", json!("Rocket")), "/type", "no type of the catalog"),
            (with("type", json!("rocket")), "/type", "PascalCase"),
            (with("type", json!("ActivityLogs")), "/type", "by the service itself"),
            (with("action", json!("Launch")), "/action", "no action of Workspace"),
            (with("action", json!("Fetch")), "/new_value", "a read has no values"),
            (with("id", json!("17")), "/id", "UUID"),
            (with("occurred_at", json!("2026-01-31T12:10:00Z")), "/occurred_at", "five minutes"),
            (with("occurred_at", json!("9999-12-31T23:59:59Z")), "/occurred_at", "five minutes"),
            (with("occurred_at", json!("1969-12-31T23:59:59Z")), "/occurred_at", "before 1970"),
            (with("occurred_at", json!("soon")), "/occurred_at", "RFC 3339"),
            (with("outcome", json!("maybe")), "/outcome", "unknown variant"),
            (with("user", json!({"id": "a\n", "name": "A"})), "/user/id", "control characters"),
            (with("organization", json!({"id": "..", "name": "A"})), "/organization/id", "not `.`"),
            (with("user", json!({"id": "a", "name": ""})), "/user/name", "1 to 256"),
            (with("user", json!({"id": "a", "name": "A\u{0}"})), "/user/name", "U+0000"),
            (with("user", json!("ada")), "/user", "invalid type"),
            (with("identifier", json!("x".repeat(513))), "/identifier", "is 513"),
            (with("organization", json!(null)), "/workspace", "needs its organization"),
            (with("new_value", json!(big)), "/new_value", "65536 bytes"),
            (with("new_value", json!({"a": ["\u{0}"]})), "/new_value/a/0", "U+0000"),
            (with("context", json!({"ip_address": "here"})), "/context/ip_address", "IPv4"),
            (with("colour", json!("red")), "/colour", "unknown field"),
            (
                json!({"type": "Users", "action": "Create", "user": good()["user"],
                "old_value": 1, "new_value": 2}),
                "/old_value",
                "no state before",
            ),
            (
                json!({"type": "Users", "action": "Create", "user": good()["user"]}),
                "/new_value",
                "initial state",
            ),
            (
                json!({"type": "Users", "action": "Delete", "user": good()["user"]}),
                "/old_value",
                "state before",
            ),
            (
                json!({"type": "Users", "action": "Update", "user": good()["user"]}),
                "/new_value",
                "a change needs",
            ),
            (json!({"type": "Users", "action": "Update"}), "", "missing field `user`"),
        ];
        for (entry, pointer, says) in cases {
            let error = error_of(entry.clone());
            assert_eq!(error.pointer, format!("/entries/1{pointer}"), "{entry}");
            assert!(error.detail.contains(says), "{entry}: {error:?}");
        }
    }

    #[test]
    fn an_attempt_that_was_not_done_needs_no_values() {
        for (action, outcome) in [("Create", "denied"), ("Delete", "failure"), ("Update", "denied")]
        {
            let entry = json!({"type": "Users", "action": action, "outcome": outcome, "user": good()["user"]});
            assert!(parse(json!([entry])).is_ok(), "{action} {outcome}");
        }
    }

    #[test]
    fn a_batch_holds_one_to_a_thousand() {
        for count in [0, 1001] {
            let Err(Rejection::Invalid(errors)) = parse(json!(vec![good(); count])) else {
                panic!()
            };
            assert_eq!(errors[0].pointer, "/entries");
        }
        assert_eq!(parse(json!(vec![good(); 1000])).unwrap().len(), 1000);
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep =
            format!("{{\"entries\":[{{\"new_value\":{}{}}}]}}", "[".repeat(200), "]".repeat(200));
        let cases: [&[u8]; 5] = [
            b"",
            b"{\"entries\":[",
            b"{\"entries\":[{\"identifier\":\"\\ud800\"}]}",
            b"\xff",
            deep.as_bytes(),
        ];
        for body in cases {
            let result = parse_request(body, &Catalog::built_in(), NOW.parse().unwrap());
            assert!(matches!(result, Err(Rejection::Malformed(_))), "{result:?}");
        }
    }

    #[test]
    fn errors_of_all_entries_are_listed_up_to_a_limit() {
        let bad = with("type", json!("Rocket"));
        let Err(Rejection::Invalid(errors)) = parse(json!(vec![bad; 60])) else { panic!() };
        assert_eq!(errors.len(), 50);
        assert_eq!(errors[49].pointer, "/entries/49/type");
    }
}
