//! `spec.autoprovision`: how a provider makes the class's machines.

use serde_json::{Map, Value};

use super::fields::{self, Fields, Findings};
use crate::yaml::{self, Node};

/// Keys of `spec.autoprovision`, which have no effect inside `providerdata`.
const PROVISION_KEYS: &[&str] = &[
    "provider_id",
    "kernel_args",
    "meta_values",
    "provider_data",
    "grpc_tunnel",
];

/// `auto_provision` as the API takes it, zero values left out, and the provider data parsed.
pub(super) fn auto_provision(node: &Node, findings: &mut Findings) -> (Map<String, Value>, Value) {
    let mut fields = Fields::of(node, "spec.autoprovision", PROVISION_KEYS, findings);
    let mut provision = Map::new();
    let provider = fields.string("provider_id", findings);
    if provider.is_empty() {
        let hint = "it names the infra provider that makes the machines";
        findings.error(
            node,
            "providerid is missing in spec.autoprovision".to_owned(),
            hint,
        );
    } else {
        provision.insert("provider_id".to_owned(), provider.into());
    }
    let args = fields.strings("kernel_args", findings);
    insert_list(&mut provision, "kernel_args", args);
    let values = fields
        .take("meta_values")
        .map(|node| meta_values(node, findings))
        .unwrap_or_default();
    if !values.is_empty() {
        provision.insert("meta_values".to_owned(), Value::Array(values));
    }
    let (text, data) = fields
        .take("provider_data")
        .map(|node| provider_data(node, findings))
        .unwrap_or_default();
    if !text.is_empty() {
        provision.insert("provider_data".to_owned(), text.into());
    }
    let tunnel = fields
        .take("grpc_tunnel")
        .map_or(0, |node| grpc_tunnel(node, findings));
    if tunnel > 0 {
        provision.insert("grpc_tunnel".to_owned(), tunnel.into());
    }
    (provision, data)
}

pub(super) fn insert_list(object: &mut Map<String, Value>, key: &str, list: Vec<String>) {
    if !list.is_empty() {
        object.insert(key.to_owned(), list.into());
    }
}

fn meta_values(node: &Node, findings: &mut Findings) -> Vec<Value> {
    let Some(items) = node.as_sequence() else {
        findings.error(
            node,
            format!("metavalues must be a list, not {}", node.kind()),
            "a list of `key:` and `value:`",
        );
        return Vec::new();
    };
    let one = |item: &Node| {
        let mut fields = Fields::of(item, "metavalues", &["key", "value"], findings);
        let mut object = Map::new();
        if let Some(node) = fields.take("key") {
            match node.as_i64().and_then(|key| u8::try_from(key).ok()) {
                Some(0) => {}
                Some(key) => drop(object.insert("key".to_owned(), key.into())),
                None => findings.error(
                    node,
                    "a META key is a number from 0 to 255".to_owned(),
                    "for example 0x0a",
                ),
            }
        }
        let value = fields.string("value", findings);
        if !value.is_empty() {
            object.insert("value".to_owned(), value.into());
        }
        Value::Object(object)
    };
    items.iter().map(one).collect()
}

fn grpc_tunnel(node: &Node, findings: &mut Findings) -> u8 {
    match (node.as_i64(), node.as_str()) {
        (Some(mode @ 0..=2), _) => u8::try_from(mode).unwrap_or_default(),
        (_, Some("UNSET")) => 0,
        (_, Some("ENABLED")) => 1,
        (_, Some("DISABLED")) => 2,
        _ => {
            let hint = "0 is unset, 1 enabled, 2 disabled";
            findings.error(node, "grpctunnel must be 0, 1 or 2".to_owned(), hint);
            0
        }
    }
}

/// The text, and what it means.
fn provider_data(node: &Node, findings: &mut Findings) -> (String, Value) {
    let Some(text) = node.as_str() else {
        let message = format!("providerdata must be a text, not {}", node.kind());
        findings.error(
            node,
            message,
            "write `providerdata: |` and indent the keys below it",
        );
        return (String::new(), Value::Null);
    };
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(problems) => {
            for problem in problems {
                let message = format!("providerdata: {}", problem.message);
                let hint = problem.hint.as_deref().unwrap_or("it must be YAML");
                findings.error_inside(node, (problem.line, problem.column), message, hint);
            }
            return (text.to_owned(), Value::Null);
        }
    };
    let Some(data) = documents.first().filter(|data| !data.is_null()) else {
        return (text.to_owned(), Value::Null);
    };
    match data.as_mapping() {
        Some(pairs) => misplaced(pairs, node, findings),
        None => findings.error(
            node,
            format!("providerdata is {}, not keys and values", data.kind()),
            "one `key: value` a line",
        ),
    }
    (text.to_owned(), data.to_json())
}

/// Keys of the class that were written into the provider's data, where nothing reads them.
fn misplaced(pairs: &[(Node, Node)], block: &Node, findings: &mut Findings) {
    for (key, _) in pairs {
        let name = key.as_str().unwrap_or_default();
        let joined = fields::joined(name);
        let home = if PROVISION_KEYS
            .iter()
            .any(|key| fields::joined(key) == joined)
        {
            "spec.autoprovision"
        } else if joined == "matchlabels" {
            "spec"
        } else {
            continue;
        };
        let message = format!("`{name}` inside providerdata has no effect");
        let hint = format!("it belongs to {home}: indent it less");
        findings.warn_inside(block, (key.line, key.column), message, &hint);
    }
}
