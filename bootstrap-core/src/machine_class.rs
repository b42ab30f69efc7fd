//! Machine class files: the resource YAML that people keep for `omnictl apply`, where nothing but classes may stand.

use std::path::Path;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Origin};
use crate::resource::class::TYPE;
use crate::resource::{self, Block, Document};
use crate::site::MachineClass;
use crate::yaml::{self, Node};

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
    nodes: &[Node],
    file: &Path,
) -> Result<(Vec<MachineClass>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let at_file = || Origin {
        file: file.to_owned(),
        ..Origin::default()
    };
    let others = of_other_types(nodes, file);
    if !others.is_empty() {
        return Err(others);
    }
    let loaded = resource::of_nodes(nodes, file)?;
    if loaded.documents.is_empty() {
        let error = Diagnostic::error("no machine class in this file").at(at_file());
        return Err(vec![error]);
    }
    let mut errors = Vec::new();
    let mut classes: Vec<MachineClass> = Vec::new();
    for document in loaded.documents {
        errors.extend(resource::class::provider_missing(&document));
        let class = class(document);
        if let Some(first) = classes.iter().find(|other| other.id == class.id) {
            let message = format!(
                "machine class `{}` is given twice, first on line {}",
                class.id, first.origin.line
            );
            errors.push(Diagnostic::error(message).at(class.origin.clone()));
        }
        classes.push(class);
    }
    if errors.is_empty() {
        Ok((classes, loaded.warnings))
    } else {
        Err(errors)
    }
}

/// Documents that name another type, in whatever state they are.
fn of_other_types(nodes: &[Node], file: &Path) -> Vec<Diagnostic> {
    let kind = |node: &Node| {
        node.get("metadata")
            .and_then(|half| half.get("type"))
            .cloned()
    };
    nodes
        .iter()
        .filter(|node| node.get("spec").is_some())
        .filter_map(kind)
        .filter_map(|kind| {
            let other = kind.as_str().filter(|name| *name != TYPE)?;
            let error = Diagnostic::error(format!("`{other}` is no machine class"));
            Some(
                error
                    .at(kind.origin(file))
                    .hint(format!("write `type: {TYPE}`")),
            )
        })
        .collect()
}

fn class(document: Document) -> MachineClass {
    let metadata = &document.resource.metadata;
    let provider = document
        .resource
        .spec
        .pointer("/auto_provision/provider_id");
    MachineClass {
        id: metadata.id.clone(),
        provider: provider.and_then(Value::as_str).map(str::to_owned),
        provider_data: document
            .provider_data
            .as_ref()
            .map_or(Value::Null, Block::value),
        resource: document.resource,
        origin: document.origin,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(text: &str) -> Result<(Vec<MachineClass>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let documents = yaml::parse_in(text, Path::new("c.yaml"))?;
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
