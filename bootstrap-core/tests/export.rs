//! Templates made from clusters: omnictl's bytes, and nothing lost on the way back.

// A test says what it expects by failing, and prints how much it saw.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bootstrap_core::machine_class;
use bootstrap_core::meaning::same_spec;
use bootstrap_core::template::{self, Export, ExportOptions, LoadOptions, Template};
use omni_client::{Phase, Resource, kinds, labels};
use proptest::prelude::*;
use serde_json::{Value, json};

fn load_text(text: &str) -> Template {
    let options = LoadOptions {
        text: Some(text.to_owned()),
        ..LoadOptions::default()
    };
    let template = template::load_with(Path::new("t.yaml"), &options)
        .unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
    assert_eq!(template.validate(), [], "{text}");
    template
}

/// Resources as a server has them after a sync.
fn stored(template: &Template) -> Vec<Resource> {
    let mut resources = template.translate().unwrap();
    for resource in &mut resources {
        resource.metadata.version = 3;
        resource.metadata.created = "2026-11-23T07:52:58Z".to_owned();
        resource.metadata.finalizers = vec!["SomeController".to_owned()];
    }
    let status = Resource {
        spec: json!({"phase": 3, "initial_talos_version": template.talos_version()}),
        ..Resource::new(&kinds::CLUSTER_STATUS, template.cluster_name())
    };
    resources.push(status);
    resources
}

fn exported(resources: &[Resource]) -> Export {
    template::export(resources, ExportOptions::default())
        .unwrap_or_else(|error| panic!("{error:#?}"))
}

type Meaning = BTreeMap<(String, String), Resource>;

fn meaning(resources: &[Resource]) -> Meaning {
    let own = resources
        .iter()
        .filter(|resource| !resource.metadata.kind.starts_with("ClusterStatuses"));
    own.map(|resource| {
        let key = (resource.metadata.kind.clone(), resource.id().to_owned());
        (key, resource.clone())
    })
    .collect()
}

fn check_same(before: &[Resource], after: &[Resource], text: &str) {
    let (before, after) = (meaning(before), meaning(after));
    let ids = |all: &Meaning| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after), "{text}");
    for (key, old) in &before {
        let new = &after[key];
        assert_eq!(old.metadata.labels, new.metadata.labels, "{key:?}\n{text}");
        assert_eq!(
            old.metadata.annotations, new.metadata.annotations,
            "{key:?}\n{text}"
        );
        assert!(
            same_spec(&old.spec, &new.spec),
            "{key:?}: {} {}\n{text}",
            old.spec,
            new.spec
        );
        assert_eq!(
            old.spec.get("data"),
            new.spec.get("data"),
            "{key:?}\n{text}"
        );
    }
}

/// A template goes to a server and comes back the same, and a second export is the same text.
fn check_round_trip(template: &Template) -> Export {
    let before = stored(template);
    let export = exported(&before);
    let again = load_text(&export.text);
    check_same(&before, &stored(&again), &export.text);
    assert_eq!(export.notes, Vec::<String>::new(), "{}", export.text);
    assert_eq!(exported(&stored(&again)).text, export.text);
    export
}

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

const MACHINE: &str = "6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d";
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
    let text = template::declare(&class);
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

/// Names as people give them.
fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,6}[a-z0-9]"
}

/// Text that may need quotes: numbers, booleans, colons, spaces, other scripts.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "[0-9]{1,4}",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("~".to_owned()),
        Just("2026-01-01".to_owned()),
        "[a-zäöü€: #]{1,100}",
        "\\PC{0,8}",
        "[ \n\ta-c]{1,6}",
    ]
}

fn descriptors() -> impl Strategy<Value = (BTreeMap<String, String>, BTreeMap<String, String>)> {
    let map = || prop::collection::btree_map("[a-z]{1,8}(/[a-z0-9]{1,3})?", value(), 0..3);
    (map(), map())
}

fn describe(
    document: &mut Value,
    (labels, annotations): (BTreeMap<String, String>, BTreeMap<String, String>),
) {
    if !labels.is_empty() {
        document["labels"] = json!(labels);
    }
    if !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
}

