//! Tokens: JSON Web Tokens (RFC 7519) checked with a shared secret (HS256) or with a key set
//! (JWKS, RFC 7517; RS256, ES256, EdDSA).
//!
//! The algorithm is a property of the key. A token that names another one is refused, so a
//! public key can't be used as a secret and `none` is nobody's algorithm.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use activity_logs_model::{Caller, Claims, ProblemCode};
use anyhow::{Context as _, bail};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use tokio::time::Instant;

use crate::problem::ApiError;

/// How far clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;
/// The shortest secret, in bytes: the size of HS256's output (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// A key set is fetched anew when it is older than this.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// An unknown key id fetches the set anew at most this often.
const MIN_REFRESH: Duration = Duration::from_secs(30);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_KEY_SET_BYTES: u64 = 1024 * 1024;

/// A secret that signs and checks tokens. It can't be printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The secret's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::str::FromStr for Secret {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "the secret must have at least {MIN_SECRET_BYTES} bytes (for example from: openssl rand -hex 32)"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A shared secret.
    Secret(Secret),
    /// A JWKS file; read again like a URL is.
    File(PathBuf),
    /// A JWKS URL.
    Url(String),
}

/// Checks tokens and turns them into callers.
pub struct Verifier {
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
}

enum Keys {
    Secret(DecodingKey),
    Set(KeySet),
}

struct KeySet {
    source: KeySource,
    state: RwLock<KeySetState>,
    refreshing: tokio::sync::Mutex<()>,
}

struct KeySetState {
    keys: Arc<Vec<Key>>,
    tried: Instant,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier {
    /// Loads the keys.
    ///
    /// # Errors
    /// When a key set can't be read or has no key that this service can use.
    pub async fn load(
        source: KeySource,
        issuer: Option<String>,
        audience: Option<String>,
    ) -> anyhow::Result<Self> {
        let keys = match source {
            KeySource::Secret(secret) => Keys::Secret(DecodingKey::from_secret(secret.as_bytes())),
            source => {
                let keys = Arc::new(fetch(source.clone()).await?);
                let state = RwLock::new(KeySetState { keys, tried: Instant::now() });
                Keys::Set(KeySet { source, state, refreshing: tokio::sync::Mutex::default() })
            }
        };
        Ok(Self { keys, issuer, audience })
    }

    /// Checks a token and says who bears it.
    ///
    /// # Errors
    /// A 401 problem that says what is wrong with the token.
    pub async fn verify(&self, token: &str) -> Result<Caller, ApiError> {
        let claims = match &self.keys {
            Keys::Secret(key) => self.decode(token, Algorithm::HS256, key)?,
            Keys::Set(set) => {
                let header =
                    decode_header(token).map_err(|_| invalid("it is no JSON Web Token"))?;
                let keys = set.current(header.kid.as_deref()).await;
                let key = find(&keys, header.kid.as_deref())
                    .ok_or_else(|| invalid("its key is not known here"))?;
                self.decode(token, key.algorithm, &key.key)?
            }
        };
        Caller::try_from(claims).map_err(|why| invalid(&why))
    }

    fn decode(
        &self,
        token: &str,
        algorithm: Algorithm,
        key: &DecodingKey,
    ) -> Result<Claims, ApiError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        let decoded =
            decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => invalid("it has expired"),
                ErrorKind::ImmatureSignature => invalid("it is not valid yet"),
                ErrorKind::InvalidIssuer => invalid("it comes from another issuer"),
                ErrorKind::InvalidAudience => invalid("it is meant for another audience"),
                ErrorKind::InvalidSignature => invalid("its signature is wrong"),
                ErrorKind::InvalidAlgorithm => invalid("its algorithm is not the key's"),
                ErrorKind::MissingRequiredClaim(claim) => {
                    invalid(&format!("it lacks the claim {claim}"))
                }
                ErrorKind::Json(error) => invalid(&format!("its claims can't be used: {error}")),
                _ => invalid("it is no valid JSON Web Token"),
            })?;
        Ok(decoded.claims)
    }
}

fn invalid(why: &str) -> ApiError {
    ApiError::new(ProblemCode::InvalidToken, format!("The token can't be accepted: {why}."))
}

