//! Every answer of real gateways that is at hand goes through the call it answers.

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use serde_json::Value;
use unifi_client::Client;

use crate::fake::{Fake, NoWait, brief};

pub(crate) mod cases;
use cases::{As, Case, LOGINS, NETWORKS, READS, WRITES};

/// Where the recorded answers are, if they are there.
pub(crate) fn directory() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire/unifi");
    path.is_dir().then_some(path).or_else(|| {
        let _ = writeln!(
            std::io::stderr(),
            "recorded UniFi answers are absent: nothing to check against"
        );
        None
    })
}

/// Text of one recorded file.
pub(crate) fn read(directory: &Path, file: &str) -> String {
    let found = directory
        .read_dir()
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap());
    let name = found
        .into_iter()
        .find(|name| name.starts_with(file))
        .unwrap_or_else(|| panic!("{file} is absent"));
    std::fs::read_to_string(directory.join(name)).unwrap()
}

/// What is no exchange.
const NOT_OURS: &[(&str, &str)] = &[(
    "INDEX",
    "says where the others are from, and is what their requests are compared with",
)];

/// Checked in `schema`, not here.
const SCHEMAS: &[&str] = &["71", "90", "91", "92", "93", "94", "95", "96"];

/// A client for a case.
pub(crate) fn client(fake: &Arc<Fake>, by: As) -> Client {
    match by {
        As::Key => fake.client(),
        As::Login(platform) => fake.login(Some(platform), Arc::new(NoWait)),
        As::Unknown => fake.login(None, Arc::new(NoWait)),
    }
}

/// What a successful login sets beside its body, as the index tells of the recordings.
pub(crate) fn session_of(call: &str, status: u16) -> &'static [(&'static str, &'static str)] {
    match call {
        "POST @/api/auth/login" if status == 200 => &[
            ("set-cookie", "TOKEN=canary.session.token; Path=/; HttpOnly"),
            ("x-csrf-token", "canary-csrf"),
        ],
        "POST @/api/login" if status == 200 => &[("set-cookie", "unifises=canary-session; Path=/")],
        _ => &[],
    }
}

/// Whether a call is what the index says was sent for a file.
fn fits(recorded: &str, call: &str, status: u16) -> bool {
    let (request, told) = recorded.split_once(" -> ").unwrap();
    let told = told.split(' ').next().unwrap();
    let mut words = request.split(' ');
    let methods = words.next().unwrap();
    let path = words.next().unwrap();
    let (method, sent) = call.split_once(' ').unwrap();
    let sent = sent.split('?').next().unwrap();
    // The classic consoles' paths and those of the console itself have nothing in front.
    let unprefixed = path.starts_with("/api/auth/")
        || path.starts_with("/api/login")
        || path == "/status"
        || path.starts_with("/api/s");
    if unprefixed != sent.starts_with('@') {
        return false;
    }
    let tail = path
        .trim_start_matches("[/proxy/network]")
        .trim_start_matches("/proxy/network")
        .trim_start_matches("...")
        .replace("%3A", ":");
    let tail = tail.split("...").next().unwrap();
    let mut rest = sent;
    let in_order = tail.split("{id}").all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    });
    (methods == "any" || methods.split('/').any(|known| known == method))
        && status.to_string() == told
        && in_order
}

async fn check(directory: &Path, case: &Case) {
    let mut fake = Fake::new();
    for (call, status, body) in case.answers {
        let body = if body.len() == 2 && *body != "{}" {
            read(directory, body)
        } else {
            (*body).to_owned()
        };
        fake = fake.with(call, *status, body, session_of(call, *status));
    }
    let client = client(&fake, case.by);
    let outcome = (case.call)(client).await;
    let files: Vec<_> = case
        .answers
        .iter()
        .map(|(call, _, body)| format!("{call} <- {body}"))
        .collect();
    assert_eq!(
        outcome.unwrap_or_else(|error| brief(&error)),
        case.outcome,
        "{files:?}"
    );
    let asked: BTreeSet<_> = fake.calls().into_iter().collect();
    let answered: BTreeSet<_> = case
        .answers
        .iter()
        .map(|(call, ..)| (*call).to_owned())
        .collect();
    assert_eq!(asked, answered, "every answer is asked for");
}

