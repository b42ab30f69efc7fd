//! `omni-bootstrap validate` as people and scripts see it.

#![expect(clippy::unwrap_used, reason = "a test may stop anywhere")]

use std::path::Path;
use std::process::{Command, Output};

fn validate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_omni-bootstrap"))
        .arg("validate")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_exit_code_tells() {
    for (arguments, code) in [
        (&["-f", "examples/homelab/bootstrap.yaml"][..], 0),
        (&["-f", "tests/fixtures/sites/typos.yaml"], 5),
        (&["-f", "tests/fixtures/sites/typos.yaml", "-o", "json"], 5),
        (&["-f", "no-such-file.yaml"], 5),
        (&["--no-such-option"], 64),
        (&["--help"], 0),
    ] {
        assert_eq!(
            validate(arguments).status.code(),
            Some(code),
            "{arguments:?}"
        );
    }
}

#[test]
fn findings_show_place_line_and_hint_and_standard_output_stays_empty() {
    let output = validate(&["-f", "tests/fixtures/sites/typos.yaml"]);
    let shown = text(&output.stderr);
    for part in [
        "tests/fixtures/sites/typos.yaml:2:1",
        "2 | nmae: lab",
        "hint: did you mean `name`?",
        "4 errors in",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn secrets_in_the_file_are_never_shown() {
    for case in ["secrets", "endpoints"] {
        for form in ["table", "json", "yaml"] {
            let file = format!("tests/fixtures/sites/{case}.yaml");
            let output = validate(&["-f", &file, "-o", form, "-vvv"]);
            let shown = text(&output.stdout) + &text(&output.stderr);
            assert!(shown.contains(&file), "{shown}");
            assert!(
                !shown.contains("canary") && !shown.contains("hunter2"),
                "{case} {form}:\n{shown}"
            );
        }
    }
}

#[test]
fn reports_for_programs_are_one_document() {
    let output = validate(&["-f", "tests/fixtures/sites/typos.yaml", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (report["errors"].as_u64(), report["warnings"].as_u64()),
        (Some(4), Some(0))
    );
    assert_eq!(report["findings"][0]["origin"]["line"], 2);
    assert_eq!(text(&output.stderr), "");
}
