//! What a PostgreSQL server must be like.

use std::net::IpAddr;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgSslMode};
use sqlx::{Executor as _, Row as _};

use crate::Error;

/// A server that became a standby takes no entries, and what it tells may be old.
pub(super) async fn takes_entries(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = connection.fetch_one("SHOW transaction_read_only").await?;
    Ok(row.try_get::<&str, _>(0)? == "off")
}

pub(super) fn if_read_only(error: Error) -> Error {
    error.if_read_only(|| {
        "the PostgreSQL server is a standby, or makes every transaction read-only; \
         the URL must lead to the primary"
            .to_owned()
    })
}

/// Text of another encoding would be refused, or altered, entry by entry.
pub(super) async fn require_utf8(pool: &PgPool) -> Result<(), Error> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(pool).await?;
    if encoding == "UTF8" { Ok(()) } else { Err(Error::Encoding(encoding)) }
}

/// Says so if somebody between here and the server could read the log, or pass for the server.
pub(super) fn warn_of_listeners(options: &PgConnectOptions) {
    if !is_safe(options) {
        tracing::warn!(
            "the way to the PostgreSQL server {host} is not protected: whoever is on it may read the \
             password and the log, or pass for the server; add `sslmode=verify-full` to the URL \
             (and `sslrootcert=FILE` for a certificate authority of your own)",
            host = options.get_host()
        );
    }
}

fn is_safe(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    matches!(options.get_ssl_mode(), PgSslMode::VerifyFull)
        || options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn only_a_verified_server_or_this_machine_is_safe() {
        for (url, expected) in [
            ("postgres://al@db.example/log", false),
            ("postgres://al@192.0.2.7:5432/log", false),
            ("postgres://al@db.example/log?sslmode=require", false),
            ("postgres://al@db.example/log?sslmode=verify-ca", false),
            ("postgres://al@localhost.example/log", false),
            ("postgres://al@db.example/log?sslmode=verify-full", true),
            ("postgres://al@localhost/log", true),
            ("postgres://al@127.0.0.1:5433/log", true),
            ("postgres://al@[::1]/log", true),
            ("postgres:///log?user=al&host=/run/postgresql", true),
            ("postgres://al@%2Frun%2Fpostgresql/log", true),
        ] {
            let options = PgConnectOptions::from_str(url).expect(url);
            assert_eq!(is_safe(&options), expected, "{url}");
        }
    }
}
