//! Infra providers, and what the Proxmox one records of a machine.

use super::{Base64, Secret, Timestamp};

message! {
    /// An infra provider. Its id is the provider's, a DNS label. Written by users (Admin).
    ///
    /// Deleting it releases requests that a dead provider would hold for good.
    InfraProvider = INFRA_PROVIDER {
    }

    /// What a provider published when it started. Its id is the provider's. Written by providers.
    ///
    /// Label: [`labels::IS_STATIC_INFRA_PROVIDER`](crate::labels::IS_STATIC_INFRA_PROVIDER) where it makes no machines.
    InfraProviderStatus = INFRA_PROVIDER_STATUS {
        /// JSON Schema of `provider_data`, as text.
        schema: String,
        /// For people.
        name: String,
        /// For people.
        description: String,
        /// An SVG in base64.
        icon: Base64,
        /// The provider's version; often empty.
        version: String,
    }

    /// A provider's sign of life, every 30 s. Its id is the provider's. Written by providers.
    InfraProviderHealthStatus = INFRA_PROVIDER_HEALTH_STATUS {
        /// When.
        last_heartbeat_timestamp: Timestamp,
        /// What it says is wrong.
        error: String,
    }

    /// Whether a provider is alive: the best single source. Its id is the provider's. Written by Omni.
    InfraProviderCombinedStatus = INFRA_PROVIDER_COMBINED_STATUS {
        /// For people.
        name: String,
        /// For people.
        description: String,
        /// An SVG in base64.
        icon: Base64,
        /// Its health.
        health: Option<ProviderHealth>,
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

    /// A patch that a provider wants for a machine it made; Omni makes a [`super::ConfigPatch`] of it.
    ///
    /// Written by providers. Labels: [`labels::MACHINE_REQUEST`](crate::labels::MACHINE_REQUEST),
    /// [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID).
    ConfigPatchRequest = CONFIG_PATCH_REQUEST {
        /// YAML.
        data: Secret,
        /// The same, compressed; empty in this API.
        compressed_data: Base64,
    }

    /// What the Proxmox provider records of a machine it makes. The keys are Go's, in lower case.
    ///
    /// Its kind depends on the provider's id: see [`kinds::provider_machine`](crate::kinds::provider_machine).
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
