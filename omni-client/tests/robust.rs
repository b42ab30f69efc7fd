//! Whatever comes from the wire: a value, or an error that says so. Never a panic, and never what was in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout
)] // a test may

mod fake;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{BODY_LIMIT, Bytes, Exchange, ExchangeResponse};
use fake::{Hasty, Paper};
use futures_util::{StreamExt as _, stream};
use omni_client::{
    Client, ClientBuilder, Error, Event, Kind, ListOptions, Resource, Spec, Typed, kinds, specs,
};
use record::{Record, records};
use serde_json::{Value, json};

const RESOURCES: &str = "ResourceService/";

/// A text that must never be seen again.
const CANARY: &str = "canary-5d1f0c";

/// Gives its answers; refuses everything after them.
struct Answers(Mutex<Vec<ExchangeResponse>>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answers")
    }
}

#[async_trait::async_trait]
impl Exchange for Answers {
    async fn exchange(
        &self,
        _request: http::Request<Bytes>,
    ) -> Result<ExchangeResponse, api_transport::Error> {
        let answer = self.0.lock().unwrap().pop();
        let refusal = r#"{"code":7,"message":"no more"}"#;
        Ok(answer.unwrap_or_else(|| ExchangeResponse::whole(403, refusal)))
    }
}

fn client(answers: Vec<ExchangeResponse>) -> Client {
    ClientBuilder::new("https://omni.example")
        .signer(Arc::new(Paper::default()))
        .clock(Hasty::at(SystemTime::UNIX_EPOCH))
        .exchange(Arc::new(Answers(Mutex::new(answers))))
        .build()
        .unwrap()
}

fn kind() -> Kind {
    Kind::new("default", "T")
}

/// The call that the record is of, given this answer instead.
async fn call(method: &str, status: u16, body: impl Into<Bytes>) -> Result<(), Error> {
    let body = body.into();
    // Reads are tried again.
    let answers = (0..4).map(|_| ExchangeResponse::whole(status, body.clone()));
    let client = client(answers.collect());
    let resource = Resource {
        metadata: omni_client::Metadata {
            version: 1,
            ..Resource::new(&kind(), "x").metadata
        },
        ..Resource::default()
    };
    match method {
        "Get" => client.get(&kind(), "x").await.map(drop),
        "List" => client.list(&kind(), &ListOptions::all()).await.map(drop),
        "Create" => client.create(&resource).await,
        "Update" => client.update(&resource).await,
        "Delete" => client.delete(&kind(), "x").await,
        "Teardown" => client.teardown(&kind(), "x").await,
        other => panic!("{other}"),
    }
}

/// All events of a watch that got these bytes, until it ended.
async fn watched(body: ExchangeResponse) -> Vec<Result<Event, Error>> {
    let events = client(vec![body]).watch(&kind());
    tokio::time::timeout(Duration::from_mins(1), events.take(10_000).collect())
        .await
        .expect("the watch neither ended nor went on")
}

fn unary() -> Vec<Record> {
    let calls = ["Get", "List", "Create", "Update", "Delete", "Teardown"];
    let all = records(RESOURCES).into_iter();
    all.filter(|record| calls.contains(&record.method()))
        .collect()
}

/// All positions of a short text; of a long one its ends and a sample, unless `EVERY_BYTE` is set, which takes minutes.
fn positions(length: usize) -> Vec<usize> {
    let step = (length / 40).max(1);
    let every = length <= 4000 || std::env::var_os("EVERY_BYTE").is_some();
    (0..length)
        .filter(|at| every || *at < 60 || *at + 60 > length || at % step == 0)
        .collect()
}

