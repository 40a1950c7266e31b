//! Counters and entries can't part ways: the program is killed at random while it records, again
//! and again on one database, and each time everything that it acknowledged is there, in the place
//! that it said, and `activity-logs check` finds nothing.
//!
//! `ACTIVITY_LOGS_CRASH_ROUNDS` says how often each database is met; 12 times without it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_logs_tests::served::Served;
use activity_logs_tests::{Kind, admin, entry, recorder};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

/// So short that most kills meet the sealing of a run.
const RUN_ENTRIES: u32 = 64;
const SENDERS: u64 = 4;
const ORGANIZATIONS: [&str; 3] = ["acme", "umbrella", "Acme"];
const USERS: [&str; 3] = ["ada", "ben", "cy"];

/// The program that `cargo xtask test` has built beside these tests.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("activity-logs");
    assert!(
        path.exists(),
        "{} is missing; `cargo build --package activity-logs` makes it",
        path.display()
    );
    path
}

/// A request of a few entries: their ids and what they say.
fn request(random: &mut SmallRng) -> Vec<Value> {
    let organization = ORGANIZATIONS[random.random_range(0..3)];
    let one = |number: u32, random: &mut SmallRng| {
        let mut entry = entry(organization, &number.to_string());
        entry["id"] = json!(Uuid::from_u128(random.random()));
        entry["user"]["id"] = json!(USERS[random.random_range(0..3)]);
        entry["outcome"] = json!(["success", "denied"][random.random_range(0..2)]);
        entry["occurred_at"] = json!(format!(
            "2026-01-{:02}T{:02}:00:00Z",
            random.random_range(1..28),
            random.random_range(0..24)
        ));
        entry
    };
    let count = random.random_range(1..60);
    (0..count).map(|number| one(number, random)).collect()
}

/// What was sent, and what was answered, if it was.
#[derive(Default)]
struct Sent {
    requests: Vec<(Vec<Value>, Option<Value>)>,
}

async fn send_until_it_dies(address: String, sent: Arc<Mutex<Sent>>, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let client = Client::new();
    loop {
        // Now and then something that was sent before, acknowledged or not.
        let earlier = {
            let sent = sent.lock().unwrap();
            let wanted = !sent.requests.is_empty() && random.random_bool(0.2);
            wanted.then(|| sent.requests[random.random_range(0..sent.requests.len())].0.clone())
        };
        let entries = earlier.unwrap_or_else(|| request(&mut random));
        let place = {
            let mut sent = sent.lock().unwrap();
            sent.requests.push((entries.clone(), None));
            sent.requests.len() - 1
        };
        let url = format!("http://{address}/api/v1/activity-logs");
        let body = json!({"entries": entries});
        let Ok(response) = client.post(url).bearer_auth(recorder()).json(&body).send().await else {
            return;
        };
        assert_eq!(response.status(), 201);
        let Ok(answer) = response.json::<Value>().await else { return };
        sent.lock().unwrap().requests[place].1 = Some(answer);
    }
}

async fn read_until_it_dies(address: String) {
    let client = Client::new();
    loop {
        let url = format!("http://{address}/api/v1/activity-logs?user_id=ada&page=2");
        let Ok(response) = client.get(url).bearer_auth(admin()).send().await else { return };
        assert_eq!(response.status(), 200);
    }
}

fn check(url: &str) {
    let output = Command::new(program()).args(["check", "--database-url", url]).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{says}");
}

/// Everything that an administrator sees, newest first, and the total.
async fn listing(served: &Served, query: &str) -> (Vec<Value>, u64) {
    let (client, mut items, mut pin) = (Client::new(), Vec::new(), String::new());
    for page in 1.. {
        let url =
            format!("http://{}/api/v1/{query}page_size=100&page={page}{pin}", served.address());
        let response = client.get(url).bearer_auth(admin()).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        let of_page = body["items"].as_array().unwrap_or_else(|| panic!("{body}"));
        items.extend(of_page.iter().cloned());
        pin = format!("&as_of={}", body["as_of"].as_str().unwrap());
        if page >= body["total_pages"].as_u64().unwrap() {
            return (items, body["total"].as_u64().unwrap());
        }
    }
    unreachable!("pages end")
}

