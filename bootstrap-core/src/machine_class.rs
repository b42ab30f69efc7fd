//! Machine class files: the resource YAML that people keep for `omnictl apply`.
//!
//! A document is a mapping of `metadata` and `spec`. Spec keys may be spelled as omnictl prints them
//! (`providerdata`) or as the API does (`provider_data`); one that is neither is an error, where omnictl
//! would drop it.

mod fields;
mod provision;

use std::path::Path;

use omni_client::{Metadata, Resource};
use serde_json::{Map, Value};

use self::fields::{Fields, Findings};
use crate::diagnostic::{Diagnostic, Origin};
use crate::site::MachineClass;
use crate::yaml::{self, Node};

const TYPE: &str = "MachineClasses.omni.sidero.dev";

/// Loads every machine class of a YAML file.
pub fn load_machine_classes(path: &Path) -> Result<Vec<MachineClass>, Vec<Diagnostic>> {
    load_with_warnings(path).map(|(classes, _)| classes)
}

/// Loads every machine class of a YAML file, with what is odd but no error.
pub fn load_with_warnings(
    path: &Path,
) -> Result<(Vec<MachineClass>, Vec<Diagnostic>), Vec<Diagnostic>> {
    parse(&yaml::read(path, path)?, path)
}

fn parse(
    documents: &[Node],
    file: &Path,
) -> Result<(Vec<MachineClass>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut findings = Findings {
        file,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    let mut classes: Vec<MachineClass> = Vec::new();
    let documents: Vec<_> = documents
        .iter()
        .filter(|document| !document.is_null())
        .collect();
    if documents.is_empty() {
        let origin = Origin {
            file: file.to_owned(),
            ..Origin::default()
        };
        return Err(vec![
            Diagnostic::error("no machine class in this file").at(origin),
        ]);
    }
    for document in documents {
        let Some(class) = machine_class(document, &mut findings) else {
            continue;
        };
        if let Some(first) = classes.iter().find(|other| other.id == class.id) {
            let message = format!(
                "machine class `{}` is given twice, first on line {}",
                class.id, first.origin.line
            );
            findings
                .errors
                .push(Diagnostic::error(message).at(class.origin.clone()));
        }
        classes.push(class);
    }
    if findings.errors.is_empty() {
        Ok((classes, findings.warnings))
    } else {
        Err(findings.errors)
    }
}

fn machine_class(document: &Node, findings: &mut Findings) -> Option<MachineClass> {
    let (metadata_node, spec_node) = shape(document, findings)?;
    let metadata = metadata(metadata_node, findings)?;
    let mut fields = Fields::of(
        spec_node,
        "spec",
        &["match_labels", "auto_provision"],
        findings,
    );
    let mut spec = Map::new();
    let labels = fields.strings("match_labels", findings);
    provision::insert_list(&mut spec, "match_labels", labels);
    let mut provider_data = Value::Null;
    if let Some(node) = fields.take("auto_provision") {
        let (provision, data) = provision::auto_provision(node, findings);
        spec.insert("auto_provision".to_owned(), Value::Object(provision));
        provider_data = data;
    }
    let provider = spec
        .get("auto_provision")
        .and_then(|provision| provision.get("provider_id"));
    Some(MachineClass {
        id: metadata.id.clone(),
        provider: provider.and_then(Value::as_str).map(str::to_owned),
        resource: Resource {
            metadata,
            spec: Value::Object(spec),
        },
        provider_data,
        origin: findings.origin(document),
    })
}

/// The two halves of a resource document. This is where omnictl says "expected 4 elements node".
fn shape<'n>(document: &'n Node, findings: &mut Findings) -> Option<(&'n Node, &'n Node)> {
    let hint = "a resource is `metadata:` and `spec:`, each with its fields below it";
    let Some(pairs) = document.as_mapping() else {
        findings.error(
            document,
            format!("{} found where a resource is expected", document.kind()),
            hint,
        );
        return None;
    };
    let before = findings.errors.len();
    for (key, _) in pairs {
        let name = key.as_str().unwrap_or("null");
        if !matches!(name, "metadata" | "spec") {
            findings.error(
                key,
                format!("unknown key `{name}` beside metadata and spec"),
                hint,
            );
        }
    }
    for half in ["metadata", "spec"] {
        match document.get(half) {
            None => findings.error(document, format!("{half} is missing"), hint),
            Some(node) if node.as_mapping().is_none() => {
                findings.error(
                    node,
                    format!("{half} must be a mapping, not {}", node.kind()),
                    hint,
                );
            }
            Some(_) => {}
        }
    }
    let halves = document.get("metadata").zip(document.get("spec"));
    halves.filter(|_| findings.errors.len() == before)
}

