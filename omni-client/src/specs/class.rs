//! Machine classes.

numbered! {
    /// Whether machines tunnel WireGuard through gRPC.
    GrpcTunnelMode {
        /// As the server's default says.
        Unset = 0,
        /// Always.
        Enabled = 1,
        /// Never.
        Disabled = 2,
    }
}

message! {
    /// What machines to take (`match_labels`) or to make (`auto_provision`); exactly one of them.
    MachineClass {
        /// Selectors; a machine that any of them matches is of the class.
        match_labels: Vec<String>,
        /// How to make machines.
        auto_provision: Option<AutoProvision>,
    }

    /// How a provider makes machines of a class.
    AutoProvision {
        /// The provider's id.
        provider_id: String,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// Values for Talos' META partition.
        meta_values: Vec<MetaValue>,
        /// YAML or JSON text that fits the provider's schema.
        provider_data: String,
        /// Tunnel through gRPC.
        grpc_tunnel: GrpcTunnelMode,
    }

    /// A value for Talos' META partition.
    MetaValue {
        /// 0 to 255.
        key: u32,
        /// Text.
        value: String,
    }
}
