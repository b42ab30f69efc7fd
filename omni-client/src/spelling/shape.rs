//! What the specs of resource types are made of: a table that is read when a type is first asked for.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

/// The form of a field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// A whole number from 0 to 255.
    Octet,
    /// A number.
    Float,
    /// True or false.
    Flag,
    /// Bytes, base64 in JSON.
    Bytes,
    /// A span of time, `7200s` in JSON.
    Duration,
    /// A point in time, RFC 3339 in JSON.
    Time,
    /// Anything.
    Any,
    /// One of these names, by number.
    Enum(Vec<&'static str>),
    /// Fields of its own.
    Message(Fields),
    /// Items of one shape.
    List(Box<Shape>),
    /// Texts and values of one shape.
    Map(Box<Shape>),
}

/// API names and shapes, in the order they are printed in.
pub type Fields = Vec<(&'static str, Shape)>;

struct Kind {
    namespace: &'static str,
    line: String,
    fields: OnceLock<Fields>,
}

const DOMAIN: &str = ".omni.sidero.dev";

static KINDS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(|| {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let mut last = String::new();
    for line in include_str!("kinds.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if line.starts_with(' ') {
            if let Some(kind) = kinds.get_mut(&last) {
                kind.line.push(' ');
                kind.line.push_str(line.trim());
            }
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let name = words.next().unwrap_or_default();
        last = if name.contains('.') {
            name.to_owned()
        } else {
            format!("{name}{DOMAIN}")
        };
        let kind = Kind {
            namespace: words.next().unwrap_or_default(),
            line: words.next().unwrap_or_default().to_owned(),
            fields: OnceLock::new(),
        };
        kinds.insert(last.clone(), kind);
    }
    kinds
});

/// The fields of a type's spec, where the type is known.
pub fn fields(kind: &str) -> Option<&'static [(&'static str, Shape)]> {
    let kind = KINDS.get(kind)?;
    Some(kind.fields.get_or_init(|| {
        let mut rest = kind.line.as_str();
        message(&mut rest)
    }))
}

/// The namespace that resources of a type live in, where the type is known.
pub fn namespace(kind: &str) -> Option<&'static str> {
    KINDS.get(kind).map(|kind| kind.namespace)
}

/// Full names of the known types.
pub fn known() -> impl Iterator<Item = &'static str> {
    KINDS.keys().map(String::as_str)
}

/// A field's name as omnictl prints it.
pub fn joined(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// Fields up to a closing brace or the end.
fn message(rest: &mut &'static str) -> Fields {
    let mut fields = Fields::new();
    loop {
        *rest = rest.trim_start();
        let Some((name, after)) = rest.split_once(':').filter(|_| !rest.starts_with('}')) else {
            break;
        };
        *rest = after;
        fields.push((name, shape(rest)));
    }
    *rest = rest.strip_prefix('}').unwrap_or(rest);
    fields
}

fn shape(rest: &mut &'static str) -> Shape {
    let mut found = if let Some(after) = rest.strip_prefix('{') {
        *rest = after;
        Shape::Message(message(rest))
    } else if let Some(after) = rest.strip_prefix('<') {
        *rest = after;
        let value = shape(rest);
        *rest = rest.strip_prefix('>').unwrap_or(rest);
        Shape::Map(Box::new(value))
    } else if let Some((names, after)) =
        rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
    {
        *rest = after;
        Shape::Enum(names.split_whitespace().collect())
    } else {
        let end = rest.find([' ', '}', '>', '*']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        *rest = after;
        plain(word)
    };
    while let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        found = Shape::List(Box::new(found));
    }
    found
}

fn plain(word: &str) -> Shape {
    match word {
        "text" => Shape::Text,
        "number" => Shape::Number,
        "octet" => Shape::Octet,
        "float" => Shape::Float,
        "flag" => Shape::Flag,
        "bytes" => Shape::Bytes,
        "duration" => Shape::Duration,
        "time" => Shape::Time,
        _ => Shape::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(shape: &Shape) -> String {
        match shape {
            Shape::Enum(names) => format!("({})", names.join(" ")),
            Shape::Message(fields) => format!("{{{}}}", line(fields)),
            Shape::List(item) => format!("{}*", shown(item)),
            Shape::Map(value) => format!("<{}>", shown(value)),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn line(fields: &[(&str, Shape)]) -> String {
        let all: Vec<_> = fields
            .iter()
            .map(|(name, shape)| format!("{name}:{}", shown(shape)))
            .collect();
        all.join(" ")
    }

    #[test]
    fn every_line_reads_back_as_written() {
        assert!(KINDS.len() > 140);
        for (name, kind) in KINDS.iter() {
            let fields = fields(name).unwrap();
            assert_eq!(line(fields), kind.line, "{name}");
            assert!(
                !kind.namespace.is_empty() && !kind.namespace.contains(':'),
                "{name}"
            );
        }
    }

    #[test]
    fn namespaces_are_those_of_the_client() {
        for kind in crate::kinds::ALL {
            if let Some(known) = namespace(&kind.name) {
                assert_eq!(known, kind.namespace, "{kind:?}");
            }
        }
    }
}
