//! Clusters, machine sets and members as they are.

use crate::specs::MachineAllocation;

numbered! {
    /// What a cluster is at.
    ClusterPhase {
        /// Not said.
        Unknown = 0,
        /// Getting more machines.
        ScalingUp = 1,
        /// Getting fewer.
        ScalingDown = 2,
        /// As wanted.
        Running = 3,
        /// Being removed.
        Destroying = 4,
    }
}

numbered! {
    /// What a machine set is at.
    MachineSetPhase {
        /// Not said.
        Unknown = 0,
        /// Getting more machines.
        ScalingUp = 1,
        /// Getting fewer.
        ScalingDown = 2,
        /// As wanted.
        Running = 3,
        /// Being removed.
        Destroying = 4,
        /// Stuck.
        Failed = 5,
        /// Applying a config.
        Reconfiguring = 6,
        /// Upgrading Talos.
        Upgrading = 7,
    }
}

numbered! {
    /// What a member is at. The numbers are not in the order of its life.
    MachineStage {
        /// Not said.
        Unknown = 0,
        /// Booting.
        Booting = 1,
        /// Installing Talos.
        Installing = 2,
        /// Applying its first config.
        Configuring = 3,
        /// As wanted.
        Running = 4,
        /// Being removed.
        Destroying = 5,
        /// Upgrading Talos.
        Upgrading = 6,
        /// Rebooting.
        Rebooting = 7,
        /// Shutting down.
        ShuttingDown = 8,
        /// About to be removed.
        BeforeDestroy = 9,
        /// Being powered on.
        PoweringOn = 10,
        /// Powered off.
        PoweredOff = 11,
    }
}

impl MachineStage {
    /// Whether a restart now would break what it is at: installing, upgrading, rebooting and the like.
    pub fn must_not_be_disturbed(self) -> bool {
        !matches!(
            self,
            Self::Unknown | Self::Booting | Self::Configuring | Self::Running | Self::PoweredOff
        )
    }
}

numbered! {
    /// Whether a config was applied.
    ConfigApplyStatus {
        /// Not said.
        Unknown = 0,
        /// Not yet.
        Pending = 1,
        /// Yes.
        Applied = 2,
        /// It was refused.
        Failed = 3,
    }
}

numbered! {
    /// What a control plane condition is about.
    ConditionType {
        /// Not said.
        Unknown = 0,
        /// Etcd's health.
        Etcd = 1,
        /// The tunnels to the machines.
        WireguardConnection = 2,
    }
}

numbered! {
    /// Whether a condition holds.
    ConditionStatus {
        /// Not said.
        Unknown = 0,
        /// Yes.
        Ready = 1,
        /// No.
        NotReady = 2,
    }
}

message! {
    /// A cluster as it is.
    ClusterStatus {
        /// Whether it was bootstrapped and its control plane can be reached.
        available: bool,
        /// Its machines, counted.
        machines: MachineCounts,
        /// What it is at.
        phase: ClusterPhase,
        /// Whether all nodes are ready.
        ready: bool,
        /// Whether the Kubernetes API answers.
        #[serde(rename = "kubernetesAPIReady")]
        kubernetes_api_ready: bool,
        /// Whether the control plane is healthy.
        #[serde(rename = "controlplaneReady")]
        controlplane_ready: bool,
        /// Whether a control plane machine is connected.
        has_connected_control_planes: bool,
        /// Without v.
        talos_version: String,
        /// Without v.
        kubernetes_version: String,
        /// The Talos version the cluster was made with, without v.
        initial_talos_version: String,
    }

    /// Machines, counted.
    MachineCounts {
        /// There are.
        total: u32,
        /// Healthy.
        healthy: u32,
        /// Connected.
        connected: u32,
        /// Wanted.
        requested: u32,
    }

    /// A machine set as it is.
    MachineSetStatus {
        /// What it is at.
        phase: MachineSetPhase,
        /// Whether all its machines are ready.
        ready: bool,
        /// What is wrong.
        error: String,
        /// Its machines, counted.
        machines: MachineCounts,
        /// Where its machines come from.
        machine_allocation: Option<MachineAllocation>,
        /// Updates held back by locks.
        locked_updates: u32,
    }

    /// A member of a cluster as it is.
    ClusterMachineStatus {
        /// Whether it does its work.
        ready: bool,
        /// What it is at.
        stage: MachineStage,
        /// Whether it runs the config that is wanted.
        config_up_to_date: bool,
        /// Why the last config was refused.
        last_config_error: String,
        /// Its address in the tunnel.
        management_address: String,
        /// Whether the config was applied.
        config_apply_status: ConfigApplyStatus,
        /// Whether it is on its way out.
        is_removed: bool,
        /// The request it was made for.
        provision_status: Option<ProvisionStatus>,
    }

    /// The request a machine was made for.
    ProvisionStatus {
        /// The provider's id.
        provider_id: String,
        /// The request's id.
        request_id: String,
    }

    /// A member's name and addresses.
    ClusterMachineIdentity {
        /// Talos' identity.
        node_identity: String,
        /// Etcd member id, as text; empty for workers.
        etcd_member_id: String,
        /// Name in Kubernetes.
        nodename: String,
        /// Addresses.
        node_ips: Vec<String>,
    }

    /// A control plane's health.
    ControlPlaneStatus {
        /// One for each thing that is looked at.
        conditions: Vec<Condition>,
    }

    /// One thing that is looked at.
    Condition {
        /// Which.
        r#type: ConditionType,
        /// Why it does not hold.
        reason: String,
        /// Whether it holds.
        status: ConditionStatus,
    }

    /// A cluster's nodes as Kubernetes sees them.
    KubernetesStatus {
        /// Nodes.
        nodes: Vec<KubernetesNode>,
        /// Control plane pods.
        static_pods: Vec<NodeStaticPods>,
    }

    /// A node as Kubernetes sees it.
    KubernetesNode {
        /// Name.
        nodename: String,
        /// Without v.
        kubelet_version: String,
        /// Whether Kubernetes says it is ready.
        ready: bool,
    }

    /// Control plane pods of a node.
    NodeStaticPods {
        /// The node's name.
        nodename: String,
        /// Pods.
        static_pods: Vec<StaticPod>,
    }

    /// A control plane pod.
    StaticPod {
        /// For example `kube-apiserver`.
        app: String,
        /// Without v.
        version: String,
        /// Whether it is ready.
        ready: bool,
    }

    /// Whether the Kubernetes API answers through Omni.
    LoadBalancerStatus {
        /// Yes.
        healthy: bool,
        /// It is switched off.
        stopped: bool,
    }

    /// What a deletion waits for.
    DestroyStatus {
        /// A sentence.
        phase: String,
    }
}
