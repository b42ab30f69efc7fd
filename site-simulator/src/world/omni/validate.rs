//! What Omni refuses, in its own words.

use omni_client::{Resource, Selectors};
use serde_json::Value;

use super::kinds::{self, label};
use super::patches;
use super::store::{Store, label as label_of, tearing_down};

/// Everything wrong with a new or changed resource.
pub(super) fn write(store: &Store, old: Option<&Resource>, new: &Resource) -> Vec<String> {
    let kind = new.metadata.kind.as_str();
    match kind {
        k if k == kinds::MACHINE_CLASSES.name => machine_class(store, new),
        k if k == kinds::CLUSTERS.name => cluster(store, new),
        k if k == kinds::MACHINE_SETS.name => machine_set(store, old, new),
        k if k == kinds::MACHINE_SET_NODES.name => machine_set_node(store, old, new),
        k if k == kinds::CONFIG_PATCHES.name => patches::check(text(new, "data")),
        k if k == kinds::EXTENSIONS_CONFIGURATIONS.name => extensions(store, new),
        k if k == kinds::MACHINE_REQUEST_SETS.name => request_set(store, new),
        k if k == kinds::MACHINE_REQUESTS.name => match old {
            Some(old) if old.spec != new.spec => {
                vec!["machine request spec is immutable".to_owned()]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Everything that speaks against deleting a resource.
pub(super) fn delete(store: &Store, resource: &Resource) -> Vec<String> {
    if resource.metadata.kind == kinds::MACHINE_CLASSES.name {
        let users: Vec<&str> = store
            .all(kinds::MACHINE_SETS)
            .filter(|set| text_at(&set.spec, "/machine_allocation/name") == resource.metadata.id)
            .map(|set| set.metadata.id.as_str())
            .collect();
        if !users.is_empty() {
            return vec![format!(
                "can not delete the machine class as it is still in use by machine sets: {}",
                users.join(", ")
            )];
        }
    }
    Vec::new()
}

fn text<'a>(resource: &'a Resource, key: &str) -> &'a str {
    resource
        .spec
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn text_at<'a>(spec: &'a Value, pointer: &str) -> &'a str {
    spec.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn missing(kind: kinds::KindRef, id: &str) -> String {
    format!(
        "resource {}({}/{id}@undefined) doesn't exist",
        kind.name, kind.namespace
    )
}

fn machine_class(store: &Store, class: &Resource) -> Vec<String> {
    let labels = class.spec.get("match_labels").and_then(Value::as_array);
    let auto = class.spec.get("auto_provision");
    match (labels, auto) {
        (Some(_), Some(_)) => {
            vec!["can't set both auto provision and match labels at the same time".to_owned()]
        }
        (None, None) => {
            vec!["machine class should either have auto provision or match labels set".to_owned()]
        }
        (Some(labels), None) => Selectors::parse(labels.iter().filter_map(Value::as_str))
            .err()
            .map(|e| {
                format!("failed to parse matchLabels: rpc error: code = InvalidArgument desc = {e}")
            })
            .into_iter()
            .collect(),
        (None, Some(auto)) => provision(store, auto),
    }
}

/// Provider and provider data of a class or request set.
fn provision(store: &Store, spec: &Value) -> Vec<String> {
    let provider = text_at(spec, "/provider_id");
    let Some(status) = store.find(kinds::INFRA_PROVIDER_STATUSES, provider) else {
        let missing = missing(kinds::INFRA_PROVIDER_STATUSES, provider);
        return vec![format!("failed to get provider: failed to get: {missing}")];
    };
    let schema: Value =
        serde_json::from_str(text_at(&status.spec, "/schema")).unwrap_or(Value::Null);
    let data: Value = serde_yaml::from_str(text_at(spec, "/provider_data")).unwrap_or(Value::Null);
    let found = provider_data(&schema, &data);
    if found.is_empty() {
        Vec::new()
    } else {
        vec![format!("- {}", found.join("\n- "))]
    }
}

/// Findings of provider data against the provider's JSON schema: required keys in one line, then one a value.
fn provider_data(schema: &Value, data: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let required = schema.get("required").and_then(Value::as_array);
    let absent: Vec<String> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|key| data.get(key).is_none())
        .map(|key| format!("config value \".{key}\": is required"))
        .collect();
    if !absent.is_empty() {
        findings.push(absent.join("; "));
    }
    for (key, value) in data.as_object().into_iter().flatten() {
        if let Some(property) = schema.get("properties").and_then(|all| all.get(key)) {
            findings.extend(property_finding(key, property, value));
        }
    }
    findings
}

fn property_finding(key: &str, property: &Value, value: &Value) -> Option<String> {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wanted = property
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or(found);
    let fits = wanted == found || (wanted == "integer" && (value.is_i64() || value.is_u64()));
    if !fits {
        return Some(format!(
            "config value \".{key}\": must be of type {wanted}, but got {found}"
        ));
    }
    let minimum = property.get("minimum").and_then(Value::as_f64);
    if let (Some(minimum), Some(number)) = (minimum, value.as_f64())
        && number < minimum
    {
        return Some(format!(
            "config value \".{key}\": must be at least {minimum}"
        ));
    }
    let choices = property.get("enum").and_then(Value::as_array)?;
    if choices.contains(value) {
        return None;
    }
    let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
    Some(format!(
        "config value \".{key}\": must be one of {}",
        choices.join(", ")
    ))
}

fn cluster(store: &Store, cluster: &Resource) -> Vec<String> {
    let (talos, kubernetes) = (
        text(cluster, "talos_version"),
        text(cluster, "kubernetes_version"),
    );
    let Some(version) = store.find(kinds::TALOS_VERSIONS, talos) else {
        let missing = missing(kinds::TALOS_VERSIONS, talos);
        return vec![format!(
            "invalid talos version \"{talos}\": failed to get: {missing}"
        )];
    };
    let compatible = version
        .spec
        .get("compatible_kubernetes_versions")
        .and_then(Value::as_array);
    if compatible.into_iter().flatten().any(|v| v == kubernetes) {
        return Vec::new();
    }
    vec![format!(
        "invalid kubernetes version \"{kubernetes}\": is not compatible with talos version \"{talos}\""
    )]
}

fn machine_set(store: &Store, old: Option<&Resource>, set: &Resource) -> Vec<String> {
    let mut errors = Vec::new();
    let id = &set.metadata.id;
    let Some(cluster) = label_of(set, label::CLUSTER) else {
        return vec![format!("cluster label is missing in machine set \"{id}\"")];
    };
    if old.is_none() {
        if !id.starts_with(&format!("{cluster}-")) {
            errors.push(format!(
                "machine set of cluster \"{cluster}\" ID must have \"{cluster}-\" as prefix"
            ));
        }
        let planes = format!("{cluster}-control-planes");
        if label_of(set, label::CONTROL_PLANE).is_some() && *id != planes {
            errors.push(format!(
                "control plane machine set must have ID \"{planes}\""
            ));
        }
    } else if old.is_some_and(|old| label_of(old, label::CLUSTER) != Some(cluster)) {
        errors.push("cluster label can't be changed".to_owned());
    }
    let Some(name) = set
        .spec
        .pointer("/machine_allocation/name")
        .and_then(Value::as_str)
    else {
        return errors;
    };
    match store.find(kinds::MACHINE_CLASSES, name) {
        None => errors.push(format!("machine class with name \"{name}\" doesn't exist")),
        Some(class) => {
            let unlimited = set
                .spec
                .pointer("/machine_allocation/allocation_type")
                .is_some();
            if unlimited && class.spec.get("auto_provision").is_some() {
                errors.push(
                    "machine set can't have unlimited allocation type when it uses auto provisioned machine class"
                        .to_owned(),
                );
            }
        }
    }
    errors
}

fn machine_set_node(store: &Store, old: Option<&Resource>, node: &Resource) -> Vec<String> {
    let set = label_of(node, label::MACHINE_SET).unwrap_or_default();
    let Some(found) = store.find(kinds::MACHINE_SETS, set) else {
        return vec![format!("machine set with name \"{set}\" doesn't exist")];
    };
    if old.is_none() && found.spec.get("machine_allocation").is_some() {
        return vec![format!(
            "adding machine set node to the machine set \"{set}\" is not allowed: the machine set is using \
             automated machine allocation"
        )];
    }
    Vec::new()
}

fn extensions(store: &Store, config: &Resource) -> Vec<String> {
    let wanted = config.spec.get("extensions").and_then(Value::as_array);
    let Some(wanted) = wanted else {
        return Vec::new();
    };
    let cluster = label_of(config, label::CLUSTER).and_then(|id| store.find(kinds::CLUSTERS, id));
    let Some(cluster) = cluster.filter(|cluster| !tearing_down(cluster)) else {
        return Vec::new();
    };
    let version = text(cluster, "talos_version");
    let Some(known) = store.find(kinds::TALOS_EXTENSIONS, version) else {
        return Vec::new();
    };
    let known: Vec<&str> = known
        .spec
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("name")?.as_str())
        .collect();
    wanted
        .iter()
        .filter_map(Value::as_str)
        .enumerate()
        .filter(|(_, name)| !known.contains(name) && !known.contains(&format!("siderolabs/{name}").as_str()))
        .map(|(index, name)| {
            format!("extension \"{name}\" (entry {index}) is not available for Talos version \"{version}\"")
        })
        .collect()
}

fn request_set(store: &Store, set: &Resource) -> Vec<String> {
    if !set.metadata.owner.is_empty() {
        return Vec::new();
    }
    let mut errors = provision(store, &set.spec);
    let version = text(set, "talos_version");
    if store.find(kinds::TALOS_VERSIONS, version).is_none() {
        errors.push(format!(
            "invalid talos version \"{version}\": failed to get: {}",
            missing(kinds::TALOS_VERSIONS, version)
        ));
    }
    errors
}
