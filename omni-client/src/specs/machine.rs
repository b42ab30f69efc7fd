//! Machines as they report themselves.

numbered! {
    /// A machine's part in its cluster.
    MachineRole {
        /// In none.
        None = 0,
        /// Control plane.
        ControlPlane = 1,
        /// Worker.
        Worker = 2,
    }
}

numbered! {
    /// Whether a machine is powered, where that can be known.
    PowerState {
        /// Not said.
        Unknown = 0,
        /// Cannot be known.
        Unsupported = 1,
        /// On.
        On = 2,
        /// Off.
        Off = 3,
    }
}

message! {
    /// A machine's tunnel to Omni.
    Link {
        /// Its address in the tunnel, as prefix.
        node_subnet: String,
        /// WireGuard key.
        node_public_key: String,
        /// Where it was last heard from.
        last_endpoint: String,
        /// Whether it is connected.
        connected: bool,
    }

    /// A machine that joined.
    Machine {
        /// Its address in the tunnel.
        management_address: String,
        /// Whether it is connected.
        connected: bool,
        /// Whether the tunnel goes through gRPC.
        use_grpc_tunnel: bool,
    }

    /// What a machine says of itself. Its UUID is the resource's id.
    MachineStatus {
        /// With v.
        talos_version: String,
        /// Processors, memory, disks.
        hardware: Option<HardwareStatus>,
        /// Host name, addresses, links.
        network: Option<NetworkStatus>,
        /// What Omni last failed at.
        last_error: String,
        /// Its address in the tunnel.
        management_address: String,
        /// Whether it is connected.
        connected: bool,
        /// Whether it runs without a config.
        maintenance: bool,
        /// The cluster it is in; empty for none.
        cluster: String,
        /// Its part there.
        role: MachineRole,
        /// What it runs on.
        platform_metadata: Option<PlatformMetadata>,
        /// Its image.
        schematic: Option<Schematic>,
        /// Whether it is powered.
        power_state: PowerState,
    }

    /// A machine's hardware.
    HardwareStatus {
        /// Processors.
        processors: Vec<Processor>,
        /// Memory.
        memory_modules: Vec<MemoryModule>,
        /// Disks.
        blockdevices: Vec<BlockDevice>,
        /// For example `amd64`.
        arch: String,
    }

    /// A processor.
    Processor {
        /// Cores.
        core_count: u32,
        /// Threads.
        thread_count: u32,
        /// MHz.
        frequency: u32,
        /// Model.
        description: String,
        /// Maker.
        manufacturer: String,
    }

    /// A piece of memory.
    MemoryModule {
        /// MiB.
        size_mb: u32,
        /// Model.
        description: String,
    }

    /// A disk.
    BlockDevice {
        /// Bytes, as text.
        size: String,
        /// Model.
        model: String,
        /// For example `/dev/sda`.
        linux_name: String,
        /// Serial number.
        serial: String,
        /// World-wide name.
        wwid: String,
        /// For example `SSD`.
        r#type: String,
        /// Whether Talos is on it.
        system_disk: bool,
        /// Whether it cannot be written.
        readonly: bool,
        /// For example `nvme`.
        transport: String,
    }

    /// A machine's network.
    NetworkStatus {
        /// Host name.
        hostname: String,
        /// Domain.
        domainname: String,
        /// With prefix length, such as `172.16.8.11/24`.
        addresses: Vec<String>,
        /// Gateways.
        default_gateways: Vec<String>,
        /// Links.
        network_links: Vec<NetworkLink>,
    }

    /// A network link.
    NetworkLink {
        /// For example `eth0`.
        linux_name: String,
        /// MAC.
        hardware_address: String,
        /// Mbit/s.
        speed_mbps: u32,
        /// Whether it is up.
        link_up: bool,
        /// Model.
        description: String,
    }

    /// What a machine runs on.
    PlatformMetadata {
        /// For example `nocloud`.
        platform: String,
        /// Host name it was given.
        hostname: String,
        /// Instance id it was given.
        instance_id: String,
        /// Provider's id of it.
        provider_id: String,
    }

    /// A machine's image.
    Schematic {
        /// Whether it was not made by the image factory.
        invalid: bool,
        /// Extensions in it.
        extensions: Vec<String>,
        /// The schematic it first booted.
        initial_schematic: String,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// The schematic it runs.
        full_id: String,
    }
}
