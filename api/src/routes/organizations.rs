//! The organizations a caller may open, and the end of one.

use std::collections::HashMap;

use activity_logs_model::paging::{self, OrganizationsParameters};
use activity_logs_model::wire::{DeletionReceipt, OrganizationItem, Organizations};
use activity_logs_model::{Caller, FieldError, OrganizationId, ProblemCode, Visibility};
use activity_logs_store::{LogState, Removal};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::extract::{Administrator, Signed, app, context_of};
use crate::openapi::{
    Confirmation, EndingId, OrganizationProblems, OrganizationSearch, RemovalProblems,
};
use crate::pages;
use crate::problem::ApiError;

/// List the organizations I may open
///
/// By name. Administrators search all that have a log; others get those of their token.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "Organizations", params(OrganizationSearch),
    responses((status = 200, description = "One page", body = Organizations, headers(("Link" = String, description = "RFC 8288: first, prev, next, last; relative to the address asked for"))), OrganizationProblems))]
pub async fn list_organizations(
    caller: Signed,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let _turn = app(&request).turns.take(&caller.0.person.id).await?;
    let parameters = OrganizationsParameters::parse(request.query_string())?;
    let (search, limit) = (parameters.search.as_deref(), parameters.page_size.get());
    let offset = (parameters.page - 1) * limit;
    let (items, total) = match caller.0.visibility() {
        Visibility::Everything => app(&request).store.organizations(search, offset, limit).await?,
        Visibility::Nothing => {
            return Err(ApiError::reads_nothing());
        }
        Visibility::Reader { reach, .. } => {
            let ids: Vec<OrganizationId> = reach.into_keys().collect();
            let mut all = named(app(&request), &caller.0, ids).await?;
            if let Some(text) = search.map(str::to_lowercase) {
                all.retain(|item| sort_key(item).contains(&text));
            }
            all.sort_by_cached_key(sort_key);
            let total = all.len() as u64;
            let skip = usize::try_from(offset).unwrap_or(usize::MAX);
            (all.into_iter().skip(skip).take(limit as usize).collect(), total)
        }
    };
    let total_pages = parameters.page_size.pages(total);
    let query = |page| parameters.query_for(page);
    let links = pages::links(parameters.page, total_pages, query);
    let page = parameters.page;
    let body = Organizations { items, page, page_size: limit, total, total_pages };
    Ok(pages::answer(&body, &links))
}

/// The same text that the store searches and sorts by.
fn sort_key(item: &OrganizationItem) -> String {
    format!("{}\n{}", item.name, item.id).to_lowercase()
}

/// The names of the caller's organizations; those that were deleted are left out.
async fn named(
    app: &App,
    caller: &Caller,
    ids: Vec<OrganizationId>,
) -> Result<Vec<OrganizationItem>, ApiError> {
    let mut states: HashMap<_, _> = app.store.log_states(&ids).await?.into_iter().collect();
    let item = |id: OrganizationId| {
        let name = match states.remove(&id) {
            Some(LogState::Deleted) => return None,
            Some(LogState::Live(name)) => name,
            Some(LogState::Absent) | None => {
                caller.organization_name(&id).unwrap_or(id.as_str()).to_owned()
            }
        };
        Some(OrganizationItem { id, name })
    };
    Ok(ids.into_iter().filter_map(item).collect())
}

/// End an organization
///
/// Removes the organization's whole log in one transaction and leaves a tombstone: nothing
/// can be recorded into it afterwards. The platform log keeps that it was done. There is no
/// way back, so `confirm` must repeat the organization's id.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}", tag = "Organizations",
    params(("organization_id" = inline(EndingId), Path, description = "The organization that ends"), Confirmation),
    responses((status = 200, description = "Removed", body = DeletionReceipt), RemovalProblems))]
pub async fn delete_organization(
    admin: Administrator,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let confirm = paging::parse_only(request.query_string(), Some("confirm"))?;
    if confirm.as_deref() != Some(admin.organization.as_str()) {
        let error = FieldError::new("?confirm", "must repeat the organization's id");
        let detail = "Removing a log can't be undone; nothing was removed.";
        return Err(ApiError::with_errors(ProblemCode::InvalidParameters, detail, vec![error]));
    }
    let removal = Removal {
        organization: admin.organization,
        user: admin.caller.person,
        context: context_of(&request),
    };
    let organization_id = removal.organization.clone();
    let removed = app(&request).store.remove_organization(removal).await?;
    tracing::info!(removed = removed.entries, "an organization was removed");
    Ok(HttpResponse::Ok().json(DeletionReceipt {
        organization_id,
        removed_entries: removed.entries,
        entry: Visibility::Everything.serve(removed.entry),
    }))
}
