//! Machine classes.

numbered! {
    /// Whether machines tunnel WireGuard through gRPC: slower, but no UDP has to pass.
    GrpcTunnelMode {
        /// As the server's default says.
        Unset "UNSET" = 0,
        /// Always.
        Enabled "ENABLED" = 1,
        /// Never.
        Disabled "DISABLED" = 2,
    }
}

message! {
    /// What machines to take (`match_labels`) or to make (`auto_provision`); exactly one of them.
    ///
    /// Written by users (Operator). A class that a machine set uses cannot be deleted, and changing one of labels
    /// to one of `auto_provision` fails in the server (status 500, v1.10): make another class.
    MachineClass = MACHINE_CLASS {
        /// Selectors; a machine that any of them matches is of the class: see [`crate::Selector`].
        match_labels: Vec<String>,
        /// How to make machines. Creation is refused until the provider has registered.
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
        /// YAML or JSON text that fits the schema in [`super::InfraProviderStatus`].
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