#[tokio::test]
async fn answers_cut_at_every_byte_are_errors_of_their_status() {
    let mut cuts = 0;
    for record in unary() {
        let (text, status) = (record.answered(), record.status());
        for at in positions(text.trim_end().len()) {
            let part = text.as_bytes()[..at].to_vec();
            let error = call(record.method(), status, part).await.unwrap_err();
            let name = &record.name;
            assert_eq!(error.status(), Some(status), "{name} cut at {at}: {error}");
            let expected = match status {
                429 | 502..=504 => matches!(error, Error::Unavailable { .. }),
                _ => matches!(error, Error::Unexpected { .. }),
            };
            assert!(expected, "{name} cut at {at}: {error:?}");
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 25_000, "{cuts}");
}

#[tokio::test]
async fn answers_with_flipped_bits_are_values_or_errors() {
    let (mut values, mut errors) = (0, 0);
    let mut seed = 1_u64;
    for record in unary() {
        let text = record.answered();
        for _ in 0..48 {
            // A plain generator, so that a failure comes again.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = text.as_bytes().to_vec();
            if bytes.is_empty() {
                continue;
            }
            let at = usize::try_from(seed >> 24).unwrap() % bytes.len();
            bytes[at] ^= 1 << (seed >> 20 & 7);
            match call(record.method(), record.status(), bytes).await {
                Ok(()) => values += 1,
                Err(error) => {
                    assert!(error.status().is_some(), "{}: {error:?}", record.name);
                    errors += 1;
                }
            }
        }
    }
    println!("{values} values, {errors} errors");
    assert!(values > 1000 && errors > 1000, "{values} {errors}");
}

/// The value with each of its parts in turn replaced by something of another type.
fn replaced(value: &Value, each: &mut dyn FnMut(&Value)) {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    paths(value, &format!("{path}/{}", escaped(key)), found);
                }
            }
            // Items are alike.
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate().take(2) {
                    paths(value, &format!("{path}/{at}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(value, "", &mut found);
    let others = [
        json!(null),
        json!(true),
        json!(-7),
        json!(1.5),
        json!(18_446_744_073_709_551_615_u64),
        json!(CANARY),
        json!([CANARY]),
        json!({"x": CANARY}),
    ];
    for path in found {
        for other in &others {
            let mut changed = value.clone();
            *changed.pointer_mut(&path).unwrap() = other.clone();
            each(&changed);
        }
    }
}

fn no_canary(error: &Error, name: &str) {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        shown = format!("{shown} {error} {error:?}");
        source = error.source();
    }
    assert!(!shown.contains(CANARY), "{name}: {shown}");
}

#[tokio::test]
async fn answers_with_wrong_types_are_values_or_errors_that_do_not_quote_them() {
    let mut seen = BTreeSet::new();
    let mut tried = 0;
    for record in unary() {
        let body: Value = serde_json::from_str(record.answered()).unwrap_or_default();
        let shape: Vec<&String> = body
            .as_object()
            .into_iter()
            .flat_map(|all| all.keys())
            .collect();
        if !seen.insert(format!("{} {} {shape:?}", record.method(), record.status())) {
            continue;
        }
        let mut changed = Vec::new();
        replaced(&body, &mut |value| changed.push(value.to_string()));
        for text in changed {
            if let Err(error) = call(record.method(), record.status(), text).await
                && record.status() == 200
            {
                no_canary(&error, &record.name);
            }
            tried += 1;
        }
    }
    println!("{tried} answers");
    assert!(tried > 300, "{tried}");
}

fn again<T: Spec + std::fmt::Debug>(resource: &Resource) -> Result<(), Error> {
    let typed: Typed<T> = resource.clone().typed()?;
    let back = typed.into_resource()?;
    // What was taken in is given back each time.
    let again: Typed<T> = back.clone().typed()?;
    assert!(again.into_resource()?.is_same_as(&back), "{:?}", back.spec);
    Ok(())
}

#[test]
fn specs_with_wrong_types_are_values_or_errors_that_do_not_quote_them() {
    type Again = fn(&Resource) -> Result<(), Error>;
    let types: BTreeMap<String, Again> = [
        (
            kinds::MACHINE_STATUS,
            again::<specs::MachineStatus> as Again,
        ),
        (
            kinds::MACHINE_STATUS_LINK,
            again::<specs::MachineStatusLink>,
        ),
        (kinds::CLUSTER, again::<specs::Cluster>),
        (kinds::CLUSTER_STATUS, again::<specs::ClusterStatus>),
        (kinds::MACHINE_CLASS, again::<specs::MachineClass>),
        (kinds::MACHINE_SET, again::<specs::MachineSet>),
        (kinds::CONFIG_PATCH, again::<specs::ConfigPatch>),
        (
            kinds::MACHINE_REQUEST_STATUS,
            again::<specs::MachineRequestStatus>,
        ),
        (kinds::KERNEL_ARGS_STATUS, again::<specs::KernelArgsStatus>),
        (kinds::CONNECTION_PARAMS, again::<specs::ConnectionParams>),
        (
            kinds::SERVICE_ACCOUNT_STATUS,
            again::<specs::ServiceAccountStatus>,
        ),
        (kinds::FEATURES_CONFIG, again::<specs::FeaturesConfig>),
        (kinds::LABELS_COMPLETION, again::<specs::LabelsCompletion>),
        (
            kinds::CONTROL_PLANE_STATUS,
            again::<specs::ControlPlaneStatus>,
        ),
    ]
    .map(|(kind, again)| (kind.name.into_owned(), again))
    .into();
    let mut done = BTreeSet::new();
    let (mut values, mut errors) = (0, 0);
    for text in records(RESOURCES).iter().flat_map(Record::resources) {
        let whole: Value = serde_json::from_str(&text).unwrap();
        let name = whole["metadata"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some(again) = types.get(&name).filter(|_| done.insert(name.clone())) else {
            continue;
        };
        replaced(&whole, &mut |changed| {
            let read = serde_json::from_value::<Resource>(changed.clone());
            let Ok(resource) = read else {
                errors += 1;
                return;
            };
            match again(&resource) {
                Ok(()) => values += 1,
                Err(error) => {
                    assert!(
                        matches!(error, Error::Unexpected { status: 200, .. }),
                        "{error:?}"
                    );
                    no_canary(&error, &name);
                    errors += 1;
                }
            }
        });
    }
    println!("{values} values, {errors} errors of {} kinds", done.len());
    assert_eq!(done.len(), types.len());
    assert!(values > 400 && errors > 3000, "{values} {errors}");
}

#[tokio::test]
async fn what_is_no_answer_of_the_api_is_an_error_of_its_status() {
    let deep = "[".repeat(100_000);
    let bodies = [
        "",
        " ",
        "<!DOCTYPE html><html><body>Sign in</body></html>",
        "upstream connect error",
        "null",
        "7",
        "\"text\"",
        "[]",
        "{\"code\":\"x\"}",
        "\u{feff}{}",
        deep.as_str(),
    ];
    for method in ["Get", "List", "Create", "Update", "Delete", "Teardown"] {
        for body in bodies {
            for status in [
                200, 204, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504,
            ] {
                let error = call(method, status, body.to_owned()).await;
                let fits = match (&error, status) {
                    // A message without fields is the answer to a write, and an empty list.
                    (Err(Error::Unexpected { .. }), 200 | 204) => true,
                    (Err(Error::Unavailable { status: said, .. }), 429 | 502..=504) => {
                        *said == status
                    }
                    (Err(Error::Unexpected { status: said, .. }), _) => *said == status,
                    (Ok(()), 200 | 204) => body.starts_with('{') && method != "Get",
                    _ => false,
                };
                assert!(fits, "{method} {status} {body:.40}: {error:?}");
                assert!(
                    error.is_ok() || !error.unwrap_err().is_not_found(),
                    "{method} {status}"
                );
            }
        }
    }
}

/// More than is read of any answer, in pieces.
fn flood(status: u16) -> ExchangeResponse {
    let piece = Bytes::from(vec![b' '; 1 << 20]);
    let pieces = (0..=BODY_LIMIT >> 20).map(move |_| Ok(piece.clone()));
    ExchangeResponse {
        body: stream::iter(pieces).boxed(),
        ..ExchangeResponse::whole(status, "")
    }
}

#[tokio::test]
async fn answers_without_end_are_given_up() {
    for status in [200, 500] {
        let error = client(vec![flood(status)])
            .get(&kind(), "x")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error:?}");
        assert!(!error.is_retryable() && !error.is_not_found());
    }
    let events = watched(flood(200)).await;
    assert!(matches!(events[..], [Err(_)]), "{events:?}");
}

#[tokio::test]
async fn watches_cut_anywhere_give_what_came_whole() {
    let mut cuts = 0;
    for record in records(RESOURCES)
        .iter()
        .filter(|record| record.method() == "Watch")
    {
        let text = record.chunks().concat();
        for at in positions(text.len()) {
            let part = text.as_bytes()[..at].to_vec();
            let whole_lines = String::from_utf8_lossy(&part).matches('\n').count();
            let events = watched(ExchangeResponse::whole(200, part)).await;
            let (last, came) = events.split_last().unwrap();
            assert!(last.is_err(), "{}: {last:?}", record.name);
            let good = came.iter().filter(|event| event.is_ok()).count();
            // The last line may be whole but for its end.
            assert!(
                good == whole_lines || good == whole_lines + 1,
                "{} cut at {at}",
                record.name
            );
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 1000, "{cuts}");
}

#[tokio::test]
async fn watches_of_nonsense_end_or_go_on() {
    let mut lines: Vec<Vec<u8>> = [
        "<html>",
        "null",
        "[]",
        "{}",
        "{\"result\":null}",
        "{\"result\":{\"event\":{\"event_type\":1}}}",
        "{\"result\":{\"event\":{\"event_type\":1,\"resource\":\"{}\"}}}",
        "{\"result\":{\"event\":{\"event_type\":2,\"resource\":\"{\\\"metadata\\\":{}}\",\"old\":\"x\"}}}",
        "{\"result\":{\"event\":{\"event_type\":9223372036854775807}}}",
        "{\"error\":{}}",
        "{\"error\":{\"code\":0,\"message\":7}}",
        "{\"error\":{\"code\":5,\"message\":\"x\"}}",
        "{\"error\":{\"code\":-1}}",
    ]
    .map(|line| line.as_bytes().to_vec())
    .into();
    lines.push(vec![0xff, 0xfe, 0x00]);
    let record = records(RESOURCES)
        .into_iter()
        .find(|record| record.number == "79")
        .unwrap();
    for line in record.chunks().concat().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        replaced(&line, &mut |changed| {
            lines.push(changed.to_string().into_bytes());
        });
        let mut inner: Value = line["result"]["event"]["resource"]
            .as_str()
            .map(|text| serde_json::from_str(text).unwrap())
            .unwrap_or_default();
        inner["metadata"]["labels"] = json!({"a": "b"});
        replaced(&inner, &mut |changed| {
            let mut line = line.clone();
            line["result"]["event"]["resource"] = changed.to_string().into();
            lines.push(line.to_string().into_bytes());
        });
    }
    for mut line in lines {
        line.push(b'\n');
        let shown = String::from_utf8_lossy(&line).into_owned();
        let events = watched(ExchangeResponse::whole(200, line)).await;
        assert!(events.last().unwrap().is_err(), "{shown}: {events:?}");
        for error in events.iter().filter_map(|event| event.as_ref().err()) {
            no_canary(error, &shown);
        }
    }
}
