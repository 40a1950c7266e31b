//! A headless Chromium with a profile of its own, driven over WebDriver.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use activity_logs_store::Options;
use activity_logs_store::testing::TestDatabase;
use activity_logs_tests::{Kind, TestService, secret, settings};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service with the web app, and a browser that looks at it.
pub(crate) struct Stage {
    pub(crate) service: TestService,
    pub(crate) page: Client,
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
    pub(crate) async fn set(kind: Kind) -> Self {
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
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!() };
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
    pub(crate) async fn open(&self, path: &str, token: &str) {
        let url = format!("http://{}{path}#token={token}", self.service.address());
        // Another fragment alone would load nothing.
        self.page.goto("about:blank").await.unwrap();
        self.page.goto(&url).await.unwrap();
    }

    /// The first element that the selector finds, as soon as there is one.
    pub(crate) async fn find(&self, selector: &str) -> Element {
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
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// The texts of all elements that the selector finds now.
    pub(crate) async fn texts(&self, selector: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.page.find_all(Locator::Css(selector)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// Clicks the first element that the selector finds.
    pub(crate) async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// Waits until the text of an element is the wanted one.
    pub(crate) async fn until_text(&self, selector: &str, wanted: &str) {
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
    pub(crate) async fn address(&self) -> String {
        let url = self.page.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let fragment = url.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
        format!("{}{query}{fragment}", url.path())
    }

    /// Runs a script in the page.
    pub(crate) async fn script(&self, script: &str) -> serde_json::Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// Keeps what the page looks like among the run's artefacts.
    pub(crate) async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.page.screenshot().await.unwrap())
            .unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
