//! Every recorded answer of the calls that this client makes goes through it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // a test may

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod fake;
mod record;

use fake::{Hasty, Server, client};
use futures_util::StreamExt as _;
use omni_client::{Client, Error, Event, Kind, ListOptions, Resource, WatchOptions};
use record::{Record, records};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const RESOURCES: &str = "ResourceService/";

/// Recorded exchanges of the resource service that this client does not make, and why.
const NOT_OURS: &[(&str, &str)] = &[
    ("04", "sent without the runtime header"),
    ("12", "the request was no JSON"),
    ("13", "the request had a field that does not exist"),
    ("14", "sent with GET"),
    ("15", "there is no such call"),
    ("16", "a call of debug builds, not in releases"),
    ("17", "a call of debug builds, not in releases"),
    ("42", "sent without a resource"),
    ("58", "sent without a signature"),
    ("65", "signed for another method"),
    ("66", "an unsigned header was added"),
    ("67", "headers without their prefix"),
    ("68", "another call's signature was used again"),
    (
        "83",
        "asks for past events, which this API ignores for kinds",
    ),
    ("190", "an owner was sent, which users cannot set"),
    ("202", NO_VERSION),
    ("203", NO_VERSION),
    ("204", NO_VERSION),
    ("206", NO_VERSION),
    ("207", NO_VERSION),
    ("414", "another runtime than Omni"),
    ("415", "another runtime than Omni"),
];
const NO_VERSION: &str = "an update without a version: refused before it is sent";

enum Outcome {
    Done,
    Items(Vec<Resource>),
}

