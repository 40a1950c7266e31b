//! What each operation can answer when it can't do what was asked.

use std::collections::BTreeMap;

use activity_logs_model::ProblemCode;
use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::PROBLEM_JSON;

/// What HTTP itself refuses, whatever the operation; and another method of the same path.
const OF_ALL: [ProblemCode; 4] = [
    ProblemCode::MalformedRequest,
    ProblemCode::MethodNotAllowed,
    ProblemCode::RequestTimeout,
    ProblemCode::HeadersTooLarge,
];

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident: $($code:ident)*) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_responses(&[$(ProblemCode::$code),*])
            }
        }
    };
}

problems!(
    /// Those that every operation has.
    CommonProblems:
);
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
    /// Those of listings over all logs.
    GlobalProblems: MalformedParameters MissingToken InvalidToken Forbidden OrganizationDeleted
        InvalidParameters TooManyRequests ReadingTooSlow DatabaseUnavailable ReadingNotRecorded KeysUnavailable InternalError
);
problems!(
    /// Those of an organization's listings.
    ListProblems: MalformedParameters MissingToken InvalidToken Forbidden NotFound OrganizationDeleted
        InvalidParameters TooManyRequests ReadingTooSlow DatabaseUnavailable ReadingNotRecorded KeysUnavailable InternalError
);
problems!(
    /// Those of one entry.
    EntryProblems: MalformedParameters MissingToken InvalidToken Forbidden NotFound OrganizationDeleted
        InvalidParameters TooManyRequests ReadingTooSlow DatabaseUnavailable ReadingNotRecorded KeysUnavailable InternalError
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
    /// Those of the metrics, which may have a listener of their own.
    MetricsProblems: NotFound InternalError
);
problems!(
    /// Those of the readiness check.
    HealthProblems: DatabaseUnavailable KeysUnavailable InternalError
);

/// One response for each status, naming its codes: the table of [`ProblemCode`] as documentation.
fn problem_responses(codes: &[ProblemCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes.iter().chain(&OF_ALL) {
        let codes = by_status.entry(code.status()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    let response = |status: u16, codes: &[ProblemCode]| {
        let words: Vec<String> =
            codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response =
            ResponseBuilder::new().description(words.join(". ")).content(PROBLEM_JSON, content);
        let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
        if status == 405 {
            response = response.header("Allow", header("The methods of this path"));
        }
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
