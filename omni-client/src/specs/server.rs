//! What the server knows and says of itself.

message! {
    /// A Talos version that Omni knows.
    TalosVersion {
        /// Without v.
        version: String,
        /// Kubernetes versions it can run, without v.
        compatible_kubernetes_versions: Vec<String>,
        /// Whether it should not be used for something new.
        deprecated: bool,
        /// Talos versions it can go to.
        upgradable_talos_versions: Vec<String>,
        /// Whether this Omni cannot run it.
        unsupported: bool,
    }

    /// A Kubernetes version that Omni knows.
    KubernetesVersion {
        /// Without v.
        version: String,
    }

    /// Extensions there are for a Talos version.
    TalosExtensions {
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

    /// The server's version.
    SysVersion {
        /// With v.
        backend_version: String,
        /// The name it was given.
        instance_name: String,
        /// Clients of another number may not fit.
        backend_api_version: u64,
    }

    /// Whom a key belongs to.
    CurrentUser {
        /// For example `ci@serviceaccount.omni.sidero.dev`.
        identity: String,
        /// `None`, `InfraProvider`, `Reader`, `Auditor`, `Operator` or `Admin`.
        role: String,
        /// Id.
        user_id: String,
    }
}

impl CurrentUser {
    /// Whether the role is at least `role` in Omni's order. A role that is not known here is none.
    pub fn has_role(&self, role: &str) -> bool {
        const ORDER: [&str; 6] = [
            "None",
            "InfraProvider",
            "Reader",
            "Auditor",
            "Operator",
            "Admin",
        ];
        let rank = |name: &str| ORDER.iter().position(|known| *known == name);
        rank(&self.role).is_some_and(|own| rank(role).is_some_and(|needed| own >= needed))
    }
}
