//! What omnictl 1.10 says of templates, word for word: each expectation was printed by it.

// A test says what it expects by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use bootstrap_core::template::{self, LoadOptions};

/// Templates and what `validate` prints after `Error: error loading template: `.
const REFUSED: &str = include_str!("template_compat/refused.txt");

/// Config patches and what is printed of them; nothing for those that are taken.
const PATCHES: &str = include_str!("template_compat/patches.txt");

/// Templates and parts of what `render` prints.
const RENDERED: &[(&str, &str, &[&str])] = &[
    (
        "numbers, old booleans and nulls",
        r"kind: Cluster
name: c
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
features: {diskEncryption: yes, enableWorkloadProxy: off, useEmbeddedDiscoveryService: ~, backupConfiguration: {interval: 0.0}}
labels: {~: dropped, a: ~, b: 1_000, c: !!binary aGVsbG8=, d: yes}
---
kind: ControlPlane
machines: [~]
~: nothing
---
kind: Workers
machineClass: {name: a, size: !!str 3}
updateStrategy: {rolling: {maxParallelism: 0x10}}
deleteStrategy: {rolling: {maxParallelism: 3.0}}
upgradeStrategy: {rolling: {maxParallelism: 1e2}}
",
        &[
            r"  labels:
    a:
    b: 1_000
    c: hello
    d: yes
  annotations:
    omni.sidero.dev/managed-by-cluster-templates:
",
            r"  updatestrategyconfig:
    rolling:
      maxparallelism: 16
",
            r"  deletestrategyconfig:
    rolling:
      maxparallelism: 3
",
            r"  upgradestrategyconfig:
    rolling:
      maxparallelism: 100
",
            r"    diskencryption: true
",
            r"    machinecount: 3
",
        ],
    ),
    (
        "merged keys apply and a time in braces becomes text",
        r"kind: Cluster
name: c
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
labels: &l {a: b, when: 2026-01-02T03:04:05Z}
annotations: {<<: *l, a: own}
---
kind: ControlPlane
",
        &[r"  labels:
    a: b
    when: 2026-01-02T03:04:05Z
  annotations:
    a: own
    omni.sidero.dev/managed-by-cluster-templates:
    when: 2026-01-02T03:04:05Z
"],
    ),
    (
        "numbers that are one key, in a manifest",
        r"kind: Cluster
name: c
kubernetes:
  version: v1.36.2
  manifests:
  - name: m
    mode: full
    inline: {a: {1: first, 01: second, 1.0: third, true: <<, b: [<<, x]}}
talos: {version: v1.13.7}
---
kind: ControlPlane
",
        &[r"  data: |
    a:
        1: second
        1: third
        b:
            - x
  mode: 1
---
metadata:
  namespace: default
  type: MachineSets.omni.sidero.dev
  id: c-control-planes
  version: undefined
  owner:
  phase: running
  created: 2026-01-02T03:04:05Z
  updated: 2026-01-02T03:04:05Z
  labels:
    omni.sidero.dev/cluster: c
    omni.sidero.dev/role-controlplane:
spec:
  updatestrategy: 1
  machineclass: null
  bootstrapspec: null
  deletestrategy: 0
  updatestrategyconfig: null
  deletestrategyconfig: null
  machineallocation: null
  upgradestrategy: 0
  upgradestrategyconfig: null
"],
    ),
    (
        "a block at the end of a file without a line break",
        r"kind: ControlPlane
---
kind: Cluster
name: c
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
patches:
- name: a
  inline: |
    machine:
      sysctls: {}",
        &[r"  data: |-
    machine:
      sysctls: {}
"],
    ),
    (
        "fractions of durations are rounded as floats",
        r#"kind: Cluster
name: c
kubernetes:
  version: v1.36.2
  healthchecks: [{name: h, job: "a: 1", interval: 0.3333333333333333333h}]
talos: {version: v1.13.7}
---
kind: ControlPlane
"#,
        &[r"  interval:
    seconds: 1200
    nanos: 0
"],
    ),
];

/// Title, text and what is said of it.
fn cases(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.split("==== ")
        .skip(1)
        .collect::<Vec<_>>()
        .chunks(2)
        .map(|case| {
            let (title, input) = case[0].split_once('\n').unwrap();
            let said = case[1].strip_prefix("said\n").unwrap();
            (title, input, said.trim_end_matches('\n'))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn report(files: &[(&str, &str)]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    template::omnictl_report(&directory.path().join("t.yaml"), &LoadOptions::default())
}

#[test]
fn templates_that_do_not_load_are_refused_in_omnictls_words() {
    for (what, text, expected) in cases(REFUSED) {
        let expected = format!("error loading template: {expected}");
        assert_eq!(report(&[("t.yaml", text)]), Some(expected), "{what}");
    }
}

#[test]
fn config_patches_are_checked_as_talos_loads_them() {
    let text = "kind: ControlPlane
---
kind: Cluster
name: c
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
patches: [{name: p, file: p.yaml}]
";
    for (what, patch, expected) in cases(PATCHES) {
        let report = report(&[("t.yaml", text), ("p.yaml", patch)]).unwrap_or_default();
        let label = "failed to validate patch \"p.yaml\": ";
        let found = report.split_once(label).map_or("", |(_, found)| found);
        assert_eq!(found.trim_end_matches('\n'), expected, "{what}");
    }
}

#[test]
fn inline_patches_are_checked_as_they_are_written_anew() {
    let text = r#"kind: ControlPlane
---
kind: Cluster
name: c
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
patches: [{name: p, inline: {machine: {sysctls: {a: "\n b\nc"}}}}]
"#;
    let report = report(&[("t.yaml", text)]).unwrap_or_default();
    assert!(report.contains("did not find expected key"), "{report}");
}

#[test]
fn what_loads_is_written_as_omnictl_writes_it() {
    for (what, text, expected) in RENDERED {
        assert_eq!(report(&[("t.yaml", text)]), None, "{what}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.yaml");
        fs::write(&path, text).unwrap();
        let resources = template::load(&path).unwrap().translate().unwrap();
        let rendered = template::render(&resources, "2026-01-02T03:04:05Z");
        for part in *expected {
            assert!(rendered.contains(part), "{what}: {part}\n{rendered}");
        }
    }
}

#[test]
fn a_key_that_is_repeated_often_is_told_of_often_enough() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    let template = format!("kind: Cluster\n{}", "name: a\n".repeat(2000));
    fs::write(&path, template).unwrap();
    let report = template::omnictl_report(&path, &LoadOptions::default()).unwrap();
    let pairs = report.matches("mapping key \"name\" already defined");
    assert_eq!(pairs.count(), 10_000);
}
