//! Cases recorded from the real `omnictl`, played with these binaries in its place against the simulated site.
//!
//! A case's `setup`, `cmd` and `teardown` are lines of shell that call `omnictl`: a script of that name hands them to
//! the binary that stands in for it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{Finished, Loopback};

const STAND_IN: &str = r#"#!/bin/sh
case "$1 $2" in
"cluster template") shift 2; exec "$CLUSTER_TEMPLATE" $COMPAT "$@" ;;
"cluster delete") shift 2; exec "$CLUSTER_TEMPLATE" $COMPAT delete --cluster "$@" ;;
*) exec "$RESOURCE" $COMPAT "$@" ;;
esac
"#;

/// A recorded case.
pub(crate) struct Case {
    pub(crate) name: String,
    directory: PathBuf,
}

impl Case {
    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.directory.join(file)).unwrap_or_default()
    }

    /// What omnictl said, and how it ended.
    pub(crate) fn recorded(&self) -> Finished {
        Finished {
            code: self.text("exit").trim().parse().ok(),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        }
    }
}

/// Cases of these numbers, in order.
pub(crate) fn cases(numbers: std::ops::RangeInclusive<u32>) -> Vec<Case> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden");
    let mut cases: Vec<Case> = std::fs::read_dir(all)
        .expect("the cases are there")
        .filter_map(|entry| {
            let directory = entry.ok()?.path();
            let name = directory.file_name()?.to_str()?.to_owned();
            let number = name.split('-').next()?.parse().ok()?;
            let wanted = numbers.contains(&number);
            wanted.then_some(Case { name, directory })
        })
        .collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

/// A directory with a case's input and a stand-in for omnictl.
pub(crate) struct Stage<'s> {
    site: &'s Loopback,
    case: &'s Case,
    directory: TempDir,
    compat: bool,
}

impl<'s> Stage<'s> {
    /// With `compat`, the binaries are asked to behave as omnictl does.
    pub(crate) fn set(site: &'s Loopback, case: &'s Case, compat: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let input = case.directory.join("input");
        let work = directory.path().join("work");
        if input.is_dir() {
            crate::harness::copy(&input, &work);
        } else {
            std::fs::create_dir(&work).expect("the directory can be made");
        }
        let script = directory.path().join("omnictl");
        std::fs::write(&script, STAND_IN).expect("the script can be written");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
            .expect("the script can be made executable");
        Self {
            site,
            case,
            directory,
            compat,
        }
    }

    /// Runs the state's preparation, which has to work.
    pub(crate) async fn prepare(&self) {
        let setup = self.case.text("setup");
        if !setup.is_empty() {
            let finished = self.shell(&setup, true).await;
            assert_eq!(finished.code, Some(0), "{}: {finished:?}", self.case.name);
        }
    }

    /// Runs the command that was recorded.
    pub(crate) async fn play(&self) -> Finished {
        let reader = self.case.text("meta.json").contains("\"reader\"");
        self.shell(&self.case.text("cmd"), !reader).await
    }

    /// Removes what the case made.
    pub(crate) async fn clear(&self) {
        let teardown = self.case.text("teardown");
        if !teardown.is_empty() {
            self.shell(&teardown, true).await;
        }
    }

