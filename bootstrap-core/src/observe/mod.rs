//! What the three systems look like now. List calls do not grow with the number of nodes; beside
//! them one configuration is read for each VM of ours and for each VM on a node with a wanted GPU.

use std::collections::BTreeMap;

use omni_client::Resource;
use proxmox_client::{PciDevice, PciMapping, VmConfig, VmRow};
use unifi_client::{ActiveClient, ClientRecord, DnsRecord, Lease, Network, PastClient, Upstream};

use crate::ports::{Gateway, PortError, Ports};
use crate::site::Site;

mod cluster;
mod gateway;
mod hypervisor;
mod omni;
mod template;

pub use cluster::cluster_resources;
pub(crate) use hypervisor::{CONFIGS_AT_ONCE, check_mappings, granted};
pub(crate) use omni::read;
pub use omni::{TEMPLATE_KINDS, machine_now, provider_machine};
pub use omni_client::specs::MachineStage as Stage;
pub(crate) use template::key;
pub use template::{find_each, observe_removal, observe_template, resources_of};

/// Everything a plan is made from, beside the site.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Wall clock, Unix seconds.
    pub taken: u64,
    /// Omni.
    pub omni: OmniView,
    /// Proxmox clusters by provider id.
    pub hypervisors: BTreeMap<String, HypervisorView>,
    /// The gateway, where the site has one.
    pub gateway: Option<GatewayView>,
}

/// Omni's side.
#[derive(Debug, Clone, Default)]
pub struct OmniView {
    /// This credential's role, e.g. `Operator`.
    pub role: Option<String>,
    /// Whether an access policy lets this credential write the cluster whatever its role; not read for whole sites.
    pub may_write_cluster: bool,
    /// Machine classes by id.
    pub machine_classes: BTreeMap<String, Resource>,
    /// Resources of our clusters of the kinds a template makes, by kind and id.
    pub template_resources: BTreeMap<(String, String), Resource>,
    /// Ids of all machine requests, those of other clusters included.
    pub all_requests: std::collections::BTreeSet<String>,
    /// Machine sets that use a class, whatever their cluster, by class.
    pub class_users: BTreeMap<String, Vec<String>>,
    /// Machine requests of our machine sets by id.
    pub requests: BTreeMap<String, Request>,
    /// The provider's own record of each request.
    pub provider_machines: BTreeMap<String, ProviderMachine>,
    /// Machines by UUID.
    pub machines: BTreeMap<String, MachineState>,
    /// Cluster members by UUID.
    pub members: BTreeMap<String, Member>,
    /// Clusters by name.
    pub clusters: BTreeMap<String, ClusterState>,
    /// Providers by id.
    pub providers: BTreeMap<String, ProviderState>,
    /// Talos versions with the Kubernetes versions they run.
    pub talos_versions: BTreeMap<String, Vec<String>>,
    /// Extensions known for a Talos version.
    pub extensions: BTreeMap<String, Vec<String>>,
}

/// A machine request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Id; the VM's name.
    pub id: String,
    /// Machine request set, which is the machine set's id.
    pub set: String,
    /// Provider.
    pub provider: String,
    /// Provider data as it was when the request was made.
    pub provider_data: String,
    /// Whether it is being torn down.
    pub tearing_down: bool,
    /// The provider's status line.
    pub status: String,
    /// The provider's error, if it reports one.
    pub error: String,
    /// Machine UUID once the provider chose it.
    pub uuid: Option<String>,
}

/// The provider's own record of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderMachine {
    /// Machine UUID; empty until chosen.
    pub uuid: String,
    /// Proxmox node.
    pub node: String,
    /// VM id; 0 until the create call returned.
    pub vmid: u32,
    /// Task of the start; empty until then.
    pub start_task: String,
}

/// A machine that joined Omni.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineState {
    /// Request it came from.
    pub request: Option<String>,
    /// Whether its link is up.
    pub connected: bool,
    /// Not configured yet.
    pub maintenance: bool,
    /// Cluster it belongs to.
    pub cluster: Option<String>,
    /// IPv4 addresses.
    pub addresses: Vec<std::net::Ipv4Addr>,
    /// Hardware addresses of its links.
    pub macs: Vec<unifi_client::Mac>,
    /// Last error.
    pub last_error: String,
}

/// A member of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Machine set.
    pub set: String,
    /// Stage in the life cycle.
    pub stage: Stage,
    /// Ready as Omni sees it.
    pub ready: bool,
    /// Configuration applied.
    pub config_up_to_date: bool,
    /// Link up.
    pub connected: bool,
    /// Kubernetes node name.
    pub node_name: Option<String>,
    /// Last configuration error.
    pub error: String,
}

