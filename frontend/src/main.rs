//! The web app of the activity log: people read what happened, as far as their role lets
//! them see. It talks to the service only over its REST API.

#![expect(unreachable_pub, reason = "the component macro makes what it writes public")]

mod api;
mod app;
mod ask;
mod browser;
mod components;
mod logic;
mod pages;
mod session;
mod url;

fn main() {
    leptos::mount::mount_to_body(app::App);
}
