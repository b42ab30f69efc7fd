//! Figures of a rehearsal, from the world's own log: what happened, not what a client believes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use unifi_client::Mac;

use crate::World;
use crate::log::{Entry, Fact};
use crate::world::State;
use crate::world::omni::kinds;
use crate::world::provider::ClassData;

/// What a rehearsal hoped for, by machine request. What is not named is taken from the world: an address is
/// right when it was reserved, a GPU is wanted when class or VM configuration name one.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Address of the first lease.
    pub addresses: BTreeMap<String, Ipv4Addr>,
    /// Requests whose machines must have a GPU from the first boot on.
    pub gpus: BTreeSet<String>,
}

/// What happened to one machine that still exists.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFigures {
    /// Machine request.
    pub request: String,
    /// Provider.
    pub provider: String,
    /// VMID.
    pub vmid: u32,
    /// Hypervisor node.
    pub node: String,
    /// Hardware address of `net0`.
    pub mac: Option<Mac>,
    /// The cold window: from the end of the create lock to the provider's start.
    pub window: Option<Duration>,
    /// What was left of the window after the last write for this machine; absent when that came later.
    pub window_left: Option<Duration>,
    /// The first lease.
    pub first_lease: Option<Ipv4Addr>,
    /// Whether the first lease was the right one; absent when no particular one was wanted.
    pub first_lease_right: Option<bool>,
    /// Devices at the first boot.
    pub first_devices: Vec<String>,
    /// Whether the GPU was there at the first boot; absent when none was wanted.
    pub gpu_at_first_boot: Option<bool>,
    /// Starts that the provider did not ask for.
    pub restarts: usize,
    /// The last stage it reached.
    pub stage: Option<String>,
}

/// Figures of all machines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// By machine request.
    pub nodes: Vec<NodeFigures>,
}

impl Figures {
    /// First leases that were right, of those that mattered.
    pub fn leases(&self) -> (usize, usize) {
        share(self.nodes.iter().filter_map(|node| node.first_lease_right))
    }

    /// GPUs that were there at the first boot, of those wanted.
    pub fn gpus(&self) -> (usize, usize) {
        share(self.nodes.iter().filter_map(|node| node.gpu_at_first_boot))
    }

    /// All starts that the provider did not ask for.
    pub fn restarts(&self) -> usize {
        self.nodes.iter().map(|node| node.restarts).sum()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((leases, of_leases), (gpus, of_gpus)) = (self.leases(), self.gpus());
        write!(
            f,
            "first leases right {leases}/{of_leases}, GPUs at first boot {gpus}/{of_gpus}, restarts {}",
            self.restarts()
        )
    }
}

fn share(answers: impl Iterator<Item = bool>) -> (usize, usize) {
    answers.fold((0, 0), |(good, all), answer| {
        (good + usize::from(answer), all + 1)
    })
}

impl World {
    /// The figures so far.
    pub fn figures(&self, expected: &Expected) -> Figures {
        self.look(|state| figures(state, expected))
    }
}

fn figures(state: &State, expected: &Expected) -> Figures {
    let mut nodes: Vec<NodeFigures> = state
        .proxmox
        .iter()
        .flat_map(|(provider, cluster)| {
            cluster
                .vms()
                .iter()
                .map(move |(vmid, vm)| (provider, *vmid, vm))
        })
        .filter(|(_, _, vm)| {
            state
                .omni
                .store
                .find(kinds::MACHINE_REQUESTS, &vm.name)
                .is_some()
        })
        .map(|(provider, vmid, vm)| {
            let mut node = NodeFigures {
                request: vm.name.clone(),
                provider: provider.clone(),
                vmid,
                node: vm.node.clone(),
                mac: vm.macs.first().map(|(_, mac, _)| *mac),
                window: None,
                window_left: None,
                first_lease: None,
                first_lease_right: None,
                first_devices: Vec::new(),
                gpu_at_first_boot: None,
                restarts: 0,
                stage: None,
            };
            let configured = vm.intended().keys().any(|key| key.starts_with("hostpci"));
            read_log(&mut node, &state.log.entries, expected);
            judge_gpu(&mut node, state, expected, configured);
            node
        })
        .collect();
    nodes.sort_by(|a, b| a.request.cmp(&b.request));
    Figures { nodes }
}

fn read_log(node: &mut NodeFigures, log: &[Entry], expected: &Expected) {
    let mut unlocked = None;
    let mut written = None;
    let mut booted = false;
    for entry in log {
        match &entry.fact {
            Fact::VmUnlocked {
                provider, request, ..
            } if node.is(provider, request) => {
                unlocked = Some(entry.at);
            }
            Fact::ProviderStarts {
                provider, request, ..
            } if node.is(provider, request) => {
                node.window = unlocked.map(|unlocked| entry.at.saturating_sub(unlocked));
                node.window_left = written.map(|written| entry.at.saturating_sub(written));
            }
            Fact::ConfigWritten { provider, vmid, .. }
                if *provider == node.provider && *vmid == node.vmid =>
            {
                written = Some(entry.at);
            }
            Fact::Reserved { mac, .. } if Some(*mac) == node.mac && node.window.is_none() => {
                written = Some(entry.at);
            }
            Fact::VmStarted {
                provider,
                request,
                devices,
                by_provider,
                ..
            } if node.is(provider, request) => {
                if !booted {
                    node.first_devices.clone_from(devices);
                }
                booted = true;
                node.restarts += usize::from(!by_provider);
            }
            Fact::Leased { mac, ip, reserved }
                if Some(*mac) == node.mac && node.first_lease.is_none() =>
            {
                node.first_lease = Some(*ip);
                node.first_lease_right = match expected.addresses.get(&node.request) {
                    Some(wanted) => Some(wanted == ip),
                    None => reserved.then_some(true),
                };
            }
            // Reserved, but only after a lease that was another one.
            Fact::Reserved { mac, ip }
                if Some(*mac) == node.mac
                    && node.first_lease.is_some_and(|lease| lease != *ip)
                    && node.first_lease_right.is_none() =>
            {
                node.first_lease_right = Some(false);
            }
            Fact::Stage { request, stage } if *request == node.request => {
                node.stage = Some(stage.clone());
            }
            _ => {}
        }
    }
    if node.first_lease.is_none() && expected.addresses.contains_key(&node.request) {
        node.first_lease_right = Some(false);
    }
}

fn judge_gpu(node: &mut NodeFigures, state: &State, expected: &Expected, configured: bool) {
    let promised = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, &node.request)
        .and_then(|request| request.spec.get("provider_data")?.as_str())
        .is_some_and(|data| !ClassData::parse(data).hostpci.is_empty());
    if promised || configured || expected.gpus.contains(&node.request) {
        node.gpu_at_first_boot = Some(!node.first_devices.is_empty());
    }
}

impl NodeFigures {
    fn is(&self, provider: &str, request: &str) -> bool {
        self.provider == provider && self.request == request
    }
}
