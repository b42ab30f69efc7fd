//! Every recorded exchange with a real Omni is sent to the HTTPS door, after the state it needs was put in place
//! from the records themselves. Statuses and bodies are compared by meaning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic as tests do
#![allow(clippy::print_stdout)] // the counts are what this test is run for

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod bench;
mod meaning;
mod prepare;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench::Bench;
use record::records;

/// Exchanges that are not replayed, by number, with the reason.
const LEFT_OUT: &[(std::ops::RangeInclusive<u32>, &str)] = &[
    (142..=142, "JSON-schema validation is not simulated"),
    (145..=145, "boot media are not simulated"),
    (148..=148, "the audit log is not simulated"),
    (152..=152, "OIDC is not simulated"),
    (405..=405, "break-glass access is not simulated"),
    (
        408..=412,
        "break-glass access, upgrade checks, logs and Talos's API are not simulated",
    ),
    (
        390..=391,
        "platform lists and label completion are not simulated",
    ),
    (393..=393, "the vendor's office hours are not simulated"),
    (
        413..=415,
        "the Talos and Kubernetes runtimes are not simulated",
    ),
    (440..=440, "boot media are not simulated"),
];

/// How many are replayed at least; may only grow.
const AT_LEAST: usize = 297;

fn left_out(number: u32) -> Option<&'static str> {
    LEFT_OUT
        .iter()
        .find(|(range, _)| range.contains(&number))
        .map(|(_, reason)| *reason)
}

async fn replay_all(directory: PathBuf, whose: &str) {
    let records = records(&directory);
    if records.is_empty() {
        let _ = writeln!(std::io::stderr(), "omni: no records in {whose}");
        return;
    }
    let bench = Bench::new(&records).await;
    let mut failures = Vec::new();
    let (mut replayed, mut reasons) = (0, BTreeMap::<&str, usize>::new());
    for record in &records {
        if let Some(reason) = left_out(record.number) {
            *reasons.entry(reason).or_default() += 1;
            continue;
        }
        match bench.replay(record).await {
            Ok(()) => replayed += 1,
            Err(error) => failures.push(format!("{}: {error}", record.name)),
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "omni: replayed {replayed} of {} ({whose})",
        records.len()
    );
    for (reason, count) in reasons {
        println!("  {count} not replayed: {reason}");
    }
    assert!(bench.doors.request_counts()["omni"] >= replayed);
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        usize::try_from(replayed).unwrap() >= AT_LEAST,
        "replayed {replayed}, at least {AT_LEAST} before"
    );
}

#[tokio::test]
async fn recorded_exchanges() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    replay_all(base.join("../tests/fixtures/omni"), "fixtures").await;
    replay_all(base.join("../../shared/wire/omni"), "shared").await;
}
