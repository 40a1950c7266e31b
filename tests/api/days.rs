//! Activity per day: its totals, which days, what is refused, and what it leaves behind.

use activity_logs_model::Timestamp;
use activity_logs_tests::{Kind, TestService, admin, entry, member, on_both_databases, token};
use serde_json::{Value, json};

on_both_databases! {
    each_day_has_the_totals_of_its_listing
    days_follow_each_other_and_hold_still
    wrong_days_are_refused
    asking_for_days_leaves_an_entry
}

const LOG: &str = "/api/v1/organizations/acme/activity-logs";

async fn each_day_has_the_totals_of_its_listing(kind: Kind) {
    let service = TestService::start(kind).await;
    let now = activity_logs_tests::now();
    let mut entries = Vec::new();
    for i in 0..60_u64 {
        let mut entry = entry("acme", &format!("thing {i}"));
        let at = Timestamp::from_micros((now - i * 7 * 3_600) as i64 * 1_000_000);
        entry["occurred_at"] = json!(at.to_string());
        entry["outcome"] = json!(["success", "denied", "failure"][i as usize % 3]);
        if i % 2 == 0 {
            entry["type"] = json!("AdminUsers");
            entry["workspace"] = json!({"id": "ws-1", "name": "One"});
        } else if i % 5 == 0 {
            entry["workspace"] = json!({"id": "ws-2", "name": "Two"});
        }
        entries.push(entry);
    }
    assert_eq!(service.record(json!(entries)).await.status, 201);
    let restricted = token(json!({"sub": "mia", "role": "user",
        "organizations": [{"id": "acme", "name": "Acme", "workspaces": ["ws-1"]}]}));
    let mut totals = Vec::new();
    for reader in [admin(), member("ben", "acme"), restricted] {
        let path = format!("{LOG}/days?days=9&time_zone=america/st_johns");
        let answer = service.get(&path, &reader).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["time_zone"], "America/St_Johns");
        let days: Vec<Value> = answer.body["days"].as_array().unwrap().clone();
        assert_eq!(days.len(), 9);
        let mut all = 0;
        for day in &days {
            let midnight = ["02:30", "03:30"]
                .map(|time| json!(format!("{}T{time}:00.000000Z", day["date"].as_str().unwrap())));
            assert!(midnight.contains(&day["from"]), "midnight in summer or in winter: {day}");
            let span = format!(
                "from={}&to={}&as_of={}",
                day["from"].as_str().unwrap(),
                day["to"].as_str().unwrap(),
                answer.body["as_of"].as_str().unwrap()
            );
            let total = async |filter: String| {
                service.get(&format!("{LOG}?{span}{filter}"), &reader).await.body["total"].clone()
            };
            assert_eq!(total(String::new()).await, day["total"]);
            for (name, field) in [("type", "types"), ("outcome", "outcomes")] {
                let counts = day[field].as_object().unwrap();
                let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(json!(sum), day["total"]);
                for (value, count) in counts {
                    assert_eq!(total(format!("&{name}={value}")).await, *count);
                }
            }
            let looks = day["types"]["ActivityLogs"].as_u64().unwrap_or(0);
            all += day["total"].as_u64().unwrap() - looks;
        }
        let last = days[8]["to"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let left = last.as_micros() / 1_000_000 - now as i64;
        assert!((0..=25 * 3_600).contains(&left), "the last day is today");
        totals.push(all);
    }
    assert!(totals[0] > totals[1] && totals[1] > totals[2] && totals[2] > 0, "{totals:?}");
}

async fn days_follow_each_other_and_hold_still(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let first = service.get(&format!("{LOG}/days"), &admin()).await;
    assert_eq!(
        (&first.body["time_zone"], &first.body["as_of"]),
        (&json!("UTC"), &json!(service.as_of(1).await)),
        "{first:?}"
    );
    let days = first.body["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    let empty = |day: &Value| {
        let midnight = |date: &Value| json!(format!("{}T00:00:00.000000Z", date.as_str().unwrap()));
        let from = midnight(&day["date"]);
        json!({"date": day["date"], "from": from, "to": day["to"], "total": 0, "types": {}, "outcomes": {}})
    };
    for pair in days.windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"], "no instant between two days, and none in both");
        assert_eq!(pair[0], empty(&pair[0]), "a day without entries is there");
    }
    let mut today = empty(&days[29]);
    today["total"] = json!(1);
    today["types"] = json!({"Users": 1});
    today["outcomes"] = json!({"success": 1});
    assert_eq!(days[29], today);

    service.record(json!([entry("acme", "two")])).await;
    let as_of = service.as_of(1).await;
    let pinned = service.get(&format!("{LOG}/days?days=92&as_of={as_of}"), &admin()).await;
    let longer = pinned.body["days"].as_array().unwrap();
    assert_eq!((longer.len(), &longer[62..]), (92, &days[..]));
    let now = service.get(&format!("{LOG}/days?days=1"), &admin()).await;
    assert_eq!(
        now.body["days"][0]["types"],
        json!({"Users": 2, "ActivityLogs": 2}),
        "its own reading left out"
    );
}

async fn wrong_days_are_refused(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let before = service.position().await;
    for (query, status, pointer) in [
        ("days=0", 422, "?days"),
        ("days=93", 422, "?days"),
        ("days=-1", 422, "?days"),
        ("days=many", 422, "?days"),
        ("time_zone=Mars/Olympus", 422, "?time_zone"),
        ("time_zone=Etc/Unknown", 422, "?time_zone"),
        ("time_zone=", 422, "?time_zone"),
        ("time_zone=UTC&time_zone=UTC", 400, "?time_zone"),
        ("as_of=2", 422, "?as_of"),
        ("as_of=-1", 422, "?as_of"),
        ("day=1", 400, "?day"),
        ("from=2026-01-01T00:00:00Z", 400, "?from"),
    ] {
        let answer = service.get(&format!("{LOG}/days?{query}"), &admin()).await;
        assert_eq!((answer.status.as_u16(), answer.pointer()), (status, pointer), "{query}");
        answer.problem();
    }
    assert_eq!(service.position().await, before, "a refused reading leaves nothing");
}

async fn asking_for_days_leaves_an_entry(kind: Kind) {
    let service = TestService::start(kind).await;
    service.record(json!([entry("acme", "one")])).await;
    let path = format!("{LOG}/days?days=7&time_zone=europe/vienna");
    assert_eq!(service.get(&path, &member("mia", "acme")).await.status, 200);
    assert_eq!(service.get(&path, &member("eve", "umbrella")).await.status, 403);
    let log = service.get(&format!("{LOG}?type=ActivityLogs"), &admin()).await;
    let said: Vec<Value> = log
        .items()
        .iter()
        .map(|item| {
            json!([item["user"]["id"], item["action"], item["outcome"], item["identifier"]])
        })
        .collect();
    assert_eq!(
        json!(said),
        json!([
            ["eve", "FetchAll", "denied", "activity per day"],
            ["mia", "FetchAll", "success", "activity per day"],
        ])
    );
    assert_eq!(
        log.items()[1]["question"],
        json!({"days": 7, "member": true, "time_zone": "Europe/Vienna"})
    );
}
