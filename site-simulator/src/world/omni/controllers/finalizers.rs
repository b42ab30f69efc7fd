//! Finalizers that controllers put on what users manage.

use std::time::Duration;

use super::{label, snapshot, wanted};
use crate::world::State;
use crate::world::omni::kinds::{self, KindRef};
use crate::world::omni::store::label as label_of;

/// On every cluster.
pub(super) const CLUSTER: [&str; 13] = [
    "ClusterWorkloadProxyController",
    "TalosUpgradeStatusController",
    "ClusterConfigVersionController",
    "KubernetesUpgradeStatusController",
    "ClusterController",
    "ClusterUUIDController",
    "ClusterDestroyStatusController",
    "ClusterEndpointController",
    "ClusterKubernetesManifestsStatusController",
    "ClusterStatusController",
    "BackupDataController",
    "ClusterWorkloadProxyStatusController",
    "SecretsController",
];

/// On every machine set.
const MACHINE_SET: [&str; 5] = [
    "MachineSetController",
    "MachineSetStatusController",
    "MachineSetDestroyStatusController",
    "MachineSetNodeController",
    "ControlPlaneStatusController",
];

pub(super) fn reconcile(state: &mut State, now: Duration) {
    let stamp = state.stamp(now);
    for cluster in snapshot(state, kinds::CLUSTERS) {
        if wanted(&cluster) {
            hold_all(
                state,
                &stamp,
                kinds::CLUSTERS,
                &cluster.metadata.id,
                &CLUSTER,
            );
        }
    }
    for set in snapshot(state, kinds::MACHINE_SETS) {
        if !wanted(&set) {
            continue;
        }
        hold_all(
            state,
            &stamp,
            kinds::MACHINE_SETS,
            &set.metadata.id,
            &MACHINE_SET,
        );
        if super::allocation(&set).is_some() {
            hold_all(
                state,
                &stamp,
                kinds::MACHINE_SETS,
                &set.metadata.id,
                &["MachineProvisionController"],
            );
        }
        if label_of(&set, label::CONTROL_PLANE).is_some() {
            let extra = [
                "ClusterBootstrapStatusController",
                "MachineSetEtcdAuditController",
            ];
            hold_all(state, &stamp, kinds::MACHINE_SETS, &set.metadata.id, &extra);
        }
    }
    for set in snapshot(state, kinds::MACHINE_REQUEST_SETS) {
        if wanted(&set) {
            let finalizer = ["MachineRequestSetStatusController"];
            hold_all(
                state,
                &stamp,
                kinds::MACHINE_REQUEST_SETS,
                &set.metadata.id,
                &finalizer,
            );
        }
    }
    for extensions in snapshot(state, kinds::EXTENSIONS_CONFIGURATIONS) {
        let used = label_of(&extensions, label::CLUSTER)
            .is_some_and(|cluster| state.omni.store.find(kinds::CLUSTERS, cluster).is_some());
        if wanted(&extensions) && used {
            let finalizer = ["MachineExtensionsController"];
            hold_all(
                state,
                &stamp,
                kinds::EXTENSIONS_CONFIGURATIONS,
                &extensions.metadata.id,
                &finalizer,
            );
        }
    }
}

fn hold_all(state: &mut State, stamp: &str, kind: KindRef, id: &str, finalizers: &[&str]) {
    for finalizer in finalizers {
        state.omni.store.hold(stamp, kind, id, finalizer);
    }
}
