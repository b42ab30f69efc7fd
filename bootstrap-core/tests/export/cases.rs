//! Fixed cases: recorded ones, the example's, real ones, and what a template cannot say.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bootstrap_core::machine_class;
use bootstrap_core::meaning::same_spec;
use bootstrap_core::template::{self, ExportOptions, Template};
use omni_client::{Phase, Resource, kinds, labels};
use serde_json::{Value, json};

use crate::{MACHINE, check_round_trip, exported, load_text, stored};

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/golden")
        .join(case)
}

#[test]
fn goldens_are_exported_to_the_same_bytes() {
    for (export, input) in [
        ("77-tmpl-export", "77-tmpl-export"),
        ("92-ready-export", "91-ready-status"),
    ] {
        let template = template::load(&golden(input).join("input/t.yaml")).unwrap();
        let options = ExportOptions {
            omnictl: true,
            ..ExportOptions::default()
        };
        let ours = template::export(&stored(&template), options).unwrap();
        let theirs = fs::read_to_string(golden(export).join("stdout")).unwrap();
        assert_eq!(ours.text, theirs, "{export}");
        check_round_trip(&template);
    }
}

#[test]
fn every_golden_input_comes_back() {
    let mut count = 0;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden");
    for case in fs::read_dir(directory).unwrap() {
        let input = case.unwrap().path().join("input/t.yaml");
        let Ok(template) = template::load(&input) else {
            continue;
        };
        if template.validate().is_empty() && template.translate().is_ok() {
            check_round_trip(&template);
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn the_example_comes_back_as_it_was_written() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab/cluster/template.yaml");
    let export = check_round_trip(&template::load(&file).unwrap());
    assert!(!export.text.contains("idOverride"), "{}", export.text);
    assert_eq!(
        export.machine_classes,
        ["home-control-plane", "home-intel-gpu-worker", "home-worker"]
    );
}

#[test]
fn real_templates_come_back() {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs");
    let Ok(bytes) = fs::read(inputs.join("EXPECTED-validate.json")) else {
        let _ = writeln!(std::io::stderr(), "inputs absent: not exported");
        return;
    };
    let mut count = 0;
    let cases: Value = serde_json::from_slice(&bytes).unwrap();
    for case in cases.as_array().unwrap() {
        let file = inputs.join(case["file"].as_str().unwrap());
        if case["rc"] != 0 {
            continue;
        }
        let template = template::load(&file).unwrap();
        if template.translate().is_ok() {
            check_round_trip(&template);
            count += 1;
        }
    }
    let _ = writeln!(std::io::stderr(), "{count} real templates come back");
    assert!(count > 0);
}

const OTHER: &str = "9a3c0b52-0a5e-4d3c-8c11-1f1d1c0d2b6e";

fn small() -> Template {
    load_text(&format!(
        "kind: Cluster\nname: home\nkubernetes: {{version: v1.36.2}}\ntalos: {{version: v1.13.7}}\n---\n\
         kind: ControlPlane\nmachines: [{MACHINE}]\n---\nkind: Workers\nmachineClass: {{name: plain, size: 1}}\n"
    ))
}

#[test]
fn what_a_template_cannot_say_is_noted() {
    let mut resources = stored(&small());
    resources[0]
        .metadata
        .annotations
        .insert(labels::CLUSTER_LOCKED.to_owned(), String::new());
    resources[0].spec["backup_configuration"] = json!({"interval": "3600s"});
    let cluster = (labels::CLUSTER, "home");
    let add = |resources: &mut Vec<Resource>, kind, id: &str, own: &[(&str, &str)], spec: Value| {
        let mut resource = Resource::new(kind, id);
        for (key, value) in own {
            resource = resource.with_label(*key, *value);
        }
        resource.spec = spec;
        resources.push(resource);
    };
    let data = json!({"data": "machine: {}\n"});
    let member = [cluster, (labels::CLUSTER_MACHINE, OTHER)];
    add(
        &mut resources,
        &kinds::CONFIG_PATCH,
        "500-a",
        &member,
        data.clone(),
    );
    let machine = [(labels::MACHINE, MACHINE)];
    add(
        &mut resources,
        &kinds::CONFIG_PATCH,
        "500-b",
        &machine,
        data.clone(),
    );
    add(
        &mut resources,
        &kinds::CONFIG_PATCH,
        "500-c",
        &[cluster],
        data.clone(),
    );
    add(
        &mut resources,
        &kinds::CONFIG_PATCH,
        "500-d",
        &[cluster],
        data,
    );
    resources.last_mut().unwrap().metadata.phase = Phase::TearingDown;
    let spec = json!({"args": ["a"]});
    add(&mut resources, &kinds::KERNEL_ARGS, MACHINE, &[], spec);
    let node = [
        cluster,
        (labels::MACHINE_SET, "home-workers"),
        (labels::ROLE_WORKER, ""),
        (labels::MANAGED_BY_NODE_CONTROLLER, ""),
    ];
    add(
        &mut resources,
        &kinds::MACHINE_SET_NODE,
        OTHER,
        &node,
        json!({}),
    );
    let locked = &mut resources.last_mut().unwrap().metadata.annotations;
    locked.insert(labels::LOCKED.to_owned(), String::new());
    let export = exported(&resources);
    insta::assert_snapshot!(export.notes.join("\n"), @r#"
    Clusters home: annotation omni.sidero.dev/cluster-locked is not in the template
    Clusters home: a template cannot say all of its spec (backup_configuration)
    ConfigPatches 500-a: not in the template, it is for one machine of a class-based set
    ConfigPatches 500-c: annotation name will be set by a sync
    machine 6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d: kernel arguments that no template manages are left out; --include-kernel-args takes them in
    ConfigPatches 500-b: not in the template, it goes with machine 6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d whatever cluster that is in
    machine 9a3c0b52-0a5e-4d3c-8c11-1f1d1c0d2b6e: its lock is not in the template, it comes from a class
    ConfigPatches 500-d: left out, it is being deleted
    "#);
    insta::assert_snapshot!(export.text, @r#"
    kind: Cluster
    name: home
    kubernetes:
      version: v1.36.2
    talos:
      version: v1.13.7
    patches:
      - idOverride: 500-c
        inline: |
          machine: {}
    ---
    kind: ControlPlane
    machines:
      - 6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d
    ---
    kind: Workers
    machineClass:
      name: plain
      size: 1
    "#);
}

#[test]
fn text_that_begins_with_spaces_comes_back() {
    let export = check_round_trip(&load_text(
        "kind: Cluster
name: home
kubernetes:
  version: v1.36.2
  manifests: [{name: a, inline: ' A', mode: full}]
  healthchecks: [{name: b, job: ' B'}]
talos: {version: v1.13.7}
---
kind: ControlPlane
",
    ));
    assert!(export.text.contains("inline: \" A\""), "{}", export.text);
}

#[test]
fn a_cluster_without_a_control_plane_makes_no_template() {
    let mut resources = stored(&small());
    resources.retain(|resource| resource.id() != "home-control-planes" && resource.id() != MACHINE);
    let error = template::export(&resources, ExportOptions::default()).unwrap_err();
    assert_eq!(
        error.message,
        "cluster home has no control plane, and a template needs one"
    );
}

#[test]
fn classes_are_written_as_they_are_read() {
    let class = Resource {
        spec: json!({"auto_provision": {
            "provider_id": "proxmox",
            "provider_data": "cores: 2\nmemory: 4096\n",
            "meta_values": [{"key": 10, "value": "x"}],
        }}),
        ..Resource::new(&kinds::MACHINE_CLASS, "plain")
    };
    let text = bootstrap_core::resource::print::declared(&class, 2);
    insta::assert_snapshot!(text, @r#"
    metadata:
      namespace: default
      type: MachineClasses.omni.sidero.dev
      id: plain
    spec:
      matchlabels: []
      autoprovision:
        providerid: proxmox
        kernelargs: []
        metavalues:
          - key: 10
            value: x
        providerdata: |
          cores: 2
          memory: 4096
        grpctunnel: 0
    "#);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plain.yaml");
    fs::write(&file, text).unwrap();
    let loaded = machine_class::load_machine_classes(&file).unwrap();
    assert_eq!(loaded.len(), 1);
    assert!(same_spec(&loaded[0].resource.spec, &class.spec));
}
