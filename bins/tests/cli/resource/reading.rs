//! `omni-resource get` and `delete`.

use std::process::Stdio;
use std::time::Duration;

use bootstrap_core::ports::Omni as _;
use omni_client::kinds;
use site_simulator::in_memory::omni as memory;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::{Bench, class, has};

#[tokio::test(flavor = "multi_thread")]
async fn get_finds_types_by_any_word_and_selects() {
    let bench = Bench::new(55).await;
    let labelled = |id: &str, rack: &str| {
        class(id, "a").replace("id: ", &format!("labels: {{rack: {rack}}}, id: "))
    };
    bench.write("a.yaml", &(labelled("one", "r1") + &labelled("two", "r2")));
    assert_eq!(bench.run("apply -f a.yaml").await.code, Some(0));
    for (arguments, expected) in [
        (
            "g MachineClasses",
            "NAMESPACE   TYPE           ID    VERSION\ndefault     MachineClass   one   1\ndefault     MachineClass   two   1\n",
        ),
        (
            "get machineclasses.omni.sidero -l rack=r2",
            "NAMESPACE   TYPE           ID    VERSION\ndefault     MachineClass   two   1\n",
        ),
        (
            "get mc --id-match-regexp ^o -o jsonpath={.spec.matchlabels[0]}",
            "a\n",
        ),
        (
            "get mc one -o jsonpath={.spec}",
            "{\n    \"autoprovision\": null,\n    \"matchlabels\": [\n        \"a\"\n    ]\n}\n",
        ),
        (
            "get rd clusters.omni.sidero.dev",
            "NAMESPACE   TYPE                 ID                         VERSION   ALIASES\nmeta        ResourceDefinition   clusters.omni.sidero.dev   1         cluster\n",
        ),
        (
            "get infraproviderstatus",
            "NAMESPACE        TYPE                  ID        VERSION   NAME      DESCRIPTION                        VERSION\ninfra-provider   InfraProviderStatus   proxmox   1         Proxmox   Proxmox infrastructure provider   \n",
        ),
    ] {
        let finished = bench.run(arguments).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let squeeze = |text: &str| {
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        if arguments.contains("infra") {
            assert_eq!(squeeze(&finished.stdout), squeeze(expected));
        } else {
            assert_eq!(finished.stdout, expected, "{arguments}");
        }
    }
    let finished = bench.run("get mc -o yaml").await;
    assert_eq!(finished.stdout.matches("\n---\nmetadata:\n").count(), 1);
    for (arguments, parts) in [
        (
            "get clustr",
            &[
                "resource \"clustr\" is not registered",
                "did you mean `cluster`?",
            ][..],
        ),
        (
            "get cms",
            &[
                "resource type \"cms\" is ambiguous: [",
                "clustermachines.omni.sidero.dev",
            ],
        ),
        ("get mc none", &["there is no MachineClass `none`"]),
        (
            "get mc one -o jsonpath={.spec.none}",
            &["none is not found"],
        ),
    ] {
        let finished = bench.run(arguments).await;
        assert_eq!(finished.code, Some(1), "{arguments}");
        has(&finished.stderr, parts);
        assert_eq!(finished.stdout, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_until_a_signal() {
    let bench = Bench::new(56).await;
    bench.write("a.yaml", &class("one", "a"));
    bench.write("b.yaml", &class("one", "b"));
    assert_eq!(bench.run("apply -f a.yaml").await.code, Some(0));
    let mut command = bench.command("get mc -w");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        line.expect("a line in time")
            .expect("text")
            .expect("a line")
    };
    assert_eq!(next().await, "*   NAMESPACE   TYPE           ID    VERSION");
    assert_eq!(next().await, "+   default     MachineClass   one   1");
    bench.run("apply -f b.yaml").await;
    assert_eq!(next().await, "    default     MachineClass   one   2");
    bench.run("delete mc one").await;
    let mut last = next().await;
    if last.starts_with(' ') {
        // Its teardown shows as a change.
        last = next().await;
    }
    assert!(
        last.starts_with("-   default     MachineClass   one   "),
        "{last}"
    );
    let pid = child.id().expect("it runs").to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(killed.expect("kill runs").success());
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    assert_eq!(
        status.expect("it ends").expect("with a status").code(),
        Some(130)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_waits_and_names_what_holds() {
    let bench = Bench::new(57).await;
    bench.write(
        "a.yaml",
        &(class("one", "a") + &class("two", "a") + &class("three", "a")),
    );
    bench.run("apply -f a.yaml").await;
    let omni = memory::Omni::new(std::sync::Arc::clone(&bench.site.world));
    let mut held = omni
        .get(&kinds::MACHINE_CLASS, "two")
        .await
        .expect("Omni answers")
        .expect("it is there");
    held.metadata.finalizers = vec!["SlowController".to_owned()];
    omni.update(&held).await.expect("it can be changed");
    let finished = bench.run("d machineclass one none").await;
    assert_eq!(
        (finished.code, &*finished.stdout, &*finished.stderr),
        (
            Some(0),
            "",
            "MachineClasses.omni.sidero.dev none is not there\ndestroyed MachineClasses.omni.sidero.dev one\n"
        )
    );
    let finished = bench.run("delete machineclass --all --timeout 1s").await;
    assert_eq!(finished.code, Some(1));
    has(
        &finished.stderr,
        &["waiting for MachineClasses two to go, held by SlowController\n"],
    );
    has(
        &finished.stderr,
        &["destroyed MachineClasses.omni.sidero.dev three\n"],
    );
    has(
        &finished.stderr,
        &[
            "omni/MachineClasses/two was not done: stopped while waiting for MachineClasses two to go, held by SlowController",
            "goes on in Omni",
        ],
    );
    bench.write("b.yaml", &class("two", "b"));
    let finished = bench.run("apply -f b.yaml").await;
    assert_eq!(finished.code, Some(5));
    has(&finished.stderr, &["MachineClasses(two) is being deleted"]);
}