/// A token without a key id is checked with the only key, if there is only one.
fn find<'a>(keys: &'a [Key], id: Option<&str>) -> Option<&'a Key> {
    match (id, keys) {
        (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

impl KeySet {
    /// The keys, fetched anew when they are old or the wanted one is not among them.
    async fn current(&self, wanted: Option<&str>) -> Arc<Vec<Key>> {
        let fresh = |set: &Self| {
            let state = set.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let age = state.tried.elapsed();
            let known = find(&state.keys, wanted).is_some();
            (age < if known { MAX_AGE } else { MIN_REFRESH }).then(|| state.keys.clone())
        };
        if let Some(keys) = fresh(self) {
            return keys;
        }
        // One request fetches; those that waited for it find the set fresh.
        let _one = self.refreshing.lock().await;
        if let Some(keys) = fresh(self) {
            return keys;
        }
        let fetched = fetch(self.source.clone()).await;
        let mut state = self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.tried = Instant::now();
        match fetched {
            Ok(keys) => state.keys = Arc::new(keys),
            Err(error) => tracing::warn!("the key set could not be refreshed: {error:#}"),
        }
        state.keys.clone()
    }
}

async fn fetch(source: KeySource) -> anyhow::Result<Vec<Key>> {
    let text = tokio::task::spawn_blocking(move || match source {
        KeySource::Url(url) => fetch_url(&url),
        KeySource::File(path) => std::fs::read_to_string(&path)
            .with_context(|| format!("reading the key set {}", path.display())),
        KeySource::Secret(_) => bail!("a secret is no key set"),
    })
    .await??;
    let set: JwkSet = serde_json::from_str(&text).context("the key set is no JWKS (RFC 7517)")?;
    let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
    if keys.is_empty() {
        bail!("the key set has no signing key for RS256, ES256 or EdDSA");
    }
    Ok(keys)
}

fn fetch_url(url: &str) -> anyhow::Result<String> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(FETCH_TIMEOUT)).build().into();
    let mut response =
        agent.get(url).call().with_context(|| format!("fetching the key set {url}"))?;
    Ok(response.body_mut().with_config().limit(MAX_KEY_SET_BYTES).read_to_string()?)
}

/// The key with the one algorithm it is for; secrets and encryption keys have no place here.
fn usable(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|use_| *use_ != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|named| named.to_string() != format!("{algorithm:?}")) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

/// Parses where the keys come from: a URL or a file.
///
/// # Errors
/// When a URL would fetch keys over a network unprotected.
pub fn key_set_source(text: &str) -> Result<KeySource, String> {
    if text.starts_with("https://") {
        return Ok(KeySource::Url(text.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("http://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            return Ok(KeySource::Url(text.to_owned()));
        }
        return Err("a key set must come over https, except from this machine".to_owned());
    }
    Ok(KeySource::File(PathBuf::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_a_protected_way() {
        assert!(matches!(key_set_source("https://id.example.com/jwks"), Ok(KeySource::Url(_))));
        assert!(matches!(key_set_source("http://127.0.0.1:9000/jwks"), Ok(KeySource::Url(_))));
        assert!(matches!(key_set_source("keys.json"), Ok(KeySource::File(_))));
        for bad in [
            "http://id.example.com/jwks",
            "http://localhost.example.com/",
            "http://localhost@evil.example/",
        ] {
            assert!(key_set_source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_stays_secret() {
        assert!("short".parse::<Secret>().is_err());
        let secret: Secret = "x".repeat(32).parse().unwrap();
        assert!(!format!("{secret:?}").contains('x'));
    }

    /// A key set with these key ids, all of one key (RFC 8037, appendix A.2).
    fn write_set(path: &std::path::Path, ids: &[&str]) {
        let key = |id: &&str| {
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": id,
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        };
        let keys: Vec<_> = ids.iter().map(key).collect();
        std::fs::write(path, serde_json::json!({ "keys": keys }).to_string()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_set_follows_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        write_set(&path, &["old"]);
        let verifier = Verifier::load(KeySource::File(path.clone()), None, None).await.unwrap();
        let Keys::Set(set) = &verifier.keys else { panic!("a key set") };
        let knows = async |id: &str| find(&set.current(Some(id)).await, Some(id)).is_some();

        write_set(&path, &["new"]);
        assert!(!knows("new").await, "just loaded");
        tokio::time::advance(MIN_REFRESH).await;
        assert!(knows("old").await, "a known key does not make the service look again");
        assert!(knows("new").await, "an unknown one does, after a while");
        assert!(!knows("old").await, "what has left the set opens nothing");

        write_set(&path, &["newest"]);
        tokio::time::advance(MAX_AGE).await;
        assert!(!knows("new").await, "an old set is looked at again for known keys too");
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(MAX_AGE).await;
        assert!(knows("newest").await, "a source that is away takes nothing away");
    }
}
