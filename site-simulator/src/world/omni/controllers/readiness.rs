//! Whether a machine and its Kubernetes node are ready.

use omni_client::Resource;
use serde_json::Value;

use super::machines::class_data;
use super::{label, label_of};
use crate::world::State;
use crate::world::machine::{Machine, Stage};
use crate::world::omni::kinds;

/// Running, a node that is Ready, and the GPU it was promised.
pub(super) fn is_ready(state: &State, member: &Resource, machine: &Machine) -> bool {
    let cluster = label_of(member, label::CLUSTER).unwrap_or_default();
    machine.stage == Stage::Running
        && machine.connected
        && node_ready(state, cluster, machine)
        && (!machine.devices.is_empty() || !needs_gpu(state, member, machine))
}

/// Whether the Kubernetes node of a machine is Ready: it runs and has a CNI.
pub(super) fn node_ready(state: &State, cluster: &str, machine: &Machine) -> bool {
    let installed = state.omni.cni_installed.contains(cluster);
    machine.stage == Stage::Running
        && machine.connected
        && (installed || !(state.faults.no_cni || without_cni(state, cluster)))
}

/// Whether a patch of the cluster sets CNI `none`.
fn without_cni(state: &State, cluster: &str) -> bool {
    state
        .omni
        .store
        .all(kinds::CONFIG_PATCHES)
        .filter(|patch| label_of(patch, label::CLUSTER) == Some(cluster))
        .any(|patch| {
            let key = (patch.metadata.id.clone(), patch.metadata.version);
            state
                .omni
                .patches_without_cni
                .get(&key)
                .copied()
                .unwrap_or_else(|| sets_cni_none(patch))
        })
}

/// Remembers which patches set CNI `none`, so that they are parsed once.
pub(super) fn remember_patches(state: &mut State) {
    let fresh: Vec<_> = state
        .omni
        .store
        .all(kinds::CONFIG_PATCHES)
        .filter(|patch| {
            let key = (patch.metadata.id.clone(), patch.metadata.version);
            !state.omni.patches_without_cni.contains_key(&key)
        })
        .map(|patch| {
            (
                (patch.metadata.id.clone(), patch.metadata.version),
                sets_cni_none(patch),
            )
        })
        .collect();
    state.omni.patches_without_cni.extend(fresh);
}

fn sets_cni_none(patch: &Resource) -> bool {
    let text = patch
        .spec
        .get("data")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !text.contains("cni") {
        return false;
    }
    text.split("\n---").any(|document| {
        let document: Value = serde_yaml::from_str(document).unwrap_or(Value::Null);
        document
            .pointer("/cluster/network/cni/name")
            .and_then(Value::as_str)
            == Some("none")
    })
}

/// Whether the request was promised a device, or the set's own extensions hold a GPU driver.
fn needs_gpu(state: &State, member: &Resource, machine: &Machine) -> bool {
    if !class_data(state, &machine.request).hostpci.is_empty() {
        return true;
    }
    let set = label_of(member, label::MACHINE_SET);
    state
        .omni
        .store
        .all(kinds::EXTENSIONS_CONFIGURATIONS)
        .any(|config| {
            let of_set = set.is_some() && label_of(config, label::MACHINE_SET) == set;
            let list = config.spec.get("extensions").and_then(Value::as_array);
            of_set
                && list
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .any(is_gpu_driver)
        })
}

fn is_gpu_driver(extension: &str) -> bool {
    let name = extension.rsplit('/').next().unwrap_or(extension);
    matches!(
        name,
        "i915" | "i915-ucode" | "xe" | "amdgpu" | "amdgpu-firmware"
    ) || name.starts_with("nvidia-")
        || name.starts_with("nonfree-kmod-nvidia")
}
