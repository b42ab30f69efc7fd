//! What machines run, and what they will run next. All written by Omni; the id is the machine's UUID.

use super::{Base64, Secret};

numbered! {
    /// What happens to an extension.
    ExtensionPhase {
        /// It is there.
        Installed "Installed" = 0,
        /// It comes with the next upgrade.
        Installing "Installing" = 1,
        /// It goes with the next upgrade.
        Removing "Removing" = 2,
    }
}

message! {
    /// Whether a member's config is applied. Labels: those of the cluster machine.
    ClusterMachineConfigStatus = CLUSTER_MACHINE_CONFIG_STATUS {
        /// The version of the config that was applied, as text.
        cluster_machine_config_version: String,
        /// Its hash.
        cluster_machine_config_sha256: String,
        /// Why the last config was refused.
        last_config_error: String,
        /// With v.
        talos_version: String,
        /// Image factory schematic.
        schematic_id: String,
        /// YAML with Talos' secrets masked; kernel arguments in it still hold join tokens (seen with 1.10).
        redacted_current_machine_config: Secret,
        /// The same, compressed; empty in this API.
        compressed_redacted_machine_config: Base64,
        /// The boot before the restart that is waited for.
        pre_reboot_boot_id: String,
        /// Hash of the documents that are applied before all else.
        applied_high_priority_config_hash: String,
        /// The image factory that served the last install.
        image_factory_host: String,
    }

    /// A member's config as Omni makes it.
    RedactedClusterMachineConfig = REDACTED_CLUSTER_MACHINE_CONFIG {
        /// YAML with Talos' secrets masked; kernel arguments in it still hold join tokens (seen with 1.10).
        data: Secret,
        /// The same, compressed; empty in this API.
        compressed_data: Base64,
    }

    /// What waits to be done to a machine.
    MachinePendingUpdates = MACHINE_PENDING_UPDATES {
        /// Another image.
        upgrade: Option<PendingUpgrade>,
        /// Another config.
        config_diff: Secret,
        /// The same, compressed; empty in this API.
        compressed_config_diff: Base64,
    }

    /// Another image.
    PendingUpgrade {
        /// The schematic it runs.
        from_schematic: String,
        /// The schematic it will run.
        to_schematic: String,
        /// The Talos version it runs.
        from_version: String,
        /// The Talos version it will run.
        to_version: String,
    }

    /// What one change of a machine's config was.
    MachineConfigDiff = MACHINE_CONFIG_DIFF {
        /// As `diff` shows it, with Talos' secrets masked.
        diff: Secret,
        /// The same, compressed; empty in this API.
        compressed_diff: Base64,
    }

    /// Inputs to a machine's config.
    MachineConfigGenOptions = MACHINE_CONFIG_GEN_OPTIONS {
        /// The image it installs.
        install_image: Option<InstallImage>,
    }

    /// An image that is installed.
    InstallImage {
        /// With v.
        talos_version: String,
        /// Image factory schematic.
        schematic_id: String,
        /// Whether the schematic is known yet.
        schematic_initialized: bool,
        /// Whether the machine was not made by the image factory.
        schematic_invalid: bool,
        /// For example `nocloud`.
        platform: String,
        /// How the machine boots.
        security_state: Option<super::SecurityState>,
        /// The image factory; empty: the first.
        image_factory_host: String,
    }

    /// The image a machine shall run. Label: [`labels::CLUSTER`](crate::labels::CLUSTER).
    SchematicConfiguration = SCHEMATIC_CONFIGURATION {
        /// Image factory schematic.
        schematic_id: String,
        /// Without v.
        talos_version: String,
    }

    /// The extensions a machine shall have.
    ///
    /// Label: [`labels::ROOT_CONFIGURATION`](crate::labels::ROOT_CONFIGURATION), the configuration they come from.
    MachineExtensions = MACHINE_EXTENSIONS {
        /// For example `siderolabs/i915`.
        extensions: Vec<String>,
    }

    /// The extensions a machine has.
    MachineExtensionsStatus = MACHINE_EXTENSIONS_STATUS {
        /// One by one.
        extensions: Vec<ExtensionStatus>,
        /// With v.
        talos_version: String,
    }

    /// An extension of a machine.
    ExtensionStatus {
        /// For example `siderolabs/i915`.
        name: String,
        /// Whether it cannot be taken away.
        immutable: bool,
        /// What happens to it.
        phase: ExtensionPhase,
    }

    /// The kernel arguments a machine shall have and has.
    KernelArgsStatus = KERNEL_ARGS_STATUS {
        /// Wanted.
        args: Vec<String>,
        /// In the image it runs.
        current_args: Vec<String>,
        /// Why the wanted ones cannot be set.
        unmet_conditions: Vec<String>,
        /// The whole command line, join token included.
        current_cmdline: Secret,
    }

    /// Where a machine installs to, and where it could.
    MachineInstallDiskStatus = MACHINE_INSTALL_DISK_STATUS {
        /// A device path; empty while it is not decided.
        disk: String,
        /// Why it is empty, or what is odd about it.
        message: String,
        /// Hash of the [`super::MachineInstallDiskConfig`] that it was decided from.
        selection_hash: String,
        /// All disks, the best first.
        disks: Vec<DiskChoice>,
    }

    /// A disk of a machine.
    DiskChoice {
        /// A device path.
        dev_path: String,
        /// Whether it can be chosen.
        selectable: bool,
        /// Why it is not chosen unasked; empty for candidates.
        skip_reason: String,
        /// Disks it is made of, by kernel name.
        members: Vec<String>,
    }
}
