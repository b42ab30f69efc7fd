//! A blueprint from a site file: what must be there for the site to be built, and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use bootstrap_core::machines::provider_of;
use bootstrap_core::site::{MachineSetIntent, Site};
use ipnet::Ipv4Net;
use proxmox_client::PciDevice;
use serde_json::{Value, json};
use unifi_client::{Mac, RecordType};

use crate::World;
use crate::blueprint::{Blueprint, NetworkBlueprint, NodeBlueprint, ProviderBlueprint, Stranger};
use crate::world::proxmox::CreateVm;

const NODE_MEMORY_MIB: u64 = 256 * 1024;
const DEFAULT_NODE: &str = "pve";
const DEFAULT_STORAGE: &str = "local-lvm";

/// The site a file describes, before anything was built: its endpoints are not looked at.
pub fn blueprint(site: &Site) -> Blueprint {
    let networks = networks(site);
    let (omni_name, omni_address, preset) = omni_name(site, &networks);
    Blueprint {
        omni_name: omni_name.clone(),
        omni_address,
        talos_versions: talos_versions(site),
        extensions: extensions(site),
        providers: providers(site),
        strangers: strangers(&networks),
        dns_records: if preset {
            vec![(omni_name, omni_address)]
        } else {
            Vec::new()
        },
        upstream: site.dns.upstream.iter().map(ToString::to_string).collect(),
        networks,
    }
}

/// The name nodes are told, its address, and whether it is in the gateway already because the site
/// does not declare it.
fn omni_name(site: &Site, networks: &[NetworkBlueprint]) -> (String, Ipv4Addr, bool) {
    let host = url::Url::parse(&site.omni.endpoint)
        .ok()
        .and_then(|url| url.host_str().map(str::to_lowercase))
        .unwrap_or_else(|| "omni.invalid".to_owned());
    let declared = site
        .dns
        .records
        .iter()
        .find(|record| record.record_type == RecordType::A && record.name == host)
        .and_then(|record| record.value.parse().ok());
    let somewhere = networks
        .first()
        .and_then(|network| network.subnet.hosts().nth(4))
        .unwrap_or(Ipv4Addr::new(10, 0, 0, 5));
    (host, declared.unwrap_or(somewhere), declared.is_none())
}

fn talos_versions(site: &Site) -> Vec<(String, Vec<String>)> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cluster in &site.clusters {
        versions
            .entry(cluster.talos_version.clone())
            .or_default()
            .insert(cluster.kubernetes_version.clone());
    }
    versions
        .into_iter()
        .map(|(talos, kubernetes)| (talos, kubernetes.into_iter().collect()))
        .collect()
}

fn extensions(site: &Site) -> Vec<String> {
    let wanted: BTreeSet<String> = sets(site)
        .flat_map(|(cluster, set)| {
            site.clusters[cluster]
                .template
                .extensions_for(&set.name)
                .unwrap_or_default()
        })
        .map(|name| {
            if name.contains('/') {
                name
            } else {
                format!("siderolabs/{name}")
            }
        })
        .collect();
    wanted.into_iter().collect()
}

fn sets(site: &Site) -> impl Iterator<Item = (usize, &MachineSetIntent)> {
    site.clusters
        .iter()
        .enumerate()
        .flat_map(|(index, cluster)| cluster.machine_sets.iter().map(move |set| (index, set)))
}

fn providers(site: &Site) -> Vec<ProviderBlueprint> {
    let mut ids: BTreeSet<&str> = site
        .proxmox
        .iter()
        .map(|endpoint| endpoint.provider.as_str())
        .collect();
    ids.extend(sets(site).filter_map(|(_, set)| provider_of(site, set)));
    ids.into_iter()
        .map(|id| ProviderBlueprint {
            id: id.to_owned(),
            schema: schema(),
            nodes: nodes(site, id),
        })
        .collect()
}

