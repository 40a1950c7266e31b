//! The handlers of the API, by resource. Their names are the operation ids of the OpenAPI
//! document.

pub mod activity_logs;
pub mod organizations;
pub mod service;
