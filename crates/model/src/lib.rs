//! What an activity log is, without saying where it is kept: entries, the catalog of
//! types and actions, the rules of their values, who sees what, filters, pages, and the
//! wire types of the REST API.
//!
//! Nothing here does I/O, reads a clock or knows SQL, and all of it builds for
//! `wasm32-unknown-unknown`, so the service, its clients and the web app share one
//! definition of every word.

pub mod as_of;
pub mod catalog;
mod claims;
pub mod entry;
pub mod filter;
pub mod id;
pub mod json;
pub mod paging;
pub mod percent;
pub mod problem;
pub mod question;
pub mod record;
pub mod served;
pub mod time;
pub mod visibility;
pub mod wire;

pub use as_of::AsOf;
pub use catalog::{Action, Catalog, Type, ValueRule};
pub use entry::{Context, Entry, NewEntry, OrganizationRef, Outcome, Person, WorkspaceRef};
pub use filter::Filter;
pub use id::{OrganizationId, UserId, WorkspaceId};
pub use json::JsonText;
pub use paging::{ListingParameters, PageSize};
pub use problem::{FieldError, Problem, ProblemCode};
pub use question::Question;
pub use served::ServedEntry;
pub use time::Timestamp;
pub use visibility::{Caller, Claims, Role, Visibility};
