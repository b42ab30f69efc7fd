//! Talos' loader of configuration documents.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ecow::{EcoString, eco_format};

use super::super::construct::{self, Document, Kind, Table};
use super::super::go_yaml::remarshal::remarshal;
use super::super::go_yaml::tree::{self, Kind as Node, Tree};
use super::super::text::quote;
use super::deletes;
use crate::yaml::Scanned;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("../talos_fields.txt")));

/// Why the loader refuses a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadError {
    /// In its words, which may quote values.
    pub text: String,
    /// The same without values: patches hold secrets.
    pub message: String,
    /// Which document, and where in the text.
    pub document: usize,
    pub line: usize,
    pub column: usize,
    /// The way to the first culprit: keys, and `[n]` for the n-th item.
    pub way: Vec<EcoString>,
    pub hint: Option<&'static str>,
}

impl LoadError {
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            message: text.clone(),
            text,
            ..Self::default()
        }
    }

    fn at(mut self, document: usize, node: &Tree) -> Self {
        self.document = document;
        if self.line == 0 {
            (self.line, self.column) = (node.line, node.column);
        }
        self
    }

    fn prefixed(mut self, prefix: &str) -> Self {
        self.text.insert_str(0, prefix);
        self.message.insert_str(0, prefix);
        self
    }
}

/// Reads a text as a configuration patch; `Ok(false)` where it stops being YAML.
pub(crate) fn load(text: &Scanned) -> Result<bool, LoadError> {
    let (documents, broken) = tree::documents(text);
    let mut loaded = Loaded::default();
    for (at, document) in documents.iter().enumerate() {
        loaded
            .document(document)
            .map_err(|error| error.at(at, &document.tree))?;
    }
    if broken {
        return Ok(false);
    }
    if loaded.documents.is_empty() && loaded.deletes == 0 {
        return Err(LoadError {
            message: "there is no configuration in it".to_owned(),
            line: 1,
            column: 1,
            hint: Some("remove the patch, or what empties it"),
            ..LoadError::plain("config not found")
        });
    }
    conflict(&loaded.documents).map_or(Ok(true), |text| Err(LoadError::plain(text)))
}

/// What tells a document apart.
#[derive(Default)]
struct Heading {
    kind: String,
    name: String,
    peer: String,
}

/// What was loaded so far.
#[derive(Default)]
struct Loaded {
    deletes: usize,
    ids: HashSet<(String, String, String)>,
    documents: Vec<Heading>,
}

impl Loaded {
    fn document(&mut self, document: &tree::Document) -> Result<(), LoadError> {
        let found = deletes::take(&document.tree).map_err(|cause| {
            let line = document.line;
            LoadError::plain(format!(
                "error processing patch delete statements at line {line}: {cause}"
            ))
        })?;
        self.deletes += found.count;
        let Some(document) = found.rest else {
            return Ok(());
        };
        let Node::Mapping(pairs) = &document.kind else {
            if document.tag == "!!null" {
                return Ok(());
            }
            let line = document.line;
            return Err(LoadError::plain(format!(
                "expected a YAML document at line {line}"
            )));
        };
        let value = |key| deletes::value(pairs, key).to_owned();
        let (version, kind, name) = (value("apiVersion"), value("kind"), value("name"));
        let shown = if kind.is_empty() { "v1alpha1" } else { &kind };
        let line = document.line;
        let id = (version.clone(), kind.clone(), name.clone());
        if !self.ids.insert(id) {
            return Err(LoadError::plain(format!(
                "duplicate document {version}/{shown}/{name} is not allowed (line {line})"
            )));
        }
        let prefix = format!("error decoding document {version}/{shown}/{name} (line {line}): ");
        let kind = decode(&document, pairs).map_err(|error| error.prefixed(&prefix))?;
        let peer = pairs.iter().find(|(key, _)| key.text() == "peer");
        let peer = match peer.map(|(_, value)| &value.target().kind) {
            Some(Node::Mapping(pairs)) => decoded_name(pairs),
            _ => String::new(),
        };
        let name = decoded_name(pairs);
        self.documents.push(Heading { kind, name, peer });
        Ok(())
    }
}

fn decoded_name(pairs: &[(Tree, Tree)]) -> String {
    let name = pairs.iter().find(|(key, _)| key.target().text() == "name");
    match name.map(|(_, value)| value.target()) {
        Some(value) if !value.is_null() => value.text().to_owned(),
        _ => String::new(),
    }
}

