//! The pages: they ask the service and show what it answers.

pub(crate) mod activity_logs;
pub(crate) mod dashboard;
pub(crate) mod panel;
pub(crate) mod sign_in;
