//! Parts of pages. They show what they are given and ask nobody.

pub(crate) mod chart;
pub(crate) mod filters;
pub(crate) mod pager;
pub(crate) mod panel;
pub(crate) mod states;
pub(crate) mod switcher;
pub(crate) mod table;
pub(crate) mod values;
pub(crate) mod widths;
