//! The demo: sample data on SQLite, keys of its own, and a token for each kind of person.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use activity_logs_model::{Catalog, Role};
use activity_logs_store::{Clock as _, Options, Store, SystemClock};
use anyhow::Context as _;
use rand::RngExt as _;

use crate::auth::{KeySource, Secret, Verifier};
use crate::demo_data::{self, DemoPerson};
use crate::serve::{Service, Settings};
use crate::token;

const DATABASE: &str = "sqlite:data/demo.db";
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Serves the demo until it is told to stop.
///
/// # Errors
/// When the database or the port can't be had.
pub(crate) async fn run(listen: SocketAddr, web_root: Option<PathBuf>) -> anyhow::Result<()> {
    let secret = fresh_secret()?;
    let settings = Settings {
        listen,
        database_url: DATABASE.to_owned(),
        store: Options::default(),
        verifier: Verifier::load(KeySource::Secret(secret.clone()), None, None).await?,
        catalog: Catalog::built_in(),
        web_root,
    };
    let service = Service::start(settings).await?;
    fill(service.store()).await?;
    print_introduction(service.address(), &secret)?;
    service.run().await
}

/// The sample data is recorded in one transaction, so an interrupted start leaves nothing half done.
async fn fill(store: &Store) -> anyhow::Result<()> {
    if store.head().await? == 0 {
        store
            .record(demo_data::entries(SystemClock.now()))
            .await
            .context("recording the sample data")?;
    }
    Ok(())
}

/// Every start has a secret of its own: tokens of an earlier demo open nothing.
fn fresh_secret() -> anyhow::Result<Secret> {
    let bytes: [u8; 32] = rand::rng().random();
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.parse().map_err(anyhow::Error::msg)
}

fn print_introduction(address: SocketAddr, secret: &Secret) -> anyhow::Result<()> {
    let api = format!("http://{address}/api/v1");
    println!("Activity Logs, demo data in data/demo.db\n");
    println!("  API reference   http://{address}/docs/");
    println!("  API             {api}\n");
    println!(
        "Tokens, valid for twelve hours or until the demo stops. Paste the lines of one person:\n"
    );
    for DemoPerson { title, claims } in demo_data::people() {
        let name = claims.name.clone().unwrap_or_default();
        println!("# {title}: {name}");
        println!("TOKEN={}", token::mint(secret, &claims, None, None, LIFETIME)?);
        let first = claims.organizations.first().map(|o| o.id.as_str());
        let organization =
            first.or_else(|| claims.workspaces.first().map(|grant| grant.organization_id.as_str()));
        match (claims.role, organization) {
            (Role::Service, _) => println!(
                "curl -s -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' {api}/activity-logs \\\n  \
                 -d '{{\"entries\":[{{\"type\":\"Users\",\"action\":\"Update\",\"user\":{{\"id\":\"user-1\",\"name\":\"Ada\"}},\
                 \"organization\":{{\"id\":\"acme\",\"name\":\"Acme Robotics\"}},\"identifier\":\"Ada\",\
                 \"old_value\":\"Viewer\",\"new_value\":\"Editor\"}}]}}'"
            ),
            (Role::User, Some(organization)) => println!(
                "curl -s -H \"Authorization: Bearer $TOKEN\" '{api}/organizations/{organization}/activity-logs?page_size=25'"
            ),
            _ => println!(
                "curl -s -H \"Authorization: Bearer $TOKEN\" '{api}/activity-logs?outcome=denied'"
            ),
        }
        println!();
    }
    println!("Stop with Ctrl-C.");
    Ok(())
}
