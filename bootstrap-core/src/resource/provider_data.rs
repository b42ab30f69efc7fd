//! `providerdata`: the text in which a class tells the provider what machines to make.

use std::path::Path;

use serde_json::Value;

use super::class;
use super::fields::Findings;
use super::shape::{self, Shape, joined};
use crate::diagnostic::Origin;
use crate::yaml::{self, Node};

/// YAML inside a text of a YAML file, so that its parts have places in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    start: Origin,
    /// A block's node stands at its first character that is no line break, and its lines begin there.
    leading: usize,
    document: Option<Node>,
}

impl Block {
    pub(super) fn of(file: &Path, node: &Node) -> Self {
        let text = node.as_str().unwrap_or_default();
        Self {
            start: node.origin(file),
            leading: text.len() - text.trim_start_matches('\n').len(),
            document: None,
        }
    }

    /// Where a line and column of the text are in the file.
    pub(super) fn inside(&self, (line, column): (usize, usize)) -> Origin {
        Origin {
            file: self.start.file.clone(),
            line: (self.start.line + line).saturating_sub(self.leading + 1),
            column: (self.start.column + column).saturating_sub(1),
        }
    }

    /// What the text means; null where it is empty.
    pub fn value(&self) -> Value {
        self.document.as_ref().map_or(Value::Null, Node::to_json)
    }

    /// Where the part is that these keys and positions lead to, or as far as they do; a key stands for its value.
    pub fn place(&self, path: &[String]) -> Origin {
        match &self.document {
            Some(document) => self.place_in(document, path),
            None => self.start.clone(),
        }
    }

    /// The same in a document of the text; a position may stand in brackets.
    pub(super) fn place_in(&self, document: &Node, path: &[impl AsRef<str>]) -> Origin {
        let mut node = document;
        let mut place = (node.line, node.column);
        for step in path {
            let step = step.as_ref();
            let position = step.trim_matches(['[', ']']).parse::<usize>().ok();
            let key = node
                .as_mapping()
                .and_then(|pairs| pairs.iter().find(|(key, _)| key.as_str() == Some(step)));
            let item = position.and_then(|at| node.as_sequence()?.get(at));
            let (found, next) = match (key, item) {
                (Some((key, value)), _) => (key, value),
                (None, Some(item)) => (item, item),
                (None, None) => break,
            };
            place = (found.line, found.column);
            node = next;
        }
        self.inside(place)
    }
}

/// Reads the text of `providerdata`.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Option<Block> {
    let text = node.as_str()?;
    let mut block = Block::of(findings.file, node);
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(problems) => {
            for problem in problems {
                let message = format!("providerdata: {}", problem.message);
                let hint = problem.hint.as_deref().unwrap_or("it must be YAML");
                findings.error_at(block.inside((problem.line, problem.column)), message, hint);
            }
            return None;
        }
    };
    let data = documents.into_iter().next().filter(|data| !data.is_null());
    if let Some(data) = &data {
        match data.as_mapping() {
            Some(pairs) => misplaced(pairs, &block, findings),
            None => findings.error(
                node,
                format!("providerdata is {}, not keys and values", data.kind()),
                "one `key: value` a line",
            ),
        }
    }
    block.document = data;
    Some(block)
}

/// Keys of the class that were written into the provider's data, where nothing reads them.
fn misplaced(pairs: &[(Node, Node)], block: &Block, findings: &mut Findings) {
    for (key, _) in pairs {
        let name = key.as_str().unwrap_or_default();
        let Some(home) = home(name) else {
            continue;
        };
        let message = format!("`{name}` inside providerdata has no effect");
        let hint = format!("it belongs to {home}: indent it less");
        findings.warn_at(block.inside((key.line, key.column)), message, &hint);
    }
}

/// The part of a machine class that a key belongs to.
pub(super) fn home(name: &str) -> Option<&'static str> {
    let class = shape::fields(class::TYPE)?;
    let has = |fields: &[(&str, Shape)]| {
        fields
            .iter()
            .any(|(field, _)| joined(field) == joined(name))
    };
    if has(class) {
        return Some("spec");
    }
    class
        .iter()
        .any(|(_, shape)| matches!(shape, Shape::Message(fields) if has(fields)))
        .then_some("spec.autoprovision")
}
