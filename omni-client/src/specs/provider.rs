//! Infra providers, and what the Proxmox one records of a machine.

message! {
    /// What a provider published when it started.
    InfraProviderStatus {
        /// JSON Schema of `provider_data`, as text.
        schema: String,
        /// For people.
        name: String,
        /// For people.
        description: String,
        /// The provider's version; often empty.
        version: String,
    }

    /// Whether a provider is alive.
    InfraProviderCombinedStatus {
        /// For people.
        name: String,
        /// For people.
        description: String,
        /// Its health.
        health: ProviderHealth,
        /// The provider's version; often empty.
        version: String,
    }

    /// A provider's health.
    ProviderHealth {
        /// Heartbeats come in.
        connected: bool,
        /// What it says is wrong.
        error: String,
        /// It has started at least once.
        initialized: bool,
    }

    /// What the Proxmox provider records of a machine it makes. The keys are Go's, in lower case.
    ProviderMachine {
        /// SMBIOS UUID, which becomes the id of the machine; empty until it is chosen.
        uuid: String,
        /// The Proxmox node.
        node: String,
        /// The VM's number; 0 until it is chosen.
        vmid: u32,
        /// Image factory schematic.
        schematic: String,
        /// Without v.
        talosversion: String,
        /// The ISO's volume.
        volumeid: String,
        /// Proxmox task that fetches the ISO; empty before it.
        volumeuploadtask: String,
        /// Proxmox task that makes the VM; empty before it.
        vmcreatetask: String,
        /// Proxmox task that starts the VM; empty before it.
        vmstarttask: String,
        /// Proxmox task that stops the VM; empty before it.
        vmstoptask: String,
        /// Proxmox task that deletes the VM; empty before it.
        vmdeletetask: String,
    }
}

/// Annotation of a [`ProviderMachine`]: the step the provider is at, such as `syncVM`.
pub const PROVIDER_STEP: &str = "infra.omni.sidero.dev/step";
