//! Resource files: what is taken, in which spellings, and what is said about the rest.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::path::Path;

use bootstrap_core::resource::{self, Input, omnictl, print};
use serde_json::json;

fn document(kind: &str, spec: &str) -> String {
    format!("metadata:\n  type: {kind}.omni.sidero.dev\n  id: a\nspec:\n{spec}")
}

/// Place, message and hint of everything that is wrong.
fn wrong(text: &str) -> Vec<String> {
    let input = Input::Text("r.yaml".into(), text.to_owned());
    let errors = resource::load(&[input]).expect_err(text);
    let shown = errors.iter().map(|error| {
        let place = error.origin.as_ref().map(ToString::to_string);
        let hint = error.hint.as_deref().unwrap_or("-");
        format!("{}: {} ({hint})", place.unwrap_or_default(), error.message)
    });
    shown.collect()
}

fn spec(text: &str) -> serde_json::Value {
    let loaded = resource::of_text(text, Path::new("r.yaml")).expect(text);
    loaded.documents[0].resource.spec.clone()
}

#[test]
fn every_spelling_of_a_spec_is_the_same() {
    let expected = json!({
        "kubernetes_version": "1.35.0",
        "features": {"enable_workload_proxy": true},
        "backup_configuration": {"interval": "5400s", "enabled": true},
    });
    for text in [
        "  kubernetesversion: 1.35.0\n  features: {enableworkloadproxy: true, diskencryption: false}\n  backupconfiguration: {interval: {seconds: 5400, nanos: 0}, enabled: true}\n",
        "  kubernetes_version: 1.35.0\n  features: {enable_workload_proxy: true}\n  backup_configuration: {interval: 5400s, enabled: true}\n  talos_version: \"\"\n",
        "  kubernetesVersion: 1.35.0\n  features: {enableWorkloadProxy: true}\n  backupConfiguration: {interval: 1h30m, enabled: true}\n",
    ] {
        assert_eq!(spec(&document("Clusters", text)), expected, "{text}");
    }
    for strategy in ["1", "Rolling", "rolling"] {
        let text = format!(
            "  updatestrategy: {strategy}\n  machineallocation: {{name: c, machinecount: 2, allocationtype: Static}}\n"
        );
        let expected =
            json!({"update_strategy": 1, "machine_allocation": {"name": "c", "machine_count": 2}});
        assert_eq!(spec(&document("MachineSets", &text)), expected);
    }
    let expected = json!({"expiration_time": "2026-01-02T03:04:05Z"});
    for time in ["2026-01-02T03:04:05Z", "{seconds: 1767323045}"] {
        assert_eq!(
            spec(&document(
                "JoinTokens",
                &format!("  expirationtime: {time}\n")
            )),
            expected
        );
    }
    for bytes in ["[104, 105]", "aGk="] {
        let text = format!("  data: x\n  compresseddata: {bytes}\n");
        assert_eq!(
            spec(&document("KubernetesManifestGroups", &text))["compressed_data"],
            "aGk="
        );
    }
}

#[test]
fn what_omnictl_prints_is_read_back_as_it_was() {
    for (kind, text) in [
        (
            "Clusters",
            "  talos_version: 1.13.0\n  features: {disk_encryption: true}\n  backup_configuration: {interval: 1.5s}\n",
        ),
        (
            "MachineClasses",
            "  auto_provision:\n    provider_id: p\n    meta_values: [{key: 12, value: v}]\n    provider_data: |\n      cores: 2\n",
        ),
        (
            "KubernetesHealthChecks",
            "  job: |\n    a: b\n  interval: 30s\n",
        ),
        ("MachineLabels", "  {}\n"),
    ] {
        let loaded = resource::of_text(&document(kind, text), Path::new("r.yaml")).expect(text);
        let first = loaded.documents[0].resource.clone();
        let printed = print::yaml(&first);
        let again = resource::of_text(&printed, Path::new("r.yaml")).expect(&printed);
        assert_eq!(again.documents[0].resource, first, "{printed}");
    }
}

