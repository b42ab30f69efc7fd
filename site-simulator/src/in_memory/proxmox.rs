//! The hypervisor port.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bootstrap_core::ports::{Failure, Hypervisor, PortError, PortResult, System};
use proxmox_client::{
    MapEntry, Node, PciDevice, PciMapping, Pending, Permissions, TaskStatus, Upid, VmConfig, VmRow,
    VmStatus,
};

use crate::World;
use crate::world::State;
use crate::world::proxmox::{
    Attempt, Caller, Cluster, Mapping, OPERATOR, READER, Refusal, Task, Vm, Write, everywhere,
};

/// The cluster of one provider, used with an API token.
#[derive(Debug, Clone)]
pub struct Proxmox {
    world: Arc<World>,
    provider: String,
    caller: Caller,
}

impl Proxmox {
    /// With the minimal role of a tool that attaches devices and makes mappings.
    pub fn new(world: Arc<World>, provider: &str) -> Self {
        Self::with(
            world,
            provider,
            Caller::with("toolkit@pve", "boot", everywhere(OPERATOR)),
        )
    }

    /// With a token that sees everything and changes nothing.
    pub fn reader(world: Arc<World>, provider: &str) -> Self {
        Self::with(
            world,
            provider,
            Caller::with("reader@pve", "ro", everywhere(READER)),
        )
    }

    /// As anybody.
    pub fn with(world: Arc<World>, provider: &str, caller: Caller) -> Self {
        Self {
            world,
            provider: provider.to_owned(),
            caller,
        }
    }

    /// Runs `f` on the cluster at the present time.
    fn on<T>(
        &self,
        f: impl FnOnce(&mut Cluster, &Caller, Duration) -> Result<T, Refusal>,
    ) -> PortResult<T> {
        let result = self
            .world
            .act(|state, now| match state.proxmox.get_mut(&self.provider) {
                Some(cluster) => f(cluster, &self.caller, now),
                None => Err(no_cluster()),
            });
        result.map_err(|refusal| self.error(&refusal))
    }

    /// As [`on`](Self::on), for calls that draw how long they take.
    fn on_state<T>(
        &self,
        f: impl FnOnce(&mut State, &Caller, Duration) -> Result<T, Refusal>,
    ) -> PortResult<T> {
        self.world
            .act(|state, now| f(state, &self.caller, now))
            .map_err(|refusal| self.error(&refusal))
    }

    async fn write(&self, node: &str, vmid: u32, write: Write) -> PortResult<()> {
        write_config(
            &self.world,
            &self.provider,
            &self.caller,
            node,
            vmid,
            &write,
        )
        .await
        .map_err(|refusal| self.error(&refusal))
    }

    fn upid(&self, text: &str) -> PortResult<Upid> {
        Upid::parse(text).map_err(|error| {
            PortError::new(
                System::Proxmox(self.provider.clone()),
                Failure::Other,
                error.to_string(),
            )
        })
    }

    fn task_view(&self, task: &Task) -> PortResult<TaskStatus> {
        Ok(TaskStatus {
            upid: self.upid(&task.upid)?,
            kind: task.kind.clone(),
            id: task.id.clone(),
            start_time: task.start,
            exit_status: task.exit.clone(),
        })
    }

    fn error(&self, refusal: &Refusal) -> PortError {
        let mut message = refusal.message.trim().to_owned();
        for (field, text) in &refusal.errors {
            let _ = write!(message, " {field}: {}", text.trim().replace('\n', " "));
        }
        PortError::new(
            System::Proxmox(self.provider.clone()),
            failure_of(refusal),
            message,
        )
    }
}

fn no_cluster() -> Refusal {
    Refusal::bare(595, "Connection refused")
}

fn failure_of(refusal: &Refusal) -> Failure {
    let has = |part: &str| refusal.message.contains(part);
    match refusal.status {
        401 => Failure::Unauthorized,
        403 => Failure::Denied,
        400 if refusal
            .errors
            .values()
            .any(|text| text.contains("no such task")) =>
        {
            Failure::NotFound
        }
        400 => Failure::Invalid,
        500 if has("only root can ") => Failure::Denied,
        500 if has("checksum mismatch") || has("detected modified configuration") => {
            Failure::Conflict
        }
        500 if has("VM is locked") || has("can't lock file") => Failure::Locked,
        500 if has("does not exist") || has("' not found") => Failure::NotFound,
        500 if has(" already exists") || has(" already defined") => Failure::Conflict,
        595 | 596 | 599 => Failure::Unreachable,
        _ => Failure::Other,
    }
}

