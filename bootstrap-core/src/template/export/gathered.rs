//! A cluster's resources, sorted by what they are for.

use std::collections::{BTreeMap, BTreeSet};

use omni_client::specs::{ClusterStatus, MachineAllocation, MachineSet};
use omni_client::{Resource, labels};
use serde::de::DeserializeOwned;

use super::{ExportError, ExportOptions};
use crate::template::text::quote;
use crate::template::translate as kinds;

const CLUSTER_STATUSES: &str = "ClusterStatuses.omni.sidero.dev";
const NEWER_HINT: &str = "this Omni may be newer than this program knows";

/// Resources of one kind by the level they are for.
#[derive(Default)]
pub(super) struct Layers<'r> {
    pub(super) cluster: Vec<&'r Resource>,
    pub(super) sets: BTreeMap<&'r str, Vec<&'r Resource>>,
    pub(super) machines: BTreeMap<&'r str, Vec<&'r Resource>>,
}

/// A machine set with its spec and, where they are listed, its machines.
pub(super) struct Set<'r> {
    pub(super) resource: &'r Resource,
    pub(super) spec: MachineSet,
    pub(super) allocation: Option<MachineAllocation>,
    pub(super) control_plane: bool,
    /// Sorted by id.
    pub(super) nodes: Vec<&'r Resource>,
}

/// Everything an export is made of.
pub(super) struct Gathered<'r> {
    pub(super) cluster: &'r Resource,
    /// The Talos version the cluster was made with; empty where that is not known.
    pub(super) initial_talos_version: String,
    pub(super) sets: Vec<Set<'r>>,
    pub(super) patches: Layers<'r>,
    pub(super) extensions: Layers<'r>,
    pub(super) health_checks: Vec<&'r Resource>,
    pub(super) manifests: Vec<&'r Resource>,
    pub(super) kernel_args: BTreeMap<&'r str, &'r Resource>,
    pub(super) install_disks: BTreeMap<&'r str, &'r Resource>,
    /// Nodes of class-based sets.
    pub(super) class_nodes: Vec<&'r Resource>,
    /// Patches that go with a machine, whatever cluster it is in.
    pub(super) machine_patches: Vec<&'r Resource>,
    /// Left out, as they are being deleted.
    pub(super) leaving: Vec<&'r Resource>,
}

