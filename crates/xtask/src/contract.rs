//! The running service against its own OpenAPI document, by schemathesis.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::postgres::Server;
use crate::run::{install, is_on_path, output, root, run, target, tools};

const SCHEMATHESIS: &str = "4.32.5";
const SECRET: &str = "a-secret-of-this-contract-test-only-0123456789";

/// Tests every operation with all checks, on both databases.
pub(crate) fn test(server: &Server) -> Result<()> {
    let schemathesis = schemathesis()?;
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", folder.path().join("contract.db").display());
    for url in [sqlite, server.database("contract")?] {
        let service = Service::start(&url)?;
        // Services record, everybody else reads: each operation is tested by whom it is for.
        for (role, selection) in
            [("service", "--include-operation-id"), ("admin", "--exclude-operation-id")]
        {
            let kind = url.split(':').next().unwrap_or_default();
            println!("contract: {kind}, as {role}");
            run(Command::new(&schemathesis)
                .arg("--config-file")
                .arg(root().join("tests/contract/schemathesis.toml"))
                .args([
                    "--no-color",
                    "run",
                    "--checks",
                    "all",
                    "--max-examples",
                    "60",
                    "--seed",
                    "1",
                ])
                .args(["--header", &format!("Authorization: Bearer {}", token(role)?)])
                .args([selection, "record_activity_logs"])
                .arg(format!("http://{}/openapi.json", service.address))
                .current_dir(folder.path()))?;
        }
    }
    Ok(())
}

/// Installs schemathesis into a folder that outlives the clone, once.
fn schemathesis() -> Result<PathBuf> {
    let folder = tools()?.join(format!("schemathesis-{SCHEMATHESIS}"));
    let program = folder.join("bin/schemathesis");
    if Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success())
    {
        return Ok(program);
    }
    println!("installing schemathesis {SCHEMATHESIS} into {}", folder.display());
    if !is_on_path("python3")
        || output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err()
    {
        install(&["python3", "python3-venv"])?;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let package = format!("schemathesis=={SCHEMATHESIS}");
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &package]))?;
    Ok(program)
}

fn activity_logs() -> Command {
    let mut command = Command::new(target("debug/activity-logs"));
    command.env("ACTIVITY_LOGS_JWT_SECRET", SECRET).env("ACTIVITY_LOGS_LOG_FORMAT", "json");
    command
}

fn token(role: &str) -> Result<String> {
    let token = output(activity_logs().args([
        "token",
        "--sub",
        "contract",
        "--role",
        role,
        "--expires-in",
        "2h",
    ]))?;
    Ok(token.trim().to_owned())
}

/// The running program; stops when it is dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(url: &str) -> Result<Self> {
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
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
