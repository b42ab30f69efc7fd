//! What is laid over machines and clusters. Labels or the id say what it is for.

numbered! {
    /// How manifests are kept in step.
    ManifestMode {
        /// Not said.
        Unknown = 0,
        /// Applied again whenever they differ.
        Full = 1,
        /// Applied once.
        OneTime = 2,
    }
}

message! {
    /// A Talos config patch.
    ConfigPatch {
        /// YAML.
        data: String,
    }

    /// System extensions.
    ExtensionsConfiguration {
        /// For example `siderolabs/i915`.
        extensions: Vec<String>,
    }

    /// Kernel arguments of a machine.
    KernelArgs {
        /// Arguments.
        args: Vec<String>,
    }

    /// Where a machine installs to: one of the two.
    MachineInstallDiskConfig {
        /// A device path.
        disk: String,
        /// A CEL expression.
        disk_selector: String,
    }

    /// Manifests that Omni applies to a cluster.
    KubernetesManifestGroup {
        /// YAML.
        data: String,
        /// How they are kept in step.
        mode: ManifestMode,
    }

    /// A job that judges a cluster's health.
    KubernetesHealthCheck {
        /// A Job's YAML.
        job: String,
        /// How often it runs, for example `30s`; empty: the server's default.
        interval: String,
    }
}
