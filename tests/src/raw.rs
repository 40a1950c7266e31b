//! HTTP by hand, for what no client library sends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer, or the end of a connection, is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which bytes are sent as they are.
pub struct Raw {
    stream: TcpStream,
    /// What has arrived and was not asked for yet.
    arrived: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status line and the headers, in lower case.
    pub head: String,
    /// What follows, as long as `content-length` says.
    pub body: Vec<u8>,
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        Self { stream, arrived: Vec::new() }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the service has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Reads one answer; to a HEAD, it has no body.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn answer(&mut self, is_head: bool) -> RawAnswer {
        let end = loop {
            if let Some(end) = self.arrived.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more().await > 0, "the connection ended: {:?}", self.text());
        };
        let head: Vec<u8> = self.arrived.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
        let mut answer = RawAnswer { head, body: Vec::new() };
        let length = if is_head { 0 } else { answer.header("content-length").parse().unwrap_or(0) };
        while self.arrived.len() < length {
            assert!(self.more().await > 0, "the connection ended within a body");
        }
        answer.body = self.arrived.drain(..length).collect();
        answer
    }

    /// Reads on until the connection ends; how many bytes came.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn rest(&mut self) -> usize {
        while self.more().await > 0 {}
        self.arrived.len()
    }

    /// Reads whatever is there; nothing at the end, however that comes.
    async fn more(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer));
        let read = read.await.expect("it does not take for ever").unwrap_or(0);
        self.arrived.extend_from_slice(&buffer[..read]);
        read
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.arrived).into_owned()
    }
}

impl RawAnswer {
    /// The status.
    ///
    /// # Panics
    /// When there is none.
    pub fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1).and_then(|text| text.parse().ok());
        status.expect("an answer has a status")
    }

    /// A header's text, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }

    /// The code of a problem.
    ///
    /// # Panics
    /// When it is not one.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.head);
        let problem: Value = serde_json::from_slice(&self.body).expect("a problem is JSON");
        assert_eq!(problem["status"], self.status());
        problem["code"].as_str().expect("a problem has a code").to_owned()
    }
}
