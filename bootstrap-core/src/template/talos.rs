//! What Talos and Omni accept in a machine configuration patch.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::go_yaml::{self, Value};
use super::text::quote;
use crate::yaml::{Content, Node};

/// Keys in a document without a kind that only Omni may set.
const FORBIDDEN_FIELDS: &[&str] = &[
    "cluster.clusterName",
    "cluster.id",
    "cluster.controlPlane.endpoint",
    "cluster.token",
    "cluster.secret",
    "cluster.aescbcEncryptionSecret",
    "cluster.secretboxEncryptionSecret",
    "cluster.ca",
    "cluster.acceptedCAs",
    "cluster.serviceAccount",
    "machine.token",
    "machine.ca",
    "machine.type",
    "machine.install.disk",
    "machine.install.extensions",
    "machine.acceptedCAs",
];

const FORBIDDEN_KINDS: &[&str] = &[
    "UnattendedInstallConfig",
    "DiscoveryIdentityConfig",
    "KubeClusterConfig",
    "KubeEtcdEncryptionConfig",
    "KubeAPIServerCAConfig",
    "KubeAggregatorCAConfig",
];

/// Something Omni refuses, and the way to it.
pub(crate) struct Forbidden {
    pub message: String,
    pub hint: Option<&'static str>,
    pub path: Vec<&'static str>,
}

/// Everything in one document that only Omni may set.
pub(crate) fn forbidden(document: &Node) -> Vec<Forbidden> {
    let kind = document.get("kind").and_then(string);
    let (fields, roles): (&[&'static str], _) = match kind {
        Some(kind) if FORBIDDEN_KINDS.contains(&kind) => {
            let message = format!(
                "the {} document is not allowed in the config patch",
                quote(kind)
            );
            return vec![Forbidden {
                message,
                hint: None,
                path: vec!["kind"],
            }];
        }
        Some("KubeServiceAccountConfig") => (&["issuer.privateKey"], None),
        Some("KubeTalosAPIAccessConfig") => (&[], Some("allowedRoles")),
        Some(_) => (&[], None),
        None => (
            FORBIDDEN_FIELDS,
            Some("machine.features.kubernetesTalosAPIAccess.allowedRoles"),
        ),
    };
    let mut found: Vec<Forbidden> = fields
        .iter()
        .filter(|field| {
            field
                .split('.')
                .try_fold(document, |node, key| node.get(key))
                .is_some()
        })
        .map(|field| Forbidden {
            message: format!(
                "overriding {} is not allowed in the config patch",
                quote(field)
            ),
            hint: instead(field),
            path: field.split('.').collect(),
        })
        .collect();
    if let Some(field) = roles {
        let path: Vec<&'static str> = field.split('.').collect();
        let list = path
            .iter()
            .try_fold(document, |node, key| node.get(key))
            .and_then(Node::as_sequence);
        let admins = list
            .into_iter()
            .flatten()
            .filter(|role| role.as_str() == Some("os:admin"));
        found.extend(admins.map(|_| Forbidden {
            message: format!(
                "element {} is not allowed in field {}",
                quote("os:admin"),
                quote(field)
            ),
            hint: None,
            path: path.clone(),
        }));
    }
    found
}

fn instead(field: &str) -> Option<&'static str> {
    match field {
        "machine.install.disk" => Some("use `install.disk` in the Machine document"),
        "machine.install.extensions" => Some("use `systemExtensions` in the template"),
        _ => None,
    }
}

fn string(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(scalar) if matches!(node.to_json(), serde_json::Value::String(_)) => {
            Some(&scalar.text)
        }
        _ => None,
    }
}

/// Why Talos' loader refuses a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoadError {
    /// In its words, which may quote values.
    pub text: String,
    /// The same without values: patches hold secrets.
    pub message: String,
    /// The way to the first culprit: keys, and `[n]` for the n-th item.
    pub way: Vec<String>,
}

impl LoadError {
    fn plain(text: String) -> Self {
        Self {
            message: text.clone(),
            text,
            way: Vec::new(),
        }
    }
}

