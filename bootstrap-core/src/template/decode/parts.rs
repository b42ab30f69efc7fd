//! The objects that stand inside documents.

use super::fields::{Fields, Reader};
use crate::template::MachineCount;
use crate::template::construct;
use crate::template::go_yaml::{self, Value};
use crate::template::model::{
    HealthCheck, Inline, MachineClass, Manifest, Patch, Source, Strategy,
};
use crate::yaml::{Content, Node};

pub(super) fn patch(node: &Node, reader: &mut Reader) -> Patch {
    let known = [
        "name",
        "idOverride",
        "labels",
        "annotations",
        "file",
        "inline",
    ];
    let mut fields = Fields::of(node, "Patch", &known, reader);
    Patch {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        id_override: fields.string("idOverride", reader),
        descriptors: fields.descriptors(reader),
        source: source(&mut fields, "inline", reader),
    }
}

pub(super) fn manifest(node: &Node, reader: &mut Reader) -> Manifest {
    let known = ["inline", "labels", "annotations", "name", "file", "mode"];
    let mut fields = Fields::of(node, "KubernetesManifest", &known, reader);
    let mode = fields.nested("mode", reader, |node, reader| {
        match reader.scalar(node, "mode").as_deref() {
            Some("full") => 1,
            Some("one-time") => 2,
            Some(other) => {
                let message = format!("unknown mode name {}", crate::template::text::quote(other));
                reader.fail(node, message, Some("write full or one-time"));
                0
            }
            None => 0,
        }
    });
    Manifest {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        descriptors: fields.descriptors(reader),
        mode: mode.unwrap_or_default(),
        source: source(&mut fields, "inline", reader),
    }
}

pub(super) fn health_check(node: &Node, reader: &mut Reader) -> HealthCheck {
    let known = [
        "idOverride",
        "labels",
        "annotations",
        "name",
        "job",
        "file",
        "interval",
    ];
    let mut fields = Fields::of(node, "KubernetesHealthCheck", &known, reader);
    HealthCheck {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        id_override: fields.string("idOverride", reader),
        descriptors: fields.descriptors(reader),
        interval: fields.duration("interval", reader),
        source: source(&mut fields, "job", reader),
    }
}

fn source(fields: &mut Fields, inline_key: &str, reader: &mut Reader) -> Source {
    let file_origin = fields.origin("file", reader);
    let file = fields.string("file", reader);
    let content = (!file.is_empty()).then(|| reader.files.read(&file));
    let inline = fields
        .take(inline_key)
        .and_then(|node| inline(node, inline_key, reader));
    Source {
        file,
        file_origin,
        content,
        inline,
    }
}

fn inline(node: &Node, key: &str, reader: &mut Reader) -> Option<Inline> {
    let origin = reader.origin(node);
    let mappings = match &node.content {
        Content::Scalar(scalar) => {
            if !matches!(node.to_json(), serde_json::Value::String(_))
                || go_yaml::is_timestamp(&scalar.text) && scalar.plain
            {
                let message = format!("expected string, but got {}", node.kind());
                reader.fail(
                    node,
                    message,
                    Some("give a mapping, a list of mappings or a literal block"),
                );
                return None;
            }
            return Some(Inline {
                origin,
                text: scalar.text.to_string(),
                documents: None,
            });
        }
        Content::Mapping(_) => vec![node.clone()],
        Content::Sequence(items) => {
            if let Some(odd) = items
                .iter()
                .find(|item| item.as_mapping().is_none() && !item.is_null())
            {
                reader.fail(
                    odd,
                    format!("{} found where a mapping is expected in {key}", odd.kind()),
                    None,
                );
                return None;
            }
            items.clone()
        }
    };
    let values: Vec<_> = mappings.iter().map(document_value).collect();
    Some(Inline {
        origin,
        text: go_yaml::emit(&values, 4),
        documents: Some(mappings),
    })
}

/// A null in a list of mappings is an empty mapping to Go.
fn document_value(node: &Node) -> Value {
    if node.is_null() {
        Value::Mapping(Vec::new())
    } else {
        Value::from_document(node)
    }
}

pub(super) fn machine_class(node: &Node, reader: &mut Reader) -> MachineClass {
    let mut fields = Fields::of(node, "MachineClassConfig", &["name", "size"], reader);
    let count = fields.nested("size", reader, |node, reader| {
        let written = reader.scalar(node, "size").unwrap_or_default();
        match written.as_str() {
            "unlimited" | "Unlimited" | "infinity" | "∞" => MachineCount::Unlimited,
            "Static" => MachineCount::Fixed(0),
            number => match parse_count(number) {
                Ok(count) => MachineCount::Fixed(count),
                Err(cause) => {
                    let quoted = crate::template::text::quote(number);
                    let message = format!("invalid machine count {number}: strconv.ParseUint: parsing {quoted}: {cause}");
                    reader.fail(node, message, Some("give a number or `unlimited`"));
                    MachineCount::Fixed(0)
                }
            },
        }
    });
    MachineClass {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        count: count.unwrap_or(MachineCount::Fixed(0)),
    }
}

fn parse_count(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("invalid syntax");
    }
    text.parse().map_err(|_| "value out of range")
}

pub(super) fn strategy(node: &Node, reader: &mut Reader) -> Strategy {
    let mut fields = Fields::of(node, "UpdateStrategyConfig", &["type", "rolling"], reader);
    let kind = fields.nested("type", reader, |node, reader| {
        match reader.scalar(node, "type").as_deref() {
            Some("Unset") => Some(0),
            Some("Rolling") => Some(1),
            Some(other) => {
                let message = format!("invalid update strategy type {other}");
                reader.fail(node, message, Some("write Rolling or Unset"));
                None
            }
            None => None,
        }
    });
    let max_parallelism = fields.nested("rolling", reader, |node, reader| {
        let mut fields = Fields::of(
            node,
            "RollingUpdateStrategyConfig",
            &["maxParallelism"],
            reader,
        );
        let Some(node) = fields.take("maxParallelism") else {
            return 0;
        };
        let count = construct::number(&Value::from_node(node));
        if count.is_none() {
            reader.fail(
                node,
                "maxParallelism must be a whole number that is not negative",
                None,
            );
        }
        count.unwrap_or_default()
    });
    Strategy {
        origin: reader.origin(node),
        kind: kind.flatten(),
        max_parallelism,
    }
}
