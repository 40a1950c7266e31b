//! A network to a database server that can be cut, silenced and restored.

use std::net::SocketAddr;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Everything goes through.
    Up,
    /// Connections break, and no new ones are made.
    Cut,
    /// Connections stand, and nothing comes through them.
    Silent,
}

pub(crate) struct Proxy {
    url: String,
    network: watch::Sender<Network>,
    server: watch::Sender<String>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// Stands before the server of this database.
    pub(crate) async fn before(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).expect("a PostgreSQL URL");
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (network, states) = watch::channel(Network::Up);
        let (server, servers) = watch::channel(server);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, servers, states));
        Self { url: through(url, address), network, server, _connections: connections }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Leads new connections to another server of this machine; the others stay.
    pub(crate) fn lead_to(&self, port: u16) {
        self.server.send_replace(format!("127.0.0.1:{port}"));
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

/// The same database, reached at another address.
fn through(url: &str, address: SocketAddr) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a URL with a database");
    let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    format!("{scheme}://{user}{address}/{path}")
}

async fn accept(
    listener: TcpListener,
    servers: watch::Receiver<String>,
    states: watch::Receiver<Network>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *states.borrow() == Network::Cut {
            continue;
        }
        let server = servers.borrow().clone();
        // A server that is away refuses, as it would without a proxy.
        let Ok(server) = TcpStream::connect(server).await else { continue };
        connections.spawn(forward(client, server, states.clone()));
    }
}

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    mut states: watch::Receiver<Network>,
) {
    let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let network = *states.borrow_and_update();
        let done = match network {
            Network::Cut => return,
            Network::Silent => states.changed().await.is_err(),
            Network::Up => tokio::select! {
                changed = states.changed() => changed.is_err(),
                count = client.read(&mut from_client) => {
                    pass_on(count, &from_client, &mut server).await
                }
                count = server.read(&mut from_server) => {
                    pass_on(count, &from_server, &mut client).await
                }
            },
        };
        if done {
            return;
        }
    }
}

/// Returns whether the connection has ended.
async fn pass_on(count: std::io::Result<usize>, bytes: &[u8], to: &mut TcpStream) -> bool {
    match count {
        Ok(0) | Err(_) => true,
        Ok(count) => to.write_all(&bytes[..count]).await.is_err(),
    }
}
