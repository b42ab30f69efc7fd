//! The kinds of resources, each with the namespace its resources live in. [`specs`](crate::specs) has the type of
//! each one's spec, and says who writes it.

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
    // Wanted.
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
    /// A user's labels for a machine. Id: machine UUID.
    MACHINE_LABELS = "default" "MachineLabels.omni.sidero.dev";
    /// Manifests that Omni applies. Id: free.
    KUBERNETES_MANIFEST_GROUP = "default" "KubernetesManifestGroups.omni.sidero.dev";
    /// Jobs that judge a cluster's health. Id: free.
    KUBERNETES_HEALTH_CHECK = "default" "KubernetesHealthChecks.omni.sidero.dev";
    /// How many machines a provider shall make. Id: that of the machine set.
    MACHINE_REQUEST_SET = "default" "MachineRequestSets.omni.sidero.dev";
    /// What a user wants of a static provider's machine. Id: machine UUID.
    INFRA_MACHINE_CONFIG = "default" "InfraMachineConfigs.omni.sidero.dev";
    /// How to reach a machine's management controller. Id: machine UUID.
    INFRA_MACHINE_BMC_CONFIG = "default" "InfraMachineBMCConfigs.omni.sidero.dev";
    /// Whether a machine's tunnel goes through gRPC. Id: machine UUID.
    GRPC_TUNNEL_CONFIG = "default" "GRPCTunnelConfigs.omni.sidero.dev";
    /// A token with which machines join. Id: the token itself.
    JOIN_TOKEN = "default" "JoinTokens.omni.sidero.dev";
    /// The join token that is used where none is named. Id: `default`.
    DEFAULT_JOIN_TOKEN = "default" "DefaultJoinTokens.omni.sidero.dev";
    /// Asks for a backup now. Id: cluster.
    ETCD_MANUAL_BACKUP = "ephemeral" "EtcdManualBackups.omni.sidero.dev";
    /// Where backups go. Id: fixed.
    ETCD_BACKUP_S3_CONFIG = "default" "EtcdBackupS3Configs.omni.sidero.dev";
    /// Secrets of a cluster that is taken over. Id: cluster.
    IMPORTED_CLUSTER_SECRETS = "default" "ImportedClusterSecrets.omni.sidero.dev";
    /// Has a machine leave its cluster by force. Id: machine UUID.
    NODE_FORCE_DESTROY_REQUEST = "default" "NodeForceDestroyRequests.omni.sidero.dev";
    /// Has a cluster's Talos CA replaced. Id: cluster.
    ROTATE_TALOS_CA = "default" "RotateTalosCAs.omni.sidero.dev";
    /// Has a cluster's Kubernetes CA replaced. Id: cluster.
    ROTATE_KUBERNETES_CA = "default" "RotateKubernetesCAs.omni.sidero.dev";
    /// A preset for images. Id: its name.
    INSTALLATION_MEDIA_CONFIG = "default" "InstallationMediaConfigs.omni.sidero.dev";
    /// Who may do what, beyond roles. Id: fixed.
    ACCESS_POLICY = "default" "AccessPolicies.omni.sidero.dev";
    /// Roles by SAML labels. Id: free.
    SAML_LABEL_RULE = "default" "SAMLLabelRules.omni.sidero.dev";
    /// That Omni's licence was accepted. Id: fixed.
    EULA_ACCEPTANCE = "default" "EulaAcceptances.omni.sidero.dev";

    // Providers.
    /// An infra provider. Id: provider id.
    INFRA_PROVIDER = "infra-provider" "InfraProviders.omni.sidero.dev";
    /// What a provider published, its schema above all. Id: provider id.
    INFRA_PROVIDER_STATUS = "infra-provider" "InfraProviderStatuses.omni.sidero.dev";
    /// A provider's sign of life. Id: provider id.
    INFRA_PROVIDER_HEALTH_STATUS = "infra-provider-ephemeral" "InfraProviderHealthStatuses.omni.sidero.dev";
    /// Whether a provider is alive. Id: provider id.
    INFRA_PROVIDER_COMBINED_STATUS = "ephemeral" "InfraProviderCombinedStatuses.omni.sidero.dev";
    /// One machine a provider shall make. Id: `<set>-<six characters>`.
    MACHINE_REQUEST = "infra-provider" "MachineRequests.omni.sidero.dev";
    /// How far a provider got. Id: that of the request.
    MACHINE_REQUEST_STATUS = "infra-provider" "MachineRequestStatuses.omni.sidero.dev";
    /// Marks a request set that Omni looks after. Id: that of the set.
    MACHINE_REQUEST_SET_STATUS = "default" "MachineRequestSetStatuses.omni.sidero.dev";
    /// The same, with the cluster's labels and the machine's UUID. Id: that of the request.
    CLUSTER_MACHINE_REQUEST_STATUS = "default" "ClusterMachineRequestStatuses.omni.sidero.dev";
    /// A patch that a provider wants. Id: free.
    CONFIG_PATCH_REQUEST = "infra-provider" "ConfigPatchRequests.omni.sidero.dev";
    /// What Omni wants of a static provider's machine. Id: machine UUID.
    INFRA_MACHINE = "infra-provider" "InfraMachines.omni.sidero.dev";
    /// A static provider's machine as it sees it. Id: machine UUID.
    INFRA_MACHINE_STATUS = "infra-provider" "InfraMachineStatuses.omni.sidero.dev";
    /// Marks a provider's machine that joined. Id: machine UUID.
    INFRA_MACHINE_REGISTRATION = "infra-provider" "InfraMachineRegistrations.omni.sidero.dev";
    /// A management controller for a provider. Id: machine UUID.
    BMC_CONFIG = "infra-provider" "BMCConfigs.omni.sidero.dev";
    /// What a provider's machines join with. Id: provider id.
    PROVIDER_JOIN_CONFIG = "infra-provider" "ProviderJoinConfigs.omni.sidero.dev";

    // Machines.
    /// A machine's tunnel to Omni. Id: machine UUID.
    LINK = "default" "Links.omni.sidero.dev";
    /// A tunnel that is set up. Id: as the link's.
    LINK_STATUS = "ephemeral" "LinkStatuses.omni.sidero.dev";
    /// A machine that wants to join. Id: WireGuard key.
    PENDING_MACHINE = "ephemeral" "PendingMachines.omni.sidero.dev";
    /// How far that is. Id: WireGuard key.
    PENDING_MACHINE_STATUS = "ephemeral" "PendingMachineStatuses.omni.sidero.dev";
    /// A machine that joined. Id: machine UUID.
    MACHINE = "default" "Machines.omni.sidero.dev";
    /// What a machine says of itself. Id: machine UUID.
    MACHINE_STATUS = "default" "MachineStatuses.omni.sidero.dev";
    /// The same with its traffic. Id: machine UUID.
    MACHINE_STATUS_LINK = "metrics" "MachineStatusLinks.omni.sidero.dev";
    /// What Talos last said it is at. Id: machine UUID.
    MACHINE_STATUS_SNAPSHOT = "default" "MachineStatusSnapshots.omni.sidero.dev";
    /// Inputs to a machine's config. Id: machine UUID.
    MACHINE_CONFIG_GEN_OPTIONS = "default" "MachineConfigGenOptions.omni.sidero.dev";
    /// What one change of a config was. Id: machine UUID and time.
    MACHINE_CONFIG_DIFF = "default" "MachineConfigDiffs.omni.sidero.dev";
    /// What waits to be done to a machine. Id: machine UUID.
    MACHINE_PENDING_UPDATES = "default" "MachinePendingUpdates.omni.sidero.dev";
    /// The image a machine shall run. Id: machine UUID.
    SCHEMATIC_CONFIGURATION = "default" "SchematicConfigurations.omni.sidero.dev";
    /// The extensions it shall have. Id: machine UUID.
    MACHINE_EXTENSIONS = "default" "MachineExtensions.omni.sidero.dev";
    /// The extensions it has. Id: machine UUID.
    MACHINE_EXTENSIONS_STATUS = "default" "MachineExtensionsStatuses.omni.sidero.dev";
    /// The kernel arguments it shall have and has. Id: machine UUID.
    KERNEL_ARGS_STATUS = "default" "KernelArgsStatuses.omni.sidero.dev";
    /// Where it installs to. Id: machine UUID.
    MACHINE_INSTALL_DISK_STATUS = "default" "MachineInstallDiskStatuses.omni.sidero.dev";
    /// How far its upgrade is. Id: machine UUID.
    MACHINE_UPGRADE_STATUS = "default" "MachineUpgradeStatuses.omni.sidero.dev";
    /// How it keeps its own token. Id: machine UUID.
    NODE_UNIQUE_TOKEN_STATUS = "default" "NodeUniqueTokenStatuses.omni.sidero.dev";
    /// What it joins with. Id: machine UUID.
    MACHINE_JOIN_CONFIG = "default" "MachineJoinConfigs.omni.sidero.dev";

    // Clusters.
    /// A machine of a cluster. Id: machine UUID.
    CLUSTER_MACHINE = "default" "ClusterMachines.omni.sidero.dev";
    /// Its stage and whether its config is applied. Id: machine UUID.
    CLUSTER_MACHINE_STATUS = "default" "ClusterMachineStatuses.omni.sidero.dev";
    /// Its node name and addresses. Id: machine UUID.
    CLUSTER_MACHINE_IDENTITY = "default" "ClusterMachineIdentities.omni.sidero.dev";
    /// Whether its config is applied, in detail. Id: machine UUID.
    CLUSTER_MACHINE_CONFIG_STATUS = "default" "ClusterMachineConfigStatuses.omni.sidero.dev";
    /// Its config with secrets masked. Id: machine UUID.
    REDACTED_CLUSTER_MACHINE_CONFIG = "default" "RedactedClusterMachineConfigs.omni.sidero.dev";
    /// A machine set's phase. Id: that of the set.
    MACHINE_SET_STATUS = "default" "MachineSetStatuses.omni.sidero.dev";
    /// A cluster's phase. Id: its name.
    CLUSTER_STATUS = "default" "ClusterStatuses.omni.sidero.dev";
    /// Whether a cluster was bootstrapped. Id: cluster.
    CLUSTER_BOOTSTRAP_STATUS = "default" "ClusterBootstrapStatuses.omni.sidero.dev";
    /// A cluster's UUID. Id: cluster.
    CLUSTER_UUID = "default" "ClusterUUIDs.omni.sidero.dev";
    /// Where its control plane is in the tunnel. Id: cluster.
    CLUSTER_ENDPOINT = "default" "ClusterEndpoints.omni.sidero.dev";
    /// Machines of it that Talos finds something odd about. Id: cluster.
    CLUSTER_DIAGNOSTICS = "default" "ClusterDiagnostics.omni.sidero.dev";
    /// How its manifests stand. Id: cluster.
    CLUSTER_KUBERNETES_MANIFESTS_STATUS = "default" "ClusterKubernetesManifestsStatuses.omni.sidero.dev";
    /// How a health check went. Id: that of the check.
    KUBERNETES_HEALTH_CHECK_STATUS = "ephemeral" "KubernetesHealthCheckStatuses.omni.sidero.dev";
    /// Etcd and tunnel of a control plane. Id: that of the set.
    CONTROL_PLANE_STATUS = "default" "ControlPlaneStatuses.omni.sidero.dev";
    /// Kubernetes nodes as seen by Omni. Id: cluster.
    KUBERNETES_STATUS = "default" "KubernetesStatuses.omni.sidero.dev";
    /// What a cluster uses. Id: cluster.
    KUBERNETES_USAGE = "virtual" "KubernetesUsages.omni.sidero.dev";
    /// How a load balancer is set up. Id: cluster.
    LOAD_BALANCER_CONFIG = "default" "LoadBalancerConfigs.omni.sidero.dev";
    /// Whether the Kubernetes API answers through Omni. Id: cluster.
    LOAD_BALANCER_STATUS = "default" "LoadBalancerStatuses.omni.sidero.dev";
    /// How far a Kubernetes upgrade is. Id: cluster.
    KUBERNETES_UPGRADE_STATUS = "default" "KubernetesUpgradeStatuses.omni.sidero.dev";
    /// How far a Talos upgrade is. Id: cluster.
    TALOS_UPGRADE_STATUS = "default" "TalosUpgradeStatuses.omni.sidero.dev";
    /// How far the replacement of a CA is. Id: cluster.
    CLUSTER_SECRETS_ROTATION_STATUS = "default" "ClusterSecretsRotationStatuses.omni.sidero.dev";
    /// What a deletion waits for. Id: cluster.
    CLUSTER_DESTROY_STATUS = "default" "ClusterDestroyStatuses.omni.sidero.dev";
    /// What the deletion of a machine set waits for. Id: that of the set.
    MACHINE_SET_DESTROY_STATUS = "ephemeral" "MachineSetDestroyStatuses.omni.sidero.dev";
    /// A backup. Id: `<cluster>-<seconds>`.
    ETCD_BACKUP = "external" "EtcdBackups.omni.sidero.dev";
    /// How the last one went. Id: cluster.
    ETCD_BACKUP_STATUS = "metrics" "EtcdBackupStatuses.omni.sidero.dev";

    // The server.
    /// Whether there is a store for backups. Id: fixed.
    ETCD_BACKUP_STORE_STATUS = "ephemeral" "EtcdBackupStoreStatuses.omni.sidero.dev";
    /// The same with the last backup. Id: fixed.
    ETCD_BACKUP_OVERALL_STATUS = "metrics" "EtcdBackupOverallStatuses.omni.sidero.dev";
    /// A join token as it stands. Id: the token itself.
    JOIN_TOKEN_STATUS = "default" "JoinTokenStatuses.omni.sidero.dev";
    /// The token a machine joined with. Id: machine UUID.
    JOIN_TOKEN_USAGE = "default" "JoinTokenUsages.omni.sidero.dev";
    /// Where machines find Omni. Id: `siderolink-config`.
    SIDEROLINK_API_CONFIG = "default" "SiderolinkAPIConfigs.omni.sidero.dev";
    /// The same as kernel arguments. Id: `siderolink-config`.
    CONNECTION_PARAMS = "default" "ConnectionParams.omni.sidero.dev";
    /// Talos versions Omni knows. Id: the version, without v.
    TALOS_VERSION = "default" "TalosVersions.omni.sidero.dev";
    /// Kubernetes versions Omni knows. Id: the version, without v.
    KUBERNETES_VERSION = "default" "KubernetesVersions.omni.sidero.dev";
    /// Extensions there are for a Talos version. Id: that version.
    TALOS_EXTENSIONS = "default" "TalosExtensions.omni.sidero.dev";
    /// Kinds of images that can be had. Id: free.
    INSTALLATION_MEDIA = "ephemeral" "InstallationMedias.omni.sidero.dev";
    /// What is switched on. Id: `features-config`.
    FEATURES_CONFIG = "default" "FeaturesConfigs.omni.sidero.dev";
    /// How people log in. Id: `auth-config`.
    AUTH_CONFIG = "default" "AuthConfigs.omni.sidero.dev";
    /// Something under way. Id: free.
    ONGOING_TASK = "ephemeral" "OngoingTasks.omni.sidero.dev";
    /// Something people should know. Id: free.
    NOTIFICATION = "ephemeral" "Notifications.omni.sidero.dev";
    /// The server's version. Id: `current`.
    SYS_VERSION = "ephemeral" "SysVersions.system.sidero.dev";

    // People and keys.
    /// A user or service account. Id: UUID.
    USER = "default" "Users.omni.sidero.dev";
    /// A name of a user. Id: mail address.
    IDENTITY = "default" "Identities.omni.sidero.dev";
    /// The same with what is known of it. Id: mail address.
    IDENTITY_STATUS = "ephemeral" "IdentityStatuses.omni.sidero.dev";
    /// A key that signs calls. Id: the key's.
    PUBLIC_KEY = "default" "PublicKeys.omni.sidero.dev";
    /// A service account with its keys. Id: its full name.
    SERVICE_ACCOUNT_STATUS = "ephemeral" "ServiceAccountStatuses.omni.sidero.dev";

    // Computed when they are read.
    /// What the key may do. Id: `permissions`.
    PERMISSIONS = "virtual" "Permissions.omni.sidero.dev";
    /// What the key may do with a cluster, access policies included. Id: cluster.
    CLUSTER_PERMISSIONS = "virtual" "ClusterPermissions.omni.sidero.dev";
    /// Who the key belongs to. Id: `current`.
    CURRENT_USER = "virtual" "CurrentUsers.omni.sidero.dev";
    /// Where the gRPC API is. Id: `current`.
    ADVERTISED_ENDPOINTS = "virtual" "AdvertisedEndpoints.omni.sidero.dev";
    /// Labels there are on a kind. Id: its full name.
    LABELS_COMPLETION = "virtual" "LabelsCompletions.omni.sidero.dev";
    /// Clouds Talos runs on. Id: platform.
    CLOUD_PLATFORM_CONFIG = "virtual" "CloudPlatformConfigs.omni.sidero.dev";
    /// Real machines Talos runs on. Id: platform.
    METAL_PLATFORM_CONFIG = "virtual" "MetalPlatformConfigs.omni.sidero.dev";
    /// Single-board computers Talos runs on. Id: board.
    SBC_CONFIG = "virtual" "SBCConfigs.omni.sidero.dev";
    /// What a Talos version can do. Id: the version.
    QUIRKS = "virtual" "Quirks.omni.sidero.dev";
    /// Whether there is support. Id: fixed.
    SUPPORT = "virtual" "Supports.omni.sidero.dev";
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
