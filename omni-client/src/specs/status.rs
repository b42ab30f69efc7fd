//! Clusters, machine sets and members as they are.

use super::{MachineAllocation, value::whole};

numbered! {
    /// What a cluster is at.
    ClusterPhase {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Getting more machines.
        ScalingUp "SCALING_UP" = 1,
        /// Getting fewer.
        ScalingDown "SCALING_DOWN" = 2,
        /// As wanted.
        Running "RUNNING" = 3,
        /// Being removed.
        Destroying "DESTROYING" = 4,
    }
}

numbered! {
    /// What a machine set is at.
    MachineSetPhase {
        /// Not said.
        Unknown "Unknown" = 0,
        /// Getting more machines.
        ScalingUp "ScalingUp" = 1,
        /// Getting fewer.
        ScalingDown "ScalingDown" = 2,
        /// As wanted.
        Running "Running" = 3,
        /// Being removed.
        Destroying "Destroying" = 4,
        /// Stuck.
        Failed "Failed" = 5,
        /// Applying a config.
        Reconfiguring "Reconfiguring" = 6,
        /// Upgrading Talos.
        Upgrading "Upgrading" = 7,
    }
}

numbered! {
    /// What a member is at. The numbers are not in the order of its life.
    MachineStage {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Booting.
        Booting "BOOTING" = 1,
        /// Installing Talos.
        Installing "INSTALLING" = 2,
        /// Applying its first config.
        Configuring "CONFIGURING" = 3,
        /// As wanted.
        Running "RUNNING" = 4,
        /// Being removed.
        Destroying "DESTROYING" = 5,
        /// Upgrading Talos.
        Upgrading "UPGRADING" = 6,
        /// Rebooting.
        Rebooting "REBOOTING" = 7,
        /// Shutting down.
        ShuttingDown "SHUTTING_DOWN" = 8,
        /// About to be removed.
        BeforeDestroy "BEFORE_DESTROY" = 9,
        /// Being powered on.
        PoweringOn "POWERING_ON" = 10,
        /// Powered off.
        PoweredOff "POWERED_OFF" = 11,
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
        Unknown "UNKNOWN" = 0,
        /// Not yet.
        Pending "PENDING" = 1,
        /// Yes.
        Applied "APPLIED" = 2,
        /// It was refused.
        Failed "FAILED" = 3,
    }
}

numbered! {
    /// What a control plane condition is about.
    ConditionType {
        /// Not said.
        Unknown "UnknownCondition" = 0,
        /// Etcd's health.
        Etcd "Etcd" = 1,
        /// The tunnels to the machines.
        WireguardConnection "WireguardConnection" = 2,
    }
}

numbered! {
    /// Whether a condition holds.
    ConditionStatus {
        /// Not said.
        Unknown "Unknown" = 0,
        /// Yes.
        Ready "Ready" = 1,
        /// No.
        NotReady "NotReady" = 2,
    }
}

numbered! {
    /// How bad a condition is.
    ConditionSeverity {
        /// Worth knowing.
        Info "Info" = 0,
        /// Worth looking at.
        Warning "Warning" = 1,
        /// Wrong.
        Error "Error" = 2,
    }
}

