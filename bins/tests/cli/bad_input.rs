//! What a user gets to see when something is wrong, and that nothing was changed anywhere.

mod files;
mod systems;

use std::path::Path;

use site_simulator::Faults;
use tokio::process::Command;

use crate::harness::{Finished, Loopback, run};

/// How much faster than real time these sites run.
const SPEED: f64 = 50.0;

async fn open() -> Loopback {
    Loopback::open(3, SPEED, Faults::default(), |_, _| ()).await
}

/// Changes one of the files.
fn edit(directory: &Path, file: &str, from: &str, to: &str) {
    let path = directory.join(file);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("the file can be written");
}

/// Runs `apply --yes` on changed files and gives back how it ended and what it said. Nothing was changed in the site
/// and no plan was shown: it would hide the message.
async fn refused(
    site: &Loopback,
    change: impl FnOnce(&Path),
    with: impl FnOnce(&mut Command),
) -> String {
    let files = site.files();
    change(files.path());
    let mut command = site.command_in(files.path(), "apply");
    command.arg("--yes").arg("--speed").arg(SPEED.to_string());
    with(&mut command);
    let before = site.written();
    let finished = run(command).await;
    assert_eq!(site.written(), before, "{}", finished.printed());
    assert_eq!(finished.stdout, "");
    told(site, files.path(), &finished)
}

/// The exit code and what stood on standard error, without what differs from run to run.
fn told(site: &Loopback, files: &Path, finished: &Finished) -> String {
    let mut text = format!("exit {}\n{}", finished.code.unwrap_or(-1), finished.stderr);
    text = text
        .replace(&format!("{}/", files.display()), "")
        .replace(&files.display().to_string(), "DIRECTORY");
    for (door, fingerprint) in &site.doors.fingerprints {
        text = text.replace(&fingerprint.to_string(), &format!("<pin of {door}>"));
    }
    text
}

/// Snapshots without ports, key ids and times.
fn settled() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT");
    settings.add_filter(r"\b[0-9a-f]{40}\b", "KEY-ID");
    settings.add_filter(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "TIME");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", "TIME");
    settings.bind_to_scope()
}