fn nodes(site: &Site, provider: &str) -> Vec<NodeBlueprint> {
    let mut names = BTreeSet::new();
    let mut storages = BTreeSet::new();
    for class in site
        .machine_classes
        .values()
        .filter(|class| class.provider.as_deref() == Some(provider))
    {
        names.extend(class.provider_data["node"].as_str().map(str::to_owned));
        let selector = class.provider_data["storage_selector"]
            .as_str()
            .unwrap_or_default();
        names.extend(compared(selector, "node"));
        storages.extend(compared(selector, "name"));
    }
    let devices = site
        .gpu_mappings
        .values()
        .filter(|mapping| mapping.provider == provider);
    let devices: Vec<_> = devices.flat_map(|mapping| &mapping.devices).collect();
    names.extend(devices.iter().map(|device| device.node.clone()));
    if names.is_empty() {
        names.insert(DEFAULT_NODE.to_owned());
    }
    if storages.is_empty() {
        storages.insert(DEFAULT_STORAGE.to_owned());
    }
    names
        .into_iter()
        .map(|name| {
            let own = devices.iter().filter(|device| device.node == name);
            let pci = own
                .enumerate()
                .map(|(index, device)| pci_device(index, &device.path, &device.id));
            NodeBlueprint {
                pci: pci.collect(),
                storages: storages.iter().cloned().collect(),
                memory_mib: NODE_MEMORY_MIB,
                name,
            }
        })
        .collect()
}

/// The texts a CEL expression compares a variable with: `name == "fast"` gives `fast`.
fn compared(expression: &str, variable: &str) -> Vec<String> {
    expression
        .match_indices(variable)
        .filter(|(at, _)| {
            let before = expression[..*at].chars().next_back();
            before.is_none_or(|character| {
                !character.is_alphanumeric() && character != '_' && character != '.'
            })
        })
        .filter_map(|(at, _)| {
            let rest = expression[at + variable.len()..]
                .trim_start()
                .strip_prefix("==")?
                .trim_start();
            let quote = rest
                .chars()
                .next()
                .filter(|quote| matches!(quote, '"' | '\''))?;
            rest[1..].split(quote).next().map(str::to_owned)
        })
        .collect()
}

fn pci_device(index: usize, path: &str, id: &str) -> PciDevice {
    let address = if path.contains('.') {
        path.to_owned()
    } else {
        format!("{path}.0")
    };
    PciDevice {
        address,
        class: "030000".to_owned(),
        id: id.to_owned(),
        subsystem_id: Some("1849:6006".to_owned()),
        iommu_group: u32::try_from(index).ok().map(|index| 16 + index),
        vendor_name: None,
        device_name: None,
        mdev: false,
    }
}

fn networks(site: &Site) -> Vec<NetworkBlueprint> {
    let mut found: BTreeMap<String, (BTreeSet<Ipv4Addr>, BTreeSet<String>)> = BTreeMap::new();
    for (_, set) in sets(site) {
        let name = set.network.clone().unwrap_or_else(|| "Default".to_owned());
        let (addresses, bridges) = found.entry(name).or_default();
        addresses.extend(set.addresses.iter().chain(set.pins.values()));
        let class = set
            .class
            .as_ref()
            .and_then(|(class, _)| site.machine_classes.get(class));
        let bridge = class.and_then(|class| class.provider_data["network_bridge"].as_str());
        bridges.insert(bridge.unwrap_or("vmbr0").to_owned());
    }
    found
        .into_iter()
        .enumerate()
        .map(|(index, (name, (addresses, bridges)))| {
            let subnet = subnet(site, &addresses, index);
            NetworkBlueprint {
                dhcp: dynamic_range(subnet, &addresses),
                name,
                subnet,
                vlan: None,
                bridges: bridges.into_iter().collect(),
            }
        })
        .collect()
}

/// A network that holds all addresses; its gateway is the one the site names where that fits.
fn subnet(site: &Site, addresses: &BTreeSet<Ipv4Addr>, index: usize) -> Ipv4Net {
    let third = u8::try_from(index).unwrap_or(u8::MAX);
    let fallback = Ipv4Addr::new(10, 111, third, 1);
    let any = addresses.first().copied().unwrap_or(fallback);
    let holds_all = |prefix: u8| {
        Ipv4Net::new(any, prefix)
            .is_ok_and(|net| addresses.iter().all(|address| net.contains(address)))
    };
    let prefix = (8..=24)
        .rev()
        .find(|prefix| holds_all(*prefix))
        .unwrap_or(24);
    let network = Ipv4Net::new(any, prefix).map_or(Ipv4Net::from(any), |net| net.trunc());
    let endpoint = site
        .unifi
        .as_ref()
        .and_then(|unifi| url::Url::parse(&unifi.endpoint).ok());
    let host = endpoint.and_then(|url| url.host_str()?.parse::<Ipv4Addr>().ok());
    let gateway = host
        .filter(|host| network.contains(host) && !addresses.contains(host))
        .or_else(|| network.hosts().find(|host| !addresses.contains(host)))
        .unwrap_or(any);
    Ipv4Net::new(gateway, prefix).unwrap_or(network)
}