message! {
    /// A cluster as it is.
    ///
    /// Its id is the cluster's. Written by Omni. Labels: the cluster's own, and
    /// [`labels::TAINTED_BY_BREAK_GLASS`](crate::labels::TAINTED_BY_BREAK_GLASS) and its like.
    ClusterStatus = CLUSTER_STATUS {
        /// Whether it was bootstrapped and its control plane can be reached.
        available: bool,
        /// Its machines, counted.
        machines: Option<MachineCounts>,
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
        /// Whether members find each other through Omni, all considered.
        use_embedded_discovery_service: bool,
        /// Without v.
        talos_version: String,
        /// Without v.
        kubernetes_version: String,
        /// Whether the public discovery service is off.
        disable_public_discovery_service: bool,
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
    ///
    /// Its id and its labels are the set's. Written by Omni.
    MachineSetStatus = MACHINE_SET_STATUS {
        /// What it is at.
        phase: MachineSetPhase,
        /// Whether all its machines are ready.
        ready: bool,
        /// What is wrong.
        error: String,
        /// Its machines, counted.
        machines: Option<MachineCounts>,
        /// Hash over the configs of all its machines.
        config_hash: String,
        /// Where its machines come from.
        machine_allocation: Option<MachineAllocation>,
        /// Updates held back by locks.
        locked_updates: u32,
    }

    /// A member of a cluster as it is.
    ///
    /// Its id is the machine's UUID. Written by Omni. Labels: those of [`ClusterMachine`],
    /// [`labels::CONNECTED`](crate::labels::CONNECTED), [`labels::HOSTNAME`](crate::labels::HOSTNAME),
    /// [`labels::NODE_NAME`](crate::labels::NODE_NAME), [`labels::UPDATE_LOCKED`](crate::labels::UPDATE_LOCKED).
    /// Annotation: [`labels::LOCKED`](crate::labels::LOCKED).
    ClusterMachineStatus = CLUSTER_MACHINE_STATUS {
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
    ///
    /// Its id is the machine's UUID. Written by Omni. Labels: [`labels::CLUSTER`](crate::labels::CLUSTER) and a role.
    ClusterMachineIdentity = CLUSTER_MACHINE_IDENTITY {
        /// Talos' identity.
        node_identity: String,
        /// Etcd member id; 0 for workers.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        etcd_member_id: u64,
        /// Name in Kubernetes.
        nodename: String,
        /// Addresses.
        node_ips: Vec<String>,
        /// The first of `discovery_service_endpoints`, for older clients.
        discovery_service_endpoint: String,
        /// Where it finds the other members, such as `https://discovery.talos.dev:443`.
        discovery_service_endpoints: Vec<String>,
    }

    /// A control plane's health.
    ///
    /// Its id is that of the control plane's machine set. Written by Omni. Label:
    /// [`labels::CLUSTER`](crate::labels::CLUSTER).
    ControlPlaneStatus = CONTROL_PLANE_STATUS {
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
        /// How bad it is.
        severity: ConditionSeverity,
    }

    /// A cluster's nodes as Kubernetes sees them.
    ///
    /// Its id is the cluster's. Written by Omni. Label: [`labels::CLUSTER`](crate::labels::CLUSTER).
    KubernetesStatus = KUBERNETES_STATUS {
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
        /// Whether it asked not to be audited.
        skip_audit: bool,
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
    ///
    /// Its id is the cluster's. Written by Omni. Label: [`labels::CLUSTER`](crate::labels::CLUSTER).
    LoadBalancerStatus = LOAD_BALANCER_STATUS {
        /// Yes.
        healthy: bool,
        /// It is switched off.
        stopped: bool,
    }

    /// How a load balancer inside Omni is set up. Its id is the cluster's. Written by Omni.
    LoadBalancerConfig = LOAD_BALANCER_CONFIG {
        /// TCP port inside Omni, as text.
        bind_port: String,
        /// Its URL inside the tunnel.
        siderolink_endpoint: String,
        /// Control plane machines behind it.
        endpoints: Vec<String>,
    }

    /// A machine of a cluster. Its id is the machine's UUID. Written by Omni.
    ///
    /// Labels: [`labels::CLUSTER`](crate::labels::CLUSTER), [`labels::MACHINE_SET`](crate::labels::MACHINE_SET), a role.
    ClusterMachine = CLUSTER_MACHINE {
        /// Without v, as of when it became a member.
        kubernetes_version: String,
    }

    /// Whether a cluster was bootstrapped. Its id is the cluster's. Written by Omni.
    ClusterBootstrapStatus = CLUSTER_BOOTSTRAP_STATUS {
        /// Yes.
        bootstrapped: bool,
    }

    /// A cluster's UUID, by which its backups are known. Its id is the cluster's. Written by Omni.
    ///
    /// Label: [`labels::CLUSTER_UUID`](crate::labels::CLUSTER_UUID).
    ClusterUuid = CLUSTER_UUID {
        /// UUID.
        uuid: String,
    }

    /// Where a cluster's control plane is in the tunnel. Its id is the cluster's. Written by Omni.
    ClusterEndpoint = CLUSTER_ENDPOINT {
        /// Addresses.
        management_addresses: Vec<String>,
    }

    /// Machines of a cluster that Talos finds something odd about. Its id is the cluster's. Written by Omni.
    ClusterDiagnostics = CLUSTER_DIAGNOSTICS {
        /// Those machines.
        nodes: Vec<NodeDiagnostics>,
    }

    /// How much Talos finds odd about a machine.
    NodeDiagnostics {
        /// UUID.
        id: String,
        /// How many findings; see [`super::MachineStatus::diagnostics`].
        num_diagnostics: u32,
    }

    /// What the deletion of a cluster waits for. Its id is the cluster's. Written by Omni.
    ClusterDestroyStatus = CLUSTER_DESTROY_STATUS {
        /// A sentence.
        phase: String,
    }

    /// What the deletion of a machine set waits for. Its id is the set's. Written by Omni.
    MachineSetDestroyStatus = MACHINE_SET_DESTROY_STATUS {
        /// A sentence.
        phase: String,
    }
}
