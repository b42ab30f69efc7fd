//! What is laid over machines and clusters. Labels or the id say what it is for.

use super::{Base64, Secret, Span};

numbered! {
    /// How manifests are kept in step.
    ManifestMode {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Applied again whenever they differ.
        Full "FULL" = 1,
        /// Applied once.
        OneTime "ONE_TIME" = 2,
    }
}

numbered! {
    /// How far a group of manifests is.
    ManifestGroupPhase {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Not begun.
        Pending "PENDING" = 1,
        /// Some are applied.
        Progressing "PROGRESSING" = 2,
        /// All are.
        Applied "APPLIED" = 3,
        /// Being removed.
        Deleting "DELETING" = 4,
    }
}

numbered! {
    /// How far a manifest is.
    ManifestPhase {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Not yet applied.
        Pending "PENDING" = 1,
        /// Applied.
        Applied "APPLIED" = 2,
        /// Being removed.
        Deleting "DELETING" = 3,
    }
}

numbered! {
    /// How a health check went.
    HealthCheckState {
        /// It did not run yet.
        Unknown "UNKNOWN" = 0,
        /// Its job runs.
        Running "RUNNING" = 1,
        /// The last run failed; upgrades are held.
        Failed "FAILED" = 2,
        /// The last run passed.
        Passed "PASSED" = 3,
    }
}

message! {
    /// A Talos config patch. Within a level they are applied in the order of their ids, the later winning.
    ///
    /// Written by users (Operator), and by Omni and providers with [`labels::SYSTEM_PATCH`]. Labels say what it is
    /// for: [`labels::CLUSTER`] alone, with [`labels::MACHINE_SET`] or with [`labels::CLUSTER_MACHINE`];
    /// [`labels::MACHINE`] alone survives clusters. One with [`labels::DISABLED`] is ignored. Annotations:
    /// [`labels::NAME`], [`labels::DESCRIPTION`].
    ///
    /// [`labels::SYSTEM_PATCH`]: crate::labels::SYSTEM_PATCH
    /// [`labels::CLUSTER`]: crate::labels::CLUSTER
    /// [`labels::MACHINE_SET`]: crate::labels::MACHINE_SET
    /// [`labels::CLUSTER_MACHINE`]: crate::labels::CLUSTER_MACHINE
    /// [`labels::MACHINE`]: crate::labels::MACHINE
    /// [`labels::DISABLED`]: crate::labels::DISABLED
    /// [`labels::NAME`]: crate::labels::NAME
    /// [`labels::DESCRIPTION`]: crate::labels::DESCRIPTION
    ConfigPatch = CONFIG_PATCH {
        /// YAML; patches hold passwords of registries and the like. Always plain text in this API.
        data: Secret,
        /// The same, compressed; empty in this API.
        compressed_data: Base64,
    }

    /// System extensions of a cluster, a machine set or a machine, by the labels of a [`ConfigPatch`].
    ///
    /// Written by users (Operator). The lowest level wins; they do not add up.
    ExtensionsConfiguration = EXTENSIONS_CONFIGURATION {
        /// For example `siderolabs/i915`.
        extensions: Vec<String>,
    }

    /// Kernel arguments of a machine. Its id is the machine's UUID. Written by users (Operator).
    KernelArgs = KERNEL_ARGS {
        /// At most 64 of at most 256 bytes.
        args: Vec<String>,
    }

    /// Where a machine installs to: one of the two. Its id is the machine's UUID. Written by users (Operator).
    MachineInstallDiskConfig = MACHINE_INSTALL_DISK_CONFIG {
        /// A device path.
        disk: String,
        /// A CEL expression over `disk`, as in Talos' disk selectors.
        disk_selector: String,
    }

    /// Manifests that Omni applies to the cluster of its label. Written by users (Operator).
    ///
    /// Label: [`labels::CLUSTER`](crate::labels::CLUSTER). Annotation: [`labels::NAME`](crate::labels::NAME).
    KubernetesManifestGroup = KUBERNETES_MANIFEST_GROUP {
        /// YAML. Always plain text in this API.
        data: Secret,
        /// The same, compressed; empty in this API.
        compressed_data: Base64,
        /// How they are kept in step.
        mode: ManifestMode,
    }

    /// How the manifests of a cluster stand. Its id is the cluster's. Written by Omni.
    ClusterKubernetesManifestsStatus = CLUSTER_KUBERNETES_MANIFESTS_STATUS {
        /// By the id of the group.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        groups: std::collections::BTreeMap<String, ManifestGroupStatus>,
        /// How many manifests differ.
        out_of_sync: i32,
        /// How many there are.
        total: i32,
        /// What went wrong last.
        last_error: String,
    }

    /// How a group of manifests stands.
    ManifestGroupStatus {
        /// How far.
        phase: ManifestGroupPhase,
        /// How it is kept in step.
        mode: ManifestMode,
        /// Its manifests.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        manifests: std::collections::BTreeMap<String, ManifestStatus>,
    }

    /// How a manifest stands.
    ManifestStatus {
        /// How far.
        phase: ManifestPhase,
        /// For example `Deployment`.
        kind: String,
        /// Name.
        name: String,
        /// Namespace.
        namespace: String,
        /// API group.
        group: String,
    }

    /// A job that judges the health of the cluster of its label; a failing one holds upgrades. Written by users.
    KubernetesHealthCheck = KUBERNETES_HEALTH_CHECK {
        /// A Job's YAML, with one container that ends.
        job: String,
        /// How often it runs, at least 5 s; empty: every 30 s.
        interval: Span,
    }

    /// How a health check went. Its id is the check's. Written by Omni.
    KubernetesHealthCheckStatus = KUBERNETES_HEALTH_CHECK_STATUS {
        /// How.
        state: HealthCheckState,
        /// The last failure in a line.
        error: String,
        /// What the failed container said.
        output: String,
        /// The job's namespace in the cluster.
        job_namespace: String,
        /// The job's name.
        job_name: String,
    }
}
