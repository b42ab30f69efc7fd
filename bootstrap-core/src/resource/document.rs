//! One resource document: `metadata`, `spec` and nothing else.

use omni_client::{Metadata, Resource};
use serde_json::Value;

use super::fields::{Fields, Findings, nearest};
use super::shape::{self, Shape};
use super::spec;
use super::{Document, class};
use crate::yaml::Node;

const METADATA: [&str; 11] = [
    "namespace",
    "type",
    "id",
    "version",
    "owner",
    "phase",
    "created",
    "updated",
    "labels",
    "annotations",
    "finalizers",
];

/// Kinds of the documents of a cluster template.
const TEMPLATE_KINDS: [&str; 4] = ["Cluster", "ControlPlane", "Workers", "Machine"];

/// Reads a document; what is wrong is among the findings.
pub(super) fn read(document: &Node, findings: &mut Findings) -> Option<Document> {
    let (metadata_node, spec_node) = halves(document, findings)?;
    let (metadata, fields) = metadata(metadata_node, findings)?;
    let mut block = None;
    let spec = spec::message(spec_node, fields, "spec", &mut block, findings);
    Some(Document {
        resource: Resource {
            metadata,
            spec: Value::Object(spec),
        },
        provider_data: block,
        origin: findings.origin(document),
        spec: spec_node.clone(),
    })
}

/// The two halves of a document. This is where omnictl says "expected 4 elements node".
fn halves<'n>(document: &'n Node, findings: &mut Findings) -> Option<(&'n Node, &'n Node)> {
    let hint = "a resource is `metadata:` and `spec:`, each with its fields below it";
    let Some(pairs) = document.as_mapping() else {
        findings.error(
            document,
            format!("{} found where a resource is expected", document.kind()),
            hint,
        );
        return None;
    };
    if is_of_another_kind(document, pairs, findings) {
        return None;
    }
    let before = findings.errors.len();
    for (key, _) in pairs {
        let name = key.as_str().unwrap_or("null");
        if matches!(name, "metadata" | "spec") {
            continue;
        }
        let message = format!("unknown key `{name}` beside metadata and spec");
        let near = nearest(name, ["metadata", "spec"].into_iter());
        match (near, home(document, name)) {
            (Some(near), _) => findings.error(key, message, &format!("did you mean `{near}`?")),
            (None, Some(home)) => {
                findings.error(
                    key,
                    message,
                    &format!("it belongs to {home}: indent it below"),
                );
            }
            (None, None) => findings.error(key, message, hint),
        }
    }
    for half in ["metadata", "spec"] {
        let hint = match half {
            "metadata" => "`metadata:` with namespace, type and id below it",
            _ => "`spec:` with its fields below it, or `spec: {}` where it has none",
        };
        match document.get(half) {
            None => findings.error(document, format!("{half} is missing"), hint),
            Some(node) if node.as_mapping().is_none() => {
                let message = format!("{half} must be a mapping, not {}", node.kind());
                findings.error(node, message, hint);
            }
            Some(_) => {}
        }
    }
    let halves = document.get("metadata").zip(document.get("spec"));
    halves.filter(|_| findings.errors.len() == before)
}

/// Where a key at the top would belong.
fn home(document: &Node, name: &str) -> Option<&'static str> {
    if METADATA.contains(&name) {
        return Some("metadata");
    }
    let kind = document.get("metadata")?.get("type")?.as_str()?;
    let has = |(field, _): &(&str, Shape)| shape::joined(field) == shape::joined(name);
    shape::fields(kind)?.iter().any(has).then_some("spec")
}

