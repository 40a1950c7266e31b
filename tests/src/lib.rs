//! The service as tests and benchmarks use it: the real one, on a port and a database of its
//! own, asked over HTTP.

pub mod browser;
pub mod documented;
pub mod generated;
pub mod raw;
pub mod served;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use activity_logs::auth::{KeySource, Verifier};
use activity_logs::demo;
use activity_logs::serve::{Limits, Service, Settings};
use activity_logs_model::Catalog;
use activity_logs_store::testing::TestDatabase;
use activity_logs_store::{Options, Store};
use actix_web::dev::ServerHandle;
use anyhow::{Context as _, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The secret that test services check tokens with.
pub const SECRET: &str = "a-secret-of-the-tests-only-0123456789abcdef";
/// The issuer that test services ask for.
pub const ISSUER: &str = "https://issuer.example";
/// The audience that test services ask for.
pub const AUDIENCE: &str = "activity-logs";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A SQLite file.
    Sqlite,
    /// A database on the tests' PostgreSQL server.
    Postgres,
}

impl Kind {
    /// A new, empty database.
    pub async fn database(self) -> TestDatabase {
        match self {
            Kind::Sqlite => TestDatabase::sqlite(),
            Kind::Postgres => TestDatabase::postgres().await,
        }
    }
}

/// A running service with a client for it.
pub struct TestService {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    client: Client,
    server: ServerHandle,
    thread: Option<JoinHandle<Result<()>>>,
    database: Option<TestDatabase>,
}

impl TestService {
    /// A service on a database of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(kind: Kind) -> Self {
        let database = kind.database().await;
        let service = Self::start_on(database.url(), secret(), Options::default())
            .await
            .expect("the service starts");
        service.keeping(database)
    }

    /// A service on a database that the caller keeps.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_on(database_url: &str, keys: KeySource, store: Options) -> Result<Self> {
        Self::start_with(settings(database_url, keys, store).await?).await
    }

    /// A service as the settings say.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with(settings: Settings) -> Result<Self> {
        Self::run(|| Service::start(settings)).await
    }

    /// The demo, with its sample data and its web app, on a database that the caller keeps.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_demo(database_url: String, web_root: PathBuf) -> Result<Self> {
        let listen = "127.0.0.1:0".parse()?;
        let start = async move || {
            let (service, _) = demo::start(listen, &database_url, Some(web_root), false).await?;
            Ok(service)
        };
        Self::run(start).await
    }

    async fn run<F>(start: impl FnOnce() -> F + Send + 'static) -> Result<Self>
    where
        F: Future<Output = Result<Service>>,
    {
        let (sender, receiver) = mpsc::channel();
        // A runtime of its own, as the program has.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let service = start().await?;
                let addresses = (service.address(), service.metrics_address());
                sender.send((addresses, service.handle()))?;
                service.run().await
            })
        });
        let started = tokio::task::spawn_blocking(move || receiver.recv()).await?;
        let ((address, metrics_address), server) = match started {
            Ok(started) => started,
            Err(_) => {
                thread.join().expect("the service's thread does not panic")?;
                anyhow::bail!("the service ended at once");
            }
        };
        let client = Client::new();
        Ok(Self { address, metrics_address, client, server, thread: Some(thread), database: None })
    }

    /// The same, on a database that is kept as long as it runs.
    pub fn keeping(mut self, database: TestDatabase) -> Self {
        self.database = Some(database);
        self
    }

    /// Where it answers `/metrics`, if that is a listener of its own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its database.
    ///
    /// # Panics
    /// When the database is the caller's.
    pub fn database_url(&self) -> &str {
        self.database.as_ref().expect("the service's own database").url()
    }

    /// A request to a path, with a token or without.
    pub fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Gets JSON.
    ///
    /// # Panics
    /// When the service does not answer with JSON.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.request(Method::GET, path, Some(token))).await
    }

    /// Records entries as a service that may record anywhere.
    ///
    /// # Panics
    /// When the service does not answer with JSON.
    pub async fn record(&self, entries: Value) -> Answer {
        let body = json!({ "entries": entries });
        let path = "/api/v1/activity-logs";
        Answer::of(self.request(Method::POST, path, Some(&recorder())).json(&body)).await
    }

    /// How many entries there are in all, without looking (a look leaves an entry).
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn position(&self) -> i64 {
        let store = Store::open(self.database_url(), Options::default()).await;
        let store = store.expect("the database opens");
        let head = store.head().await.expect("the database answers");
        store.close().await;
        head
    }

    /// How the service names a position.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn as_of(&self, position: i64) -> String {
        as_of(self.database_url(), position).await
    }

    /// Tells it to stop and waits until it has.
    ///
    /// # Panics
    /// When it fails.
    pub async fn stop(&mut self) {
        self.server.stop(true).await;
        if let Some(thread) = self.thread.take() {
            let ended = tokio::task::spawn_blocking(move || thread.join())
                .await
                .expect("waiting for the end");
            ended.expect("the service does not panic").expect("the service ends well");
        }
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        // The command goes out with the call; what is returned only waits for its end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// Sends a request and reads the answer. A problem must be one that the operation's document
    /// names.
    ///
    /// # Panics
    /// When there is no answer, it is no JSON, or the document says nothing of it.
    pub async fn of(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.expect("the service answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the answer arrives whole");
        let body =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: no JSON: {text}"));
        let answer = Self { status, headers, body };
        if !status.is_success() {
            documented::check(method.as_str(), &path, status.as_u16(), answer.problem());
        }
        answer
    }

    /// A header's text, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The code of a problem; checks that it is one (RFC 9457).
    ///
    /// # Panics
    /// When the answer is no problem.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16(), "{self:?}");
        self.body["code"].as_str().expect("a problem has a code")
    }

    /// The pointer of the first field error of a problem, empty where it has none.
    pub fn pointer(&self) -> &str {
        self.body["errors"][0]["pointer"].as_str().unwrap_or_default()
    }

    /// The items of a list.
    ///
    /// # Panics
    /// When the answer is no list.
    pub fn items(&self) -> &Vec<Value> {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {self:?}"))
    }
}