fn metadata(node: &Node, findings: &mut Findings) -> Option<Metadata> {
    let known = [
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
    let mut fields = Fields::of(node, "metadata", &known, findings);
    let kind = fields.string("type", findings);
    let id = fields.string("id", findings);
    let namespace = fields.string("namespace", findings);
    let (labels, annotations) = (
        fields.map("labels", findings),
        fields.map("annotations", findings),
    );
    if kind != TYPE {
        let at = node.get("type").unwrap_or(node);
        let message = match kind.as_str() {
            "" => "metadata.type is missing".to_owned(),
            other => format!("`{other}` is no machine class"),
        };
        findings.error(at, message, &format!("write `type: {TYPE}`"));
        return None;
    }
    if id.is_empty() {
        findings.error(
            node,
            "metadata.id is missing".to_owned(),
            "the id is what machine sets name",
        );
        return None;
    }
    if !matches!(namespace.as_str(), "" | "default") {
        let at = node.get("namespace").unwrap_or(node);
        findings.error(
            at,
            format!("machine classes are not in namespace `{namespace}`"),
            "write `namespace: default`",
        );
    }
    let namespace = "default".to_owned();
    Some(Metadata {
        namespace,
        kind,
        id,
        labels,
        annotations,
        ..Metadata::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(text: &str) -> Result<(Vec<MachineClass>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let documents = yaml::parse(text).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| problem.in_file(Path::new("c.yaml")))
                .collect::<Vec<_>>()
        })?;
        parse(&documents, Path::new("c.yaml"))
    }

    fn class(spec: &str) -> String {
        format!("metadata:\n  namespace: default\n  type: {TYPE}\n  id: a\nspec:\n{spec}")
    }

    #[test]
    fn both_spellings_give_the_same_class() {
        let joined = class(
            "  matchlabels: []\n  autoprovision:\n    providerid: p\n    kernelargs: [x=1]\n    metavalues: [{key: 0x0a, value: v}]\n    grpctunnel: 1\n    providerdata: |\n      cores: 2\n      list: [1, a]\n",
        );
        let snake = class(
            "  match_labels: []\n  auto_provision:\n    provider_id: p\n    kernel_args: [x=1]\n    meta_values: [{key: 10, value: v}]\n    grpc_tunnel: ENABLED\n    provider_data: |\n      cores: 2\n      list: [1, a]\n",
        );
        let (classes, warnings) = load(&joined).unwrap();
        assert_eq!(classes[0].resource, load(&snake).unwrap().0[0].resource);
        assert_eq!(warnings, []);
        assert_eq!(classes[0].provider.as_deref(), Some("p"));
        assert_eq!(
            classes[0].provider_data,
            json!({"cores": 2, "list": [1, "a"]})
        );
        assert_eq!(
            classes[0].resource.spec,
            json!({"auto_provision": {
                "provider_id": "p", "kernel_args": ["x=1"], "meta_values": [{"key": 10, "value": "v"}],
                "provider_data": "cores: 2\nlist: [1, a]\n", "grpc_tunnel": 1,
            }})
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            ("metadata: {}\n", "c.yaml:1:1: spec is missing"),
            ("spec: {}\n", "c.yaml:1:1: metadata is missing"),
            (
                "metadata: {}\nspec: {}\nstatus: {}\n",
                "c.yaml:3:1: unknown key `status` beside metadata and spec",
            ),
            (
                "metadata: []\nspec: {}\n",
                "c.yaml:1:11: metadata must be a mapping, not a sequence",
            ),
            ("# nothing\n", "c.yaml: no machine class in this file"),
            (
                "metadata: {type: Clusters.omni.sidero.dev, id: a}\nspec: {}\n",
                "c.yaml:1:18: `Clusters.omni.sidero.dev` is no machine class",
            ),
            (
                &class("  autoprovison: {}\n"),
                "c.yaml:6:3: unknown key `autoprovison` in spec",
            ),
            (
                &class("  autoprovision:\n    providerid: p\n    providerdata: {cores: 2}\n"),
                "c.yaml:8:19: providerdata must be a text, not a mapping",
            ),
            (
                &class(
                    "  autoprovision:\n    providerid: p\n    providerdata: |\n      cores: 2\n      cores: 3\n",
                ),
                "c.yaml:10:7: providerdata: key `cores` is given twice, first on line 1",
            ),
            (
                &class("  autoprovision: {kernelargs: []}\n"),
                "c.yaml:6:18: providerid is missing in spec.autoprovision",
            ),
            (
                &class("  autoprovision: {providerid: a, provider_id: b}\n"),
                "c.yaml:6:34: `provider_id` is given twice, in two spellings",
            ),
        ] {
            let errors = load(text).unwrap_err();
            let first = &errors[0];
            assert_eq!(
                format!("{}: {}", first.origin.as_ref().unwrap(), first.message),
                expected,
                "{text}"
            );
        }
        let hint = load(&class("  autoprovison: {}\n")).unwrap_err()[0]
            .hint
            .clone();
        assert_eq!(hint.as_deref(), Some("did you mean `autoprovision`?"));
    }

    #[test]
    fn keys_of_the_class_inside_the_data_are_pointed_out() {
        let text = class(
            "  autoprovision:\n    providerid: p\n    providerdata: |\n      cores: 2\n      grpctunnel: 0\n",
        );
        let (classes, warnings) = load(&text).unwrap();
        assert_eq!(
            classes[0].provider_data,
            json!({"cores": 2, "grpctunnel": 0})
        );
        assert_eq!(warnings.len(), 1);
        assert_eq!(
            warnings[0].message,
            "`grpctunnel` inside providerdata has no effect"
        );
        assert_eq!(
            warnings[0].origin.as_ref().unwrap().to_string(),
            "c.yaml:10:7"
        );
    }
}
