//! The intent, as the rest of the crate reads it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use omni_client::Resource;
use unifi_client::{Mac, RecordType};

use crate::diagnostic::{Diagnostic, Origin};
use crate::template::Template;

/// Where a secret comes from. The value is read only when a system is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; refused when others may read it. Resolved against the site file.
    File(PathBuf),
    /// A program and its arguments; its first line of output. Never run by offline commands.
    Command(Vec<String>),
}

/// How an endpoint's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Accepted SHA-256 fingerprints.
    pub sha256: Vec<String>,
    /// CA file. Resolved against the site file.
    pub ca_file: Option<PathBuf>,
    /// No check.
    pub insecure: bool,
}

/// The Omni server.
#[derive(Debug, Clone)]
pub struct OmniEndpoint {
    /// URL.
    pub endpoint: String,
    /// Service-account key.
    pub key: SecretRef,
    /// Trust.
    pub tls: Tls,
    /// Where it stands.
    pub origin: Origin,
}

/// A Proxmox cluster and the infra provider that uses it.
#[derive(Debug, Clone)]
pub struct ProxmoxEndpoint {
    /// Provider id in Omni.
    pub provider: String,
    /// URLs of its nodes, tried in turn.
    pub endpoints: Vec<String>,
    /// API token, `user@realm!id=secret`.
    pub api_token: SecretRef,
    /// Trust.
    pub tls: Tls,
    /// Where it stands.
    pub origin: Origin,
}

/// The gateway.
#[derive(Debug, Clone)]
pub struct UnifiEndpoint {
    /// URL.
    pub endpoint: String,
    /// Site name, `default` unless said otherwise.
    pub site: String,
    /// API key.
    pub api_key: SecretRef,
    /// Trust.
    pub tls: Tls,
    /// Where it stands.
    pub origin: Origin,
}

/// A DNS record that must exist.
#[derive(Debug, Clone)]
pub struct WantedRecord {
    /// Name, lower case without final dot.
    pub name: String,
    /// Type.
    pub record_type: RecordType,
    /// Value.
    pub value: String,
    /// Seconds, 0 is automatic.
    pub ttl: u32,
    /// Where it stands.
    pub origin: Origin,
}

/// The `dns` section.
#[derive(Debug, Clone, Default)]
pub struct DnsIntent {
    /// Records to ensure.
    pub records: Vec<WantedRecord>,
    /// What the gateway should forward to; reported, never changed.
    pub upstream: Vec<IpAddr>,
    /// What each machine set's patches must set.
    pub node_resolvers: Vec<IpAddr>,
    /// The server that is asked whether records are served; the gateway, port 53, unless set.
    pub resolver: Option<SocketAddr>,
    /// Where `nodeResolvers` stands.
    pub node_resolvers_origin: Origin,
}

/// A machine class file's document.
#[derive(Debug, Clone)]
pub struct MachineClass {
    /// Id.
    pub id: String,
    /// The resource as the API takes it (snake_case spec), version 0.
    pub resource: Resource,
    /// `auto_provision.provider_id`.
    pub provider: Option<String>,
    /// `provider_data`, parsed; null where absent.
    pub provider_data: serde_json::Value,
    /// Where it stands.
    pub origin: Origin,
}

/// A PCI resource mapping to make when absent.
#[derive(Debug, Clone)]
pub struct GpuMapping {
    /// Mapping id.
    pub id: String,
    /// Provider whose cluster has it.
    pub provider: String,
    /// Devices, by node, address and `vvvv:dddd`.
    pub devices: Vec<GpuDevice>,
    /// Where it stands.
    pub origin: Origin,
}

/// A device selected by path and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuDevice {
    /// Proxmox node.
    pub node: String,
    /// `0000:03:00` or `0000:03:00.0`.
    pub path: String,
    /// `8086:56a6`.
    pub id: String,
    /// Where it stands.
    pub origin: Origin,
}

/// How a GPU gets onto a VM.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// By the class where the provider can, else on the VM.
    #[default]
    Auto,
    /// Only by the class.
    Class,
    /// Only on the VM.
    Vm,
}

/// A GPU each machine of a set must have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WantedGpu {
    /// Mapping id.
    pub mapping: String,
    /// As PCIe; needs q35.
    pub pcie: bool,
    /// As primary display.
    pub primary: bool,
    /// Way.
    pub attach: Attach,
    /// Where it stands.
    #[serde(skip)]
    pub origin: Origin,
}

