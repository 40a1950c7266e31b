//! The activity log as a service: its REST API, its OpenAPI document and the program
//! `activity-logs` around them.

pub mod app;
pub mod auth;
pub mod cli;
mod demo;
mod demo_data { pub(crate) struct DemoPerson { pub(crate) title: &'static str, pub(crate) claims: activity_logs_model::Claims } pub(crate) fn people() -> Vec<DemoPerson> { vec![] } pub(crate) fn entries(_: activity_logs_model::Timestamp) -> Vec<activity_logs_model::NewEntry> { vec![] } }
pub mod extract;
mod import;
pub mod openapi;
pub mod problem;
mod reading;
pub mod routes;
pub mod serve;
pub mod telemetry;
mod token;
