//! Recording and reading entries.

use std::collections::{BTreeMap, BTreeSet};

use activity_logs_model::as_of::InvalidAsOf;
use activity_logs_model::paging::{self, DaysParameters, ListingParameters};
use activity_logs_model::record::{self, Rejection};
use activity_logs_model::wire::{
    DailyActivity, DayActivity, Listing, Recent, RecordResponse, Recorded,
};
use activity_logs_model::{
    AsOf, Caller, FieldError, Filter, NewEntry, OrganizationId, OrganizationRef, Problem,
    ProblemCode, ServedEntry, Timestamp, Visibility,
};
use activity_logs_store::{Clock as _, Error, ListingQuery, Scope, Store, SystemClock};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::try_join;
use tokio::sync::oneshot;

use crate::attempts::Attempt;
use crate::audit::{Look, live, record_attempt, record_look};
use crate::days::{find_zone, last_days};
use crate::extract::{GlobalReader, OrganizationReader, Recorder, app, entry_id, shared_app};
use crate::openapi::{
    Days, EntryProblems, GlobalFilter, GlobalProblems, ListProblems, ListingPage,
    OrganizationFilter, RecentLimit, RecordProblems,
};
use crate::pages;
use crate::problem::ApiError;

type Answer = Result<HttpResponse, ApiError>;

/// Record entries
///
/// Records 1 to 1,000 entries, all of them or none. The answer is sent only after they are
/// durable. The same id with the same content is a duplicate, so a request may be repeated.
///
/// A body has at most 4 MiB (unpacked, where it is sent with `Content-Encoding: gzip`), each value
/// at most 64 KiB. What an action asks of the values is in `GET /api/v1/activity-types`.
#[utoipa::path(post, path = "/api/v1/activity-logs", tag = "Recording",
    request_body(content = record::RecordRequest, example = json!({"entries": [{
        "id": "0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11",
        "type": "Organization", "action": "Update",
        "user": {"id": "ada", "name": "Ada Abara"},
        "organization": {"id": "acme", "name": "Acme"},
        "identifier": "Acme", "old_value": "Premium", "new_value": "Enterprise"}]})),
    responses((status = 201, description = "Recorded", body = RecordResponse), RecordProblems))]
pub async fn record_activity_logs(
    caller: Recorder,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    paging::parse_only(request.query_string(), None)?;
    let app = shared_app(&request);
    let body = app.bodies.read(&request, payload).await?;
    let parsing = app.clone();
    let parse = move |body: &[u8]| record::parse_request(body, &parsing.catalog, SystemClock.now());
    let entries = app.bodies.parse(body, parse).await?.map_err(|rejection| match rejection {
        Rejection::Malformed(error) => {
            Problem::new(ProblemCode::MalformedJson, format!("Nothing was recorded: {error}."))
        }
        Rejection::Invalid(errors) => Problem::with_errors(
            ProblemCode::InvalidEntries,
            "The fields in `errors` are wrong; nothing was recorded.",
            errors,
        ),
    })?;
    let forbidden: Vec<FieldError> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| !caller.0.may_record_into(entry.organization.as_ref().map(|o| &o.id)))
        .map(|(index, _)| {
            FieldError::new(
                format!("/entries/{index}/organization"),
                "is none of those this token may record into",
            )
        })
        .collect();
    if !forbidden.is_empty() {
        let refused = |entry: &&NewEntry| {
            !caller.0.may_record_into(entry.organization.as_ref().map(|o| &o.id))
        };
        let first = entries.iter().find(refused).and_then(|entry| entry.organization.as_ref());
        let look = Look::recording().denied();
        let aim = first.map(|organization| &organization.id);
        record_attempt(&request, &caller.0, Attempt::Recording, aim, look).await?;
        let detail = "This token may not record into these organizations; nothing was recorded.";
        return Err(ApiError::with_errors(ProblemCode::Forbidden, detail, forbidden));
    }
    let recorded = app.store.record(entries).await?.into_iter().map(|recorded| Recorded {
        id: recorded.id,
        sequence: recorded.sequence,
        status: recorded.status,
    });
    Ok(HttpResponse::Created().json(RecordResponse { entries: recorded.collect() }))
}

