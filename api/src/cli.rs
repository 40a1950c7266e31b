//! The commands of the program. Each flag has an environment twin, `ACTIVITY_LOGS_…`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use activity_logs_model::{Caller, Catalog, Claims, Role, UserId};
use activity_logs_store::{Options, Store};
use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::auth::{KeySource, Secret, Verifier, key_set_source};
use crate::serve::{Limits, Service, Settings};
use crate::telemetry::{LogFormat, start_logs};
use crate::token::{OrganizationArgument, WorkspaceArgument};
use crate::{demo, import, openapi, token};

/// The audit trail of a platform: records what everybody does, for good, and shows each what
/// their role lets them see.
#[derive(Parser)]
#[command(name = "activity-logs", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look.
    #[arg(
        long,
        global = true,
        env = "ACTIVITY_LOGS_LOG_FORMAT",
        value_enum,
        default_value = "pretty"
    )]
    log_format: LogFormat,
    /// What is logged, for example `info` or `activity_logs=debug`.
    #[arg(
        long,
        global = true,
        env = "ACTIVITY_LOGS_LOG",
        default_value = "info,actix_server=warn"
    )]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (and the web app, if its build is given).
    Serve(Serve),
    /// Serve sample data on SQLite, with keys of its own and a token for each kind of person.
    Demo(Demo),
    /// Record entries from NDJSON (plain or gzip; `-` is standard input).
    Import(Import),
    /// Count everything anew, compare it with what listings are read from, and say what differs.
    Check(Check),
    /// Mint a token with the configured secret.
    Token(Token),
    /// Print the OpenAPI 3.1 document.
    Openapi,
}

#[derive(Args)]
struct DatabaseUrl {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[arg(
        long,
        env = "ACTIVITY_LOGS_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:data/activity-logs.db"
    )]
    database_url: String,
}

#[derive(Args)]
struct Database {
    #[command(flatten)]
    url: DatabaseUrl,
    /// TOML file with types and actions of your own.
    #[arg(long, env = "ACTIVITY_LOGS_CATALOG")]
    catalog: Option<PathBuf>,
}

#[derive(Args)]
struct Serve {
    /// Address and port to listen on.
    #[arg(long, env = "ACTIVITY_LOGS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address and port to answer /metrics on, and nothing else; without it, it is answered beside
    /// the API.
    #[arg(long, env = "ACTIVITY_LOGS_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// Leave out the API reference at /docs/.
    #[arg(long, env = "ACTIVITY_LOGS_NO_DOCS")]
    no_docs: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    keys: Keys,
    /// Folder of the built web app (`cargo xtask web` makes it).
    #[arg(long, env = "ACTIVITY_LOGS_WEB_ROOT")]
    web_root: Option<PathBuf>,
    /// The most megabytes of entries that wait to be committed; beyond, senders get 503.
    #[arg(long, env = "ACTIVITY_LOGS_QUEUE_MEGABYTES", default_value_t = 32)]
    queue_megabytes: usize,
    /// The longest that a reading may take, for example `10s`; beyond, it gets 503.
    #[arg(long, env = "ACTIVITY_LOGS_READING_TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    reading_time: Duration,
}

#[derive(Args)]
struct Keys {
    /// Secret of at least 32 bytes for HS256 tokens; better set in the environment.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_SECRET", hide_env_values = true, conflicts_with = "jwks")]
    jwt_secret: Option<String>,
    /// JWKS file or https URL for RS256, ES256 and EdDSA tokens.
    #[arg(long, env = "ACTIVITY_LOGS_JWKS")]
    jwks: Option<String>,
    #[command(flatten)]
    names: Names,
}

#[derive(Args)]
struct Names {
    /// The `iss` that tokens must have.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_ISSUER")]
    jwt_issuer: Option<String>,
    /// The `aud` that tokens must have.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_AUDIENCE")]
    jwt_audience: Option<String>,
}

#[derive(Args)]
struct Demo {
    /// Address and port to listen on.
    #[arg(long, env = "ACTIVITY_LOGS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder of the built web app (`cargo xtask web` makes it).
    #[arg(long, env = "ACTIVITY_LOGS_WEB_ROOT")]
    web_root: Option<PathBuf>,
    /// Let others than this machine reach it: whoever does gets an administrator's token.
    #[arg(long, env = "ACTIVITY_LOGS_ALLOW_REMOTE")]
    allow_remote: bool,
}

#[derive(Args)]
struct Import {
    /// NDJSON file, one entry a line.
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    database: DatabaseUrl,
}

