//! Labels and annotations that Omni gives a meaning. Most have no value: it is their presence that counts.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = concat!("omni.sidero.dev/", $value);)*
    };
}

/// What all but a few of them begin with. Users cannot set such labels but those that say what something is for.
pub const PREFIX: &str = "omni.sidero.dev/";

/// Annotation: what people call a patch or a group of manifests.
pub const NAME: &str = "name";
/// Annotation: what people say of a patch.
pub const DESCRIPTION: &str = "description";
/// Annotation of a pending machine: another machine has its UUID.
pub const UUID_CONFLICT: &str = "siderolink.omni.sidero.dev/uuid-conflict";
/// On identities: the id of the user they name.
pub const USER_ID: &str = "user-id";
/// On identities: marks those of service accounts.
pub const TYPE_SERVICE_ACCOUNT: &str = "type-service-account";

// What something belongs to or is for.
labels! {
    /// The cluster something belongs to.
    CLUSTER = "cluster";
    /// The UUID of the cluster something belongs to.
    CLUSTER_UUID = "cluster-uuid";
    /// The machine set something belongs to.
    MACHINE_SET = "machine-set";
    /// The cluster machine a patch is for.
    CLUSTER_MACHINE = "cluster-machine";
    /// The machine a patch is for, in any cluster.
    MACHINE = "machine";
    /// Marks control planes.
    ROLE_CONTROL_PLANE = "role-controlplane";
    /// Marks workers.
    ROLE_WORKER = "role-worker";
    /// The request a machine was made for.
    MACHINE_REQUEST = "machine-request";
    /// The request set a request or machine comes from.
    MACHINE_REQUEST_SET = "machine-request-set";
    /// Set once a request's machine is a cluster member.
    MACHINE_REQUEST_IN_USE = "machine-request-in-use";
    /// The machine class something was made for.
    MACHINE_CLASS_NAME = "machine-class-name";
    /// The provider that makes a machine.
    INFRA_PROVIDER_ID = "infra-provider-id";
    /// The provider's own id of a machine.
    INFRA_ID = "infra-id";
    /// Marks providers that make no machines but power real ones.
    IS_STATIC_INFRA_PROVIDER = "is-static-infra-provider";
    /// Marks the machines of such a provider.
    IS_MANAGED_BY_STATIC_INFRA_PROVIDER = "is-managed-by-static-infra-provider";
    /// Marks machines of a static provider that nobody accepted yet.
    ACCEPT_PENDING = "accept-pending";
    /// Begins the labels that static providers give: `<this>/<provider>/<key>`.
    INFRA_PROVIDER_PREFIX = "infra-provider";
    /// On a machine made for one request set: no selector takes it.
    NO_MANUAL_ALLOCATION = "no-manual-allocation";
    /// The extensions configuration that a machine's extensions come from.
    ROOT_CONFIGURATION = "root-configuration";
    /// The UUID of a machine that wants to join.
    MACHINE_UUID = "machine-uuid";
    /// Marks the join tokens that can be used.
    ACTIVE_JOIN_TOKEN = "active-join-token";
    /// The alias of a service that is reached through Omni.
    EXPOSED_SERVICE_ALIAS = "exposed-service-alias";
}

// Of machines: what `MachineStatus` carries and classes select by.
labels! {
    /// Present while a machine is connected.
    CONNECTED = "connected";
    /// Present while a machine is not connected.
    DISCONNECTED = "disconnected";
    /// Present while a machine is in no cluster.
    AVAILABLE = "available";
    /// Present while a machine can be put to use: connected, or powered off by a static provider.
    READY_TO_USE = "ready-to-use";
    /// Present while a machine's events arrive.
    REPORTING_EVENTS = "reporting-events";
    /// Present once Talos is installed.
    INSTALLED = "installed";
    /// Present where Talos answers but does not let Omni in.
    INVALID_STATE = "invalid-state";
    /// Present on Talos Enterprise.
    ENTERPRISE = "enterprise";
    /// `enabled` or `strict` where the machine keeps to FIPS.
    FIPS = "fips";
    /// `amd64` or `arm64`.
    ARCH = "arch";
    /// The processors' maker, such as `intel`.
    CPU = "cpu";
    /// How many cores.
    CORES = "cores";
    /// How much memory, such as `16GiB`; rounded down.
    MEM = "mem";
    /// How much disk, such as `107GB`.
    STORAGE = "storage";
    /// How fast its network is, such as `10Gbps`.
    NET = "net";
    /// What it runs on, such as `nocloud` or `metal`.
    PLATFORM = "platform";
    /// Region of a cloud.
    REGION = "region";
    /// Zone of a cloud.
    ZONE = "zone";
    /// Instance type of a cloud.
    INSTANCE = "instance";
    /// The machine's Talos version.
    TALOS_VERSION = "talos-version";
    /// The machine's host name.
    HOSTNAME = "hostname";
    /// The machine's name in Kubernetes.
    NODE_NAME = "node-name";
    /// The machine's address in the tunnel.
    ADDRESS = "address";
}

// How something may be treated.
labels! {
    /// Marks patches made by Omni or a provider.
    SYSTEM_PATCH = "system-patch";
    /// Marks manifests made by Omni.
    SYSTEM_MANIFEST = "system-manifest";
    /// A patch with it is ignored.
    DISABLED = "disabled";
    /// Annotation: what cluster templates made and manage.
    MANAGED_BY_CLUSTER_TEMPLATES = "managed-by-cluster-templates";
    /// Annotation: what a GitOps tool made and manages; the web interface warns before changing it.
    MANAGED_BY_GITOPS_TOOLS = "managed-by-gitops-tools";
    /// On a machine set node that Omni made for a class; users do not manage it.
    MANAGED_BY_NODE_CONTROLLER = "managed-by-machine-set-node-controller";
    /// Annotation: a machine that must not change; workers only.
    LOCKED = "locked";
    /// On a member whose lock holds an update back.
    UPDATE_LOCKED = "locked-update";
    /// Annotation: a cluster that must not change.
    CLUSTER_LOCKED = "cluster-locked";
    /// Annotation: a cluster that is being taken over.
    CLUSTER_IMPORT_IS_IN_PROGRESS = "cluster-import-is-in-progress";
    /// On a cluster's status: its secrets were made elsewhere.
    TAINTED_BY_IMPORTING = "tainted-by-importing";
    /// On a cluster's status: its secrets were handed out.
    TAINTED_BY_EXPORTING = "tainted-by-exporting";
    /// On a cluster's status: somebody has a config that goes around Omni.
    TAINTED_BY_BREAK_GLASS = "tainted-by-break-glass";
    /// Annotation: since when.
    TAINTED_BY_BREAK_GLASS_TIMESTAMP = "tainted-by-break-glass-timestamp";
    /// Annotation of a tunnel: its machine brought a token of its own.
    CREATED_WITH_UNIQUE_TOKEN = "created-with-unique-token";
    /// Annotation of a machine: Omni took over the kernel arguments it came with.
    KERNEL_ARGS_INITIALIZED = "kernel-args-initialized";
    /// Annotation of a machine: Omni took over its cloud tags as labels.
    PLATFORM_TAG_LABELS_INITIALIZED = "platform-tag-labels-initialized";
    /// Annotation of a Kubernetes node: Omni leaves it be though it is no machine of the cluster.
    NODE_AUDIT_SKIP = "node-audit-skip";
}
