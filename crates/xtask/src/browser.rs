//! What the tests of the web app need beside it: a browser, and axe, which audits pages.

use anyhow::Result;

use crate::run::{install, is_on_path, npm_install, tools};

/// axe-core's version.
const AXE: &str = "4.14.1";

/// Makes sure of the browser that the tests drive.
pub(crate) fn add_browser() -> Result<()> {
    if is_on_path("chromium") && is_on_path("chromedriver") {
        return Ok(());
    }
    install(&["chromium", "chromium-driver"])
}

/// Makes sure of axe; the tests find it where this puts it.
pub(crate) fn add_axe() -> Result<()> {
    let folder = tools()?.join("axe");
    let installed = std::fs::read_to_string(folder.join("node_modules/axe-core/package.json"));
    if installed.is_ok_and(|package| package.contains(&format!("\"version\": \"{AXE}\""))) {
        return Ok(());
    }
    println!("installing axe {AXE}, which audits pages (some seconds, once)");
    npm_install(&[&format!("axe-core@{AXE}")], &folder)
}
