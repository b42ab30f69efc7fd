//! Every answer of real gateways that is at hand goes through the call it answers.

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fake::{Fake, brief};

mod cases;
use cases::{Case, FOREIGN_ERRORS, NETWORKS, READS, WRITES, networks, upstream};

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

const NOT_OURS: &[(&str, &str)] = &[
    (
        "01",
        "GET /status belongs to consoles without UniFi OS, which have no API keys",
    ),
    (
        "03",
        "GET api/self is not called: the role is read per site",
    ),
    (
        "08",
        "rest/usergroup is not called: bandwidth groups are left alone",
    ),
    (
        "13",
        "v2 wan/enriched-configuration is not called; its embedded rows are checked as rest/networkconf rows",
    ),
    ("22", "login is not made, only API keys are used"),
    ("24", "login is not made"),
    (
        "25",
        "login is not made; its error body is still told apart",
    ),
    (
        "41",
        "integration clients are not called: they know no reservations",
    ),
    ("42", "integration clients are not called"),
    (
        "43",
        "integration networks are not called: they know no WAN resolvers",
    ),
    (
        "50",
        "login is not made; its error body is still told apart",
    ),
    (
        "51",
        "login is not made; its error body is still told apart",
    ),
    (
        "52",
        "login is not made; its error body is still told apart",
    ),
    ("95", "network settings are never written"),
    ("INDEX", "no answer"),
];

/// Checked in `schema`, not here.
const SCHEMAS: &[&str] = &["71", "90", "91", "92", "93", "94", "96"];

async fn check(directory: &Path, case: &Case) {
    let mut fake = Fake::new();
    for (call, status, body) in case.answers {
        let body = if body.len() == 2 && *body != "{}" {
            read(directory, body)
        } else {
            (*body).to_owned()
        };
        fake = fake.on(call, *status, body);
    }
    let outcome = (case.call)(fake.client()).await;
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
    for case in READS.iter().chain(WRITES) {
        check(&directory, case).await;
        covered.extend(
            case.answers
                .iter()
                .map(|(_, _, body)| *body)
                .filter(|body| body.len() == 2),
        );
    }
    for case in FOREIGN_ERRORS {
        check(&directory, case).await;
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
    assert!(covered.len() >= 24, "{covered:?}");
}

#[tokio::test]
async fn two_recorded_wans_forward_to_the_providers_resolvers() {
    let Some(directory) = directory() else { return };
    let rows: Vec<Value> = serde_json::from_str(&read(&directory, "13")).unwrap();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|mut row| row["configuration"].take())
        .collect();
    assert_eq!(rows.len(), 2);
    let fake = Fake::new()
        .on(
            NETWORKS,
            200,
            json!({"meta": {"rc": "ok"}, "data": rows}).to_string(),
        )
        .on(
            "GET /api/s/default/get/setting",
            200,
            read(&directory, "04"),
        );
    assert_eq!(
        upstream(fake.client()).await.unwrap(),
        " automatic true encrypted None"
    );
    assert_eq!(networks(fake.client()).await.unwrap(), "");
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
