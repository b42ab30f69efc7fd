//! Resource types by name, and the namespace each lives in.

/// Types that the controllers here write or read, full names.
macro_rules! kinds {
    ($($name:ident = $short:literal in $namespace:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $short, ".omni.sidero.dev`.")]
            pub const $name: KindRef = KindRef { name: concat!($short, ".omni.sidero.dev"), namespace: $namespace };
        )*
    };
}

/// A type and the namespace of its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindRef {
    /// Full type name.
    pub name: &'static str,
    /// Namespace.
    pub namespace: &'static str,
}

kinds! {
    MACHINE_CLASSES = "MachineClasses" in "default",
    CLUSTERS = "Clusters" in "default",
    MACHINE_SETS = "MachineSets" in "default",
    MACHINE_SET_NODES = "MachineSetNodes" in "default",
    CONFIG_PATCHES = "ConfigPatches" in "default",
    EXTENSIONS_CONFIGURATIONS = "ExtensionsConfigurations" in "default",
    MACHINE_EXTENSIONS = "MachineExtensions" in "default",
    MACHINE_REQUEST_SETS = "MachineRequestSets" in "default",
    MACHINE_REQUESTS = "MachineRequests" in "infra-provider",
    MACHINE_REQUEST_STATUSES = "MachineRequestStatuses" in "infra-provider",
    CLUSTER_MACHINE_REQUEST_STATUSES = "ClusterMachineRequestStatuses" in "default",
    INFRA_PROVIDERS = "InfraProviders" in "infra-provider",
    INFRA_PROVIDER_STATUSES = "InfraProviderStatuses" in "infra-provider",
    INFRA_PROVIDER_HEALTH_STATUSES = "InfraProviderHealthStatuses" in "infra-provider-ephemeral",
    INFRA_PROVIDER_COMBINED_STATUSES = "InfraProviderCombinedStatuses" in "ephemeral",
    LINKS = "Links" in "default",
    MACHINES = "Machines" in "default",
    MACHINE_STATUSES = "MachineStatuses" in "default",
    CLUSTER_MACHINES = "ClusterMachines" in "default",
    CLUSTER_MACHINE_STATUSES = "ClusterMachineStatuses" in "default",
    CLUSTER_MACHINE_IDENTITIES = "ClusterMachineIdentities" in "default",
    MACHINE_SET_STATUSES = "MachineSetStatuses" in "default",
    CLUSTER_STATUSES = "ClusterStatuses" in "default",
    CONTROL_PLANE_STATUSES = "ControlPlaneStatuses" in "default",
    KUBERNETES_STATUSES = "KubernetesStatuses" in "default",
    KUBERNETES_UPGRADE_STATUSES = "KubernetesUpgradeStatuses" in "default",
    TALOS_UPGRADE_STATUSES = "TalosUpgradeStatuses" in "default",
    CLUSTER_BOOTSTRAP_STATUSES = "ClusterBootstrapStatuses" in "default",
    CLUSTER_UUIDS = "ClusterUUIDs" in "default",
    CLUSTER_ENDPOINTS = "ClusterEndpoints" in "default",
    LOAD_BALANCER_STATUSES = "LoadBalancerStatuses" in "default",
    CLUSTER_DESTROY_STATUSES = "ClusterDestroyStatuses" in "default",
    TALOS_VERSIONS = "TalosVersions" in "default",
    KUBERNETES_VERSIONS = "KubernetesVersions" in "default",
    TALOS_EXTENSIONS = "TalosExtensions" in "default",
    FEATURES_CONFIGS = "FeaturesConfigs" in "default",
    CURRENT_USERS = "CurrentUsers" in "virtual",
    KERNEL_ARGS = "KernelArgs" in "default",
    CONNECTION_PARAMS = "ConnectionParams" in "default",
    JOIN_TOKENS = "JoinTokens" in "default",
}

/// `SysVersions.system.sidero.dev`, the one common type outside `omni.sidero.dev`.
pub const SYS_VERSIONS: KindRef = KindRef {
    name: "SysVersions.system.sidero.dev",
    namespace: "ephemeral",
};

/// Labels and annotations.
pub mod label {
    /// Cluster a resource belongs to.
    pub const CLUSTER: &str = "omni.sidero.dev/cluster";
    /// Machine set.
    pub const MACHINE_SET: &str = "omni.sidero.dev/machine-set";
    /// Control plane role, value empty.
    pub const CONTROL_PLANE: &str = "omni.sidero.dev/role-controlplane";
    /// Worker role, value empty.
    pub const WORKER: &str = "omni.sidero.dev/role-worker";
    /// Provider that made a machine.
    pub const PROVIDER: &str = "omni.sidero.dev/infra-provider-id";
    /// Machine request of a machine.
    pub const REQUEST: &str = "omni.sidero.dev/machine-request";
    /// Request set of a request or machine.
    pub const REQUEST_SET: &str = "omni.sidero.dev/machine-request-set";
    /// Made by a controller for a class-based set.
    pub const MANAGED_NODE: &str = "omni.sidero.dev/managed-by-machine-set-node-controller";
    /// Not to be picked by hand.
    pub const NO_MANUAL_ALLOCATION: &str = "omni.sidero.dev/no-manual-allocation";
    /// Talks to Omni now.
    pub const CONNECTED: &str = "omni.sidero.dev/connected";
    /// Hostname of a cluster machine.
    pub const HOSTNAME: &str = "omni.sidero.dev/hostname";
    /// Kubernetes node name.
    pub const NODE_NAME: &str = "omni.sidero.dev/node-name";
    /// Management address.
    pub const ADDRESS: &str = "omni.sidero.dev/address";
    /// A request whose machine is in use.
    pub const IN_USE: &str = "omni.sidero.dev/machine-request-in-use";
    /// Annotation of a machine that must not change.
    pub const LOCKED: &str = "omni.sidero.dev/locked";
    /// Last step of a provider, on its own resource.
    pub const STEP: &str = "infra.omni.sidero.dev/step";
}

/// The namespace and type of a provider's own machine resource.
pub fn provider_machine(provider: &str) -> (String, String) {
    (
        format!("Machine.{provider}.infraprovider.sidero.dev"),
        format!("infra-provider:{provider}"),
    )
}
