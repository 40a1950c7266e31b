//! The application: the routes with what they share, built the same for the program and for
//! tests.

use std::sync::Arc;

use activity_logs_model::{Catalog, ProblemCode};
use activity_logs_store::Store;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, Route, guard};

use crate::attempts::Attempts;
use crate::auth::Verifier;
use crate::body::Bodies;
use crate::demo::Introduction;
use crate::docs;
use crate::metrics::{Metrics, method_name};
use crate::problem::ApiError;
use crate::routes::{activity_logs, organizations, service};
use crate::turns::Turns;
use crate::web::WebApp;

/// Where the API is.
pub const API: &str = "/api/v1";

/// What handlers share.
pub struct App {
    /// The log.
    pub store: Store,
    /// The types and actions that entries may have.
    pub catalog: Catalog,
    /// Checks tokens.
    pub verifier: Verifier,
    /// How many readings of each caller are under way.
    pub turns: Turns,
    /// The attempts of this minute that were not allowed.
    pub attempts: Arc<Attempts>,
    /// The room that bodies share.
    pub bodies: Bodies,
    /// Whether there is an API reference at `/docs/`.
    pub docs: bool,
    /// What is answered to every path that the API does not have.
    pub web: Option<WebApp>,
    /// What `GET /demo.json` answers; without it there is no such path.
    pub demo: Option<Introduction>,
}

/// The routes of the service, and the web app beside them. Without `metrics` there is no such
/// path.
pub fn configure(config: &mut ServiceConfig, app: Data<App>, metrics: Option<Data<Metrics>>) {
    let (has_docs, is_demo) = (app.docs, app.demo.is_some());
    config.app_data(app);
    config.service(
        web::scope(API)
            .service(resource(
                "/activity-logs",
                [
                    (Method::GET, web::route().to(activity_logs::list_activity_logs)),
                    (Method::POST, web::route().to(activity_logs::record_activity_logs)),
                ],
            ))
            .service(resource(
                "/activity-logs/{id}",
                [(Method::GET, web::route().to(activity_logs::get_activity_log))],
            ))
            .service(resource(
                "/organizations",
                [(Method::GET, web::route().to(organizations::list_organizations))],
            ))
            .service(resource(
                "/organizations/{organization_id}",
                [(Method::DELETE, web::route().to(organizations::delete_organization))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs",
                [(Method::GET, web::route().to(activity_logs::list_organization_activity_logs))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/recent",
                [(
                    Method::GET,
                    web::route().to(activity_logs::list_recent_organization_activity_logs),
                )],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/days",
                [(Method::GET, web::route().to(activity_logs::count_organization_activity_logs))],
            ))
            .service(resource(
                "/organizations/{organization_id}/activity-logs/{id}",
                [(Method::GET, web::route().to(activity_logs::get_organization_activity_log))],
            ))
            .service(resource("/me", [(Method::GET, web::route().to(service::get_me))]))
            .service(resource(
                "/activity-types",
                [(Method::GET, web::route().to(service::list_activity_types))],
            ))
            .service(resource(
                "/openapi.json",
                [(Method::GET, web::route().to(service::get_openapi))],
            ))
            .service(resource(
                "/openapi-3.0.json",
                [(Method::GET, web::route().to(service::get_openapi_3_0))],
            ))
            .default_service(web::to(not_found)),
    );
    config
        .service(resource("/openapi.json", [(Method::GET, web::route().to(service::get_openapi))]))
        .service(resource(
            "/openapi-3.0.json",
            [(Method::GET, web::route().to(service::get_openapi_3_0))],
        ))
        .service(resource("/livez", [(Method::GET, web::route().to(service::get_livez))]))
        .service(resource("/readyz", [(Method::GET, web::route().to(service::get_readyz))]));
    // What is left out is not there for browsers either, who would get the page.
    let absent = |path: &str| web::resource(path).to(not_found);
    match metrics {
        Some(metrics) => configure_metrics(config, metrics),
        None => drop(config.service(absent("/metrics"))),
    }
    if has_docs {
        config
            .service(resource("/docs", [(Method::GET, web::route().to(docs::redirect))]))
            .service(resource("/docs/{file:.*}", [(Method::GET, web::route().to(docs::get))]));
    } else {
        config.service(absent("/docs")).service(absent("/docs/{file:.*}"));
    }
    if is_demo {
        config.service(resource("/demo.json", [(Method::GET, web::route().to(get_demo))]));
    }
    config.default_service(web::to(elsewhere));
}

/// The metrics.
pub fn configure_metrics(config: &mut ServiceConfig, metrics: Data<Metrics>) {
    config
        .app_data(metrics)
        .service(resource("/metrics", [(Method::GET, web::route().to(service::get_metrics))]));
}

/// A resource that answers HEAD wherever it answers GET, and other methods with 405, naming those
/// it has.
fn resource<const N: usize>(path: &str, routes: [(Method, Route); N]) -> Resource {
    let allowed = routes.iter().flat_map(|(method, _)| match *method {
        Method::GET => vec!["GET", "HEAD"],
        ref method => vec![method_name(method)],
    });
    let allow = allowed.collect::<Vec<_>>().join(", ");
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
    routes.into_iter().fold(resource, |resource, (method, route)| {
        resource.route(match method {
            Method::GET => route.guard(guard::Any(guard::Get()).or(guard::Head())),
            method => route.guard(guard::Method(method)),
        })
    })
}

pub(crate) async fn not_found() -> HttpResponse {
    ApiError::not_found().error_response()
}

async fn get_demo(app: Data<App>, request: HttpRequest) -> HttpResponse {
    match &app.demo {
        Some(demo) => demo.answer(&request),
        None => ApiError::not_found().error_response(),
    }
}

async fn elsewhere(app: Data<App>, request: HttpRequest) -> HttpResponse {
    match &app.web {
        Some(web) => web.answer(&request),
        None => ApiError::not_found().error_response(),
    }
}
