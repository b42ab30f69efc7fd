//! `rehearse`, and `apply` against a site that outlives it.

use site_simulator::Faults;

use crate::harness::{Finished, Loopback, omni_bootstrap, run};

async fn rehearse(arguments: &[&str]) -> Finished {
    let mut command = omni_bootstrap();
    command.arg("rehearse").args(arguments);
    run(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rehearsal_gets_everything_right_from_the_first_boot() {
    let finished = rehearse(&["--speed", "20", "--seed", "5"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.printed());
    for line in [
        "first leases right 6/6, GPUs at first boot 1/1, restarts 0",
        "a second apply finds nothing to do",
        "Plan: 19 to add, 0 to change, 0 to remove; 6 machines to come, 6 reservations, 1 GPU.",
    ] {
        assert!(
            finished.stdout.contains(line),
            "{line}\n{}",
            finished.printed()
        );
    }
    assert_eq!(
        finished.stdout.matches("running").count(),
        6,
        "{}",
        finished.printed()
    );
}

/// What is broken, the exit code, and what is printed. How many first leases were right is not
/// asserted where machines are made: a loaded machine runs late.
const BROKEN: [(&str, i32, &[&str]); 6] = [
    (
        "gpu-busy",
        5,
        &[
            "in use by media-server",
            "nothing was written",
            "first leases right 0/6, GPUs at first boot 0/1",
        ],
    ),
    (
        "late-window",
        3,
        &[
            "runs without its GPU",
            "--allow-restart",
            "GPUs at first boot 0/1, restarts 0",
        ],
    ),
    (
        "lease-taken",
        3,
        &[
            "the next lease to end",
            "nothing was written",
            "first leases right 0/6, GPUs at first boot 0/1",
        ],
    ),
    (
        "dns-missing",
        1,
        &[
            "does not answer omni.home.example",
            "first leases right 0/6, GPUs at first boot 0/1",
        ],
    ),
    (
        "start-fails",
        3,
        &[
            "Cannot bind 0000:03:00.0 to vfio",
            "omnictl delete machinerequest",
            "GPUs at first boot 0/1",
        ],
    ),
    (
        "cni-none",
        1,
        &[
            "to be ready",
            "CNI `none`",
            "GPUs at first boot 1/1, restarts 0",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_told_and_ends_with_its_own_code() {
    for (broken, code, printed) in BROKEN {
        let finished = rehearse(&["--break", broken, "--speed", "40"]).await;
        assert_eq!(
            finished.code,
            Some(code),
            "{broken}\n{}",
            finished.printed()
        );
        for text in printed {
            assert!(
                finished.printed().contains(text),
                "{broken}: {text}\n{}",
                finished.printed()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_builds_the_site_and_again_changes_nothing() {
    let site = Loopback::open(3, 30.0, Faults::default(), |_, _| ()).await;
    let first = run(site.apply()).await;
    assert_eq!(first.code, Some(0), "{}", first.printed());
    assert!(
        first.stderr.contains("before the first start:"),
        "{}",
        first.printed()
    );
    let before = site.world.log().entries.len();
    let kubeconfig = site.directory.path().join("kubeconfig");
    let mut again = site.apply();
    again.arg("--kubeconfig").arg(&kubeconfig);
    let second = run(again).await;
    assert_eq!(second.code, Some(0), "{}", second.printed());
    assert!(
        second.stdout.contains("Nothing to do"),
        "{}",
        second.printed()
    );
    assert_eq!(
        site.world.log().entries.len(),
        before,
        "{}",
        second.printed()
    );
    let written = std::fs::metadata(&kubeconfig).expect("the kubeconfig is written");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&written.permissions()) & 0o777,
        0o600
    );
}
