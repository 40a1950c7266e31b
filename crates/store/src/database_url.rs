//! What the URL of a PostgreSQL database may say. What is wrong with one is said without
//! repeating any of it: where a password is not escaped, its rest looks like another part.

use std::net::IpAddr;

use url::Url;

use crate::Error;

/// The parameters that are understood.
const PARAMETERS: [&str; 14] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "ssl-root-cert",
    "statement-cache-capacity",
    "user",
];

const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Refuses what sqlx would repeat in a warning or an error.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    let refused = |why: String| {
        let form = "the form is postgres://USER:PASSWORD@HOST:PORT/DATABASE, and in USER, PASSWORD \
                    and DATABASE each of / ? # @ : % must be percent-encoded";
        Error::DatabaseUrl(format!("{why} ({form})"))
    };
    let url = Url::parse(text).map_err(|_| refused("it can't be read".to_owned()))?;
    if url.fragment().is_some() {
        return Err(refused("it has a #".to_owned()));
    }
    if url.path().trim_start_matches('/').contains(['/', '@', ':']) {
        return Err(refused("its path is not the name of a database".to_owned()));
    }
    for (name, value) in url.query_pairs() {
        let is_option =
            name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']') && rest.len() > 1);
        if !is_option && !PARAMETERS.contains(&name.as_ref()) {
            let known = PARAMETERS.join(", ");
            return Err(refused(format!("it has a parameter that is not one of {known}")));
        }
        let is_right = match name.as_ref() {
            "sslmode" => SSL_MODES.contains(&value.as_ref()),
            "port" => value.parse::<u16>().is_ok(),
            "statement-cache-capacity" => value.parse::<usize>().is_ok(),
            "hostaddr" => value.parse::<IpAddr>().is_ok(),
            _ => true,
        };
        if !is_right {
            return Err(refused(format!("its parameter {name} has a value that can't be used")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_right_form_are_accepted() {
        for url in [
            "postgres://postgres@127.0.0.1:5432/log",
            "postgresql://al:p%40ss%3FHunter2@db.example.com/log?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres:///log?host=/var/run/postgresql&user=al&port=5433",
            "postgres://al:p@ss@db/log?options[search_path]=logs&statement-cache-capacity=0",
            "postgres://%2Fvar%2Frun%2Fpostgresql/log",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn no_piece_of_a_password_that_was_not_escaped_is_repeated() {
        for password in [
            "p@ss?Hunter2",
            "p?Hunter2",
            "p#Hunter2",
            "12#Hunter2",
            "p/Hunter2",
            "12/Hunter2",
            "12?sslmode=Hunter2",
            "12?port=Hunter2",
            "12?Hunter2=x&Hunter2",
            "12?options[=Hunter2",
            "p@12/Hunter2?Hunter2#Hunter2",
        ] {
            let url = format!("postgres://al:{password}@127.0.0.1:5432/log");
            let refused = check(&url).expect_err(&url).to_string();
            assert!(!refused.contains("Hunter2") && !refused.contains("p@ss"), "{refused}");
        }
    }
}