/// Half of the upper part of the network, away from the pools where that can be had.
fn dynamic_range(subnet: Ipv4Net, addresses: &BTreeSet<Ipv4Addr>) -> (Ipv4Addr, Ipv4Addr) {
    let first = u32::from(subnet.network());
    let size = u32::from(subnet.broadcast()) - first;
    let start = (first + size / 2).max(addresses.last().map_or(0, |last| u32::from(*last) + 1));
    let stop = first + size - 1;
    (Ipv4Addr::from(start.min(stop)), Ipv4Addr::from(stop))
}

/// Somebody lives there already: a laptop with a lease, a printer with a reservation.
fn strangers(networks: &[NetworkBlueprint]) -> Vec<Stranger> {
    let Some(network) = networks.first() else {
        return Vec::new();
    };
    let dynamic = u32::from(network.dhcp.0);
    let client = |last: u8, offset: u32, reserved: bool| Stranger {
        mac: Mac([0x3c, 0x22, 0xfb, 0x10, 0x20, last]),
        ip: Ipv4Addr::from(dynamic + offset),
        live: true,
        reserved,
    };
    vec![client(1, 0, false), client(2, 1, true)]
}

/// Gives every address of the first pool to somebody who is there: only leased addresses are left.
pub fn lease_first_pool(site: &Site, blueprint: &mut Blueprint) {
    let Some((_, set)) = sets(site).find(|(_, set)| !set.addresses.is_empty()) else {
        return;
    };
    blueprint.strangers.extend(
        set.addresses
            .iter()
            .zip(0_u8..)
            .map(|(address, last)| Stranger {
                mac: Mac([0x3c, 0x22, 0xfb, 0x30, 0x40, last]),
                ip: *address,
                live: true,
                reserved: false,
            }),
    );
}

/// Lets a VM that is not ours have every GPU the site wants.
pub fn occupy_gpus(site: &Site, world: &World) {
    for mapping in site.gpu_mappings.values() {
        for device in &mapping.devices {
            world.act(|state, now| {
                let Some(cluster) = state.proxmox.get_mut(&mapping.provider) else {
                    return;
                };
                let vmid = cluster.next_id();
                let vm = CreateVm {
                    node: device.node.clone(),
                    vmid,
                    name: "media-server".to_owned(),
                    uuid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, device.path.as_bytes())
                        .to_string(),
                    machine: Some("q35".to_owned()),
                    hostpci: vec![format!("host={}", device.path)],
                    cores: 2,
                    sockets: 1,
                    memory_mib: 4096,
                    disk_gb: 32,
                    ..CreateVm::default()
                };
                // A blueprint without that node has nothing to occupy.
                let _ = cluster.create_vm(now, &mut state.rng, vm, Duration::ZERO);
            });
        }
    }
}

/// What a provider that can pass PCI devices on publishes about its provider data.
fn schema() -> Value {
    let integer = |minimum: u32| json!({"type": "integer", "minimum": minimum});
    let text = json!({"type": "string"});
    let flag = json!({"type": "boolean"});
    json!({
        "type": "object",
        "required": ["cores", "memory", "disk_size", "storage_selector"],
        "properties": {
            "cores": integer(1), "sockets": integer(1), "memory": integer(2048), "disk_size": integer(5),
            "storage_selector": text, "node": text, "network_bridge": text, "vlan": integer(0),
            "cpu_type": text, "machine_type": {"type": "string", "enum": ["q35", "i440fx"]}, "numa": flag,
            "balloon": flag, "disk_ssd": flag, "disk_discard": flag, "disk_iothread": flag,
            "disk_cache": text, "disk_aio": text, "placement_strategy": text,
            "pci_devices": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["mapping"],
                    "properties": {"mapping": text, "pcie": flag, "primary_gpu": flag, "rombar": flag},
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn selectors_name_storages_and_nodes() {
        let selector =
            "(node == \"pve-1\" && name == 'fast') ||\n(node==\"pve-2\" && name == \"slow\")";
        assert_eq!(compared(selector, "name"), ["fast", "slow"]);
        assert_eq!(compared(selector, "node"), ["pve-1", "pve-2"]);
        assert!(compared("hostname == \"x\" && free > 3", "name").is_empty());
    }
}
