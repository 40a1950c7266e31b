//! The activity log as a service: its REST API, its OpenAPI document and the program
//! `activity-logs` around them.

pub mod app;
mod arguments;
mod around;
mod asset;
pub mod attempts;
mod audit;
pub mod auth;
mod backup;
pub mod body;
pub mod cli;
mod connection;
mod days;
pub mod demo;
mod demo_data;
mod docs;
pub mod extract;
mod import;
pub mod metrics;
pub mod openapi;
mod pages;
pub mod problem;
pub mod routes;
pub mod serve;
pub mod telemetry;
mod token;
pub mod turns;
pub mod web;
