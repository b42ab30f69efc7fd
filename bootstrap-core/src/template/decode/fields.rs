//! Reading the keys of a mapping the way Go's decoder fills a struct: null is absent, any scalar but a
//! timestamp is a string, unknown keys are refused.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Origin};
use crate::template::files::Files;
use crate::template::model::Descriptors;
use crate::template::{construct, go_yaml, text};
use crate::yaml::{Content, Node};

/// What decoding needs, and the findings so far.
pub(in crate::template) struct Reader<'a> {
    pub file: &'a Path,
    pub files: &'a Files,
    pub errors: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn origin(&self, node: &Node) -> Origin {
        node.origin(self.file)
    }

    pub(super) fn fail(&mut self, node: &Node, message: impl Into<String>, hint: Option<&str>) {
        let diagnostic = Diagnostic::error(message).at(self.origin(node));
        self.errors.push(match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        });
    }

    /// A scalar as a string; `None` (and a finding) for anything else.
    pub(super) fn scalar(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.content {
            _ if node.is_null() => Some(String::new()),
            Content::Scalar(scalar)
                if scalar.plain && scalar.tag.is_none() && go_yaml::is_timestamp(&scalar.text) =>
            {
                let message = format!("cannot construct !!timestamp `{}` into string", scalar.text);
                self.fail(node, message, Some("put the value in quotes"));
                None
            }
            Content::Scalar(scalar) if scalar.tag.as_deref() == Some("!!binary") => {
                match go_yaml::Value::from_node(node) {
                    go_yaml::Value::Text(text) => Some(text.into()),
                    _ => None,
                }
            }
            Content::Scalar(scalar) => Some(scalar.text.to_string()),
            _ => {
                self.fail(
                    node,
                    format!("{what} must be a string, not {}", node.kind()),
                    None,
                );
                None
            }
        }
    }
}

/// Unknown keys that get a hint.
const MOST_HINTS: usize = 200;

