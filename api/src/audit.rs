//! The log watches itself: each reading leaves an entry before its answer leaves, and so does
//! each attempt that was not allowed.

use std::sync::Arc;
use std::time::Duration;

use activity_logs_model::{
    Action, Caller, Context, ListingParameters, NewEntry, OrganizationId, OrganizationRef, Outcome,
    Person, Question, Type,
};
use activity_logs_store::{Error, LogState, RecordError, Store};
use actix_web::HttpRequest;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::attempts::{Admission, Attempt, Attempts, Further};
use crate::extract::{app, context_of};
use crate::problem::ApiError;

/// How often it is looked whether counted attempts are to be recorded.
const SWEEP: Duration = Duration::from_secs(5);

/// What somebody did, or wanted to do, to the log.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    kind: Type,
    action: Action,
    outcome: Outcome,
    /// What was read, in a word or two; what was asked for is in the question.
    identifier: String,
    question: Question,
}

impl Look {
    fn new(kind: Type, action: Action, identifier: impl Into<String>) -> Self {
        let (identifier, question) = (identifier.into(), Question::default());
        Self { kind, action, outcome: Outcome::Success, identifier, question }
    }

    /// Looked at a list of entries.
    fn list(identifier: impl Into<String>, question: Question) -> Self {
        Self { question, ..Self::new(Type::activity_logs(), Action::fetch_all(), identifier) }
    }

    /// Looked at a page of a listing.
    pub(crate) fn page(parameters: &ListingParameters) -> Self {
        let question = Question {
            page: Some(parameters.page),
            page_size: Some(parameters.page_size.get()),
            ..Question::default()
        };
        let question = question.with_filter(&parameters.filter);
        Self::list(format!("page {}", parameters.page), question)
    }

    /// Looked at the newest entries.
    pub(crate) fn recent(limit: u64) -> Self {
        Self::list("newest entries", Question { limit: Some(limit), ..Question::default() })
    }

    /// Looked at how much happened on each day.
    pub(crate) fn days(days: u64, time_zone: &str) -> Self {
        let time_zone = Some(time_zone.to_owned());
        let question = Question { days: Some(days), time_zone, ..Question::default() };
        Self::list("activity per day", question)
    }

    /// Looked at one entry.
    pub(crate) fn entry(id: Uuid) -> Self {
        let question = Question { id: Some(id), ..Question::default() };
        Self { question, ..Self::new(Type::activity_logs(), Action::fetch(), "entry") }
    }

    /// Wanted to end an organization.
    pub(crate) fn removal(organization: &OrganizationId) -> Self {
        Self::new(Type::admin_accounts(), Action::delete(), organization.to_string())
    }

    /// Wanted to record.
    pub(crate) fn recording() -> Self {
        Self::new(Type::activity_logs(), Action::create(), "recording")
    }

    /// What a request wants to look at, as far as its path says.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let path = request.match_pattern().unwrap_or_default();
        let list = |name: &str| Self::list(name, Question::default());
        if path.ends_with("/{id}") {
            match request.match_info().get("id").and_then(|id| id.parse().ok()) {
                Some(id) => Self::entry(id),
                None => Self::new(Type::activity_logs(), Action::fetch(), "entry"),
            }
        } else if path.ends_with("/recent") {
            list("newest entries")
        } else if path.ends_with("/days") {
            list("activity per day")
        } else {
            list("activity logs")
        }
    }

    /// The same, wanted and refused.
    pub(crate) fn denied(self) -> Self {
        Self { outcome: Outcome::Denied, ..self }
    }

    /// The same, tried in vain.
    pub(crate) fn failed(self) -> Self {
        Self { outcome: Outcome::Failure, ..self }
    }

    /// The same, aimed at an organization that the entry itself can't name.
    fn aimed_at(mut self, organization: Option<&OrganizationId>) -> Self {
        self.question.organization_id = organization.cloned();
        self
    }

    fn into_entry(
        mut self,
        person: &Person,
        context: Context,
        organization: Option<OrganizationRef>,
        is_member: bool,
    ) -> NewEntry {
        self.question.member = is_member;
        NewEntry {
            id: None,
            occurred_at: None,
            question: self.question.to_json().filter(|_| self.kind == Type::activity_logs()),
            kind: self.kind,
            action: self.action,
            outcome: self.outcome,
            user: person.clone(),
            organization,
            workspace: None,
            identifier: self.identifier,
            old_value: None,
            new_value: None,
            context,
        }
    }
}

