//! From a request for a machine to the machine.

use super::{GrpcTunnelMode, MetaValue};

numbered! {
    /// How far a provider is with a request.
    ProvisionStage {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// At work.
        Provisioning "PROVISIONING" = 1,
        /// The machine runs.
        Provisioned "PROVISIONED" = 2,
        /// The last try failed. It is tried again every minute.
        Failed "FAILED" = 3,
    }
}

numbered! {
    /// How far a request is, as the cluster sees it.
    RequestStage {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The provider has not begun.
        Pending "PENDING" = 1,
        /// The provider is at work.
        Provisioning "PROVISIONING" = 2,
        /// The machine was made; whether it joined is not said here.
        Provisioned "PROVISIONED" = 3,
        /// It is being removed.
        Deprovisioning "DEPROVISIONING" = 4,
        /// The last try failed. It is tried again every minute.
        Failed "FAILED" = 5,
    }
}

message! {
    /// How many machines a provider shall make. Its id is that of the machine set where Omni makes it.
    ///
    /// Written by Omni for machine sets, and by users (Operator).
    MachineRequestSet = MACHINE_REQUEST_SET {
        /// The provider's id.
        provider_id: String,
        /// How many.
        machine_count: i32,
        /// Without v.
        talos_version: String,
        /// Extensions.
        extensions: Vec<String>,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// Values for Talos' META partition.
        meta_values: Vec<MetaValue>,
        /// Text that fits the provider's schema.
        provider_data: String,
        /// Tunnel through gRPC.
        grpc_tunnel: GrpcTunnelMode,
    }

    /// Marks a request set that Omni looks after. Same id. Written by Omni.
    MachineRequestSetStatus = MACHINE_REQUEST_SET_STATUS {
    }

    /// One machine that a provider shall make. Its id is `<set>-<six characters>`; its spec never changes once made.
    ///
    /// Written by Omni; a user (Operator) who deletes it has its machine removed. Labels:
    /// [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID),
    /// [`labels::MACHINE_REQUEST_SET`](crate::labels::MACHINE_REQUEST_SET).
    MachineRequest = MACHINE_REQUEST {
        /// Without v.
        talos_version: String,
        /// An overlay for single-board computers.
        overlay: Option<Overlay>,
        /// Extensions.
        extensions: Vec<String>,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// Values for Talos' META partition.
        meta_values: Vec<MetaValue>,
        /// Text that fits the provider's schema.
        provider_data: String,
        /// Tunnel through gRPC.
        grpc_tunnel: GrpcTunnelMode,
    }

    /// An overlay for single-board computers.
    Overlay {
        /// For example `rpi_generic`.
        name: String,
        /// Its image.
        image: String,
    }

    /// How far a provider is with a request. Its id is the request's. Written by providers.
    ///
    /// Labels: those of the request; [`labels::INFRA_ID`](crate::labels::INFRA_ID) where the provider has an id of its
    /// own for the machine (the Proxmox one sets none).
    MachineRequestStatus = MACHINE_REQUEST_STATUS {
        /// The machine's UUID; empty until the provider chose it.
        id: String,
        /// How far.
        stage: ProvisionStage,
        /// The last error.
        error: String,
        /// For example `Running Step: "syncVM" (4/5)`.
        status: String,
    }

    /// How far a request is, as the cluster sees it. Not a sign that a machine is ready. Written by Omni.
    ///
    /// Labels: [`labels::CLUSTER`](crate::labels::CLUSTER), [`labels::MACHINE_SET`](crate::labels::MACHINE_SET), a role,
    /// and [`labels::MACHINE_REQUEST_IN_USE`](crate::labels::MACHINE_REQUEST_IN_USE) once its machine is a member.
    ClusterMachineRequestStatus = CLUSTER_MACHINE_REQUEST_STATUS {
        /// A sentence.
        status: String,
        /// The machine's UUID; empty until the provider chose it.
        machine_uuid: String,
        /// The provider's id.
        provider_id: String,
        /// How far.
        stage: RequestStage,
        /// The last error.
        error: String,
    }
}
