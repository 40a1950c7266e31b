//! Key sets and secrets: which tokens they open, from where they come, and how they change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use activity_logs::auth::{KeySource, SetSource, Verifier};
use activity_logs_store::Options;
use activity_logs_tests::{
    AUDIENCE, Answer, ISSUER, Kind, SECRET, TestService, claims, settings, sign,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

const RS256: &[u8] = include_bytes!("keys/rs256.pem");
const ES256: &[u8] = include_bytes!("keys/es256.pem");
const ES384: &[u8] = include_bytes!("keys/es384.pem");
const EDDSA: &[u8] = include_bytes!("keys/eddsa.pem");

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(ES256),
        Algorithm::ES384 => EncodingKey::from_ec_pem(ES384),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(EDDSA),
        _ => EncodingKey::from_rsa_pem(RS256),
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

/// What the source of a key set answers.
enum Turn {
    Set(Value),
    Redirect(String),
    Silence,
}

/// Answers one turn after the other, the last for ever; counts how often it was asked, and keeps
/// what it was asked last.
struct Source {
    url: String,
    asked: Arc<AtomicUsize>,
    request: Arc<std::sync::Mutex<String>>,
}

impl Source {
    async fn start(turns: Vec<Turn>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), turns)
    }

    fn serve(listener: TcpListener, turns: Vec<Turn>) -> Self {
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let (asked, request) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let source = Self { url, asked: asked.clone(), request: Arc::clone(&request) };
        tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).await.unwrap();
                *request.lock().unwrap() = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let turn = asked.fetch_add(1, Ordering::SeqCst);
                let answer = match &turns[turn.min(turns.len() - 1)] {
                    Turn::Set(set) => {
                        let body = set.to_string();
                        let length = body.len();
                        format!(
                            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                        )
                    }
                    Turn::Redirect(to) => format!(
                        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    ),
                    Turn::Silence => {
                        silent.push(stream);
                        continue;
                    }
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        source
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn verifier(&self) -> Verifier {
        verifier(self.url.parse().unwrap()).await.unwrap()
    }
}

async fn verifier(source: SetSource) -> anyhow::Result<Verifier> {
    Verifier::load(source.into(), Some(ISSUER.to_owned()), Some(AUDIENCE.to_owned())).await
}

