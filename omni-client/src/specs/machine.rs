//! Machines as they report themselves. The id is the machine's UUID, the one SMBIOS tells.

use std::collections::BTreeMap;

use super::{Secret, Timestamp, value::whole};

numbered! {
    /// A machine's part in its cluster.
    MachineRole {
        /// In none.
        None "NONE" = 0,
        /// Control plane.
        ControlPlane "CONTROL_PLANE" = 1,
        /// Worker.
        Worker "WORKER" = 2,
    }
}

numbered! {
    /// Whether a machine is powered, where that can be known.
    PowerState {
        /// Not said.
        Unknown "POWER_STATE_UNKNOWN" = 0,
        /// Cannot be known.
        Unsupported "POWER_STATE_UNSUPPORTED" = 1,
        /// On.
        On "POWER_STATE_ON" = 2,
        /// Off.
        Off "POWER_STATE_OFF" = 3,
    }
}

numbered! {
    /// What a machine's power is at.
    PowerStage {
        /// Nothing special.
        None "POWER_STAGE_NONE" = 0,
        /// Off.
        PoweredOff "POWER_STAGE_POWERED_OFF" = 1,
        /// Being powered on.
        PoweringOn "POWER_STAGE_POWERING_ON" = 2,
    }
}

numbered! {
    /// How a machine keeps to FIPS.
    FipsState {
        /// It does not.
        Disabled "FIPS_STATE_DISABLED" = 0,
        /// It does.
        Enabled "FIPS_STATE_ENABLED" = 1,
        /// It allows nothing else.
        Strict "FIPS_STATE_STRICT" = 2,
    }
}