/// A patch as a mapping, as two, or as text in all its shapes.
fn patch_content() -> impl Strategy<Value = Value> {
    let sysctls = |value: String| json!({"machine": {"sysctls": {"a.b": value}}});
    prop_oneof![
        value().prop_map(sysctls),
        (value(), value()).prop_map(move |(a, b)| json!([sysctls(a), sysctls(b)])),
        ("[ \n]{0,3}", "[\n]{0,3}", "[a-z ]{0,9}").prop_map(|(before, after, remark)| {
            json!(format!(
                "{before}# {remark}\nmachine:\n  sysctls:\n    a: b{after}"
            ))
        }),
        Just(json!("machine: {}")),
        Just(json!(
            "machine:\n    sysctls:\n        a: \"\\t\"  # tab:\t.\n"
        )),
        Just(json!("machine: {}\r\n# end\r\n")),
    ]
}

fn patches(tag: &'static str) -> impl Strategy<Value = Vec<Value>> {
    let patch = (
        name(),
        any::<bool>(),
        any::<bool>(),
        patch_content(),
        descriptors(),
    );
    prop::collection::vec(patch, 0..4).prop_map(move |all| {
        let one = |(at, (name, by_id, both, content, described)): (
            usize,
            (String, bool, bool, Value, _),
        )| {
            let mut patch = json!({"inline": content});
            if by_id {
                patch["idOverride"] = json!(format!("{tag}{at}-{name}"));
            }
            if !by_id || both {
                patch["name"] = json!(name);
            }
            describe(&mut patch, described);
            patch
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

fn optional_list() -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::vec("[a-z]{1,5}/[a-z0-9-]{1,8}", 0..3))
}

fn strategy() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({"type": "Rolling"})),
        Just(json!({"type": "Unset"})),
        Just(json!({"rolling": {}})),
        (1..9).prop_map(|count| json!({"rolling": {"maxParallelism": count}})),
        (1..9).prop_map(|count| json!({"type": "Unset", "rolling": {"maxParallelism": count}})),
    ]
}

fn put(document: &mut Value, key: &str, value: Value) {
    let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    if !empty {
        document[key] = value;
    }
}

fn list(document: &mut Value, key: &str, list: Option<Vec<String>>) {
    if let Some(list) = list {
        document[key] = json!(list);
    }
}

prop_compose! {
    fn cluster()(
        described in descriptors(),
        manifests in prop::collection::btree_map(name(), ("[ -~\n\tä]{1,60}", any::<bool>(), descriptors()), 0..3),
        checks in prop::collection::btree_map(name(), ("[ -~\n]{1,40}", any::<bool>(), 0..400u32, descriptors()), 0..3),
        flags in any::<[bool; 5]>(),
        newer in any::<bool>(),
        backup in prop::option::of("[1-9]h(30m)?"),
        patches in patches("c"),
        extensions in optional_list(),
    ) -> Value {
        let mut document = json!({"kind": "Cluster", "name": "home"});
        describe(&mut document, described);
        let one = |(name, (text, once, described)): (String, (String, bool, _))| {
            let mut manifest = json!({"name": name, "inline": text, "mode": if once { "one-time" } else { "full" }});
            describe(&mut manifest, described);
            manifest
        };
        document["kubernetes"] = json!({"version": "v1.36.2"});
        put(&mut document["kubernetes"], "manifests", manifests.into_iter().map(one).collect());
        let one = |(name, (job, by_id, seconds, described)): (String, (String, bool, u32, _))| {
            let mut check = json!({"job": job});
            check[if by_id { "idOverride" } else { "name" }] = json!(name);
            if seconds > 0 {
                check["interval"] = json!(format!("{seconds}s"));
            }
            describe(&mut check, described);
            check
        };
        put(&mut document["kubernetes"], "healthchecks", checks.into_iter().map(one).collect());
        document["talos"] = json!({"version": if newer { "v1.14.0" } else { "v1.13.7" }});
        let names = ["diskEncryption", "enableWorkloadProxy", "useEmbeddedDiscoveryService",
            "disablePublicDiscoveryService", "enableNodeAuditSkip"];
        document["features"] = names.iter().zip(flags).map(|(name, on)| (*name, on)).collect();
        if let Some(backup) = backup {
            document["features"]["backupConfiguration"] = json!({"interval": backup});
        }
        put(&mut document, "patches", json!(patches));
        list(&mut document, "systemExtensions", extensions);
        document
    }
}

