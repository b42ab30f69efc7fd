//! Answers that broke on the way: cut at each byte, with flipped bits, with other types, as a web page, empty, too
//! large. Each gives a value or an error of the right kind. The bodies are the recorded ones where they are at hand, and
//! always those of our own writing, so that a clone without the former tests as well.

use std::sync::Arc;

use api_transport::{
    BODY_LIMIT, Bytes, Error as TransportError, Exchange, ExchangeResponse, HeaderMap,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use unifi_client::{Client, Error};

use crate::fake::{Fake, KEY, brief};
use crate::recorded::cases::{Case, LOGINS, READS, WRITES};
use crate::recorded::{client, directory, read, session_of};

/// A case with the bodies of its answers.
struct Prepared {
    case: &'static Case,
    bodies: Vec<Bytes>,
}

fn own(file: &str) -> Bytes {
    let all: Value = serde_json::from_str(include_str!("../fixtures/answers.json")).unwrap();
    assert!(!all[file].is_null(), "{file} has no answer of our own");
    all[file].to_string().into()
}

fn prepared(bodies: impl Fn(&str) -> Bytes) -> Vec<Prepared> {
    let body = |text: &'static str| {
        if is_file(text) {
            bodies(text)
        } else {
            Bytes::from(text)
        }
    };
    let cases = READS.iter().chain(WRITES).chain(LOGINS);
    cases
        .map(|case| Prepared {
            case,
            bodies: case.answers.iter().map(|(_, _, text)| body(text)).collect(),
        })
        .collect()
}

/// All cases with our own bodies, and again with the recorded ones.
fn cases() -> Vec<Prepared> {
    let mut all = prepared(own);
    if let Some(directory) = directory() {
        all.extend(prepared(|file| read(&directory, file).into()));
    }
    all
}

fn is_file(body: &str) -> bool {
    body.len() == 2 && body != "{}"
}

impl Prepared {
    /// Which of the answers have a body that is looked at.
    fn files(&self) -> impl Iterator<Item = (usize, &Bytes)> {
        let answers = self.case.answers.iter().zip(&self.bodies).enumerate();
        answers
            .filter(|(_, ((_, _, text), _))| is_file(text))
            .map(|(at, (_, body))| (at, body))
    }

    /// Plays the case with one of its answers replaced.
    async fn play(&self, at: usize, mangled: Bytes) -> Result<String, Error> {
        // What a mangled answer leads to may be asked for beyond the case.
        let mut fake = Fake::at_once().or(404, "{}");
        for (position, (call, status, _)) in self.case.answers.iter().enumerate() {
            let body = if position == at {
                &mangled
            } else {
                &self.bodies[position]
            };
            fake = fake.with(call, *status, body.clone(), session_of(call, *status));
        }
        (self.case.call)(client(&fake, self.case.by)).await
    }
}

/// An error of a broken answer says of which call and fits its status; it is never one that asks for a retry of what
/// cannot get better.
fn judge(outcome: Result<String, Error>, case: &Case, at: usize, how: &str) {
    let (call, status, file) = case.answers[at];
    let Err(error) = outcome else { return };
    let context = format!("{call} <- {file} {how}: {error}");
    assert!(
        !error.to_string().contains("recorded-"),
        "a secret: {context}"
    );
    let fits = match &error {
        Error::Unsupported(_) | Error::NotFound(_) | Error::Busy(_) => true,
        Error::Unauthorized(_) => status >= 400 || call.contains("login"),
        Error::Invalid(_)
        | Error::Conflict(_)
        | Error::AlreadyExists(_)
        | Error::AddressTaken(_) => status >= 400 || how == "types" || how == "bits",
        Error::Forbidden(_) => status == 403,
        // Without a version there, whatever redirects is no console.
        Error::Transport { .. } => call == "GET @/status",
        _ => false,
    };
    assert!(fits, "{context}");
}

