//! The built program: its commands, what it refuses, and what it says.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use activity_logs_tests::{Kind, SECRET, on_both_databases};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

on_both_databases! {
    import_keeps_the_good_lines_and_names_the_bad
    a_check_fails_where_counts_do_not_agree
    a_copy_of_the_log_passes_its_check
}

/// The program that `cargo xtask test` has built beside these tests.
pub(crate) fn program() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("activity-logs");
    assert!(
        path.exists(),
        "{} is missing; `cargo build --package activity-logs` makes it",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_clear().current_dir(std::env::temp_dir());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn it_does_not_start_without_a_good_key() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    for (arguments, says) in [
        (vec![], "a key to check tokens with is needed"),
        (vec!["--jwt-secret", "too-short-to-be-one"], "at least 32 bytes"),
        (vec!["--jwks", "http://id.example.com/jwks"], "must come over https"),
        (vec!["--jwks", "/nowhere/keys.json"], "reading the key set"),
        (vec!["--jwt-secret", SECRET, "--catalog", "/nowhere.toml"], "reading the catalog"),
        (vec!["--jwt-secret", SECRET, "--database-url", "mysql://x"], "sqlite: or postgres://"),
    ] {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(&arguments);
        if !arguments.contains(&"--database-url") {
            command.args(["--database-url", &url]);
        }
        let output = run(&mut command, "");
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains("too-short"), "a secret is not repeated: {said}");
    }
}

#[test]
fn tokens_say_what_was_asked_for() {
    let mut command = program();
    command.args([
        "token",
        "--sub",
        "mia",
        "--name",
        "Mia",
        "--role",
        "user",
        "--expires-in",
        "15m",
    ]);
    command.args([
        "--organization",
        "acme=Acme",
        "--organization",
        "beta",
        "--workspace",
        "acme/ws-1",
        "--workspace",
        "x/ws-9",
    ]);
    let output = run(command.env("ACTIVITY_LOGS_JWT_SECRET", SECRET), "");
    let token = text(&output.stdout);
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_aud = false;
    let key = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
    let claims = jsonwebtoken::decode::<Value>(token.trim(), &key, &validation).unwrap().claims;
    assert_eq!(
        claims["organizations"],
        json!([{"id": "acme", "name": "Acme", "workspaces": ["ws-1"]}, {"id": "beta"}])
    );
    assert_eq!(claims["workspaces"], json!([{"organization_id": "x", "id": "ws-9"}]));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    assert!(
        !run(program().args(["token", "--sub", "a", "--role", "admin"]), "").status.success(),
        "no secret, no token"
    );
}

#[test]
fn help_names_every_command_and_no_secret() {
    let help = text(&run(program().arg("--help"), "").stdout);
    for command in ["serve", "demo", "import", "check", "backup", "token", "openapi"] {
        assert!(help.contains(command), "{help}");
    }
    let serve =
        run(program().args(["serve", "--help"]).env("ACTIVITY_LOGS_JWT_SECRET", SECRET), "");
    assert!(!text(&serve.stdout).contains(SECRET));
}

async fn import_keeps_the_good_lines_and_names_the_bad(kind: Kind) {
    let database = kind.database().await;
    let entry = |id: u32, identifier: &str| {
        json!({"id": format!("00000000-0000-4000-8000-{id:012}"), "type": "Users", "action": "Fetch",
            "user": {"id": "a", "name": "A"}, "organization": {"id": "acme", "name": "Acme"}, "identifier": identifier})
        .to_string()
    };
    let lines = [
        format!("\u{feff}{}", entry(1, "one")),
        "{\"type\":".to_owned(),
        entry(2, "two"),
        String::new(),
        entry(3, "three").replace("Users", "Rocket"),
        entry(1, "another one"),
        entry(4, "four"),
        "{\"user\":{\"id\":\".\",\"name\":\"A\"},\"type\":\"Users\",\"action\":\"Delete\",\"old_value\":[12345678901234567.89]}"
            .to_owned(),
        "\u{feff}".to_owned(),
    ];
    let mut command = program();
    command.args(["import", "-", "--database-url", database.url()]);
    let output = run(&mut command, &lines.join("\n"));
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "bad lines are no success");
    assert!(said.contains("3 recorded, 0 there already, 4 bad lines"), "{said} {errors}");
    for line in [
        "line 2: is not JSON: column 8: the text ends too early",
        "line 5: /type is not a type of the catalog",
        "line 6: its id is taken",
        "line 8: /user/id must be 1 to 255 bytes of text without control characters",
        "; /old_value/0 the number 12345678901234567.89 would be kept as 12345678901234568",
    ] {
        assert!(errors.contains(line), "{line}: {errors}");
    }
    let again = run(&mut command, &[entry(1, "one"), entry(5, "five")].join("\n"));
    assert!(
        again.status.success()
            && text(&again.stdout).contains("1 recorded, 1 there already, 0 bad lines")
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marked.ndjson.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    write!(packed, "\u{feff}{}\r\n", entry(6, "six")).unwrap();
    std::fs::write(&file, packed.finish().unwrap()).unwrap();
    let mut command = program();
    let packed = run(command.arg("import").arg(&file).args(["--database-url", database.url()]), "");
    assert!(
        text(&packed.stdout).contains("1 recorded, 0 there already, 0 bad lines"),
        "{packed:?}"
    );
}