/// What a test service runs on, unless the test changes it.
///
/// # Errors
/// When the keys can't be loaded.
pub async fn settings(database_url: &str, keys: KeySource, store: Options) -> Result<Settings> {
    Ok(Settings {
        listen: "127.0.0.1:0".parse()?,
        database_url: database_url.to_owned(),
        store,
        verifier: Verifier::load(keys, Some(ISSUER.to_owned()), Some(AUDIENCE.to_owned())).await?,
        catalog: Catalog::built_in(),
        metrics_listen: None,
        limits: Limits::default(),
        web_root: None,
        docs: true,
        demo: None,
    })
}

/// How services on this database name a position.
///
/// # Panics
/// When the database does not answer.
pub async fn as_of(database_url: &str, position: i64) -> String {
    let store = Store::open(database_url, Options::default()).await.expect("the database opens");
    let as_of = store.as_of(position).to_string();
    store.close().await;
    as_of
}

/// The key source of [`SECRET`].
///
/// # Panics
/// Never: the secret is long enough.
pub fn secret() -> KeySource {
    KeySource::Secrets(vec![SECRET.parse().expect("the secret is long enough")])
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Claims that test services accept, with some of them given.
pub fn claims(given: Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": now(), "exp": now() + 3600, "name": given["sub"]});
    if let (Some(claims), Some(given)) = (claims.as_object_mut(), given.as_object()) {
        claims.extend(given.clone());
    }
    claims
}

/// A token with these claims, signed with [`SECRET`].
///
/// # Panics
/// When the claims can't be signed.
pub fn token(given: Value) -> String {
    sign(
        &Header::new(Algorithm::HS256),
        &claims(given),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
}

/// A token as the header, the claims and the key say.
///
/// # Panics
/// When they don't fit each other.
pub fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).context("signing").expect("claims that can be signed")
}

/// An administrator's token.
pub fn admin() -> String {
    token(json!({"sub": "root", "role": "admin"}))
}

/// A token of a service that may record anywhere.
pub fn recorder() -> String {
    token(json!({"sub": "recorder", "role": "service"}))
}

/// A member's token.
pub fn member(sub: &str, organization: &str) -> String {
    token(
        json!({"sub": sub, "role": "user", "organizations": [{"id": organization, "name": organization}]}),
    )
}

/// An entry as a recorder sends it.
pub fn entry(organization: &str, identifier: &str) -> Value {
    json!({
        "type": "Users", "action": "Update", "identifier": identifier,
        "user": {"id": "ada", "name": "Ada Abara"},
        "organization": {"id": organization, "name": organization.to_uppercase()},
        "old_value": "Viewer", "new_value": "Editor",
    })
}

/// A file of real entries, if this machine has it: in the folder that `ACTIVITY_LOGS_REAL_DATA`
/// names, or in `shared/data` beside the repository.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = std::env::var_os("ACTIVITY_LOGS_REAL_DATA").map_or_else(beside, PathBuf::from);
    Some(folder.join(name)).filter(|path| path.exists())
}

/// Stamps a test onto both databases: `async fn name(kind: Kind)`.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::Kind::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::Kind::Postgres).await;
            })+
        }
    };
}
