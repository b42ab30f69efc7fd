//! How far upgrades are.

numbered! {
    /// What a Kubernetes upgrade is at.
    KubernetesUpgradePhase {
        /// Not said.
        Unknown "Unknown" = 0,
        /// Going from node to node.
        Upgrading "Upgrading" = 1,
        /// All nodes run the version that is wanted.
        Done "Done" = 2,
        /// Stuck.
        Failed "Failed" = 3,
        /// Going back to the version before.
        Reverting "Reverting" = 4,
    }
}

numbered! {
    /// What a Talos upgrade is at.
    TalosUpgradePhase {
        /// Not said.
        Unknown "Unknown" = 0,
        /// Going from machine to machine.
        Upgrading "Upgrading" = 1,
        /// All machines run the version that is wanted.
        Done "Done" = 2,
        /// Stuck.
        Failed "Failed" = 3,
        /// Going back to the version before.
        Reverting "Reverting" = 4,
        /// Same version, other extensions or kernel arguments.
        UpdatingMachineSchematics "UpdatingMachineSchematics" = 5,
    }
}

numbered! {
    /// What a machine's upgrade is at.
    MachineUpgradePhase {
        /// Not said.
        Unknown "Unknown" = 0,
        /// It waits for its turn.
        Pending "Pending" = 1,
        /// Under way.
        Upgrading "Upgrading" = 2,
        /// It runs what is wanted.
        UpToDate "UpToDate" = 3,
    }
}

message! {
    /// How far a Kubernetes upgrade is. Its id is the cluster's. Written by Omni.
    ///
    /// Label: [`labels::CLUSTER`](crate::labels::CLUSTER).
    KubernetesUpgradeStatus = KUBERNETES_UPGRADE_STATUS {
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
    /// Written by Omni.
    TalosUpgradeStatus = TALOS_UPGRADE_STATUS {
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

    /// How far a machine's upgrade is. Its id is the machine's UUID. Written by Omni.
    MachineUpgradeStatus = MACHINE_UPGRADE_STATUS {
        /// The schematic it shall run.
        schematic_id: String,
        /// The Talos version it shall run, without v.
        talos_version: String,
        /// The schematic it runs.
        current_schematic_id: String,
        /// The Talos version it runs, without v.
        current_talos_version: String,
        /// What it is at.
        phase: MachineUpgradePhase,
        /// A sentence.
        status: String,
        /// What is wrong.
        error: String,
        /// Whether it runs without a config.
        is_maintenance: bool,
    }
}
