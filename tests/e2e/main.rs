//! The web app in a real browser, against the real service, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod gallery;
mod journeys;
mod lists;
mod people;
mod table;