/// List all entries I may see
///
/// Everything the caller sees, over all organizations and the platform log, newest first.
#[utoipa::path(get, path = "/api/v1/activity-logs", tag = "Reading",
    params(ListingPage, OrganizationFilter, GlobalFilter),
    responses((status = 200, description = "One page", body = Listing, headers(("Link" = String, description = "RFC 8288: first, prev, next, last, pinned by `as_of`; relative to the address asked for"))), GlobalProblems))]
pub async fn list_activity_logs(reader: GlobalReader, request: HttpRequest) -> Answer {
    let parameters = ListingParameters::parse(
        request.query_string(),
        paging::Scope::Global,
        &app(&request).catalog,
    )?;
    let logs = logs_named(&request, &reader, &parameters.filter).await?;
    listing(&request, &reader.caller, &reader.visibility, None, logs, parameters).await
}

/// List an organization's entries
///
/// The organization's entries as far as the caller sees them, newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/activity-logs", tag = "Reading",
    params(("organization_id" = activity_logs_model::OrganizationId, Path, description = "The organization"), ListingPage, OrganizationFilter),
    responses((status = 200, description = "One page", body = Listing, headers(("Link" = String, description = "RFC 8288: first, prev, next, last, pinned by `as_of`; relative to the address asked for"))), ListProblems))]
pub async fn list_organization_activity_logs(
    reader: OrganizationReader,
    request: HttpRequest,
) -> Answer {
    let parameters = ListingParameters::parse(
        request.query_string(),
        paging::Scope::Organization,
        &app(&request).catalog,
    )?;
    let OrganizationReader { caller, visibility, organization, .. } = &reader;
    let logs = vec![Some(organization.clone())];
    listing(&request, caller, visibility, Some(&organization.id), logs, parameters).await
}

/// List an organization's newest entries
///
/// What people did last, for a dashboard: without the entries about reading the log.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/activity-logs/recent", tag = "Reading",
    params(("organization_id" = activity_logs_model::OrganizationId, Path, description = "The organization"), RecentLimit),
    responses((status = 200, description = "The newest entries", body = Recent), ListProblems))]
pub async fn list_recent_organization_activity_logs(
    reader: OrganizationReader,
    request: HttpRequest,
) -> Answer {
    let limit = paging::parse_recent(request.query_string())?;
    let store = &app(&request).store;
    let OrganizationReader { caller, visibility, organization, .. } = &reader;
    let as_of = store.head().await?;
    let look = Look::recent(limit);
    let read = store.recent(&organization.id, visibility, as_of, limit).await;
    let items = leave(&request, caller, vec![Some(organization.clone())], look, read).await?;
    let items = items.into_iter().map(|entry| visibility.serve(entry)).collect();
    Ok(HttpResponse::Ok().json(Recent { items, as_of: store.as_of(as_of) }))
}

/// Count an organization's entries per day
///
/// How much happened on each of the last days, by type and outcome: exact, and of what the caller
/// sees. The listing with a day's `from` and `to` and the same `as_of` has the same total, and with
/// one `type` or `outcome` the same count. The last day is today in the time zone.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/activity-logs/days", tag = "Reading",
    params(("organization_id" = activity_logs_model::OrganizationId, Path, description = "The organization"), Days),
    responses((status = 200, description = "The days, oldest first", body = DailyActivity), ListProblems))]
