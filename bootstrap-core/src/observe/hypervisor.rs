//! One Proxmox cluster: rows, then configurations of VMs that matter.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proxmox_client::VmConfig;

use super::{HypervisorView, OmniView};
use crate::machines;
use crate::ports::{Failure, Hypervisor, PortResult};
use crate::site::Site;

/// Configurations read side by side: more does not make a node answer faster.
pub(crate) const CONFIGS_AT_ONCE: usize = 4;

pub(super) async fn observe(
    site: &Site,
    provider: &str,
    omni: &OmniView,
    port: &dyn Hypervisor,
) -> PortResult<HypervisorView> {
    // Permissions come first: a wrong token is then one clear error, and lists that privileges
    // filter to nothing are told apart from empty ones.
    let mut view = HypervisorView {
        privileges: privileges(site, provider, port).await?,
        ..HypervisorView::default()
    };
    view.nodes = port
        .nodes()
        .await?
        .into_iter()
        .map(|node| (node.name, node.status == "online"))
        .collect();
    view.rows = port.vms().await?;
    let mut gpu_nodes = BTreeSet::new();
    if wants_gpus(site, provider) {
        view.mappings = port
            .pci_mappings(None)
            .await?
            .into_iter()
            .map(|mapping| (mapping.id.clone(), mapping))
            .collect();
        gpu_nodes = nodes_with_wanted_gpus(site, provider, &view);
        for node in &gpu_nodes {
            view.devices
                .insert(node.clone(), port.pci_devices(node).await?);
            check_mappings(port, node, &mut view).await?;
        }
    }
    read_configs(provider, omni, port, &gpu_nodes, &mut view).await?;
    Ok(view)
}

async fn privileges(
    site: &Site,
    provider: &str,
    port: &dyn Hypervisor,
) -> PortResult<BTreeMap<String, Vec<String>>> {
    let mut paths = vec!["/vms".to_owned()];
    if wants_gpus(site, provider) {
        paths.push("/".to_owned());
        paths.push("/mapping/pci".to_owned());
        paths.extend(wanted_mappings(site, provider).map(|id| format!("/mapping/pci/{id}")));
    }
    let mut privileges = BTreeMap::new();
    for path in paths {
        let granted = granted(port, &path).await?;
        privileges.insert(path, granted);
    }
    Ok(privileges)
}

/// The credential's privileges on a path.
pub(crate) async fn granted(port: &dyn Hypervisor, path: &str) -> PortResult<Vec<String>> {
    let mut granted = port.permissions(path).await?;
    Ok(granted.remove(path).unwrap_or_default())
}

/// What is wrong with each mapping on a node.
pub(crate) async fn check_mappings(
    port: &dyn Hypervisor,
    node: &str,
    view: &mut HypervisorView,
) -> PortResult<()> {
    for mapping in port.pci_mappings(Some(node)).await? {
        let errors = mapping.errors().map(str::to_owned).collect();
        let key = (mapping.id, node.to_owned());
        view.mapping_findings.insert(key, errors);
    }
    Ok(())
}

async fn read_configs(
    provider: &str,
    omni: &OmniView,
    port: &dyn Hypervisor,
    gpu_nodes: &BTreeSet<String>,
    view: &mut HypervisorView,
) -> PortResult<()> {
    let mut wanted: BTreeMap<u32, String> = view
        .rows
        .iter()
        .filter(|row| gpu_nodes.contains(&row.node) && !row.template)
        .map(|row| (row.vmid, row.node.clone()))
        .collect();
    let mut ours = BTreeSet::new();
    for request in omni
        .requests
        .values()
        .filter(|request| request.provider == provider)
    {
        if let Some(machine) = omni
            .provider_machines
            .get(&request.id)
            .filter(|machine| machine.vmid != 0)
        {
            // The provider never updates its node: a migrated VM is found by its row.
            let node = view
                .rows
                .iter()
                .find(|row| row.vmid == machine.vmid)
                .map_or_else(|| machine.node.clone(), |row| row.node.clone());
            ours.insert(machine.vmid);
            wanted.insert(machine.vmid, node);
        }
    }
    let ours = &ours;
    let read: Vec<(u32, String, Read)> = stream::iter(wanted)
        .map(|(vmid, node)| async move {
            let read = read_vm(port, &node, vmid, ours.contains(&vmid)).await?;
            PortResult::Ok((vmid, node, read))
        })
        .buffer_unordered(CONFIGS_AT_ONCE)
        .try_collect()
        .await?;
    for (vmid, node, read) in read {
        match read {
            Read::Gone => {}
            Read::Unreadable => {
                view.unreadable.insert(vmid, node);
            }
            Read::Config(config, applied) => {
                view.configs.insert(vmid, (node, config));
                view.applied.extend(applied.map(|applied| (vmid, applied)));
            }
        }
    }
    Ok(())
}

enum Read {
    Config(VmConfig, Option<VmConfig>),
    Gone,
    Unreadable,
}

async fn read_vm(port: &dyn Hypervisor, node: &str, vmid: u32, ours: bool) -> PortResult<Read> {
    let config = match port.vm_config(node, vmid).await {
        Ok(config) => config,
        Err(error) if error.failure == Failure::NotFound => return Ok(Read::Gone),
        // A node that is down: others must not suffer.
        Err(error) if error.failure == Failure::Unreachable => return Ok(Read::Unreadable),
        Err(error) => return Err(error),
    };
    let running = ours
        && port
            .vm_status(node, vmid)
            .await
            .is_ok_and(|status| status.status == "running");
    // Pending changes are shown as set: what a running VM really has is another read.
    let applied = if running {
        port.vm_config_current(node, vmid).await.ok()
    } else {
        None
    };
    Ok(Read::Config(config, applied))
}

fn wants_gpus(site: &Site, provider: &str) -> bool {
    wanted_mappings(site, provider).next().is_some()
}

fn wanted_mappings<'a>(site: &'a Site, provider: &'a str) -> impl Iterator<Item = &'a str> {
    site.clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
        .filter(move |set| machines::provider_of(site, set) == Some(provider))
        .flat_map(|set| set.gpus.iter().map(|gpu| gpu.mapping.as_str()))
}

fn nodes_with_wanted_gpus(site: &Site, provider: &str, view: &HypervisorView) -> BTreeSet<String> {
    let mut nodes = BTreeSet::new();
    for id in wanted_mappings(site, provider) {
        if let Some(mapping) = view.mappings.get(id) {
            nodes.extend(mapping.map.iter().map(|entry| entry.node.clone()));
        }
        if let Some(declared) = site.gpu_mappings.get(id) {
            nodes.extend(declared.devices.iter().map(|device| device.node.clone()));
        }
    }
    nodes.retain(|node| view.nodes.get(node).copied().unwrap_or(false));
    nodes
}
