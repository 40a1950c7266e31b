//! How the program starts: with secrets from files, with variables that are set to nothing, with
//! passwords that nobody may see, and what it says when it can't.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;

use activity_logs_tests::{SECRET, claims, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::{public, token};
use crate::program::{program, run, text};

/// The program, serving, with its log as JSON; killed when it is dropped.
struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    said: Vec<Value>,
    _folder: TempDir,
}

fn serve() -> Command {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command
}

impl Serving {
    /// Starts it and reads its log until it listens or has ended.
    fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command.current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Self { child, log, said: Vec::new(), _folder: folder };
        serving.until("listening");
        serving
    }

    /// Reads the log up to the line that says this.
    fn until(&mut self, message: &str) -> Value {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            let said: Value = serde_json::from_str(&line).expect(&line);
            self.said.push(said.clone());
            if said["message"].as_str().unwrap_or_default().contains(message) {
                return said;
            }
            line.clear();
        }
        Value::Null
    }

    fn says(&self, text: &str) -> bool {
        self.said.iter().any(|line| line["message"].as_str().unwrap_or_default().contains(text))
    }

    async fn status(&self, token: &str) -> u16 {
        let listening = self.said.iter().find_map(|line| line["address"].as_str()).unwrap();
        let url = format!("http://{listening}/api/v1/me");
        reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signed_with(secret: &str) -> String {
    let claims = claims(json!({"sub": "mia", "role": "user"}));
    sign(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_files_and_two_of_them_change_places() {
    let folder = tempfile::tempdir().unwrap();
    let [new, old] = ["new", "old"].map(|name| folder.path().join(name));
    let old_secret = "the-secret-of-before-0123456789abcdef";
    std::fs::write(&new, format!("\u{feff}{SECRET}\r\n")).unwrap();
    std::fs::write(&old, format!("{old_secret}\n")).unwrap();
    let both = format!("{},{}", new.display(), old.display());
    let url = folder.path().join("url");
    let database = folder.path().join("log.db");
    std::fs::write(&url, format!("sqlite:{}\n", database.display())).unwrap();
    let serving = Serving::start(
        serve()
            .env("ACTIVITY_LOGS_JWT_SECRET_FILE", &both)
            .args(["--database-url-file", url.to_str().unwrap()]),
    );
    assert!(database.exists(), "the file's URL was used");
    for (secret, status) in [(SECRET, 200), (old_secret, 200), (&"x".repeat(40), 401)] {
        assert_eq!(serving.status(&signed_with(secret)).await, status);
    }
    let mut mint = program();
    mint.args(["token", "--sub", "mia", "--role", "user", "--jwt-secret-file"]).arg(&new);
    let minted = run(mint.arg("--jwt-secret-file").arg(&old), "");
    let minted = text(&minted.stdout);
    let mut validation = jsonwebtoken::Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let first = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::decode::<Value>(minted.trim(), &first, &validation).expect("signed by the first");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut mint = program();
        mint.args(["token", "--sub", "a", "--role", "admin", "--jwt-secret-file"]).arg(&path);
        let output = run(&mut mint, "");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr).contains("every user"), warns, "{mode:o}");
    }
}

