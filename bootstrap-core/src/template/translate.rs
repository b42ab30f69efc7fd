//! From the model to Omni's resources: ids, labels, annotations and specs as omnictl makes them.

mod machines;

use std::collections::{BTreeMap, BTreeSet};

use omni_client::labels::PREFIX;
use omni_client::{Metadata, Resource};
use serde_json::{Map, Value, json};

use super::model::{Cluster, Descriptors, Document, HealthCheck, Manifest, Patch, Source};
use super::text;
use crate::diagnostic::{Diagnostic, Origin};

/// Weights in ids: patches sort by them within a level.
pub(super) const CLUSTER_WEIGHT: usize = 200;
pub(super) const SET_WEIGHT: usize = 400;

pub(super) const CLUSTERS: &str = "Clusters.omni.sidero.dev";
pub(super) const CONFIG_PATCHES: &str = "ConfigPatches.omni.sidero.dev";
pub(super) const EXTENSIONS: &str = "ExtensionsConfigurations.omni.sidero.dev";
pub(super) const HEALTH_CHECKS: &str = "KubernetesHealthChecks.omni.sidero.dev";
pub(super) const INSTALL_DISKS: &str = "MachineInstallDiskConfigs.omni.sidero.dev";
pub(super) const KERNEL_ARGS: &str = "KernelArgs.omni.sidero.dev";
pub(super) const MACHINE_SETS: &str = "MachineSets.omni.sidero.dev";
pub(super) const MACHINE_SET_NODES: &str = "MachineSetNodes.omni.sidero.dev";
pub(super) const MANIFESTS: &str = "KubernetesManifestGroups.omni.sidero.dev";

/// What one part of the template sees of the others.
struct Context<'t> {
    cluster: &'t str,
    cluster_kernel_args: Option<&'t Vec<String>>,
    set_kernel_args: BTreeMap<&'t str, Option<&'t Vec<String>>>,
    descriptors: BTreeMap<&'t str, &'t Descriptors>,
    locked: BTreeSet<&'t str>,
}

/// A resource and where the template asks for it.
pub(super) type Placed = (Resource, Origin);