/// Writes a configuration and waits as the API waits: for a stalled storage as long as it takes, for a held lock
/// file ten seconds.
pub(crate) async fn write_config(
    world: &World,
    provider: &str,
    caller: &Caller,
    node: &str,
    vmid: u32,
    write: &Write,
) -> Result<(), Refusal> {
    let clock = Arc::clone(world.clock());
    let mut since: Option<Duration> = None;
    loop {
        let (now, attempt) = world.act(|state, now| {
            let State {
                proxmox,
                faults,
                rng,
                log,
                ..
            } = state;
            let Some(cluster) = proxmox.get_mut(provider) else {
                return (now, Attempt::Done(Err(no_cluster())));
            };
            if let Some(until) = cluster.writes_stall_until(now, vmid, faults) {
                return (now, Attempt::Wait(until));
            }
            let since = *since.get_or_insert(now);
            (
                now,
                cluster.write_config(now, since, rng, log, caller, (node, vmid), write),
            )
        });
        match attempt {
            Attempt::Done(result) => return result,
            Attempt::Wait(until) => clock.sleep(until.saturating_sub(now)).await,
        }
    }
}

fn vm_config((values, digest): (std::collections::BTreeMap<String, String>, String)) -> VmConfig {
    VmConfig { digest, values }
}

fn status_view(vm: &Vm, uptime: u64) -> VmStatus {
    VmStatus {
        status: power_word(vm.running).to_owned(),
        lock: vm.lock.clone(),
        ha_managed: vm.ha_state.is_some(),
        uptime,
    }
}

fn power_word(running: bool) -> &'static str {
    if running { "running" } else { "stopped" }
}

#[async_trait]
impl Hypervisor for Proxmox {
    async fn nodes(&self) -> PortResult<Vec<Node>> {
        self.on(|cluster, _, _| {
            let node = |name: String| {
                let online = cluster.is_reachable(&name);
                let status = if online { "online" } else { "offline" };
                Node {
                    name,
                    status: status.to_owned(),
                }
            };
            Ok(cluster.nodes().into_iter().map(node).collect())
        })
    }

    async fn vms(&self) -> PortResult<Vec<VmRow>> {
        self.on(|cluster, caller, now| {
            let rows = cluster.rows(now, caller).into_iter().map(|row| VmRow {
                vmid: row.vm.vmid,
                node: row.vm.node.clone(),
                name: row.name.map(str::to_owned),
                status: row.running.map_or("unknown", power_word).to_owned(),
                template: row.vm.config.get("template").is_some_and(|v| v == "1"),
                tags: row.vm.tags().into_iter().map(str::to_owned).collect(),
                lock: row.vm.lock.clone(),
                ha_state: row.vm.ha_state.clone(),
            });
            Ok(rows.collect())
        })
    }

    async fn vm_config(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.on(|cluster, caller, _| cluster.config(caller, node, vmid, false).map(vm_config))
    }

    async fn vm_config_current(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.on(|cluster, caller, _| cluster.config(caller, node, vmid, true).map(vm_config))
    }