/// Decodes a document; gives its kind.
fn decode(document: &Tree, pairs: &[(Tree, Tree)]) -> Result<String, LoadError> {
    let (version, kind) = header(pairs)?;
    let legacy = version == "v1alpha1" && kind.is_empty();
    if kind.is_empty() && !legacy {
        return Err(LoadError::plain("missing kind"));
    }
    if version.is_empty() {
        return Err(LoadError::plain("missing apiVersion"));
    }
    let known = TABLE.kind_of_document(if legacy { "-" } else { &kind });
    let Some(Document { type_name, .. }) = known.filter(|_| version == "v1alpha1" && kind != "-")
    else {
        return Err(LoadError::plain(format!(
            "{} {}: not registered",
            quote(&kind),
            quote(&version)
        )));
    };
    if let Some(refusal) = construct::check(document, type_name, &TABLE, false) {
        let prefix = format!("error decoding {kind} to *{type_name}: ");
        let first = refusal.faults.first();
        let faults = refusal.faults.iter();
        let told = faults.map(|fault| format!("{}: {}", shown_way(&fault.way), fault.message));
        let messages: Vec<String> = told.collect();
        return Err(LoadError {
            text: prefix + &refusal.text(|line| line),
            message: messages.join("; "),
            line: first.map_or(0, |fault| fault.line),
            column: first.map_or(0, |fault| fault.column),
            way: first.map(|fault| fault.way.clone()).unwrap_or_default(),
            hint: Some("fields and their types are those of Talos 1.14"),
            ..LoadError::default()
        });
    }
    unknown_keys(document, type_name).map_or(Ok(kind), Err)
}

fn shown_way(way: &[EcoString]) -> String {
    way.join(".").replace(".[", "[")
}

/// Version and kind. The loader looks at values as if they were keys, too.
fn header(pairs: &[(Tree, Tree)]) -> Result<(String, String), LoadError> {
    let flat: Vec<&Tree> = pairs.iter().flat_map(|(key, value)| [key, value]).collect();
    let (mut version, mut kind) = (String::new(), String::new());
    for (at, node) in flat.iter().enumerate() {
        let (target, what) = match node.text() {
            "kind" => (&mut kind, "kind"),
            "apiVersion" => (&mut version, "version"),
            "machine" | "cluster" | "debug" | "persist" => {
                "v1alpha1".clone_into(&mut version);
                continue;
            }
            _ => continue,
        };
        let Some(value) = flat.get(at + 1) else {
            let length = flat.len();
            return Err(LoadError::plain(format!(
                "recovered: runtime error: index out of range [{length}] with length {length}"
            )));
        };
        if let Some(refusal) = construct::check(value, "string", &TABLE, false) {
            let text = refusal.text(|line| line);
            return Err(LoadError::plain(format!("{what} decode: {text}")));
        }
        if !value.is_null() {
            value.target().text().clone_into(target);
        }
    }
    Ok((version, kind))
}

/// Documents that must not stand side by side.
fn conflict(documents: &[Heading]) -> Option<String> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut excluded: HashMap<String, String> = HashMap::new();
    let mut links: HashMap<&str, String> = HashMap::new();
    let mut legacy = false;
    for Heading { kind, name, peer } in documents {
        if kind.is_empty() {
            if legacy {
                return Some("duplicate v1alpha1.Config".to_owned());
            }
            legacy = true;
            continue;
        }
        let document = TABLE.kind_of_document(kind)?;
        let name = if document.named { name.as_str() } else { "" };
        let id = format!("{kind}/{name}");
        if !seen.insert(id.clone()) {
            return Some(format!("duplicate document: {id}"));
        }
        if let Some(other) = excluded.get(&id) {
            return Some(format!("conflicting documents: {other} and {id}"));
        }
        for other in &document.excludes {
            let other = format!("{other}/{name}");
            if seen.contains(&other) {
                return Some(format!("conflicting documents: {other} and {id}"));
            }
            excluded.insert(other, id.clone());
        }
        let claimed = [(document.link, name), (document.peer, peer.as_str())];
        for (_, name) in claimed.iter().filter(|(claims, _)| *claims) {
            let Some(owner) = links.insert(name, id.clone()) else {
                continue;
            };
            let name = quote(name);
            return Some(format!(
                "conflicting link configurations: {owner} and {id} both configure {name}"
            ));
        }
    }
    None
}

fn unknown_keys(document: &Tree, type_name: &str) -> Option<LoadError> {
    let mut walk = Unknown::default();
    let unknown = match walk.node(document, type_name) {
        Ok(unknown) => unknown?,
        Err(text) => return Some(LoadError::plain(text)),
    };
    let ways: Vec<_> = walk.found.iter().map(|(way, _)| shown_way(way)).collect();
    let (way, (line, column)) = walk.found.into_iter().next().unwrap_or_default();
    Some(LoadError {
        text: format!(
            "unknown keys found during decoding:\n{}",
            remarshal(&unknown)
        ),
        message: format!("unknown keys found during decoding: {}", ways.join(", ")),
        way,
        line,
        column,
        hint: Some("fields and their types are those of Talos 1.14"),
        ..LoadError::default()
    })
}

