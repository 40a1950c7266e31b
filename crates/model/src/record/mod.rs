//! From bytes to valid entries: the form in which recorders send them, and the rules that
//! an entry must keep.
//!
//! A sender learns of everything that is wrong at once. So a body is taken for JSON first, and
//! then each field is read from its own text.

mod address;
mod fields;
mod rules;
mod syntax;

use serde::Serialize;
use uuid::Uuid;

use crate::catalog::{Action, Catalog, Type};
use crate::entry::{
    Context, MAX_EMAIL_LENGTH, MAX_IDENTIFIER_LENGTH, MAX_NAME_LENGTH, MAX_REQUEST_ID_LENGTH,
    MAX_USER_AGENT_LENGTH, NewEntry, OrganizationRef, Outcome, Person, WorkspaceRef,
};
use crate::id::EntryId;
use crate::json::{JsonText, Raw};
use crate::problem::FieldError;
use crate::time::Timestamp;
use fields::{Errors, Fields, Form, Place, parsed, sized, text};
use rules::Facts;
pub use syntax::{SyntaxError, without_mark};

/// The most entries in one request.
pub const MAX_ENTRIES: usize = 1_000;
/// The largest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How far ahead of the service's clock an entry may lie, in seconds.
pub const MAX_AHEAD_SECONDS: i64 = 5 * 60;
/// The body of `POST /activity-logs`.
#[derive(Debug, Clone, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordRequest {
    /// The entries, 1 to 1,000: all of them are recorded, or none.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
    pub entries: Vec<EntryInput>,
}

/// An entry as a recorder sends it.
#[derive(Debug, Clone, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// When the action happened, from 1970 on, at most five minutes ahead; the time of
    /// arrival where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// What kind of resource: a type of `GET /activity-types`.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Which operation: an action of that type.
    pub action: Action,
    /// How it ended; `success` where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(default = "success"))]
    pub outcome: Option<Outcome>,
    /// Who did it.
    pub user: Person,
    /// Where; missing or null for a system-level action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// In which workspace of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceRef>,
    /// Human-readable name of the affected resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 512, examples("Research cluster")))]
    pub identifier: Option<String>,
    /// State before, as the action's `values` rule asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required = false))]
    pub old_value: Option<JsonText>,
    /// State after, as the action's `values` rule asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = JsonText, required = false))]
    pub new_value: Option<JsonText>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

/// Why bytes are not entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// They are not JSON.
    Malformed(SyntaxError),
    /// They are JSON that breaks rules; each error points at a field.
    Invalid(Vec<FieldError>),
}

