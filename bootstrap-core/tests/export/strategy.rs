//! Templates of any shape.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

/// A cluster that a bootstrap may begin from.
const RESTORED: &str = "6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d";

type Texts = BTreeMap<String, String>;

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

fn descriptors() -> impl Strategy<Value = (Texts, Texts)> {
    let map = || prop::collection::btree_map("[a-z]{1,8}(/[a-z0-9]{1,3})?", value(), 0..3);
    (map(), map())
}

fn describe(document: &mut Value, (labels, annotations): (Texts, Texts)) {
    if !labels.is_empty() {
        document["labels"] = json!(labels);
    }
    if !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
}

/// A patch as a mapping, as two, or as text in all its shapes.
fn patch_content() -> impl Strategy<Value = Value> {
    // omnictl writes mappings anew, and refuses its own block text that begins with empty lines and spaces.
    let sysctls =
        |value: String| json!({"machine": {"sysctls": {"a.b": value.trim_start_matches('\n')}}});
    prop_oneof![
        value().prop_map(sysctls),
        value().prop_map(move |value| {
            let sink = json!({"apiVersion": "v1alpha1", "kind": "EventSinkConfig", "endpoint": "10.0.0.1:4000"});
            json!([sysctls(value), sink])
        }),
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
                document["bootstrapSpec"] = json!({"clusterUUID": RESTORED, "snapshot": "F.snapshot"});
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
    /// The text of a valid template of the cluster `home`, as JSON documents.
    pub(crate) fn templates()(
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
