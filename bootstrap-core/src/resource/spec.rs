//! From the YAML of a spec to the API's JSON, zero values left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::fields::{self, Fields, Findings};
use super::provider_data::{self, Block};
use super::shape::{Shape, joined};
use crate::template::text;
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
    match shape {
        Shape::Flag => match node.as_bool() {
            Some(flag) => flag.into(),
            None => wrong(node, name, "true or false", "without quotes", findings),
        },
        Shape::Number => match node.as_i64() {
            Some(number) => number.into(),
            None => wrong(node, name, "a whole number", "without quotes", findings),
        },
        Shape::Octet => match node.as_i64().and_then(|number| u8::try_from(number).ok()) {
            Some(number) => number.into(),
            None => wrong(
                node,
                name,
                "a number from 0 to 255",
                "for example 0x0a",
                findings,
            ),
        },
        Shape::Enum(names) => choice(node, names, name, findings),
        Shape::Duration => duration(node).unwrap_or_else(|| {
            let hint = "for example 2h30m, 9000s, or `seconds: 9000` below it";
            wrong(node, name, "a duration", hint, findings)
        }),
        Shape::Time => time(node).unwrap_or_else(|| {
            let hint = "for example 2026-01-02T03:04:05Z";
            wrong(node, name, "a time", hint, findings)
        }),
        Shape::Bytes => bytes(node).unwrap_or_else(|| {
            let hint = "base64 in one line, or a list of numbers from 0 to 255";
            wrong(node, name, "bytes", hint, findings)
        }),
        Shape::Float => {
            let number = node.to_json();
            if number.is_number() {
                number
            } else {
                wrong(node, name, "a number", "without quotes", findings)
            }
        }
        _ => node.to_json(),
    }
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

fn choice(node: &Node, names: &[&str], name: &str, findings: &mut Findings) -> Value {
    let by_number = node
        .as_i64()
        .filter(|number| usize::try_from(*number).is_ok_and(|number| number < names.len()));
    let by_name = || {
        let written = node.as_str()?;
        names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(written))
    };
    if let Some(number) = by_number {
        return number.into();
    }
    if let Some(position) = by_name() {
        return position.into();
    }
    let all: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != "_")
        .map(|(number, name)| format!("{number} ({name})"))
        .collect();
    wrong(
        node,
        name,
        "one of its numbers or names",
        &all.join(", "),
        findings,
    )
}

/// `{seconds, nanos}` as omnictl prints it, `9000s` as the API has it, or `2h30m`.
fn duration(node: &Node) -> Option<Value> {
    let (seconds, nanos) = if node.as_mapping().is_some() {
        parts(node)?
    } else {
        let written = node.as_str()?;
        match text::parse_proto_duration(written) {
            Some(parts) => parts,
            None => (0, text::duration(written)?),
        }
    };
    let total = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(text::proto_duration(total).into())
}

fn time(node: &Node) -> Option<Value> {
    if node.as_mapping().is_some() {
        let (seconds, nanos) = parts(node)?;
        let time = jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?;
        return Some(time.to_string().into());
    }
    let time: jiff::Timestamp = node.as_str()?.parse().ok()?;
    Some(time.to_string().into())
}

fn parts(node: &Node) -> Option<(i64, i64)> {
    let known = |key: &Node| matches!(key.as_str(), Some("seconds" | "nanos"));
    if !node.as_mapping()?.iter().all(|(key, _)| known(key)) {
        return None;
    }
    let number = |key: &str| node.get(key).map_or(Some(0), Node::as_i64);
    Some((number("seconds")?, number("nanos")?))
}

fn bytes(node: &Node) -> Option<Value> {
    if let Some(items) = node.as_sequence() {
        let bytes: Option<Vec<u8>> = items
            .iter()
            .map(|item| item.as_i64().and_then(|number| u8::try_from(number).ok()))
            .collect();
        return Some(STANDARD.encode(bytes?).into());
    }
    let written = node.as_str()?;
    STANDARD.decode(written).ok().map(|_| written.into())
}