pub async fn count_organization_activity_logs(
    reader: OrganizationReader,
    request: HttpRequest,
) -> Answer {
    let DaysParameters { days, time_zone, as_of } = DaysParameters::parse(request.query_string())?;
    let (time_zone, zone) = find_zone(&time_zone)
        .ok_or_else(|| wrong_parameter("time_zone", "is no time zone of the IANA database"))?;
    let begins = last_days(&zone, SystemClock.now(), days).map_err(ApiError::internal)?;
    let store = &app(&request).store;
    let OrganizationReader { caller, visibility, organization, .. } = &reader;
    let as_of = up_to(store, as_of.as_ref()).await?;
    let bounds: Vec<Timestamp> = begins.iter().map(|(_, begin)| *begin).collect();
    let scope = Scope::Organization(&organization.id);
    let look = Look::days(days, &time_zone);
    let read = store.count_in_spans(scope, visibility, as_of, &bounds).await;
    let counts = leave(&request, caller, vec![Some(organization.clone())], look, read).await?;
    let mut days: Vec<DayActivity> = begins
        .windows(2)
        .map(|day| DayActivity {
            date: day[0].0.to_string(),
            from: day[0].1,
            to: day[1].1,
            total: 0,
            types: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        })
        .collect();
    for count in counts {
        let day = &mut days[count.span];
        day.total += count.entries;
        *day.types.entry(count.kind).or_default() += count.entries;
        *day.outcomes.entry(count.outcome).or_default() += count.entries;
    }
    let as_of = store.as_of(as_of);
    Ok(HttpResponse::Ok().json(DailyActivity { time_zone, days, as_of }))
}

/// Get an entry of any log
///
/// Finds the entry in any log the caller sees; the newest, where several logs have the id.
#[utoipa::path(get, path = "/api/v1/activity-logs/{id}", tag = "Reading",
    params(("id" = uuid::Uuid, Path, description = "The entry")),
    responses((status = 200, description = "The entry", body = ServedEntry), EntryProblems))]
pub async fn get_activity_log(reader: GlobalReader, request: HttpRequest) -> Answer {
    entry(&request, &reader.caller, &reader.visibility, None).await
}

/// Get an entry of an organization
///
/// One entry of the organization's log, as far as the caller sees it.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/activity-logs/{id}", tag = "Reading",
    params(("organization_id" = activity_logs_model::OrganizationId, Path, description = "The organization"),
        ("id" = uuid::Uuid, Path, description = "The entry")),
    responses((status = 200, description = "The entry", body = ServedEntry), EntryProblems))]
pub async fn get_organization_activity_log(
    reader: OrganizationReader,
    request: HttpRequest,
) -> Answer {
    entry(&request, &reader.caller, &reader.visibility, Some(reader.organization)).await
}

/// The position up to which a reading looks: the one asked for, or the newest.
async fn up_to(store: &Store, as_of: Option<&AsOf>) -> Result<i64, ApiError> {
    let head = store.head().await?;
    let Some(as_of) = as_of else { return Ok(head) };
    // A position to come is refused like one that was never named: it would tell the newest.
    let position = store.position_of(as_of).filter(|position| *position <= head);
    position.ok_or_else(|| wrong_parameter("as_of", InvalidAsOf))
}

/// Refuses a parameter that only the service can know to be wrong.
fn wrong_parameter(name: &str, why: impl ToString) -> ApiError {
    let error = FieldError::new(format!("?{name}"), why);
    let detail = "The parameters in `errors` are wrong; nothing was read.";
    ApiError::with_errors(ProblemCode::InvalidParameters, detail, vec![error])
}

/// The logs that a global listing looks into by name, as far as the reader may open them; the
/// platform log, if there is none. Naming others is an attempt.
async fn logs_named(
    request: &HttpRequest,
    reader: &GlobalReader,
    filter: &Filter,
) -> Result<Vec<Option<OrganizationRef>>, ApiError> {
    let mut logs = Vec::new();
    for id in filter.organizations.iter().collect::<BTreeSet<_>>() {
        if reader.visibility.opens(id) {
            logs.extend(live(&app(request).store, id).await?.map(Some));
        } else {
            let look = Look::of(request).denied();
            record_attempt(request, &reader.caller, Attempt::Reading, Some(id), look).await?;
        }
    }
    if logs.is_empty() {
        logs.push(None);
    }
    Ok(logs)
}

