//! The pages in `docs/cli` are transcripts: each command in them is run, in order, against a simulated site, and what
//! it prints and its exit code are compared. `TRYCMD=overwrite cargo test -p bins --test cli transcripts` writes them
//! anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bins::private::Private;
use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use trycmd::cargo::cargo_bin;

use crate::gpu::Lab;
use crate::harness::{Loopback, copy};

/// Every binary that a page may call.
const BINARIES: [&str; 8] = [
    "bootstrap-schema",
    "omni-bootstrap",
    "omni-cluster-template",
    "omni-resource",
    "omni-service-account",
    "proxmox-gpu",
    "unifi-dns",
    "unifi-reservation",
];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli")
}

/// Plays one page in a copy of the example's files, on the example's site.
async fn play(page: &'static str) {
    let site = Loopback::open(11, 20.0, Faults::default(), |_, _| {}).await;
    play_on(&site, page).await;
}

/// Plays one page on a site of its own.
async fn play_on(site: &Loopback, page: &'static str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Commands run in the directory of the page's name.
    copy(
        site.directory.path(),
        &directory.path().join(page).with_extension("in"),
    );
    write_admin_key(site, &directory.path().join(page).with_extension("in"));
    let played = directory.path().join(page);
    std::fs::copy(pages().join(page), &played).expect("the page can be copied");

    let variables = environment(site);
    let running = tokio::task::spawn_blocking(move || {
        let cases = trycmd::TestCases::new();
        cases.register_bins(BINARIES.map(|name| (name, cargo_bin(name))));
        for (name, value) in variables {
            cases.env(name, value);
        }
        cases.timeout(Duration::from_mins(3)).case(&played).run();
        played
    });
    while !running.is_finished() {
        site.set_clock();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let played = running.await.unwrap_or_else(|error| panic!("{error}"));
    if bins::run::environment("TRYCMD").is_some_and(|mode| mode == "overwrite") {
        std::fs::copy(played, pages().join(page)).expect("the page can be written");
    }
}

/// The key in the environment is an Operator's; pages about accounts need an Admin's.
fn write_admin_key(site: &Loopback, directory: &Path) {
    let place = Private::prepare(&directory.join("admin.key")).expect("it can be written");
    let key = site.world.credentials().omni_admin_key;
    place.write(key.expose_secret()).expect("it can be written");
}

/// What points the binaries at the site, and keeps the caller's own settings out.
fn environment(site: &Loopback) -> Vec<(&'static str, String)> {
    let credentials = site.world.credentials();
    let pin = |door: &str| site.doors.fingerprints[door].to_string();
    let proxmox = site.doors.proxmox.iter().next();
    let (provider, proxmox) = proxmox.expect("the example has a Proxmox cluster");
    vec![
        ("NO_COLOR", "1".to_owned()),
        ("COLUMNS", "100".to_owned()),
        (
            "XDG_CONFIG_HOME",
            site.directory.path().display().to_string(),
        ),
        // The run lock stands there: one site, one lock.
        (
            "XDG_RUNTIME_DIR",
            site.directory.path().display().to_string(),
        ),
        ("OMNI_ENDPOINT", site.doors.omni.clone()),
        ("OMNI_TLS_SHA256", pin("omni")),
        (
            "OMNI_SERVICE_ACCOUNT_KEY",
            credentials.omni_key.expose_secret().to_owned(),
        ),
        ("PROXMOX_VE_ENDPOINT", proxmox.clone()),
        ("PROXMOX_VE_TLS_SHA256", pin(&format!("proxmox:{provider}"))),
        ("PROXMOX_VE_API_TOKEN", credentials.proxmox_token.clone()),
        ("UNIFI_API", site.doors.unifi.clone()),
        ("UNIFI_TLS_SHA256", pin("unifi")),
        ("UNIFI_API_KEY", credentials.unifi_key.clone()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn omni_bootstrap() {
    // Machines boot in it while other tests run: no faster than every first start is certain to be met.
    let site = Loopback::open(11, 8.0, Faults::default(), |_, _| {}).await;
    play_on(&site, "omni-bootstrap.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn omni_resource() {
    play("omni-resource.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn omni_service_account() {
    play("omni-service-account.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn omni_cluster_template() {
    play("omni-cluster-template.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_schema() {
    play("bootstrap-schema.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unifi_dns() {
    play("unifi-dns.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unifi_reservation() {
    play("unifi-reservation.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proxmox_gpu() {
    let lab = Lab::open().await;
    lab.with_a_running_vm().await;
    play_on(&lab.0, "proxmox-gpu.md").await;
}

/// A page that no test plays would rot.
#[test]
fn every_page_is_played() {
    let source = include_str!("transcripts.rs");
    let entries = std::fs::read_dir(pages()).expect("the pages are there");
    for entry in entries {
        let name = entry.expect("the entry can be read").file_name();
        let name = name.to_string_lossy();
        assert!(
            source.contains(&format!("\"{name}\").await")),
            "{name} is not played"
        );
    }
}
