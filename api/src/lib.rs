//! The activity log as a service: its REST API, its OpenAPI document and the program
//! `activity-logs` around them.

pub mod app;
pub mod auth;
pub mod cli;
mod days;
pub mod demo;
mod demo_data;
pub mod extract;
mod import;
pub mod openapi;
pub mod problem;
mod reading;
pub mod routes;
pub mod serve;
pub mod telemetry;
mod token;
pub mod web;
