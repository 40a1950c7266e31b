//! Starting and stopping the service.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use activity_logs_model::Catalog;
use activity_logs_store::{Options, Store};
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpServer};
use anyhow::Context as _;

use crate::app::{App, around, configure};
use crate::auth::Verifier;
use crate::telemetry;
use crate::web::WebApp;

/// How long requests that are under way may take when the service is told to stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 30;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
const WORKERS: usize = 4;

/// What the service runs on.
pub struct Settings {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
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
    /// What `GET /demo.json` answers; without it there is no such path.
    pub demo: Option<String>,
}

/// A service that listens.
pub struct Service {
    server: Server,
    store: Store,
    address: SocketAddr,
}

impl Service {
    /// Opens the database and the port. Requests are answered once [`Service::run`] is polled.
    ///
    /// # Errors
    /// When the web app can't be read, the database can't be opened or the port can't be had.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let web = settings.web_root.as_deref().map(WebApp::load).transpose()?;
        // Before the store: what it counts must find the recorder.
        let metrics = telemetry::metrics();
        let store = Store::open(&settings.database_url, settings.store)
            .await
            .context("opening the database")?;
        let listener = TcpListener::bind(settings.listen)
            .with_context(|| format!("listening on {}", settings.listen))?;
        let address = listener.local_addr()?;
        let app = Data::new(App {
            store: store.clone(),
            catalog: settings.catalog,
            verifier: settings.verifier,
            metrics,
            web,
            demo: settings.demo,
        });
        let server = HttpServer::new(move || {
            let app = app.clone();
            ActixApp::new().wrap(from_fn(around)).configure(|config| configure(config, app))
        })
        .workers(WORKERS)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)?
        .run();
        Ok(Self { server, store, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        if tokio::time::timeout(CLOSE_TIMEOUT, self.store.close()).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
        Ok(())
    }
}
