//! What a handler gets of a request. Each type proves the permission that its name says:
//! a handler that takes an [`OrganizationReader`] can't be reached by anybody else.

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
use crate::problem::ApiError;
use crate::reading::{Look, record_look};

/// The identifier of a request, accepted from the caller or made here.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

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
            .map(|text| text.chars().take(2048).collect()),
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
            ProblemCode::MalformedParameters,
            "A part of the path can't be read.",
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

async fn signed(request: &HttpRequest) -> Result<Caller, ApiError> {
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

/// A service: may record.
pub struct Recorder(pub Caller);

extractor!(Recorder, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    if caller.role == Role::Service {
        return Ok(Recorder(caller));
    }
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
    record_look(app(&request), &caller, context_of(&request), None, look).await?;
    Err(ApiError::new(ProblemCode::Forbidden, "Only administrators may end an organization."))
});

/// Somebody who may read; what exactly, their visibility says. A service's attempt is recorded.
pub struct GlobalReader {
    /// Who.
    pub caller: Caller,
    /// What they see.
    pub visibility: Visibility,
}

extractor!(GlobalReader, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    let visibility = caller.visibility();
    if visibility != Visibility::Nothing {
        return Ok(GlobalReader { caller, visibility });
    }
    let look = Look::of(&request).denied();
    record_look(app(&request), &caller, context_of(&request), None, look).await?;
    Err(ApiError::new(
        ProblemCode::Forbidden,
        "Tokens of the role `service` record and read nothing.",
    ))
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
}

extractor!(OrganizationReader, async |request: HttpRequest| {
    let caller = signed(&request).await?;
    let id: OrganizationId = path_parameter(&request, "organization_id")?;
    let visibility = caller.visibility();
    let state = app(&request).store.log_state(&id).await?;
    let opens = visibility.opens(&id);
    let name = match state {
        LogState::Live(name) => Some(name),
        LogState::Deleted if opens => return Err(ApiError::organization_deleted()),
        // An administrator may open every organization, so for them it must exist.
        LogState::Absent if visibility == Visibility::Everything => {
            return Err(ApiError::not_found());
        }
        LogState::Absent if opens => {
            Some(caller.organization_name(&id).map_or_else(|| id.to_string(), str::to_owned))
        }
        LogState::Absent | LogState::Deleted => None,
    };
    let organization = name.map(|name| OrganizationRef { id: id.clone(), name });
    if let Some(organization) = organization.clone().filter(|_| opens) {
        return Ok(OrganizationReader { caller, visibility, organization });
    }
    let look = match &organization {
        Some(_) => Look::of(&request),
        None => Look::of(&request).in_organization(&id),
    };
    record_look(app(&request), &caller, context_of(&request), organization, look.denied()).await?;
    Err(ApiError::new(ProblemCode::Forbidden, "You may not open this organization."))
});

/// The id of an entry in the path.
pub struct EntryId(pub Uuid);

extractor!(EntryId, async |request: HttpRequest| path_parameter(&request, "id").map(EntryId));
