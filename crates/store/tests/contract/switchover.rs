//! Two PostgreSQL servers behind one address, of which the second takes over from the first.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use activity_logs_store::{Error, RecordError, Store};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::proxy::Proxy;
use crate::support::{
    Subject, assert_dense, entries, everything, log, newest_first, record, waiting,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Both servers' folder, and PostgreSQL's programs.
struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    ports: [u16; 2],
}

const NAMES: [&str; 2] = ["a", "b"];

impl Cluster {
    /// The first server as the primary, the second as its standby.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = || TcpListener::bind("127.0.0.1:0")?.local_addr().map(|address| address.port());
        let ports = [port().expect("a port"), port().expect("a port")];
        let cluster = Self { folder, programs: programs(), ports };
        if is_root() {
            finish(Command::new("chown").arg("postgres").arg(cluster.folder.path()));
        }
        let made = ["-D", "a", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
        finish(cluster.program("initdb").args(made));
        cluster.start_server(0);
        finish(
            cluster
                .program("pg_basebackup")
                .args(["-h", "127.0.0.1", "-U", "postgres", "-D", "b", "-R", "-X", "stream"])
                .args(["-c", "fast", "--no-sync", "-p", &ports[0].to_string()]),
        );
        cluster.start_server(1);
        cluster
    }

    fn url(&self, server: usize, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.ports[server])
    }

    fn start_server(&self, server: usize) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c wal_receiver_status_interval=1",
            self.ports[server],
            self.folder.path().display()
        );
        self.control(server, &["-o", &options, "-l", "log", "-w", "start"]);
    }

    fn control(&self, server: usize, arguments: &[&str]) {
        finish(self.program("pg_ctl").args(["-D", NAMES[server]]).args(arguments));
    }

    /// Makes the first server the standby of the second.
    fn switch_over(&self) {
        self.control(0, &["-m", "fast", "-w", "stop"]);
        self.control(1, &["-w", "promote"]);
        let data = self.folder.path().join(NAMES[0]);
        let primary = format!("host=127.0.0.1 port={} user=postgres", self.ports[1]);
        let mut settings =
            std::fs::read_to_string(data.join("postgresql.auto.conf")).expect("settings");
        settings.push_str(&format!("primary_conninfo = '{primary}'\n"));
        std::fs::write(data.join("postgresql.auto.conf"), settings).expect("settings");
        finish(self.program("touch").arg("a/standby.signal"));
        self.start_server(0);
    }

    /// One of the server's programs as a user that it accepts: it refuses root.
    fn program(&self, name: &str) -> Command {
        let program = if name == "touch" { PathBuf::from(name) } else { self.programs.join(name) };
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for name in NAMES {
            let mut stop = self.program("pg_ctl");
            let _ = stop.args(["-D", name, "-m", "immediate", "-w", "stop"]).output();
        }
    }
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}

/// The folder of initdb and its like: on the PATH, or where Debian keeps them, newest first.
fn programs() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.extend(std::env::split_paths(&paths));
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "pg_basebackup"].iter().all(|name| folder.join(name).exists())
    };
    folders.into_iter().rev().find(has_all).expect("initdb, pg_ctl and pg_basebackup")
}

fn finish(command: &mut Command) {
    // A server that was started keeps what it inherits.
    let log = tempfile::NamedTempFile::new().expect("a file");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen().expect("the file"));
    let status = command.status().expect("the program runs");
    let said = std::fs::read_to_string(log.path()).unwrap_or_default();
    assert!(status.success(), "{command:?}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switchover_is_followed() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("two servers");
    Subject::raw_of(&cluster.url(0, "postgres")).await.must("CREATE DATABASE log").await;
    let proxy = Proxy::before(&cluster.url(0, "log")).await;
    let store = Store::open(proxy.url(), waiting(Duration::from_secs(3))).await.expect("it opens");
    let written = record(&store, entries(Some("acme"), 3)).await;

    cluster.switch_over();
    // The address still leads to the server that was the primary.
    let begun = Instant::now();
    while !matches!(&store.ready().await, Err(Error::Unavailable(error)) if error.to_string().contains("read-only"))
    {
        assert!(begun.elapsed() < PATIENCE, "the standby is met");
        sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..2 {
        let answer = store.record(entries(Some("acme"), 1)).await;
        assert!(matches!(answer, Err(RecordError::Store(Error::Unavailable(_)))), "{answer:?}");
        assert!(store.head().await.is_ok(), "connections to the standby are held");
        assert!(store.ready().await.is_err(), "a standby is not ready");
    }

    proxy.lead_to(cluster.ports[1]);
    let back = async {
        store.ready().await.expect("ready at once");
        let later = record(&store, entries(Some("acme"), 2)).await;
        let all = written.into_iter().chain(later).collect();
        assert_eq!(everything(&store).await, newest_first(all));
        assert_dense(&log(&store, Some("acme")).await);
    };
    timeout(Duration::from_secs(15), back).await.expect("within seconds");
    store.close().await;
}
