//! The program is killed at any moment, or asked to stop; then it is run again.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use site_simulator::Faults;
use site_simulator::log::Fact;
use tokio::process::{Child, Command};

use crate::harness::{Finished, Loopback, run};

/// What the world must have seen before the signal is sent.
type Milestone = (&'static str, fn(&Fact) -> bool);

const MILESTONES: [Milestone; 6] = [
    ("the DNS record is written", |fact| {
        matches!(fact, Fact::DnsWritten { .. })
    }),
    ("the first VM is created", |fact| {
        matches!(fact, Fact::VmCreated { .. })
    }),
    ("the first address is reserved", |fact| {
        matches!(fact, Fact::Reserved { .. })
    }),
    ("the GPU is attached", |fact| {
        matches!(fact, Fact::ConfigWritten { .. })
    }),
    ("the first machine joined", |fact| {
        matches!(fact, Fact::Joined { .. })
    }),
    (
        "the first machine runs",
        |fact| matches!(fact, Fact::Stage { stage, .. } if stage == "RUNNING"),
    ),
];

async fn open(seed: u64) -> Loopback {
    let site = Loopback::open(seed, 30.0, Faults::default(), |_, _| ()).await;
    // On the VM, so that there is a window to lose.
    site.edit("bootstrap.yaml", |text| {
        text.replace("pcie: true}", "pcie: true, attach: vm}")
    });
    site
}

fn spawn(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

async fn until(site: &Loopback, (what, is_it): Milestone) {
    for _ in 0..6000 {
        if site
            .world
            .log()
            .entries
            .iter()
            .any(|entry| is_it(&entry.fact))
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: never");
}

fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it still runs").to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &id])
        .status()
        .expect("kill is there");
    assert!(sent.success());
}

/// What users of the three systems did to them; leases are renewed all the time.
fn writes(site: &Loopback) -> usize {
    let log = site.world.log();
    let is_write = |fact: &Fact| {
        matches!(
            fact,
            Fact::DnsWritten { .. }
                | Fact::Reserved { .. }
                | Fact::ConfigWritten { .. }
                | Fact::VmStopped { .. }
                | Fact::VmStarted {
                    by_provider: false,
                    ..
                }
        )
    };
    log.entries
        .iter()
        .filter(|entry| is_write(&entry.fact))
        .count()
}

/// Runs apply to its end, and again: the end is right and nothing is left to do.
async fn comes_right(site: &Loopback, what: &str) {
    let mut finished = run(site.apply()).await;
    if finished.code == Some(3) {
        assert!(
            finished.printed().contains("without its GPU"),
            "{what}: {}",
            finished.printed()
        );
        let mut allowed = site.apply();
        allowed.arg("--allow-restart");
        finished = run(allowed).await;
    }
    assert_eq!(finished.code, Some(0), "{what}: {}", finished.printed());
    let before = writes(site);
    let again = run(site.apply()).await;
    assert_eq!(again.code, Some(0), "{what}: {}", again.printed());
    assert!(
        again.stdout.contains("Nothing to do"),
        "{what}: {}",
        again.printed()
    );
    assert_eq!(writes(site), before, "{what}: {}", again.printed());
    site.world.look(|state| {
        let vms: Vec<_> = state
            .proxmox
            .values()
            .flat_map(|cluster| cluster.vms().values())
            .collect();
        assert_eq!(vms.len(), 6, "{what}");
        let devices: usize = vms.iter().map(|vm| vm.running_devices.len()).sum();
        assert_eq!(devices, 1, "{what}");
        let ours: Vec<_> = state
            .gateway
            .records()
            .filter(|record| record.note.is_some())
            .collect();
        let addresses: BTreeSet<_> = ours
            .iter()
            .filter_map(|record| record.reservation())
            .collect();
        assert_eq!((ours.len(), addresses.len()), (6, 6), "{what}");
        assert_eq!(state.gateway.entries().len(), 1, "{what}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_milestone_it_comes_right() {
    for (seed, milestone) in (40..).zip(MILESTONES) {
        let site = open(seed).await;
        let mut child = spawn(site.apply());
        until(&site, milestone).await;
        child.kill().await.expect("it still ran");
        // The lock of the dead is taken over at once.
        comes_right(&site, milestone.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time_it_comes_right() {
    for (seed, milliseconds) in [(50, 300), (51, 900), (52, 1700)] {
        let site = open(seed).await;
        let mut child = spawn(site.apply());
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        child.kill().await.expect("it still ran");
        comes_right(&site, &format!("killed after {milliseconds} ms")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_ends_with_the_code_of_the_signal() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let site = open(60).await;
        let child = spawn(site.apply());
        until(&site, MILESTONES[1]).await;
        signal(&child, name);
        let ended = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await;
        let output = ended.expect("it ends soon").expect("it ended");
        let finished = Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(finished.code, Some(code), "{name}: {}", finished.printed());
        comes_right(&site, name).await;
    }
}
