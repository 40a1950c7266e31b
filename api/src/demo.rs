//! The demo: sample data on SQLite, keys of its own, and a token for each kind of person.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use activity_logs_model::{Catalog, Claims, Role};
use activity_logs_store::{Clock as _, Options, Store, SystemClock};
use anyhow::Context as _;
use rand::RngExt as _;
use serde::Serialize;

use crate::auth::{KeySource, Secret, Verifier};
use crate::demo_data;
use crate::serve::{Service, Settings};
use crate::token;

const DATABASE: &str = "sqlite:data/demo.db";
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Somebody to use the demo as.
pub struct Person {
    title: &'static str,
    claims: Claims,
    token: String,
}

/// What `GET /demo.json` answers, so that the web app can offer whom to look as.
#[derive(Serialize)]
struct Introduction<'a> {
    people: Vec<Reader<'a>>,
}

#[derive(Serialize)]
struct Reader<'a> {
    title: &'a str,
    name: &'a str,
    organization: Option<&'a str>,
    token: &'a str,
}

impl Person {
    fn name(&self) -> &str {
        self.claims.name.as_deref().unwrap_or_default()
    }

    /// The organization they start in; who sees everything has none.
    fn organization(&self) -> Option<&str> {
        let Claims { organizations, workspaces, .. } = &self.claims;
        let member =
            organizations.iter().flatten().next().map(|organization| organization.id.as_str());
        member.or_else(|| workspaces.first().map(|grant| grant.organization_id.as_str()))
    }
}

/// Serves the demo until it is told to stop.
///
/// # Errors
/// When the database or the port can't be had.
pub(crate) async fn run(listen: SocketAddr, web_root: Option<PathBuf>) -> anyhow::Result<()> {
    let has_web_app = web_root.is_some();
    let (service, people) = start(listen, DATABASE, web_root).await?;
    print_introduction(service.address(), has_web_app, &people);
    service.run().await
}

/// A service with the sample data, and the people to look at it as. A database that has entries is
/// left as it is.
///
/// # Errors
/// When the database or the port can't be had.
pub async fn start(
    listen: SocketAddr,
    database_url: &str,
    web_root: Option<PathBuf>,
) -> anyhow::Result<(Service, Vec<Person>)> {
    let secret = fresh_secret()?;
    let people = people(&secret)?;
    let settings = Settings {
        listen,
        database_url: database_url.to_owned(),
        store: Options::default(),
        verifier: Verifier::load(KeySource::Secret(secret.clone()), None, None).await?,
        catalog: Catalog::built_in(),
        web_root,
        demo: Some(introduction(&people)?),
    };
    let service = Service::start(settings).await?;
    fill(service.store()).await?;
    Ok((service, people))
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

fn people(secret: &Secret) -> anyhow::Result<Vec<Person>> {
    let people = demo_data::people().into_iter().map(|person| {
        let token = token::mint(secret, &person.claims, None, None, LIFETIME)?;
        Ok(Person { title: person.title, claims: person.claims, token })
    });
    people.collect()
}

fn introduction(people: &[Person]) -> anyhow::Result<String> {
    let readers = people.iter().filter(|person| person.claims.role != Role::Service);
    let people = readers.map(|person| Reader {
        title: person.title,
        name: person.name(),
        organization: person.organization(),
        token: &person.token,
    });
    Ok(serde_json::to_string(&Introduction { people: people.collect() })?)
}

fn print_introduction(address: SocketAddr, has_web_app: bool, people: &[Person]) {
    let api = format!("http://{address}/api/v1");
    println!("Activity Logs, demo data in data/demo.db\n");
    if has_web_app {
        println!("  Web app         http://{address}/");
    }
    println!("  API reference   http://{address}/docs/");
    println!("  API             {api}\n");
    println!(
        "Tokens, valid for twelve hours or until the demo stops. Paste the lines of one person:\n"
    );
    for person in people {
        println!("# {}: {}", person.title, person.name());
        println!("TOKEN={}", person.token);
        match (person.claims.role, person.organization()) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_introduction_offers_every_reader_and_no_recorder() {
        let people = people(&fresh_secret().unwrap()).unwrap();
        let offered: serde_json::Value =
            serde_json::from_str(&introduction(&people).unwrap()).unwrap();
        let offered = offered["people"].as_array().unwrap();
        let starts: Vec<_> = offered.iter().map(|person| person["organization"].as_str()).collect();
        assert_eq!(starts, [None, Some("acme"), Some("acme"), Some("acme"), Some("umbrella")]);
        assert_eq!(offered[0]["title"], "Administrator");
        assert!(offered.iter().all(|person| person["token"].as_str().unwrap().len() > 100));
    }
}
