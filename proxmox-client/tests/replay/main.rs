//! Every recorded exchange of the calls the client makes goes through it: the request must equal the
//! recorded one, the answer must decode to the right value or kind of error.
// The lints spare test functions only, not what these share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod behaviour;
mod calls;
mod expected;
mod login;
mod loopback;
mod reads;
mod recording;
mod robust;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use api_transport::Bytes;
use proxmox_client::{Client, Error, Need};
use recording::{Answer, Leaping, Recording, Scripted};

const TOKEN: &str = "test@pve!replay=00000000-0000-4000-8000-000000000000";

/// A client that gets `exchange`'s answers, with `token` or one of its own.
pub(crate) fn client(exchange: Arc<Scripted>, token: Option<&str>) -> Client {
    Client::builder("https://pve1.example:8006")
        .api_token(token.unwrap_or(TOKEN).to_owned().into())
        .clock(Arc::new(Leaping::default()))
        .exchange(exchange)
        .build()
        .unwrap()
}

/// The outcome in one or two words, for the table in [`expected`].
pub(crate) fn kind(outcome: &Result<(), Error>) -> String {
    match outcome {
        Ok(()) => "ok".to_owned(),
        Err(Error::Unauthorized { credential, .. }) => format!("unauthorized {credential:?}"),
        Err(Error::Denied {
            need: Need::Privileges { path, any_of },
            ..
        }) => {
            format!("denied {path} {}", any_of.join("|"))
        }
        Err(Error::Denied { need, .. }) => format!("denied {need:?}"),
        Err(Error::NotFound { what, .. }) => format!("absent {what:?}"),
        Err(Error::Conflict { what, .. }) => format!("conflict {what:?}"),
        Err(Error::Locked { lock, .. }) => format!("locked {}", lock.as_deref().unwrap_or("-")),
        Err(Error::Invalid { fields, .. }) => {
            format!(
                "invalid {}",
                fields.keys().cloned().collect::<Vec<_>>().join(",")
            )
        }
        Err(Error::Server { cause, .. }) => format!("server {cause:?}"),
        Err(other) => format!("{other:?}"),
    }
}

fn answer(recording: &Recording) -> Answer {
    Answer::new(recording.status, &recording.reason, &recording.body)
}

/// The recorded token where the recording has one the builder takes.
fn token(recording: &Recording) -> Option<&str> {
    recording
        .authorization
        .as_deref()?
        .strip_prefix("PVEAPIToken=")
}

/// A client as it was when the recorded request was made, with what it is to be answered.
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) clock: Arc<Leaping>,
    exchange: Arc<Scripted>,
}

const LOGIN: &str = "/api2/json/access/ticket";

