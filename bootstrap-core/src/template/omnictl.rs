//! What omnictl's decoder makes of a template's documents, one after the other up to the first it refuses.

use std::path::Path;
use std::sync::LazyLock;

use super::construct::{self, Fault, Refusal, Table};
use super::go_yaml::remarshal::remarshal;
use super::go_yaml::tree::{self, Kind, Tree};
use super::layout::Layout;
use super::text::quote;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{self, Content, Node};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("omnictl_types.txt")));

/// Findings about what omnictl refuses and nobody else minds.
pub(super) fn refuses(text: &str, shown: &Path) -> Option<Vec<Diagnostic>> {
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
    let (documents, _) = tree::documents(text);
    documents.iter().find_map(|document| {
        let kind = kind(&document.tree).ok()?;
        let findings = match check(document, kind, text)? {
            Refused::Unreadable => vec![
                Diagnostic::error("omnictl cannot read this document after writing it anew")
                    .at(at(document.line, document.column))
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
pub(super) fn rewrite(nodes: &mut [Node], text: &str) {
    let (documents, broken) = tree::documents(text);
    if broken || documents.len() != nodes.len() {
        return;
    }
    for (node, document) in nodes.iter_mut().zip(&documents) {
        if let Ok(written) = yaml::parse(&remarshal(&document.tree))
            && let [written] = written.as_slice()
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
pub(super) fn load_error(text: &str, syntax: &str) -> Option<String> {
    let broken = || format!("error decoding template: {syntax}");
    if tree::foreign_version(text).is_some() {
        return Some(broken());
    }
    let (documents, is_broken) = tree::documents(text);
    for document in &documents {
        let place = format!("document at line {}:{}", document.line, document.column);
        let kind = match kind(&document.tree) {
            Ok(kind) => kind,
            Err(cause) => return Some(format!("error in {place}: {cause}")),
        };
        let cause = match check(document, kind, text) {
            None => continue,
            Some(Refused::Unreadable) => "not valid YAML".to_owned(),
            Some(Refused::Decoded(refusal, layout)) => refusal.text(|line| layout.told(line)),
        };
        return Some(format!("error decoding {place}: {cause}"));
    }
    is_broken.then(broken)
}

/// Why a document is refused.
enum Refused {
    /// It is no YAML any more when it is written anew.
    Unreadable,
    Decoded(Refusal, Layout),
}

fn check(document: &tree::Document, kind: &str, text: &str) -> Option<Refused> {
    let (written, broken) = tree::documents(&remarshal(&document.tree));
    let written = match written.into_iter().next() {
        Some(written) if !broken => written.tree,
        _ => return Some(Refused::Unreadable),
    };
    let refusal = construct::check(&written, &format!("models.{kind}"), &TABLE, true)?;
    let layout = Layout::of(&document.tree, &written, document.line, text);
    Some(Refused::Decoded(refusal, layout))
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
