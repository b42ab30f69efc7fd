//! What the API shows of VMs: live where the real one is live, stale where it is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proxmox_client::Pending;

use super::access::{Caller, Refusal};
use super::vm::{Change, Vm};
use super::{Cluster, grammar};

/// What a node last told the others about a guest.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    name: String,
    running: bool,
}

impl Shown {
    pub(super) fn of(vm: &Vm) -> Self {
        let name = vm
            .config
            .get("name")
            .cloned()
            .unwrap_or_else(|| format!("VM {}", vm.vmid));
        Self {
            name,
            running: vm.running,
        }
    }
}

/// A row of `/cluster/resources`. Name and status are those of the last broadcast, also when another VM had the
/// id then; the rest is live.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The VM itself.
    pub vm: &'a Vm,
    /// Name at the last broadcast.
    pub name: Option<&'a str>,
    /// Status at the last broadcast; absent: unknown.
    pub running: Option<bool>,
}

impl Cluster {
    /// Guests the caller may see.
    pub fn rows(&mut self, now: Duration, caller: &Caller) -> Vec<Row<'_>> {
        self.broadcast(now);
        let visible = |vm: &&Vm| caller.may(&format!("/vms/{}", vm.vmid), &["VM.Audit"]);
        let rows = self.vms.values().filter(visible).map(|vm| {
            let shown = self.shown.get(&vm.vmid);
            Row {
                vm,
                name: shown.map(|s| s.name.as_str()),
                running: shown.map(|s| s.running),
            }
        });
        rows.collect()
    }

    /// A VM on a node, if the caller may look at it.
    pub fn look(&self, caller: &Caller, node: &str, vmid: u32) -> Result<&Vm, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.Audit"])?;
        self.vm_on(node, vmid)
    }

    /// Options and digest; pending ones shown as if set, unless only the current ones are wanted.
    pub fn config(
        &self,
        caller: &Caller,
        node: &str,
        vmid: u32,
        current: bool,
    ) -> Result<(BTreeMap<String, String>, String), Refusal> {
        let vm = self.look(caller, node, vmid)?;
        let mut options = if current {
            vm.config.clone()
        } else {
            vm.intended()
        };
        if let Some(lock) = &vm.lock {
            options.insert("lock".to_owned(), lock.clone());
        }
        Ok((options, vm.digest()))
    }

    /// What is in force and what waits, the digest among it.
    pub fn pending(&self, caller: &Caller, node: &str, vmid: u32) -> Result<Vec<Pending>, Refusal> {
        let vm = self.look(caller, node, vmid)?;
        let keys: BTreeSet<&String> = vm.config.keys().chain(vm.pending.keys()).collect();
        let row = |key: &String| {
            let change = vm.pending.get(key);
            Pending {
                key: key.clone(),
                value: vm.config.get(key).cloned(),
                pending: match change {
                    Some(Change::Set(value)) => Some(value.clone()),
                    _ => None,
                },
                delete: change == Some(&Change::Delete),
            }
        };
        let fixed = |key: &str, value: String| Pending {
            key: key.to_owned(),
            value: Some(value),
            pending: None,
            delete: false,
        };
        let mut rows: Vec<Pending> = keys.into_iter().map(row).collect();
        rows.push(fixed("digest", vm.digest()));
        rows.extend(vm.lock.iter().map(|lock| fixed("lock", lock.clone())));
        Ok(rows)
    }
}

impl Vm {
    /// Seconds since QEMU started.
    pub fn uptime(&self, now: Duration) -> u64 {
        self.started
            .map_or(0, |started| now.saturating_sub(started).as_secs())
    }

    /// Tags, as stored.
    pub fn tags(&self) -> Vec<&str> {
        let tags = self.config.get("tags").map_or("", String::as_str);
        tags.split(';').filter(|tag| !tag.is_empty()).collect()
    }

    /// Virtual CPUs.
    pub fn cpus(&self) -> u64 {
        self.number("cores", 1) * self.number("sockets", 1)
    }

    /// Bytes of memory.
    pub fn memory(&self) -> u64 {
        self.number("memory", 512) * 1024 * 1024
    }

    /// Bytes of the boot disk.
    pub fn disk(&self) -> u64 {
        let disk = self.config.get("scsi0").map_or("", String::as_str);
        let found = grammar::properties(disk, "file").unwrap_or_default();
        let size = grammar::property(&found, "size").unwrap_or_default();
        size.strip_suffix('G')
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0)
            << 30
    }
}
