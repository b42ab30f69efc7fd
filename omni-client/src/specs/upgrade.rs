//! How far upgrades are.

numbered! {
    /// What a Kubernetes upgrade is at.
    KubernetesUpgradePhase {
        /// Not said.
        Unknown = 0,
        /// Going from node to node.
        Upgrading = 1,
        /// All nodes run the version that is wanted.
        Done = 2,
        /// Stuck.
        Failed = 3,
        /// Going back to the version before.
        Reverting = 4,
    }
}

numbered! {
    /// What a Talos upgrade is at.
    TalosUpgradePhase {
        /// Not said.
        Unknown = 0,
        /// Going from machine to machine.
        Upgrading = 1,
        /// All machines run the version that is wanted.
        Done = 2,
        /// Stuck.
        Failed = 3,
        /// Going back to the version before.
        Reverting = 4,
        /// Same version, other extensions or kernel arguments.
        UpdatingMachineSchematics = 5,
    }
}

message! {
    /// How far a Kubernetes upgrade is. Its resource carries the cluster's label.
    KubernetesUpgradeStatus {
        /// What it is at.
        phase: KubernetesUpgradePhase,
        /// What is wrong.
        error: String,
        /// For example `node-1: updating kubelet to 1.36.3`.
        step: String,
        /// What the step waits for.
        status: String,
        /// The version of the last upgrade that was completed, without v.
        last_upgrade_version: String,
        /// The version on its way, without v.
        current_upgrade_version: String,
        /// Versions it could be upgraded to now.
        upgrade_versions: Vec<String>,
    }

    /// How far a Talos upgrade is. Its resource carries no label (seen with 1.10): get it by the cluster's name.
    TalosUpgradeStatus {
        /// What it is at.
        phase: TalosUpgradePhase,
        /// What is wrong.
        error: String,
        /// For example `current machine: UUID`.
        step: String,
        /// For example `updating machines 1/3`.
        status: String,
        /// The version of the last upgrade that was completed, without v.
        last_upgrade_version: String,
        /// The version on its way, without v.
        current_upgrade_version: String,
        /// Versions it could be upgraded to now.
        upgrade_versions: Vec<String>,
    }
}
