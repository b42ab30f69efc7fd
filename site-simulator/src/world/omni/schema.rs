//! Specs of the types that users and providers write: which fields there are, and how protojson shows them.

use serde_json::{Map, Value};

use super::kinds;

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    /// Text, a duration or a time.
    Text,
    /// Flag.
    Bool,
    /// Number.
    Number,
    /// One of these names, by number.
    Enum(&'static [&'static str]),
    /// A message.
    Message(Fields),
    /// A list.
    List(&'static Field),
    /// Anything.
    Any,
}

/// Fields of a message in the order they are shown in.
pub type Fields = &'static [(&'static str, Field)];

use Field::{Any, Bool, Enum, List, Message, Number, Text};

const TEXTS: Field = List(&Text);
const GRPC_TUNNEL: Field = Enum(&["UNSET", "ENABLED", "DISABLED"]);
const META_VALUE: Field = Message(&[("key", Number), ("value", Text)]);
const STRATEGY: Field = Enum(&["Unset", "Rolling"]);
const STRATEGY_CONFIG: Field = Message(&[("rolling", Message(&[("max_parallelism", Number)]))]);
const ALLOCATION: Field = Message(&[
    ("name", Text),
    ("machine_count", Number),
    ("allocation_type", Enum(&["Static", "Unlimited"])),
]);

const MACHINE_CLASS: Fields = &[
    ("match_labels", TEXTS),
    (
        "auto_provision",
        Message(&[
            ("provider_id", Text),
            ("kernel_args", TEXTS),
            ("meta_values", List(&META_VALUE)),
            ("provider_data", Text),
            ("grpc_tunnel", GRPC_TUNNEL),
        ]),
    ),
];
const CLUSTER: Fields = &[
    ("install_image", Text),
    ("kubernetes_version", Text),
    ("talos_version", Text),
    (
        "features",
        Message(&[
            ("enable_workload_proxy", Bool),
            ("disk_encryption", Bool),
            ("use_embedded_discovery_service", Bool),
            ("enable_node_audit_skip", Bool),
            ("disable_public_discovery_service", Bool),
        ]),
    ),
    (
        "backup_configuration",
        Message(&[("interval", Text), ("enabled", Bool)]),
    ),
];
const MACHINE_SET: Fields = &[
    ("update_strategy", STRATEGY),
    ("machine_class", ALLOCATION),
    (
        "bootstrap_spec",
        Message(&[("cluster_uuid", Text), ("snapshot", Text)]),
    ),
    ("delete_strategy", STRATEGY),
    ("update_strategy_config", STRATEGY_CONFIG),
    ("delete_strategy_config", STRATEGY_CONFIG),
    ("machine_allocation", ALLOCATION),
    ("upgrade_strategy", STRATEGY),
    ("upgrade_strategy_config", STRATEGY_CONFIG),
];
const REQUEST_SET: Fields = &[
    ("provider_id", Text),
    ("machine_count", Number),
    ("talos_version", Text),
    ("extensions", TEXTS),
    ("kernel_args", TEXTS),
    ("meta_values", List(&META_VALUE)),
    ("provider_data", Text),
    ("grpc_tunnel", GRPC_TUNNEL),
];
const REQUEST: Fields = &[
    ("talos_version", Text),
    ("overlay", Message(&[("name", Text), ("image", Text)])),
    ("extensions", TEXTS),
    ("kernel_args", TEXTS),
    ("meta_values", List(&META_VALUE)),
    ("provider_data", Text),
    ("grpc_tunnel", GRPC_TUNNEL),
];
const REQUEST_STATUS: Fields = &[
    ("id", Text),
    (
        "stage",
        Enum(&["UNKNOWN", "PROVISIONING", "PROVISIONED", "FAILED"]),
    ),
    ("error", Text),
    ("status", Text),
];
const PATCH: Fields = &[("data", Text), ("compressed_data", Text)];
const MANIFESTS: Fields = &[
    ("data", Text),
    ("compressed_data", Text),
    ("mode", Enum(&["UNKNOWN", "FULL", "ONE_TIME"])),
];
const PROVIDER_STATUS: Fields = &[
    ("schema", Text),
    ("name", Text),
    ("description", Text),
    ("icon", Text),
    ("version", Text),
];
const PROVIDER_HEALTH: Fields = &[("last_heartbeat_timestamp", Text), ("error", Text)];

