//! The resource types in use, each with the namespace its resources live in.

use std::borrow::Cow;

use crate::Kind;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $namespace:literal $type:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind =
            Kind { namespace: Cow::Borrowed($namespace), name: Cow::Borrowed($type) };)*

        /// Every type of this module but the providers' own.
        pub const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    /// What machines to make, or which to take. Id: free.
    MACHINE_CLASS = "default" "MachineClasses.omni.sidero.dev";
    /// A cluster. Id: its name.
    CLUSTER = "default" "Clusters.omni.sidero.dev";
    /// A group of alike machines of a cluster. Id: `<cluster>-<name>`.
    MACHINE_SET = "default" "MachineSets.omni.sidero.dev";
    /// A machine's membership in a set. Id: machine UUID.
    MACHINE_SET_NODE = "default" "MachineSetNodes.omni.sidero.dev";
    /// A Talos config patch. Id: free, sorts within its level.
    CONFIG_PATCH = "default" "ConfigPatches.omni.sidero.dev";
    /// System extensions of a cluster, set or machine. Id: `schematic-<target>`.
    EXTENSIONS_CONFIGURATION = "default" "ExtensionsConfigurations.omni.sidero.dev";
    /// Kernel arguments of a machine. Id: machine UUID.
    KERNEL_ARGS = "default" "KernelArgs.omni.sidero.dev";
    /// Where a machine installs to. Id: machine UUID.
    MACHINE_INSTALL_DISK_CONFIG = "default" "MachineInstallDiskConfigs.omni.sidero.dev";
    /// Manifests that Omni applies. Id: free.
    KUBERNETES_MANIFEST_GROUP = "default" "KubernetesManifestGroups.omni.sidero.dev";
    /// Jobs that judge a cluster's health. Id: free.
    KUBERNETES_HEALTH_CHECK = "default" "KubernetesHealthChecks.omni.sidero.dev";
    /// How many machines a provider shall make. Id: that of the machine set.
    MACHINE_REQUEST_SET = "default" "MachineRequestSets.omni.sidero.dev";
    /// One machine a provider shall make. Id: `<set>-<six characters>`.
    MACHINE_REQUEST = "infra-provider" "MachineRequests.omni.sidero.dev";
    /// How far a provider got. Id: that of the request.
    MACHINE_REQUEST_STATUS = "infra-provider" "MachineRequestStatuses.omni.sidero.dev";
    /// The same, with the cluster's labels and the machine's UUID. Id: that of the request.
    CLUSTER_MACHINE_REQUEST_STATUS = "default" "ClusterMachineRequestStatuses.omni.sidero.dev";
    /// An infra provider. Id: provider id.
    INFRA_PROVIDER = "infra-provider" "InfraProviders.omni.sidero.dev";
    /// What a provider published, its schema above all. Id: provider id.
    INFRA_PROVIDER_STATUS = "infra-provider" "InfraProviderStatuses.omni.sidero.dev";
    /// Whether a provider is alive. Id: provider id.
    INFRA_PROVIDER_COMBINED_STATUS = "ephemeral" "InfraProviderCombinedStatuses.omni.sidero.dev";
    /// A machine's tunnel to Omni. Id: machine UUID.
    LINK = "default" "Links.omni.sidero.dev";
    /// A machine that joined. Id: machine UUID.
    MACHINE = "default" "Machines.omni.sidero.dev";
    /// What a machine says of itself. Id: machine UUID.
    MACHINE_STATUS = "default" "MachineStatuses.omni.sidero.dev";
    /// A machine of a cluster. Id: machine UUID.
    CLUSTER_MACHINE = "default" "ClusterMachines.omni.sidero.dev";
    /// Its stage and whether its config is applied. Id: machine UUID.
    CLUSTER_MACHINE_STATUS = "default" "ClusterMachineStatuses.omni.sidero.dev";
    /// Its node name and addresses. Id: machine UUID.
    CLUSTER_MACHINE_IDENTITY = "default" "ClusterMachineIdentities.omni.sidero.dev";
    /// A machine set's phase. Id: that of the set.
    MACHINE_SET_STATUS = "default" "MachineSetStatuses.omni.sidero.dev";
    /// A cluster's phase. Id: its name.
    CLUSTER_STATUS = "default" "ClusterStatuses.omni.sidero.dev";
    /// Etcd and tunnel of a control plane. Id: that of the set.
    CONTROL_PLANE_STATUS = "default" "ControlPlaneStatuses.omni.sidero.dev";
    /// Kubernetes nodes as seen by Omni. Id: cluster.
    KUBERNETES_STATUS = "default" "KubernetesStatuses.omni.sidero.dev";
    /// Whether the Kubernetes API answers through Omni. Id: cluster.
    LOAD_BALANCER_STATUS = "default" "LoadBalancerStatuses.omni.sidero.dev";
    /// How far a Kubernetes upgrade is. Id: cluster.
    KUBERNETES_UPGRADE_STATUS = "default" "KubernetesUpgradeStatuses.omni.sidero.dev";
    /// How far a Talos upgrade is. Id: cluster.
    TALOS_UPGRADE_STATUS = "default" "TalosUpgradeStatuses.omni.sidero.dev";
    /// What a deletion waits for. Id: cluster.
    CLUSTER_DESTROY_STATUS = "default" "ClusterDestroyStatuses.omni.sidero.dev";
    /// Talos versions Omni knows. Id: the version, without v.
    TALOS_VERSION = "default" "TalosVersions.omni.sidero.dev";
    /// Kubernetes versions Omni knows. Id: the version, without v.
    KUBERNETES_VERSION = "default" "KubernetesVersions.omni.sidero.dev";
    /// Extensions there are for a Talos version. Id: that version.
    TALOS_EXTENSIONS = "default" "TalosExtensions.omni.sidero.dev";
    /// The server's version. Id: `current`.
    SYS_VERSION = "ephemeral" "SysVersions.system.sidero.dev";
    /// What the key may do with a cluster, access policies included. Id: cluster.
    CLUSTER_PERMISSIONS = "virtual" "ClusterPermissions.omni.sidero.dev";
    /// Who the key belongs to. Id: `current`.
    CURRENT_USER = "virtual" "CurrentUsers.omni.sidero.dev";
}

/// A provider's own record of the machines it makes. Id: that of the request.
///
/// A provider id that does not exist gives empty lists, not an error.
pub fn provider_machine(provider: &str) -> Kind {
    Kind {
        namespace: Cow::Owned(format!("infra-provider:{provider}")),
        name: Cow::Owned(format!("Machine.{provider}.infraprovider.sidero.dev")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_those_of_a_real_server() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/wire/omni-namespaces.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: the recorded namespaces are not here");
            return;
        };
        let real: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        let mut known = 0;
        for kind in ALL {
            // That list was made from resource definitions, which leave out what is not for users to list.
            if let Some(namespace) = real.get(kind.name.as_ref()) {
                assert_eq!(namespace, kind.namespace.as_ref(), "{kind:?}");
                known += 1;
            }
        }
        assert!(known + 2 >= ALL.len(), "{known} of {}", ALL.len());
    }
}
