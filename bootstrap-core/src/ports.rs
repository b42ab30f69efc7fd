//! What the engine needs from the world: small async traits, implemented by
//! [`adapters`](crate::adapters) for the real clients and by the simulated site in memory.
//!
//! The traits speak the clients' data types; only the verbs are abstracted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use api_transport::Clock;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use omni_client::{Event, Kind, Resource};
use proxmox_client::{
    Node, PciDevice, PciMapping, Pending, Permissions, TaskStatus, Upid, VmConfig, VmRow, VmStatus,
};
use secrecy::SecretString;
use unifi_client::{
    ActiveClient, ClientPatch, ClientRecord, DnsRecord, Lease, Mac, Network, NewClient,
    NewDnsRecord, PastClient, RecordType, Site, Upstream,
};

use crate::diagnostic::Diagnostic;

/// Which system an error came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Omni.
    Omni,
    /// The Proxmox cluster of this provider id.
    Proxmox(String),
    /// The UniFi gateway.
    Unifi,
    /// A DNS server.
    Dns,
}

/// What kind of failure it was, as far as the engine acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The thing does not exist.
    NotFound,
    /// It exists already, or changed since it was read.
    Conflict,
    /// A VM is locked or its configuration file is busy: try again shortly.
    Locked,
    /// Bad or missing credentials.
    Unauthorized,
    /// Good credentials without the right.
    Denied,
    /// The server refuses the content.
    Invalid,
    /// No answer: network, TLS, timeout, 5xx.
    Unreachable,
    /// Anything else.
    Other,
}

/// A failed call: the system, the kind of failure, a message fit to print and where possible the next step.
#[derive(Debug, Clone)]
pub struct PortError {
    /// Who said so.
    pub system: System,
    /// What the engine may conclude.
    pub failure: Failure,
    /// Message with causes, redacted.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The refusal as gRPC clients print it, where the server gave one: for those who compare with `omnictl`.
    pub said: Option<String>,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Omni => f.write_str("omni"),
            Self::Proxmox(provider) => write!(f, "proxmox ({provider})"),
            Self::Unifi => f.write_str("unifi"),
            Self::Dns => f.write_str("dns"),
        }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.system, self.message)
    }
}

impl std::error::Error for PortError {}

impl PortError {
    /// An error in our own words, without a next step.
    pub fn new(system: System, failure: Failure, message: impl Into<String>) -> Self {
        Self {
            system,
            failure,
            message: message.into(),
            hint: None,
            said: None,
        }
    }

    /// With the next step.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Something is not what the plan was made from.
    pub(crate) fn changed(system: System, what: &str) -> Self {
        let message = format!("{what} was changed by somebody else since the plan was made");
        Self::new(system, Failure::Conflict, message)
            .hint("run it again: a new plan shows what is left")
    }
}

impl From<&PortError> for Diagnostic {
    /// The call that failed, with its next step.
    fn from(error: &PortError) -> Self {
        Self {
            hint: error.hint.clone(),
            ..Self::error(error.to_string())
        }
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports")
            .field("hypervisors", &self.hypervisors.keys())
            .field("gateway", &self.gateway.is_some())
            .field("dns", &self.dns.is_some())
            .finish_non_exhaustive()
    }
}

/// A result of a port call.
pub type PortResult<T> = Result<T, PortError>;

/// Omni's resource API and the one management call the job needs.
#[async_trait]
pub trait Omni: Send + Sync {
    /// One resource, `None` when absent.
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>>;
    /// All resources of a kind, filtered by a label selector.
    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>>;
    /// Creates; `Conflict` when it exists.
    async fn create(&self, resource: &Resource) -> PortResult<()>;
    /// Replaces the version that was read; `Conflict` when it moved on.
    async fn update(&self, resource: &Resource) -> PortResult<()>;
    /// Asks for deletion and returns at once; absent is success.
    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()>;
    /// Events of a kind, existing resources first; goes on after broken connections.
    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>>;
    /// The same of what a label selector matches.
    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>>;
    /// A kubeconfig with a service account's token.
    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString>;
}

