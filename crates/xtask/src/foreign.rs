//! The OpenAPI document as others read it: linters, and clients that are generated from it, each
//! through one course against the built program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, is_on_path, npm_install, output, pip_install, root, run, target, tools};
use crate::service::{Service, token};

const PYTHON: [&str; 3] =
    ["openapi-python-client==0.29.1", "openapi-spec-validator==0.9.0", "ruff==0.14.6"];
const NODE: [&str; 6] = [
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@20.19.25",
    "@redocly/cli@2.77.0",
    "@stoplight/spectral-cli@6.16.3",
];

/// Runs every linter and every client, to the end even if some fail.
pub(crate) fn test() -> Result<()> {
    run(&mut cargo(["build", "--workspace", "--bin", "activity-logs"]))?;
    let python = pip_install("foreign-python-1", &PYTHON)?;
    let node = node()?;
    type Check<'a> = (&'a str, Box<dyn Fn() -> Result<()> + 'a>);
    let checks: [Check<'_>; 6] = [
        ("openapi-spec-validator", Box::new(|| validate(&python))),
        ("redocly", Box::new(|| lint_with_redocly(&node))),
        ("spectral", Box::new(|| lint_with_spectral(&node))),
        ("Python, openapi-python-client", Box::new(|| course(|| python_client(&python)))),
        ("TypeScript, openapi-fetch", Box::new(|| course(|| typescript_client(&node)))),
        ("Rust, progenitor", Box::new(|| course(rust_client))),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in &checks {
        println!("\n== {name}");
        match check() {
            Ok(()) => passed += 1,
            Err(error) => {
                failed += 1;
                println!("== {name}: FAILED: {error:#}");
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if failed > 0 {
        bail!("not every client gets along with the document");
    }
    Ok(())
}

fn document(version: &str) -> PathBuf {
    root().join("openapi").join(version)
}

/// Installs the packages of npm, once.
fn node() -> Result<PathBuf> {
    if !is_on_path("node") {
        bail!("node is missing; the clients need version 20 or newer");
    }
    let version = output(Command::new("node").arg("--version"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|v| v.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        bail!("node is {}; the clients need version 20 or newer", version.trim());
    }
    let folder = tools()?.join("foreign-node-1");
    let installed = folder.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == NODE.join("\n")) {
        return Ok(folder);
    }
    println!("installing {} into {}", NODE.join(", "), folder.display());
    npm_install(&NODE, &folder)?;
    std::fs::write(installed, NODE.join("\n"))?;
    Ok(folder)
}

fn program(node: &Path, name: &str) -> Command {
    let mut program = Command::new(node.join("node_modules/.bin").join(name));
    program.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    program
}

fn validate(python: &Path) -> Result<()> {
    let mut validator = Command::new(python.join("bin/openapi-spec-validator"));
    run(validator.args([document("openapi.json"), document("openapi-3.0.json")]))
}

fn lint_with_redocly(node: &Path) -> Result<()> {
    run(program(node, "redocly").arg("lint").arg(document("openapi.json")))
}

/// Warnings count too.
fn lint_with_spectral(node: &Path) -> Result<()> {
    let rules = root().join("tests/foreign/spectral.yaml");
    let mut spectral = program(node, "spectral");
    spectral.args(["lint", "--fail-severity", "warn", "--ruleset"]).arg(rules);
    run(spectral.arg(document("openapi.json")))
}

/// Runs a client, which finds all it needs in its environment, against a new log.
fn course(client: impl Fn() -> Result<Command>) -> Result<()> {
    let mut client = client()?;
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("foreign.db").display());
    let service = Service::start(&url)?;
    client
        .env("BASE_URL", format!("http://{}", service.address()))
        .env("RECORDER", token("service", &[])?)
        .env("MEMBER", token("user", &["--organization", "acme=Acme"])?)
        .env("OUTSIDER", token("user", &["--organization", "other=Other"])?);
    let said = output(&mut client)?;
    print!("{said}");
    if !said.trim_end().ends_with("the course is done") {
        bail!("the client ended too early");
    }
    Ok(())
}

/// A new folder for what is generated.
fn generated(language: &str) -> Result<PathBuf> {
    let folder = target("foreign").join(language);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn driver(path: &str) -> PathBuf {
    root().join("tests/foreign").join(path)
}

fn python_client(python: &Path) -> Result<Command> {
    let folder = generated("python")?;
    let programs = python.join("bin");
    // The generator calls others that were installed with it.
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(programs.clone()).chain(std::env::split_paths(&paths));
    let mut generator = Command::new(programs.join("openapi-python-client"));
    generator.args(["generate", "--fail-on-warning", "--meta", "none", "--path"]);
    generator.arg(document("openapi.json")).env("PATH", std::env::join_paths(paths)?);
    run(generator.arg("--output-path").arg(folder.join("activity_logs_client")))?;
    let mut client = Command::new(programs.join("python"));
    client.arg(driver("python/course.py")).env("PYTHONPATH", folder);
    client.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(client)
}

fn typescript_client(node: &Path) -> Result<Command> {
    let folder = generated("typescript")?;
    for file in ["course.ts", "tsconfig.json"] {
        std::fs::copy(driver("typescript").join(file), folder.join(file))?;
    }
    std::fs::write(folder.join("package.json"), "{\"type\": \"module\"}\n")?;
    std::os::unix::fs::symlink(node.join("node_modules"), folder.join("node_modules"))?;
    let mut generator = program(node, "openapi-typescript");
    run(generator.arg(document("openapi.json")).arg("-o").arg(folder.join("api.d.ts")))?;
    run(program(node, "tsc").arg("--project").arg(&folder))?;
    let mut client = Command::new("node");
    client.arg(folder.join("course.js"));
    Ok(client)
}

/// Outside of the workspace, so that what it depends on stays out of ours.
fn rust_client() -> Result<Command> {
    let folder = target("foreign").join("rust");
    let mut build = cargo(["build", "--locked", "--manifest-path"]);
    build.arg(driver("rust/Cargo.toml")).arg("--target-dir").arg(&folder);
    run(&mut build).context("building the client that progenitor makes")?;
    Ok(Command::new(folder.join("debug/course")))
}
