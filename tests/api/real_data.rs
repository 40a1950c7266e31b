//! Real activity, where it is present: imported by the program, and what the service says of
//! it compared with what a plain reading of the file says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

use activity_logs_store::Options;
use activity_logs_tests::{Kind, TestService, admin, as_of, on_both_databases, real_data, secret};
use serde_json::Value;

on_both_databases! {
    an_hour_of_real_activity_is_told_as_it_was
    a_year_of_real_activity_is_counted_as_it_was
}

/// A file of real entries, if this machine has it.
fn file(name: &str) -> Option<PathBuf> {
    let path = real_data(name);
    if path.is_none() {
        println!("{name} is not on this machine; nothing is compared");
    }
    path
}

fn read(path: &PathBuf) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn import(path: &PathBuf, url: &str) {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let program = program.join("activity-logs");
    let status = Command::new(program)
        .arg("import")
        .arg(path)
        .args(["--database-url", url])
        .status()
        .unwrap();
    assert!(status.success());
}

async fn an_hour_of_real_activity_is_told_as_it_was(kind: Kind) {
    let Some(path) = file("github-hour.ndjson.gz") else { return };
    let entries = read(&path);
    let database = kind.database().await;
    import(&path, database.url());
    let service =
        TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    let mut sent: HashMap<&str, &Value> =
        entries.iter().map(|e| (e["id"].as_str().unwrap(), e)).collect();
    let pages = entries.len().div_ceil(100);
    let as_of = as_of(database.url(), entries.len() as i64).await;
    for page in 1..=pages {
        let path = format!("/api/v1/activity-logs?page_size=100&page={page}&as_of={as_of}");
        let listing = service.get(&path, &admin()).await;
        assert_eq!(listing.body["total"], entries.len());
        for got in listing.items() {
            let sent = sent.remove(got["id"].as_str().unwrap()).expect("each entry once");
            for field in [
                "type",
                "action",
                "user",
                "organization",
                "workspace",
                "identifier",
                "old_value",
                "new_value",
            ] {
                assert_eq!(got[field], sent[field], "{field} of {}", got["id"]);
            }
            assert_eq!(
                got["occurred_at"].as_str().unwrap().replace(".000000Z", "Z"),
                sent["occurred_at"].as_str().unwrap()
            );
        }
    }
    assert!(sent.is_empty(), "every entry is told");
}

async fn a_year_of_real_activity_is_counted_as_it_was(kind: Kind) {
    let Some(path) = file("incidents.ndjson.gz") else { return };
    let entries = read(&path);
    let database = kind.database().await;
    import(&path, database.url());
    let service =
        TestService::start_on(database.url(), secret(), Options::default()).await.unwrap();
    let count =
        |holds: &dyn Fn(&Value) -> bool| entries.iter().filter(|entry| holds(entry)).count();
    let mut organizations: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &entries {
        *organizations.entry(entry["organization"]["id"].as_str().unwrap()).or_default() += 1;
    }
    let as_of = as_of(database.url(), entries.len() as i64).await;
    let total = async |path: &str, query: &str| {
        let answer = service.get(&format!("{path}?as_of={as_of}&{query}"), &admin()).await;
        answer.body["total"].as_u64().unwrap_or_else(|| panic!("{answer:?}")) as usize
    };
    for (id, expected) in organizations.iter().step_by(9) {
        assert_eq!(
            total(&format!("/api/v1/organizations/{id}/activity-logs"), "").await,
            *expected,
            "{id}"
        );
    }
    let all = "/api/v1/activity-logs";
    assert_eq!(total(all, "action=Terminate").await, count(&|e| e["action"] == "Terminate"));
    assert_eq!(
        total(all, "workspace_id=group-70").await,
        count(&|e| e["workspace"]["id"] == "group-70")
    );
    let march = |e: &Value| {
        let at = e["occurred_at"].as_str().unwrap();
        ("2016-03-01T00:00:00Z".."2016-04-01T00:00:00Z").contains(&at)
    };
    assert_eq!(
        total(all, "from=2016-03-01T00:00:00Z&to=2016-04-01T00:00:00Z").await,
        count(&march)
    );

    // One organization's pages, from end to end: each entry once, in order, ties included.
    let (id, expected) = organizations
        .iter()
        .filter(|(_, count)| **count > 1500)
        .min_by_key(|(_, count)| **count)
        .unwrap();
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for page in 1..=expected.div_ceil(100) {
        let path = format!(
            "/api/v1/organizations/{id}/activity-logs?page_size=100&page={page}&as_of={as_of}"
        );
        for item in service.get(&path, &admin()).await.items() {
            assert!(seen.insert(item["id"].as_str().unwrap().to_owned()));
            order.push((
                item["occurred_at"].as_str().unwrap().to_owned(),
                item["sequence"].as_i64().unwrap(),
            ));
        }
    }
    assert_eq!(seen.len(), *expected);
    assert!(order.is_sorted_by(|a, b| a > b));
}
