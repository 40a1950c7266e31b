//! The commands of the program. Each flag has an environment twin, `ACTIVITY_LOGS_…`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use activity_logs_model::{Caller, Catalog, Claims, Role, UserId};
use activity_logs_store::{Options, Store};
use anyhow::{Context as _, bail};
use clap::builder::{OsStr, Resettable};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::arguments::{DatabaseUrl, Keys, Names, Secrets};
use crate::auth::Verifier;
use crate::serve::{Limits, Service, Settings};
use crate::telemetry::{LogFormat, start_logs, tell_failure};
use crate::token::{OrganizationArgument, WorkspaceArgument};
use crate::{backup, demo, import, openapi, token};

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
    /// Recount everything, compare it with what listings are read from and with the schema, and say
    /// what differs. The service may record meanwhile.
    Check(Check),
    /// Copy a SQLite log to a new file while the service records.
    Backup(Backup),
    /// Mint a token with the configured secret.
    Token(Token),
    /// Print the OpenAPI document.
    Openapi(Openapi),
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
struct Backup {
    /// The copy, which does not exist yet.
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseUrl,
}

#[derive(Args)]
struct Token {
    #[command(flatten)]
    secrets: Secrets,
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

#[derive(Args)]
struct Openapi {
    /// The version of OpenAPI that it is told in.
    #[arg(long, env = "ACTIVITY_LOGS_OPENAPI_VERSION", value_enum, default_value = "3.1")]
    version: OpenapiVersion,
}

#[derive(Clone, Copy, ValueEnum)]
enum OpenapiVersion {
    #[value(name = "3.1")]
    V3_1,
    #[value(name = "3.0")]
    V3_0,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    Admin,
    User,
    Service,
}

/// The command line. What the environment sets to nothing counts as not set, and the help shows
/// nothing of what it sets.
pub fn command() -> clap::Command {
    heedless_of_empty_variables(Cli::command())
}

fn heedless_of_empty_variables(command: clap::Command) -> clap::Command {
    let heed = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        let argument = argument.hide_env_values(true);
        if value.is_some_and(|value| value.is_empty()) {
            return argument.env(Resettable::<OsStr>::Reset);
        }
        argument
    };
    command.mut_args(heed).mut_subcommands(heedless_of_empty_variables)
}

/// Runs the command of the command line, and says what kept it from being done.
pub async fn run() -> ExitCode {
    let matches = command().try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let format = cli.log_format;
    match execute(cli).await {
        Ok(code) => code,
        Err(error) => {
            tell_failure(format, &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Shows the help, or what is wrong with the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && wants_json() {
        let text = error.render().to_string();
        tell_failure(LogFormat::Json, text.trim_start_matches("error: ").trim());
    } else {
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Whether log lines are to be JSON, of a command line that can't be understood otherwise.
fn wants_json() -> bool {
    let arguments: Vec<_> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let separate = arguments.windows(2).find(|pair| pair[0] == "--log-format");
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--log-format="));
    match separate.map(|pair| pair[1].as_str()).or(joined) {
        Some(format) => format == "json",
        None => std::env::var_os("ACTIVITY_LOGS_LOG_FORMAT").is_some_and(|format| format == "json"),
    }
}

async fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
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
            if !check(&arguments.database).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Backup(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            backup::run(&arguments.database.read()?, &arguments.file).await?;
        }
        Command::Token(arguments) => {
            start_logs(cli.log_format, &cli.log)?;
            println!("{}", mint(arguments)?);
        }
        Command::Openapi(arguments) => match arguments.version {
            OpenapiVersion::V3_1 => print!("{}", openapi::document()),
            OpenapiVersion::V3_0 => print!("{}", openapi::document_3_0()),
        },
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(database: &DatabaseUrl) -> anyhow::Result<Store> {
    Store::open(&database.read()?, Options::default()).await.context("opening the database")
}

/// Returns whether all is well.
async fn check(database: &DatabaseUrl) -> anyhow::Result<bool> {
    let check = activity_logs_store::check(&database.read()?).await.context("checking the log")?;
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
    #[cfg(unix)]
    let hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    let source = arguments.keys.source()?;
    let Names { jwt_issuer, jwt_audience } = arguments.keys.names;
    let verifier = Verifier::load(source, jwt_issuer, jwt_audience).await?;
    #[cfg(unix)]
    tokio::spawn(refresh_at_hangups(hangups, verifier.clone()));
    let settings = Settings {
        listen: arguments.listen,
        metrics_listen: arguments.metrics_listen,
        limits: Limits::default(),
        database_url: arguments.database.url.read()?,
        store: Options {
            queue_bytes: arguments.queue_megabytes * 1024 * 1024,
            reading_time: arguments.reading_time,
            ..Options::default()
        },
        verifier,
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

/// SIGHUP asks a service to look at its configuration again: that is its key set.
#[cfg(unix)]
async fn refresh_at_hangups(mut hangups: tokio::signal::unix::Signal, verifier: Verifier) {
    while hangups.recv().await.is_some() {
        tracing::info!("SIGHUP: a key set is read again; all else needs a restart");
        verifier.refresh().await;
    }
}

fn load_catalog(path: Option<PathBuf>) -> anyhow::Result<Catalog> {
    let Some(path) = path else { return Ok(Catalog::built_in()) };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the catalog {}", path.display()))?;
    Catalog::with_additions(&text).with_context(|| format!("the catalog {}", path.display()))
}

fn mint(arguments: Token) -> anyhow::Result<String> {
    let secrets = arguments.secrets.read()?;
    let Some(secret) = secrets.first() else {
        bail!("the secret is needed: set ACTIVITY_LOGS_JWT_SECRET, or give --jwt-secret-file");
    };
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
        secret,
        &claims,
        jwt_issuer.as_deref(),
        jwt_audience.as_deref(),
        arguments.expires_in,
    )
}