prop_compose! {
    fn set(control_plane: bool, tag: &'static str)(
        described in descriptors(),
        class in prop::option::of((name(), 0..5u32)),
        strategies in [strategy(), strategy(), strategy()],
        patches in patches(tag),
        extensions in optional_list(),
        args in optional_list(),
        restored in any::<bool>(),
        count in 0..3usize,
    ) -> (Value, usize) {
        let mut document = json!({"kind": if control_plane { "ControlPlane" } else { "Workers" }});
        describe(&mut document, described);
        let listed = class.is_none();
        if let Some((name, size)) = class {
            let size = if size == 4 { json!("unlimited") } else { json!(size) };
            document["machineClass"] = json!({"name": name, "size": size});
        } else {
            list(&mut document, "kernelArgs", args);
        }
        let [update, delete, upgrade] = strategies;
        put(&mut document, "upgradeStrategy", upgrade);
        if control_plane {
            if restored {
                document["bootstrapSpec"] = json!({"clusterUUID": MACHINE, "snapshot": "F.snapshot"});
            }
        } else {
            put(&mut document, "updateStrategy", update);
            put(&mut document, "deleteStrategy", delete);
        }
        put(&mut document, "patches", json!(patches));
        list(&mut document, "systemExtensions", extensions);
        (document, if listed { count } else { 0 })
    }
}

prop_compose! {
    fn machine(at: usize)(
        described in descriptors(),
        locked in any::<bool>(),
        install in prop_oneof![Just(Value::Null), Just(json!({"disk": "/dev/sda"})), Just(json!({"diskSelector": "disk.size > 100u"}))],
        patches in patches(["m0", "m1", "m2", "m3", "m4", "m5"][at]),
        extensions in optional_list(),
        args in optional_list(),
        shown in any::<bool>(),
    ) -> Option<Value> {
        let mut document = json!({"kind": "Machine"});
        describe(&mut document, described);
        document["locked"] = json!(locked);
        put(&mut document, "install", install);
        put(&mut document, "patches", json!(patches));
        list(&mut document, "systemExtensions", extensions);
        list(&mut document, "kernelArgs", args);
        shown.then_some(document)
    }
}

prop_compose! {
    fn templates()(
        cluster in cluster(),
        planes in set(true, "p"),
        workers in set(false, "w"),
        more in prop::option::of((name(), set(false, "x"))),
        machines in [machine(0), machine(1), machine(2), machine(3), machine(4), machine(5)],
        seeds in any::<[u128; 6]>(),
    ) -> String {
        let mut documents = vec![cluster];
        let mut machines = machines.into_iter();
        let mut seeds = seeds.into_iter();
        let mut listed = Vec::new();
        let mut add = |(mut document, count): (Value, usize), control_plane: bool| {
            let ids: Vec<String> = seeds.by_ref().take(count)
                .map(|seed| uuid::Uuid::from_u128(seed).to_string()).collect();
            for id in &ids {
                if let Some(mut machine) = machines.next().flatten() {
                    machine["name"] = json!(id);
                    if control_plane {
                        machine["locked"] = json!(false);
                    }
                    listed.push(machine);
                }
            }
            put(&mut document, "machines", json!(ids));
            documents.push(document);
        };
        add(planes, true);
        add(workers, false);
        if let Some((name, (mut document, count))) = more {
            document["name"] = json!(format!("x{name}"));
            add((document, count), false);
        }
        documents.extend(listed);
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        texts.join("\n---\n")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_template_comes_back(text in templates()) {
        check_round_trip(&load_text(&text));
    }
}
