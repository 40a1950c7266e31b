//! Problems as HTTP answers (RFC 9457).

use std::fmt;

use activity_logs_model::{FieldError, Problem, ProblemCode};
use activity_logs_store::{Error, RecordError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use crate::telemetry::shortened;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// How soon a busy service may be asked again, in seconds.
const BUSY_RETRY_SECONDS: u64 = 1;
/// How soon a database that is away may be asked again, in seconds.
const AWAY_RETRY_SECONDS: u64 = 5;

/// A problem on its way to the caller.
#[derive(Debug)]
pub struct ApiError {
    problem: Box<Problem>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// A problem without field errors.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A problem with the fields that are wrong.
    pub fn with_errors(
        code: ProblemCode,
        detail: impl Into<String>,
        errors: Vec<FieldError>,
    ) -> Self {
        Problem::with_errors(code, detail, errors).into()
    }

    /// An operation or a resource that is not there.
    pub fn not_found() -> Self {
        Self::new(ProblemCode::NotFound, "There is nothing here, or you may not see it.")
    }

    /// A service that wants to read.
    pub(crate) fn reads_nothing() -> Self {
        let detail = "Tokens of the role `service` record and read nothing.";
        Self::new(ProblemCode::Forbidden, detail)
    }

    /// Asked more often than is allowed; in `seconds` it may be asked again.
    pub fn too_many_requests(detail: impl Into<String>, seconds: u64) -> Self {
        let error = Self::new(ProblemCode::TooManyRequests, detail);
        Self { retry_after: Some(seconds.max(1)), ..error }
    }

    /// An organization that was deleted.
    pub fn organization_deleted() -> Self {
        Self::new(
            ProblemCode::OrganizationDeleted,
            "The organization was deleted together with its log; nothing can be recorded or read in it.",
        )
    }

    /// A failure of the service itself; the cause goes to its log alone.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(cause = shortened(&cause), "the service failed");
        Self::new(ProblemCode::InternalError, "The service failed; its log has the cause.")
    }

    /// The same problem, said of a reading that could not be recorded.
    pub(crate) fn reading_not_recorded(self) -> Self {
        if self.problem.status < 500 {
            return self;
        }
        Self::new(
            ProblemCode::ReadingNotRecorded,
            "The log must record that it is being read and could not; try again shortly.",
        )
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let retry_after = match problem.code {
            Some(
                ProblemCode::QueueFull
                | ProblemCode::ReadingNotRecorded
                | ProblemCode::TooManyRequests,
            ) => Some(BUSY_RETRY_SECONDS),
            Some(ProblemCode::DatabaseUnavailable | ProblemCode::KeysUnavailable) => {
                Some(AWAY_RETRY_SECONDS)
            }
            // A reading that took too long would only take too long again.
            _ => None,
        };
        Self { problem: Box::new(problem), retry_after }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::Closed | Error::SchemaNotCurrent => {
                let error = shortened(&error);
                tracing::warn!(error, "the database is not available");
                Self::new(
                    ProblemCode::DatabaseUnavailable,
                    "The database does not answer; try again shortly. Entries that were being recorded \
                     may be sent again with the same ids.",
                )
            }
            Error::TooSlow => Self::new(
                ProblemCode::ReadingTooSlow,
                "Nothing was read: this takes longer than the service allows. Narrow it by `from` and `to`, \
                 to one organization, or to fewer values of a filter.",
            ),
            _ => Self::internal(error),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        let at = |indexes: Vec<usize>, field: &str, detail: &str| {
            let point = |index| FieldError::new(format!("/entries/{index}{field}"), detail);
            indexes.into_iter().map(point).collect()
        };
        match error {
            RecordError::IdConflict(indexes) => Self::with_errors(
                ProblemCode::IdConflict,
                "Ids are taken by entries with other content; nothing was recorded.",
                at(indexes, "/id", "is the id of an entry with other content"),
            ),
            RecordError::OrganizationDeleted(_, indexes) => {
                let mut error = Self::organization_deleted();
                error.problem.errors = at(indexes, "/organization", "was deleted");
                error
            }
            RecordError::UnfitText { .. } => Self::internal(error),
            RecordError::UnknownOrganization => Self::not_found(),
            RecordError::QueueFull => Self::new(
                ProblemCode::QueueFull,
                "More is waiting to be recorded than the service holds; nothing of this request was \
                 recorded. Try again shortly.",
            ),
            RecordError::Store(error) => error.into(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.problem.code.map_or("problem", ProblemCode::as_str);
        write!(f, "{code}: {}", self.problem.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self.problem.code {
            Some(ProblemCode::MissingToken) => {
                response
                    .insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"activity-logs\""));
            }
            // RFC 6750, section 3; the detail is one of our own sentences, free of quotes.
            Some(ProblemCode::InvalidToken) => {
                let challenge = format!(
                    "Bearer realm=\"activity-logs\", error=\"invalid_token\", error_description=\"{}\"",
                    self.problem
                        .detail
                        .replace(['"', '\\'], "'")
                        .replace(|c: char| !c.is_ascii() || c.is_ascii_control(), "?")
                );
                response.insert_header((header::WWW_AUTHENTICATE, challenge));
            }
            // RFC 6750, section 3.1: the token is good, but not for this.
            Some(ProblemCode::Forbidden) => {
                let challenge = "Bearer realm=\"activity-logs\", error=\"insufficient_scope\"";
                response.insert_header((header::WWW_AUTHENTICATE, challenge));
            }
            _ => {}
        }
        if self.problem.code == Some(ProblemCode::RequestTimeout) {
            response.force_close();
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .content_type(PROBLEM_JSON)
            .body(serde_json::to_string(&self.problem).unwrap_or_default())
    }
}