/// Records what somebody did in these logs (`None` is the platform log), in one commit. The
/// answer must not leave before this has returned.
///
/// # Errors
/// A 503 problem when it can't be recorded: then the reading fails.
pub(crate) async fn record_look(
    request: &HttpRequest,
    caller: &Caller,
    logs: Vec<Option<OrganizationRef>>,
    look: Look,
) -> Result<(), ApiError> {
    let entry = |log: Option<OrganizationRef>| {
        let is_member = log.as_ref().is_some_and(|log| caller.belongs_to(&log.id));
        look.clone().into_entry(&caller.person, context_of(request), log, is_member)
    };
    let recorded = app(request).store.record(logs.into_iter().map(entry).collect()).await;
    recorded.map_err(|error| ApiError::from(error).reading_not_recorded())?;
    Ok(())
}

/// Records an attempt, if not too many of the caller's were recorded a moment ago, in the log of
/// the organization that it was aimed at, or in the platform log where it has none.
///
/// # Errors
/// A 429 problem for a reading that was one too many; a 503 problem when the attempt can't be
/// recorded.
pub(crate) async fn record_attempt(
    request: &HttpRequest,
    caller: &Caller,
    attempt: Attempt,
    aim: Option<&OrganizationId>,
    look: Look,
) -> Result<(), ApiError> {
    let log = match aim {
        // Whoever wants to end an organization acts on the platform.
        Some(id) if attempt != Attempt::Removal => live(&app(request).store, id).await?,
        _ => None,
    };
    match app(request).attempts.admit(&caller.person, attempt, aim, log.as_ref()) {
        Admission::Record => {
            let look = look.aimed_at(aim.filter(|_| log.is_none()));
            record_look(request, caller, vec![log], look).await
        }
        Admission::Count(seconds) if attempt.is_bounded() => {
            let detail =
                format!("Too many of your attempts were denied. Try again in {seconds} seconds.");
            Err(ApiError::too_many_requests(detail, seconds))
        }
        Admission::Count(_) => Ok(()),
    }
}

/// The organization as its log names it, if it has a log: asking must not make one.
pub(crate) async fn live(
    store: &Store,
    id: &OrganizationId,
) -> Result<Option<OrganizationRef>, Error> {
    Ok(match store.log_state(id).await? {
        LogState::Live(name) => Some(OrganizationRef { id: id.clone(), name }),
        LogState::Absent | LogState::Deleted => None,
    })
}

/// Records now and then how many attempts were counted, and all of them when `stop` is told.
pub(crate) async fn sweep(store: Store, attempts: Arc<Attempts>, mut stop: oneshot::Receiver<()>) {
    let mut further = Vec::new();
    loop {
        let is_over = tokio::time::timeout(SWEEP, &mut stop).await.is_ok();
        further.extend(attempts.take(is_over));
        further = record_further(&store, further).await;
        if is_over {
            return;
        }
    }
}

/// Records how many attempts were counted; returns those that must be tried again.
async fn record_further(store: &Store, further: Vec<Further>) -> Vec<Further> {
    let mut left = Vec::new();
    for counted in further {
        match store.record(vec![further_entry(&counted)]).await {
            Ok(_) => {}
            // It was deleted meanwhile: the platform log keeps what was aimed at it.
            Err(RecordError::OrganizationDeleted(..)) => {
                left.push(Further { log: None, ..counted });
            }
            Err(error) => {
                tracing::warn!(%error, "attempts that were counted are not recorded yet");
                left.push(counted);
            }
        }
    }
    left
}

fn further_entry(further: &Further) -> NewEntry {
    let (kind, action, outcome) = match further.attempt {
        Attempt::Reading => (Type::activity_logs(), Action::fetch_all(), Outcome::Denied),
        Attempt::Removal => (Type::admin_accounts(), Action::delete(), Outcome::Denied),
        Attempt::Recording => (Type::activity_logs(), Action::create(), Outcome::Denied),
        Attempt::Missing => (Type::activity_logs(), Action::fetch(), Outcome::Failure),
    };
    let words = if further.attempts == 1 { "attempt" } else { "attempts" };
    let identifier = format!("{} further {words}", further.attempts);
    let question = Question { further: Some(further.attempts), ..Question::default() };
    let look = Look { outcome, question, ..Look::new(kind, action, identifier) };
    let look = look.aimed_at(further.aim.as_ref().filter(|_| further.log.is_none()));
    look.into_entry(&further.person, Context::default(), further.log.clone(), false)
}
