//! The JSON schema of a resource's YAML, for editors, made of what is known of its type's fields.

use serde_json::{Map, Value, json};

use super::shape::{self, Shape, joined};

/// The schema of documents of one type, a full name such as `MachineClasses.omni.sidero.dev`; `None` where the type is
/// not known. Keys of the spec are taken in omnictl's spelling and in the API's, as `omni-resource apply` takes them.
pub fn json_schema(kind: &str) -> Option<Value> {
    let fields = shape::fields(kind)?;
    let namespace = shape::namespace(kind)?;
    let texts = json!({"type": ["object", "null"], "additionalProperties": {"type": ["string", "number", "boolean", "null"]}});
    Some(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "type": "object",
        "additionalProperties": false,
        "required": ["metadata", "spec"],
        "properties": {
            "metadata": {
                "type": "object",
                "additionalProperties": false,
                "required": ["type", "id"],
                "properties": {
                    "namespace": {"description": format!("`{namespace}` where absent."), "type": "string"},
                    "type": {"const": kind},
                    "id": {"type": ["string", "number"]},
                    "labels": texts,
                    "annotations": texts,
                    "version": {"description": "As read; not sent.", "type": ["string", "number"]},
                    "owner": {"description": "As read; not sent.", "type": ["string", "null"]},
                    "phase": {"description": "As read; not sent.", "type": "string"},
                    "created": {"description": "As read; not sent.", "type": "string"},
                    "updated": {"description": "As read; not sent.", "type": "string"},
                    "finalizers": {"description": "As read; not sent.", "type": ["array", "null"]},
                },
            },
            "spec": message(fields),
        },
    }))
}

fn message(fields: &[(&str, Shape)]) -> Value {
    let mut properties = Map::new();
    for (name, shape) in fields {
        let schema = value(shape);
        for spelling in [joined(name), (*name).to_owned()] {
            properties.insert(spelling, schema.clone());
        }
    }
    json!({"type": ["object", "null"], "additionalProperties": false, "properties": properties})
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": ["string", "number", "boolean", "null"]}),
        Shape::Number => json!({"type": ["integer", "null"]}),
        Shape::Octet => json!({"type": ["integer", "null"], "minimum": 0, "maximum": 255}),
        Shape::Float => json!({"type": ["number", "null"]}),
        Shape::Flag => json!({"type": ["boolean", "null"]}),
        Shape::Bytes => json!({"type": ["string", "array", "null"]}),
        Shape::Duration | Shape::Time => json!({"type": ["string", "object", "null"]}),
        Shape::Any => json!(true),
        Shape::Enum(names) => {
            let names = names.iter().filter(|name| **name != "_");
            let names: Vec<Value> = names.map(|name| json!(name)).collect();
            json!({"anyOf": [{"enum": names}, {"type": ["integer", "null"], "minimum": 0}]})
        }
        Shape::Message(fields) => message(fields),
        Shape::List(item) => json!({"type": ["array", "null"], "items": value(item)}),
        Shape::Map(item) => {
            json!({"type": ["object", "null"], "additionalProperties": value(item)})
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::resource::{Input, class};

    #[test]
    fn every_type_has_a_schema() {
        for kind in shape::known() {
            let schema = json_schema(kind).unwrap();
            jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
        assert_eq!(json_schema("Pods.omni.sidero.dev"), None);
    }

    #[test]
    fn machine_classes_fit_and_what_has_unknown_keys_does_not() {
        let validator = jsonschema::validator_for(&json_schema(class::TYPE).unwrap()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths = Vec::new();
        for pattern in [
            "examples/homelab/machine-classes/*.yaml",
            "tests/fixtures/golden/*/*.yaml",
            "../shared/inputs/**/*.yaml",
        ] {
            paths.extend(
                glob::glob(&root.join(pattern).to_string_lossy())
                    .unwrap()
                    .flatten(),
            );
        }
        let mut seen = 0;
        for path in paths {
            let documents = crate::yaml::read(&path, &path).unwrap_or_default();
            for mut document in documents.iter().map(crate::yaml::Node::to_json) {
                let loads = crate::resource::load(&[Input::Path(path.clone())]).is_ok();
                if document["metadata"]["type"] != class::TYPE || !loads {
                    continue;
                }
                let wrong: Vec<_> = validator.iter_errors(&document).collect();
                assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
                document["spec"]["autoprovison"] = Value::Null;
                assert!(!validator.is_valid(&document), "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen >= 3, "only {seen} classes");
    }
}
