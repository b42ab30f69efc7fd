//! From a request for a machine to the machine.

use crate::specs::{GrpcTunnelMode, MetaValue};

numbered! {
    /// How far a provider is with a request.
    ProvisionStage {
        /// Not said.
        Unknown = 0,
        /// At work.
        Provisioning = 1,
        /// The machine runs.
        Provisioned = 2,
        /// The last try failed. It is tried again every minute.
        Failed = 3,
    }
}

numbered! {
    /// How far a request is, as the cluster sees it.
    RequestStage {
        /// Not said.
        Unknown = 0,
        /// The provider has not begun.
        Pending = 1,
        /// The provider is at work.
        Provisioning = 2,
        /// The machine was made; whether it joined is not said here.
        Provisioned = 3,
        /// It is being removed.
        Deprovisioning = 4,
        /// The last try failed. It is tried again every minute.
        Failed = 5,
    }
}

message! {
    /// How many machines a provider shall make for a machine set.
    MachineRequestSet {
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

    /// One machine that a provider shall make. Never changes once made.
    MachineRequest {
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

    /// How far a provider is with a request.
    MachineRequestStatus {
        /// The machine's UUID; empty until the provider chose it.
        id: String,
        /// How far.
        stage: ProvisionStage,
        /// The last error.
        error: String,
        /// For example `Running Step: "syncVM" (4/5)`.
        status: String,
    }

    /// How far a request is, as the cluster sees it. Not a sign that a machine is ready.
    ClusterMachineRequestStatus {
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