#[tokio::test]
async fn every_recorded_answer_of_our_calls_is_understood() {
    let Some(directory) = directory() else { return };
    let mut covered = BTreeSet::new();
    let index: Vec<Value> = serde_json::from_str(&read(&directory, "INDEX.json")).unwrap();
    for case in READS.iter().chain(WRITES).chain(LOGINS) {
        check(&directory, case).await;
        for (call, status, file) in case.answers.iter().filter(|(_, _, file)| file.len() == 2) {
            let is = |row: &&Value| row["file"].as_str().unwrap().starts_with(file);
            let Some(row) = index.iter().find(is) else {
                continue;
            };
            let recorded = row["request"].as_str().unwrap();
            assert!(
                fits(recorded, call, *status),
                "{file} was recorded for {recorded:?}, not for {call} with {status}"
            );
        }
        covered.extend(
            case.answers
                .iter()
                .map(|(_, _, body)| *body)
                .filter(|body| body.len() == 2),
        );
    }
    let mut report = String::new();
    let mut files = 0;
    for entry in directory.read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files += 1;
        let is = |listed: &&str| name.starts_with(listed);
        if covered.iter().any(is) || SCHEMAS.iter().any(is) {
            continue;
        }
        let reason = NOT_OURS
            .iter()
            .find(|(file, _)| name.starts_with(file))
            .map(|(_, reason)| reason);
        let reason = reason.unwrap_or_else(|| panic!("{name} is neither answered nor excused"));
        writeln!(report, "  {name}: {reason}").unwrap();
    }
    covered.remove("{}");
    let _ = writeln!(
        std::io::stderr(),
        "{} recorded UniFi answers decoded, {} schemas and contracts checked, of {files} files; not covered:\n{report}",
        covered.len(),
        SCHEMAS.len()
    );
    assert!(covered.len() >= 38, "{covered:?}");
}

/// What the index lists in braces as the fields of the recorded request, and the two that stand for our own care.
#[tokio::test]
async fn a_reservation_is_asked_for_in_the_recorded_fields() {
    let Some(directory) = directory() else { return };
    let index = read(&directory, "INDEX.json");
    let (_, fields) = index.split_once("rest/user {").unwrap();
    let fields = fields.split('}').next().unwrap().split(',');
    let mut fields: BTreeSet<_> = fields.map(str::to_owned).collect();
    fields.insert("network_id".to_owned());
    let case = WRITES
        .iter()
        .find(|case| case.answers.iter().any(|(_, _, file)| *file == "70"));
    let case = case.unwrap();
    let fake = Fake::new().on(case.answers[0].0, 200, read(&directory, "70"));
    (case.call)(fake.client()).await.unwrap();
    let written = fake.written();
    let sent: BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
    assert_eq!(sent, fields);
    let answered: Value = serde_json::from_str(&read(&directory, "70")).unwrap();
    for (field, value) in written.as_object().unwrap() {
        if field != "network_id" {
            assert_eq!(&answered["data"][0][field], value, "{field}");
        }
    }
}

#[tokio::test]
async fn the_recorded_wan_password_is_nowhere() {
    let Some(directory) = directory() else { return };
    let whole = read(&directory, "11");
    assert!(whole.contains("recorded-pppoe-password"));
    // Also when the answer is cut, of the wrong shape or an error.
    let broken = whole.replace(
        "\"_id\": \"6613a1f0c4b2d90a5e1f1001\"",
        "\"_id\": \"x\", \"_id\": \"y\"",
    );
    for (status, body) in [
        (200, whole.clone()),
        (200, whole[..whole.len() - 9].to_owned()),
        (200, broken),
        (400, whole.replace("\"ok\"", "\"error\"")),
        (500, whole),
    ] {
        let client = Fake::new().on(NETWORKS, status, body).client();
        let shown = match client.networks().await {
            Ok(networks) => format!("{networks:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("recorded-"), "{shown}");
    }
}
