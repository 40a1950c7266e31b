//! The service over HTTP, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod access;
mod days;
mod documented;
mod faults;
mod http;
mod ids;
mod keys;
mod limits;
mod metrics;
mod program;
mod reading;
mod real_data;
mod recording;
mod starting;
mod watching;
