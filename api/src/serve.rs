//! Starting and stopping the service.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use activity_logs_model::Catalog;
use activity_logs_store::{Options, Store};
use actix_http::HttpService;
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle, fn_service};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App as ActixApp, Error, HttpResponse};
use anyhow::Context as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, configure, configure_metrics, not_found};
use crate::around::around;
use crate::attempts::Attempts;
use crate::audit::sweep;
use crate::auth::Verifier;
use crate::body::Bodies;
use crate::connection::{Connection, Patience};
use crate::demo::Introduction;
use crate::metrics::{self, Metrics};
use crate::turns::Turns;
use crate::web::WebApp;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
const WORKERS: usize = 4;

/// What callers may take of the service's time and memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a request's head may take.
    pub head: Duration,
    /// How long a body may take, besides a second for each 64 KiB of it.
    pub body: Duration,
    /// How long an answer waits for its reader to take more of it.
    pub answer: Duration,
    /// The most bytes of bodies that are under way at once.
    pub bodies_bytes: usize,
    /// How long requests under way may take when the service is told to stop.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            bodies_bytes: 64 * 1024 * 1024,
            shutdown: Duration::from_secs(30),
        }
    }
}

/// What the service runs on.
pub struct Settings {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Where to answer `/metrics` and nothing else; otherwise it is answered beside the API.
    pub metrics_listen: Option<SocketAddr>,
    /// What callers may take.
    pub limits: Limits,
    /// `sqlite:…` or `postgres://…`; it may hold a password, so it is never printed.
    pub database_url: String,
    /// How the store behaves.
    pub store: Options,
    /// Checks tokens.
    pub verifier: Verifier,
    /// The types and actions that entries may have.
    pub catalog: Catalog,
    /// Folder of the built web app.
    pub web_root: Option<PathBuf>,
    /// Whether there is an API reference at `/docs/`.
    pub docs: bool,
    /// What `GET /demo.json` answers; without it there is no such path.
    pub demo: Option<Introduction>,
}

/// A service that listens.
pub struct Service {
    server: Server,
    store: Store,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    /// Records attempts that were counted, to the last of them when it is told to stop.
    sweeper: (oneshot::Sender<()>, JoinHandle<()>),
}

impl Service {
    /// Opens the database and the port. Requests are answered once [`Service::run`] is polled.
    ///
    /// # Errors
    /// When the web app can't be read, the database can't be opened or a port can't be had.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let web = settings.web_root.as_deref().map(WebApp::load).transpose()?;
        // Before the store: what it counts must find the recorder.
        metrics::start();
        let turns = Turns::new(settings.store.reading_time);
        let store = Store::open(&settings.database_url, settings.store)
            .await
            .context("opening the database")?;
        let (listener, address) = listen(settings.listen)?;
        let own_listener = settings.metrics_listen.map(listen).transpose()?;
        let metrics_address = own_listener.as_ref().map(|(_, address)| *address);
        let limits = settings.limits;
        let metrics = Data::new(Metrics::new(store.clone()));
        let attempts = Arc::<Attempts>::default();
        let (stop, stopped) = oneshot::channel();
        let sweeper = tokio::spawn(sweep(store.clone(), attempts.clone(), stopped));
        let app = Data::new(App {
            store: store.clone(),
            catalog: settings.catalog,
            verifier: settings.verifier,
            turns,
            attempts,
            bodies: Bodies::new(limits.bodies_bytes, limits.body),
            docs: settings.docs,
            web,
            demo: settings.demo,
        });

        let mut server =
            Server::build().workers(WORKERS).shutdown_timeout(limits.shutdown.as_secs());
        let stopping = server.graceful_shutdown_signal();
        let beside = own_listener.is_none().then(|| metrics.clone());
        let routes = move |config: &mut ServiceConfig| {
            configure(config, app.clone(), beside.clone());
        };
        let service = move || http(limits, stopping.clone(), routes.clone());
        server = server.listen("service", listener, service)?;
        if let Some((listener, _)) = own_listener {
            let stopping = server.graceful_shutdown_signal();
            let routes = move |config: &mut ServiceConfig| {
                configure_metrics(config, metrics.clone());
                config.default_service(web::to(not_found));
            };
            let service = move || http(limits, stopping.clone(), routes.clone());
            server = server.listen("metrics", listener, service)?;
        }
        let sweeper = (stop, sweeper);
        Ok(Self { server: server.run(), store, address, metrics_address, sweeper })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers `/metrics`, if that is a listener of its own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The log it serves.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops it from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is told to stop (SIGTERM, SIGINT or its handle), then finishes the
    /// requests under way and commits what was accepted.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run(self) -> anyhow::Result<()> {
        self.server.await?;
        let (stop, sweeper) = self.sweeper;
        let _ = stop.send(());
        if tokio::time::timeout(CLOSE_TIMEOUT, sweeper).await.is_err() {
            tracing::warn!("attempts that were counted could not be recorded in time");
        }
        if tokio::time::timeout(CLOSE_TIMEOUT, self.store.close()).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
        Ok(())
    }
}

fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// HTTP/1.1 over connections that have [patience](Patience), which those of actix's own server do
/// not.
fn http(
    limits: Limits,
    stopping: GracefulShutdownSignal,
    routes: impl Fn(&mut ServiceConfig) + Clone + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), InitError = ()> {
    // actix answers the first head of a connection that is late; any other just ends it.
    let patience = Patience { head: limits.head * 2, answer: limits.answer };
    let app = ActixApp::new().wrap(from_fn(around)).configure(|config| routes(config));
    let app = app.into_factory().map_err(|error: Error| HttpResponse::from_error(error));
    let service = HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .client_request_timeout(limits.head)
        .client_disconnect_timeout(Duration::from_secs(1))
        .on_connect_ext(|connection: &Connection, data| {
            data.insert(connection.activity());
        })
        .h1(map_config(app, |()| AppConfig::default()));
    let connect = move |stream: TcpStream| async move {
        let peer = stream.peer_addr().ok();
        Ok((Connection::new(stream, patience), peer))
    };
    fn_service(connect).and_then(service)
}