    /// Runs lines of shell.
    pub(crate) async fn shell(&self, lines: &str, admin: bool) -> Finished {
        self.site.set_clock();
        let credentials = self.site.world.credentials();
        let key = if admin {
            &credentials.omni_admin_key
        } else {
            &credentials.omni_reader_key
        };
        let template = option_env!("CARGO_BIN_EXE_omni-cluster-template").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", lines])
            .current_dir(self.directory.path().join("work"))
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.directory.path().display()),
            )
            .env("RESOURCE", env!("CARGO_BIN_EXE_omni-resource"))
            .env("CLUSTER_TEMPLATE", template)
            .env("COMPAT", if self.compat { "--compat" } else { "" })
            .env("OMNI_ENDPOINT", &self.site.doors.omni)
            .env(
                "OMNI_TLS_SHA256",
                self.site.doors.fingerprints["omni"].to_string(),
            )
            .env("OMNI_SERVICE_ACCOUNT_KEY", key.expose_secret())
            .kill_on_drop(true)
            .stdin(Stdio::null());
        let output = tokio::time::timeout(Duration::from_mins(2), command.output())
            .await
            .expect("the case ends")
            .expect("the shell starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Output without what differs from run to run: times, and of live resources the version and who holds them, which
/// moves the places of hunks.
pub(crate) fn normalised(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        let plain = without_colors(line);
        let word = plain
            .trim_start_matches(['-', '+', ' '])
            .trim_start_matches('"');
        let varies = ["created", "updated", "version"].iter().any(|key| {
            let rest = word
                .strip_prefix(key)
                .map(|rest| rest.trim_start_matches('"'));
            rest.is_some_and(|rest| rest.starts_with(": "))
        });
        let is_holder = word.ends_with("Controller") && !word.contains(' ');
        if varies || is_holder {
            continue;
        }
        if word.starts_with("@@ ") {
            shown.push_str("@@\n");
            continue;
        }
        // Words and place of a syntax error are the parser's own.
        let parsers = ["go-yaml load error in parser", "not valid YAML: "];
        let line = parsers
            .iter()
            .find_map(|words| Some(line.split_once(words)?.0))
            .or(Some(line));
        shown.push_str(line.unwrap_or_default());
        shown.push('\n');
    }
    shown
}

fn without_colors(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// Compares what was printed with what omnictl printed.
pub(crate) fn differences(case: &Case, ours: &Finished) -> Option<String> {
    let recorded = case.recorded();
    let mut told = String::new();
    for (what, ours, theirs) in [
        ("stdout", &ours.stdout, &recorded.stdout),
        ("stderr", &ours.stderr, &recorded.stderr),
    ] {
        let (ours, theirs) = (normalised(ours), normalised(theirs));
        if ours != theirs {
            told += &format!("{what}:\n{ours}--- omnictl:\n{theirs}");
        }
    }
    if ours.code != recorded.code {
        told += &format!("exit: {:?}, omnictl {:?}\n", ours.code, recorded.code);
    }
    (!told.is_empty()).then(|| format!("{}\n{told}", case.name))
}

/// Plays a case from its preparation to its end: how its command ended, and what it left written.
pub(crate) async fn played<W>(
    site: &Loopback,
    case: &Case,
    compat: bool,
    written: impl Fn(&Loopback) -> W,
) -> (Finished, W) {
    let stage = Stage::set(site, case, compat);
    stage.prepare().await;
    let finished = stage.play().await;
    let left = written(site);
    stage.clear().await;
    (finished, left)
}

/// Machine classes that the cases make, by what they mean.
fn classes(site: &Loopback) -> Vec<String> {
    site.world.look(|state| {
        let all = state
            .omni
            .store
            .list("default", "MachineClasses.omni.sidero.dev");
        all.map(|class| {
            let meta = &class.metadata;
            format!(
                "{} {} {:?} {:?}",
                meta.id, class.spec, meta.labels, meta.annotations
            )
        })
        .collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_handled_as_omnictl_does() {
    let site = Loopback::open(41, 20.0, Faults::default(), |_, _| {}).await;
    let cases = cases(41..=62);
    assert_eq!(cases.len(), 22);
    let mut failures = Vec::new();
    for case in &cases {
        let (finished, theirs) = played(&site, case, true, classes).await;
        failures.extend(differences(case, &finished));
        assert_eq!(classes(&site), [""; 0], "{} leaves something", case.name);

        // The same in this program's own way ends in the same resources.
        let (_, ours) = played(&site, case, false, classes).await;
        // Where omnictl writes half of what it was given, nothing is written here.
        if case.name.starts_with("53") {
            assert_eq!(ours, [""; 0]);
        } else if ours != theirs {
            failures.push(format!("{}: {ours:?}, omnictl {theirs:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