/// Whether Talos' loader takes a document.
pub(crate) fn load_error(document: &Node) -> Option<LoadError> {
    if document.is_null() {
        return None;
    }
    if document.as_mapping().is_none() {
        return Some(LoadError::plain(format!(
            "expected a YAML document at line {}",
            document.line
        )));
    }
    let document = without_deletes(document)?;
    let value = |key| document.get(key).and_then(Node::as_str).unwrap_or_default();
    let (version, kind, name) = (value("apiVersion"), value("kind"), value("name"));
    let cause = check(&document, version, kind)?;
    let shown = if kind.is_empty() { "v1alpha1" } else { kind };
    let prefix = format!(
        "error decoding document {version}/{shown}/{name} (line {}): ",
        document.line
    );
    Some(LoadError {
        text: prefix.clone() + &cause.text,
        message: prefix + &cause.message,
        way: cause.way,
    })
}

fn check(document: &Node, version: &str, kind: &str) -> Option<LoadError> {
    let legacy = ["machine", "cluster", "debug", "persist"]
        .iter()
        .any(|key| document.get(key).is_some());
    let version = if legacy { "v1alpha1" } else { version };
    let schema = &*SCHEMA;
    let type_name = match (version, kind) {
        ("v1alpha1", "") => "Config",
        (_, "") => return Some(LoadError::plain("missing kind".to_owned())),
        ("", _) => return Some(LoadError::plain("missing apiVersion".to_owned())),
        ("v1alpha1", kind) if schema.kinds.contains_key(kind) => schema.kinds[kind],
        _ => {
            return Some(LoadError::plain(format!(
                "{} {}: not registered",
                quote(kind),
                quote(version)
            )));
        }
    };
    let mut walk = Walk::default();
    let unknown = walk.unknown_keys(document, type_name)?;
    let ways: Vec<_> = walk
        .found
        .iter()
        .map(|way| way.join(".").replace(".[", "["))
        .collect();
    Some(LoadError {
        text: format!(
            "unknown keys found during decoding:\n{}",
            go_yaml::emit(&[unknown], 4)
        ),
        message: format!("unknown keys found during decoding: {}", ways.join(", ")),
        way: walk.found.into_iter().next().unwrap_or_default(),
    })
}

/// A document without what `$patch: delete` removes; `None` when nothing is left to load.
fn without_deletes(node: &Node) -> Option<Node> {
    let deletes = |pairs: &[(Node, Node)]| {
        pairs
            .iter()
            .any(|(key, value)| key.as_str() == Some("$patch") && value.as_str() == Some("delete"))
    };
    let content = match &node.content {
        Content::Mapping(pairs) if deletes(pairs) => return None,
        Content::Mapping(pairs) => {
            let kept: Vec<_> = pairs
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_deletes(value)?)))
                .collect();
            if kept.is_empty() && !pairs.is_empty() {
                return None;
            }
            Content::Mapping(kept)
        }
        Content::Sequence(items) => {
            let kept: Vec<_> = items.iter().filter_map(without_deletes).collect();
            if kept.is_empty() && !items.is_empty() {
                return None;
            }
            Content::Sequence(kept)
        }
        Content::Scalar(_) => return Some(node.clone()),
    };
    Some(Node { content, ..*node })
}

