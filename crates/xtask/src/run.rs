//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder)
}

/// A path in cargo's target folder.
pub(crate) fn target(path: &str) -> PathBuf {
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    folder.join(path)
}

/// A folder for tools that outlives the clone.
pub(crate) fn tools() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("activity-logs");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A cargo command at the top of the repository.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    apart(command.args(arguments).current_dir(root()));
    command
}

/// Takes away what cargo told this program about itself; build scripts that look at it would run
/// again.
pub(crate) fn apart(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", line(command)))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {errors}", line(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Whether a program is on the PATH.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Adds what the compiler needs to build for browsers.
pub(crate) fn add_wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]));
    let installed =
        installed.with_context(|| format!("rustup is needed to add the target {TARGET}"))?;
    if installed.lines().any(|line| line == TARGET) {
        return Ok(());
    }
    println!("installing the standard library for {TARGET} (some seconds, once)");
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

/// Installs npm packages, `NAME@VERSION`, into a folder of their own.
pub(crate) fn npm_install(packages: &[&str], folder: &Path) -> Result<()> {
    if !is_on_path("npm") {
        install(&["npm"])?;
    }
    std::fs::create_dir_all(folder)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]);
    run(npm.arg(folder).args(packages).current_dir(folder))
}

/// Installs Python packages, `NAME==VERSION`, into an environment of their own that outlives the
/// clone, once; returns its folder. The name must change with the packages.
pub(crate) fn pip_install(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = tools()?.join(name);
    // Written last, so that what was interrupted is done again.
    let installed = folder.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == packages.join("\n")) {
        return Ok(folder);
    }
    println!("installing {} into {}", packages.join(", "), folder.display());
    if !is_on_path("python3")
        || output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err()
    {
        install(&["python3", "python3-venv"])?;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
    std::fs::write(installed, packages.join("\n"))?;
    Ok(folder)
}

/// Installs Debian packages where that is possible without asking; elsewhere names the command.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !(is_root() && is_on_path("apt-get")) {
        bail!("missing: {names}. On Debian: sudo apt-get install {names}");
    }
    println!("installing {names}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(["-qq", "-o", "Dpkg::Use-Pty=0"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run(&mut apt(&["update"]))?;
    run(apt(&["install", "--yes", "--no-install-recommends"]).args(packages))
}
