//! A cold window that is missed ends as the rules say.

use std::time::Duration;

use bootstrap_core::apply::Outcome;
use bootstrap_core::site::Attach;
use site_simulator::Faults;
use site_simulator::log::Fact;

use crate::crash::{Ended, crash_lab, run_once};
use crate::engine::Lab;
use crate::tripwire::{Point, Tripwire};

async fn run(lab: &Lab, allow_restart: bool) -> (Outcome, Vec<String>) {
    let wire = Tripwire::at(Point::Never);
    match run_once(lab, &wire, None, allow_restart).await {
        Ended::Finished(outcome) => (*outcome, wire.writes()),
        _ => panic!("the run is neither refused nor killed"),
    }
}

fn messages(outcome: &Outcome) -> Vec<String> {
    outcome
        .needs_person
        .iter()
        .map(|finding| {
            format!(
                "{} / {}",
                finding.diagnostic.message,
                finding.diagnostic.hint.as_deref().unwrap_or("")
            )
        })
        .collect()
}

/// Devices of the GPU worker's configuration, pending changes, devices it runs with, starts not by the provider.
fn gpu_worker(lab: &Lab) -> (usize, usize, usize, usize) {
    lab.world.look(|state| {
        let vm = state
            .proxmox
            .values()
            .flat_map(|cluster| cluster.vms().values())
            .find(|vm| vm.name.contains("gpu"))
            .expect("a GPU worker");
        let restarts = state
            .log
            .entries
            .iter()
            .filter(|entry| {
                matches!(
                    entry.fact,
                    Fact::VmStarted {
                        by_provider: false,
                        ..
                    }
                )
            })
            .count();
        let devices = vm
            .config
            .keys()
            .filter(|key| key.starts_with("hostpci"))
            .count();
        (
            devices,
            vm.pending.len(),
            vm.running_devices.len(),
            restarts,
        )
    })
}

#[tokio::test(start_paused = true)]
async fn a_write_that_arrives_after_the_start_is_made_good_in_maintenance_or_taken_back() {
    for (seed, stall) in [(1, 20.0), (2, 60.0), (3, 240.0)] {
        let faults = Faults {
            window_seconds: Some(2.0),
            config_writes_stall_seconds: stall,
            ..Faults::default()
        };
        let lab = crash_lab(Attach::Vm, seed, faults).await;
        let (outcome, writes) = run(&lab, false).await;
        assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
        let (devices, pending, running, restarts) = gpu_worker(&lab);
        println!(
            "stall {stall} s: devices {devices}, pending {pending}, running with {running}, restarts {restarts}, {:?}",
            messages(&outcome)
        );
        assert_eq!(
            pending, 0,
            "nothing waits for a restart that was not allowed"
        );
        if outcome.needs_person.is_empty() {
            assert_eq!((devices, running, restarts), (1, 1, 1));
            continue;
        }
        assert_eq!((devices, running, restarts), (0, 0, 0), "{writes:?}");
        assert!(
            messages(&outcome)[0].contains("--allow-restart"),
            "{:?}",
            messages(&outcome)
        );
        lab.world
            .act(|state, _| state.faults.config_writes_stall_seconds = 0.0);
        // Again without leave: told again, and not a single write.
        let (outcome, writes) = run(&lab, false).await;
        assert_eq!((messages(&outcome).len(), writes), (1, Vec::new()));
        let (outcome, writes) = run(&lab, true).await;
        assert!(
            outcome.needs_person.is_empty() && outcome.failures.is_empty(),
            "{outcome:#?}"
        );
        assert_eq!(gpu_worker(&lab), (1, 0, 1, 1), "{writes:?}");
        assert!(writes[0].starts_with("shutdown"), "{writes:?}");
        assert!(lab.plan().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_reported_at_once_and_detached() {
    let faults = Faults {
        vfio_bind_fails: true,
        ..Faults::default()
    };
    let lab = crash_lab(Attach::Vm, 5, faults).await;
    let began = lab.ports.clock.now();
    let (outcome, writes) = run(&lab, true).await;
    let took = lab.ports.clock.now().saturating_sub(began);
    assert!(took < Duration::from_mins(20), "{took:?}");
    assert!(
        outcome.failures.is_empty() && !outcome.reached,
        "{outcome:#?}"
    );
    let told = messages(&outcome);
    assert!(
        told.len() == 1 && told[0].contains("omnictl delete machinerequest -n infra-provider"),
        "{told:?}"
    );
    assert_eq!(gpu_worker(&lab), (0, 0, 0, 0), "{writes:?}");
    // Once more: the request stays stuck, nothing is attached or started, and it does not wait for it.
    let began = lab.ports.clock.now();
    let (outcome, writes) = run(&lab, true).await;
    assert!(lab.ports.clock.now().saturating_sub(began) < Duration::from_mins(5));
    assert_eq!(
        (messages(&outcome).len(), writes),
        (1, Vec::new()),
        "{outcome:#?}"
    );
    assert!(
        messages(&outcome)[0].contains("omnictl delete"),
        "{outcome:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_window_is_used_at_once() {
    let mut worst = Duration::ZERO;
    for seed in 0..12 {
        let lab = crash_lab(Attach::Vm, seed, Faults::default()).await;
        let (outcome, _) = run(&lab, false).await;
        assert!(
            outcome
                .machines
                .values()
                .any(|machine| machine.attached_in_window),
            "seed {seed}: {outcome:#?}"
        );
        let log = lab.world.log();
        let at = |is_it: &dyn Fn(&Fact) -> bool| {
            log.entries
                .iter()
                .find(|entry| is_it(&entry.fact))
                .map(|entry| entry.at)
        };
        let unlocked =
            at(&|fact| matches!(fact, Fact::VmUnlocked { request, .. } if request.contains("gpu")))
                .expect("it unlocked");
        let written =
            at(&|fact| matches!(fact, Fact::ConfigWritten { .. })).expect("it was written");
        worst = worst.max(written.saturating_sub(unlocked));
    }
    println!("from unlock to the GPU's write, the worst of 12: {worst:?}");
    assert!(worst < Duration::from_millis(1500), "{worst:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_between_stop_and_start_is_made_good() {
    let faults = Faults {
        window_seconds: Some(2.0),
        config_writes_stall_seconds: 240.0,
        ..Faults::default()
    };
    // What a run with leave writes: shutdown, set, start.
    for point in [
        Point::After(1),
        Point::Before(2),
        Point::After(2),
        Point::Before(3),
        Point::After(3),
        Point::Lost(1),
        Point::Lost(2),
        Point::Lost(3),
    ] {
        let lab = crash_lab(Attach::Vm, 3, faults.clone()).await;
        let (outcome, _) = run(&lab, false).await;
        assert_eq!(messages(&outcome).len(), 1, "{outcome:#?}");
        lab.world
            .act(|state, _| state.faults.config_writes_stall_seconds = 0.0);
        run_once(&lab, &Tripwire::at(point), None, true).await;
        lab.ports.clock.sleep(Duration::from_mins(2)).await;
        let (outcome, writes) = run(&lab, true).await;
        assert!(
            outcome.reached && outcome.needs_person.is_empty() && outcome.failures.is_empty(),
            "{point:?}: {outcome:#?}"
        );
        assert_eq!(gpu_worker(&lab), (1, 0, 1, 1), "{point:?}: {writes:?}");
        assert!(lab.plan().await.is_empty(), "{point:?}");
    }
}
