//! Whether two resources mean the same. The API leaves zero values out, texts that hold YAML differ
//! in formatting, and what others added must survive.

use std::collections::BTreeMap;

use omni_client::{Metadata, labels};
use serde_json::{Map, Value};

/// Texts inside specs that are YAML themselves.
const YAML_TEXTS: [&str; 2] = ["provider_data", "data"];

/// Whether two specs mean the same.
pub fn same_spec(left: &Value, right: &Value) -> bool {
    canonical(left, "") == canonical(right, "")
}

/// Whether a field of two specs means the same.
pub fn same_field(left: &Value, right: &Value, key: &str) -> bool {
    let field = |spec: &Value| canonical(spec.get(key).unwrap_or(&Value::Null), key);
    field(left) == field(right)
}

fn canonical(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) if number.as_f64() == Some(0.0) => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if YAML_TEXTS.contains(&key) => Some(parsed(text)),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            // An element's position means something: a zero element stays.
            Some(Value::Array(
                items
                    .iter()
                    .map(|item| canonical(item, "").unwrap_or(Value::Null))
                    .collect(),
            ))
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, Value)> = map
                .iter()
                .filter_map(|(key, value)| Some((key, canonical(value, key)?)))
                .collect();
            entries.sort_by_key(|(key, _)| *key);
            let map: Map<String, Value> = entries
                .into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect();
            if map.is_empty() {
                None
            } else {
                Some(Value::Object(map))
            }
        }
        other => Some(other.clone()),
    }
}

/// The documents a YAML text holds, or the text itself where it is none.
fn parsed(text: &str) -> Value {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        match <Value as serde::Deserialize>::deserialize(document) {
            Ok(Value::Null) => {}
            Ok(document) => documents.push(sorted(document)),
            Err(_) => return Value::String(text.to_owned()),
        }
    }
    Value::Array(documents)
}

/// A value with the keys of all its objects in order.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The metadata an update sends: identity, version and finalizers as read, wanted labels and
/// annotations over those Omni keeps for itself.
pub fn merged_metadata(actual: &Metadata, wanted: &Metadata) -> Metadata {
    let mut merged = actual.clone();
    merged.labels.extend(wanted.labels.clone());
    merged.annotations.extend(wanted.annotations.clone());
    merged
}

/// Labels or annotations as wanted, with those that Omni keeps itself; not with such as the author `decides`.
pub fn with_omnis_own(
    actual: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
    decides: &[&str],
) -> BTreeMap<String, String> {
    let own = actual
        .iter()
        .filter(|(key, _)| key.starts_with(labels::PREFIX) && !decides.contains(&key.as_str()));
    own.chain(wanted)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::same_spec;

    #[test]
    fn zero_values_and_formatting_do_not_count() {
        let file = json!({"match_labels": [], "auto_provision": {"provider_id": "proxmox", "kernel_args": [], "provider_data": "a: 1\nb: [x]\n"}});
        let omni = json!({"auto_provision": {"provider_id": "proxmox", "provider_data": "b:\n  - x\na: 1"}});
        assert!(same_spec(&file, &omni));
        let other = json!({"auto_provision": {"provider_id": "proxmox", "provider_data": "b:\n  - y\na: 1"}});
        assert!(!same_spec(&file, &other));
    }

    #[test]
    fn a_patch_differs_when_its_yaml_does() {
        let one = json!({"data": "machine:\n    sysctls: {a: \"1\"}\n"});
        assert!(same_spec(
            &one,
            &json!({"data": "machine: {sysctls: {a: '1'}}"})
        ));
        assert!(!same_spec(
            &one,
            &json!({"data": "machine: {sysctls: {a: 1}}"})
        ));
        assert!(!same_spec(&one, &json!({"data": "a: b: c"})));
    }
}