/// Records a reading that is done, or that took too long; one that failed otherwise leaves
/// nothing.
async fn leave<T>(
    request: &HttpRequest,
    caller: &Caller,
    logs: Vec<Option<OrganizationRef>>,
    look: Look,
    read: Result<T, Error>,
) -> Result<T, ApiError> {
    match &read {
        Ok(_) => record_look(request, caller, logs, look).await?,
        Err(Error::TooSlow) => record_look(request, caller, logs, look.failed()).await?,
        Err(_) => {}
    }
    Ok(read?)
}

async fn listing(
    request: &HttpRequest,
    caller: &Caller,
    visibility: &Visibility,
    organization: Option<&OrganizationId>,
    logs: Vec<Option<OrganizationRef>>,
    parameters: ListingParameters,
) -> Answer {
    let store = &app(request).store;
    let as_of = up_to(store, parameters.as_of.as_ref()).await?;
    let page_size = parameters.page_size.get();
    let query = ListingQuery {
        scope: organization.map_or(Scope::Everything, Scope::Organization),
        visibility,
        filter: &parameters.filter,
        as_of,
        offset: (parameters.page - 1) * page_size,
        limit: page_size,
    };
    let look = Look::page(&parameters);
    // The entry about the reading is committed while the page is read, once it is counted.
    let (tell, told) = oneshot::channel();
    let mut tell = Some(tell);
    let read = async {
        let counted = |_| {
            if let Some(tell) = tell.take() {
                let _ = tell.send(());
            }
        };
        let read = store.list_telling(&query, counted).await;
        // Without a total, nobody else records the reading.
        drop(tell.take());
        match read {
            Err(Error::TooSlow) => {
                let failed = look.clone().failed();
                record_look(request, caller, logs.clone(), failed).await?;
                Err(Error::TooSlow.into())
            }
            read => Ok(read?),
        }
    };
    let recorded = async {
        match told.await {
            Ok(()) => record_look(request, caller, logs.clone(), look.clone()).await,
            Err(_) => Ok(()),
        }
    };
    let (page, ()) = try_join(read, recorded).await?;
    let total_pages = parameters.page_size.pages(page.total);
    let as_of = store.as_of(as_of);
    let query = |page| parameters.query_for(page, as_of.clone());
    let links = pages::links(parameters.page, total_pages, query);
    let listing = Listing {
        items: page.entries.into_iter().map(|entry| visibility.serve(entry)).collect(),
        page: parameters.page,
        page_size,
        total: page.total,
        total_pages,
        as_of: as_of.clone(),
    };
    Ok(pages::answer(&listing, &links))
}

async fn entry(
    request: &HttpRequest,
    caller: &Caller,
    visibility: &Visibility,
    organization: Option<OrganizationRef>,
) -> Answer {
    let id = entry_id(request)?;
    paging::parse_only(request.query_string(), None)?;
    let scope = organization.as_ref().map_or(Scope::Everything, |o| Scope::Organization(&o.id));
    let Some(entry) = app(request).store.find(scope, visibility, id).await? else {
        let aim = organization.as_ref().map(|organization| &organization.id);
        let look = Look::entry(id).failed();
        record_attempt(request, caller, Attempt::Missing, aim, look).await?;
        return Err(ApiError::not_found());
    };
    // In the log that it belongs to, however it was found.
    let log = match organization {
        Some(organization) => Some(organization),
        None => match &entry.organization {
            Some(organization) => live(&app(request).store, &organization.id).await?,
            None => None,
        },
    };
    record_look(request, caller, vec![log], Look::entry(id)).await?;
    Ok(HttpResponse::Ok().json(visibility.serve(entry)))
}