async fn a_check_fails_where_counts_do_not_agree(kind: Kind) {
    let database = kind.database().await;
    database.set_run_entries(64).await;
    let lines: Vec<String> = (0..200)
        .map(|number| activity_logs_tests::entry("acme", &number.to_string()).to_string())
        .collect();
    let url = ["--database-url", database.url()];
    let imported = run(program().args(["import", "-"]).args(url), &lines.join("\n"));
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let check = || run(program().arg("check").args(url), "");
    let well = check();
    assert!(well.status.success(), "{}", text(&well.stderr));
    assert_eq!(text(&well.stdout), "200 entries, 3 runs of the index: all counts agree\n");

    let damage =
        "UPDATE run_lists SET entries = 63 WHERE organization_id = '!' AND list = 'o*' AND run = 1";
    match kind {
        Kind::Sqlite => {
            let mut file = sqlx::SqliteConnection::connect(database.url()).await.unwrap();
            let trigger = "SELECT sql FROM sqlite_schema WHERE name = 'run_lists_never_change'";
            let trigger: String = sqlx::query_scalar(trigger).fetch_one(&mut file).await.unwrap();
            file.execute("DROP TRIGGER run_lists_never_change").await.unwrap();
            file.execute(damage).await.unwrap();
            file.execute(sqlx::AssertSqlSafe(trigger)).await.unwrap();
        }
        Kind::Postgres => {
            let mut server = sqlx::PgConnection::connect(database.url()).await.unwrap();
            server.execute(damage).await.unwrap();
        }
    }
    let ill = check();
    assert_eq!(ill.status.code(), Some(1));
    let says = "run 1, log \"!\", list \"o*\": 63 entries are counted, and 64 are there";
    assert!(text(&ill.stderr).contains(says), "{}", text(&ill.stderr));
}

async fn a_copy_of_the_log_passes_its_check(kind: Kind) {
    let database = kind.database().await;
    let lines: Vec<String> = (0..200)
        .map(|number| activity_logs_tests::entry("acme", &number.to_string()).to_string())
        .collect();
    let import =
        |url: &str, input: &str| run(program().args(["import", "-", "--database-url", url]), input);
    let check = |url: &str| run(program().args(["check", "--database-url", url]), "");
    let imported = import(database.url(), &lines.join("\n"));
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy");
    let mut backup = program();
    backup.arg("backup").arg(&file).args(["--database-url", database.url()]);
    let copied = run(&mut backup, "");
    let other = kind.database().await;
    let url = match kind {
        Kind::Sqlite => {
            assert!(copied.status.success(), "{}", text(&copied.stderr));
            let again = run(&mut backup, "");
            assert!(!again.status.success(), "the copy is not overwritten");
            format!("sqlite:{}", file.display())
        }
        Kind::Postgres => {
            let says = text(&copied.stderr);
            assert!(!copied.status.success() && says.contains("pg_dump"), "{says}");
            let dump = "--format=custom --no-owner --no-privileges --file";
            postgres_program(
                "pg_dump",
                dump.split(' ').chain([file.to_str().unwrap(), database.url()]),
            );
            let restore = "--exit-on-error --no-owner --no-privileges --dbname";
            postgres_program(
                "pg_restore",
                restore.split(' ').chain([other.url(), file.to_str().unwrap()]),
            );
            other.url().to_owned()
        }
    };
    let well = check(&url);
    assert!(well.status.success(), "{}", text(&well.stderr));
    assert_eq!(text(&well.stdout), "200 entries, 0 runs of the index: all counts agree\n");
    let imported = import(&url, &activity_logs_tests::entry("acme", "later").to_string());
    assert!(imported.status.success(), "the copy is a log: {}", text(&imported.stderr));
    assert!(check(&url).status.success());
    assert!(text(&check(database.url()).stdout).starts_with("200 entries"));
}

/// Runs a program of PostgreSQL, which need not be on the path.
fn postgres_program<'a>(name: &str, arguments: impl Iterator<Item = &'a str>) {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = installed.map(|entry| entry.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    let path = found.pop().unwrap_or_else(|| name.into());
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
}

#[test]
fn a_check_of_no_log_fails_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lgo.db");
    let url = format!("sqlite:{}", path.display());
    let checked = run(program().args(["check", "--database-url", &url]), "");
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stderr).contains("lgo.db does not exist"), "{}", text(&checked.stderr));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