/// A Proxmox cluster.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// Cluster nodes.
    async fn nodes(&self) -> PortResult<Vec<Node>>;
    /// All QEMU guests in one call; see [`VmRow`] for what may be stale.
    async fn vms(&self) -> PortResult<Vec<VmRow>>;
    /// Configuration, pending values shown as set. `NotFound` when the VM is not on that node.
    async fn vm_config(&self, node: &str, vmid: u32) -> PortResult<VmConfig>;
    /// Configuration the running VM really has.
    async fn vm_config_current(&self, node: &str, vmid: u32) -> PortResult<VmConfig>;
    /// Sets one key, guarded by the digest. `Conflict` on another digest, `Locked` while locked.
    async fn set_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        value: &str,
        digest: &str,
    ) -> PortResult<()>;
    /// Removes one key, guarded by the digest.
    async fn delete_config(&self, node: &str, vmid: u32, key: &str, digest: &str)
    -> PortResult<()>;
    /// Drops the pending change of one key.
    async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> PortResult<()>;
    /// What is applied and what waits for a stop and start.
    async fn pending(&self, node: &str, vmid: u32) -> PortResult<Vec<Pending>>;
    /// Power state.
    async fn vm_status(&self, node: &str, vmid: u32) -> PortResult<VmStatus>;
    /// Starts; the task says how it went.
    async fn start(&self, node: &str, vmid: u32) -> PortResult<Upid>;
    /// Asks the guest to power off within `timeout`; never forced.
    async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> PortResult<Upid>;
    /// How a task is doing.
    async fn task(&self, upid: &Upid) -> PortResult<TaskStatus>;
    /// The last tasks of a VM, newest first, as far as this credential may see them.
    async fn recent_tasks(&self, node: &str, vmid: u32) -> PortResult<Vec<TaskStatus>>;
    /// PCI devices of a node, without memory controllers, bridges and processors.
    async fn pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>>;
    /// PCI devices of all classes.
    async fn all_pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>>;
    /// PCI resource mappings, checked against a node's hardware if one is named.
    async fn pci_mappings(&self, check_node: Option<&str>) -> PortResult<Vec<PciMapping>>;
    /// Creates a PCI resource mapping; `Conflict` when the id exists.
    async fn create_pci_mapping(&self, mapping: &PciMapping) -> PortResult<()>;
    /// Privileges of this credential, by path.
    async fn permissions(&self, path: &str) -> PortResult<Permissions>;
}

/// A UniFi gateway.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The configured site with this credential's role; `NotFound` when it is not visible.
    async fn site(&self) -> PortResult<Site>;
    /// LAN networks.
    async fn networks(&self) -> PortResult<Vec<Network>>;
    /// What the gateway forwards DNS to.
    async fn upstream(&self) -> PortResult<Upstream>;
    /// All client records.
    async fn client_records(&self) -> PortResult<Vec<ClientRecord>>;
    /// The client record of one MAC.
    async fn client_record(&self, mac: Mac) -> PortResult<Option<ClientRecord>>;
    /// Clients that are online, and UniFi hardware.
    async fn active_clients(&self) -> PortResult<Vec<ActiveClient>>;
    /// Live DHCP leases; empty where the gateway has no such list.
    async fn leases(&self) -> PortResult<Vec<Lease>>;
    /// Clients seen earlier.
    async fn past_clients(&self) -> PortResult<Vec<PastClient>>;
    /// Makes a client record with a reservation; `Conflict` when the MAC or the address is taken.
    async fn create_client(&self, client: &NewClient) -> PortResult<()>;
    /// Changes a client record, only what is named.
    async fn update_client(&self, id: &str, mac: Mac, patch: &ClientPatch) -> PortResult<()>;
    /// Static DNS records.
    async fn dns_records(&self) -> PortResult<Vec<DnsRecord>>;
    /// Makes a DNS record; `Conflict` when it exists.
    async fn create_dns_record(&self, record: &NewDnsRecord) -> PortResult<()>;
    /// Replaces the DNS record of an id that was listed.
    async fn update_dns_record(&self, id: &str, record: &NewDnsRecord) -> PortResult<()>;
    /// Deletes the DNS record of an id that was listed; absent is success.
    async fn delete_dns_record(&self, id: &str) -> PortResult<()>;
}

/// A DNS server that nodes will ask.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Values for a name; empty when the server says there are none.
    async fn lookup(&self, name: &str, record: &RecordType) -> PortResult<Vec<String>>;
}

/// Everything the engine works with. Each system but Omni is optional.
#[derive(Clone)]
pub struct Ports {
    /// Omni.
    pub omni: Arc<dyn Omni>,
    /// Proxmox clusters by provider id.
    pub hypervisors: BTreeMap<String, Arc<dyn Hypervisor>>,
    /// The gateway.
    pub gateway: Option<Arc<dyn Gateway>>,
    /// The resolver that nodes use first.
    pub dns: Option<Arc<dyn Dns>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}
