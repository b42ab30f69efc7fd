//! Keys of a resource in either spelling.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{Content, Node};

/// What was found in one file.
pub(super) struct Findings<'a> {
    pub file: &'a Path,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl Findings<'_> {
    pub(super) fn origin(&self, node: &Node) -> Origin {
        node.origin(self.file)
    }

    pub(super) fn error(&mut self, node: &Node, message: String, hint: &str) {
        self.errors
            .push(Diagnostic::error(message).at(self.origin(node)).hint(hint));
    }

    /// An error inside a block of text that begins at a node.
    pub(super) fn error_inside(
        &mut self,
        block: &Node,
        place: (usize, usize),
        message: String,
        hint: &str,
    ) {
        self.errors.push(
            Diagnostic::error(message)
                .at(self.inside(block, place))
                .hint(hint),
        );
    }

    /// A warning inside a block of text that begins at a node.
    pub(super) fn warn_inside(
        &mut self,
        block: &Node,
        place: (usize, usize),
        message: String,
        hint: &str,
    ) {
        self.warnings.push(
            Diagnostic::warning(message)
                .at(self.inside(block, place))
                .hint(hint),
        );
    }

    /// A block's node stands at its first character that is no line break, and its lines begin there.
    fn inside(&self, block: &Node, (line, column): (usize, usize)) -> Origin {
        let leading = block
            .as_str()
            .map_or(0, |text| text.len() - text.trim_start_matches('\n').len());
        let line = (block.line + line).saturating_sub(leading + 1);
        Origin {
            file: self.file.to_owned(),
            line,
            column: (block.column + column).saturating_sub(1),
        }
    }
}

/// A key as omnictl spells it.
pub(super) fn joined(key: &str) -> String {
    key.replace('_', "").to_lowercase()
}

/// The keys of one mapping, under their API names; null values are left out.
pub(super) struct Fields<'n> {
    pairs: Vec<(&'static str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// `what` is the mapping's place in the document, `known` the API's names.
    pub(super) fn of(
        node: &'n Node,
        what: &str,
        known: &[&'static str],
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
                .find(|name| **name == written || joined(name) == written);
            match found {
                None => findings.error(
                    key,
                    format!("unknown key `{written}` in {what}"),
                    &suggestion(written, known),
                ),
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

    pub(super) fn strings(&mut self, name: &str, findings: &mut Findings) -> Vec<String> {
        let Some(node) = self.take(name) else {
            return Vec::new();
        };
        let Some(items) = node.as_sequence() else {
            findings.error(
                node,
                format!("{} must be a list, not {}", joined(name), node.kind()),
                "one `- item` a line",
            );
            return Vec::new();
        };
        items
            .iter()
            .map(|item| text(item, name, findings))
            .collect()
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
fn text(node: &Node, what: &str, findings: &mut Findings) -> String {
    if !matches!(node.content, Content::Scalar(_)) {
        findings.error(
            node,
            format!("{} must be a string, not {}", joined(what), node.kind()),
            "put it in quotes",
        );
    }
    node.as_str().unwrap_or_default().to_owned()
}

fn suggestion(written: &str, known: &[&'static str]) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(&joined(written), &joined(name));
    match known.iter().min_by_key(|name| distance(name)) {
        Some(near) if distance(near) <= 2.max(written.len() / 4) => {
            let near = if written.contains('_') {
                (*near).to_owned()
            } else {
                joined(near)
            };
            format!("did you mean `{near}`?")
        }
        _ => format!(
            "known keys: {}",
            known
                .iter()
                .map(|name| joined(name))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}
