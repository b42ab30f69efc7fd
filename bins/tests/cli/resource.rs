//! `omni-resource` as a user runs it: what it prints, what it writes, how it ends.

use std::process::Stdio;

use omni_client::kinds;
use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::{Finished, Loopback, run};

mod reading;

struct Bench {
    site: Loopback,
    files: TempDir,
}

impl Bench {
    async fn new(seed: u64) -> Self {
        Self {
            site: Loopback::open(seed, 20.0, Faults::default(), |_, _| {}).await,
            files: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).expect("the file can be written");
    }

    fn command(&self, arguments: &str) -> Command {
        self.site.set_clock();
        let key = &self.site.world.credentials().omni_key;
        let mut command = Command::new(env!("CARGO_BIN_EXE_omni-resource"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.files.path())
            .env_clear()
            .env("OMNI_ENDPOINT", &self.site.doors.omni)
            .env(
                "OMNI_TLS_SHA256",
                self.site.doors.fingerprints["omni"].to_string(),
            )
            .env("OMNI_SERVICE_ACCOUNT_KEY", key.expose_secret())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &str) -> Finished {
        run(self.command(arguments)).await
    }

    fn classes(&self) -> Vec<String> {
        self.site.world.look(|state| {
            let kind = kinds::MACHINE_CLASS.name;
            let all = state.omni.store.list("default", &kind);
            all.map(|class| class.metadata.id.clone()).collect()
        })
    }
}

fn class(id: &str, labels: &str) -> String {
    format!(
        "---\nmetadata: {{type: MachineClasses.omni.sidero.dev, id: {id}}}\nspec: {{matchlabels: [{labels}]}}\n"
    )
}

const GPU: &str = "\
metadata:
  type: MachineClasses.omni.sidero.dev
  id: gpu
spec:
  autoprovision:
    providerid: proxmox
    providerdata: |
      cores: 4
      memory: 8192
      disk_size: 40
      storage_selector: name == \"local-lvm\"
";

/// All of `parts`, in this order.
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("`{part}` is not in, or not in its place in\n{text}");
        };
        rest = after;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_writes_what_differs_and_nothing_when_a_file_is_wrong() {
    let bench = Bench::new(51).await;
    bench.write("a.yaml", &class("one", "a = b"));
    bench.write(
        "b.yaml",
        &class("two", "a = b").replace("matchlabels", "matchlabel"),
    );
    let finished = bench.run("apply -f a.yaml b.yaml").await;
    assert_eq!(finished.code, Some(5));
    has(
        &finished.stderr,
        &[
            "unknown key `matchlabel` in spec",
            "b.yaml:3:8",
            "did you mean `matchlabels`?",
        ],
    );
    assert_eq!(bench.classes(), [""; 0]);

    bench.write("b.yaml", &class("two", "a = b"));
    let finished = bench.run("apply -f .").await;
    assert_eq!(
        (finished.code, &*finished.stdout),
        (
            Some(0),
            "+ MachineClasses(one) created\n+ MachineClasses(two) created\n"
        )
    );
    assert_eq!(finished.stderr, "2 created\n");

    bench.write("b.yaml", &class("two", "a = c"));
    let finished = bench.run("apply -d -f .").await;
    assert_eq!(finished.code, Some(0));
    has(
        &finished.stdout,
        &[
            "= MachineClasses(one) unchanged\n~ MachineClasses(two) would be changed\n",
            "-        - a = b\n",
            "+        - a = c\n",
        ],
    );
    let finished = bench.run("apply -f . -o json").await;
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let results: Vec<_> = report["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["result"].clone())
        .collect();
    assert_eq!(results, ["unchanged", "changed"]);
    let finished = bench
        .run("get machineclass -o jsonpath={.metadata.id}:{.metadata.version}")
        .await;
    assert_eq!(finished.stdout, "one\n:\n1\ntwo\n:\n2\n");

    let mut command = bench.command("apply -f -");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(class("three", "x").as_bytes())
        .await
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "+ MachineClasses(three) created\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_data_is_checked_against_what_the_provider_registered() {
    let bench = Bench::new(52).await;
    let wrong = GPU
        .replace("cores: 4", "cores: four")
        .replace("disk_size: 40", "disk_sise: 40")
        + "      machine_type: q36\n      grpctunnel: 1\n      pci_devices: [{maping: gpu}]\n";
    bench.write("gpu.yaml", &wrong);
    let finished = bench.run("apply -f gpu.yaml").await;
    assert_eq!(finished.code, Some(5));
    let told = &finished.stderr;
    for part in [
        "providerdata: `cores`: it is not of type \"integer\"\n --> gpu.yaml:8:7",
        "providerdata: `disk_size` is missing",
        "providerdata: the provider `proxmox` knows no `disk_sise`\n  --> gpu.yaml:10:7",
        "did you mean `disk_size`?",
        "providerdata: `machine_type`: it is not one of the values there are",
        "q35, i440fx",
        "`grpctunnel` inside providerdata has no effect\n  --> gpu.yaml:13:7",
        "it belongs to spec.autoprovision: indent it less",
        "providerdata: `pci_devices.0`: `mapping` is missing",
        "knows no `pci_devices.0.maping`",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert_eq!(bench.classes(), [""; 0]);

    bench.write("gpu.yaml", GPU);
    let finished = bench.run("apply -f gpu.yaml").await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), "1 created\n"));
    // Written otherwise, it means the same.
    bench.write(
        "gpu.yaml",
        &GPU.replace("providerdata", "provider_data").replace(
            "      cores: 4\n      memory: 8192\n",
            "      memory: 8192\n      cores: 4 # sockets: 1\n",
        ),
    );
    assert_eq!(
        bench.run("apply -f gpu.yaml").await.stdout,
        "= MachineClasses(gpu) unchanged\n"
    );

    bench.write("labels.yaml", &class("gpu", "a = b"));
    bench.run("delete machineclass gpu").await;
    bench.run("apply -f labels.yaml").await;
    let finished = bench.run("apply -f gpu.yaml").await;
    assert_eq!(finished.code, Some(5));
    has(
        &finished.stderr,
        &[
            "cannot turn it into one that makes machines",
            "gpu.yaml:1:1",
            "another id",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_the_middle_says_what_was_done_and_what_was_not() {
    let bench = Bench::new(53).await;
    let set = "---\nmetadata:\n  type: MachineSets.omni.sidero.dev\n  id: home-x\n  labels: {omni.sidero.dev/cluster: home}\nspec: {machineallocation: {name: nothing, machinecount: 1}}\n";
    bench.write(
        "r.yaml",
        &format!("{}{set}{}", class("one", "a"), class("two", "b")),
    );
    let finished = bench.run("apply -f r.yaml").await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stdout,
        "+ MachineClasses(one) created\n! MachineSets(home-x) failed\n. MachineClasses(two) not written\n"
    );
    has(
        &finished.stderr,
        &[
            "1 created, 2 not written",
            "MachineSets(home-x): omni: refused as invalid: machine class with name \"nothing\" doesn't exist",
            "r.yaml:5:1",
            "run the same command again",
        ],
    );
    bench.write("nothing.yaml", &class("nothing", "c"));
    assert_eq!(bench.run("apply -f nothing.yaml").await.code, Some(0));
    assert_eq!(
        bench.run("apply -f r.yaml").await.stdout,
        "= MachineClasses(one) unchanged\n+ MachineSets(home-x) created\n+ MachineClasses(two) created\n"
    );
    let finished = bench.run("delete machineclass nothing").await;
    assert_eq!(finished.code, Some(1));
    has(
        &finished.stderr,
        &[
            "omni/MachineClasses/nothing was not done: refused as invalid: can not delete the machine class as it is still in use by machine sets: home-x",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_may_not_and_servers_that_are_not_there() {
    let bench = Bench::new(54).await;
    bench.write("a.yaml", &class("one", "a = b"));
    let reader = &bench.site.world.credentials().omni_reader_key;
    let mut command = bench.command("apply -f a.yaml");
    command.env("OMNI_SERVICE_ACCOUNT_KEY", reader.expose_secret());
    let finished = run(command).await;
    assert_eq!(finished.code, Some(5));
    has(
        &finished.stderr,
        &[
            "this key has the role Reader, which may not write",
            "role Operator",
        ],
    );
    let mut command = bench.command("get machineclass");
    command.env("OMNI_SERVICE_ACCOUNT_KEY", reader.expose_secret());
    assert_eq!(
        run(command).await.stdout,
        "NAMESPACE   TYPE   ID   VERSION\n"
    );
    for (arguments, code) in [
        ("apply -f a.yaml", 5),
        ("get machineclass", 1),
        ("delete machineclass one", 5),
    ] {
        let mut command = bench.command(arguments);
        command.env("OMNI_ENDPOINT", "https://127.0.0.1:1");
        let finished = run(command).await;
        assert_eq!(finished.code, Some(code), "{arguments}");
        has(&finished.stderr, &["omni: ", "127.0.0.1:1"]);
    }
    for arguments in [
        "apply",
        "get",
        "get clusters x -l a",
        "delete cluster",
        "get clusters -o jsonpath={.a",
    ] {
        assert_eq!(bench.run(arguments).await.code, Some(64), "{arguments}");
    }
    assert_eq!(bench.run("get --compat").await.code, Some(1));
    let mut command = bench.command("get clusters --compat");
    command.env_remove("OMNI_ENDPOINT");
    let finished = run(command).await;
    assert_eq!(
        (finished.code, &*finished.stderr),
        (Some(1), "Error: no Omni is named\n")
    );
    let mut command = bench.command("get clusters");
    command.env_remove("OMNI_ENDPOINT");
    has(
        &run(command).await.stderr,
        &["no Omni is named", "OMNI_ENDPOINT"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_patches_are_not_shown() {
    let bench = Bench::new(58).await;
    let patch = "metadata: {type: ConfigPatches.omni.sidero.dev, id: 500-x, labels: {omni.sidero.dev/cluster: home}}\nspec:\n  data: |\n    machine:\n      registries:\n        config:\n          r.example:\n            auth: {password: hunter2}\n";
    bench.write("p.yaml", patch);
    let broken = patch.replace("registries", "registrees");
    bench.write("q.yaml", &broken);
    for arguments in [
        "apply -d -f p.yaml",
        "apply -vvv -f p.yaml",
        "apply -o json -d -f p.yaml",
        "apply -f q.yaml",
        "apply -vvv -f q.yaml",
    ] {
        let finished = bench.run(arguments).await;
        assert!(
            !finished.printed().contains("hunter2"),
            "{arguments}: {}",
            finished.printed()
        );
    }
    let key = bench
        .site
        .world
        .credentials()
        .omni_key
        .expose_secret()
        .to_owned();
    let finished = bench.run("apply -vvv -f p.yaml").await;
    assert!(
        key.as_bytes()
            .chunks(40)
            .all(|part| !finished.printed().contains(&*String::from_utf8_lossy(part)))
    );
}