    async fn set_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        value: &str,
        digest: &str,
    ) -> PortResult<()> {
        let set = vec![(key.to_owned(), value.to_owned())];
        let write = Write {
            set,
            digest: Some(digest.to_owned()),
            ..Write::default()
        };
        self.write(node, vmid, write).await
    }

    async fn delete_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        digest: &str,
    ) -> PortResult<()> {
        let delete = vec![key.to_owned()];
        let write = Write {
            delete,
            digest: Some(digest.to_owned()),
            ..Write::default()
        };
        self.write(node, vmid, write).await
    }

    async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> PortResult<()> {
        let write = Write {
            revert: vec![key.to_owned()],
            ..Write::default()
        };
        self.write(node, vmid, write).await
    }

    async fn pending(&self, node: &str, vmid: u32) -> PortResult<Vec<Pending>> {
        self.on(|cluster, caller, _| {
            let mut rows = cluster.pending(caller, node, vmid)?;
            rows.retain(|row| row.key != "digest");
            Ok(rows)
        })
    }

    async fn vm_status(&self, node: &str, vmid: u32) -> PortResult<VmStatus> {
        self.on(|cluster, caller, now| {
            let vm = cluster.look(caller, node, vmid)?;
            Ok(status_view(vm, vm.uptime(now)))
        })
    }

    async fn start(&self, node: &str, vmid: u32) -> PortResult<Upid> {
        let upid = self.on_state(|state, caller, now| {
            let State { proxmox, rng, .. } = state;
            let cluster = proxmox.get_mut(&self.provider).ok_or_else(no_cluster)?;
            cluster.start_for(now, rng, caller, node, vmid)
        })?;
        self.upid(&upid)
    }

    async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> PortResult<Upid> {
        let upid = self.on(|cluster, caller, now| {
            cluster.shutdown_for(now, caller, (node, vmid), timeout, false)
        })?;
        self.upid(&upid)
    }

    async fn task(&self, upid: &Upid) -> PortResult<TaskStatus> {
        let task = self.on(|cluster, caller, _| cluster.task(caller, upid.as_str()).cloned())?;
        self.task_view(&task)
    }

    async fn recent_tasks(&self, node: &str, vmid: u32) -> PortResult<Vec<TaskStatus>> {
        let id = vmid.to_string();
        let tasks: Vec<Task> = self.on(|cluster, caller, _| {
            let of_vm = |task: &&Task| task.id == id && task.node == node;
            Ok(cluster
                .tasks(caller)
                .into_iter()
                .filter(of_vm)
                .take(50)
                .cloned()
                .collect())
        })?;
        tasks.iter().map(|task| self.task_view(task)).collect()
    }

    async fn pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.on(|cluster, caller, _| {
            let hidden = |device: &PciDevice| {
                ["05", "06", "0b"]
                    .iter()
                    .any(|class| device.class.starts_with(class))
            };
            let devices = cluster.pci_devices(caller, node)?;
            Ok(devices
                .iter()
                .filter(|device| !hidden(device))
                .cloned()
                .collect())
        })
    }

    async fn all_pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.on(|cluster, caller, _| Ok(cluster.pci_devices(caller, node)?.to_vec()))
    }

    async fn pci_mappings(&self, check_node: Option<&str>) -> PortResult<Vec<PciMapping>> {
        self.on(|cluster, caller, _| {
            check_node.map_or(Ok(()), |node| cluster.reach(node).map(drop))?;
            let digest = cluster.mapping_digest();
            let view = |(id, mapping): (&str, &Mapping)| PciMapping {
                id: id.to_owned(),
                map: mapping
                    .map
                    .iter()
                    .map(|entry| MapEntry::parse(entry))
                    .collect(),
                description: mapping.description.clone(),
                digest: Some(digest.clone()),
                mdev: mapping.mdev,
                checks: check_node.map_or_else(Vec::new, |node| {
                    let checks = cluster.mapping_checks(id, mapping, node).into_iter();
                    checks
                        .map(|check| (check.severity.to_owned(), check.message.trim().to_owned()))
                        .collect()
                }),
            };
            Ok(cluster.mappings(caller).into_iter().map(view).collect())
        })
    }

    async fn create_pci_mapping(&self, mapping: &PciMapping) -> PortResult<()> {
        self.on(|cluster, caller, _| {
            let wanted = Mapping {
                map: mapping.map.iter().map(ToString::to_string).collect(),
                description: mapping.description.clone(),
                mdev: mapping.mdev,
            };
            cluster.create_mapping(caller, &mapping.id, wanted)
        })
    }

    async fn permissions(&self, path: &str) -> PortResult<Permissions> {
        let held: Vec<String> = self.caller.privileges(path).into_iter().collect();
        Ok(if held.is_empty() {
            Permissions::new()
        } else {
            Permissions::from([(path.to_owned(), held)])
        })
    }
}
