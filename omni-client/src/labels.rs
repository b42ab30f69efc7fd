//! Labels and annotations that Omni gives a meaning.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = concat!("omni.sidero.dev/", $value);)*
    };
}

/// What all of them begin with.
pub const PREFIX: &str = "omni.sidero.dev/";

labels! {
    /// The cluster something belongs to.
    CLUSTER = "cluster";
    /// The machine set something belongs to.
    MACHINE_SET = "machine-set";
    /// The cluster machine a patch is for.
    CLUSTER_MACHINE = "cluster-machine";
    /// The machine a patch is for, in any cluster.
    MACHINE = "machine";
    /// Marks control planes; the value is empty.
    ROLE_CONTROL_PLANE = "role-controlplane";
    /// Marks workers; the value is empty.
    ROLE_WORKER = "role-worker";
    /// The request a machine was made for.
    MACHINE_REQUEST = "machine-request";
    /// The request set a request or machine comes from.
    MACHINE_REQUEST_SET = "machine-request-set";
    /// Set once a request's machine is a cluster member.
    MACHINE_REQUEST_IN_USE = "machine-request-in-use";
    /// The provider that makes a machine.
    INFRA_PROVIDER_ID = "infra-provider-id";
    /// Present while a machine is connected.
    CONNECTED = "connected";
    /// Present while a machine is not connected.
    DISCONNECTED = "disconnected";
    /// Present while a machine is in no cluster.
    AVAILABLE = "available";
    /// Present once Talos is installed.
    INSTALLED = "installed";
    /// The machine's Talos version.
    TALOS_VERSION = "talos-version";
    /// The machine's host name.
    HOSTNAME = "hostname";
    /// The machine's name in Kubernetes.
    NODE_NAME = "node-name";
    /// Marks patches made by Omni or a provider.
    SYSTEM_PATCH = "system-patch";
    /// A patch with it is ignored.
    DISABLED = "disabled";
    /// Annotation: what cluster templates made and manage.
    MANAGED_BY_CLUSTER_TEMPLATES = "managed-by-cluster-templates";
    /// On a machine set node that Omni made for a class; users do not manage it.
    MANAGED_BY_NODE_CONTROLLER = "managed-by-machine-set-node-controller";
    /// Annotation: a machine that must not change.
    LOCKED = "locked";
    /// On a member whose lock holds an update back.
    UPDATE_LOCKED = "locked-update";
    /// Annotation: a cluster that must not change.
    CLUSTER_LOCKED = "cluster-locked";
}