/// Each acknowledged entry is there as it was told, and requests are there whole or not at all.
fn assert_kept(sent: &Sent, entries: &[Value]) {
    let by_id: HashMap<&str, &Value> =
        entries.iter().map(|entry| (entry["id"].as_str().unwrap(), entry)).collect();
    for (request, answer) in &sent.requests {
        let there =
            request.iter().filter(|entry| by_id.contains_key(entry["id"].as_str().unwrap()));
        let there = there.count();
        assert!([0, request.len()].contains(&there), "{there} of {}", request.len());
        let Some(answer) = answer else { continue };
        for (sent, told) in request.iter().zip(answer["entries"].as_array().unwrap()) {
            let kept =
                by_id.get(told["id"].as_str().unwrap()).expect("an acknowledged entry is there");
            for field in ["id", "sequence"] {
                assert_eq!(kept[field], told[field]);
            }
            for field in ["user", "organization", "identifier", "outcome"] {
                assert_eq!(kept[field], sent[field]);
            }
        }
    }
}

async fn survives(kind: Kind) {
    let rounds =
        std::env::var("ACTIVITY_LOGS_CRASH_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    let database = kind.database().await;
    database.set_run_entries(RUN_ENTRIES).await;
    let sent = Arc::new(Mutex::new(Sent::default()));
    let mut random = SmallRng::seed_from_u64(rounds);
    for round in 0..rounds {
        let mut served = Served::start(&program(), database.url()).unwrap();
        let mut busy = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            let seed = round * SENDERS + sender;
            busy.spawn(send_until_it_dies(served.address().to_owned(), sent.clone(), seed));
        }
        busy.spawn(read_until_it_dies(served.address().to_owned()));
        tokio::time::sleep(Duration::from_millis(random.random_range(20..400))).await;
        served.kill().unwrap();
        while let Some(ended) = busy.join_next().await {
            ended.expect("nobody met anything but the end");
        }
        check(database.url());
    }
    let served = Served::start(&program(), database.url()).unwrap();
    let (entries, total) = listing(&served, "activity-logs?").await;
    assert_eq!(total, entries.len() as u64);
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    assert_kept(&sent, &entries);
    let acknowledged = sent.requests.iter().filter(|(_, answer)| answer.is_some()).count();
    assert!(acknowledged as u64 > rounds, "{acknowledged} requests were acknowledged");

    let count =
        |filter: &dyn Fn(&Value) -> bool| entries.iter().filter(|entry| filter(entry)).count();
    let mut expected = BTreeMap::new();
    for id in ORGANIZATIONS {
        let of_it = count(&|entry| entry["organization"]["id"] == id);
        expected.insert(format!("organizations/{id}/activity-logs?"), of_it);
    }
    let of = |field: &'static str, value: &'static str| count(&|entry| entry[field] == value);
    expected.insert("activity-logs?type=Users&".to_owned(), of("type", "Users"));
    expected.insert("activity-logs?outcome=denied&".to_owned(), of("outcome", "denied"));
    let of_ben = count(&|entry| entry["user"]["id"] == "ben");
    expected.insert("activity-logs?user_id=ben&".to_owned(), of_ben);
    let early = count(&|entry| entry["occurred_at"].as_str() < Some("2026-01-10T12"));
    expected.insert("activity-logs?to=2026-01-10T12:00:00Z&".to_owned(), early);
    for (query, expected) in expected {
        assert!(expected > 0, "{query}: nothing to count");
        assert_eq!(listing(&served, &query).await.1, expected as u64, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    survives(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    survives(Kind::Postgres).await;
}
