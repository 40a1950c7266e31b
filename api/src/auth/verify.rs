//! Checking a token, and saying in plain words what is wrong with it.

use std::sync::Arc;
use std::time::Duration;

use activity_logs_model::{Caller, Claims, ProblemCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::KeySource;
use super::jwk::{self, Key};
use super::key_set::KeySet;
use crate::problem::ApiError;

/// How far clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;
/// Kinds of tokens that are accepted (RFC 8725, section 3.11): access tokens, and those that do
/// not say what they are.
const TYPES: [&str; 4] = ["JWT", "at+jwt", "application/jwt", "application/at+jwt"];

/// Checks tokens and turns them into callers. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
}

#[derive(Clone)]
enum Keys {
    Secrets(Arc<[DecodingKey]>),
    Set(Arc<KeySet>),
}

impl Verifier {
    /// Loads the keys. A key set that does not answer yet is waited for in the background.
    ///
    /// # Errors
    /// When a file can't be read, or has no key that can be used.
    pub async fn load(
        source: KeySource,
        issuer: Option<String>,
        audience: Option<String>,
    ) -> anyhow::Result<Self> {
        let keys = match source {
            KeySource::Secrets(secrets) => {
                let key = |secret: &super::Secret| DecodingKey::from_secret(secret.as_bytes());
                Keys::Secrets(secrets.iter().map(key).collect())
            }
            KeySource::Set { source, max_stale } => {
                warn_of_strangers(issuer.is_some(), audience.is_some());
                Keys::Set(KeySet::load(source, max_stale).await?)
            }
        };
        Ok(Self { keys, issuer, audience })
    }

    /// Whether there are keys to check tokens with.
    ///
    /// # Errors
    /// A 503 problem where a key set could not be read yet, or not for too long.
    pub fn ready(&self) -> Result<(), ApiError> {
        match &self.keys {
            Keys::Secrets(_) => Ok(()),
            Keys::Set(set) => set.current().map(|_| ()),
        }
    }

    /// Reads a key set again at once.
    pub async fn refresh(&self) {
        if let Keys::Set(set) = &self.keys {
            set.refresh(Duration::ZERO).await;
        }
    }

    /// Checks a token and says who bears it.
    ///
    /// # Errors
    /// A 401 problem that says what is wrong with the token, or 503 where there are no keys.
    pub async fn verify(&self, token: &str) -> Result<Caller, ApiError> {
        let header = Header::read(token).map_err(invalid)?;
        let claims = match &self.keys {
            Keys::Secrets(_) if header.algorithm != Algorithm::HS256 => Err(OTHER_ALGORITHM.into()),
            Keys::Secrets(secrets) => self.decode(token, header.algorithm, secrets.iter()),
            Keys::Set(set) => {
                let keys = set.current_with(header.key_id.as_deref()).await?;
                let named: Vec<&Key> = jwk::named(&keys, header.key_id.as_deref()).collect();
                let of_algorithm =
                    named.iter().filter(|key| key.algorithms.contains(&header.algorithm));
                match (named.is_empty(), of_algorithm.clone().next()) {
                    (true, _) => Err("its key is not known here".into()),
                    (false, None) => Err(OTHER_ALGORITHM.into()),
                    (false, Some(_)) => {
                        self.decode(token, header.algorithm, of_algorithm.map(|key| &key.key))
                    }
                }
            }
        };
        let claims = claims.and_then(|claims| self.check(claims)).map_err(invalid)?;
        Caller::try_from(claims).map_err(invalid)
    }

    /// The claims of a token that one of the keys has signed and that is valid now.
    fn decode<'a>(
        &self,
        token: &str,
        algorithm: Algorithm,
        keys: impl Iterator<Item = &'a DecodingKey>,
    ) -> Result<Box<RawValue>, String> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        // What is missing is told apart from what has a wrong form, afterwards.
        validation.required_spec_claims.clear();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
        }
        for key in keys {
            match decode::<Box<RawValue>>(token, key, &validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    kind => return Err(in_words(kind)),
                },
            }
        }
        Err("its signature is wrong".to_owned())
    }

    /// Checks the forms of the claims that RFC 7519 registers, and that none is missing.
    fn check(&self, claims: Box<RawValue>) -> Result<Claims, String> {
        if !claims.get().starts_with('{') {
            return Err(NOT_AN_OBJECT.to_owned());
        }
        let registered: Registered =
            serde_json::from_str(claims.get()).map_err(|_| NOT_AN_OBJECT.to_owned())?;
        let is_list_of_texts =
            |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        for (name, value, required, is_right, form) in [
            ("exp", registered.exp, true, Value::is_number as fn(&Value) -> bool, SECONDS),
            ("nbf", registered.nbf, false, Value::is_number, SECONDS),
            ("iat", registered.iat, false, Value::is_number, SECONDS),
            ("iss", registered.iss, self.issuer.is_some(), Value::is_string, "a text"),
        ] {
            match value {
                Some(value) if !is_right(&value) => {
                    return Err(format!("its claim `{name}` must be {form}"));
                }
                None if required => return Err(format!("its claim `{name}` is missing")),
                _ => {}
            }
        }
        match registered.aud {
            Some(aud) if !aud.is_string() && !is_list_of_texts(&aud) => {
                return Err("its claim `aud` must be a text or a list of texts".to_owned());
            }
            None if self.audience.is_some() => return Err("its claim `aud` is missing".to_owned()),
            _ => {}
        }
        Claims::try_from(claims)
    }
}

