//! A PostgreSQL server of our own, for as long as it is needed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::run::{install, is_on_path, is_root, output, run};

/// Where tests find the server.
pub(crate) const VARIABLE: &str = "ACTIVITY_LOGS_TEST_POSTGRES";

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether commits reach the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As in production.
    Full,
    /// Not at all: tests don't pull the plug.
    None,
}

/// A running server; stops and leaves nothing behind when it is dropped.
pub(crate) struct Server {
    folder: PathBuf,
    /// Removes the folder, if it is not to be kept.
    _temporary: Option<TempDir>,
    programs: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts a server on a free port of this machine.
    pub(crate) fn start(durability: Durability) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("activity-logs-postgres-").tempdir()?;
        Self::start_in(folder.path().to_owned(), Some(folder), durability)
    }

    /// Starts a server whose data stay in a folder, for the next start. The folder must be one
    /// that the user `postgres` gets to, if this runs as root.
    pub(crate) fn start_kept(folder: &Path, durability: Durability) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Self::start_in(folder.to_owned(), None, durability)
    }

    fn start_in(
        folder: PathBuf,
        temporary: Option<TempDir>,
        durability: Durability,
    ) -> Result<Self> {
        let programs = match find_programs() {
            Some(folder) => folder,
            None => {
                install(&["postgresql"])?;
                find_programs().context("initdb and pg_ctl are still missing")?
            }
        };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = Self { folder, _temporary: temporary, programs, port, child: None };
        if !server.folder.join("data").exists() {
            let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
            output(&mut server.program("initdb", &options))?;
        }
        let fsync = if durability == Durability::Full { "on" } else { "off" };
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c max_connections=300 \
             -c fsync={fsync} -c full_page_writes={fsync}",
            server.folder.display()
        );
        let log = std::fs::File::create(server.folder.join("log"))?;
        // A child, so that an interrupted run takes its server along.
        let mut postgres = server.program("postgres", &[]);
        postgres.args(options.split(' ')).stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
        server.child = Some(postgres.spawn()?);
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let port = self.port.to_string();
        let mut ask = Command::new(self.programs.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port]);
        while !ask.status()?.success() {
            let ended =
                self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log"));
                bail!("PostgreSQL did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The URL of its maintenance database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Makes a database and gives its URL.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", name];
        output(Command::new(self.programs.join("createdb")).args(arguments))?;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }

    /// One of the server's programs on its data, as a user that it accepts: it refuses root.
    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder).arg("-D").arg(self.folder.join("data")).args(arguments);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = output(&mut self.program("pg_ctl", &["-m", "fast", "-w", "stop"])) {
            eprintln!("stopping PostgreSQL: {error:#}");
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// The folder of initdb and its like: on the PATH, or where Debian keeps them, newest first.
fn find_programs() -> Option<PathBuf> {
    if is_on_path("initdb") && is_on_path("pg_ctl") && is_on_path("pg_isready") {
        return Some(PathBuf::new());
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    versions.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}
