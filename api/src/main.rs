//! The program `activity-logs`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match activity_logs::cli::run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("activity-logs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
