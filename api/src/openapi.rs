//! The OpenAPI 3.1 document, made from the code.

use std::collections::BTreeMap;

use activity_logs_model::{
    Action, AsOf, OrganizationId, Outcome, Problem, ProblemCode, Timestamp, Type, UserId,
    WorkspaceId,
};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use crate::problem::PROBLEM_JSON;
use crate::routes::{activity_logs, organizations, service};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Activity Logs",
        description = "The audit trail of a multi-tenant platform: every action is a permanent entry, read by each as far as their role lets them see.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
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
        service::get_livez,
        service::get_readyz,
        service::get_metrics,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Recording", description = "For services that report what happens on the platform."),
        (name = "Reading", description = "For people and programs that look at what happened. Each reading is recorded itself."),
        (name = "Organizations", description = "The logs there are."),
        (name = "Service", description = "The caller, the catalog and the service itself."),
    ),
    security(("bearer" = [])),
    modifiers(&BearerTokens),
)]
struct Document;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JSON Web Token; its claims alone decide what the caller may do."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document as JSON text, ending in a line break.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
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
    #[param(inline, value_type = Option<PageSize>)]
    page_size: Option<PageSize>,
    /// The `as_of` of an earlier answer: pins the listing, so that nothing shifts.
    as_of: Option<AsOf>,
}

/// How many items a page holds.
struct PageSize;

impl utoipa::PartialSchema for PageSize {
    fn schema() -> RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
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
    /// The earliest instant, included.
    from: Option<Timestamp>,
    /// The latest instant, excluded.
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
    #[param(inline, value_type = Option<PageSize>)]
    page_size: Option<PageSize>,
}

/// That it is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that the model parses")]
pub(crate) struct Confirmation {
    /// The organization's id once more.
    confirm: OrganizationId,
}

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident: $($code:ident)+) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_responses(&[$(ProblemCode::$code),+])
            }
        }
    };
}

problems!(
    /// Those of operations that any valid token may use.
    SignedProblems: MissingToken InvalidToken MalformedParameters KeysUnavailable InternalError
);
problems!(
    /// Those of the list of organizations.
    OrganizationProblems: MissingToken InvalidToken Forbidden MalformedParameters InvalidParameters
        TooManyRequests DatabaseUnavailable KeysUnavailable InternalError
);
problems!(
    /// Those of readings.
    ReadProblems: MalformedParameters MissingToken InvalidToken Forbidden NotFound OrganizationDeleted
        InvalidParameters TooManyRequests QueueFull ReadingTooSlow DatabaseUnavailable ReadingNotRecorded KeysUnavailable InternalError
);
problems!(
    /// Those of recording.
    RecordProblems: MalformedJson MalformedParameters MissingToken InvalidToken Forbidden RequestTimeout IdConflict
        OrganizationDeleted BodyTooLarge UnsupportedMediaType InvalidEntries QueueFull
        DatabaseUnavailable ReadingNotRecorded KeysUnavailable InternalError
);
problems!(
    /// Those of the end of an organization.
    RemovalProblems: MalformedParameters MissingToken InvalidToken Forbidden NotFound
        OrganizationDeleted InvalidParameters TooManyRequests QueueFull DatabaseUnavailable ReadingNotRecorded
        KeysUnavailable InternalError
);
problems!(
    /// Those of the metrics.
    MetricsProblems: InternalError
);
problems!(
    /// Those of the readiness check.
    HealthProblems: DatabaseUnavailable KeysUnavailable InternalError
);

/// One response for each status, naming its codes: the table of [`ProblemCode`] as documentation.
fn problem_responses(codes: &[ProblemCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(*code);
    }
    let response = |status: u16, codes: &[ProblemCode]| {
        let words: Vec<String> =
            codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response =
            ResponseBuilder::new().description(words.join(". ")).content(PROBLEM_JSON, content);
        let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
        if matches!(status, 401 | 403) {
            response = response.header("WWW-Authenticate", header("The challenge of RFC 6750"));
        }
        if matches!(status, 429 | 503) {
            let text = "Seconds after which to try again; none with `reading_too_slow`";
            response = response.header("Retry-After", header(text));
        }
        RefOr::T(response.build())
    };
    by_status.iter().map(|(status, codes)| (status.to_string(), response(*status, codes))).collect()
}