async fn call(client: &Client, record: &Record) -> Result<Outcome, Error> {
    let kind = record.kind();
    let body = &record.request["body"];
    Ok(match record.method() {
        "Get" => Outcome::Items(vec![client.get(&kind, record.id()).await?]),
        "List" => {
            let options = ListOptions {
                selectors: record.selectors(),
                search: serde_json::from_value(body["search_for"].clone()).unwrap_or_default(),
                sort_by: body["sort_by_field"].as_str().map(str::to_owned),
                descending: body["sort_descending"].as_bool().unwrap_or(false),
                page_size: 0,
            };
            Outcome::Items(
                client
                    .list_page(
                        &kind,
                        &options,
                        record.number("offset"),
                        record.number("limit"),
                    )
                    .await?
                    .items,
            )
        }
        "Create" => client
            .create(&record.resource())
            .await
            .map(|()| Outcome::Done)?,
        "Update" => client
            .update(&record.resource())
            .await
            .map(|()| Outcome::Done)?,
        "Delete" => client
            .delete(&kind, record.id())
            .await
            .map(|()| Outcome::Done)?,
        "Teardown" => client
            .teardown(&kind, record.id())
            .await
            .map(|()| Outcome::Done)?,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn every_recorded_exchange_of_the_resource_service_is_made_and_understood() {
    let records = records(RESOURCES);
    assert!(
        records.len() >= 262,
        "the fixtures are missing: {}",
        records.len()
    );
    let mut replayed = BTreeMap::<String, usize>::new();
    let mut skipped = Vec::new();
    let mut answers = 0;
    for record in &records {
        if let Some((_, reason)) = NOT_OURS.iter().find(|(number, _)| *number == record.number) {
            skipped.push(format!("{}: {reason}", record.name));
            // What cannot be asked like this can still be answered like this.
            if record.status() != 200 {
                let client = fake::simple(&Server::new([record.answer()]));
                let outcome = client
                    .list(&Kind::new("default", "T"), &ListOptions::all())
                    .await;
                check_answer(outcome.map(Outcome::Items), record);
                answers += 1;
            }
            continue;
        }
        let server = Server::new([record.answer()]);
        let (wall, paper) = record.maker().unwrap();
        let client = client(&server, paper, Hasty::at(wall));
        if record.method() == "Watch" {
            check_watch(&client, record).await;
        } else {
            check_answer(call(&client, record).await, record);
        }
        record.check_request(&server);
        *replayed.entry(record.method().to_owned()).or_default() += 1;
    }
    let _ = writeln!(
        std::io::stderr(),
        "replayed {} of {} exchanges of the resource service: {replayed:?}",
        replayed.values().sum::<usize>(),
        records.len()
    );
    println!("of the others, {answers} refusals were understood");
    println!("not made ({}):\n  {}", skipped.len(), skipped.join("\n  "));
    assert_eq!(
        skipped.len(),
        NOT_OURS.len(),
        "an entry of the list fits no record"
    );
    assert!(replayed.values().sum::<usize>() >= 240, "fewer than before");
}

fn check_answer(outcome: Result<Outcome, Error>, record: &Record) {
    let name = &record.name;
    let body: Value = serde_json::from_str(record.answered()).unwrap_or(Value::Null);
    match outcome {
        Ok(Outcome::Items(items)) => {
            assert_eq!(record.status(), 200, "{name}");
            let texts: Vec<&str> = match body["body"].as_str() {
                Some(text) => vec![text],
                None => body["items"]
                    .as_array()
                    .map(|all| all.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default(),
            };
            assert_eq!(items.len(), texts.len(), "{name}");
            for (item, text) in items.iter().zip(texts) {
                let recorded: Value = serde_json::from_str(text).unwrap();
                assert_eq!(shown(item), recorded, "{name}: nothing is lost");
            }
        }
        Ok(Outcome::Done) => {
            let gone = record.method() == "Delete" && record.status() == 404;
            assert!(
                record.status() == 200 || gone,
                "{name}: {}",
                record.status()
            );
        }
        Err(error) => {
            assert_eq!(error.status(), Some(record.status()), "{name}: {error}");
            let expected = match (body["code"].as_i64().unwrap(), record.method()) {
                (3 | 9, _) => "Invalid",
                // The gateway's own answer to a call it does not know.
                (5, "Nope") => "Unexpected",
                (5, _) => "NotFound",
                (6, "Create") => "AlreadyExists",
                (6, _) => "Conflict",
                (7, _) => "Denied",
                (16, _) => "Unauthenticated",
                _ => "Unexpected",
            };
            assert!(
                format!("{error:?}").starts_with(expected),
                "{name}: {error:?}"
            );
            assert!(!error.is_retryable(), "{name}: {error:?}");
            if let Error::Invalid { lines, .. } = &error {
                assert!(
                    lines
                        .iter()
                        .all(|line| !line.contains("occurred") && !line.contains('\t')),
                    "{name}: {lines:?}"
                );
            }
        }
    }
}

/// The resource as the server shows it: what is empty is left out.
fn shown(resource: &Resource) -> Value {
    let mut value = serde_json::to_value(resource).unwrap();
    value["metadata"]
        .as_object_mut()
        .unwrap()
        .retain(|name, value| {
            !(matches!(name.as_str(), "labels" | "annotations" | "finalizers") && is_empty(value))
        });
    value
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

async fn check_watch(client: &Client, record: &Record) {
    let options = WatchOptions {
        id: (!record.id().is_empty()).then(|| record.id().to_owned()),
        selectors: record.selectors(),
        sort_by: record.request["body"]["sort_by_field"]
            .as_str()
            .map(str::to_owned),
        descending: record.request["body"]["sort_descending"] == true,
        limit: record.number("limit"),
        ..WatchOptions::default()
    };
    let mut events = client.watch_with(&record.kind(), &options);
    if record.status() != 200 {
        assert!(
            matches!(events.next().await, Some(Err(Error::Denied { .. }))),
            "{}",
            record.name
        );
        assert!(
            events.next().await.is_none(),
            "{}: a refused watch ends",
            record.name
        );
        return;
    }
    for line in record.chunks().concat().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let recorded = &line["result"]["event"];
        let event = events.next().await.unwrap().unwrap();
        let number = match &event {
            Event::Created(_) => 1,
            Event::Updated { .. } => 2,
            Event::Destroyed(_) => 3,
            Event::Bootstrapped => 4,
        };
        assert_eq!(recorded["event_type"], json!(number), "{}", record.name);
        let expected = |side: &str| {
            let text = recorded[side].as_str();
            text.map(|text| serde_json::from_str::<Value>(text).unwrap())
        };
        let name = &record.name;
        assert_eq!(event.resource().map(shown), expected("resource"), "{name}");
        if let Event::Updated { old, .. } = &event {
            assert_eq!(old.as_ref().map(shown), expected("old"), "{name}");
        }
    }
}
