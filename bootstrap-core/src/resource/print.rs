//! Resources as omnictl prints them: spec keys joined and in lower case, zero values shown.

use omni_client::{Metadata, Phase, Resource, spelling};
use serde_json::{Map, Number, Value};

use crate::template::go_yaml::{self, Value as Yaml};

/// What Go prints for a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Resources in omnictl's YAML, indented as wide as asked; `created` stands in where a resource has no time of its own.
pub fn documents(resources: &[Resource], created: &str, indent: usize) -> String {
    let documents: Vec<_> = resources
        .iter()
        .map(|resource| document(resource, created))
        .collect();
    go_yaml::emit(&documents, indent)
}

/// One resource in the YAML of `omnictl get -o yaml`.
pub fn yaml(resource: &Resource) -> String {
    go_yaml::emit(&[document(resource, NEVER)], 4)
}

/// One resource as `omnictl get -o json` shows it: the same keys as in YAML, sorted.
pub fn json(resource: &Resource) -> Value {
    as_json(&document(resource, NEVER))
}

/// JSON indented as omnictl does.
pub fn indented(value: &Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    // Writing a value into memory cannot fail.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    // Go writes these as escapes, for those who paste JSON into web pages.
    String::from_utf8_lossy(&text)
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
}

/// One resource with the metadata that is its author's: what people keep in files.
pub fn declared(resource: &Resource, indent: usize) -> String {
    let metadata = &resource.metadata;
    let mut pairs = named(metadata);
    pairs.extend(described(metadata));
    let document = Yaml::mapping([("metadata", Yaml::Mapping(pairs)), ("spec", spec(resource))]);
    go_yaml::emit(&[document], indent)
}

fn document(resource: &Resource, created: &str) -> Yaml {
    Yaml::mapping([
        ("metadata", metadata(&resource.metadata, created)),
        ("spec", spec(resource)),
    ])
}

fn spec(resource: &Resource) -> Yaml {
    yaml_of(&spelling::printed(&resource.metadata.kind, &resource.spec))
}

fn bare(text: &str) -> Yaml {
    Yaml::Bare(text.into())
}

fn named(metadata: &Metadata) -> Vec<(Yaml, Yaml)> {
    vec![
        (bare("namespace"), bare(&metadata.namespace)),
        (bare("type"), bare(&metadata.kind)),
        (bare("id"), bare(&metadata.id)),
    ]
}

/// Labels and annotations, where there are any.
fn described(metadata: &Metadata) -> impl Iterator<Item = (Yaml, Yaml)> {
    let maps = [
        ("labels", &metadata.labels),
        ("annotations", &metadata.annotations),
    ];
    maps.into_iter()
        .filter(|(_, map)| !map.is_empty())
        .map(|(name, map)| {
            let map = map.iter().map(|(key, value)| (bare(key), bare(value)));
            (bare(name), Yaml::Mapping(map.collect()))
        })
}

fn metadata(metadata: &Metadata, created: &str) -> Yaml {
    let time = |time: &str| {
        let unset = time.is_empty() || time.starts_with("1970-01-01T00:00:00");
        Yaml::Bare(match (time, unset) {
            ("", _) => created.into(),
            (_, true) => NEVER.into(),
            (time, false) => time.into(),
        })
    };
    let phase = match metadata.phase {
        Phase::Running => "running",
        Phase::TearingDown => "tearingDown",
    };
    let mut pairs = named(metadata);
    pairs.extend([
        (bare("version"), bare(&version(metadata))),
        (bare("owner"), bare(&metadata.owner)),
        (bare("phase"), bare(phase)),
        (bare("created"), time(&metadata.created)),
        (bare("updated"), time(&metadata.updated)),
    ]);
    pairs.extend(described(metadata));
    if !metadata.finalizers.is_empty() {
        let list = metadata.finalizers.iter().map(|name| bare(name));
        pairs.push((bare("finalizers"), Yaml::Sequence(list.collect())));
    }
    Yaml::Mapping(pairs)
}

/// The version as it is shown; what was never written has none.
pub fn version(metadata: &Metadata) -> String {
    match metadata.version {
        0 => "undefined".to_owned(),
        version => version.to_string(),
    }
}

fn yaml_of(value: &Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(flag) => Yaml::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Yaml::Int(whole.into()),
            (_, Some(whole), _) => Yaml::Int(whole.into()),
            (.., float) => Yaml::Float(float.unwrap_or_default()),
        },
        Value::String(text) => Yaml::Text(text.into()),
        Value::Array(items) => Yaml::Sequence(items.iter().map(yaml_of).collect()),
        Value::Object(object) => Yaml::Mapping(
            object
                .iter()
                .map(|(name, value)| (Yaml::Text(name.into()), yaml_of(value)))
                .collect(),
        ),
    }
}

/// What reading the YAML again gives.
fn as_json(value: &Yaml) -> Value {
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(*flag),
        Yaml::Int(number) => i64::try_from(*number)
            .map(Number::from)
            .or_else(|_| u64::try_from(*number).map(Number::from))
            .map_or(Value::Null, Value::Number),
        Yaml::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Yaml::Text(text) | Yaml::Time(text) | Yaml::Literal(text) | Yaml::Quoted(text) => {
            Value::String(text.to_string())
        }
        Yaml::Bare(text) => read_back(text),
        Yaml::Sequence(items) => items.iter().map(as_json).collect(),
        Yaml::Mapping(pairs) => {
            let mut pairs: Vec<(String, Value)> = pairs
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        Yaml::Text(text) | Yaml::Bare(text) => text.to_string(),
                        other => as_json(other).to_string(),
                    };
                    (key, as_json(value))
                })
                .collect();
            pairs.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
    }
}

/// Metadata is bare in YAML, so a number or `true` there is read back as one, and nothing as null.
fn read_back(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        text => text
            .parse::<i64>()
            .map_or_else(|_| Value::String(text.to_owned()), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use omni_client::{Resource, kinds};
    use serde_json::json;

    use super::*;

    #[test]
    fn zero_values_are_shown_and_times_taken_apart() {
        let mut cluster = Resource::new(&kinds::CLUSTER, "home");
        cluster.metadata.version = 3;
        cluster.metadata.updated = "1970-01-01T00:00:00Z".to_owned();
        cluster.spec = json!({
            "talos_version": "1.13.0",
            "backup_configuration": {"interval": "5400.5s", "enabled": true},
        });
        let text = yaml(&cluster);
        for line in [
            "    version: 3\n",
            "    owner:\n",
            "    updated: 0001-01-01T00:00:00Z\n",
            "    kubernetesversion: \"\"\n",
            "    features: null\n",
            "        interval:\n            seconds: 5400\n            nanos: 500000000\n        enabled: true\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
    }

    #[test]
    fn numbers_maps_and_unknown_fields_are_kept() {
        let mut identity = Resource::new(&kinds::CLUSTER_MACHINE_IDENTITY, "m");
        identity.spec =
            json!({"etcd_member_id": "18446744073709551615", "new_field": {"some_thing": 1}});
        let shown = json(&identity);
        assert_eq!(shown["spec"]["etcdmemberid"], json!(u64::MAX));
        assert_eq!(shown["spec"]["newfield"], json!({"something": 1}));
        assert_eq!(shown["metadata"]["owner"], Value::Null);
        let definition = Resource {
            metadata: Metadata {
                kind: "ResourceDefinitions.meta.cosi.dev".to_owned(),
                ..Metadata::default()
            },
            spec: json!({"displayType": "Cluster"}),
        };
        assert_eq!(json(&definition)["spec"], json!({"displayType": "Cluster"}));
    }
}