/// What a command said, without what differs from time to time.
fn behaviour(command: &mut Command) -> (Option<i32>, Vec<String>) {
    let output = run(command, "");
    let mut lines = vec![];
    for line in text(&output.stdout).lines() {
        match line.split('.').collect::<Vec<_>>()[..] {
            [_, claims, _] if line.starts_with("eyJ") => {
                let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
                let mut claims: Value = serde_json::from_slice(&claims).unwrap();
                let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
                claims["exp"] = json!(lifetime);
                claims.as_object_mut().unwrap().remove("iat");
                lines.push(claims.to_string());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let errors = text(&output.stderr);
    // Log lines begin with the time.
    lines.extend(errors.lines().filter(|line| !line.starts_with("20")).map(str::to_owned));
    (output.status.code(), lines)
}

/// Every variable that the command line knows, on every command: those of tomorrow too.
#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let entries = folder.path().join("entries.ndjson");
    std::fs::write(&entries, "").unwrap();
    let mut tested = 0;
    for subcommand in activity_logs::cli::command().get_subcommands() {
        let name = subcommand.get_name();
        let of_all = activity_logs::cli::command();
        let arguments = of_all.get_arguments().chain(subcommand.get_arguments());
        for variable in arguments.filter_map(|argument| argument.get_env()) {
            let command = || {
                let mut command = program();
                command.current_dir(folder.path()).arg(name);
                let mut given = vec![("ACTIVITY_LOGS_JWT_SECRET", SECRET)];
                match name {
                    // These would serve for ever: they go as far as to the port, and where that is
                    // asked for by the variable, to the web app.
                    "serve" | "demo" if variable == "ACTIVITY_LOGS_LISTEN" => {
                        given.push(("ACTIVITY_LOGS_WEB_ROOT", "/nowhere"));
                    }
                    "serve" | "demo" => given.push(("ACTIVITY_LOGS_LISTEN", &taken)),
                    "import" => drop(command.arg(&entries)),
                    "token" => {
                        given.extend([("ACTIVITY_LOGS_SUB", "a"), ("ACTIVITY_LOGS_ROLE", "admin")]);
                    }
                    _ => {}
                }
                command.envs(given.into_iter().filter(|(name, _)| variable != *name));
                command
            };
            let without = behaviour(&mut command());
            assert_eq!(behaviour(command().env(variable, "")), without, "{name}: {variable:?}");
            tested += 1;
        }
    }
    assert!(tested > 40, "{tested} variables of all commands");
}

#[test]
fn a_failure_to_start_is_a_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    for (arguments, says) in [
        (vec!["serve"], "a key to check tokens with is needed"),
        (vec!["serve", "--jwks", "http://id.example.com/jwks"], "must come over https"),
        (vec!["serve", "--jwks", missing], "reading the key set"),
        (vec!["serve", "--jwt-secret-file", missing], "the secret in"),
        (vec!["serve", "--jwt-secret", SECRET, "--database-url", "mysql://x"], "sqlite:"),
        (vec!["serve", "--jwt-secret", SECRET, "--log", "a=b=c"], "--log"),
        (vec!["serve", "--jwt-secret", SECRET, "--log", "off", "--web-root", missing], "missing"),
        (vec!["serve", "--listen", "nowhere"], "invalid value 'nowhere'"),
        (vec!["serve", "--jwt-issuer", ""], "a value is required"),
        (vec!["serve", "--jwks", "x", "--jwks-max-stale", "1s"], "at least 1m"),
        (vec!["demo", "--web-root", missing], "missing"),
        (vec!["import", missing], "missing"),
        (vec!["check", "--database-url", "mysql://x"], "sqlite:"),
        (vec!["check", "--database-url-file", missing], "the database URL"),
        (vec!["token", "--sub", "a", "--role", "admin"], "the secret is needed"),
        (vec!["token"], "--sub"),
    ] {
        let mut command = program();
        command.current_dir(folder.path()).args(&arguments).args(["--log-format", "json"]);
        let output = run(&mut command, "");
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        let lines: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let last = lines.last().expect("it says why");
        assert_eq!(last["level"], "ERROR", "{said}");
        assert!(last["timestamp"].as_str().unwrap().starts_with("20"), "{said}");
        assert!(last["message"].as_str().unwrap().contains(says), "{arguments:?}: {said}");
    }
    let output = run(program().arg("serve").env("ACTIVITY_LOGS_LOG_FORMAT", "json"), "");
    assert!(text(&output.stderr).starts_with('{'), "{}", text(&output.stderr));
}

/// Root may write everywhere, so where the tests are root the program is somebody else.
#[test]
fn a_file_that_can_not_be_written_is_not_served() {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let url = format!("sqlite:{}", file.display());
    let entry = activity_logs_tests::entry("acme", "one").to_string();
    let imported = run(program().args(["import", "-", "--database-url", &url]), &entry);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    allow(&file, 0o444);
    allow(folder.path(), 0o555);

    let mut command = serve();
    command.args(["--jwt-secret", SECRET, "--database-url", &url]);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    // To the end, or to where it would serve.
    let mut said = Vec::new();
    for line in lines {
        let listens = line.contains("listening");
        said.push(line);
        if listens {
            break;
        }
    }
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    allow(folder.path(), 0o755);
    assert_eq!(ended.code(), Some(1), "{said:?}");
    assert!(said.last().is_some_and(|line| line.contains("log.db")), "{said:?}");
}

#[test]
fn no_piece_of_a_password_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let passwords = [
        "p@ss?Hunter2",
        "p?Hunter2",
        "p#Hunter2",
        "12#Hunter2",
        "p/Hunter2",
        "12/Hunter2",
        "p%Hunter2",
        "p%ffHunter2",
        "p@Hunter2",
        "12?sslmode=Hunter2",
        "Hunter2",
    ];
    for password in passwords {
        let url = format!("postgres://al:{password}@127.0.0.1:1/log");
        let file = folder.path().join("url");
        std::fs::write(&file, format!("{url}\n")).unwrap();
        let file = file.to_str().unwrap();
        for arguments in [
            &["serve", "--log", "trace", "--database-url", &url][..],
            &["check", "--database-url", &url],
            &["import", "-", "--log-format", "json", "--database-url-file", file],
        ] {
            let mut command = program();
            command.env("ACTIVITY_LOGS_JWT_SECRET", SECRET).args(arguments);
            let output = run(&mut command, "");
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(!output.status.success(), "nothing listens there");
            assert!(!said.contains("Hunter2") && !said.contains("p@ss"), "{arguments:?}: {said}");
        }
    }
    let url = "https://ada:Hunter2@127.0.0.1:1/jwks?key=Hunter2";
    let mut serving =
        Serving::start(serve().args(["--log", "trace"]).env("ACTIVITY_LOGS_JWKS", url));
    assert!(serving.says("the key set can't be read"), "{:?}", serving.said);
    let _ = serving.child.kill();
    serving.until("nothing of this kind");
    assert!(serving.said.iter().all(|line| !line.to_string().contains("Hunter2")));
    for command in ["serve", "check", "import", "token"] {
        let mut help = program();
        help.args([command, "--help"]).env("ACTIVITY_LOGS_JWT_SECRET", "Hunter2");
        help.env("ACTIVITY_LOGS_JWKS", url).env("ACTIVITY_LOGS_DATABASE_URL", "sqlite:Hunter2");
        let help = text(&run(&mut help, "").stdout);
        assert!(help.contains("ACTIVITY_LOGS_LOG") && !help.contains("Hunter2"), "{help}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_key_set_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let write = |id: &str| {
        let set = json!({ "keys": [public(Algorithm::ES256, id)] });
        std::fs::write(&path, set.to_string()).unwrap();
    };
    write("old");
    let mut serving = Serving::start(serve().arg("--jwks").arg(&path));
    for warned in ["--jwt-audience", "--jwt-issuer"] {
        assert!(serving.says(warned), "{:?}", serving.said);
    }
    let [old, new] = ["old", "new"].map(|id| token(Algorithm::ES256, Some(id)));
    assert_eq!([serving.status(&old).await, serving.status(&new).await], [200, 401]);
    write("new");
    let process = serving.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &process]).status().unwrap().success());
    assert_ne!(serving.until("SIGHUP"), Value::Null);
    for _ in 0..100 {
        if serving.status(&new).await == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!([serving.status(&old).await, serving.status(&new).await], [401, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_could_not_be_authenticated_is_logged_without_the_token() {
    let mut serving = Serving::start(serve().env("ACTIVITY_LOGS_JWT_SECRET", SECRET));
    let stranger = signed_with("a-third-secret-of-the-tests-0123456789abcdef");
    assert_eq!(serving.status(&stranger).await, 401);
    let line = serving.until("authentication failed");
    assert_eq!(line["peer"], "127.0.0.1");
    assert!(line["reason"].as_str().unwrap().contains("its signature is wrong"), "{line}");
    for part in stranger.split('.') {
        assert!(serving.said.iter().all(|line| !line.to_string().contains(part)));
    }
}

/// Serves a key set over TLS, with a certificate of an authority that only these tests know.
fn serve_over_tls() -> u16 {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("keys/localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("keys/localhost.key.pem")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certificate], key)
    .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = json!({ "keys": [public(Algorithm::RS256, "one")] }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let length = body.len();
            // Who does not trust the certificate hangs up.
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorities_of_the_system_vouch_for_a_key_set() {
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/api/keys/authority.pem");
    let url = format!("https://localhost:{}/jwks", serve_over_tls());
    // A proxy for this machine itself is of no use, and none listens here.
    let command = || {
        let mut command = serve();
        command.args(["--jwks", &url]).env("HTTPS_PROXY", "http://127.0.0.1:1");
        command
    };
    let trusted = Serving::start(command().env("SSL_CERT_FILE", authority));
    assert_eq!(trusted.status(&token(Algorithm::RS256, Some("one"))).await, 200);
    for (file, says) in [("", "UnknownIssuer"), ("/nowhere.pem", "SSL_CERT_FILE")] {
        let stranger = Serving::start(command().env("SSL_CERT_FILE", file));
        assert!(stranger.says(says), "{:?}", stranger.said);
        assert_eq!(stranger.status(&token(Algorithm::RS256, Some("one"))).await, 503);
    }
}