pub(super) fn translate(documents: &[Document]) -> Result<Vec<Placed>, Vec<Diagnostic>> {
    let context = Context::of(documents);
    let mut errors = Vec::new();
    let mut resources = Vec::new();
    for document in documents {
        let part = match document {
            Document::Cluster(cluster) => translate_cluster(cluster),
            Document::ControlPlane(set) => machines::machine_set(set, true, &context),
            Document::Workers(set) => machines::machine_set(set, false, &context),
            Document::Machine(machine) => machines::machine(machine, &context),
        };
        match part {
            Ok(part) => resources.extend(part),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(duplicates(&resources));
    if errors.is_empty() {
        Ok(resources)
    } else {
        Err(errors)
    }
}

impl<'t> Context<'t> {
    fn of(documents: &'t [Document]) -> Self {
        let mut context = Self {
            cluster: "",
            cluster_kernel_args: None,
            set_kernel_args: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            locked: BTreeSet::new(),
        };
        for document in documents {
            match document {
                Document::Cluster(cluster) => {
                    context.cluster = &cluster.name;
                    context.cluster_kernel_args = cluster.kernel_args.as_ref();
                }
                Document::ControlPlane(set) | Document::Workers(set) => {
                    let args = set.kernel_args.as_ref();
                    context
                        .set_kernel_args
                        .extend(set.machines.iter().map(|(id, _)| (id.as_str(), args)));
                }
                Document::Machine(machine) => {
                    context
                        .descriptors
                        .insert(&machine.name, &machine.descriptors);
                    if machine.locked {
                        context.locked.insert(&machine.name);
                    }
                }
            }
        }
        context
    }
}

fn duplicates(resources: &[Placed]) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let repeated = resources.iter().filter(|(resource, _)| {
        let metadata = &resource.metadata;
        !seen.insert((metadata.kind.as_str(), metadata.id.as_str()))
    });
    repeated
        .map(|(resource, origin)| {
            let Metadata {
                kind,
                namespace,
                id,
                ..
            } = &resource.metadata;
            Diagnostic::error(format!("resource ID duplicate {kind}({namespace}/{id})"))
                .at(origin.clone())
                .hint("each machine may be listed once, and each idOverride used once")
        })
        .collect()
}

fn translate_cluster(cluster: &Cluster) -> Result<Vec<Placed>, Diagnostic> {
    let mut resource = bare(CLUSTERS, &cluster.name);
    mark_managed(&mut resource);
    describe(&mut resource, &cluster.descriptors);
    resource.spec = cluster_spec(cluster);
    let labels = [(label("cluster"), cluster.name.as_str())];
    let prefix = format!("cluster-{}", cluster.name);
    let mut resources = vec![(resource, cluster.origin.clone())];
    resources.extend(patches(&cluster.patches, &prefix, CLUSTER_WEIGHT, &labels)?);
    for (at, manifest) in cluster.manifests.iter().enumerate() {
        resources.push((
            translate_manifest(manifest, &prefix, CLUSTER_WEIGHT + at, &labels)?,
            manifest.origin.clone(),
        ));
    }
    for check in &cluster.health_checks {
        resources.push((
            translate_health_check(check, &prefix, &labels)?,
            check.origin.clone(),
        ));
    }
    if let Some(list) = &cluster.extensions {
        resources.push((
            extensions(list, &cluster.name, &labels),
            cluster.origin.clone(),
        ));
    }
    Ok(resources)
}

fn cluster_spec(cluster: &Cluster) -> Value {
    let features = &cluster.features;
    let mut spec = Spec::default();
    spec.text(
        "kubernetes_version",
        cluster.kubernetes_version.trim_start_matches('v'),
    );
    spec.text(
        "talos_version",
        cluster.talos_version.trim_start_matches('v'),
    );
    let mut flags = Spec::default();
    flags.flag("enable_workload_proxy", features.workload_proxy);
    flags.flag("disk_encryption", features.disk_encryption);
    flags.flag(
        "use_embedded_discovery_service",
        features.embedded_discovery,
    );
    flags.flag("enable_node_audit_skip", features.node_audit_skip);
    flags.flag(
        "disable_public_discovery_service",
        features.no_public_discovery,
    );
    spec.message("features", flags);
    if features.backup_interval > 0 {
        let mut backup = Spec::default();
        backup.text("interval", &text::proto_duration(features.backup_interval));
        backup.flag("enabled", true);
        spec.message("backup_configuration", backup);
    }
    spec.into_value()
}

fn patches(
    list: &[Patch],
    prefix: &str,
    weight: usize,
    labels: &[(String, &str)],
) -> Result<Vec<Placed>, Diagnostic> {
    let translate = |(at, patch): (usize, &Patch)| {
        let name = patch.title();
        let id = match patch.id_override.as_str() {
            "" => format!("{:03}-{prefix}-{name}", weight + at),
            id => id.to_owned(),
        };
        let mut resource = labelled(CONFIG_PATCHES, &id, labels);
        resource
            .metadata
            .annotations
            .insert("name".to_owned(), name.to_owned());
        describe(&mut resource, &patch.descriptors);
        let text = content(&patch.source, "patch", name, &patch.origin)?;
        let mut spec = Spec::default();
        spec.text("data", text);
        resource.spec = spec.into_value();
        Ok((resource, patch.origin.clone()))
    };
    list.iter().enumerate().map(translate).collect()
}

fn translate_manifest(
    manifest: &Manifest,
    prefix: &str,
    weight: usize,
    labels: &[(String, &str)],
) -> Result<Resource, Diagnostic> {
    let name = manifest.title();
    let mut resource = labelled(MANIFESTS, &format!("{weight:03}-{prefix}-{name}"), labels);
    resource
        .metadata
        .annotations
        .insert("name".to_owned(), name.to_owned());
    describe(&mut resource, &manifest.descriptors);
    let mut spec = Spec::default();
    spec.text(
        "data",
        content(&manifest.source, "manifest", name, &manifest.origin)?,
    );
    spec.number("mode", manifest.mode);
    resource.spec = spec.into_value();
    Ok(resource)
}

fn translate_health_check(
    check: &HealthCheck,
    prefix: &str,
    labels: &[(String, &str)],
) -> Result<Resource, Diagnostic> {
    let id = match check.id_override.as_str() {
        "" => format!("{prefix}-{}", check.name),
        id => id.to_owned(),
    };
    let mut resource = labelled(HEALTH_CHECKS, &id, labels);
    describe(&mut resource, &check.descriptors);
    let mut spec = Spec::default();
    spec.text(
        "job",
        content(&check.source, "healthcheck", check.title(), &check.origin)?,
    );
    if check.interval > 0 {
        spec.text("interval", &text::proto_duration(check.interval));
    }
    resource.spec = spec.into_value();
    Ok(resource)
}

fn content<'s>(
    source: &'s Source,
    what: &str,
    name: &str,
    origin: &Origin,
) -> Result<&'s str, Diagnostic> {
    let failed = |cause: &str| {
        Diagnostic::error(format!(
            "failed to read {what} {}: {cause}",
            text::quote(name)
        ))
        .at(origin.clone())
    };
    match &source.content {
        Some(Err(problem)) => {
            let diagnostic = failed(&problem.message);
            Err(match &problem.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            })
        }
        _ => source
            .text()
            .ok_or_else(|| failed("path or inline is required")),
    }
}

fn extensions(list: &[String], target: &str, labels: &[(String, &str)]) -> Resource {
    let mut resource = labelled(EXTENSIONS, &format!("schematic-{target}"), labels);
    let mut spec = Spec::default();
    spec.list("extensions", list);
    resource.spec = spec.into_value();
    resource
}

fn label(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn bare(kind: &str, id: &str) -> Resource {
    let metadata = Metadata {
        namespace: "default".to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        ..Metadata::default()
    };
    Resource {
        metadata,
        spec: json!({}),
    }
}

fn labelled(kind: &str, id: &str, labels: &[(String, &str)]) -> Resource {
    let mut resource = bare(kind, id);
    resource.metadata.labels = labels
        .iter()
        .map(|(key, value)| (key.clone(), (*value).to_owned()))
        .collect();
    resource
}

fn mark_managed(resource: &mut Resource) {
    resource
        .metadata
        .annotations
        .insert(label("managed-by-cluster-templates"), String::new());
}

fn describe(resource: &mut Resource, descriptors: &Descriptors) {
    resource.metadata.labels.extend(descriptors.labels.clone());
    resource
        .metadata
        .annotations
        .extend(descriptors.annotations.clone());
}

/// A protobuf message in its JSON form, where zero values are absent.
#[derive(Default)]
struct Spec(Map<String, Value>);

impl Spec {
    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    fn number(&mut self, key: &str, value: u32) {
        if value > 0 {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.0.insert(key.to_owned(), true.into());
        }
    }

    fn list(&mut self, key: &str, value: &[String]) {
        if !value.is_empty() {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    fn message(&mut self, key: &str, value: Self) {
        self.0.insert(key.to_owned(), value.into_value());
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
