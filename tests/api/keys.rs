//! Key sets: RS256, ES256 and EdDSA, from a URL, with keys that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use activity_logs::auth::{KeySource, Verifier, key_set_source};
use activity_logs_tests::{AUDIENCE, ISSUER, claims, sign};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const RS256: &[u8] = include_bytes!("keys/rs256.pem");
const ES256: &[u8] = include_bytes!("keys/es256.pem");
const EDDSA: &[u8] = include_bytes!("keys/eddsa.pem");

fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(RS256),
        Algorithm::ES256 => EncodingKey::from_ec_pem(ES256),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(EDDSA),
        _ => panic!("no key for {algorithm:?}"),
    }
    .unwrap()
}

pub(crate) fn public(algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(&key(algorithm), algorithm).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_value(jwk).unwrap()
}

pub(crate) fn token(algorithm: Algorithm, id: Option<&str>) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    sign(&header, &claims(json!({"sub": "mia", "role": "user"})), &key(algorithm))
}

/// Serves one document after the other, the last for ever; counts how often it was asked.
async fn serve(documents: Vec<Value>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let turn = count.fetch_add(1, Ordering::SeqCst);
            let body = documents[turn.min(documents.len() - 1)].to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

async fn verifier(source: KeySource) -> anyhow::Result<Verifier> {
    Verifier::load(source, Some(ISSUER.to_owned()), Some(AUDIENCE.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_algorithm_is_accepted_with_its_own_key_only() {
    let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    let keys: Vec<Value> = algorithms.iter().map(|a| public(*a, &format!("{a:?}"))).collect();
    let (url, _) = serve(vec![json!({ "keys": keys })]).await;
    let verifier = verifier(key_set_source(&url).unwrap()).await.unwrap();
    for algorithm in algorithms {
        let name = format!("{algorithm:?}");
        let caller = verifier.verify(&token(algorithm, Some(&name))).await.unwrap();
        assert_eq!(caller.person.id.as_str(), "mia");
        for other in algorithms.iter().filter(|other| **other != algorithm) {
            let mixed = token(algorithm, Some(&format!("{other:?}")));
            assert!(
                verifier.verify(&mixed).await.is_err(),
                "{algorithm:?} with the key of {other:?}"
            );
        }
        assert!(
            verifier.verify(&token(algorithm, None)).await.is_err(),
            "which of three keys is not said"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_is_no_secret() {
    let jwk = public(Algorithm::RS256, "one");
    let (url, _) = serve(vec![json!({ "keys": [jwk] })]).await;
    let verifier = verifier(key_set_source(&url).unwrap()).await.unwrap();
    let modulus = jwk["n"].as_str().unwrap();
    let texts = [modulus.to_owned(), jwk.to_string(), json!({ "keys": [jwk] }).to_string()];
    for public in texts {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("one".to_owned());
        let claims = claims(json!({"sub": "root", "role": "admin"}));
        let forged = sign(&header, &claims, &EncodingKey::from_secret(public.as_bytes()));
        assert!(verifier.verify(&forged).await.is_err());
    }
    assert!(
        verifier.verify(&token(Algorithm::RS256, None)).await.is_ok(),
        "the only key needs no name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_refreshes_the_set_at_most_once_in_a_while() {
    let old = json!({ "keys": [public(Algorithm::ES256, "old")] });
    let new = json!({ "keys": [public(Algorithm::ES256, "old"), public(Algorithm::EdDSA, "new")] });
    let (url, asked) = serve(vec![old, new]).await;
    let verifier = verifier(key_set_source(&url).unwrap()).await.unwrap();
    assert!(verifier.verify(&token(Algorithm::ES256, Some("old"))).await.is_ok());
    for _ in 0..20 {
        assert!(verifier.verify(&token(Algorithm::EdDSA, Some("made up"))).await.is_err());
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "just loaded: strangers can't make the service ask again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_works_too_and_a_set_without_usable_keys_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"});
    std::fs::write(&path, json!({ "keys": [symmetric] }).to_string()).unwrap();
    let source = key_set_source(path.to_str().unwrap()).unwrap();
    assert!(verifier(source.clone()).await.is_err(), "a secret has no place in a key set");
    std::fs::write(&path, "no json").unwrap();
    assert!(verifier(source.clone()).await.is_err());
    std::fs::write(
        &path,
        json!({ "keys": [symmetric, public(Algorithm::EdDSA, "ed")] }).to_string(),
    )
    .unwrap();
    let verifier = verifier(source).await.unwrap();
    assert!(verifier.verify(&token(Algorithm::EdDSA, Some("ed"))).await.is_ok());
    assert!(verifier.verify(&token(Algorithm::EdDSA, Some("secret"))).await.is_err());
}
