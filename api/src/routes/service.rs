//! What the service says of the caller and of itself.

use std::sync::LazyLock;

use activity_logs_model::Role;
use activity_logs_model::paging::parse_only;
use activity_logs_model::wire::{ActivityTypes, Health, Me};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::asset::Asset;
use crate::extract::{Signed, app};
use crate::metrics::Metrics;
use crate::openapi::{
    CommonProblems, HealthProblems, MetricsProblems, SignedProblems, document, document_3_0,
};
use crate::problem::ApiError;

/// Who am I
///
/// Who the token says the caller is.
#[utoipa::path(get, path = "/api/v1/me", tag = "Service",
    responses((status = 200, description = "The caller", body = Me), SignedProblems))]
pub async fn get_me(caller: Signed, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    parse_only(request.query_string(), None)?;
    let caller = caller.0;
    Ok(HttpResponse::Ok().json(Me {
        id: caller.person.id,
        name: caller.person.name,
        email: caller.person.email,
        role: caller.role,
        organizations: match caller.role {
            Role::Service => caller.memberships,
            Role::Admin | Role::User => Some(caller.memberships.unwrap_or_default()),
        },
        workspaces: caller.grants,
    }))
}

/// List the types and actions
///
/// The catalog: what entries may be of, with the words that people read.
#[utoipa::path(get, path = "/api/v1/activity-types", tag = "Service",
    responses((status = 200, description = "The catalog", body = ActivityTypes), SignedProblems))]
pub async fn list_activity_types(
    _caller: Signed,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    parse_only(request.query_string(), None)?;
    Ok(HttpResponse::Ok().json(app(&request).catalog.to_wire()))
}

/// Get the OpenAPI document
///
/// This document: what the API takes and answers.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "Service", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object), CommonProblems))]
pub async fn get_openapi(request: HttpRequest) -> HttpResponse {
    static DOCUMENT: LazyLock<Asset> =
        LazyLock::new(|| Asset::new("application/json", document()).compressed());
    DOCUMENT.answer(&request)
}

/// Get the document in OpenAPI 3.0
///
/// The same document for tools that read nothing newer than OpenAPI 3.0.
#[utoipa::path(get, path = "/api/v1/openapi-3.0.json", tag = "Service", security(()),
    responses((status = 200, description = "OpenAPI 3.0.3", body = Object), CommonProblems))]
pub async fn get_openapi_3_0(request: HttpRequest) -> HttpResponse {
    static DOCUMENT: LazyLock<Asset> =
        LazyLock::new(|| Asset::new("application/json", document_3_0()).compressed());
    DOCUMENT.answer(&request)
}

/// Is the process alive
///
/// Whether the process answers, whatever its database does.
#[utoipa::path(get, path = "/livez", tag = "Service", security(()),
    responses((status = 200, description = "It is", body = Health), CommonProblems))]
pub async fn get_livez() -> HttpResponse {
    HttpResponse::Ok().json(ok())
}

/// Can it serve
///
/// Whether the database answers, its schema is current, it takes entries, and there are keys to check
/// tokens with.
#[utoipa::path(get, path = "/readyz", tag = "Service", security(()),
    responses((status = 200, description = "It can", body = Health), HealthProblems))]
pub async fn get_readyz(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let app = app(&request);
    app.store.ready().await?;
    app.verifier.ready()?;
    Ok(HttpResponse::Ok().json(ok()))
}

/// Get the metrics
///
/// In the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "Service", security(()),
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"), MetricsProblems))]
pub async fn get_metrics(metrics: Data<Metrics>) -> Result<HttpResponse, ApiError> {
    let text = metrics.render().await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

fn ok() -> Health {
    Health { status: "ok".to_owned() }
}
