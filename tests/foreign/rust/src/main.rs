//! The course through the client that progenitor makes.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use generated::types::{Entry, Problem, RecordRequest};
use generated::{ByteStream, Client, Error};
use serde_json::{Value, json};
use uuid::Uuid;

#[allow(clippy::all, missing_docs, unused)]
mod generated {
    progenitor::generate_api!(spec = "../../../openapi/openapi-3.0.json", interface = Builder,);
}

type Times = Option<(DateTime<Utc>, DateTime<Utc>)>;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn client(token: &str) -> Client {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let http = reqwest::Client::builder().default_headers(headers).build().unwrap();
    Client::new_with_client(&variable("BASE_URL"), http)
}

fn at(minute: i64) -> DateTime<Utc> {
    "2026-01-31T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn entry(id: Uuid, minute: i64, action: &str) -> Value {
    json!({
        "id": id, "occurred_at": at(minute), "type": "Users", "action": action,
        "user": {"id": "auth0|64f1", "name": "Ada Abara"},
        "organization": {"id": "acme", "name": "Acme"},
        "identifier": format!("user {minute}"), "new_value": {"seat": minute},
    })
}

fn request(entries: &[Value]) -> RecordRequest {
    serde_json::from_value(json!({ "entries": entries })).unwrap()
}

/// All pages, pinned by the first.
async fn pages(member: &Client, recorder: &Client, times: Times) -> Vec<Entry> {
    let (mut found, mut total, mut as_of) = (Vec::new(), None, None);
    for page in 1_u64.. {
        let mut ask = member.list_organization_activity_logs().organization_id("acme");
        ask = ask.type_(vec!["Users".parse().unwrap()]).page(page).page_size(25);
        if let Some((from, to)) = times {
            ask = ask.from(from).to(to);
        }
        if let Some(as_of) = as_of.clone() {
            ask = ask.as_of::<generated::types::AsOf>(as_of);
        }
        let answer = ask.send().await.unwrap().into_inner();
        if total.is_none() {
            // What is recorded meanwhile moves nothing.
            let late = request(&[entry(Uuid::new_v4(), 15, "Update")]);
            recorder.record_activity_logs().body(late).send().await.unwrap();
        }
        let (total, _) = (*total.get_or_insert(answer.total), as_of.insert(answer.as_of));
        assert_eq!(answer.total, total);
        found.extend(answer.items);
        if page as i64 >= answer.total_pages as i64 {
            assert_eq!(found.len() as i64, total as i64);
            return found;
        }
    }
    unreachable!()
}

/// Problems have a media type of their own, which this generator leaves as bytes; what they hold is
/// a type of it all the same.
async fn meets<T>(answer: Result<T, Error<ByteStream>>, status: u16, code: &str) -> Problem {
    let Err(Error::ErrorResponse(response)) = answer else { panic!("no {code}") };
    assert_eq!(response.status().as_u16(), status);
    let body: Vec<u8> = response
        .into_inner()
        .into_inner()
        .try_fold(Vec::new(), |mut all, bytes| async move {
            all.extend_from_slice(&bytes);
            Ok(all)
        })
        .await
        .unwrap();
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    assert_eq!(*problem.code, code);
    problem
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [recorder, member, outsider] =
        ["RECORDER", "MEMBER", "OUTSIDER"].map(|name| client(&variable(name)));
    let ids: Vec<Uuid> = (0..30).map(|_| Uuid::new_v4()).collect();
    let entries: Vec<Value> =
        ids.iter().zip(0..).map(|(id, minute)| entry(*id, minute, "Update")).collect();
    let recorded = recorder.record_activity_logs().body(request(&entries)).send().await.unwrap();
    assert!(recorded.entries.iter().map(|entry| entry.id).eq(ids.iter().copied()));
    println!("recorded");

    let found = pages(&member, &recorder, None).await;
    assert!(found.iter().map(|entry| entry.id).eq(ids.iter().rev().copied()));
    println!("pages hold still");

    let found = pages(&member, &recorder, Some((at(5), at(10)))).await;
    assert!(found.iter().map(|entry| entry.id).eq(ids[5..10].iter().rev().copied()));
    println!("filtered by time");

    let get = async |client: &Client, id: Uuid| {
        client.get_organization_activity_log().organization_id("acme").id(id).send().await
    };
    let one = get(&member, ids[7]).await.unwrap().into_inner();
    assert_eq!(serde_json::to_value(&one.new_value).unwrap(), json!({"seat": 7}));
    assert!(serde_json::to_value(&one.old_value).unwrap().is_null());
    assert_eq!(
        one.organization.map(|organization| organization.name.to_string()),
        Some("Acme".into())
    );
    println!("one entry");

    meets(get(&client("nonsense"), ids[0]).await, 401, "invalid_token").await;
    meets(get(&outsider, ids[0]).await, 403, "forbidden").await;
    meets(get(&member, Uuid::new_v4()).await, 404, "not_found").await;
    let send = |entry| recorder.record_activity_logs().body(request(&[entry])).send();
    meets(send(entry(ids[0], 1, "Update")).await, 409, "id_conflict").await;
    let broken = meets(send(entry(Uuid::new_v4(), 1, "Fetch")).await, 422, "invalid_entries").await;
    assert_eq!(broken.errors[0].pointer, "/entries/0/new_value");
    println!("problems are typed");
    println!("the course is done");
}
