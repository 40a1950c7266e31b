//! The house rules that no compiler checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, output, root};

/// A source file longer than this has outgrown its name.
const MAX_LINES: usize = 450;

/// Which crate may depend on which of the others.
const LAYERS: [(&str, &[&str]); 6] = [
    ("activity-logs-model", &[]),
    ("activity-logs-store", &["activity-logs-model"]),
    ("activity-logs", &["activity-logs-model", "activity-logs-store"]),
    ("activity-logs-web", &["activity-logs-model"]),
    ("activity-logs-tests", &["activity-logs-model", "activity-logs-store", "activity-logs"]),
    ("xtask", &[]),
];

/// Checks every rule; gives their number.
pub(crate) fn check() -> Result<usize> {
    type Rule = fn() -> Result<()>;
    let rules: [(&str, Rule); 4] = [
        ("crates depend only on lower layers", layers),
        ("both databases have the same migrations", migrations),
        ("files are short", sizes),
        ("the model has no I/O", model_is_pure),
    ];
    for (name, rule) in rules {
        rule().with_context(|| format!("house rule: {name}"))?;
    }
    Ok(rules.len())
}

fn layers() -> Result<()> {
    for (package, allowed) in LAYERS {
        let tree = [
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--depth",
            "1",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ];
        for line in output(&mut cargo(tree))?.lines().skip(1) {
            let dependency = line.split(' ').next().unwrap_or_default();
            let ours = LAYERS.iter().any(|(name, _)| *name == dependency);
            if ours && !allowed.contains(&dependency) {
                bail!("{package} must not depend on {dependency}");
            }
        }
    }
    Ok(())
}

fn migrations() -> Result<()> {
    let names = |database: &str| -> Result<Vec<String>> {
        let folder = root().join("migrations").join(database);
        let mut names: Vec<String> = std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.sort();
        Ok(names)
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    if sqlite != postgres {
        bail!("sqlite has {sqlite:?}, postgres has {postgres:?}");
    }
    Ok(())
}

fn sources() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root());
    Ok(output(&mut git)?
        .lines()
        .map(|line| root().join(line))
        .filter(|path| path.exists())
        .collect())
}

fn sizes() -> Result<()> {
    for path in sources()? {
        let text = std::fs::read_to_string(&path)?;
        // Unit tests live beside what they test and do not make it harder to read.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().count();
        if lines > MAX_LINES {
            bail!("{} has {lines} lines, more than {MAX_LINES}", path.display());
        }
    }
    Ok(())
}

fn model_is_pure() -> Result<()> {
    let model = root().join("crates/model/src");
    for path in sources()?.iter().filter(|path| path.starts_with(&model)) {
        let text = std::fs::read_to_string(path)?;
        for forbidden in ["std::fs", "std::io", "std::env", "SystemTime", "Instant::now", "sqlx"] {
            if text.contains(forbidden) {
                bail!("{} uses {forbidden}", Path::new(path).display());
            }
        }
    }
    Ok(())
}
