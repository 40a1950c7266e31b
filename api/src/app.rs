//! The application: the routes with what they share, built the same for the program and for
//! tests.

use std::time::Instant;

use activity_logs_model::{Catalog, ProblemCode};
use activity_logs_store::Store;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, Resource, ResponseError, Route};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument;
use utoipa_swagger_ui::{Config, SwaggerUi};
use uuid::Uuid;

use crate::auth::Verifier;
use crate::extract::RequestId;
use crate::problem::ApiError;
use crate::routes::{activity_logs, organizations, service};
use crate::web::WebApp;

/// Where the API is.
pub const API: &str = "/api/v1";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers share.
pub struct App {
    /// The log.
    pub store: Store,
    /// The types and actions that entries may have.
    pub catalog: Catalog,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// What is answered to every path that the API does not have.
    pub web: Option<WebApp>,
    /// What `GET /demo.json` answers; without it there is no such path.
    pub demo: Option<String>,
}

/// The routes of the service, and the web app beside them.
pub fn configure(config: &mut ServiceConfig, app: Data<App>) {
    let is_demo = app.demo.is_some();
    config.app_data(app);
    config.service(
        web::scope(API)
            .service(resource(
                "/activity-logs",
                [
                    (Method::GET, web::get().to(activity_logs::list_activity_logs)),
                    (Method::POST, web::post().to(activity_logs::record_activity_logs)),
                ],
            ))
            .service(resource(
                "/activity-logs/{id}",
                [(Method::GET, web::get().to(activity_logs::get_activity_log))],
            ))
            .service(resource(
                "/organizations",
                [(Method::GET, web::get().to(organizations::list_organizations))],
            ))
            .service(resource(
                "/organizations/{organization_id}",
                [(Method::DELETE, web::delete().to(organizations::delete_organization))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs",
                [(Method::GET, web::get().to(activity_logs::list_organization_activity_logs))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/recent",
                [(
                    Method::GET,
                    web::get().to(activity_logs::list_recent_organization_activity_logs),
                )],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/days",
                [(Method::GET, web::get().to(activity_logs::count_organization_activity_logs))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/{id}",
                [(Method::GET, web::get().to(activity_logs::get_organization_activity_log))],
            ))
            .service(resource("/me", [(Method::GET, web::get().to(service::get_me))]))
            .service(resource(
                "/activity-types",
                [(Method::GET, web::get().to(service::list_activity_types))],
            ))
            .service(resource(
                "/openapi.json",
                [(Method::GET, web::get().to(service::get_openapi))],
            ))
            .default_service(web::to(not_found)),
    );
    config
        .service(resource("/openapi.json", [(Method::GET, web::get().to(service::get_openapi))]))
        .service(resource("/livez", [(Method::GET, web::get().to(service::get_livez))]))
        .service(resource("/readyz", [(Method::GET, web::get().to(service::get_readyz))]))
        .service(resource("/metrics", [(Method::GET, web::get().to(service::get_metrics))]))
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")));
    if is_demo {
        config.service(resource("/demo.json", [(Method::GET, web::get().to(get_demo))]));
    }
    config.default_service(web::to(elsewhere));
}

/// A resource that answers other methods with 405 and names those it has.
fn resource<const N: usize>(path: &str, routes: [(Method, Route); N]) -> Resource {
    let allowed: Vec<String> = routes.iter().map(|(method, _)| method.to_string()).collect();
    let allow = allowed.join(", ");
    let resource = web::resource(path).default_service(web::to(move || {
        let problem = ApiError::new(
            ProblemCode::MethodNotAllowed,
            format!("This resource has only: {allow}."),
        );
        let mut response = problem.error_response();
        if let Ok(value) = HeaderValue::from_str(&allow) {
            response.headers_mut().insert(header::ALLOW, value);
        }
        std::future::ready(response)
    }));
    routes.into_iter().fold(resource, |resource, (_, route)| resource.route(route))
}

async fn not_found() -> HttpResponse {
    ApiError::not_found().error_response()
}

async fn get_demo(app: Data<App>) -> HttpResponse {
    match &app.demo {
        Some(people) => HttpResponse::Ok().content_type("application/json").body(people.clone()),
        None => ApiError::not_found().error_response(),
    }
}

async fn elsewhere(app: Data<App>, request: HttpRequest) -> HttpResponse {
    match &app.web {
        Some(web) => web.answer(&request),
        None => ApiError::not_found().error_response(),
    }
}

/// Around every request: its id, its line in the log, its metrics, and headers that keep
/// answers out of caches and sniffers.
///
/// # Errors
/// Those of the handler, passed on.
pub async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = accepted_request_id(&request).unwrap_or_else(|| Uuid::now_v7().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().to_string();
    // The pattern and not the path: ids and filters are data, and data stays out of the log.
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let span = tracing::info_span!("request", request_id = %id);
    let mut response = next.call(request).instrument(span.clone()).await?;

    let status = response.status().as_u16();
    let took = started.elapsed();
    span.in_scope(|| {
        tracing::info!(method, route, status, took_us = took.as_micros() as u64, "answered");
    });
    let labels = [("method", method), ("route", route), ("status", status.to_string())];
    metrics::counter!("activity_logs_http_requests_total", &labels).increment(1);
    metrics::histogram!("activity_logs_http_request_seconds", &labels).record(took.as_secs_f64());

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

fn accepted_request_id(request: &ServiceRequest) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let acceptable = (1..=128).contains(&text.len())
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-' | b'/' | b'+' | b'=')
        });
    acceptable.then(|| text.to_owned())
}
