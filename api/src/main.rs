//! The program `activity-logs`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Entries are many small texts: with the system's allocator an import spends a third of its
/// time in it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    activity_logs::cli::run().await
}
