//! Arguments that several commands share: the database, and the keys of tokens.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::auth::{KeySource, Secret, SetSource, read_secret_file, without_line_break};

/// The shortest time for which a key set may be trusted: shorter, and no failure is survived.
const MIN_STALE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct DatabaseUrl {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[arg(
        long,
        env = "ACTIVITY_LOGS_DATABASE_URL",
        default_value = "sqlite:data/activity-logs.db"
    )]
    database_url: String,
    /// File that holds nothing but the database URL.
    #[arg(long, env = "ACTIVITY_LOGS_DATABASE_URL_FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
}

impl DatabaseUrl {
    /// The URL. It may hold a password.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        match &self.database_url_file {
            Some(path) => read_secret_file(path).context("the database URL"),
            None => Ok(without_line_break(&self.database_url).to_owned()),
        }
    }
}

#[derive(Args)]
pub(crate) struct Secrets {
    /// Secret of at least 32 bytes for HS256 tokens. Every user of this machine can see the
    /// command line: better set it in the environment, or use --jwt-secret-file.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_SECRET")]
    jwt_secret: Option<String>,
    /// File that holds nothing but the secret. To replace a secret, name two files (in the
    /// environment with a comma between them): tokens signed with either are accepted, new
    /// ones are signed with the first.
    #[arg(
        long,
        env = "ACTIVITY_LOGS_JWT_SECRET_FILE",
        value_delimiter = ',',
        conflicts_with = "jwt_secret"
    )]
    jwt_secret_file: Vec<PathBuf>,
}

impl Secrets {
    /// The secrets, in the order they were given. clap would print a value that it refuses, so
    /// they are parsed here.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<Secret>> {
        let parse = |text: &str| text.parse::<Secret>().map_err(anyhow::Error::msg);
        let given = self.jwt_secret.iter().map(|text| parse(text));
        let files = self.jwt_secret_file.iter().map(|path| {
            let secret = read_secret_file(path).and_then(|text| parse(&text));
            secret.with_context(|| format!("the secret in {}", path.display()))
        });
        given.chain(files).collect()
    }
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    secrets: Secrets,
    /// Key set (JWKS) that tokens are checked with: a file or an https URL.
    #[arg(long, env = "ACTIVITY_LOGS_JWKS", conflicts_with_all = ["jwt_secret", "jwt_secret_file"])]
    jwks: Option<String>,
    /// How long a key set is trusted that can't be read again, for example `24h`; beyond,
    /// requests get 503.
    #[arg(
        long,
        env = "ACTIVITY_LOGS_JWKS_MAX_STALE",
        default_value = "24h",
        value_parser = parse_max_stale
    )]
    jwks_max_stale: Duration,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Args)]
pub(crate) struct Names {
    /// The `iss` that tokens must have.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_ISSUER", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) jwt_issuer: Option<String>,
    /// The `aud` that tokens must have.
    #[arg(long, env = "ACTIVITY_LOGS_JWT_AUDIENCE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) jwt_audience: Option<String>,
}

impl Keys {
    /// Where the keys come from.
    pub(crate) fn source(&self) -> anyhow::Result<KeySource> {
        if let Some(jwks) = &self.jwks {
            let source: SetSource = jwks.parse().map_err(anyhow::Error::msg)?;
            return Ok(KeySource::Set { source, max_stale: self.jwks_max_stale });
        }
        let secrets = self.secrets.read()?;
        anyhow::ensure!(
            !secrets.is_empty(),
            "a key to check tokens with is needed: --jwt-secret, --jwt-secret-file or --jwks"
        );
        Ok(KeySource::Secrets(secrets))
    }
}

fn parse_max_stale(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time < MIN_STALE {
        return Err(format!("must be at least {}", humantime::format_duration(MIN_STALE)));
    }
    Ok(time)
}