/// The code of the problem that a token meets.
async fn refusal(verifier: &Verifier, token: &str) -> String {
    verifier.verify(token).await.expect_err("refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_algorithm_is_accepted_with_its_own_key_only() {
    let keys: Vec<Value> = ALGORITHMS.iter().map(|a| public(*a, &format!("{a:?}"))).collect();
    let source = Source::start(vec![Turn::Set(json!({ "keys": keys }))]).await;
    let verifier = source.verifier().await;
    for algorithm in ALGORITHMS {
        let name = format!("{algorithm:?}");
        let caller = verifier.verify(&token(algorithm, Some(&name))).await.unwrap();
        assert_eq!(caller.person.id.as_str(), "mia");
        for other in ALGORITHMS.iter().filter(|other| **other != algorithm) {
            let mixed = token(algorithm, Some(&format!("{other:?}")));
            let refused = refusal(&verifier, &mixed).await;
            assert!(refused.contains("algorithm"), "{algorithm:?} with the key of {other:?}");
        }
        let unnamed = refusal(&verifier, &token(algorithm, None)).await;
        assert!(unnamed.contains("its key is not known"), "which of nine keys is not said");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_that_names_no_algorithm_is_for_sha_256() {
    let mut jwk = public(Algorithm::RS256, "one");
    jwk.as_object_mut().unwrap().remove("alg");
    let source = Source::start(vec![Turn::Set(json!({ "keys": [jwk] }))]).await;
    let verifier = source.verifier().await;
    for algorithm in &ALGORITHMS[..6] {
        let accepted = verifier.verify(&token(*algorithm, Some("one"))).await.is_ok();
        let for_sha_256 = matches!(algorithm, Algorithm::RS256 | Algorithm::PS256);
        assert_eq!(accepted, for_sha_256, "{algorithm:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_share_an_id_are_all_tried() {
    let elsewhere = json!({"kty": "OKP", "crv": "Ed25519", "kid": "one",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let keys = [elsewhere, public(Algorithm::ES256, "one"), public(Algorithm::EdDSA, "one")];
    let source = Source::start(vec![Turn::Set(json!({ "keys": keys }))]).await;
    let verifier = source.verifier().await;
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        assert!(verifier.verify(&token(algorithm, Some("one"))).await.is_ok(), "{algorithm:?}");
    }
    let genuine = token(Algorithm::EdDSA, Some("one"));
    let (signed, _) = genuine.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    assert!(refusal(&verifier, &forged).await.contains("its signature is wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_is_no_secret() {
    let jwk = public(Algorithm::RS256, "one");
    let source = Source::start(vec![Turn::Set(json!({ "keys": [jwk] }))]).await;
    let verifier = source.verifier().await;
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
async fn either_of_two_secrets_opens() {
    let other = "another-secret-of-the-tests-0123456789abcdef";
    let secrets = [SECRET, other].map(|text| text.parse().unwrap()).to_vec();
    let verifier = Verifier::load(KeySource::Secrets(secrets), None, None).await.unwrap();
    let signed = |secret: &str| {
        let claims = claims(json!({"sub": "mia", "role": "user"}));
        sign(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))
    };
    assert!(verifier.verify(&signed(SECRET)).await.is_ok());
    assert!(verifier.verify(&signed(other)).await.is_ok());
    let stranger = signed("a-third-secret-of-the-tests-0123456789abcdef");
    assert!(refusal(&verifier, &stranger).await.contains("its signature is wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_refreshes_the_set_at_most_once_in_a_while() {
    let old = json!({ "keys": [public(Algorithm::ES256, "old")] });
    let new = json!({ "keys": [public(Algorithm::ES256, "old"), public(Algorithm::EdDSA, "new")] });
    let source = Source::start(vec![Turn::Set(old), Turn::Set(new)]).await;
    let verifier = source.verifier().await;
    assert!(verifier.verify(&token(Algorithm::ES256, Some("old"))).await.is_ok());
    for _ in 0..20 {
        assert!(verifier.verify(&token(Algorithm::EdDSA, Some("made up"))).await.is_err());
    }
    assert_eq!(source.asked(), 1, "just loaded: strangers can't make the service ask again");
    verifier.refresh().await;
    assert_eq!(source.asked(), 2, "who runs the service can");
    assert!(verifier.verify(&token(Algorithm::EdDSA, Some("new"))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_a_known_key_does_not_wait_for_the_source() {
    let set = json!({ "keys": [public(Algorithm::ES256, "one")] });
    let source = Source::start(vec![Turn::Set(set), Turn::Silence]).await;
    let verifier = source.verifier().await;
    let slow = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.refresh().await }
    });
    while source.asked() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let known = token(Algorithm::ES256, Some("one"));
    let answered = timeout(Duration::from_secs(2), verifier.verify(&known)).await;
    assert!(answered.expect("at once").is_ok());
    assert!(!slow.is_finished(), "the source is still silent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_the_password_is_sent() {
    let set = json!({ "keys": [public(Algorithm::ES256, "one")] });
    let elsewhere = Source::start(vec![Turn::Set(set.clone())]).await;
    let source = Source::start(vec![Turn::Redirect(elsewhere.url.clone())]).await;
    let verifier = source.verifier().await;
    let refused = refusal(&verifier, &token(Algorithm::ES256, Some("one"))).await;
    assert!(refused.starts_with("keys_unavailable"), "{refused}");
    assert_eq!((source.asked(), elsewhere.asked()), (1, 0));

    let source = Source::start(vec![Turn::Set(set)]).await;
    let with_password = source.url.replace("http://", "http://ada:p%40ss@");
    let verifier = self::verifier(with_password.parse().unwrap()).await.unwrap();
    assert!(verifier.verify(&token(Algorithm::ES256, Some("one"))).await.is_ok());
    let request = source.request.lock().unwrap().to_lowercase();
    assert!(request.contains("authorization: basic ywrhonbac3m="), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_works_too_and_one_without_usable_keys_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let source: SetSource = path.to_str().unwrap().parse().unwrap();
    assert!(verifier(source.clone()).await.is_err(), "there is no file");
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"});
    std::fs::write(&path, json!({ "keys": [symmetric] }).to_string()).unwrap();
    let refused = verifier(source.clone()).await.err().expect("no usable key").to_string();
    assert!(refused.contains("key \"secret\": a shared secret"), "{refused}");
    std::fs::write(&path, "no json").unwrap();
    assert!(verifier(source.clone()).await.is_err());
    let set = json!({ "keys": [symmetric, public(Algorithm::EdDSA, "ed")] });
    std::fs::write(&path, format!("\u{feff}{set}")).unwrap();
    let verifier = verifier(source).await.unwrap();
    assert!(verifier.verify(&token(Algorithm::EdDSA, Some("ed"))).await.is_ok());
    assert!(verifier.verify(&token(Algorithm::EdDSA, Some("secret"))).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_yet_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let source: SetSource = format!("http://{address}/jwks").parse().unwrap();
    let database = Kind::Sqlite.database().await;
    let settings = settings(database.url(), source.into(), Options::default()).await.unwrap();
    let service = TestService::start_with(settings).await.unwrap();
    let bearer = token(Algorithm::ES256, Some("one"));
    let ready = async || Answer::of(service.request(Method::GET, "/readyz", None)).await;
    for answer in [ready().await, service.get("/api/v1/me", &bearer).await] {
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "keys_unavailable"));
        assert_eq!(answer.header("retry-after"), "5");
    }
    let set = json!({ "keys": [public(Algorithm::ES256, "one")] });
    let _source = Source::serve(TcpListener::bind(address).await.unwrap(), vec![Turn::Set(set)]);
    let waits = async {
        while ready().await.status != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(30), waits).await.expect("it asks again by itself");
    assert_eq!(service.get("/api/v1/me", &bearer).await.status, 200);
}
