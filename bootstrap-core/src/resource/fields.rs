//! Keys of a mapping in either spelling, and what is wrong with them.

use std::collections::BTreeMap;
use std::path::Path;

use super::shape::joined;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{Content, Node};

/// What was found in one file.
pub(super) struct Findings<'a> {
    pub file: &'a Path,
    /// Keys that are not known are left out without a word, as omnictl does.
    pub tolerant: bool,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(file: &'a Path, tolerant: bool) -> Self {
        Self {
            file,
            tolerant,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn origin(&self, node: &Node) -> Origin {
        node.origin(self.file)
    }

    pub(super) fn error(&mut self, node: &Node, message: impl Into<String>, hint: &str) {
        self.errors
            .push(Diagnostic::error(message).at(self.origin(node)).hint(hint));
    }

    pub(super) fn warn_at(&mut self, origin: Origin, message: String, hint: &str) {
        self.warnings
            .push(Diagnostic::warning(message).at(origin).hint(hint));
    }

    pub(super) fn error_at(&mut self, origin: Origin, message: String, hint: &str) {
        self.errors
            .push(Diagnostic::error(message).at(origin).hint(hint));
    }
}

/// The keys of one mapping, under their API names; null values are left out.
pub(super) struct Fields<'n> {
    pairs: Vec<(&'static str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// `what` is the mapping's place in the document, `known` the API's names; `home` tells where a key that is not
    /// known here would be.
    pub(super) fn of(
        node: &'n Node,
        what: &str,
        known: &[&'static str],
        home: &dyn Fn(&str) -> Option<String>,
        findings: &mut Findings,
    ) -> Self {
        let mut pairs: Vec<(&'static str, &'n Node)> = Vec::new();
        let Some(entries) = node.as_mapping() else {
            if !node.is_null() {
                findings.error(
                    node,
                    format!("{what} must be a mapping, not {}", node.kind()),
                    "indent its keys below it",
                );
            }
            return Self { pairs };
        };
        for (key, value) in entries {
            let written = key.as_str().unwrap_or("null");
            let found = known
                .iter()
                .find(|name| **name == written || joined(name) == joined(written));
            match found {
                None if findings.tolerant => {}
                None => {
                    let hint = home(written).unwrap_or_else(|| suggestion(written, known));
                    findings.error(key, format!("unknown key `{written}` in {what}"), &hint);
                }
                Some(name) if pairs.iter().any(|(other, _)| other == name) => {
                    let message = format!("`{written}` is given twice, in two spellings");
                    findings.error(key, message, "keep one of the two");
                }
                Some(name) => pairs.push((name, value)),
            }
        }
        pairs.retain(|(_, value)| !value.is_null());
        Self { pairs }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<&'n Node> {
        let at = self.pairs.iter().position(|(key, _)| *key == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    pub(super) fn string(&mut self, name: &str, findings: &mut Findings) -> String {
        self.take(name)
            .map(|node| text(node, name, findings))
            .unwrap_or_default()
    }

    pub(super) fn map(&mut self, name: &str, findings: &mut Findings) -> BTreeMap<String, String> {
        let Some(node) = self.take(name) else {
            return BTreeMap::new();
        };
        let Some(pairs) = node.as_mapping() else {
            findings.error(
                node,
                format!("{name} must be a mapping, not {}", node.kind()),
                "one `key: value` a line",
            );
            return BTreeMap::new();
        };
        pairs
            .iter()
            .map(|(key, value)| (text(key, name, findings), text(value, name, findings)))
            .collect()
    }
}

/// Any scalar is a string; null is the empty one.
pub(super) fn text(node: &Node, what: &str, findings: &mut Findings) -> String {
    if !matches!(node.content, Content::Scalar(_)) {
        let (form, hint) = match what {
            "provider_data" | "data" => {
                let what = joined(what);
                (
                    "a text",
                    format!("write `{what}: |` and indent the keys below it"),
                )
            }
            _ => ("a string", "put it in quotes".to_owned()),
        };
        findings.error(
            node,
            format!("{} must be {form}, not {}", joined(what), node.kind()),
            &hint,
        );
    }
    node.as_str().unwrap_or_default().to_owned()
}

/// What was meant by a key that is not known, or what there is.
fn suggestion(written: &str, known: &[&'static str]) -> String {
    let spelled = |name: &str| {
        if written.contains('_') {
            name.to_owned()
        } else {
            joined(name)
        }
    };
    let names: Vec<String> = known.iter().map(|name| joined(name)).collect();
    match nearest(&joined(written), names.iter().map(String::as_str)) {
        Some(near) => {
            let name = known.iter().find(|name| joined(name) == near);
            format!("did you mean `{}`?", spelled(name.unwrap_or(&near)))
        }
        None if known.is_empty() => "this spec has no keys: write `spec: {}`".to_owned(),
        None => format!("known keys: {}", names.join(", ")),
    }
}

/// The word that is a slip of the finger away.
pub(super) fn nearest<'w>(written: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    words
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 2.max(written.len() / 4))
        .map(|(_, word)| word)
}
