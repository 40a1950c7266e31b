//! What the pages compute: pure functions, tested without a browser.

pub(crate) mod chart;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod values;
