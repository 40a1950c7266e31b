//! The OpenAPI 3.1 document, made from the code, and the same in OpenAPI 3.0.

mod everywhere;
mod older;
mod problems;

use activity_logs_model::{
    Action, AsOf, OrganizationId, Outcome, Problem, Timestamp, Type, UserId, WorkspaceId,
};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, OpenApi, PartialSchema as _};

use self::everywhere::{BearerTokens, Descriptions, RequestIds};
pub(crate) use self::problems::*;

use crate::routes::{activity_logs, organizations, service};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Activity Logs",
        description = "The audit trail of a multi-tenant platform: every action is a permanent entry, read by each as far as their role lets them see.\n\nErrors are problems of RFC 9457. Programs decide by `code`; codes may be added. Unknown parameters and fields are refused. The pages of a list are found by the `Link` header (RFC 8288), whose addresses are relative to the request's own.",
        contact(name = "The maintainers of Activity Logs"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The service that this document comes from")),
    paths(
        activity_logs::record_activity_logs,
        activity_logs::list_activity_logs,
        activity_logs::get_activity_log,
        activity_logs::list_organization_activity_logs,
        activity_logs::list_recent_organization_activity_logs,
        activity_logs::count_organization_activity_logs,
        activity_logs::get_organization_activity_log,
        organizations::list_organizations,
        organizations::delete_organization,
        service::get_me,
        service::list_activity_types,
        service::get_openapi,
        service::get_openapi_3_0,
        service::get_livez,
        service::get_readyz,
        service::get_metrics,
    ),
    components(schemas(Problem, PageSize)),
    tags(
        (name = "Recording", description = "For services that report what happens on the platform."),
        (name = "Reading", description = "For people and programs that look at what happened. Each reading is recorded itself."),
        (name = "Organizations", description = "The logs there are."),
        (name = "Service", description = "The caller, the catalog and the service itself."),
    ),
    security(("bearer" = [])),
    modifiers(&BearerTokens, &RequestIds, &Descriptions),
)]
struct Document;

/// The document as JSON text, ending in a line break.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The same in OpenAPI 3.0.3, for tools that read no 3.1.
pub fn document_3_0() -> String {
    let document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&older::to_3_0(document)).unwrap_or_default();
    text.push('\n');
    text
}

/// The page of a listing.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct ListingPage {
    /// The page's number, from 1. Beyond the last, pages are empty.
    #[param(minimum = 1, maximum = 1_000_000_000, default = 1)]
    page: Option<u64>,
    /// How many entries a page holds.
    page_size: Option<PageSize>,
    /// The `as_of` of an earlier answer: pins the listing, so that nothing shifts.
    as_of: Option<AsOf>,
}

/// How many items a page holds.
pub(crate) struct PageSize;

impl utoipa::PartialSchema for PageSize {
    fn schema() -> RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .description(Some("How many items a page holds."))
            .enum_values(Some([25, 50, 100]))
            .default(Some(25.into()))
            .into()
    }
}

impl utoipa::ToSchema for PageSize {}

/// Which entries; filters combine with AND, repeated values of one filter with OR.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct OrganizationFilter {
    /// Types of resource.
    #[param(rename = "type", max_items = 100)]
    kind: Option<Vec<Type>>,
    /// Operations.
    #[param(max_items = 100)]
    action: Option<Vec<Action>>,
    /// Outcomes.
    #[param(max_items = 100)]
    outcome: Option<Vec<Outcome>>,
    /// Who did it.
    #[param(max_items = 100)]
    user_id: Option<Vec<UserId>>,
    /// Workspaces.
    #[param(max_items = 100)]
    workspace_id: Option<Vec<WorkspaceId>>,
    /// The earliest `occurred_at`, included. What is recorded late may have happened before it, so
    /// this does not find what is new since an earlier reading.
    from: Option<Timestamp>,
    /// The latest `occurred_at`, excluded.
    to: Option<Timestamp>,
}