#[test]
fn wrong_shapes_are_told_with_what_is_missing() {
    for (text, expected) in [
        (
            "- a\n",
            "r.yaml:1:1: a sequence found where a resource is expected (a resource is `metadata:` and `spec:`, each with its fields below it)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev, id: a}\n",
            "r.yaml:1:1: spec is missing (`spec:` with its fields below it, or `spec: {}` where it has none)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev, id: a}\nspec:\n",
            "r.yaml:2:5: spec must be a mapping, not null (`spec:` with its fields below it, or `spec: {}` where it has none)",
        ),
        (
            "metadata: {type: MachineClasses.omni.sidero.dev, id: a}\nspec: {}\nmatchlabels: []\n",
            "r.yaml:3:1: unknown key `matchlabels` beside metadata and spec (it belongs to spec: indent it below)",
        ),
        (
            "metadata: {type: MachineClasses.omni.sidero.dev, id: a}\nsepc: {}\n",
            "r.yaml:2:1: unknown key `sepc` beside metadata and spec (did you mean `spec`?)",
        ),
        (
            "metadata: {id: a}\nspec: {}\n",
            "r.yaml:1:11: metadata.type is missing (for example `type: MachineClasses.omni.sidero.dev`)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev}\nspec: {}\n",
            "r.yaml:1:11: metadata.id is missing (the id is the resource's name)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev, name: a}\nspec: {}\n",
            "r.yaml:1:50: metadata.name is not known: the name of a resource is its id (write `id:` instead of `name:`)",
        ),
        (
            "metadata: {type: MachineClass, id: a}\nspec: {}\n",
            "r.yaml:1:18: Omni has no resources of the type `MachineClass` (did you mean `MachineClasses.omni.sidero.dev`?)",
        ),
        (
            "metadata: {type: MachineClases.omni.sidero.dev, id: a}\nspec: {}\n",
            "r.yaml:1:18: Omni has no resources of the type `MachineClases.omni.sidero.dev` (did you mean `MachineClasses.omni.sidero.dev`?)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev, namespace: ephemeral, id: a}\nspec: {}\n",
            "r.yaml:1:55: Clusters are not in namespace `ephemeral` (write `namespace: default`)",
        ),
        (
            "metadata: {type: Clusters.omni.sidero.dev, id: a, owner: X}\nspec: {}\n",
            "r.yaml:1:58: a resource of the controller `X` cannot be written by others (write what the controller makes it from instead)",
        ),
        (
            "apiVersion: omni/v1\nkind: MachineClass\nmetadata: {name: gpu}\nspec: {}\n",
            "r.yaml:1:1: this document has the form of a Kubernetes object, not of an Omni resource (instead of apiVersion, kind and metadata.name write `metadata: {namespace: default, type: MachineClasses.omni.sidero.dev, id: gpu}`)",
        ),
        (
            "kind: Cluster\nname: home\n",
            "r.yaml:1:1: this is the Cluster of a cluster template, not a resource (templates are for `omni-cluster-template sync -f FILE`)",
        ),
    ] {
        assert_eq!(wrong(text)[0], expected, "{text}");
    }
}

