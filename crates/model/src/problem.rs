//! Problems: what the API answers when it can't do what was asked (RFC 9457).

use serde::{Deserialize, Deserializer, Serialize};

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $code:literal $title:literal,)+) => {
        /// The stable code of a problem. This table drives the status, the title and the
        /// documentation of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)+
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [ProblemCode] = &[$(ProblemCode::$variant),+];

            /// The HTTP status it goes with.
            pub fn status(self) -> u16 {
                match self { $(ProblemCode::$variant => $status),+ }
            }

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(ProblemCode::$variant => $code),+ }
            }

            /// A short title, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(ProblemCode::$variant => $title),+ }
            }
        }
    };
}

problem_codes! {
    /// The body is not JSON.
    MalformedJson = 400 "malformed_json" "The body is not valid JSON",
    /// A query parameter is unknown or given too often.
    MalformedParameters = 400 "malformed_parameters" "A parameter is unknown or given twice",
    /// The request is not HTTP, or its address is longer than the service reads.
    MalformedRequest = 400 "malformed_request" "The request can't be read",
    /// No bearer token came with the request.
    MissingToken = 401 "missing_token" "A bearer token is needed",
    /// The token is not genuine, not current, or not for this service.
    InvalidToken = 401 "invalid_token" "The token is not valid here",
    /// The caller's role does not allow it.
    Forbidden = 403 "forbidden" "Not allowed",
    /// It does not exist, or the caller may not see it.
    NotFound = 404 "not_found" "Not found",
    /// The resource does not have this method.
    MethodNotAllowed = 405 "method_not_allowed" "The method is not allowed here",
    /// The request did not arrive in time.
    RequestTimeout = 408 "request_timeout" "The request took too long to arrive",
    /// An id is already taken by an entry with other content.
    IdConflict = 409 "id_conflict" "An id is taken by another entry",
    /// The organization was deleted together with its log.
    OrganizationDeleted = 410 "organization_deleted" "The organization was deleted",
    /// The body is larger than the service takes.
    BodyTooLarge = 413 "body_too_large" "The body is too large",
    /// The body is not sent as application/json.
    UnsupportedMediaType = 415 "unsupported_media_type" "The body must be application/json",
    /// Entries break the rules of the log; `errors` points at each field.
    InvalidEntries = 422 "invalid_entries" "The entries break a rule",
    /// A value in the query or in the path can't be read, is out of range or contradicts another.
    InvalidParameters = 422 "invalid_parameters" "A parameter breaks a rule",
    /// The caller asks more often than the service allows; `Retry-After` says when to ask again.
    TooManyRequests = 429 "too_many_requests" "Too many requests",
    /// The request's headers are larger than the service reads.
    HeadersTooLarge = 431 "headers_too_large" "The headers are too large",
    /// Something went wrong inside the service; its log has the cause.
    InternalError = 500 "internal_error" "The service failed",
    /// More is waiting to be recorded than the service holds in memory.
    QueueFull = 503 "queue_full" "The service is busy",
    /// The reading takes longer than the service allows; a narrower one may not.
    ReadingTooSlow = 503 "reading_too_slow" "The reading takes too long",
    /// The database does not answer.
    DatabaseUnavailable = 503 "database_unavailable" "The database is not available",
    /// The keys that tokens are checked with can't be read.
    KeysUnavailable = 503 "keys_unavailable" "The keys of tokens are not available",
    /// The log could not record that it is being read, so it can't be read.
    ReadingNotRecorded = 503 "reading_not_recorded" "The reading could not be recorded",
}

/// The most field errors in one answer: enough to mend a sender by.
pub const MAX_ERRORS: usize = 50;

/// A text and not a closed list: clients that were generated from it must take a code of tomorrow.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for ProblemCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::extensions::ExtensionsBuilder;

        let known: Vec<&str> = Self::ALL.iter().map(|code| code.as_str()).collect();
        let description = format!(
            "The stable code of a problem. Codes may be added, so clients must cope with one that \
             they do not know: its status says what kind it is. Known are `{}`.",
            known.join("`, `")
        );
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some(description))
            .examples(["not_found"])
            .extensions(Some(ExtensionsBuilder::new().add("x-extensible-enum", known).build()))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for ProblemCode {}

/// A code of a newer service, or a problem of somebody on the way, must not hide the rest of it.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ProblemCode>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(ProblemCode::ALL.iter().copied().find(|code| Some(code.as_str()) == text.as_deref()))
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, `?name` for a query parameter, or `{name}` for a part of
    /// the path.
    #[cfg_attr(feature = "openapi", schema(examples("/entries/0/user/id")))]
    pub pointer: String,
    /// What is wrong with it, for people.
    #[cfg_attr(feature = "openapi", schema(examples("must be 1 to 256 characters, is 0")))]
    pub detail: String,
}

impl FieldError {
    /// An error at a place.
    pub fn new(pointer: impl Into<String>, detail: impl ToString) -> Self {
        Self { pointer: pointer.into(), detail: detail.to_string() }
    }
}

/// A problem as `application/problem+json` (RFC 9457).
// Its code is missing where it was read and is none that is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Names the kind of problem: `urn:activity-logs:problem:` and the code.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(examples("urn:activity-logs:problem:not_found")))]
    pub kind: String,
    /// The same for every occurrence of the code.
    #[cfg_attr(feature = "openapi", schema(examples("Not found")))]
    pub title: String,
    /// The HTTP status.
    #[cfg_attr(feature = "openapi", schema(minimum = 400, maximum = 599, examples(404)))]
    pub status: u16,
    /// Stable: programs decide by this.
    #[serde(default, deserialize_with = "known")]
    #[cfg_attr(feature = "openapi", schema(value_type = ProblemCode, required))]
    pub code: Option<ProblemCode>,
    /// What happened this time and what to do, for people.
    pub detail: String,
    /// Each field that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem without field errors.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self::with_errors(code, detail, Vec::new())
    }

    /// A problem with the fields that are wrong.
    pub fn with_errors(
        code: ProblemCode,
        detail: impl Into<String>,
        errors: Vec<FieldError>,
    ) -> Self {
        Self {
            kind: format!("urn:activity-logs:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code: Some(code),
            detail: detail.into(),
            errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_serialize_as_themselves() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ProblemCode::ALL {
            assert!(seen.insert(code.as_str()));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn a_problem_with_an_unknown_code_can_be_read() {
        let problem = Problem::new(ProblemCode::NotFound, "Not here.");
        let mut json = serde_json::to_value(&problem).unwrap();
        assert_eq!(serde_json::from_value::<Problem>(json.clone()).unwrap(), problem);
        json["code"] = "of_tomorrow".into();
        let unknown = Problem { code: None, ..problem };
        assert_eq!(serde_json::from_value::<Problem>(json.clone()).unwrap(), unknown);
        json.as_object_mut().unwrap().remove("code");
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), unknown);
    }
}