/// Which organizations' entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct GlobalFilter {
    /// Organizations.
    #[param(max_items = 100)]
    organization_id: Option<Vec<OrganizationId>>,
}

/// How many of the newest entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct RecentLimit {
    /// How many entries.
    #[param(minimum = 1, maximum = 25, default = 6)]
    limit: Option<u64>,
}

/// Which days.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct Days {
    /// How many days, today included.
    #[param(minimum = 1, maximum = 92, default = 30)]
    days: Option<u64>,
    /// The time zone whose days are meant, by its name in the IANA database.
    #[param(default = "UTC", example = "Europe/Vienna")]
    time_zone: Option<String>,
    /// The `as_of` of an earlier answer: pins the counts.
    as_of: Option<AsOf>,
}

/// Which organizations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct OrganizationSearch {
    /// Text that the name or the id contains, whatever its case.
    #[param(min_length = 1, max_length = 256)]
    q: Option<String>,
    /// The page's number, from 1.
    #[param(minimum = 1, maximum = 1_000_000_000, default = 1)]
    page: Option<u64>,
    /// How many organizations a page holds.
    page_size: Option<PageSize>,
}

/// That it is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct Confirmation {
    /// The organization's id once more. There is no example, so that nothing that fills in examples
    /// confirms.
    #[param(inline, value_type = RepeatedId)]
    confirm: RepeatedId,
}

/// The id of an organization that is to end: its example names none that anybody has.
pub(crate) struct EndingId;

impl utoipa::PartialSchema for EndingId {
    fn schema() -> RefOr<Schema> {
        id_schema(&["no-such-organization"])
    }
}

impl utoipa::ToSchema for EndingId {}

struct RepeatedId;

impl utoipa::PartialSchema for RepeatedId {
    fn schema() -> RefOr<Schema> {
        id_schema(&[])
    }
}

impl utoipa::ToSchema for RepeatedId {}

fn id_schema(examples: &[&str]) -> RefOr<Schema> {
    let mut schema = OrganizationId::schema();
    if let RefOr::T(Schema::Object(id)) = &mut schema {
        id.description = None;
        id.examples = examples.iter().copied().map(Into::into).collect();
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn written() -> Value {
        serde_json::from_str(&document()).unwrap()
    }

    #[test]
    fn what_ends_an_organization_is_not_filled_in_by_examples() {
        let document = written();
        let ending = &document["paths"]["/api/v1/organizations/{organization_id}"]["delete"];
        let schema = |name: &str| {
            let parameters = ending["parameters"].as_array().unwrap();
            parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
        };
        let (path, confirm) = (schema("organization_id"), schema("confirm"));
        assert_eq!(path["examples"], serde_json::json!(["no-such-organization"]));
        for schema in [&path, &confirm] {
            assert!(schema["pattern"].is_string() && schema.get("$ref").is_none(), "{schema}");
        }
        assert!(confirm.get("examples").is_none() && confirm.get("example").is_none());
        assert_ne!(path, confirm);
    }

    #[test]
    fn fields_that_may_be_null_are_described_where_clients_look() {
        let document = written();
        let mut seen = 0;
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                if property.get("oneOf").is_some() {
                    assert!(property["description"].is_string(), "{name}.{field}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 4);
    }

    #[test]
    fn every_operation_is_described_and_has_a_request_id() {
        let document = written();
        let mut seen = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["description"].is_string(), "{method} {path}");
                let parameters = operation["parameters"].as_array().unwrap();
                let id = serde_json::json!({"$ref": "#/components/parameters/X-Request-Id"});
                assert!(parameters.contains(&id), "{method} {path}");
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let header = &response["headers"]["X-Request-Id"];
                    assert!(header.is_object(), "{method} {path} {status}");
                }
                seen += 1;
            }
        }
        assert!(seen >= 15);
        assert_eq!(document["servers"][0]["url"], "/");
    }
}