/// Reads the body of `POST /activity-logs`. `now` is the service's clock.
///
/// # Errors
/// [`Rejection`] with everything that is wrong in any entry, up to fifty faults.
pub fn parse_request(
    body: &[u8],
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Vec<NewEntry>, Rejection> {
    let raw = syntax::read(body).map_err(Rejection::Malformed)?;
    let mut errors = Errors::default();
    let entries = entries(raw, catalog, now, &mut errors);
    errors.into_result(entries).map_err(Rejection::Invalid)
}

/// Reads one entry: a line of an import. `now` is the importer's clock.
///
/// # Errors
/// [`Rejection`] with everything that is wrong.
pub fn parse_entry(json: &[u8], catalog: &Catalog, now: Timestamp) -> Result<NewEntry, Rejection> {
    let raw = syntax::read(json).map_err(Rejection::Malformed)?;
    let mut errors = Errors::default();
    let entry = entry(raw, &Place::Root, catalog, now, &mut errors);
    errors.into_result(entry).map_err(Rejection::Invalid)
}

static BODY: Form =
    Form { name: "a request", hint: "an object: {\"entries\": [...]}", fields: &["entries"] };
static ENTRY: Form = Form {
    name: "an entry",
    hint: "an object",
    fields: &[
        "id",
        "occurred_at",
        "type",
        "action",
        "outcome",
        "user",
        "organization",
        "workspace",
        "identifier",
        "old_value",
        "new_value",
        "context",
    ],
};
static PERSON: Form = Form {
    name: "a person",
    hint: "an object with id, name and possibly email",
    fields: &["id", "name", "email"],
};
static ORGANIZATION: Form =
    Form { name: "an organization", hint: "an object with id and name", fields: &["id", "name"] };
static WORKSPACE: Form =
    Form { name: "a workspace", hint: "an object with id and name", fields: &["id", "name"] };
static CONTEXT: Form = Form {
    name: "a context",
    hint: "an object",
    fields: &["ip_address", "user_agent", "request_id"],
};

fn entries(
    raw: Raw<'_>,
    catalog: &Catalog,
    now: Timestamp,
    errors: &mut Errors,
) -> Option<Vec<NewEntry>> {
    let mut fields = Fields::open(raw, &BODY, &Place::Root, errors)?;
    let list = fields.needed("entries")?;
    let Some(count) = list.items().map(Iterator::count) else {
        fields.refuse("entries", "must be a list of entries");
        return None;
    };
    if !(1..=MAX_ENTRIES).contains(&count) {
        let detail = format!("must hold 1 to {MAX_ENTRIES} entries, holds {count}");
        fields.refuse("entries", detail);
        return None;
    }
    let place = Place::Root.field("entries");
    let mut read = Vec::with_capacity(count);
    for (index, item) in list.items()?.enumerate() {
        if errors.is_full() {
            break;
        }
        read.extend(entry(item, &Place::Item(&place, index), catalog, now, errors));
    }
    Some(read)
}

fn entry(
    raw: Raw<'_>,
    place: &Place<'_>,
    catalog: &Catalog,
    now: Timestamp,
    errors: &mut Errors,
) -> Option<NewEntry> {
    let before = errors.count();
    let mut fields = Fields::open(raw, &ENTRY, place, errors)?;
    let id = fields.optional("id", parsed::<EntryId>);
    let occurred_at = fields.optional("occurred_at", parsed);
    let kind: Option<Type> = fields.required("type", parsed);
    let action: Option<Action> = fields.required("action", parsed);
    let outcome = match fields.take("outcome") {
        Some(_) => fields.optional("outcome", parsed),
        None => Some(Outcome::default()),
    };
    let user = fields.required_object("user", person);
    let organization = fields.object("organization", organization);
    let workspace = fields.object("workspace", workspace);
    let identifier = fields.optional("identifier", |raw| sized(raw, 0, MAX_IDENTIFIER_LENGTH));
    let old_value = fields.value("old_value");
    let new_value = fields.value("new_value");
    let context = fields.object("context", context);
    let facts = Facts {
        occurred_at,
        kind: kind.as_ref(),
        action: action.as_ref(),
        outcome,
        has_organization: fields.take("organization").is_some(),
        has_workspace: fields.take("workspace").is_some(),
        has_old: fields.take("old_value").is_some(),
        has_new: fields.take("new_value").is_some(),
    };
    facts.check(catalog, now, |field, why| fields.refuse(field, why));
    if errors.count() > before {
        return None;
    }
    Some(NewEntry {
        id: id.map(EntryId::get),
        occurred_at,
        kind: kind?,
        action: action?,
        outcome: outcome?,
        user: user?,
        organization,
        workspace,
        identifier: identifier.unwrap_or_default(),
        old_value,
        new_value,
        context: context.unwrap_or_default(),
        question: None,
    })
}

fn person(raw: Raw<'_>, place: &Place<'_>, errors: &mut Errors) -> Option<Person> {
    let mut fields = Fields::open(raw, &PERSON, place, errors)?;
    let id = fields.required("id", parsed);
    let name = fields.required("name", name);
    let email = fields.optional("email", |raw| optional_text(raw, MAX_EMAIL_LENGTH));
    Some(Person { id: id?, name: name?, email: email.flatten() })
}

fn organization(raw: Raw<'_>, place: &Place<'_>, errors: &mut Errors) -> Option<OrganizationRef> {
    let mut fields = Fields::open(raw, &ORGANIZATION, place, errors)?;
    let (id, name) = (fields.required("id", parsed), fields.required("name", name));
    Some(OrganizationRef { id: id?, name: name? })
}

fn workspace(raw: Raw<'_>, place: &Place<'_>, errors: &mut Errors) -> Option<WorkspaceRef> {
    let mut fields = Fields::open(raw, &WORKSPACE, place, errors)?;
    let (id, name) = (fields.required("id", parsed), fields.required("name", name));
    Some(WorkspaceRef { id: id?, name: name? })
}

fn context(raw: Raw<'_>, place: &Place<'_>, errors: &mut Errors) -> Option<Context> {
    let mut fields = Fields::open(raw, &CONTEXT, place, errors)?;
    let ip_address = fields.optional("ip_address", ip_address);
    let user_agent = fields.optional("user_agent", |raw| optional_text(raw, MAX_USER_AGENT_LENGTH));
    let request_id = fields.optional("request_id", |raw| optional_text(raw, MAX_REQUEST_ID_LENGTH));
    Some(Context {
        ip_address: ip_address.flatten(),
        user_agent: user_agent.flatten(),
        request_id: request_id.flatten(),
    })
}

fn name(raw: Raw<'_>) -> Result<String, String> {
    sized(raw, 1, MAX_NAME_LENGTH)
}

/// A text that says nothing where it is empty.
fn optional_text(raw: Raw<'_>, most: usize) -> Result<Option<String>, String> {
    Ok(Some(sized(raw, 0, most)?).filter(|text| !text.is_empty()))
}

fn ip_address(raw: Raw<'_>) -> Result<Option<String>, String> {
    let text = text(raw)?;
    if text.is_empty() {
        return Ok(None);
    }
    let address = address::read(&text).ok_or("must be an IPv4 or IPv6 address")?;
    Ok(Some(address.to_string()))
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
            (with("type", json!("Rocket")), "/type", "not a type of the catalog"),
            (with("type", json!("rocket")), "/type", "PascalCase"),
            (with("type", json!("ActivityLogs")), "/type", "by the service itself"),
            (with("action", json!("Launch")), "/action", "not an action of Workspace"),
            (with("action", json!("Fetch")), "/new_value", "a read has no values"),
            (with("id", json!("17")), "/id", "UUID"),
            (with("occurred_at", json!("2026-01-31T12:10:00Z")), "/occurred_at", "five minutes"),
            (with("occurred_at", json!("9999-12-31T23:59:59Z")), "/occurred_at", "five minutes"),
            (with("occurred_at", json!("1969-12-31T23:59:59Z")), "/occurred_at", "before 1970"),
            (with("occurred_at", json!("soon")), "/occurred_at", "RFC 3339"),
            (with("outcome", json!("maybe")), "/outcome", "must be success, denied or failure"),
            (with("outcome", json!({"success": null})), "/outcome", "must be a text"),
            (with("user", json!({"id": "a\n", "name": "A"})), "/user/id", "control characters"),
            (with("organization", json!({"id": "..", "name": "A"})), "/organization/id", "not `.`"),
            (with("user", json!({"id": "a", "name": ""})), "/user/name", "1 to 256"),
            (with("user", json!({"id": "a", "name": "A\u{0}"})), "/user/name", "U+0000"),
            (with("user", json!("ada")), "/user", "must be an object with id, name"),
            (with("user", json!(["ada", "Ada"])), "/user", "must be an object with id, name"),
            (with("user", json!(null)), "/user", "must be an object with id, name"),
            (with("user", json!({"id": 7, "name": "A"})), "/user/id", "must be a text"),
            (with("user", json!({"name": "A"})), "/user/id", "is missing"),
            (
                with("user", json!({"id": "a", "name": "A", "mail": "x"})),
                "/user/mail",
                "is not a field of a person",
            ),
            (with("identifier", json!("x".repeat(513))), "/identifier", "is 513"),
            (with("organization", json!(null)), "/workspace", "needs its organization"),
            (with("new_value", json!(big)), "/new_value", "65536 bytes"),
            (with("new_value", json!({"a": ["\u{0}"]})), "/new_value/a/0", "U+0000"),
            (
                with("new_value", json!({"a": [1, u64::MAX]})),
                "/new_value/a/1",
                "18446744073709551615 would be kept as",
            ),
            (with("context", json!({"user_agent": "a\u{0}"})), "/context/user_agent", "U+0000"),
            (
                with("context", json!({"user_agent": "x".repeat(2049)})),
                "/context/user_agent",
                "is 2049",
            ),
            (with("context", json!({"ip_address": "here"})), "/context/ip_address", "IPv4"),
            (with("colour", json!("red")), "/colour", "is not a field of an entry"),
            (with("a/b~", json!(1)), "/a~1b~0", "is not a field of an entry"),
            (with(&"x".repeat(5_000), json!(1)), "", "has a field that an entry does not have"),
            (json!(7), "", "must be an object"),
            (json!([1]), "", "must be an object"),
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
            (json!({"type": "Users", "action": "Fetch"}), "/user", "is missing"),
            (json!({"action": "Fetch", "user": good()["user"]}), "/type", "is missing"),
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

    fn parse_text(body: &str) -> Result<Vec<NewEntry>, Rejection> {
        parse_request(body.as_bytes(), &Catalog::built_in(), NOW.parse().unwrap())
    }

    fn errors_of(result: Result<Vec<NewEntry>, Rejection>) -> Vec<(String, String)> {
        let Err(Rejection::Invalid(errors)) = result else { panic!("{result:?}") };
        errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [&b""[..], b"{\"entries\":[", b"\xff", b"\xff\xfe{\0"] {
            let result = parse_request(body, &Catalog::built_in(), NOW.parse().unwrap());
            assert!(matches!(result, Err(Rejection::Malformed(_))), "{result:?}");
        }
        let Err(Rejection::Malformed(error)) = parse_text("{\"entries\": [\n {\"id\": }]}") else {
            panic!()
        };
        assert_eq!((error.line, error.column), (2, 9), "{error}");
    }

    #[test]
    fn a_body_of_another_form_is_pointed_at() {
        for (body, pointer, says) in [
            ("[]", "", "must be an object: {\"entries\": [...]}"),
            ("null", "", "must be an object"),
            ("{}", "/entries", "is missing"),
            ("{\"entries\":null}", "/entries", "must be a list of entries"),
            ("{\"entries\":{}}", "/entries", "must be a list of entries"),
            ("{\"entries\":[],\"entries\":[]}", "/entries", "is given twice"),
            ("{\"entries\":[1],\"more\":1}", "/more", "is not a field of a request"),
        ] {
            let errors = errors_of(parse_text(body));
            assert_eq!(errors[0].0, pointer, "{body}");
            assert!(errors[0].1.contains(says), "{body}: {errors:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_in_all_entries_is_said_at_once() {
        let bad = r#"{"user": {"id": " ", "name": "", "x": 1}, "action": "?", "type": "Rocket", "colour": 1,
            "occurred_at": "soon", "workspace": {"id": "w"}, "identifier": "cut in an emoji \ud83d",
            "old_value": {"a": 1e999, "b": ["\ud800"]}, "action": "Update"}"#;
        let read = json!({"type": "Users", "action": "Fetch", "user": good()["user"], "old_value": 1, "new_value": 2});
        let body = format!("{{\"entries\": [{}, {bad}, {read}]}}", good());
        let errors = errors_of(parse_text(&body));
        let pointers: Vec<&str> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/entries/1/colour",
                "/entries/1/action",
                "/entries/1/occurred_at",
                "/entries/1/action",
                "/entries/1/user/x",
                "/entries/1/user/id",
                "/entries/1/user/name",
                "/entries/1/workspace/name",
                "/entries/1/identifier",
                "/entries/1/old_value/a",
                "/entries/1/old_value/b/0",
                "/entries/1/workspace",
                "/entries/1/type",
                "/entries/2/old_value",
                "/entries/2/new_value",
            ]
        );
        for (pointer, detail) in &errors {
            for word in
                ["line", "column", "expected", "invalid", "String", "struct", "u64", "map", "seq"]
            {
                assert!(!detail.contains(word), "{pointer} speaks of a parser: {detail}");
            }
        }
        assert_eq!(errors[1].1, "is given twice");
        assert!(errors[8].1.contains("half of a character"), "{errors:?}");
    }

    #[test]
    fn null_and_empty_texts_are_absent() {
        let bare = json!({"type": "Users", "action": "Update", "user": {"id": "a", "name": "A"}, "new_value": 1});
        let mut sent = bare.clone();
        for field in [
            "id",
            "occurred_at",
            "outcome",
            "organization",
            "workspace",
            "identifier",
            "old_value",
            "context",
        ] {
            sent[field] = json!(null);
        }
        sent["user"]["email"] = json!("");
        assert_eq!(parse(json!([sent])), parse(json!([bare])));
        sent["context"] = json!({"ip_address": "", "user_agent": "", "request_id": null});
        sent["identifier"] = json!("");
        let taken = parse(json!([sent])).unwrap().remove(0);
        assert_eq!((taken.outcome, taken.user.email.as_deref()), (Outcome::Success, None));
        assert_eq!(taken.context, Context::default());
    }

    #[test]
    fn an_address_is_kept_without_what_stands_around_it() {
        let sent = with("context", json!({"ip_address": "[2001:DB8::1]:443"}));
        let taken = parse(json!([sent])).unwrap().remove(0);
        assert_eq!(taken.context.ip_address.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn names_and_texts_may_be_written_with_escapes() {
        let body = good()
            .to_string()
            .replace("\"type\"", "\"t\\u0079pe\"")
            .replace("Ada", "\\u0041d\\u0061 \\ud83d\\ude00");
        let taken =
            parse_entry(body.as_bytes(), &Catalog::built_in(), NOW.parse().unwrap()).unwrap();
        assert_eq!(taken.user.name, "Ada 😀");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let line = format!("\u{feff}{}", good());
        assert!(parse_entry(line.as_bytes(), &Catalog::built_in(), NOW.parse().unwrap()).is_ok());
        assert!(parse_text(&format!("\u{feff}{{\"entries\":[{}]}}", good())).is_ok());
    }

    #[test]
    fn errors_of_all_entries_are_listed_up_to_a_limit() {
        let bad = with("type", json!("Rocket"));
        let errors = errors_of(parse(json!(vec![bad; 60])));
        assert_eq!((errors.len(), errors[49].0.as_str()), (50, "/entries/49/type"));
        let many: Value =
            (0..100).map(|i| (format!("x{i}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(errors_of(parse(json!([many]))).len(), 50);
        let numbers = format!("[{}1]", "1e999,".repeat(49));
        let entry = good().to_string().replace("{\"size\":2}", &numbers);
        assert_eq!(errors_of(parse_text(&format!("{{\"entries\":[{entry},{entry}]}}"))).len(), 50);
    }

    /// What senders write with the type that describes the form is read.
    #[test]
    fn the_described_form_is_read() {
        let input = EntryInput {
            id: Some(Uuid::from_u128(7)),
            occurred_at: Some(Timestamp::EPOCH),
            kind: "Users".parse().unwrap(),
            action: "Update".parse().unwrap(),
            outcome: Some(Outcome::Failure),
            user: Person {
                id: "a".parse().unwrap(),
                name: "A".to_owned(),
                email: Some("a@b".to_owned()),
            },
            organization: Some(OrganizationRef { id: "o".parse().unwrap(), name: "O".to_owned() }),
            workspace: Some(WorkspaceRef { id: "w".parse().unwrap(), name: "W".to_owned() }),
            identifier: Some("x".to_owned()),
            old_value: JsonText::parse("1").unwrap(),
            new_value: JsonText::parse("[2]").unwrap(),
            context: Some(Context {
                ip_address: Some("192.0.2.7".to_owned()),
                user_agent: Some("c".to_owned()),
                request_id: Some("r".to_owned()),
            }),
        };
        let sent = serde_json::to_value(&input).unwrap();
        let taken = parse(json!([sent])).unwrap().remove(0);
        let recorded = taken.recorded(Uuid::from_u128(7), Timestamp::EPOCH, 1, 0);
        let shown = crate::Visibility::Everything.serve(recorded);
        let mut shown = serde_json::to_value(&shown).unwrap();
        for made in ["position", "sequence", "recorded_at", "question"] {
            shown.as_object_mut().unwrap().remove(made);
        }
        assert_eq!(shown, sent);
        let mut fields: Vec<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
        let mut read = ENTRY.fields.to_vec();
        fields.sort_unstable();
        read.sort_unstable();
        assert_eq!(fields, read);
    }
}
