//! A headless Chromium with a profile of its own, driven over WebDriver, that looks at the real
//! service. Everything here panics where a page is not what the caller expects.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use activity_logs_store::Options;
use activity_logs_store::testing::TestDatabase;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::{Kind, TestService, secret, settings};

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service with the web app, and a browser that looks at it.
pub struct Stage {
    /// The service.
    pub service: TestService,
    /// The browser's tab.
    pub page: Client,
    driver: Child,
    _profile: tempfile::TempDir,
    _database: TestDatabase,
}

/// Where `cargo xtask web` puts the app.
fn web_root() -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../frontend/dist"));
    assert!(
        root.join("index.html").exists(),
        "the web app is not built; `cargo xtask web` builds it"
    );
    root
}

impl Stage {
    /// An empty service on a database of its own, and a new browser.
    pub async fn set(kind: Kind) -> Self {
        let database = kind.database().await;
        let mut settings = settings(database.url(), secret(), Options::default()).await.unwrap();
        settings.web_root = Some(web_root());
        let service = TestService::start_with(settings).await.unwrap();

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; on Debian: apt-get install chromium chromium-driver");
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ]
        .map(str::to_owned);
        let capabilities = json!({"goog:chromeOptions": {"args": arguments}});
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let mut page = None;
        for _ in 0..100 {
            let connected = ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.clone())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await;
            match connected {
                Ok(client) => {
                    page = Some(client);
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        let page = page.expect("chromedriver opens a browser");
        Self { service, page, driver, _profile: profile, _database: database }
    }

    /// Opens a path of the app, signed in by the token in the address.
    pub async fn open(&self, path: &str, token: &str) {
        let url = format!("http://{}{path}#token={token}", self.service.address());
        // Another fragment alone would load nothing.
        self.page.goto("about:blank").await.unwrap();
        self.page.goto(&url).await.unwrap();
    }

    /// The first element that the selector finds, as soon as there is one.
    pub async fn find(&self, selector: &str) -> Element {
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let source = self.page.source().await.unwrap_or_default();
                panic!("no {selector}: {error}\n{source}");
            }
        }
    }

    /// The text of the first element that the selector finds.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// The texts of all elements that the selector finds now.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.page.find_all(Locator::Css(selector)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// Clicks the first element that the selector finds.
    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// Waits until the text of an element is the wanted one.
    pub async fn until_text(&self, selector: &str, wanted: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut last = String::new();
        while tokio::time::Instant::now() < deadline {
            // An element may be replaced between being found and being read.
            if let Ok(element) = self.page.find(Locator::Css(selector)).await
                && let Ok(text) = element.text().await
            {
                if text == wanted {
                    return;
                }
                last = text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{selector} says {last:?} and not {wanted:?}");
    }

    /// The address, without its origin.
    pub async fn address(&self) -> String {
        let url = self.page.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let fragment = url.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
        format!("{}{query}{fragment}", url.path())
    }

    /// Runs a script in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// Has the browser do what only its DevTools protocol can ask for.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters}).to_string();
        self.page.issue_cmd(DevTools { body }).await.unwrap()
    }

    /// Runs a script that gives its result to the function `done`.
    pub async fn script_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.page.execute_async(&script, Vec::new()).await.unwrap()
    }

    /// Keeps what the page looks like among the run's artefacts.
    pub async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.page.screenshot().await.unwrap())
            .unwrap();
    }
}

/// A command of the DevTools protocol, handed on by chromedriver.
#[derive(Debug)]
struct DevTools {
    body: String,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
