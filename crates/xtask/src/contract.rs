//! The running service against its own OpenAPI document, by schemathesis.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::postgres::Server;
use crate::run::{pip_install, root, run};
use crate::service::{Service, token};

const SCHEMATHESIS: &str = "4.32.5";

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
                .args(["--header", &format!("Authorization: Bearer {}", token(role, &[])?)])
                .args([selection, "record_activity_logs"])
                .arg(format!("http://{}/openapi.json", service.address()))
                .current_dir(folder.path()))?;
        }
    }
    Ok(())
}

/// Installs schemathesis into a folder that outlives the clone, once.
fn schemathesis() -> Result<PathBuf> {
    let name = format!("schemathesis-{SCHEMATHESIS}");
    Ok(pip_install(&name, &[&format!("schemathesis=={SCHEMATHESIS}")])?.join("bin/schemathesis"))
}
