//! What the API answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::as_of::AsOf;
use crate::catalog::{Action, Type, ValueRule};
use crate::entry::Outcome;
use crate::id::{OrganizationId, UserId};
use crate::served::ServedEntry;
use crate::time::Timestamp;
use crate::visibility::{GrantClaim, MembershipClaim, Role};

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Listing {
    /// The page's entries, newest first by (`occurred_at`, `sequence`).
    pub items: Vec<ServedEntry>,
    /// The page's number, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, examples(1)))]
    pub page: u64,
    /// How many entries a page holds.
    #[cfg_attr(feature = "openapi", schema(examples(25)))]
    pub page_size: u64,
    /// How many entries the whole listing has: exact.
    #[cfg_attr(feature = "openapi", schema(examples(412)))]
    pub total: u64,
    /// How many pages that makes; 0 for an empty listing.
    #[cfg_attr(feature = "openapi", schema(examples(17)))]
    pub total_pages: u64,
    /// Up to where the listing looks. Sent back with another page, nothing shifts and the total
    /// stays.
    pub as_of: AsOf,
}

/// The newest entries of an organization, without those about reading the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recent {
    /// The entries, newest first.
    pub items: Vec<ServedEntry>,
    /// Up to where the list looks.
    pub as_of: AsOf,
}

/// How much happened in an organization on each of its last days, as far as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DailyActivity {
    /// The time zone whose days these are.
    #[cfg_attr(feature = "openapi", schema(examples("Europe/Vienna")))]
    pub time_zone: String,
    /// The days, oldest first; the last is today.
    pub days: Vec<DayActivity>,
    /// Up to where the counts look.
    pub as_of: AsOf,
}

/// How much happened on one day. The listing with the same `from`, `to` and `as_of` has the same
/// total, and so it has with one type or outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayActivity {
    /// The date in the time zone.
    #[cfg_attr(feature = "openapi", schema(format = Date, examples("2026-01-31")))]
    pub date: String,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it. Where clocks change, that is not 24 hours later.
    pub to: Timestamp,
    /// How many entries the day has: exact.
    #[cfg_attr(feature = "openapi", schema(examples(34)))]
    pub total: u64,
    /// How many of each type; types without any are left out.
    pub types: BTreeMap<Type, u64>,
    /// How many of each outcome; outcomes without any are left out.
    pub outcomes: BTreeMap<Outcome, u64>,
}

/// What became of recorded entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordResponse {
    /// One for each entry of the request, in its order.
    pub entries: Vec<Recorded>,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recorded {
    /// Its identity.
    pub id: Uuid,
    /// Its place in its organization's log.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, examples(411)))]
    pub sequence: i64,
    /// Whether it is new or was there already.
    pub status: RecordStatus,
}

/// Whether an entry is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RecordStatus {
    /// This request recorded it.
    New,
    /// The same entry was recorded before.
    Duplicate,
}

/// Who the token says I am.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// My identifier.
    pub id: UserId,
    /// My name.
    #[cfg_attr(feature = "openapi", schema(examples("Ada Abara")))]
    pub name: String,
    /// My e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("ada@example.com")))]
    pub email: Option<String>,
    /// What I am.
    pub role: Role,
    /// My memberships. Of a service, the organizations it may record into: null where it may
    /// record anywhere.
    pub organizations: Option<Vec<MembershipClaim>>,
    /// My grants.
    pub workspaces: Vec<GrantClaim>,
}

/// One page of the organizations I may open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organizations {
    /// The page's organizations, by name.
    pub items: Vec<OrganizationItem>,
    /// The page's number, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, examples(1)))]
    pub page: u64,
    /// How many organizations a page holds.
    #[cfg_attr(feature = "openapi", schema(examples(25)))]
    pub page_size: u64,
    /// How many there are in all.
    #[cfg_attr(feature = "openapi", schema(examples(3)))]
    pub total: u64,
    /// How many pages that makes.
    #[cfg_attr(feature = "openapi", schema(examples(1)))]
    pub total_pages: u64,
}

/// An organization I may open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrganizationItem {
    /// Its identifier.
    pub id: OrganizationId,
    /// Its name in its newest entry, or as the token has it.
    #[cfg_attr(feature = "openapi", schema(examples("Acme")))]
    pub name: String,
}

/// What is left of a deleted organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletionReceipt {
    /// The organization that is gone.
    pub organization_id: OrganizationId,
    /// How many entries were removed with it.
    #[cfg_attr(feature = "openapi", schema(examples(412)))]
    pub removed_entries: u64,
    /// The entry in the platform log that says so.
    pub entry: ServedEntry,
}

/// The catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivityTypes {
    /// The types, in the order in which menus show them.
    pub types: Vec<ActivityType>,
}

/// A type of resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivityType {
    /// The token on the wire.
    #[serde(rename = "type")]
    pub kind: Type,
    /// What people read.
    #[cfg_attr(feature = "openapi", schema(examples("Admin Users")))]
    pub label: String,
    /// Whether recorders may send entries of this type.
    pub recordable: bool,
    /// The operations it has.
    pub actions: Vec<ActivityAction>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivityAction {
    /// The token on the wire.
    pub action: Action,
    /// What people read.
    #[cfg_attr(feature = "openapi", schema(examples("Fetch All")))]
    pub label: String,
    /// What it says about the values before and after.
    pub values: ValueRule,
}

/// The answer of `/livez` and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`.
    #[cfg_attr(feature = "openapi", schema(examples("ok")))]
    pub status: String,
}
