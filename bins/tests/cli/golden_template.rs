//! Recorded cases of `omnictl cluster template diff`, `sync` and `delete`.

use std::fmt::Write as _;
use std::sync::Arc;

use bootstrap_core::machine_class::load_machine_classes;
use bootstrap_core::observe::TEMPLATE_KINDS;
use bootstrap_core::ports::Omni as _;
use site_simulator::Faults;
use site_simulator::in_memory::omni::Omni;

use crate::golden::{Case, Stage, cases, differences, played};
use crate::harness::{Loopback, example};

async fn open() -> Loopback {
    Loopback::open(43, 20.0, Faults::default(), |_, blueprint| {
        // As the recorded server: 1.36.1 is not for either.
        let kubernetes = vec!["1.36.2".to_owned(), "1.36.3".to_owned()];
        for talos in ["1.13.7", "1.13.8"] {
            blueprint
                .talos_versions
                .push((talos.to_owned(), kubernetes.clone()));
        }
        for extension in ["qemu-guest-agent", "hello-world-service"] {
            blueprint.extensions.push(format!("siderolabs/{extension}"));
        }
    })
    .await
}

/// What users have written, but for what a cluster's deletion leaves with the machines.
fn written(site: &Loopback) -> String {
    site.world.look(|state| {
        let mut text = String::new();
        for kind in &TEMPLATE_KINDS {
            for resource in state.omni.store.list(&kind.namespace, &kind.name) {
                let meta = &resource.metadata;
                let _ = writeln!(
                    text,
                    "{kind} {} {:?} {:?} {}",
                    meta.id, meta.labels, meta.annotations, resource.spec
                );
            }
        }
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_judged_and_rendered_as_omnictl_does() {
    let site = open().await;
    let mut failures = Vec::new();
    let cases = cases(1..=21);
    assert_eq!(cases.len(), 21);
    for case in &cases {
        let finished = Stage::set(&site, case, true).play().await;
        failures.extend(differences(case, &finished));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_handled_as_omnictl_does() {
    let site = open().await;
    let cases: Vec<Case> = cases(63..=87)
        .into_iter()
        // Status and export stand elsewhere.
        .filter(|case| !["75", "76", "77", "78"].contains(&&case.name[..2]))
        .collect();
    assert_eq!(cases.len(), 21);
    let mut failures = Vec::new();
    for case in &cases {
        let (finished, theirs) = played(&site, case, true, written).await;
        failures.extend(differences(case, &finished));

        // The same in this program's own way ends in the same resources.
        let (_, ours) = played(&site, case, false, written).await;
        if ours != theirs {
            failures.push(format!("{}\n{ours}--- as omnictl:\n{theirs}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_cluster_is_compared_as_omnictl_does() {
    let site = open().await;
    let mut class = load_machine_classes(&example().join("machine-classes/worker.yaml"))
        .expect("it loads")
        .remove(0)
        .resource;
    let omni = Omni::new(Arc::clone(&site.world));
    for id in ["lab-cp", "lab-worker"] {
        id.clone_into(&mut class.metadata.id);
        omni.create(&class).await.expect("the class is made");
    }
    let running = cases(91..=91);
    let stage = Stage::set(&site, &running[0], true);
    let synced = stage
        .shell("omnictl cluster template sync -f t.yaml", true)
        .await;
    assert_eq!(synced.code, Some(0), "{}", synced.printed());
    let mut failures = Vec::new();
    for case in cases(93..=95) {
        let finished = Stage::set(&site, &case, true).play().await;
        // The words of a refused connection are Go's.
        if case.name.starts_with("95") {
            assert_eq!(
                (finished.code, finished.stdout.as_str()),
                (Some(0), "rc=1\n")
            );
            assert!(
                finished
                    .stderr
                    .starts_with("Error: rpc error: code = Unavailable desc = "),
                "{}",
                finished.stderr
            );
        } else {
            failures.extend(differences(&case, &finished));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