fn setup(recording: &Recording, answer: Answer) -> Setup {
    let credentials = recording.login();
    let ticket = match &credentials {
        // A renewal: the ticket in the place of the password is had first.
        Some((_, password)) if password.starts_with("PVE:") => Some(password.clone()),
        _ => recording.ticket.clone(),
    };
    let csrf = recording.csrf.clone().unwrap_or_else(|| "none".to_owned());
    let is_login = credentials.is_some();
    let exchange = Scripted::new(move |request, earlier| {
        Some(match (request.uri().path() == LOGIN, &ticket) {
            (true, Some(ticket)) if earlier == 0 => {
                let login = serde_json::json!({ "ticket": ticket, "CSRFPreventionToken": csrf });
                Answer::new(200, "OK", &serde_json::json!({ "data": login }).to_string())
            }
            (false, _) if is_login => Answer::new(200, "OK", r#"{"data":{"version":"9.2.11"}}"#),
            _ => answer.clone(),
        })
    });
    let clock = Arc::new(Leaping::default());
    let builder = Client::builder("https://pve1.example:8006")
        .clock(Arc::clone(&clock) as _)
        .exchange(Arc::clone(&exchange) as _);
    let builder = match (credentials, &recording.ticket) {
        (Some((user, password)), _) => builder.password(user, password.into()),
        (None, Some(_)) => builder.password("root@pam", "any".to_owned().into()),
        (None, None) => builder.api_token(token(recording).unwrap_or(TOKEN).to_owned().into()),
    };
    Setup {
        client: builder.build().unwrap(),
        clock,
        exchange,
    }
}

pub(crate) async fn replay(
    recording: &Recording,
    answer: Answer,
) -> (Option<Result<(), Error>>, Arc<Scripted>) {
    let setup = setup(recording, answer);
    let outcome = calls::make(&setup, recording).await;
    (outcome, setup.exchange)
}

/// Checks the request that was built. Returns whether a digest was added to the recorded parameters.
fn check_request(
    recording: &Recording,
    exchange: &Scripted,
    schema: Option<&serde_json::Value>,
) -> bool {
    let name = format!("{}-{}", recording.number, recording.name);
    let login = format!("/{}", recording.path.join("/")) == LOGIN;
    let mut seen = exchange.seen();
    seen.retain(|request| (request.uri().path() == LOGIN) == login);
    // A renewal comes after the login that gave the ticket.
    let Some(request) = seen.pop() else {
        panic!("{name}: nothing was sent")
    };
    assert!(
        login || seen.is_empty(),
        "{name}: {} requests",
        seen.len() + 1
    );
    let (path, query) = recording::split_target(request.uri().path_and_query().unwrap().as_str());
    assert_eq!(request.method().as_str(), recording.method, "{name}");
    assert_eq!(path, recording.path, "{name}");
    assert_eq!(query, recording.query, "{name}");
    check_credentials(recording, &request);
    let header = |key: &str| request.headers().get(key);
    let has_body = recording.method == "PUT" || recording.method == "POST";
    assert_eq!(header("content-type").is_some(), has_body, "{name}");
    assert!(has_body || request.body().is_empty(), "{name}");

    let mut sent = recording::params(std::str::from_utf8(request.body()).unwrap()).unwrap();
    if recording.status == 200 {
        let mut all = sent.clone();
        all.extend(query);
        let complaints =
            schema.map(|schema| schema::complaints(schema, &recording.method, &path[2..], &all));
        assert_eq!(
            complaints.unwrap_or_default(),
            Vec::<String>::new(),
            "{name}"
        );
    }
    let recorded = recording.meant().unwrap();
    let added = !recorded.contains_key("digest") && sent.contains_key("digest");
    if added {
        assert_eq!(sent.remove("digest").unwrap(), [calls::NO_DIGEST], "{name}");
    }
    assert_eq!(sent, recorded, "{name}");
    added
}

/// Exactly one credential goes along, out of sight of logs; the CSRF token with writes by ticket.
fn check_credentials(recording: &Recording, request: &http::Request<Bytes>) {
    let name = &recording.name;
    let shown = |key: &str| {
        request.headers().get(key).map(|value| {
            assert!(value.is_sensitive(), "{name}: {key}");
            value.to_str().unwrap().to_owned()
        })
    };
    let (token, cookie) = (shown("authorization"), shown("cookie"));
    let csrf = shown("csrfpreventiontoken");
    if recording.login().is_some() {
        assert_eq!((token, cookie, csrf), (None, None, None), "{name}");
        return;
    }
    assert!(token.is_some() != cookie.is_some(), "{name}");
    if let Some(authorization) = &recording.authorization {
        assert_eq!(token.as_ref(), Some(authorization), "{name}");
    }
    let ticket = cookie.map(|cookie| {
        let value = cookie.strip_prefix("PVEAuthCookie=").unwrap();
        recording::decode(value, false)
    });
    assert_eq!(ticket, recording.ticket, "{name}");
    let is_write = recording.method != "GET";
    assert_eq!(csrf.is_some(), is_write && ticket.is_some(), "{name}");
    if csrf.is_some() {
        assert_eq!(csrf, recording.csrf, "{name}");
    }
}

#[tokio::test]
async fn recordings_replay() {
    for (place, recordings) in recording::places() {
        replay_all(place, &recordings).await;
    }
}

async fn replay_all(place: &str, recordings: &[Recording]) {
    let schema = schema::load();
    let errors = expected::errors();
    let left_out = expected::left_out();
    let (mut replayed, mut guarded, mut wrong) = (0, 0, Vec::new());
    let mut not_replayed = BTreeMap::<&str, Vec<u32>>::new();
    for recording in recordings {
        let number = recording.number;
        if let Some(reason) = left_out.get(&number) {
            not_replayed.entry(reason).or_default().push(number);
            continue;
        }
        let (outcome, exchange) = replay(recording, answer(recording)).await;
        let Some(outcome) = outcome else {
            wrong.push(format!(
                "{number}-{}: neither replayed nor listed",
                recording.name
            ));
            continue;
        };
        guarded += u32::from(check_request(recording, &exchange, schema.as_ref()));
        replayed += 1;
        let want = errors.get(&number).copied().unwrap_or("ok");
        let got = kind(&outcome);
        if got != want {
            wrong.push(format!("{number}-{}: {got}, not {want}", recording.name));
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "proxmox-client ({place}): {replayed} of {} recordings replayed, {guarded} of them with a digest added",
        recordings.len()
    );
    for (reason, numbers) in &not_replayed {
        println!("not replayed, {reason}: {numbers:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(recordings.len(), replayed + left_out.len());
    assert!(replayed >= expected::REPLAYED, "{replayed}");
}

/// What a recording answers to a request that the client does not make is understood all the same, should it
/// come as the answer to one that it makes.
#[tokio::test]
async fn answers_to_what_is_not_sent_are_understood() {
    let left_out = expected::left_out();
    let meanings = expected::answers();
    let mut wrong = Vec::new();
    for recording in recording::load() {
        let is_left_out = left_out.contains_key(&recording.number);
        if !is_left_out || recording.status == 200 {
            continue;
        }
        let answer = answer(&recording);
        let client = client(Scripted::new(move |_, _| Some(answer.clone())), None);
        let got = kind(&client.version().await.map(drop));
        let want = meanings.get(&recording.number).copied().unwrap_or("none");
        if got != want {
            wrong.push(format!(
                "{}-{}: {got}, not {want}",
                recording.number, recording.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Releases before 2025 answer without a body: the reason phrase must tell as much.
#[tokio::test]
async fn refusals_read_the_same_without_a_body() {
    let left_out = expected::left_out();
    let mut compared = 0;
    for recording in recording::load() {
        if left_out.contains_key(&recording.number) || !matches!(recording.status, 401 | 403 | 500)
        {
            continue;
        }
        let (with, _) = replay(&recording, answer(&recording)).await;
        let bare = Answer::new(recording.status, &recording.reason, "");
        let (without, _) = replay(&recording, bare).await;
        assert_eq!(
            kind(&with.unwrap()),
            kind(&without.unwrap()),
            "{}",
            recording.name
        );
        compared += 1;
    }
    assert!(compared >= 30, "{compared}");
}
