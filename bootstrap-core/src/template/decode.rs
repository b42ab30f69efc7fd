//! From YAML documents to the model, strictly: an unknown key is an error that suggests the known one.

mod fields;
mod parts;

use std::path::Path;

pub(super) use self::fields::nearest;
use self::fields::{Fields, Reader};
use super::files::Files;
use super::model::{Bootstrap, Cluster, Document, Features, Machine, MachineSet};
use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Decodes all documents of a template.
pub(super) fn decode(
    nodes: &[Node],
    shown: &Path,
    files: &Files,
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let mut reader = Reader {
        file: shown,
        files,
        errors: Vec::new(),
    };
    let documents: Vec<_> = nodes
        .iter()
        .filter_map(|node| document(node, &mut reader))
        .collect();
    if reader.errors.is_empty() {
        Ok(documents)
    } else {
        Err(reader.errors)
    }
}

fn document(node: &Node, reader: &mut Reader) -> Option<Document> {
    if node.is_null() {
        reader.fail(
            node,
            "document is empty",
            Some("remove the `---` without content"),
        );
        return None;
    }
    let Some(pairs) = node.as_mapping() else {
        reader.fail(
            node,
            format!("document is {}, expecting mapping", node.kind()),
            None,
        );
        return None;
    };
    let Some((_, kind)) = pairs.iter().find(|(key, _)| key.as_str() == Some("kind")) else {
        reader.fail(
            node,
            "kind field not found",
            Some("begin the document with `kind: Cluster`, ControlPlane, Workers or Machine"),
        );
        return None;
    };
    match kind.as_str() {
        Some("Cluster") => Some(Document::Cluster(Box::new(cluster(node, reader)))),
        Some("ControlPlane") => Some(Document::ControlPlane(Box::new(machine_set(
            node,
            "ControlPlane",
            reader,
        )))),
        Some("Workers") => Some(Document::Workers(Box::new(machine_set(
            node, "Workers", reader,
        )))),
        Some("Machine") => Some(Document::Machine(Box::new(machine(node, reader)))),
        other => {
            let written = other.unwrap_or_default();
            let hint = nearest(written, &["Cluster", "ControlPlane", "Workers", "Machine"]);
            let hint = hint.map_or(
                "known kinds: Cluster, ControlPlane, Workers, Machine".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            reader.fail(
                kind,
                format!("unknown model kind {}", super::text::quote(written)),
                Some(&hint),
            );
            None
        }
    }
}

fn cluster(node: &Node, reader: &mut Reader) -> Cluster {
    let mut fields = Fields::of(
        node,
        "Cluster",
        &[
            "kind",
            "systemExtensions",
            "name",
            "labels",
            "annotations",
            "kubernetes",
            "talos",
            "features",
            "patches",
            "kernelArgs",
        ],
        reader,
    );
    let mut cluster = Cluster {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        name_origin: fields.origin("name", reader),
        descriptors: fields.descriptors(reader),
        patches: fields.list("patches", reader, parts::patch),
        extensions: fields.optional_list("systemExtensions", reader),
        kernel_args: fields.optional_list("kernelArgs", reader),
        kubernetes_origin: fields.origin("kubernetes", reader),
        talos_origin: fields.origin("talos", reader),
        features: fields
            .nested("features", reader, features)
            .unwrap_or_default(),
        ..Cluster::default()
    };
    if let Some(kubernetes) = fields.take("kubernetes") {
        let mut fields = Fields::of(
            kubernetes,
            "KubernetesCluster",
            &["version", "manifests", "healthchecks"],
            reader,
        );
        cluster.kubernetes_version = fields.string("version", reader);
        cluster.kubernetes_origin = fields.origin("version", reader);
        cluster.manifests = fields.list("manifests", reader, parts::manifest);
        cluster.health_checks = fields.list("healthchecks", reader, parts::health_check);
    }
    if let Some(talos) = fields.take("talos") {
        let mut fields = Fields::of(talos, "TalosCluster", &["version"], reader);
        cluster.talos_version = fields.string("version", reader);
        cluster.talos_origin = fields.origin("version", reader);
    }
    cluster
}

fn features(node: &Node, reader: &mut Reader) -> Features {
    let mut fields = Fields::of(
        node,
        "Features",
        &[
            "diskEncryption",
            "enableWorkloadProxy",
            "useEmbeddedDiscoveryService",
            "disablePublicDiscoveryService",
            "enableNodeAuditSkip",
            "backupConfiguration",
        ],
        reader,
    );
    let backup_interval = fields
        .nested("backupConfiguration", reader, |node, reader| {
            let mut fields = Fields::of(node, "BackupConfiguration", &["interval"], reader);
            fields.duration("interval", reader)
        })
        .unwrap_or_default();
    Features {
        disk_encryption: fields.boolean("diskEncryption", reader),
        workload_proxy: fields.boolean("enableWorkloadProxy", reader),
        embedded_discovery: fields.boolean("useEmbeddedDiscoveryService", reader),
        no_public_discovery: fields.boolean("disablePublicDiscoveryService", reader),
        node_audit_skip: fields.boolean("enableNodeAuditSkip", reader),
        backup_interval,
        origin: reader.origin(node),
    }
}

fn machine_set(node: &Node, kind: &'static str, reader: &mut Reader) -> MachineSet {
    let mut fields = Fields::of(
        node,
        kind,
        &[
            "kind",
            "systemExtensions",
            "name",
            "labels",
            "annotations",
            "bootstrapSpec",
            "machines",
            "machineClass",
            "updateStrategy",
            "deleteStrategy",
            "upgradeStrategy",
            "patches",
            "kernelArgs",
        ],
        reader,
    );
    MachineSet {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        descriptors: fields.descriptors(reader),
        bootstrap: fields.nested("bootstrapSpec", reader, bootstrap),
        machines: fields.strings("machines", reader),
        class: fields.nested("machineClass", reader, parts::machine_class),
        update: fields.nested("updateStrategy", reader, parts::strategy),
        delete: fields.nested("deleteStrategy", reader, parts::strategy),
        upgrade: fields.nested("upgradeStrategy", reader, parts::strategy),
        patches: fields.list("patches", reader, parts::patch),
        extensions: fields.optional_list("systemExtensions", reader),
        kernel_args: fields.optional_list("kernelArgs", reader),
    }
}

fn bootstrap(node: &Node, reader: &mut Reader) -> Bootstrap {
    let mut fields = Fields::of(node, "BootstrapSpec", &["clusterUUID", "snapshot"], reader);
    Bootstrap {
        origin: reader.origin(node),
        cluster_uuid: fields.string("clusterUUID", reader),
        snapshot: fields.string("snapshot", reader),
    }
}

fn machine(node: &Node, reader: &mut Reader) -> Machine {
    let mut fields = Fields::of(
        node,
        "Machine",
        &[
            "kind",
            "systemExtensions",
            "name",
            "labels",
            "annotations",
            "locked",
            "install",
            "patches",
            "kernelArgs",
        ],
        reader,
    );
    let mut machine = Machine {
        origin: reader.origin(node),
        name: fields.string("name", reader),
        name_origin: fields.origin("name", reader),
        descriptors: fields.descriptors(reader),
        locked: fields.boolean("locked", reader),
        install_origin: fields.origin("install", reader),
        patches: fields.list("patches", reader, parts::patch),
        extensions: fields.optional_list("systemExtensions", reader),
        kernel_args: fields.optional_list("kernelArgs", reader),
        ..Machine::default()
    };
    if let Some(install) = fields.take("install") {
        let mut fields = Fields::of(install, "MachineInstall", &["disk", "diskSelector"], reader);
        machine.disk = fields.string("disk", reader);
        machine.disk_selector = fields.string("diskSelector", reader);
        machine.selector_origin = fields.origin("diskSelector", reader);
    }
    machine
}