#[tokio::test]
async fn cut_at_each_byte() {
    let mut cuts = 0;
    for prepared in cases() {
        for (at, whole) in prepared.files() {
            let (call, status, file) = prepared.case.answers[at];
            // Not read: what UniFi OS says to a login. Not needed: a status page, and who an absent client is.
            let spared = call == "POST @/api/auth/login" && status == 200
                || call == "GET @/status"
                || file == "54";
            for end in 0..whole.trim_ascii_end().len() {
                let outcome = prepared.play(at, whole.slice(..end)).await;
                assert!(
                    spared || outcome.is_err(),
                    "{file} cut at {end} is taken for whole"
                );
                judge(outcome, prepared.case, at, "cut");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 8_000, "{cuts}");
}

#[tokio::test]
async fn with_flipped_bits() {
    for prepared in cases() {
        for (at, whole) in prepared.files() {
            // Long bodies are rows like their first; there every third byte is enough.
            let step = if whole.len() > 1_000 { 3 } else { 1 };
            for position in (0..whole.len()).step_by(step) {
                let mut flipped = whole.to_vec();
                flipped[position] ^= 1 << (position % 8);
                let outcome = prepared.play(at, flipped.into()).await;
                judge(outcome, prepared.case, at, "bits");
            }
        }
    }
}

/// Every value of a document, one at a time, replaced by others.
fn retyped(document: &Value) -> Vec<Value> {
    let others = [
        Value::Null,
        Value::Bool(true),
        Value::from(-1),
        Value::from(u64::MAX),
        Value::from("x"),
        Value::Array(vec![Value::Null]),
        Value::Object(serde_json::Map::new()),
    ];
    let mut all: Vec<Value> = others.to_vec();
    match document {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                for other in retyped(item) {
                    let mut changed = items.clone();
                    changed[at] = other;
                    all.push(Value::Array(changed));
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                for other in retyped(value) {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), other);
                    all.push(Value::Object(changed));
                }
                let mut without = fields.clone();
                without.remove(name);
                all.push(Value::Object(without));
            }
        }
        _ => {}
    }
    all
}

#[tokio::test]
async fn with_other_types() {
    for prepared in cases() {
        for (at, whole) in prepared.files() {
            let document: Value = serde_json::from_slice(whole).unwrap();
            for changed in retyped(&document) {
                let outcome = prepared.play(at, changed.to_string().into()).await;
                judge(outcome, prepared.case, at, "types");
            }
        }
    }
}

#[tokio::test]
async fn as_a_web_page_and_empty() {
    for prepared in cases() {
        for (at, _) in prepared.files() {
            let (call, status, file) = prepared.case.answers[at];
            if call == "GET @/status" {
                continue;
            }
            for (body, expected) in [("<!doctype html><p>starting", "Busy"), ("", "Unsupported")] {
                let outcome = prepared.play(at, body.into()).await;
                let unread = body.is_empty() && call == "POST @/api/auth/login" && status == 200;
                match outcome {
                    Err(error) if status == 200 => {
                        assert!(
                            brief(&error).starts_with(expected),
                            "{call} {file}: {error}"
                        );
                    }
                    Err(error) => judge(Err(error), prepared.case, at, "page"),
                    Ok(_) => assert!(unread || file == "54", "{call} {file}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn whole_answers_of_our_own_are_understood() {
    for prepared in prepared(own) {
        let nothing_mangled = usize::MAX;
        let expected = prepared.case.outcome;
        match prepared.play(nothing_mangled, Bytes::new()).await {
            Ok(_) => assert!(!expected.contains(" 4"), "{expected}"),
            Err(error) => assert_eq!(brief(&error), expected),
        }
    }
}

/// A gateway whose every answer is one byte longer than what is read.
#[derive(Debug)]
struct Flood(u16);

#[async_trait::async_trait]
impl Exchange for Flood {
    async fn exchange(&self, _: http::Request<Bytes>) -> Result<ExchangeResponse, TransportError> {
        let mebibyte = Bytes::from(vec![b' '; 1024 * 1024]);
        let parts = BODY_LIMIT / mebibyte.len();
        let body = stream::repeat_with(move || Ok(mebibyte.clone()))
            .take(parts)
            .chain(stream::once(async { Ok(Bytes::from_static(b"[")) }))
            .boxed();
        Ok(ExchangeResponse {
            status: self.0,
            reason: String::new(),
            headers: HeaderMap::new(),
            body,
        })
    }
}

#[tokio::test]
async fn larger_than_is_read() {
    for status in [200, 500] {
        let builder = || Client::builder("https://192.0.2.1").exchange(Arc::new(Flood(status)));
        let client = builder().api_key(KEY.to_owned().into()).build().unwrap();
        let login = builder().login("x", KEY.to_owned().into()).build().unwrap();
        for error in [
            client.sites().await.unwrap_err(),
            client.past_clients().await.unwrap_err(),
            client.version().await.unwrap_err(),
            login.sites().await.unwrap_err(),
        ] {
            let too_large = matches!(
                &error,
                Error::Transport { source: TransportError::TooLarge { limit, .. }, .. } if *limit == BODY_LIMIT
            );
            assert!(too_large && !error.is_retryable(), "{error:?}");
        }
    }
}
