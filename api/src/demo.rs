//! The demo: sample data on SQLite, keys of its own, and a token for each kind of person.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use activity_logs_model::{Catalog, Claims, ProblemCode, Role};
use activity_logs_store::{Clock as _, Options, Store, SystemClock};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use anyhow::{Context as _, bail};
use rand::RngExt as _;
use serde::Serialize;

use crate::auth::{KeySource, Secret, Verifier};
use crate::demo_data;
use crate::problem::ApiError;
use crate::serve::{Limits, Service, Settings};
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
pub struct Introduction {
    text: String,
    /// Whether it is answered under any name. A page of elsewhere whose name is made to lead to
    /// this machine (DNS rebinding) could read it.
    any_host: bool,
}

#[derive(Serialize)]
struct People<'a> {
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

impl Introduction {
    /// The answer as JSON text; with `any_host`, it is given under any name.
    pub fn new(text: String, any_host: bool) -> Self {
        Self { text, any_host }
    }

    /// The people, for who has opened the demo by an address of this machine.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        if self.any_host || host.is_some_and(is_this_machine) {
            return HttpResponse::Ok().content_type("application/json").body(self.text.clone());
        }
        let detail = "The demo hands out tokens to this machine alone: open it at localhost or \
                      127.0.0.1.";
        ApiError::new(ProblemCode::Forbidden, detail).error_response()
    }
}

/// Whether a `Host` names this machine as only this machine can.
fn is_this_machine(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = without_port.trim_start_matches('[').trim_end_matches(']');
    without_port.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Serves the demo until it is told to stop; elsewhere than on this machine only if that is meant.
///
/// # Errors
/// When the database or the port can't be had, or others could reach it.
pub(crate) async fn run(
    listen: SocketAddr,
    web_root: Option<PathBuf>,
    allow_remote: bool,
) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() && !allow_remote {
        bail!(
            "the demo hands an administrator's token to whoever asks; to let others than this \
             machine reach it at {listen}, say --allow-remote"
        );
    }
    let has_web_app = web_root.is_some();
    let (service, people) = start(listen, DATABASE, web_root, allow_remote).await?;
    print_introduction(service.address(), has_web_app, &people);
    service.run().await
}

/// A service with the sample data, and the people to look at it as; with `any_host`, their tokens
/// are told under any name. A database that has entries is left as it is.
///
/// # Errors
/// When the database or the port can't be had.
pub async fn start(
    listen: SocketAddr,
    database_url: &str,
    web_root: Option<PathBuf>,
    any_host: bool,
) -> anyhow::Result<(Service, Vec<Person>)> {
    let secret = fresh_secret()?;
    let people = people(&secret)?;
    let settings = Settings {
        listen,
        metrics_listen: None,
        limits: Limits::default(),
        database_url: database_url.to_owned(),
        store: Options::default(),
        verifier: Verifier::load(KeySource::Secrets(vec![secret.clone()]), None, None).await?,
        catalog: Catalog::built_in(),
        web_root,
        docs: true,
        demo: Some(Introduction::new(introduction(&people)?, any_host)),
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
    Ok(serde_json::to_string(&People { people: people.collect() })?)
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
    fn only_this_machine_is_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.0.0.1",
            "[::1]:8080",
            "[::1]",
            "127.1.2.3:1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "10.0.0.1",
            "0.0.0.0:8080",
            "[::2]:80",
            "",
            ":8080",
            "localhost:80:80",
            "evil.example:127.0.0.1",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[tokio::test]
    async fn others_reach_the_demo_only_if_that_is_meant() {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = run(listen.parse().unwrap(), None, false).await.unwrap_err();
            assert!(refused.to_string().contains("--allow-remote"), "{refused}");
        }
    }

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