message! {
    /// A machine that joined. Written by Omni.
    ///
    /// Labels: [`labels::ADDRESS`](crate::labels::ADDRESS), and for those a provider made
    /// [`labels::MACHINE_REQUEST`](crate::labels::MACHINE_REQUEST),
    /// [`labels::MACHINE_REQUEST_SET`](crate::labels::MACHINE_REQUEST_SET),
    /// [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID) and
    /// [`labels::NO_MANUAL_ALLOCATION`](crate::labels::NO_MANUAL_ALLOCATION).
    Machine = MACHINE {
        /// Its address in the tunnel, IPv6.
        management_address: String,
        /// Whether it is connected.
        connected: bool,
        /// Whether the tunnel goes through gRPC.
        use_grpc_tunnel: bool,
    }

    /// Labels of a user for a machine: the resource's own. They show up at its [`MachineStatus`].
    ///
    /// Written by users (Operator).
    MachineLabels = MACHINE_LABELS {
    }

    /// What a machine says of itself. Written by Omni.
    ///
    /// Its labels are what machine classes select by: see [`labels`](crate::labels), "Of machines". Those without a
    /// value are present or not; the others are texts such as `16GiB`, which [`Selector`](crate::Selector) compares as
    /// amounts. Annotations: [`labels::KERNEL_ARGS_INITIALIZED`](crate::labels::KERNEL_ARGS_INITIALIZED),
    /// [`labels::PLATFORM_TAG_LABELS_INITIALIZED`](crate::labels::PLATFORM_TAG_LABELS_INITIALIZED).
    MachineStatus = MACHINE_STATUS {
        /// With v.
        talos_version: String,
        /// Processors, memory, disks.
        hardware: Option<HardwareStatus>,
        /// Host name, addresses, links.
        network: Option<NetworkStatus>,
        /// What Omni last failed at.
        last_error: String,
        /// Its address in the tunnel, IPv6.
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
        /// Labels that its image brought along.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        image_labels: BTreeMap<String, String>,
        /// Its image.
        schematic: Option<Schematic>,
        /// The Talos version it first joined with, with v.
        initial_talos_version: String,
        /// What Talos finds odd about it.
        diagnostics: Vec<Diagnostic>,
        /// Whether it is powered.
        power_state: PowerState,
        /// How it boots.
        security_state: Option<SecurityState>,
        /// The kernel's command line, join token included.
        kernel_cmdline: Secret,
        /// Talos' name, such as `Talos`.
        talos_version_name: String,
    }

    /// What Talos finds odd about a machine.
    Diagnostic {
        /// Which check.
        id: String,
        /// What.
        message: String,
        /// More of it.
        details: Vec<String>,
    }

    /// How a machine boots.
    SecurityState {
        /// With secure boot.
        secure_boot: bool,
        /// From a unified kernel image.
        booted_with_uki: bool,
        /// How it keeps to FIPS.
        fips_state: FipsState,
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
        /// Bytes.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        size: u64,
        /// Model.
        model: String,
        /// For example `/dev/sda`.
        linux_name: String,
        /// What `/sys/block` calls it.
        name: String,
        /// Serial number.
        serial: String,
        /// UUID.
        uuid: String,
        /// World-wide name.
        wwid: String,
        /// For example `SSD`.
        r#type: String,
        /// Where it is on the bus.
        bus_path: String,
        /// Whether Talos is on it.
        system_disk: bool,
        /// Whether it cannot be written.
        readonly: bool,
        /// For example `nvme`.
        transport: String,
        /// For example `/dev/sda`, as Talos says; older Talos does not.
        dev_path: String,
        /// Best size of a transfer in bytes.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        io_size: u64,
        /// Bytes of a sector.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        sector_size: u64,
        /// How the kernel finds its driver.
        modalias: String,
        /// Path of its subsystem.
        sub_system: String,
        /// Whether it spins.
        rotational: bool,
        /// Whether it is an optical drive.
        cdrom: bool,
        /// The size for people, such as `54 GB`.
        pretty_size: String,
        /// Disks it is made of.
        secondary_disks: Vec<String>,
        /// Lasting names, such as `/dev/disk/by-id/…`.
        symlinks: Vec<String>,
        /// Firmware.
        firmware_version: String,
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
        /// For example `nocloud`, which the Proxmox provider's machines are.
        platform: String,
        /// Host name it was given.
        hostname: String,
        /// Region of a cloud.
        region: String,
        /// Zone of a cloud.
        zone: String,
        /// Instance type of a cloud.
        instance_type: String,
        /// Instance id it was given.
        instance_id: String,
        /// What Kubernetes calls its provider id.
        provider_id: String,
        /// Whether a cloud may take it back.
        spot: bool,
        /// Tags of a cloud.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
    }

    /// A machine's image.
    Schematic {
        /// Whether it was not made by the image factory.
        invalid: bool,
        /// Extensions in it.
        extensions: Vec<String>,
        /// The schematic it first booted.
        initial_schematic: String,
        /// Kernel arguments in it; they may hold a join token.
        kernel_args: Vec<Secret>,
        /// The schematic it runs.
        full_id: String,
        /// Whether it is an agent of a static provider.
        in_agent_mode: bool,
        /// The schematic's YAML; its kernel arguments may hold a join token.
        raw: Secret,
        /// What it first had.
        initial_state: Option<SchematicInitialState>,
    }

    /// What an image first had.
    SchematicInitialState {
        /// Extensions.
        extensions: Vec<String>,
    }

    /// A [`MachineStatus`] with its traffic. Same labels; written by Omni, and cheap to watch.
    MachineStatusLink = MACHINE_STATUS_LINK {
        /// What the machine says of itself.
        message_status: Option<MachineStatus>,
        /// Its traffic.
        siderolink_counter: Option<SiderolinkCounter>,
        /// When it joined, in seconds since the epoch.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        machine_created_at: i64,
        /// Whether it is on its way out.
        tearing_down: bool,
        /// What Talos is at.
        snapshot: Option<MachineStatusSnapshot>,
    }

    /// Traffic of a tunnel.
    SiderolinkCounter {
        /// Bytes from the machine.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        bytes_received: i64,
        /// Bytes to the machine.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        bytes_sent: i64,
        /// When it was last heard from.
        last_alive: Timestamp,
    }

    /// What Talos last said it is at. Written by Omni.
    MachineStatusSnapshot = MACHINE_STATUS_SNAPSHOT {
        /// Talos' own event: `stage` (a number), and `status` with `ready` and `unmet_conditions`.
        machine_status: Option<super::Other>,
        /// What its power is at.
        power_stage: PowerStage,
        /// The boot it was said in.
        boot_id: String,
    }
}
