//! The built program, serving, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{AUDIENCE, ISSUER, SECRET};

/// A running `activity-logs serve`, on a free port; killed when it is dropped.
pub struct Served {
    child: Child,
    address: String,
    database_url: String,
}

impl Served {
    /// Starts the program on a database and waits until it listens.
    ///
    /// # Errors
    /// When it can't be started or says something else than that it listens.
    pub fn start(program: &Path, url: &str) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--log", "activity_logs::cli=info"])
            .env("ACTIVITY_LOGS_DATABASE_URL", url)
            .env("ACTIVITY_LOGS_JWT_SECRET", SECRET)
            .env("ACTIVITY_LOGS_JWT_ISSUER", ISSUER)
            .env("ACTIVITY_LOGS_JWT_AUDIENCE", AUDIENCE)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let errors = child.stderr.take().context("the service has no standard error")?;
        let mut line = String::new();
        BufReader::new(errors).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        let address = said["address"].as_str().with_context(|| line.clone())?.to_owned();
        Ok(Self { child, address, database_url: url.to_owned() })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How it names a position.
    ///
    /// # Panics
    /// When its database does not answer.
    pub async fn as_of(&self, position: i64) -> String {
        crate::as_of(&self.database_url, position).await
    }

    /// The most memory that it had at once, in megabytes (Linux).
    pub fn peak_megabytes(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
    }

    /// Kills it at once (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