/// The fields of a type's spec; `None` where any will do.
pub fn fields(kind: &str) -> Option<Fields> {
    Some(match kind {
        k if k == kinds::MACHINE_CLASSES.name => MACHINE_CLASS,
        k if k == kinds::CLUSTERS.name => CLUSTER,
        k if k == kinds::MACHINE_SETS.name => MACHINE_SET,
        k if k == kinds::MACHINE_REQUEST_SETS.name => REQUEST_SET,
        k if k == kinds::MACHINE_REQUESTS.name => REQUEST,
        k if k == kinds::MACHINE_REQUEST_STATUSES.name => REQUEST_STATUS,
        k if k == kinds::CONFIG_PATCHES.name => PATCH,
        k if k == kinds::EXTENSIONS_CONFIGURATIONS.name => &[("extensions", TEXTS)],
        k if k == kinds::KERNEL_ARGS.name => &[("args", TEXTS)],
        k if k == kinds::MACHINE_SET_NODES.name || k == kinds::INFRA_PROVIDERS.name => &[],
        k if k == kinds::INFRA_PROVIDER_STATUSES.name => PROVIDER_STATUS,
        k if k == kinds::INFRA_PROVIDER_HEALTH_STATUSES.name => PROVIDER_HEALTH,
        "ConfigPatchRequests.omni.sidero.dev" => PATCH,
        "KubernetesManifestGroups.omni.sidero.dev" => MANIFESTS,
        "MachineLabels.omni.sidero.dev" => &[],
        "MachineInstallDiskConfigs.omni.sidero.dev" => &[("disk", Text), ("disk_selector", Text)],
        "JoinTokens.omni.sidero.dev" => {
            &[("expiration_time", Text), ("revoked", Bool), ("name", Text)]
        }
        _ => return None,
    })
}

/// Brings a message into the form it is read back in: snake_case, known order, numbers for enums, no zero
/// values. `text` is what was sent; errors name the place in it.
pub fn normalise(fields: Fields, value: &Value, text: &str) -> Result<Value, String> {
    let Value::Object(sent) = value else {
        return Err("proto: syntax error (line 1:1): unexpected token".to_owned());
    };
    for key in sent.keys() {
        if !fields
            .iter()
            .any(|(name, _)| key == name || *key == camel(name))
        {
            return Err(unknown_field(key, text));
        }
    }
    let mut shown = Map::new();
    for (name, field) in fields {
        let Some(value) = sent.get(*name).or_else(|| sent.get(&camel(name))) else {
            continue;
        };
        if let Some(value) = show(name, *field, value, text)? {
            shown.insert((*name).to_owned(), value);
        }
    }
    Ok(Value::Object(shown))
}

/// The error for a field that a message does not have.
pub fn unknown_field(key: &str, text: &str) -> String {
    let place = text.find(&format!("\"{key}\"")).unwrap_or(0);
    let line = text[..place].matches('\n').count() + 1;
    let column = place - text[..place].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    format!("proto: (line {line}:{column}): unknown field \"{key}\"")
}

fn show(name: &str, field: Field, value: &Value, text: &str) -> Result<Option<Value>, String> {
    let invalid = |kind: &str| {
        let place = text
            .find(&format!("\"{name}\""))
            .map_or(1, |at| at + name.len() + 5);
        format!(
            "proto: (line 1:{place}): invalid value for {kind} field {}: {value}",
            camel(name)
        )
    };
    if value.is_null() {
        return Ok(None);
    }
    Ok(match (field, value) {
        (Text, Value::String(s)) => (!s.is_empty()).then(|| value.clone()),
        (Text, _) => return Err(invalid("string")),
        (Bool, Value::Bool(on)) => on.then(|| value.clone()),
        (Bool, _) => return Err(invalid("bool")),
        (Number, _) => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            let number = number.ok_or_else(|| invalid("int32"))?;
            (number != 0).then(|| number.into())
        }
        (Enum(names), _) => {
            let by_name = value
                .as_str()
                .and_then(|s| names.iter().position(|known| *known == s));
            let number = value.as_u64().or(by_name.map(|index| index as u64));
            let number = number.ok_or_else(|| invalid("enum"))?;
            (number != 0).then(|| number.into())
        }
        (Message(fields), _) => Some(normalise(fields, value, text)?),
        (List(item), Value::Array(items)) => {
            let mut shown = Vec::with_capacity(items.len());
            for value in items {
                let zero = match item {
                    Text => Value::String(String::new()),
                    _ => Value::Object(Map::new()),
                };
                shown.push(show(name, *item, value, text)?.unwrap_or(zero));
            }
            (!shown.is_empty()).then_some(Value::Array(shown))
        }
        (List(_), _) => return Err(invalid("repeated")),
        (Any, _) => Some(value.clone()),
    })
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (first, rest) = part.split_at(part.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shows_what_protojson_shows() {
        let sent = r#"{"talosVersion": "1.13.7", "kubernetes_version": "1.36.2", "features": {"disk_encryption": false}}"#;
        let value: Value = serde_json::from_str(sent).unwrap();
        let shown = normalise(CLUSTER, &value, sent).unwrap();
        let expected = r#"{"kubernetes_version":"1.36.2","talos_version":"1.13.7","features":{}}"#;
        assert_eq!(shown.to_string(), expected);
    }

    #[test]
    fn names_the_place_of_an_unknown_field() {
        let sent = r#"{"bogus": 1, "match_labels": ["a = b"]}"#;
        let value: Value = serde_json::from_str(sent).unwrap();
        let error = normalise(MACHINE_CLASS, &value, sent).unwrap_err();
        assert_eq!(error, "proto: (line 1:2): unknown field \"bogus\"");
    }

    #[test]
    fn enums_by_name_and_number() {
        for tunnel in [json!("ENABLED"), json!(1)] {
            let value = json!({"auto_provision": {"provider_id": "p", "grpc_tunnel": tunnel}});
            let shown = normalise(MACHINE_CLASS, &value, "").unwrap();
            assert_eq!(shown["auto_provision"]["grpc_tunnel"], json!(1));
        }
    }
}