#[derive(Args)]
struct Token {
    /// Secret that the service has too.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    #[command(flatten)]
    names: Names,
    /// Who the token is for.
    #[arg(long, env = "ACTIVITY_LOGS_SUB")]
    sub: UserId,
    /// Their name.
    #[arg(long, env = "ACTIVITY_LOGS_NAME")]
    name: Option<String>,
    /// Their e-mail address.
    #[arg(long, env = "ACTIVITY_LOGS_EMAIL")]
    email: Option<String>,
    /// What they are.
    #[arg(long, env = "ACTIVITY_LOGS_ROLE", value_enum)]
    role: RoleArgument,
    /// An organization they are a member of (a service: may record into), as ID or ID=NAME;
    /// several are separated by commas. `%`, `,` and, in the id, `=` are written %25, %2C and %3D.
    #[arg(long, env = "ACTIVITY_LOGS_ORGANIZATION", value_delimiter = ',')]
    organization: Vec<OrganizationArgument>,
    /// A workspace, as ORGANIZATION/WORKSPACE: restricts the membership in an organization
    /// that is named too, and is a grant of its own in any other. Several are separated by
    /// commas. `%`, `,` and `/` in an id are written %25, %2C and %2F.
    #[arg(long, env = "ACTIVITY_LOGS_WORKSPACE", value_delimiter = ',')]
    workspace: Vec<WorkspaceArgument>,
    /// How long it is valid, for example `15m`, `8h` or `30days`.
    #[arg(long, env = "ACTIVITY_LOGS_EXPIRES_IN", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    Admin,
    User,
    Service,
}

/// Runs the command of the command line.
///
/// # Errors
/// What kept it from being done, for people.
pub async fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            serve(arguments).await?;
        }
        Command::Demo(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            demo::run(arguments.listen, arguments.web_root, arguments.allow_remote).await?;
        }
        Command::Import(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            let catalog = load_catalog(arguments.database.catalog)?;
            let store = open(&arguments.database.url).await?;
            if !import::run(arguments.file, store, catalog).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Check(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            if !check(&open(&arguments.database).await?).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Token(arguments) => println!("{}", mint(arguments)?),
        Command::Openapi => print!("{}", openapi::document()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(database: &DatabaseUrl) -> anyhow::Result<Store> {
    Store::open(&database.database_url, Options::default()).await.context("opening the database")
}

/// Gives whether all is well.
async fn check(store: &Store) -> anyhow::Result<bool> {
    let check = store.check().await?;
    store.close().await;
    for difference in &check.differences {
        eprintln!("{difference}");
    }
    let (entries, runs) = (check.entries, check.runs);
    if check.differences.is_empty() {
        println!("{entries} entries, {runs} runs of the index: all counts agree");
    } else {
        eprintln!(
            "{entries} entries, {runs} runs of the index: {} differences",
            check.differences.len()
        );
    }
    Ok(check.differences.is_empty())
}

async fn serve(arguments: Serve) -> anyhow::Result<()> {
    let Keys { jwt_secret, jwks, names } = arguments.keys;
    let source = match (jwt_secret, jwks) {
        (Some(secret), _) => KeySource::Secret(parse_secret(&secret)?),
        (None, Some(jwks)) => key_set_source(&jwks).map_err(anyhow::Error::msg)?,
        (None, None) => bail!("a key to check tokens with is needed: --jwt-secret or --jwks"),
    };
    let settings = Settings {
        listen: arguments.listen,
        metrics_listen: arguments.metrics_listen,
        limits: Limits::default(),
        database_url: arguments.database.url.database_url,
        store: Options {
            queue_bytes: arguments.queue_megabytes * 1024 * 1024,
            reading_time: arguments.reading_time,
            ..Options::default()
        },
        verifier: Verifier::load(source, names.jwt_issuer, names.jwt_audience).await?,
        catalog: load_catalog(arguments.database.catalog)?,
        web_root: arguments.web_root,
        docs: !arguments.no_docs,
        demo: None,
    };
    let service = Service::start(settings).await?;
    let metrics_address = service.metrics_address().map(tracing::field::display);
    tracing::info!(address = %service.address(), metrics_address, "listening");
    service.run().await?;
    tracing::info!("stopped; everything that was accepted is recorded");
    Ok(())
}

/// clap would print a value that it refuses, so secrets are parsed here.
fn parse_secret(text: &str) -> anyhow::Result<Secret> {
    text.parse().map_err(anyhow::Error::msg)
}

fn load_catalog(path: Option<PathBuf>) -> anyhow::Result<Catalog> {
    let Some(path) = path else { return Ok(Catalog::built_in()) };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the catalog {}", path.display()))?;
    Catalog::with_additions(&text).with_context(|| format!("the catalog {}", path.display()))
}

fn mint(arguments: Token) -> anyhow::Result<String> {
    let Some(secret) = arguments.jwt_secret else {
        bail!("the secret is needed: set ACTIVITY_LOGS_JWT_SECRET or give --jwt-secret");
    };
    let secret = parse_secret(&secret)?;
    let (organizations, workspaces) =
        token::memberships(arguments.organization, arguments.workspace);
    let claims = Claims {
        sub: arguments.sub,
        name: arguments.name,
        email: arguments.email,
        role: match arguments.role {
            RoleArgument::Admin => Role::Admin,
            RoleArgument::User => Role::User,
            RoleArgument::Service => Role::Service,
        },
        organizations: (!organizations.is_empty()).then_some(organizations),
        workspaces,
    };
    // The service must accept what is minted here.
    Caller::try_from(claims.clone()).map_err(anyhow::Error::msg)?;
    let Names { jwt_issuer, jwt_audience } = arguments.names;
    token::mint(
        &secret,
        &claims,
        jwt_issuer.as_deref(),
        jwt_audience.as_deref(),
        arguments.expires_in,
    )
}
