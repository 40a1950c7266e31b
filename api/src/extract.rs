//! What a handler gets of a request. Each type proves the permission that its name says:
//! a handler that takes an [`OrganizationReader`] can't be reached by anybody else.

use activity_logs_model::id::EntryId;
use activity_logs_model::percent;
use activity_logs_model::visibility::{Role, Visibility};
use activity_logs_model::{
    Caller, Context, FieldError, OrganizationId, OrganizationRef, ProblemCode,
};
use activity_logs_store::LogState;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use crate::app::App;
use crate::attempts::Attempt;
use crate::audit::{Look, record_attempt};
use crate::problem::ApiError;
use crate::turns::Turn;

/// How much of a reader's `User-Agent` an entry keeps, in characters.
const MAX_USER_AGENT: usize = 256;

/// The identifier of a request, accepted from the caller or made here.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// How much of the reason for a failed authentication is logged.
const MAX_REASON_CHARS: usize = 300;

/// The application's state.
pub(crate) fn app(request: &HttpRequest) -> &App {
    request.app_data::<Data<App>>().expect("every application has its state")
}

/// The same, to be kept beyond the request.
pub(crate) fn shared_app(request: &HttpRequest) -> Data<App> {
    request.app_data::<Data<App>>().expect("every application has its state").clone()
}

/// Where a request comes from, for the entries it leaves.
pub(crate) fn context_of(request: &HttpRequest) -> Context {
    let user_agent =
        request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Context {
        ip_address: request.peer_addr().map(|address| address.ip().to_canonical().to_string()),
        user_agent: user_agent
            .filter(|text| !text.is_empty())
            .map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
    }
}

/// A path parameter that is parsed into its type.
fn path_parameter<T: std::str::FromStr<Err: ToString>>(
    request: &HttpRequest,
    name: &str,
) -> Result<T, ApiError> {
    let name = format!("{{{name}}}");
    let decoded = percent::decode(path_segment(request, &name)).map_err(|why| why.to_string());
    let parsed = decoded.and_then(|text| text.parse().map_err(|why: T::Err| why.to_string()));
    parsed.map_err(|why| {
        ApiError::with_errors(
            ProblemCode::InvalidParameters,
            "A part of the path is not what must stand there.",
            vec![FieldError::new(name, why)],
        )
    })
}

/// The segment of the path that stands where the pattern has `name`, as it was sent. What actix
/// matches is decoded but for `%2F`, `%25` and `%2B`, and altered where it is not UTF-8.
fn path_segment<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let pattern = request.match_pattern().unwrap_or_default();
    let at = pattern.split('/').position(|segment| segment == name);
    at.and_then(|at| request.uri().path().split('/').nth(at)).unwrap_or_default()
}

/// The caller. Who could not be authenticated is logged by address and reason, never by token.
async fn signed(request: &HttpRequest) -> Result<Caller, ApiError> {
    let caller = authenticate(request).await;
    if let Err(error) = &caller {
        let peer = request.peer_addr().map(|address| address.ip().to_string());
        let reason: String = error.to_string().chars().take(MAX_REASON_CHARS).collect();
        tracing::info!(peer, reason, "authentication failed");
    }
    caller
}

async fn authenticate(request: &HttpRequest) -> Result<Caller, ApiError> {
    let missing = || {
        ApiError::new(
            ProblemCode::MissingToken,
            "Send a token in the header `Authorization: Bearer …`.",
        )
    };
    let header = request.headers().get(header::AUTHORIZATION).ok_or_else(missing)?;
    let text = header.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(missing());
    }
    app(request).verifier.verify(token.trim()).await
}

macro_rules! extractor {
    ($name:ident, $extract:expr) => {
        impl FromRequest for $name {
            type Error = ApiError;
            type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move { $extract(request).await })
            }
        }
    };
}

/// Anybody with a valid token.
pub struct Signed(pub Caller);

extractor!(Signed, async |request: HttpRequest| signed(&request).await.map(Signed));

/// A service: may record. The attempt of anybody else is recorded.
pub struct Recorder(pub Caller);

extractor!(Recorder, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    if caller.role == Role::Service {
        return Ok(Recorder(caller));
    }
    let look = Look::recording().denied();
    record_attempt(&request, &caller, Attempt::Recording, None, look).await?;
    Err(ApiError::new(ProblemCode::Forbidden, "Only tokens of the role `service` may record."))
});

/// An administrator: may end an organization. The attempt of anybody else is recorded.
pub struct Administrator {
    /// Who.
    pub caller: Caller,
    /// The organization in the path.
    pub organization: OrganizationId,
}

extractor!(Administrator, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    let organization = path_parameter(&request, "organization_id")?;
    if caller.role == Role::Admin {
        return Ok(Administrator { caller, organization });
    }
    let look = Look::removal(&organization).denied();
    record_attempt(&request, &caller, Attempt::Removal, Some(&organization), look).await?;
    Err(ApiError::new(ProblemCode::Forbidden, "Only administrators may end an organization."))
});

/// Somebody who may read; what exactly, their visibility says. A service's attempt is recorded.
pub struct GlobalReader {
    /// Who.
    pub caller: Caller,
    /// What they see.
    pub visibility: Visibility,
    _turn: Turn,
}

extractor!(GlobalReader, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    let turn = app(&request).turns.take(&caller.person.id).await?;
    let visibility = caller.visibility();
    if visibility != Visibility::Nothing {
        return Ok(GlobalReader { caller, visibility, _turn: turn });
    }
    let look = Look::of(&request).denied();
    record_attempt(&request, &caller, Attempt::Reading, None, look).await?;
    Err(ApiError::reads_nothing())
});

/// Somebody who may open the organization in the path. The attempt of anybody else is
/// recorded in the organization's log, or in the platform log where it has none.
pub struct OrganizationReader {
    /// Who.
    pub caller: Caller,
    /// What they see.
    pub visibility: Visibility,
    /// Where they look.
    pub organization: OrganizationRef,
    _turn: Turn,
}

extractor!(OrganizationReader, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    let id: OrganizationId = path_parameter(&request, "organization_id")?;
    let turn = app(&request).turns.take(&caller.person.id).await?;
    let visibility = caller.visibility();
    if !visibility.opens(&id) {
        // The same for every organization, whether or not there is one.
        let look = Look::of(&request).denied();
        record_attempt(&request, &caller, Attempt::Reading, Some(&id), look).await?;
        return Err(ApiError::new(ProblemCode::Forbidden, "You may not open this organization."));
    }
    let name = match app(&request).store.log_state(&id).await? {
        LogState::Live(name) => name,
        LogState::Deleted => return Err(ApiError::organization_deleted()),
        // An administrator may open every organization, so for them it must exist.
        LogState::Absent if visibility == Visibility::Everything => {
            return Err(ApiError::not_found());
        }
        LogState::Absent => caller.organization_name(&id).unwrap_or(id.as_str()).to_owned(),
    };
    let organization = OrganizationRef { id, name };
    Ok(OrganizationReader { caller, visibility, organization, _turn: turn })
});

/// The id of an entry in the path. Read after the caller is known to be a reader, so that a
/// request takes its steps in one order.
///
/// # Errors
/// A 422 problem when it is not a UUID.
pub(crate) fn entry_id(request: &HttpRequest) -> Result<Uuid, ApiError> {
    path_parameter(request, "id").map(EntryId::get)
}