/// A walk through a document along its type.
#[derive(Default)]
struct Walk {
    way: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Walk {
    /// The part of a node that its type does not know.
    fn unknown_keys(&mut self, node: &Node, type_name: &str) -> Option<Value> {
        let fields = SCHEMA.types.get(type_name)?;
        let mut unknown = Vec::new();
        for (key, value) in node.as_mapping()? {
            let name = key.as_str().unwrap_or_default();
            let part = self.step(name.to_owned(), |walk| match fields.get(name) {
                None => {
                    walk.found.push(walk.way.clone());
                    Some(Value::from_node(value))
                }
                Some(Field::Any) => None,
                Some(Field::Object(inner)) => walk.unknown_keys(value, inner),
                Some(Field::List(inner)) => walk.unknown_in_list(value, inner),
                Some(Field::Map(inner)) => walk.unknown_in_map(value, inner),
            });
            unknown.extend(part.map(|part| (Value::Text(name.to_owned()), part)));
        }
        (!unknown.is_empty()).then_some(Value::Mapping(unknown))
    }

    fn unknown_in_list(&mut self, node: &Node, type_name: &str) -> Option<Value> {
        let items = node.as_sequence()?.iter().enumerate();
        let unknown: Vec<_> = items
            .filter_map(|(at, item)| {
                self.step(format!("[{at}]"), |walk| walk.unknown_keys(item, type_name))
            })
            .collect();
        (!unknown.is_empty()).then_some(Value::Sequence(unknown))
    }

    fn unknown_in_map(&mut self, node: &Node, type_name: &str) -> Option<Value> {
        let entries = node.as_mapping()?.iter();
        let unknown: Vec<_> = entries
            .filter_map(|(key, value)| {
                let name = key.as_str().unwrap_or_default().to_owned();
                Some((
                    Value::from_node(key),
                    self.step(name, |walk| walk.unknown_keys(value, type_name))?,
                ))
            })
            .collect();
        (!unknown.is_empty()).then_some(Value::Mapping(unknown))
    }

    fn step(
        &mut self,
        name: String,
        look: impl FnOnce(&mut Self) -> Option<Value>,
    ) -> Option<Value> {
        self.way.push(name);
        let unknown = look(self);
        self.way.pop();
        unknown
    }
}

struct Schema {
    kinds: HashMap<&'static str, &'static str>,
    types: HashMap<&'static str, HashMap<&'static str, Field>>,
}

enum Field {
    Any,
    Object(&'static str),
    List(&'static str),
    Map(&'static str),
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema = Schema {
        kinds: HashMap::new(),
        types: HashMap::new(),
    };
    for line in include_str!("talos_fields.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        if let Some((kind, type_name)) =
            line.strip_prefix('@').and_then(|line| line.split_once(' '))
        {
            schema.kinds.insert(kind, type_name);
        } else if let Some((type_name, fields)) = line.split_once(':') {
            schema
                .types
                .insert(type_name, fields.split_whitespace().map(field).collect());
        }
    }
    schema
});

fn field(text: &'static str) -> (&'static str, Field) {
    let (name, kind): (_, fn(&'static str) -> Field) =
        if let Some((name, _)) = text.split_once("[]") {
            (name, Field::List)
        } else if let Some((name, _)) = text.split_once("{}") {
            (name, Field::Map)
        } else if let Some((name, _)) = text.split_once(':') {
            (name, Field::Object)
        } else {
            return (text, Field::Any);
        };
    let type_name = text[name.len()..].trim_start_matches(['[', ']', '{', '}', ':']);
    (name, kind(type_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_is_there() {
        let schema = &*SCHEMA;
        assert!(schema.kinds.len() > 80 && schema.types.len() > 200);
        let inner =
            schema
                .types
                .values()
                .flat_map(HashMap::values)
                .filter_map(|field| match field {
                    Field::Any => None,
                    Field::Object(name) | Field::List(name) | Field::Map(name) => Some(name),
                });
        for name in inner.chain(schema.kinds.values()) {
            assert!(schema.types.contains_key(name), "{name}");
        }
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
            ("kind: HostnameConfig", Some("missing apiVersion")),
            ("a: 1", Some("missing kind")),
            ("- a", Some("expected a YAML document at line 1")),
        ] {
            let node = &crate::yaml::parse(text).unwrap()[0];
            let error = load_error(node);
            match expected {
                None => assert_eq!(error, None, "{text}"),
                Some(part) => assert!(
                    error
                        .as_ref()
                        .is_some_and(|error| error.text.contains(part)),
                    "{text}: {error:?}"
                ),
            }
        }
    }

    #[test]
    fn what_omni_owns_is_forbidden() {
        for (text, expected) in [
            (
                "machine: {install: {disk: /dev/sda, wipe: true}, token: x}",
                vec![
                    "overriding \"machine.token\" is not allowed in the config patch",
                    "overriding \"machine.install.disk\" is not allowed in the config patch",
                ],
            ),
            (
                "kind: KubeClusterConfig\napiVersion: v1alpha1",
                vec!["the \"KubeClusterConfig\" document is not allowed in the config patch"],
            ),
            (
                "machine: {features: {kubernetesTalosAPIAccess: {allowedRoles: [os:reader, os:admin]}}}",
                vec![
                    "element \"os:admin\" is not allowed in field \"machine.features.kubernetesTalosAPIAccess.allowedRoles\"",
                ],
            ),
            ("kind: HostnameConfig\nmachine: {token: x}", vec![]),
        ] {
            let node = &crate::yaml::parse(text).unwrap()[0];
            let messages: Vec<_> = forbidden(node)
                .into_iter()
                .map(|forbidden| forbidden.message)
                .collect();
            assert_eq!(messages, expected, "{text}");
        }
    }
}
