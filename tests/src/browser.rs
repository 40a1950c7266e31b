//! A headless Chromium with a profile of its own, driven over WebDriver, that looks at the real
//! service. Everything here panics where a page is not what the caller expects.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use activity_logs_store::Options;
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
    port: u16,
    _profile: tempfile::TempDir,
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
        Self::with(service.keeping(database)).await
    }

    async fn with(service: TestService) -> Self {
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
        Self { service, page, driver, port, _profile: profile }
    }

    /// The demo on a database of its own, and a new browser.
    pub async fn set_demo(kind: Kind) -> Self {
        let database = kind.database().await;
        let url = database.url().to_owned();
        let service = TestService::start_demo(url, web_root()).await.unwrap();
        Self::with(service.keeping(database)).await
    }

    /// Opens a path of the app, signed in by the token in the address.
    pub async fn open(&self, path: &str, token: &str) {
        let url = format!("http://{}{path}#token={token}", self.service.address());
        self.forget_token().await;
        self.page.goto(&url).await.unwrap();
    }

    /// Opens an address of the app as it is, in the tab as it is.
    pub async fn open_address(&self, path: &str) {
        // Another fragment alone would load nothing.
        self.page.goto("about:blank").await.unwrap();
        self.page.goto(&format!("http://{}{path}", self.service.address())).await.unwrap();
    }

    /// Makes the tab forget its token, where no app runs that would keep it once more.
    async fn forget_token(&self) {
        self.page.goto(&format!("http://{}/livez", self.service.address())).await.unwrap();
        self.script("sessionStorage.removeItem('activity-logs.token')").await;
    }

    /// Opens the app with nobody signed in.
    pub async fn sign_out(&self) {
        self.forget_token().await;
        self.script("sessionStorage.clear()").await;
        self.page.goto(&format!("http://{}/", self.service.address())).await.unwrap();
    }

    /// What the service answers to anybody.
    pub async fn get_json(&self, path: &str) -> Value {
        let answer = self.service.request(Method::GET, path, None).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// The first element that the selector finds, as soon as there is one.
    pub async fn find(&self, selector: &str) -> Element {
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let shown = self.script("return document.body.innerText").await;
                panic!("no {selector} at {}: {error}\n{shown}", self.address().await);
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
        let deadline = tokio::time::Instant::now() + PATIENCE;
        // An element may be replaced between being found and being clicked.
        while let Err(error) = self.find(selector).await.click().await {
            let again =
                error.is_stale_element_reference() && tokio::time::Instant::now() < deadline;
            assert!(again, "{selector}: {error}");
        }
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

    /// Shows the page as large as a screen of this size, light or dark, and still.
    pub async fn screen(&self, (width, height): (u32, u32), theme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Cuts the network off, or brings it back; answers take `latency` milliseconds longer.
    pub async fn network(&self, is_there: bool, latency: u32) {
        let conditions = json!({"offline": !is_there, "latency": latency,
            "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// What axe finds wrong with the page by WCAG 2.2 A and AA and its own best practices. What axe
    /// can't decide is printed.
    pub async fn audit(&self) -> Vec<String> {
        // By tags: without them axe leaves out what only WCAG 2.2 asks for, the size of targets.
        const RUN: &str = "const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
          const told = (node) => `${node.target}\n  ${node.html}\n  ${node.failureSummary}`;
          axe.run(document, { runOnly: tags }).then((result) => done([
            result.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${rule.help}\n  ${told(node)}`)),
            result.incomplete.map((rule) => `${rule.id}, ${rule.nodes.length} times, first\n  ${told(rule.nodes[0])}`),
          ]), (error) => done([[`axe failed: ${error}`], []]));";
        self.page.execute(&axe(), Vec::new()).await.unwrap();
        let told = self.script_async(RUN).await;
        let (violations, undecided): (Vec<String>, Vec<String>) =
            serde_json::from_value(told).unwrap();
        for rule in undecided {
            println!("axe can't decide at {}: {rule}", self.address().await);
        }
        violations
    }

    /// How far the page has moved under its reader since it was opened, once nothing has moved for
    /// a second, and what moved.
    pub async fn shifts(&self) -> (f64, Value) {
        const SHIFTS: &str = "const shifts = [];
          const name = ({ node }) => node?.className || node?.nodeName;
          let still;
          const wait = () => { clearTimeout(still); still = setTimeout(() => done(shifts), 1000); };
          new PerformanceObserver((list) => {
            for (const shift of list.getEntries()) shifts.push([shift.value, ...shift.sources.map(name)]);
            wait();
          }).observe({ type: 'layout-shift', buffered: true });
          wait();";
        let shifts = self.script_async(SHIFTS).await;
        let sum = shifts.as_array().unwrap().iter().map(|shift| shift[0].as_f64().unwrap()).sum();
        (sum, shifts)
    }

    /// Asserts that nothing is wider than the page.
    pub async fn fits(&self, name: &str) {
        let wider =
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        let wider = self.script(wider).await.as_i64().unwrap();
        assert!(wider <= 0, "{name} is {wider} pixels wider than its page");
    }

    /// Keeps what the page looks like among the run's artefacts.
    pub async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.page.screenshot().await.unwrap())
            .unwrap();
    }
}

/// The source of axe.
fn axe() -> String {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let path = cache.unwrap().join("activity-logs/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing; `cargo xtask test` installs it", path.display()))
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
        // The driver alone can end its browser, also after a panic; killed, it would leave it.
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut driver| {
            driver.set_read_timeout(Some(PATIENCE))?;
            driver.write_all(
                b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
            )?;
            driver.read_to_end(&mut Vec::new())
        });
        if asked.is_err() {
            let _ = self.driver.kill();
        }
        let _ = self.driver.wait();
    }
}
