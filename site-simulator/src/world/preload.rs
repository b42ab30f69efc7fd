//! Sites that run already: a cluster is put in place by letting the same world make it, fast-forward, with what
//! people did by hand added at the moment they would have done it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, json};
use unifi_client::Mac;

use super::omni::access::Caller;
use super::omni::api::{self, Incoming};
use super::omni::kinds::{self, label};
use super::omni::store;
use super::{State, World, machine};

/// The site is this much older afterwards.
const FAST_FORWARD: Duration = Duration::from_hours(2);

/// A cluster that runs.
#[derive(Debug, Clone, Default)]
pub struct RunningCluster {
    /// Machine classes and the template's resources, in the order they are created.
    pub resources: Vec<Resource>,
    /// What was done by hand for the machines of each set, in the order the machines come.
    pub by_hand: BTreeMap<String, Vec<ByHand>>,
    /// Whether a CNI was installed, so that its nodes are Ready.
    pub cni_installed: bool,
}

/// What a person did for one machine before its first boot.
#[derive(Debug, Clone, Default)]
pub struct ByHand {
    /// Hardware address given to `net0`.
    pub mac: Option<Mac>,
    /// Address reserved for it, without any mark.
    pub address: Option<Ipv4Addr>,
    /// Alias of the client record.
    pub alias: Option<String>,
    /// Values of `hostpci0`…, raw addresses included.
    pub hostpci: Vec<String>,
}

impl World {
    /// Makes a cluster and lets two hours pass in no time. The log is empty afterwards, so figures are about
    /// what comes then. Fails when the cluster does not get all its machines running.
    pub fn preload_running(&self, cluster: &RunningCluster) -> Result<(), String> {
        let begin = self.now();
        let end = begin + FAST_FORWARD;
        let outcome = {
            let mut state = self.lock();
            state.advance(begin);
            let earlier = state
                .wall_zero
                .checked_sub(FAST_FORWARD)
                .unwrap_or(state.wall_zero);
            state.set_wall_zero(earlier);
            let outcome = state.preload(begin, end, cluster);
            state.advance(end);
            state.log.entries.clear();
            outcome
        };
        let nanos = u64::try_from(FAST_FORWARD.as_nanos()).unwrap_or(0);
        self.ahead.fetch_add(nanos, Ordering::Relaxed);
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        outcome
    }
}

impl State {
    fn preload(
        &mut self,
        begin: Duration,
        end: Duration,
        cluster: &RunningCluster,
    ) -> Result<(), String> {
        for resource in &cluster.resources {
            let incoming = Incoming {
                resource: resource.clone(),
                version: String::new(),
                spec: resource.spec.to_string(),
            };
            api::create(self, begin, &Caller::operator(), incoming)
                .map_err(|error| error.message)?;
            if cluster.cni_installed && resource.metadata.kind == kinds::CLUSTERS.name {
                self.omni.cni_installed.insert(resource.metadata.id.clone());
            }
        }
        let mut left = cluster.by_hand.clone();
        let mut seen = BTreeSet::new();
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.advance(due);
            self.work_by_hand(due, &mut left, &mut seen);
        }
        let wanted: usize = self
            .omni
            .store
            .all(kinds::MACHINE_SETS)
            .filter_map(|set| {
                set.spec
                    .pointer("/machine_allocation/machine_count")?
                    .as_u64()
            })
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX))
            .sum();
        let running = self
            .machines
            .values()
            .filter(|m| m.stage == machine::Stage::Running)
            .count();
        if running == wanted {
            Ok(())
        } else {
            Err(format!("{running} of {wanted} machines run"))
        }
    }

    /// Does the hand work for VMs that were unlocked and not started yet.
    fn work_by_hand(
        &mut self,
        now: Duration,
        left: &mut BTreeMap<String, Vec<ByHand>>,
        seen: &mut BTreeSet<machine::Key>,
    ) {
        let fresh: Vec<(machine::Key, String)> = self
            .proxmox
            .iter()
            .flat_map(|(provider, cluster)| {
                cluster
                    .vms()
                    .iter()
                    .map(move |(vmid, vm)| ((provider.clone(), *vmid), vm))
            })
            .filter(|(key, vm)| vm.lock.is_none() && !vm.running && !seen.contains(key))
            .map(|(key, vm)| (key, vm.name.clone()))
            .collect();
        for (key, request) in fresh {
            let set = self
                .omni
                .store
                .find(kinds::MACHINE_REQUESTS, &request)
                .and_then(|request| store::label(request, label::REQUEST_SET))
                .map(str::to_owned);
            let work = set
                .and_then(|set| left.get_mut(&set))
                .filter(|work| !work.is_empty());
            if let Some(work) = work.map(|work| work.remove(0)) {
                self.apply_by_hand(now, &key, &work);
            }
            seen.insert(key);
        }
    }

    fn apply_by_hand(&mut self, now: Duration, key: &machine::Key, work: &ByHand) {
        let Some(cluster) = self.proxmox.get_mut(&key.0) else {
            return;
        };
        if let (Some(mac), Some(vm)) = (work.mac, cluster.vm(key.1)) {
            let bridge = vm
                .macs
                .first()
                .map(|(_, _, bridge)| bridge.clone())
                .unwrap_or_default();
            let value = format!(
                "virtio={},bridge={bridge},firewall=1",
                mac.to_string().to_uppercase()
            );
            cluster.set_by_hand(key.1, "net0", &value);
        }
        for (index, value) in work.hostpci.iter().enumerate() {
            cluster.set_by_hand(key.1, &format!("hostpci{index}"), value);
        }
        let mac = cluster
            .vm(key.1)
            .and_then(|vm| vm.macs.first().map(|(_, mac, _)| *mac));
        let (Some(mac), Some(address)) = (mac, work.address) else {
            return;
        };
        let Some(network) = self.gateway.lan_of(address).map(|lan| lan.id.clone()) else {
            return;
        };
        let mut fields = Map::new();
        fields.insert("use_fixedip".to_owned(), json!(true));
        fields.insert("fixed_ip".to_owned(), json!(address.to_string()));
        fields.insert("network_id".to_owned(), json!(network));
        if let Some(alias) = &work.alias {
            fields.insert("name".to_owned(), json!(alias));
        }
        // A refused reservation shows as a machine with another address.
        drop(
            self.gateway
                .create_record(now, &mut self.log, mac, &fields)
                .map(|_| ()),
        );
    }
}
