//! Clusters and machine sets as wanted.

use super::{Secret, Span};

numbered! {
    /// How many machines a set takes from its class.
    AllocationType {
        /// `machine_count` of them.
        Static "Static" = 0,
        /// All there are; refused for classes that make machines.
        Unlimited "Unlimited" = 1,
    }
}

numbered! {
    /// How a set is changed.
    UpdateStrategy {
        /// As the server's default says: updates one by one, removals all at once.
        Unset "Unset" = 0,
        /// A few machines at a time.
        Rolling "Rolling" = 1,
    }
}

message! {
    /// A cluster. Its id is its name: letters, digits, `-` and `_`.
    ///
    /// Written by users (Operator). Annotations: [`labels::CLUSTER_LOCKED`], [`labels::MANAGED_BY_CLUSTER_TEMPLATES`],
    /// [`labels::MANAGED_BY_GITOPS_TOOLS`], [`labels::CLUSTER_IMPORT_IS_IN_PROGRESS`]. Echo its finalizers: an update
    /// without them strips the controllers' hold.
    ///
    /// [`labels::CLUSTER_LOCKED`]: crate::labels::CLUSTER_LOCKED
    /// [`labels::MANAGED_BY_CLUSTER_TEMPLATES`]: crate::labels::MANAGED_BY_CLUSTER_TEMPLATES
    /// [`labels::MANAGED_BY_GITOPS_TOOLS`]: crate::labels::MANAGED_BY_GITOPS_TOOLS
    /// [`labels::CLUSTER_IMPORT_IS_IN_PROGRESS`]: crate::labels::CLUSTER_IMPORT_IS_IN_PROGRESS
    Cluster = CLUSTER {
        /// Without v.
        kubernetes_version: String,
        /// Without v.
        talos_version: String,
        /// What is switched on.
        features: Option<ClusterFeatures>,
        /// Etcd backups; absent: none are made.
        backup_configuration: Option<BackupConfiguration>,
    }

    /// What is switched on in a cluster.
    ClusterFeatures {
        /// Services of the cluster through Omni.
        enable_workload_proxy: bool,
        /// Disks are encrypted with keys that Omni holds.
        disk_encryption: bool,
        /// Members find each other through Omni instead of a public service.
        use_embedded_discovery_service: bool,
        /// Kubernetes nodes may ask not to be audited, by an annotation.
        enable_node_audit_skip: bool,
        /// Members do not find each other through the public service; clusters made with Talos 1.14 and later only.
        disable_public_discovery_service: bool,
    }

    /// Etcd backups.
    BackupConfiguration {
        /// From one to the next, an hour to a day by default; see [`super::EtcdBackupSettings`].
        interval: Span,
        /// Whether they are made.
        enabled: bool,
    }

    /// A group of alike machines of a cluster. Its id is `<cluster>-control-planes` or `<cluster>-<name>`.
    ///
    /// Written by users (Operator). Labels: [`labels::CLUSTER`](crate::labels::CLUSTER), which never changes, and one
    /// of [`labels::ROLE_CONTROL_PLANE`](crate::labels::ROLE_CONTROL_PLANE) and
    /// [`labels::ROLE_WORKER`](crate::labels::ROLE_WORKER).
    MachineSet = MACHINE_SET {
        /// How config changes go through the set.
        update_strategy: UpdateStrategy,
        /// Where its machines come from; absent where they are named one by one.
        machine_allocation: Option<MachineAllocation>,
        /// Details of `update_strategy`.
        update_strategy_config: Option<StrategyConfig>,
        /// How machines are removed.
        delete_strategy: UpdateStrategy,
        /// Details of `delete_strategy`.
        delete_strategy_config: Option<StrategyConfig>,
        /// How Talos upgrades go through the set.
        upgrade_strategy: UpdateStrategy,
        /// Details of `upgrade_strategy`.
        upgrade_strategy_config: Option<StrategyConfig>,
        /// The backup a control plane is restored from; only when it is made.
        bootstrap_spec: Option<BootstrapSpec>,
        /// What older servers have instead of `machine_allocation`.
        machine_class: Option<MachineAllocation>,
    }

    /// The backup a control plane is restored from.
    BootstrapSpec {
        /// The UUID of the cluster that was backed up, see [`super::ClusterUuid`].
        cluster_uuid: String,
        /// The backup's file name.
        snapshot: String,
    }

    /// Where a set's machines come from.
    MachineAllocation {
        /// The machine class.
        name: String,
        /// How many.
        machine_count: u32,
        /// Whether that many or all.
        allocation_type: AllocationType,
    }

    /// Details of a strategy.
    StrategyConfig {
        /// For rolling changes.
        rolling: Option<RollingConfig>,
    }

    /// Details of a rolling change.
    RollingConfig {
        /// How many machines at a time; write at least 1, as 0 is not the default everywhere.
        max_parallelism: u32,
    }

    /// A machine's membership in a set. Its id is the machine's UUID; all else is in its labels.
    ///
    /// Written by users (Operator), and by Omni for sets that take machines of a class: those carry
    /// [`labels::MANAGED_BY_NODE_CONTROLLER`](crate::labels::MANAGED_BY_NODE_CONTROLLER). Labels:
    /// [`labels::CLUSTER`](crate::labels::CLUSTER), [`labels::MACHINE_SET`](crate::labels::MACHINE_SET) and a role,
    /// none of which ever changes. Annotation: [`labels::LOCKED`](crate::labels::LOCKED), for workers only.
    MachineSetNode = MACHINE_SET_NODE {
    }

    /// The secrets of a cluster that is taken over. Its id is the cluster's, which must not exist yet.
    ///
    /// Written by users (Operator), and readable by nobody.
    ImportedClusterSecrets = IMPORTED_CLUSTER_SECRETS {
        /// Talos' secrets bundle, YAML.
        data: Secret,
    }

    /// Has a machine leave its cluster without leaving etcd first. Its id is the machine's UUID.
    ///
    /// Written by users (Operator) for machines that will never answer again.
    NodeForceDestroyRequest = NODE_FORCE_DESTROY_REQUEST {
    }

    /// Has Omni replace a cluster's Talos CA. Its id is the cluster's. Written by users (Operator).
    RotateTalosCa = ROTATE_TALOS_CA {
    }

    /// Has Omni replace a cluster's Kubernetes CA. Its id is the cluster's. Written by users (Operator).
    RotateKubernetesCa = ROTATE_KUBERNETES_CA {
    }
}
