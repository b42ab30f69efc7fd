//! Documents in both spellings, and the table that tells them apart.
#![cfg(feature = "yaml")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // a test may

mod fake;
mod record;

use omni_client::yaml::{Spelling, read, write};
use omni_client::{Resource, spelling};
use serde_json::{Value, json};

#[test]
fn what_was_recorded_is_written_and_read_in_both_spellings() {
    let mut count = 0;
    for record in record::records("ResourceService/") {
        for text in record.resources() {
            let Ok(resource) = serde_json::from_str::<Resource>(&text) else {
                continue;
            };
            let known = spelling::shape::fields(&resource.metadata.kind).is_some();
            for form in [Spelling::Api, Spelling::Omnictl] {
                if !known && form == Spelling::Omnictl {
                    continue;
                }
                let text = write(std::slice::from_ref(&resource), form).unwrap();
                let back = read(&text).unwrap().remove(0);
                let name = &record.name;
                assert_eq!(back.metadata, resource.metadata, "{name}\n{text}");
                assert_eq!(plain(&back.spec), plain(&resource.spec), "{name} {form:?}");
                count += 1;
            }
        }
    }
    println!("{count} documents");
    assert!(count >= 660, "{count}");
}

/// Without what both spellings may say in two ways.
fn plain(spec: &Value) -> Value {
    match spec {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (spelling::shape::joined(name), plain(value)))
            .filter(|(_, value)| !value.as_object().is_some_and(serde_json::Map::is_empty))
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        // 64-bit numbers are texts in one of them.
        Value::Number(number) => number.to_string().into(),
        other => other.clone(),
    }
}

#[test]
fn what_omnictl_printed_is_read() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/golden/57-get-yaml/stdout"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let resources = read(&text).unwrap();
    assert!(!resources.is_empty());
    for resource in &resources {
        assert!(resource.metadata.version > 0 && !resource.metadata.id.is_empty());
        assert!(
            resource
                .spec
                .as_object()
                .is_some_and(|spec| !spec.is_empty())
        );
    }
}

#[test]
fn keys_and_values_in_their_spellings() {
    for (kind, spec, expected) in [
        (
            "Clusters",
            "kubernetesVersion: 1.30\ntalos_version: 1.13.0",
            json!({"kubernetes_version": "1.30", "talos_version": "1.13.0"}),
        ),
        (
            "Clusters",
            "backupconfiguration: {interval: 2h30m}",
            json!({"backup_configuration": {"interval": "9000s"}}),
        ),
        (
            "Clusters",
            "backup_configuration: {interval: {seconds: 5}, enabled: false}",
            json!({"backup_configuration": {"interval": "5s"}}),
        ),
        ("Clusters", "features: {}", json!({"features": {}})),
        ("Clusters", "features: null", json!({})),
        (
            "MachineClasses",
            "autoprovision: {grpctunnel: enabled, metavalues: [{key: 0x0a, value: 1}]}",
            json!({"auto_provision": {"grpc_tunnel": 1, "meta_values": [{"key": 10, "value": "1"}]}}),
        ),
        (
            "MachineClasses",
            "auto_provision: {grpc_tunnel: 9}",
            json!({"auto_provision": {"grpc_tunnel": 9}}),
        ),
        (
            "ConfigPatches",
            "compresseddata: [104, 105]\ndata: |\n  a: 1\n",
            json!({"data": "a: 1\n", "compressed_data": "aGk="}),
        ),
        (
            "EtcdBackups",
            "createdat: {seconds: 0, nanos: 5}\nsize: \"18446744073709551615\"",
            json!({"created_at": "1970-01-01T00:00:00.000000005Z", "size": "18446744073709551615"}),
        ),
        (
            "Foos.example.dev",
            "anyKey: [1, x]",
            json!({"anyKey": [1, "x"]}),
        ),
    ] {
        let kind = if kind.contains('.') {
            kind.to_owned()
        } else {
            format!("{kind}.omni.sidero.dev")
        };
        let spec = spec.replace('\n', "\n  ");
        let text = format!("spec:\n  {spec}\nmetadata: {{type: {kind}, id: 0123}}\n---\n");
        let resource = read(&text).unwrap().remove(0);
        assert_eq!(
            (resource.spec, resource.metadata.id.as_str()),
            (expected, "0123"),
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_is_named_and_not_quoted() {
    let class = "metadata: {type: MachineClasses.omni.sidero.dev, id: a}\n";
    for (text, said) in [
        (
            format!("{class}spec: {{matchlabel: []}}"),
            "unknown key `matchlabel`",
        ),
        (
            format!("{class}spec: {{match_labels: [], matchlabels: []}}"),
            "given twice",
        ),
        (format!("{class}spec: {{match_labels: hunter2}}"), "a list"),
        (
            format!("{class}spec: {{auto_provision: [hunter2]}}"),
            "a mapping",
        ),
        (
            format!("{class}spec: {{auto_provision: {{grpc_tunnel: hunter2}}}}"),
            "not a number or name of the enumeration",
        ),
        (
            format!("{class}spec: {{}}\nextra: 1"),
            "unknown key `extra`",
        ),
        (
            "metadata: {id: a}\nspec: {}".into(),
            "needs a type and an id",
        ),
        (
            "metadata: {type: T, id: a, name: b}\nspec: {}".into(),
            "unknown field `name`",
        ),
        (
            "metadata: {type: T, id: a, version: -1}\nspec: {}".into(),
            "version",
        ),
        (
            "metadata: {type: T, id: a, phase: gone}\nspec: {}".into(),
            "phase",
        ),
        ("apiVersion: v1".into(), "metadata"),
        ("- a".into(), "invalid type"),
        ("a: [".into(), "line"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(
            error.contains(said) && !error.contains("hunter2"),
            "{text}: {error}"
        );
    }
    assert_eq!(read("").unwrap(), []);
    assert_eq!(read("---\n---\n").unwrap(), []);
}
