//! `$patch: delete` statements: what they take out of a document, and where they may not stand.

use std::borrow::Cow;

use super::super::go_yaml::tree::{Kind as Node, Tree};

/// What is left of a document.
pub(super) struct Found<'d> {
    pub count: usize,
    /// `None` where nothing is left to load.
    pub rest: Option<Cow<'d, Tree>>,
}

/// Takes the statements out.
pub(super) fn take(document: &Tree) -> Result<Found<'_>, String> {
    let mut walk = Walk {
        root: root(document),
        count: 0,
        path: Vec::new(),
    };
    let mut rest = Cow::Borrowed(document);
    // Patches with statements are few, and copies of the others would cost as much as reading them.
    let deleted = has_statement(document) && walk.node(rest.to_mut(), false)?;
    let empty = matches!(&rest.kind, Node::Mapping(pairs) if pairs.iter().all(is_heading));
    Ok(Found {
        count: walk.count,
        rest: (!deleted && !empty).then_some(rest),
    })
}

fn has_statement(node: &Tree) -> bool {
    match &node.kind {
        Node::Mapping(pairs) => {
            let mut pairs = pairs.iter();
            pairs.any(|(key, value)| is_delete(key, value) || has_statement(value))
        }
        Node::Sequence(items) => items.iter().any(has_statement),
        Node::Scalar(_) | Node::Alias(_) => false,
    }
}

/// The text of a key's value; nothing where there is none.
pub(super) fn value<'n>(pairs: &'n [(Tree, Tree)], key: &str) -> &'n str {
    let is_key = |node: &Tree| matches!(&node.kind, Node::Scalar(text) if text == key);
    pairs
        .iter()
        .find(|(name, _)| is_key(name))
        .map_or("", |(_, value)| value.text())
}

/// A document with no more than this is not loaded.
fn is_heading((key, value): &(Tree, Tree)) -> bool {
    matches!(key.text(), "version" | "kind" | "name")
        && matches!(key.kind, Node::Scalar(_))
        && matches!(value.kind, Node::Scalar(_))
}

/// API version and kind as a statement needs them: `None` where the key is absent.
struct Root {
    mapping: bool,
    version: Option<String>,
    kind: Option<String>,
}

fn root(document: &Tree) -> Root {
    let pairs = match &document.kind {
        Node::Mapping(pairs) => pairs.as_slice(),
        _ => &[],
    };
    let find = |key: &str| {
        let found = pairs.iter().any(|(name, _)| name.text() == key);
        found.then(|| value(pairs, key).to_owned())
    };
    Root {
        mapping: matches!(document.kind, Node::Mapping(_)),
        version: find("apiVersion"),
        kind: find("kind"),
    }
}

struct Walk {
    root: Root,
    count: usize,
    path: Vec<String>,
}

impl Walk {
    /// Whether the node goes.
    fn node(&mut self, node: &mut Tree, in_list: bool) -> Result<bool, String> {
        match &mut node.kind {
            Node::Mapping(pairs) => self.mapping(pairs, in_list),
            Node::Sequence(items) => {
                let (mut kept, mut at) = (Vec::new(), 0);
                let before = items.len();
                for mut item in std::mem::take(items) {
                    // What follows a deleted item moves up.
                    self.path.push(format!("[{at}]"));
                    let deleted = self.node(&mut item, true);
                    self.path.pop();
                    if !deleted? {
                        kept.push(item);
                        at += 1;
                    }
                }
                *items = kept;
                Ok(items.is_empty() && before > 0)
            }
            Node::Scalar(_) | Node::Alias(_) => Ok(false),
        }
    }

    fn mapping(&mut self, pairs: &mut Vec<(Tree, Tree)>, in_list: bool) -> Result<bool, String> {
        let mut kept = Vec::new();
        let before = pairs.len();
        let mut rest = std::mem::take(pairs).into_iter();
        while let Some((key, mut value)) = rest.next() {
            if is_delete(&key, &value) {
                // The first other key tells which item is meant.
                let selects = kept
                    .iter()
                    .chain(rest.as_slice())
                    .any(|(key, value): &(Tree, Tree)| !is_delete(key, value));
                self.statement(in_list, selects)?;
                return Ok(true);
            }
            self.path.push(key.text().to_owned());
            let deleted = self.node(&mut value, false);
            self.path.pop();
            if !deleted? {
                kept.push((key, value));
            }
        }
        *pairs = kept;
        Ok(pairs.is_empty() && before > 0)
    }

    fn statement(&mut self, in_list: bool, selects: bool) -> Result<(), String> {
        let path = self.path.join(".");
        if !in_list {
            for step in &self.path {
                if step.is_empty() {
                    return Err("runtime error: index out of range [0] with length 0".to_owned());
                }
                if step.starts_with('[') {
                    return Err(format!("cannot delete an inner key in '{path}'"));
                }
            }
        }
        if in_list && !selects {
            return Err(format!("no key:val found in sequence node for path {path}"));
        }
        if !self.root.mapping {
            return Err("expected a mapping node".to_owned());
        }
        let Root { version, kind, .. } = &self.root;
        if self.path.is_empty() {
            for (key, value) in [("apiVersion", version), ("kind", kind)] {
                if value.is_none() {
                    return Err(format!(
                        "missing {key} in document for which $patch: delete is used"
                    ));
                }
            }
        }
        let given = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
        if given(version) != given(kind) {
            return Err(format!(
                "kind and apiVersion must be both set for path {path}"
            ));
        }
        self.count += 1;
        Ok(())
    }
}

fn is_delete(key: &Tree, value: &Tree) -> bool {
    key.text() == "$patch" && value.text() == "delete"
}