/// The keys of one mapping.
pub(super) struct Fields<'n> {
    node: &'n Node,
    pairs: Vec<(&'n str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// `model` is omnictl's name for the object, `known` its keys.
    pub(super) fn of(node: &'n Node, model: &str, known: &[&str], reader: &mut Reader) -> Self {
        let mut pairs = Vec::new();
        match node.as_mapping() {
            Some(entries) => {
                for (key, value) in entries {
                    match key.as_str() {
                        // Go passes over keys that are null.
                        None if key.is_null() => {}
                        Some(name) if known.contains(&name) => {
                            if !value.is_null() {
                                pairs.push((name, value));
                            }
                        }
                        name => {
                            let name = name.unwrap_or("null");
                            // Nobody reads hundreds of them, and each looks at all that is known.
                            let told = reader.errors.len() < MOST_HINTS;
                            let hint = told.then(|| hint(name, known));
                            reader.fail(
                                key,
                                format!("field {name} not found in type models.{model}"),
                                hint.as_deref(),
                            );
                        }
                    }
                }
            }
            None if node.is_null() => {}
            None => reader.fail(
                node,
                format!(
                    "{} found where a mapping ({model}) is expected",
                    node.kind()
                ),
                None,
            ),
        }
        Self { node, pairs }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<&'n Node> {
        let at = self.pairs.iter().position(|(key, _)| *key == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    fn peek(&self, name: &str) -> Option<&'n Node> {
        self.pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    }

    /// Where a key's value stands, or the mapping where it is absent. Ask before taking it or after: both work.
    pub(super) fn origin(&self, name: &str, reader: &Reader) -> Origin {
        reader.origin(self.node.get(name).unwrap_or(self.node))
    }

    pub(super) fn string(&mut self, name: &str, reader: &mut Reader) -> String {
        self.take(name)
            .and_then(|node| reader.scalar(node, name))
            .unwrap_or_default()
    }

    pub(super) fn boolean(&mut self, name: &str, reader: &mut Reader) -> bool {
        let Some(node) = self.take(name) else {
            return false;
        };
        let parsed = node.as_bool().or_else(|| match node.as_str() {
            Some("y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON") => Some(true),
            Some("n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF") => Some(false),
            _ => None,
        });
        if parsed.is_none() {
            reader.fail(
                node,
                format!("{name} must be true or false, not {}", node.kind()),
                None,
            );
        }
        parsed.unwrap_or_default()
    }

    /// A Go duration in nanoseconds.
    pub(super) fn duration(&mut self, name: &str, reader: &mut Reader) -> i64 {
        let Some(node) = self.take(name) else {
            return 0;
        };
        let parsed = match go_yaml::Value::from_node(node) {
            go_yaml::Value::Text(text) => text::duration(&text),
            go_yaml::Value::Int(0) => Some(0),
            go_yaml::Value::Int(_) => None,
            // Go takes fractions for nanoseconds where they are whole.
            value => construct::number(&value),
        };
        if parsed.is_none() {
            let message = format!(
                "{name} is no duration: {}",
                node.as_str().unwrap_or(node.kind())
            );
            reader.fail(node, message, Some("write it like 30s, 5m or 1h30m"));
        }
        parsed.unwrap_or_default()
    }

    /// A list of strings with their places.
    pub(super) fn strings(&mut self, name: &str, reader: &mut Reader) -> Vec<(String, Origin)> {
        let Some(node) = self.take(name) else {
            return Vec::new();
        };
        let Some(items) = node.as_sequence() else {
            reader.fail(
                node,
                format!("{name} must be a list, not {}", node.kind()),
                None,
            );
            return Vec::new();
        };
        let what = format!("an item of {name}");
        // Go drops items that are null.
        items
            .iter()
            .filter(|item| !item.is_null())
            .filter_map(|item| Some((reader.scalar(item, &what)?, reader.origin(item))))
            .collect()
    }

    pub(super) fn optional_list(&mut self, name: &str, reader: &mut Reader) -> Option<Vec<String>> {
        self.peek(name)?;
        Some(
            self.strings(name, reader)
                .into_iter()
                .map(|(text, _)| text)
                .collect(),
        )
    }

    pub(super) fn list<T>(
        &mut self,
        name: &str,
        reader: &mut Reader,
        decode: fn(&Node, &mut Reader) -> T,
    ) -> Vec<T> {
        let Some(node) = self.take(name) else {
            return Vec::new();
        };
        let Some(items) = node.as_sequence() else {
            reader.fail(
                node,
                format!("{name} must be a list, not {}", node.kind()),
                None,
            );
            return Vec::new();
        };
        let items = items.iter().filter(|item| !item.is_null());
        items.map(|item| decode(item, reader)).collect()
    }

    pub(super) fn nested<T>(
        &mut self,
        name: &str,
        reader: &mut Reader,
        decode: fn(&Node, &mut Reader) -> T,
    ) -> Option<T> {
        self.take(name).map(|node| decode(node, reader))
    }

    pub(super) fn descriptors(&mut self, reader: &mut Reader) -> Descriptors {
        Descriptors {
            labels_origin: self.origin("labels", reader),
            annotations_origin: self.origin("annotations", reader),
            labels: self.map("labels", reader),
            annotations: self.map("annotations", reader),
        }
    }

    fn map(&mut self, name: &str, reader: &mut Reader) -> BTreeMap<String, String> {
        let Some(node) = self.take(name) else {
            return BTreeMap::new();
        };
        let Some(pairs) = node.as_mapping() else {
            reader.fail(
                node,
                format!("{name} must be a mapping, not {}", node.kind()),
                None,
            );
            return BTreeMap::new();
        };
        let mut map = BTreeMap::new();
        for (key, value) in pairs.iter().filter(|(key, _)| !key.is_null()) {
            let what = format!("a value of {name}");
            if let (Some(key), Some(value)) =
                (reader.scalar(key, "a key"), reader.scalar(value, &what))
            {
                map.insert(key, value);
            }
        }
        map
    }
}

/// What to write for a key that is not known.
fn hint(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known) {
        return format!("did you mean `{near}`?");
    }
    let known = known.iter().filter(|name| **name != "kind").copied();
    format!("known fields: {}", known.collect::<Vec<_>>().join(", "))
}

/// The known name that a mistyped one most likely means.
pub(in crate::template) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance =
        |name: &str| strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase());
    let near = known.iter().copied().min_by_key(|name| distance(name))?;
    (distance(near) <= written.len().max(3) / 3).then_some(near)
}