#[test]
fn wrong_keys_and_values_are_told_with_what_was_meant() {
    for (kind, spec, expected) in [
        (
            "Clusters",
            "  kubernetesverison: 1\n",
            "r.yaml:5:3: unknown key `kubernetesverison` in spec (did you mean `kubernetesversion`?)",
        ),
        (
            "Clusters",
            "  kubernetes_verison: 1\n",
            "r.yaml:5:3: unknown key `kubernetes_verison` in spec (did you mean `kubernetes_version`?)",
        ),
        (
            "MachineClasses",
            "  providerid: p\n",
            "r.yaml:5:3: unknown key `providerid` in spec (it belongs to spec.autoprovision)",
        ),
        (
            "MachineLabels",
            "  rack: r1\n",
            "r.yaml:5:3: unknown key `rack` in spec (this spec has no keys: write `spec: {}`)",
        ),
        (
            "MachineSets",
            "  updatestrategy: 7\n",
            "r.yaml:5:19: updatestrategy must be one of its numbers or names, not `7` (0 (Unset), 1 (Rolling))",
        ),
        (
            "MachineSets",
            "  machineallocation: {machinecount: two}\n",
            "r.yaml:5:37: machinecount must be a whole number, not `two` (without quotes)",
        ),
        (
            "MachineClasses",
            "  matchlabels: rack = r1\n",
            "r.yaml:5:16: matchlabels must be a list, not `rack = r1` (one `- item` a line)",
        ),
        (
            "MachineClasses",
            "  autoprovision: {providerid: p, metavalues: [{key: 256}]}\n",
            "r.yaml:5:53: key must be a number from 0 to 255, not `256` (for example 0x0a)",
        ),
        (
            "KubernetesHealthChecks",
            "  interval: soon\n",
            "r.yaml:5:13: interval must be a duration, not `soon` (for example 2h30m, 9000s, or `seconds: 9000` below it)",
        ),
        (
            "MachineClasses",
            "  matchlabels: []\n",
            "r.yaml:5:3: MachineClasses(a) has neither matchlabels nor autoprovision (write `matchlabels:` with selectors, or `autoprovision:` with a providerid)",
        ),
        (
            "MachineClasses",
            "  matchlabels: [a]\n  autoprovision: {providerid: p}\n",
            "r.yaml:5:3: MachineClasses(a) has both matchlabels and autoprovision (a class either takes machines that are there or has them made: keep one of the two)",
        ),
        (
            "ConfigPatches",
            "  data: |\n    machine:\n      install:\n        disk: /dev/sda\n",
            "r.yaml:8:9: ConfigPatches(a): overriding \"machine.install.disk\" is not allowed in the config patch (a MachineInstallDiskConfigs resource with the machine's UUID as its id names the disk)",
        ),
        (
            "ConfigPatches",
            "  data: |\n    machine: [\n",
            "r.yaml:7:5:",
        ),
    ] {
        let found = wrong(&document(kind, spec));
        let begins = expected.ends_with(':') && found[0].starts_with(expected);
        assert!(begins || found[0] == expected, "{spec}: {}", found[0]);
    }
    let twice = document("MachineLabels", "  {}\n");
    let found = wrong(&format!("{twice}---\n{twice}"));
    assert_eq!(
        found[0],
        "r.yaml:7:1: MachineLabels(a) is given twice, first at r.yaml:1:1 (-)"
    );
}

#[test]
fn directories_are_read_in_the_order_of_names() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, id: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = document("MachineLabels", "  {}\n").replace("id: a", &format!("id: {id}"));
        std::fs::write(path, text).unwrap();
    };
    write("b.yml", "b");
    write("a/z.YAML", "z");
    write("c.txt", "c");
    let loaded = resource::load(&[Input::Path(directory.path().to_owned())]).unwrap();
    let ids: Vec<_> = loaded
        .documents
        .iter()
        .map(|document| document.resource.id())
        .collect();
    assert_eq!(ids, ["z", "b"]);
    let empty = tempfile::tempdir().unwrap();
    let errors = resource::load(&[Input::Path(empty.path().to_owned())]).unwrap_err();
    assert_eq!(
        errors[0].message,
        "no YAML file in this directory or below it"
    );
}

#[test]
fn debug_output_has_no_specs() {
    let text = document(
        "ConfigPatches",
        "  data: |\n    machine: {files: [{content: hunter2, path: /a}]}\n",
    );
    let loaded = resource::of_text(&text, Path::new("r.yaml")).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn omnictl_drops_what_it_does_not_know() {
    let text = document("MachineClasses", "  matchlabel: [a]\n");
    assert_eq!(omnictl::decode(&text).unwrap()[0].spec, json!({}));
    assert_eq!(
        omnictl::decode("metadata: {}\n").unwrap_err(),
        "yaml: construct errors: line 1: expected 4 elements node, got 2"
    );
}

#[test]
fn what_omnictl_rendered_is_read_and_printed_to_the_same_bytes() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs/expected-renders");
    let Ok(entries) = std::fs::read_dir(shared) else {
        println!("skipped: the recorded renders are not here");
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let time = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("created: "));
        let Some(time) = time else {
            continue;
        };
        let loaded = resource::of_text(&text, &path).expect("resources");
        let resources: Vec<_> = loaded
            .documents
            .into_iter()
            .map(|document| document.resource)
            .collect();
        let printed = print::documents(&resources, time, 2);
        let of_now = |text: &str| {
            let lines = text.lines().filter(|line| {
                !line.starts_with("  created: ") && !line.starts_with("  updated: ")
            });
            lines.map(|line| line.to_owned() + "\n").collect::<String>()
        };
        assert_eq!(of_now(&printed), of_now(&text), "{}", path.display());
        count += 1;
    }
    println!("{count} recorded renders come back byte-equal");
}
