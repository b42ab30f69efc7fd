//! What a simulated site is made of, before anything happens in it.

use std::net::Ipv4Addr;

use serde_json::Value;

/// A whole site.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Omni's DNS name as the nodes are told it (host of the advertised machine API).
    pub omni_name: String,
    /// The address nodes must get for that name.
    pub omni_address: Ipv4Addr,
    /// Talos versions without `v`, each with the Kubernetes versions it runs.
    pub talos_versions: Vec<(String, Vec<String>)>,
    /// Extensions the image factory knows, e.g. `siderolabs/i915`.
    pub extensions: Vec<String>,
    /// Infra providers, each with its own Proxmox cluster.
    pub providers: Vec<ProviderBlueprint>,
    /// LAN networks of the gateway. The first is where Omni and Proxmox themselves sit.
    pub networks: Vec<NetworkBlueprint>,
    /// Static DNS records that are there already: name and A value.
    pub dns_records: Vec<(String, Ipv4Addr)>,
    /// What the gateway forwards DNS to.
    pub upstream: Vec<String>,
    /// Clients that are not ours: live leases, reservations.
    pub strangers: Vec<Stranger>,
}

/// A provider and its Proxmox cluster.
#[derive(Debug, Clone)]
pub struct ProviderBlueprint {
    /// Provider id in Omni.
    pub id: String,
    /// JSON schema it registers (with or without `pci_devices`).
    pub schema: Value,
    /// Nodes.
    pub nodes: Vec<NodeBlueprint>,
}

/// A Proxmox node.
#[derive(Debug, Clone)]
pub struct NodeBlueprint {
    /// Name.
    pub name: String,
    /// Storages.
    pub storages: Vec<String>,
    /// Memory for VMs, MiB.
    pub memory_mib: u64,
    /// PCI devices.
    pub pci: Vec<proxmox_client::PciDevice>,
}

/// A LAN network and the bridge that leads to it.
#[derive(Debug, Clone)]
pub struct NetworkBlueprint {
    /// UniFi name.
    pub name: String,
    /// Gateway address and prefix.
    pub subnet: ipnet::Ipv4Net,
    /// VLAN tag.
    pub vlan: Option<u16>,
    /// First and last dynamic address.
    pub dhcp: (Ipv4Addr, Ipv4Addr),
    /// Proxmox bridges of VMs on it.
    pub bridges: Vec<String>,
}

/// A client of the gateway that is not ours.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Hardware address.
    pub mac: unifi_client::Mac,
    /// Address.
    pub ip: Ipv4Addr,
    /// Holds a live lease and is online.
    pub live: bool,
    /// Has a reservation made by hand.
    pub reserved: bool,
}

/// What goes wrong, by cause. All off by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Fix the cold window (unlock to start) instead of drawing it.
    pub window_seconds: Option<f64>,
    /// Configuration writes to Proxmox stall this long from a VM's creation on (a hung storage or proxy).
    pub config_writes_stall_seconds: f64,
    /// The gateway stores DNS records but does not serve them.
    pub dns_not_served: bool,
    /// A start with a PCI device fails ("Cannot bind … to vfio").
    pub vfio_bind_fails: bool,
    /// The nodes never become Ready unless a CNI is installed; on by itself when the cluster has CNI `none`.
    pub no_cni: bool,
    /// Share of requests (0..1) at the HTTPS door that are delayed, reset, answered 5xx, or whose answer is lost.
    pub latency: f64,
    /// See `latency`.
    pub reset: f64,
    /// See `latency`.
    pub server_error: f64,
    /// See `latency`.
    pub lost_answer: f64,
}
