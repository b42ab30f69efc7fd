//! What omnictl's decoder makes of a template's documents, one after the other up to the first it refuses.

use std::path::Path;
use std::sync::LazyLock;

use super::construct::{self, Fault, Refusal, Table};
use super::go_yaml::remarshal::remarshal;
use super::go_yaml::style::Style;
use super::go_yaml::tree::{self, Kind, Tree};
use super::layout::Layout;
use super::text::quote;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{self, Content, Node};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("omnictl_types.txt")));

/// A template's documents as omnictl has them: read, written anew, and read again to be decoded.
pub(super) struct Reread {
    documents: Vec<Pair>,
    broken: bool,
}

struct Pair {
    read: tree::Document,
    /// What is read after it was written anew; `None` where that is no YAML any more.
    again: Option<Tree>,
    /// The text between.
    written: String,
}

impl Reread {
    pub(super) fn of(text: &str) -> Self {
        let (documents, broken) = tree::documents(text);
        let documents = documents.into_iter().map(Pair::of).collect();
        Self { documents, broken }
    }
}

impl Pair {
    fn of(read: tree::Document) -> Self {
        let written = remarshal(&read.tree);
        let (again, broken) = tree::documents(&written);
        let again = again.into_iter().next().filter(|_| !broken);
        Self {
            again: again.map(|document| document.tree),
            written,
            read,
        }
    }

    fn check(&self, kind: &str, text: &str) -> Option<Refused> {
        let Some(again) = &self.again else {
            return Some(Refused::Unreadable);
        };
        let refusal = construct::check(again, &format!("models.{kind}"), &TABLE, true)?;
        let layout = Layout::of(&self.read.tree, again, self.read.line, text);
        Some(Refused::Decoded(refusal, layout))
    }
}

/// Findings about what omnictl refuses and nobody else minds.
pub(super) fn refuses(text: &str, reread: &Reread, shown: &Path) -> Option<Vec<Diagnostic>> {
    let at = |line, column| Origin {
        file: shown.to_owned(),
        line,
        column,
    };
    if let Some(line) = tree::foreign_version(text) {
        let finding = Diagnostic::error("omnictl reads YAML 1.1 only")
            .at(at(line, 1))
            .hint("remove the %YAML line");
        return Some(vec![finding]);
    }
    reread.documents.iter().find_map(|document| {
        let kind = kind(&document.read.tree).ok()?;
        let findings = match document.check(kind, text)? {
            Refused::Unreadable => vec![
                Diagnostic::error("omnictl cannot read this document after writing it anew")
                    .at(at(document.read.line, document.read.column))
                    .hint("a block that begins with spaces is the cause; put the text in quotes"),
            ],
            Refused::Decoded(refusal, layout) => {
                let faults = refusal.faults.into_iter();
                let finding = |fault: Fault| {
                    Diagnostic::error(fault.message).at(at(layout.source(fault.line), fault.column))
                };
                faults.map(finding).collect()
            }
        };
        Some(findings)
    })
}

/// Puts into the documents of a text what is left of their scalars when omnictl has written them anew.
pub(super) fn rewrite(nodes: &mut [Node], reread: &Reread) {
    if reread.broken || reread.documents.len() != nodes.len() {
        return;
    }
    for (node, document) in nodes.iter_mut().zip(&reread.documents) {
        let is_unchanged = document
            .again
            .as_ref()
            .is_some_and(|again| is_same(&document.read.tree, again));
        if !is_unchanged
            && let Ok(written) = yaml::parse(&document.written)
            && let [written] = written.as_slice()
        {
            graft(node, written);
        }
    }
}

/// Whether two trees have the same scalars in the same places.
fn is_same(one: &Tree, other: &Tree) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Scalar(text), Kind::Scalar(other_text)) => {
            let is_plain = |tree: &Tree| tree.style == Style::Plain;
            text == other_text
                && is_plain(one) == is_plain(other)
                && one.tagged == other.tagged
                && one.tag == other.tag
        }
        (Kind::Sequence(items), Kind::Sequence(others)) => {
            items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(item, other)| is_same(item, other))
        }
        (Kind::Mapping(pairs), Kind::Mapping(others)) => {
            let same =
                |((key, value), (other_key, other_value)): (&(Tree, Tree), &(Tree, Tree))| {
                    is_same(key, other_key) && is_same(value, other_value)
                };
            pairs.len() == others.len() && pairs.iter().zip(others).all(same)
        }
        (Kind::Alias(target), Kind::Alias(other)) => is_same(target, other),
        _ => false,
    }
}

fn graft(node: &mut Node, written: &Node) {
    match (&mut node.content, &written.content) {
        (Content::Scalar(scalar), Content::Scalar(other)) => scalar.clone_from(other),
        (Content::Sequence(items), Content::Sequence(others)) => {
            for (item, other) in items.iter_mut().zip(others) {
                graft(item, other);
            }
        }
        (Content::Mapping(pairs), Content::Mapping(others)) => {
            for ((key, value), (other_key, other_value)) in pairs.iter_mut().zip(others) {
                graft(key, other_key);
                graft(value, other_value);
            }
        }
        _ => {}
    }
}

/// What omnictl prints after `error loading template: `; `syntax` is what is wrong with text that is no YAML.
pub(super) fn load_error(text: &str, syntax: &str) -> Option<String> {
    let broken = || format!("error decoding template: {syntax}");
    if tree::foreign_version(text).is_some() {
        return Some(broken());
    }
    let reread = Reread::of(text);
    for document in &reread.documents {
        let read = &document.read;
        let place = format!("document at line {}:{}", read.line, read.column);
        let kind = match kind(&read.tree) {
            Ok(kind) => kind,
            Err(cause) => return Some(format!("error in {place}: {cause}")),
        };
        let cause = match document.check(kind, text) {
            None => continue,
            Some(Refused::Unreadable) => "not valid YAML".to_owned(),
            Some(Refused::Decoded(refusal, layout)) => refusal.text(|line| layout.told(line)),
        };
        return Some(format!("error decoding {place}: {cause}"));
    }
    reread.broken.then(broken)
}

/// Why a document is refused.
enum Refused {
    /// It is no YAML any more when it is written anew.
    Unreadable,
    Decoded(Refusal, Layout),
}

fn kind(document: &Tree) -> Result<&str, String> {
    let Kind::Mapping(pairs) = &document.kind else {
        let number = document.number();
        return Err(format!("unexpected node kind {number}, expecting mapping"));
    };
    for (key, value) in pairs {
        match (&key.kind, &value.kind) {
            (Kind::Scalar(key), Kind::Scalar(kind)) if key == "kind" => {
                return match kind.as_str() {
                    "Cluster" | "ControlPlane" | "Workers" | "Machine" => Ok(kind),
                    other => Err(format!("unknown model kind {}", quote(other))),
                };
            }
            (Kind::Scalar(key), _) if key == "kind" => {
                let number = value.number();
                return Err(format!("unexpected value type for kind field {number}"));
            }
            (Kind::Scalar(_), _) => {}
            _ => return Err(format!("unexpected node kind {}", key.number())),
        }
    }
    Err("kind field not found".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_is_there() {
        assert_eq!(TABLE.unknown(), Vec::<&str>::new());
    }
}