const OTHER_ALGORITHM: &str = "its algorithm is not that of the key";
const NOT_AN_OBJECT: &str = "its claims are not a JSON object that has each claim once";
const SECONDS: &str = "a number of seconds";

#[derive(Deserialize)]
struct Registered {
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
}

/// What is there is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What the header of a token says (RFC 7515, section 4).
#[derive(Debug)]
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct RawHeader {
    #[serde(default, deserialize_with = "present")]
    alg: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

impl Header {
    fn read(token: &str) -> Result<Self, String> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, _, _] = parts[..] else { return Err(NOT_A_TOKEN.to_owned()) };
        let json = URL_SAFE_NO_PAD.decode(header).ok();
        let json = json.filter(|json| json.trim_ascii_start().starts_with(b"{"));
        let raw: RawHeader = json
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| NOT_A_TOKEN.to_owned())?;
        // No extension is understood here (RFC 7515, section 4.1.11).
        if raw.crit.is_some() {
            return Err("it asks for extensions (`crit`) that are not supported".to_owned());
        }
        if let Some(kind) = raw.typ {
            let accepts = |kind: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind));
            if !kind.as_str().is_some_and(accepts) {
                return Err("its type (`typ`) is not that of an access token".to_owned());
            }
        }
        let algorithm = raw.alg.as_ref().and_then(Value::as_str).and_then(|name| name.parse().ok());
        let key_id = match raw.kid {
            Some(Value::String(id)) => Some(id),
            None => None,
            Some(_) => return Err("its key id (`kid`) must be a text".to_owned()),
        };
        let algorithm = algorithm.ok_or("its algorithm (`alg`) is not supported")?;
        Ok(Self { algorithm, key_id })
    }
}

const NOT_A_TOKEN: &str = "it is not a JSON Web Token";

fn in_words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "it comes from another issuer",
        ErrorKind::InvalidAudience => "it is meant for another audience",
        ErrorKind::InvalidAlgorithm => OTHER_ALGORITHM,
        ErrorKind::InvalidClaimFormat(claim) => {
            return format!("its claim `{claim}` must be {SECONDS}");
        }
        ErrorKind::Json(_) => NOT_AN_OBJECT,
        _ => NOT_A_TOKEN,
    }
    .to_owned()
}

fn invalid(why: String) -> ApiError {
    ApiError::new(ProblemCode::InvalidToken, format!("The token can't be accepted: {why}."))
}

/// A provider signs tokens for many services; those are strangers here.
fn warn_of_strangers(issuer: bool, audience: bool) {
    if !audience {
        tracing::warn!(
            "any token that a key of the set has signed is accepted, also those meant for other \
             services; --jwt-audience says which are meant for this one"
        );
    }
    if !issuer {
        tracing::warn!(
            "tokens of any issuer that a key of the set has signed are accepted; --jwt-issuer \
             says which one is meant"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Result<Header, String> {
        Header::read(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(json)))
    }

    #[test]
    fn headers_are_read_strictly() {
        for good in [
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"jwt"}"#,
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            r#"{"alg":"HS256","typ":"application/at+JWT","kid":"k","x":1}"#,
        ] {
            assert!(header(good).is_ok(), "{good}");
        }
        for (bad, says) in [
            (r#"["HS256"]"#, "not a JSON Web Token"),
            (r#"{"alg":"HS256","alg":"none"}"#, "not a JSON Web Token"),
            (r#"{"alg":"none"}"#, "`alg`"),
            (r#"{"alg":["HS256"]}"#, "`alg`"),
            (r#"{"alg":{"HS256":null}}"#, "`alg`"),
            (r#"{}"#, "`alg`"),
            (r#"{"alg":"HS256","kid":7}"#, "`kid`"),
            (r#"{"alg":"HS256","typ":"logout+jwt"}"#, "`typ`"),
            (r#"{"alg":"HS256","typ":"secevent+jwt"}"#, "`typ`"),
            (r#"{"alg":"HS256","typ":"dpop+jwt"}"#, "`typ`"),
            (r#"{"alg":"HS256","typ":["JWT"]}"#, "`typ`"),
            (r#"{"alg":"HS256","crit":null}"#, "`crit`"),
            (r#"{"alg":"HS256","crit":[]}"#, "`crit`"),
            (r#"{"alg":"HS256","crit":["exp"]}"#, "`crit`"),
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "`crit`"),
            (r#"{"alg":"HS256","cr\u0069t":"x"}"#, "`crit`"),
        ] {
            let refused = header(bad).expect_err(bad);
            assert!(refused.contains(says), "{bad}: {refused}");
        }
        for bad in ["", "a", "a.b", "a.b.c", "a.b.c.d", "e30.e30"] {
            assert!(Header::read(bad).is_err(), "{bad}");
        }
    }
}
