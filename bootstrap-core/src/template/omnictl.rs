//! What omnictl's decoder makes of a template's documents, one after the other up to the first it refuses.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::LazyLock;

use super::construct::{self, Fault, Refusal, Table};
use super::go_yaml::remarshal::remarshal;
use super::go_yaml::style::Style;
use super::go_yaml::tree::{self, Kind, Tree};
use super::layout::Layout;
use super::text::quote;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{Content, Node, Scanned};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("omnictl_types.txt")));

/// A template's documents as omnictl has them: read, written anew, and read again to be decoded.
pub(super) struct Reread {
    documents: Vec<Pair>,
    broken: bool,
}

struct Pair {
    read: tree::Document,
    /// Nothing in it is written otherwise than it was read.
    is_stable: bool,
    anew: OnceCell<Anew>,
}

/// A document written anew.
struct Anew {
    /// `None` where the text is no YAML any more.
    tree: Option<Tree>,
    /// The same with aliases expanded, where something in it may be written otherwise.
    node: Option<Node>,
}

impl Reread {
    pub(super) fn of(text: &Scanned) -> Self {
        let (documents, broken) = tree::documents(text);
        let pair = |read: tree::Document| Pair {
            is_stable: is_stable(&read.tree),
            read,
            anew: OnceCell::new(),
        };
        Self {
            documents: documents.into_iter().map(pair).collect(),
            broken,
        }
    }
}

impl Pair {
    fn anew(&self) -> &Anew {
        self.anew.get_or_init(|| {
            let text = remarshal(&self.read.tree);
            let scanned = Scanned::of(&text);
            let (again, broken) = tree::documents(&scanned);
            let again = again.into_iter().next().filter(|_| !broken);
            let mut nodes = if self.is_stable {
                Vec::new()
            } else {
                scanned.nodes().unwrap_or_default()
            };
            Anew {
                tree: again.map(|document| document.tree),
                node: nodes.pop().filter(|_| nodes.is_empty()),
            }
        })
    }

    fn check(&self, kind: &str, text: &str) -> Option<Refused> {
        let type_name = format!("models.{kind}");
        // Writing anew costs more than all the rest, and here it changes nothing but line numbers.
        if self.is_stable && construct::check(&self.read.tree, &type_name, &TABLE, true).is_none() {
            return None;
        }
        let Some(again) = &self.anew().tree else {
            return Some(Refused::Unreadable);
        };
        let refusal = construct::check(again, &type_name, &TABLE, true)?;
        let layout = Layout::of(&self.read.tree, again, self.read.line, text);
        Some(Refused::Decoded(refusal, layout))
    }
}

/// Whether a tree has only plain words and numbers, and quoted text of one line.
fn is_stable(tree: &Tree) -> bool {
    if tree.tagged || tree.anchor > 0 {
        return false;
    }
    match &tree.kind {
        Kind::Scalar(text) => match tree.style {
            Style::Plain => {
                matches!(&*tree.tag, "!!str" | "!!int" | "!!bool" | "!!null")
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b" _./-$:".contains(&byte))
            }
            Style::Single | Style::Double => text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            Style::Literal | Style::Folded => false,
        },
        Kind::Sequence(items) => items.iter().all(is_stable),
        Kind::Mapping(pairs) => pairs
            .iter()
            .all(|(key, value)| is_stable(key) && is_stable(value)),
        Kind::Alias(_) => false,
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
        if !document.is_stable
            && let Some(written) = &document.anew().node
        {
            graft(node, written);
        }
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
pub(super) fn load_error(text: &str, reread: &Reread, syntax: &str) -> Option<String> {
    let broken = || format!("error decoding template: {syntax}");
    if tree::foreign_version(text).is_some() {
        return Some(broken());
    }
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