/// Documents for Kubernetes and parts of cluster templates are told what they are.
fn is_of_another_kind(document: &Node, pairs: &[(Node, Node)], findings: &mut Findings) -> bool {
    let at = |name: &str| pairs.iter().find(|(key, _)| key.as_str() == Some(name));
    let kind = at("kind").and_then(|(_, value)| value.as_str());
    if let Some((key, _)) = at("apiVersion") {
        let guess = kind.and_then(type_called).unwrap_or(class::TYPE);
        let name = document
            .get("metadata")
            .and_then(|metadata| metadata.get("name")?.as_str())
            .unwrap_or("ID");
        let namespace = shape::namespace(guess).unwrap_or("default");
        findings.error(
            key,
            "this document has the form of a Kubernetes object, not of an Omni resource",
            &format!(
                "instead of apiVersion, kind and metadata.name write `metadata: {{namespace: {namespace}, type: {guess}, id: {name}}}`"
            ),
        );
        return true;
    }
    if let Some(kind) =
        kind.filter(|kind| TEMPLATE_KINDS.contains(kind) && at("metadata").is_none())
    {
        let key = at("kind").map_or(document, |(key, _)| key);
        findings.error(
            key,
            format!("this is the {kind} of a cluster template, not a resource"),
            "templates are for `omni-cluster-template sync -f FILE`",
        );
        return true;
    }
    false
}

/// The full name of the type whose resources, or whose one resource, are called so: `MachineClasses`, `machineclass`, or
/// the full name in any case.
pub fn type_called(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    shape::known().find(|name| {
        let short = name.split('.').next().unwrap_or_default().to_lowercase();
        short == word
            || name.to_lowercase() == word
            || short.strip_suffix('s') == Some(&word)
            || short.strip_suffix("es") == Some(&word)
            || short
                .strip_suffix("ies")
                .is_some_and(|stem| format!("{stem}y") == word)
    })
}

type Known = &'static [(&'static str, Shape)];

fn metadata(node: &Node, findings: &mut Findings) -> Option<(Metadata, Known)> {
    if node.get("name").is_some() && node.get("id").is_none() {
        let at = node.get("name").unwrap_or(node);
        findings.error(
            at,
            "metadata.name is not known: the name of a resource is its id",
            "write `id:` instead of `name:`",
        );
        return None;
    }
    let mut fields = Fields::of(node, "metadata", &METADATA, &|_| None, findings);
    let kind = fields.string("type", findings);
    let id = fields.string("id", findings);
    let namespace = fields.string("namespace", findings);
    let (labels, annotations) = (
        fields.map("labels", findings),
        fields.map("annotations", findings),
    );
    let owner = fields.string("owner", findings);
    let Some(known) = shape::fields(&kind) else {
        unknown_type(node, &kind, findings);
        return None;
    };
    if id.is_empty() {
        findings.error(
            node,
            "metadata.id is missing",
            "the id is the resource's name",
        );
        return None;
    }
    if !owner.is_empty() && !findings.tolerant {
        let at = node.get("owner").unwrap_or(node);
        findings.error(
            at,
            format!("a resource of the controller `{owner}` cannot be written by others"),
            "write what the controller makes it from instead",
        );
    }
    let home = shape::namespace(&kind).unwrap_or("default");
    if !namespace.is_empty() && namespace != home && !findings.tolerant {
        let short = kind.split('.').next().unwrap_or_default();
        findings.error(
            node.get("namespace").unwrap_or(node),
            format!("{short} are not in namespace `{namespace}`"),
            &format!("write `namespace: {home}`"),
        );
    }
    let namespace = if findings.tolerant && !namespace.is_empty() {
        namespace
    } else {
        home.to_owned()
    };
    let metadata = Metadata {
        namespace,
        kind,
        id,
        labels,
        annotations,
        ..Metadata::default()
    };
    Some((metadata, known))
}

fn unknown_type(metadata: &Node, kind: &str, findings: &mut Findings) {
    if kind.is_empty() {
        let hint = "for example `type: MachineClasses.omni.sidero.dev`";
        findings.error(metadata, "metadata.type is missing", hint);
        return;
    }
    let at = metadata.get("type").unwrap_or(metadata);
    let lower = kind.to_lowercase();
    let near = type_called(lower.split('.').next().unwrap_or_default())
        .or_else(|| nearest(kind, shape::known()));
    let hint = near.map_or_else(
        || "types are for example MachineClasses.omni.sidero.dev, ConfigPatches.omni.sidero.dev; `omni-resource get rd` lists all".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    findings.error(
        at,
        format!("Omni has no resources of the type `{kind}`"),
        &hint,
    );
}
