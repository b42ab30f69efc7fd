//! Versions that Omni knows. All written by Omni.

message! {
    /// A Talos version that Omni knows. Its id is the version, without v.
    TalosVersion = TALOS_VERSION {
        /// Without v.
        version: String,
        /// Kubernetes versions it can run, without v.
        compatible_kubernetes_versions: Vec<String>,
        /// Whether it should not be used for something new.
        deprecated: bool,
        /// Talos versions it can go to.
        upgradable_talos_versions: Vec<String>,
        /// Whether this Omni is not known to work with it.
        unsupported: bool,
        /// The image factory that has it.
        image_factory_url: String,
        /// Whether that is an enterprise one.
        is_enterprise: bool,
    }

    /// A Kubernetes version that Omni knows. Its id is the version, without v.
    KubernetesVersion = KUBERNETES_VERSION {
        /// Without v.
        version: String,
    }

    /// Extensions there are for a Talos version. Its id is that version, without v.
    TalosExtensions = TALOS_EXTENSIONS {
        /// Extensions.
        items: Vec<Extension>,
    }

    /// A system extension.
    Extension {
        /// For example `siderolabs/i915`.
        name: String,
        /// Who made it.
        author: String,
        /// Its version.
        version: String,
        /// For people.
        description: String,
        /// Image reference.
        r#ref: String,
        /// Image digest.
        digest: String,
    }

    /// The server's version. Its id is `current`.
    SysVersion = SYS_VERSION {
        /// With v.
        backend_version: String,
        /// The name it was given.
        instance_name: String,
        /// Clients of another number may not fit.
        backend_api_version: u64,
    }

    /// What a Talos version can do. Its id is the version, without v. Computed when it is read.
    Quirks = QUIRKS {
        /// It installs from one image.
        supports_unified_installer: bool,
        /// The image factory has its `talosctl`.
        supports_factory_talosctl: bool,
        /// Its images can hold a config.
        supports_embedded_config: bool,
    }
}
