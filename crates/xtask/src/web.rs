//! The web app: the tools that build it, the build, and what browsers transfer of it.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::hash::Hasher as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::run::{add_wasm_target, apart, cargo, npm_install, output, root, run, target, tools};

const TRUNK: &str = "0.21.14";
/// The npm package that holds wasm-opt.
const BINARYEN: &str = "132";

/// Smaller files fit into one packet anyway.
const WORTH_COMPRESSING: usize = 1024;
const BROTLI_WINDOW: i32 = 22;

/// What the web app is made of.
const SOURCES: [&str; 5] = ["frontend", "crates/model", "Cargo.toml", "Cargo.lock", "Trunk.toml"];

/// Builds the web app, unless it is current, and gives its folder.
pub(crate) fn build() -> Result<PathBuf> {
    let dist = root().join("frontend/dist");
    let stamp = target("web-app.stamp");
    let path = tools_path()?;
    let sources = fingerprint()?;
    let is_current = std::fs::read_to_string(&stamp).is_ok_and(|built| built == sources);
    if is_current && dist.join("index.html").is_file() {
        println!("the web app is current");
        return Ok(dist);
    }
    // An interrupted build must not look current.
    let _ = std::fs::remove_file(&stamp);
    println!("building the web app (some minutes the first time)");
    let mut trunk = Command::new("trunk");
    run(apart(trunk.args(["build", "--release"]).current_dir(root()).env("PATH", &path)))?;
    compress(&dist)?;
    // Taken before the build: what changed meanwhile makes the next one.
    std::fs::write(stamp, sources)?;
    Ok(dist)
}

/// Makes sure of the tools; gives a PATH that finds them first.
fn tools_path() -> Result<OsString> {
    add_wasm_target()?;
    let bindgen = locked_version("wasm-bindgen")?;
    let folders = [install_bindgen(&bindgen)?, install_trunk()?, install_binaryen()?];
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.into_iter().chain(std::env::split_paths(&rest));
    Ok(std::env::join_paths(folders)?)
}

fn install_trunk() -> Result<PathBuf> {
    let folder = tools()?.join("tools");
    let bin = folder.join("bin");
    if !says(&bin.join("trunk"), &format!("trunk {TRUNK}")) {
        println!("installing trunk {TRUNK}, which builds the web app (about three minutes, once)");
        let options = ["--locked", "--no-default-features", "--features", "rustls"];
        cargo_install("trunk", TRUNK, &folder, &options)?;
    }
    Ok(bin)
}

/// It must be of the same version as the crate, so each version has a folder of its own.
fn install_bindgen(version: &str) -> Result<PathBuf> {
    let folder = tools()?.join(format!("wasm-bindgen-{version}"));
    let bin = folder.join("bin");
    if !says(&bin.join("wasm-bindgen"), &format!("wasm-bindgen {version}")) {
        println!(
            "installing wasm-bindgen {version}, which ties the program to the browser (about a minute, once)"
        );
        let options = ["--no-default-features", "--bin", "wasm-bindgen"];
        cargo_install("wasm-bindgen-cli", version, &folder, &options)?;
    }
    Ok(bin)
}

fn install_binaryen() -> Result<PathBuf> {
    let folder = tools()?.join("binaryen");
    let bin = folder.join("node_modules/.bin");
    if !says(&bin.join("wasm-opt"), &format!("wasm-opt version {BINARYEN}")) {
        println!(
            "installing wasm-opt {BINARYEN}, which makes the program small (some seconds, once)"
        );
        npm_install(&[&format!("binaryen@{BINARYEN}")], &folder)?;
    }
    Ok(bin)
}

/// Whether a program is there and is of this version.
fn says(program: &Path, version: &str) -> bool {
    let said = output(Command::new(program).arg("--version")).unwrap_or_default();
    said.strip_prefix(version)
        .is_some_and(|rest| !rest.starts_with(|c: char| c == '.' || c.is_ascii_digit()))
}

/// Builds a tool for a short build rather than a fast tool: trunk's own settings (one unit, all of
/// it optimised together) take three times as long.
fn cargo_install(package: &str, version: &str, folder: &Path, options: &[&str]) -> Result<()> {
    let target = tools()?.join("target");
    let mut install = cargo(["install", package, "--version", version, "--root"]);
    install
        .arg(folder)
        .args(options)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    // Away from the repository, whose settings are not meant for the tools.
    run(install.current_dir(tools()?))?;
    // Only the program is wanted.
    Ok(std::fs::remove_dir_all(target)?)
}

/// The version of a package in Cargo.lock.
fn locked_version(package: &str) -> Result<String> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock"))?)?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let text =
        |entry: &toml::Value, key| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    packages
        .into_iter()
        .flatten()
        .find(|entry| text(entry, "name").is_some_and(|name| name == package))
        .and_then(|entry| text(entry, "version"))
        .with_context(|| format!("Cargo.lock has no {package}"))
}

/// Stands for everything that the build depends on.
fn fingerprint() -> Result<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(output(&mut cargo(["--version", "--verbose"]))?.as_bytes());
    hasher.write(TRUNK.as_bytes());
    hasher.write(BINARYEN.as_bytes());
    let mut git = Command::new("git");
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"];
    for name in output(git.args(list).args(SOURCES).current_dir(root()))?.split('\0') {
        // Deleted files are listed until that is committed.
        let Ok(content) = std::fs::read(root().join(name)) else { continue };
        hasher.write(name.as_bytes());
        hasher.write_usize(content.len());
        hasher.write(&content);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Compresses every file as far as it goes, once, so that no request waits for it. Prints what a
/// first visit transfers.
fn compress(dist: &Path) -> Result<()> {
    println!("compressing the web app");
    println!("{:>10} {:>10} {:>10}", "plain", "gzip", "brotli");
    let mut total = 0;
    for path in files(dist)? {
        let content = std::fs::read(&path)?;
        let (mut gzip, mut brotli) = (content.len(), content.len());
        if content.len() > WORTH_COMPRESSING {
            gzip = write(&path, "gz", &gzipped(&content)?)?;
            brotli = write(&path, "br", &brotlied(&content)?)?;
        }
        total += brotli;
        let name = path.strip_prefix(dist).unwrap_or(&path).display();
        println!("{:>10} {gzip:>10} {brotli:>10}  {name}", content.len());
    }
    println!("a first visit transfers {total} bytes with brotli");
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_none_or(|extension| extension != "br" && extension != "gz") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn write(path: &Path, extension: &str, content: &[u8]) -> Result<usize> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{extension}"));
    std::fs::write(name, content)?;
    Ok(content.len())
}

fn gzipped(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn brotlied(mut content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: BROTLI_WINDOW,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    brotli::BrotliCompress(&mut content, &mut compressed, &parameters)?;
    if compressed.is_empty() {
        bail!("brotli gave nothing");
    }
    Ok(compressed)
}