impl<'r> Gathered<'r> {
    pub(super) fn of(
        resources: &'r [Resource],
        options: ExportOptions,
    ) -> Result<Self, ExportError> {
        let Some(cluster) = of_kind(resources, kinds::CLUSTERS).next() else {
            return Err(ExportError::new("there is no cluster", "check its name"));
        };
        let (leaving, staying): (Vec<&Resource>, Vec<&Resource>) = resources
            .iter()
            .filter(|resource| is_users(resource))
            .partition(|resource| !options.omnictl && resource.is_tearing_down());
        let users = |kind: &'static str| {
            let all = staying.iter().copied();
            all.filter(move |resource| resource.metadata.kind == kind)
                .collect::<Vec<_>>()
        };
        let (own_patches, machine_patches) = users(kinds::CONFIG_PATCHES)
            .into_iter()
            .partition(|patch| patch.label(labels::CLUSTER) == Some(cluster.id()));
        let mut gathered = Self {
            cluster,
            initial_talos_version: String::new(),
            sets: Vec::new(),
            patches: layers(own_patches),
            extensions: layers(users(kinds::EXTENSIONS)),
            health_checks: layers(users(kinds::HEALTH_CHECKS)).cluster,
            manifests: users(kinds::MANIFESTS),
            kernel_args: by_id(of_kind(resources, kinds::KERNEL_ARGS)),
            install_disks: by_id(of_kind(resources, kinds::INSTALL_DISKS)),
            class_nodes: Vec::new(),
            machine_patches,
            leaving: leaving
                .into_iter()
                .filter(|resource| !is_bare(resource))
                .collect(),
        };
        if let Some(status) = of_kind(resources, CLUSTER_STATUSES).next() {
            gathered.initial_talos_version = spec::<ClusterStatus>(status)?.initial_talos_version;
        }
        for set in of_kind(resources, kinds::MACHINE_SETS) {
            if options.omnictl || !set.is_tearing_down() {
                gathered.sets.push(machine_set(set)?);
            }
        }
        gathered.take_nodes(resources, options)?;
        Ok(gathered)
    }

    /// Listed machines go to their sets.
    fn take_nodes(
        &mut self,
        resources: &'r [Resource],
        options: ExportOptions,
    ) -> Result<(), ExportError> {
        for node in of_kind(resources, kinds::MACHINE_SET_NODES) {
            if !options.omnictl && node.is_tearing_down() {
                continue;
            }
            let hint = "run it again: the cluster may just have been changing";
            let Some(label) = node.label(labels::MACHINE_SET) else {
                let message = format!(
                    "machine set node {} has no machine set label",
                    quote(node.id())
                );
                return Err(ExportError::new(message, hint));
            };
            let set = self.sets.iter_mut().find(|set| set.resource.id() == label);
            let Some(set) = set else {
                let message = format!("unexpected machine set label {}", quote(label));
                return Err(ExportError::new(message, hint));
            };
            if set.allocation.is_some() {
                self.class_nodes.push(node);
            } else {
                set.nodes.push(node);
            }
        }
        for set in &mut self.sets {
            set.nodes.sort_by_key(|node| node.id());
        }
        Ok(())
    }

    /// Listed machines.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &'r Resource> {
        self.sets.iter().flat_map(|set| set.nodes.iter().copied())
    }

    pub(super) fn machine_classes(&self) -> Vec<String> {
        let names = self
            .sets
            .iter()
            .filter_map(|set| Some(set.allocation.as_ref()?.name.clone()));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn of_kind<'r>(
    resources: &'r [Resource],
    kind: &'static str,
) -> impl Iterator<Item = &'r Resource> {
    resources
        .iter()
        .filter(move |resource| resource.metadata.kind == kind)
}

/// What controllers made is theirs.
fn is_users(resource: &Resource) -> bool {
    resource.metadata.owner.is_empty()
        && resource.label(labels::MANAGED_BY_NODE_CONTROLLER).is_none()
}

/// Kinds that carry no cluster label: those of other clusters are among them.
fn is_bare(resource: &Resource) -> bool {
    matches!(
        resource.metadata.kind.as_str(),
        kinds::KERNEL_ARGS | kinds::INSTALL_DISKS
    )
}

fn by_id<'r>(resources: impl Iterator<Item = &'r Resource>) -> BTreeMap<&'r str, &'r Resource> {
    resources
        .map(|resource| (resource.id(), resource))
        .collect()
}

fn layers(resources: Vec<&Resource>) -> Layers<'_> {
    let mut layers = Layers::default();
    for resource in resources {
        if let Some(machine) = resource.label(labels::CLUSTER_MACHINE) {
            layers.machines.entry(machine).or_default().push(resource);
        } else if let Some(set) = resource.label(labels::MACHINE_SET) {
            layers.sets.entry(set).or_default().push(resource);
        } else {
            layers.cluster.push(resource);
        }
    }
    layers
}

fn machine_set(resource: &Resource) -> Result<Set<'_>, ExportError> {
    let spec: MachineSet = spec(resource)?;
    let control_plane = resource.label(labels::ROLE_CONTROL_PLANE).is_some();
    if !control_plane && resource.label(labels::ROLE_WORKER).is_none() {
        let message = format!("machine set {} has no role label", quote(resource.id()));
        return Err(ExportError::new(message, "give it one in Omni"));
    }
    Ok(Set {
        resource,
        allocation: spec
            .machine_class
            .clone()
            .or_else(|| spec.machine_allocation.clone()),
        spec,
        control_plane,
        nodes: Vec::new(),
    })
}

pub(super) fn spec<T: DeserializeOwned>(resource: &Resource) -> Result<T, ExportError> {
    resource
        .spec_as()
        .map_err(|error| ExportError::new(error.to_string(), NEWER_HINT))
}
