//! Clusters and machine sets as wanted.

numbered! {
    /// How many machines a set takes from its class.
    AllocationType {
        /// `machine_count` of them.
        Static = 0,
        /// All there are.
        Unlimited = 1,
    }
}

numbered! {
    /// How a set is changed.
    UpdateStrategy {
        /// As the server's default says.
        Unset = 0,
        /// A few machines at a time.
        Rolling = 1,
    }
}

message! {
    /// A cluster.
    Cluster {
        /// Without v.
        kubernetes_version: String,
        /// Without v.
        talos_version: String,
        /// What is switched on.
        features: Option<ClusterFeatures>,
        /// Etcd backups.
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
        /// Kubernetes nodes may ask not to be audited.
        enable_node_audit_skip: bool,
        /// Members do not find each other through the public service.
        disable_public_discovery_service: bool,
    }

    /// Etcd backups.
    BackupConfiguration {
        /// For example `3600s`.
        interval: String,
        /// Whether they are made.
        enabled: bool,
    }

    /// A group of alike machines of a cluster.
    MachineSet {
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
        /// The backup a control plane is restored from.
        bootstrap_spec: Option<BootstrapSpec>,
        /// What older servers have instead of `machine_allocation`.
        machine_class: Option<MachineAllocation>,
    }

    /// The backup a control plane is restored from.
    BootstrapSpec {
        /// The UUID of the cluster that was backed up.
        cluster_uuid: String,
        /// The backup's name.
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
        /// How many machines at a time; at least 1.
        max_parallelism: u32,
    }
}