/// A cluster's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterState {
    /// Phase 3 is RUNNING.
    pub running: bool,
    /// Ready.
    pub ready: bool,
    /// Kubernetes API answers.
    pub kubernetes_api: bool,
    /// Etcd is healthy.
    pub etcd: bool,
    /// Kubernetes nodes that are Ready.
    pub ready_nodes: Vec<String>,
}

/// An infra provider's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderState {
    /// JSON schema of its provider data.
    pub schema: Option<serde_json::Value>,
    /// Whether it is alive.
    pub connected: bool,
    /// Its health error.
    pub error: String,
}

/// One Proxmox cluster.
#[derive(Debug, Clone, Default)]
pub struct HypervisorView {
    /// Nodes, online or not.
    pub nodes: BTreeMap<String, bool>,
    /// VM rows. Never an identity.
    pub rows: Vec<VmRow>,
    /// Configurations read, by VM id, with the node.
    pub configs: BTreeMap<u32, (String, VmConfig)>,
    /// What VMs of ours that run really have, pending changes left out.
    pub applied: BTreeMap<u32, VmConfig>,
    /// VMs whose configuration could not be read, with the node: nothing is known of their devices.
    pub unreadable: BTreeMap<u32, String>,
    /// PCI devices of nodes that hold a wanted GPU.
    pub devices: BTreeMap<String, Vec<PciDevice>>,
    /// PCI mappings by id.
    pub mappings: BTreeMap<String, PciMapping>,
    /// What `check-node` found: (mapping, node) to messages.
    pub mapping_findings: BTreeMap<(String, String), Vec<String>>,
    /// Granted privileges by path asked for.
    pub privileges: BTreeMap<String, Vec<String>>,
}

/// The gateway.
#[derive(Debug, Clone, Default)]
pub struct GatewayView {
    /// This credential's role in the site.
    pub role: Option<String>,
    /// LAN networks.
    pub networks: Vec<Network>,
    /// Client records.
    pub records: Vec<ClientRecord>,
    /// Online clients and hardware.
    pub active: Vec<ActiveClient>,
    /// Live leases.
    pub leases: Vec<Lease>,
    /// Clients seen earlier.
    pub past: Vec<PastClient>,
    /// DNS records.
    pub dns: Vec<DnsRecord>,
    /// What it forwards DNS to.
    pub upstream: Upstream,
}

/// Reads everything. All systems are asked, and all that failed are told together.
pub async fn observe(site: &Site, ports: &Ports) -> Result<Snapshot, Vec<PortError>> {
    let (omni, gateway) = tokio::join!(
        omni::observe(site, ports.omni.as_ref()),
        observe_gateway(ports)
    );
    let mut errors = Vec::new();
    let omni = omni.unwrap_or_else(|error| {
        errors.push(error);
        OmniView::default()
    });
    let gateway = gateway.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let mut hypervisors = BTreeMap::new();
    for (provider, port) in &ports.hypervisors {
        match hypervisor::observe(site, provider, &omni, port.as_ref()).await {
            Ok(view) => {
                hypervisors.insert(provider.clone(), view);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        let taken = unix_seconds(ports.clock.wall());
        Ok(Snapshot {
            taken,
            omni,
            hypervisors,
            gateway,
        })
    } else {
        Err(errors)
    }
}

/// Reads what moves in Omni while machines are made: cheap enough for every other second.
pub async fn refresh(site: &Site, ports: &Ports, last: &Snapshot) -> Result<Snapshot, PortError> {
    let omni = omni::refresh(site, ports.omni.as_ref(), &last.omni).await?;
    Ok(Snapshot {
        taken: unix_seconds(ports.clock.wall()),
        omni,
        ..last.clone()
    })
}

/// Reads what moves in the gateway: records, leases, who is online.
pub async fn refresh_gateway(ports: &Ports, snapshot: &mut Snapshot) -> Result<(), PortError> {
    if let (Some(gateway), Some(view)) = (&ports.gateway, &mut snapshot.gateway) {
        gateway::refresh(gateway.as_ref(), view).await?;
    }
    Ok(())
}

/// Reads of a gateway what reservations are judged by: networks, records, leases, who is online.
pub async fn addresses(gateway: &dyn Gateway) -> Result<GatewayView, PortError> {
    gateway::addresses(gateway).await
}

async fn observe_gateway(ports: &Ports) -> Result<Option<GatewayView>, PortError> {
    match &ports.gateway {
        Some(gateway) => gateway::observe(gateway.as_ref()).await.map(Some),
        None => Ok(None),
    }
}

/// Seconds since 1970 on the wall clock.
pub(crate) fn unix_seconds(wall: std::time::SystemTime) -> u64 {
    wall.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