/// A walk through a document along its type.
#[derive(Default)]
struct Unknown {
    way: Vec<EcoString>,
    found: Vec<(Vec<EcoString>, (usize, usize))>,
}

type Part = Result<Option<Tree>, String>;

impl Unknown {
    /// The part of a node that its type does not know. What aliases stand for is not looked at.
    fn node(&mut self, node: &Tree, type_name: &str) -> Part {
        let type_name = type_name.trim_start_matches('*');
        match (&node.kind, TABLE.kind(type_name)) {
            (_, Kind::Any) => Ok(None),
            (Node::Mapping(pairs), Kind::Struct(fields)) => {
                self.pairs(pairs, |name| fields.get(name).copied())
            }
            (Node::Mapping(pairs), Kind::Map(inner)) => self.pairs(pairs, |_| Some(inner)),
            (Node::Sequence(items), Kind::List(inner)) => self.items(items, inner),
            (Node::Mapping(_), _) => Err(format!("unexpected type for yaml mapping: {type_name}")),
            (Node::Sequence(_), _) => {
                Err(format!("unexpected type for yaml sequence: {type_name}"))
            }
            _ => Ok(None),
        }
    }

    fn pairs<'f>(
        &mut self,
        pairs: &[(Tree, Tree)],
        field: impl Fn(&str) -> Option<&'f str>,
    ) -> Part {
        let mut unknown = Vec::new();
        for (key, value) in pairs {
            if !matches!(key.kind, Node::Scalar(_)) {
                return Err("unexpected mapping key type".to_owned());
            }
            let name = key.text();
            self.way.push(name.into());
            let part = if let Some(inner) = field(name) {
                self.node(value, inner)
            } else {
                self.found
                    .push((self.way.clone(), (value.line, value.column)));
                Ok(Some(value.clone()))
            };
            self.way.pop();
            unknown.extend(part?.map(|part| (name.into(), part)));
        }
        Ok((!unknown.is_empty()).then(|| Tree::mapping(unknown)))
    }

    fn items(&mut self, items: &[Tree], inner: &str) -> Part {
        let mut unknown = Vec::new();
        for (at, item) in items.iter().enumerate() {
            self.way.push(eco_format!("[{at}]"));
            let part = self.node(item, inner);
            self.way.pop();
            unknown.extend(part?);
        }
        Ok((!unknown.is_empty()).then(|| Tree::sequence(unknown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_is_there() {
        let (documents, types) = TABLE.size();
        assert!(documents > 80 && types > 200);
        assert_eq!(TABLE.unknown(), Vec::<&str>::new());
    }

    #[test]
    fn documents_load_as_talos_loads_them() {
        for (text, expected) in [
            (
                "machine: {network: {interfaces: [{interface: eth0, dhcp: true}]}}",
                None,
            ),
            (
                "machine: {network: {interfaces: [{interface: eth0, dhpc: true}]}}",
                Some(
                    "unknown keys found during decoding:\nmachine:\n    network:\n        interfaces:\n            - dhpc: true\n",
                ),
            ),
            (
                "machine: {kubelet: {extraConfig: {anything: {goes: here}}}}",
                None,
            ),
            (
                "machine: {network: {interfaces: {$patch: delete}}, odd: {$patch: delete}}",
                None,
            ),
            (
                "machine: {registries: {mirrors: {docker.io: {endpoint: x}}}}",
                Some("mirrors:\n            docker.io:\n                endpoint: x\n"),
            ),
            (
                "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a",
                None,
            ),
            (
                "apiVersion: v1alpha1\nkind: HostnameConfg\nname: a",
                Some(
                    "error decoding document v1alpha1/HostnameConfg/a (line 1): \"HostnameConfg\" \"v1alpha1\": not registered",
                ),
            ),
            ("kind: HostnameConfig\na: 1", Some("missing apiVersion")),
            ("a: 1", Some("missing kind")),
            ("- a", Some("expected a YAML document at line 1")),
            ("{}", Some("config not found")),
        ] {
            let error = load(&Scanned::of(text));
            match expected {
                None => assert_eq!(error, Ok(true), "{text}"),
                Some(part) => assert!(
                    error.as_ref().is_err_and(|error| error.text.contains(part)),
                    "{text}: {error:?}"
                ),
            }
        }
    }
}
