//! The built program, for tools that ask it over HTTP.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::run::{output, target};

const SECRET: &str = "a-secret-of-this-contract-test-only-0123456789";

fn activity_logs() -> Command {
    let mut command = Command::new(target("debug/activity-logs"));
    command.env("ACTIVITY_LOGS_JWT_SECRET", SECRET).env("ACTIVITY_LOGS_LOG_FORMAT", "json");
    command
}

/// A token of somebody with this role, with what else `activity-logs token` takes.
pub(crate) fn token(role: &str, arguments: &[&str]) -> Result<String> {
    let token = output(
        activity_logs()
            .args(["token", "--sub", "contract", "--role", role, "--expires-in", "2h"])
            .args(arguments),
    )?;
    Ok(token.trim().to_owned())
}

/// The running program; stops when it is dropped.
pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts it on a database.
    pub(crate) fn start(url: &str) -> Result<Self> {
        let mut child = activity_logs()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ACTIVITY_LOGS_DATABASE_URL", url)
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take().context("the service has no standard error")?;
        let mut lines = BufReader::new(errors).lines();
        let mut said = Vec::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address =
                line.split_once("\"address\":\"").and_then(|(_, rest)| rest.split('"').next());
            let address = address.map(str::to_owned);
            said.push(line);
            address
        });
        // Read on, so that the service never waits for a full pipe; only failures are worth a line.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok).filter(|line| line.contains("\"ERROR\"")) {
                eprintln!("{line}");
            }
        });
        let Some(address) = address else {
            let _ = child.wait();
            bail!("the service did not start:\n{}", said.join("\n"));
        };
        Ok(Self { child, address })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
