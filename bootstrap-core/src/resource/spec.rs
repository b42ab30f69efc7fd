//! From the YAML of a spec to the API's JSON, zero values left out.

use omni_client::spelling;
use serde_json::{Map, Value};

use super::fields::{self, Fields, Findings};
use super::provider_data::{self, Block};
use super::shape::{Shape, joined};
use crate::yaml::{Content, Node};

/// Reads the fields of one message. `what` is its place in the document, `block` gets the provider data found.
pub(super) fn message(
    node: &Node,
    known: &'static [(&'static str, Shape)],
    what: &str,
    block: &mut Option<Block>,
    findings: &mut Findings,
) -> Map<String, Value> {
    let names: Vec<&'static str> = known.iter().map(|(name, _)| *name).collect();
    let home = |written: &str| {
        path_to(known, &joined(written)).map(|path| format!("it belongs to {what}.{path}"))
    };
    let mut fields = Fields::of(node, what, &names, &home, findings);
    let mut object = Map::new();
    for (name, shape) in known {
        let Some(node) = fields.take(name) else {
            continue;
        };
        if *name == "provider_data" {
            *block = provider_data::read(node, findings);
        }
        let what = format!("{what}.{}", joined(name));
        let value = value(node, shape, name, &what, block, findings);
        if !is_zero(&value) {
            object.insert((*name).to_owned(), value);
        }
    }
    object
}

/// The message below this one that has a field of that name.
fn path_to(fields: &[(&str, Shape)], written: &str) -> Option<String> {
    fields.iter().find_map(|(name, shape)| {
        let Shape::Message(inner) = shape else {
            return None;
        };
        if inner.iter().any(|(field, _)| joined(field) == written) {
            return Some(joined(name));
        }
        path_to(inner, written).map(|path| format!("{}.{path}", joined(name)))
    })
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        // An empty message that is there chooses a mode.
        _ => false,
    }
}

fn value(
    node: &Node,
    shape: &'static Shape,
    name: &str,
    what: &str,
    block: &mut Option<Block>,
    findings: &mut Findings,
) -> Value {
    match shape {
        Shape::Message(fields) => message(node, fields, what, block, findings).into(),
        Shape::List(item) => {
            let one = |node| value(node, item, name, what, block, findings);
            match node.as_sequence() {
                Some(items) => items.iter().map(one).collect(),
                None => wrong(node, name, "a list", "one `- item` a line", findings),
            }
        }
        Shape::Map(item) => match node.as_mapping() {
            Some(pairs) => pairs
                .iter()
                .map(|(key, node)| {
                    let key = fields::text(key, name, findings);
                    (key, value(node, item, name, what, block, findings))
                })
                .collect::<Map<_, _>>()
                .into(),
            None => wrong(node, name, "a mapping", "one `key: value` a line", findings),
        },
        Shape::Text => fields::text(node, name, findings).into(),
        scalar => plain(node, scalar, name, findings),
    }
}

fn plain(node: &Node, shape: &Shape, name: &str, findings: &mut Findings) -> Value {
    let written = match (shape, node.as_str()) {
        // Whatever these look like, they are texts.
        (Shape::Duration | Shape::Time | Shape::Bytes, Some(text)) => text.into(),
        _ => node.to_json(),
    };
    if let Some(value) = spelling::scalar(shape, &written) {
        return value;
    }
    let (wanted, hint) = match shape {
        Shape::Flag => ("true or false", "without quotes"),
        Shape::Number => ("a whole number", "without quotes"),
        Shape::Octet => ("a number from 0 to 255", "for example 0x0a"),
        Shape::Enum(names) => ("one of its numbers or names", &*choices(names)),
        Shape::Duration => (
            "a duration",
            "for example 2h30m, 9000s, or `seconds: 9000` below it",
        ),
        Shape::Time => ("a time", "for example 2026-01-02T03:04:05Z"),
        Shape::Bytes => (
            "bytes",
            "base64 in one line, or a list of numbers from 0 to 255",
        ),
        _ => ("a number", "without quotes"),
    };
    wrong(node, name, wanted, hint, findings)
}

fn choices(names: &[&str]) -> String {
    let all: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != "_")
        .map(|(number, name)| format!("{number} ({name})"))
        .collect();
    all.join(", ")
}

fn wrong(node: &Node, name: &str, wanted: &str, hint: &str, findings: &mut Findings) -> Value {
    let found = match (&node.content, node.as_str()) {
        // Short texts without a secret's look say more than their kind.
        (Content::Scalar(_), Some(text)) if text.len() <= 16 => format!("`{text}`"),
        _ => node.kind().to_owned(),
    };
    findings.error(
        node,
        format!("{} must be {wanted}, not {found}", joined(name)),
        hint,
    );
    Value::Null
}