/// Which machine a pin means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinKey {
    /// Omni machine id, lower case.
    Uuid(String),
    /// Hardware address.
    Mac(Mac),
}

/// What the site file says about a machine set of the template.
#[derive(Debug, Clone)]
pub struct MachineSetIntent {
    /// `control-planes`, or the Workers name.
    pub name: String,
    /// `<cluster>-<name>`: the machine set's and the machine request set's id.
    pub id: String,
    /// Whether it is the control plane.
    pub control_plane: bool,
    /// Machine class and size (0 where the template says `unlimited`); `None` for sets made of listed machines.
    pub class: Option<(String, u32)>,
    /// UniFi network by name; `None`: no DHCP work for this set.
    pub network: Option<String>,
    /// NIC whose MAC counts, `net0` unless set.
    pub nic: String,
    /// Pool, in the order written, ranges expanded. Empty: no DHCP work.
    pub addresses: Vec<Ipv4Addr>,
    /// Addresses bound to machines that exist.
    pub pins: BTreeMap<PinKey, Ipv4Addr>,
    /// GPUs per machine.
    pub gpus: Vec<WantedGpu>,
    /// Where it stands (the template's reference where bootstrap.yaml says nothing of it).
    pub origin: Origin,
    /// Where `addresses` stands.
    pub addresses_origin: Origin,
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct ClusterIntent {
    /// Name in the template.
    pub name: String,
    /// The template.
    pub template: Template,
    /// The template's resources, translated, in document order.
    pub resources: Vec<Resource>,
    /// Where the template asks for them, by type and id.
    pub origins: BTreeMap<(String, String), Origin>,
    /// Every machine set of the template.
    pub machine_sets: Vec<MachineSetIntent>,
    /// Talos version without `v`.
    pub talos_version: String,
    /// Kubernetes version without `v`.
    pub kubernetes_version: String,
    /// Whether the cluster has CNI `none` and ships no CNI.
    pub cni_none: bool,
    /// Virtual addresses found in patches: given to no machine.
    pub virtual_addresses: Vec<Ipv4Addr>,
    /// Where it stands.
    pub origin: Origin,
}

/// The whole intent, checked.
#[derive(Debug, Clone)]
pub struct Site {
    /// Marks and reports carry it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Omni.
    pub omni: OmniEndpoint,
    /// Proxmox clusters.
    pub proxmox: Vec<ProxmoxEndpoint>,
    /// Gateway.
    pub unifi: Option<UnifiEndpoint>,
    /// DNS.
    pub dns: DnsIntent,
    /// Machine classes by id.
    pub machine_classes: BTreeMap<String, MachineClass>,
    /// GPU mappings by id.
    pub gpu_mappings: BTreeMap<String, GpuMapping>,
    /// Clusters.
    pub clusters: Vec<ClusterIntent>,
    /// Findings that do not stop the work.
    pub warnings: Vec<Diagnostic>,
    /// What files alone cannot tell, as a class that may exist in Omni only. A plan knows, so it does not repeat them.
    pub unchecked: Vec<Diagnostic>,
    /// Machine sets whose patches do not set `dns.nodeResolvers`: nothing may be written while there are any.
    pub resolver_findings: Vec<Diagnostic>,
}

impl ClusterIntent {
    /// Where the template asks for a resource; where the cluster stands for one it does not have.
    pub fn origin_of(&self, resource: &Resource) -> &Origin {
        let metadata = &resource.metadata;
        self.origins
            .get(&(metadata.kind.clone(), metadata.id.clone()))
            .unwrap_or(&self.origin)
    }
}

impl Site {
    /// A machine set and its cluster, by the machine set's id (`<cluster>-<name>`).
    pub fn machine_set(&self, id: &str) -> Option<(&ClusterIntent, &MachineSetIntent)> {
        self.clusters.iter().find_map(|cluster| {
            cluster
                .machine_sets
                .iter()
                .find(|set| set.id == id)
                .map(|set| (cluster, set))
        })
    }

    /// The Proxmox cluster of a provider.
    pub fn proxmox_of(&self, provider: &str) -> Option<&ProxmoxEndpoint> {
        self.proxmox
            .iter()
            .find(|endpoint| endpoint.provider == provider)
    }
}
