//! One more device for a VM.

use std::collections::BTreeSet;

use proxmox_client::{HOSTPCI_SLOTS, HostPci, VmConfig};

use super::look::{Seen, look};
use super::{Change, GRANT, Outcome, Problem, Step, Vm, failed_write, find, until_ended};
use crate::devices::{Declared, addresses, free_devices, has_gpu, is_device, objection};
use crate::diagnostic::Diagnostic;
use crate::observe::{HypervisorView, granted};
use crate::ports::{Clock, Hypervisor, PortError, PortResult};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Attach {
    /// A VM's name, id or UUID.
    pub vm: String,
    /// The device.
    pub device: Device,
    /// PCIe instead of PCI; unsaid, as the machine type allows.
    pub pcie: Option<bool>,
    /// Whether it is the guest's first graphics card.
    pub primary: bool,
    /// Whether it may wait for a stop and start of a VM that runs.
    pub pending: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
}

/// Which device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// One of this mapping.
    Mapping(String),
    /// The one at this address of this node, by the mapping that stands for it alone.
    At {
        /// Proxmox node.
        node: String,
        /// `0000:01:00.0` or `01:00.0`.
        address: String,
    },
}

/// Attaches a device, unless the VM has it by any means.
///
/// # Errors
/// What speaks against it, or a call that failed.
pub async fn attach(
    port: &dyn Hypervisor,
    clock: &dyn Clock,
    wish: &Attach,
) -> Result<Outcome, Problem> {
    let vm = find(port, &wish.vm).await?;
    until_ended(clock, || attach_once(port, wish, &vm)).await
}

async fn attach_once(port: &dyn Hypervisor, wish: &Attach, vm: &Vm) -> Result<Step, Problem> {
    let seen = look_at_others(port, vm).await?;
    let (config, applied) = own(port, vm).await?;
    let has = applied.hostpci();
    if let Some((index, device)) = held(&seen.view, vm, &config, &wish.device) {
        let waits = has.get(&index) != Some(&device);
        return Ok(Step::Ended(Outcome::of(
            vm,
            Some((index, &device)),
            Change::None,
            waits,
        )));
    }
    let mapping = mapping_for(&seen.view, vm, &wish.device)?;
    let device = HostPci {
        pcie: wish.pcie.unwrap_or_else(|| config.is_q35()),
        primary_gpu: wish.primary,
        ..HostPci::mapped(&mapping)
    };
    let running = check(port, &seen, vm, &config, &device, wish.pending).await?;
    let used = config.hostpci();
    let index =
        (0..HOSTPCI_SLOTS).find(|index| !used.contains_key(index) && !has.contains_key(index));
    let index = index.ok_or_else(|| refused(vm, "all sixteen hostpci options are in use"))?;
    if wish.dry_run {
        return Ok(Step::Ended(Outcome::of(
            vm,
            Some((index, &device)),
            Change::Planned,
            running,
        )));
    }
    let key = format!("hostpci{index}");
    let value = device.to_string();
    let write = port.set_config(&vm.node, vm.vmid, &key, &value, &config.digest);
    if let Err(error) = write.await {
        return failed_write(error);
    }
    let waits = read_back(port, vm, &key, &device).await?;
    yield_to_others(port, vm, (&key, &mapping), waits).await?;
    Ok(Step::Ended(Outcome::of(
        vm,
        Some((index, &device)),
        Change::Done,
        waits,
    )))
}

/// The VM's node without the VM: what it has itself does not count as taken.
async fn look_at_others(port: &dyn Hypervisor, vm: &Vm) -> PortResult<Seen> {
    let mut seen = look(port, Some(&vm.node)).await?;
    seen.view.configs.remove(&vm.vmid);
    seen.view.applied.remove(&vm.vmid);
    Ok(seen)
}

/// The VM's configuration as it will be and as it is, where it is still the same VM.
pub(super) async fn own(port: &dyn Hypervisor, vm: &Vm) -> Result<(VmConfig, VmConfig), Problem> {
    let config = port.vm_config(&vm.node, vm.vmid).await?;
    let applied = port.vm_config_current(&vm.node, vm.vmid).await?;
    if vm.is(&config) {
        return Ok((config, applied));
    }
    Err(Problem::refused(
        Diagnostic::error(format!("VM {} on {} is another one now", vm.vmid, vm.node))
            .hint("VM ids are reused: look which one is meant and run it again"),
    ))
}

/// The wanted device among those the VM has, by whatever means it has it.
fn held(
    view: &HypervisorView,
    vm: &Vm,
    config: &VmConfig,
    wanted: &Device,
) -> Option<(u8, HostPci)> {
    let mut devices = config.hostpci();
    let index = match wanted {
        Device::Mapping(mapping) => {
            let mut taken = BTreeSet::new();
            has_gpu(&none(), view, &vm.node, config, mapping, &mut taken);
            taken.first().copied()?
        }
        Device::At { node, address } => {
            let is_it = |device: &HostPci| {
                let held = addresses_of(view, node, device);
                // One of several would be a guess.
                let certain = device.host.is_some() || held.len() == 1;
                certain && held.iter().any(|held| is_device(held, address))
            };
            let found = devices
                .iter()
                .find(|(_, device)| *node == vm.node && is_it(device));
            *found?.0
        }
    };
    devices.remove(&index).map(|device| (index, device))
}

/// The mapping that is meant; for an address the one that stands for this device alone.
fn mapping_for(view: &HypervisorView, vm: &Vm, device: &Device) -> Result<String, Problem> {
    let (node, address) = match device {
        Device::Mapping(mapping) if view.mappings.contains_key(mapping) => {
            return Ok(mapping.clone());
        }
        Device::Mapping(mapping) => {
            let finding = Diagnostic::error(format!("there is no mapping `{mapping}`"));
            return Err(Problem::refused(finding.hint(
                "`proxmox-gpu mappings` lists those there are; one that the token may not see is not listed",
            )));
        }
        Device::At { node, address } => (node, address),
    };
    if *node != vm.node {
        let text = format!("the device is on {node}, the VM on {}", vm.node);
        return Err(refused(vm, &text));
    }
    let covers = |id: &str| {
        let paths = addresses(&none(), view, node, id);
        let named = paths.iter().any(|path| is_device(path, address));
        named.then_some(paths.len())
    };
    let found: Vec<(&String, usize)> = view
        .mappings
        .keys()
        .filter_map(|id| Some((id, covers(id)?)))
        .collect();
    if let Some((id, _)) = found.iter().find(|(_, devices)| *devices == 1) {
        return Ok((*id).clone());
    }
    Err(match found.first() {
        Some((id, _)) => Problem::refused(
            Diagnostic::error(format!(
                "{address} of {node} is in the mapping {id} alone, which stands for other devices as well"
            ))
            .hint("Proxmox takes the first free device of a mapping: make one with this device alone, or give --mapping"),
        ),
        None => Problem::refused(
            Diagnostic::error(format!("no mapping has an entry for {address} of {node}"))
                .hint("Proxmox lets a token attach mapped devices only: make a resource mapping for it first"),
        ),
    })
}

/// Whether the VM runs, where nothing speaks against the attach.
async fn check(
    port: &dyn Hypervisor,
    seen: &Seen,
    vm: &Vm,
    config: &VmConfig,
    device: &HostPci,
    pending: bool,
) -> Result<bool, Problem> {
    if !seen.sees_all_vms() {
        return Err(Problem::refused(
            Diagnostic::error("not all VMs can be seen, so one of them may have the device")
                .hint("grant VM.Audit on /vms to the token, and to its user where the token has separate privileges"),
        ));
    }
    let mapping = device.mapping.as_deref().unwrap_or_default();
    if let Some(text) = objection(
        &none(),
        &seen.view,
        &vm.node,
        config,
        (mapping, device.pcie),
    ) {
        return Err(refused(vm, &text));
    }
    if let Some(address) = without_iommu(&seen.view, &vm.node, mapping) {
        let text = format!("{address} of {} is in no IOMMU group", vm.node);
        return Err(refused(vm, &text));
    }
    if config.is_template() {
        return Err(refused(vm, "it is a template"));
    }
    writable(port, vm, config, (mapping, pending)).await
}

/// Whether the VM runs, where a device of the mapping may be written to its options or out of them.
pub(super) async fn writable(
    port: &dyn Hypervisor,
    vm: &Vm,
    config: &VmConfig,
    (mapping, pending): (&str, bool),
) -> Result<bool, Problem> {
    for (path, privilege) in [
        (format!("/vms/{}", vm.vmid), "VM.Config.HWType"),
        (format!("/mapping/pci/{mapping}"), "Mapping.Use"),
    ] {
        let granted = granted(port, &path).await?;
        if !granted.iter().any(|name| name == privilege) {
            return Err(Problem::refused(
                Diagnostic::error(format!("{privilege} on {path} is missing")).hint(GRANT),
            ));
        }
    }
    if let Some(lock) = config.lock() {
        return Err(refused(vm, &format!("it is locked ({lock})")));
    }
    let status = port.vm_status(&vm.node, vm.vmid).await?;
    if status.ha_managed {
        return Err(refused(
            vm,
            "it is managed by Proxmox HA, which may start it on another node",
        ));
    }
    let running = status.status == "running";
    if running && !pending {
        return Err(Problem::refused(
            Diagnostic::error(format!("{} runs", vm.shown())).hint(
                "shut it down first, or give --pending: then it counts after the next stop and start",
            ),
        ));
    }
    Ok(running)
}

/// A device of the mapping that cannot be passed through for want of a group.
fn without_iommu(view: &HypervisorView, node: &str, mapping: &str) -> Option<String> {
    let paths = addresses(&none(), view, node, mapping);
    let devices = view.devices.get(node)?;
    devices
        .iter()
        .filter(|device| paths.iter().any(|path| is_device(path, &device.address)))
        .find(|device| device.iommu_group.is_none())
        .map(|device| device.address.clone())
}

/// Whether what was written waits for a stop and start.
async fn read_back(
    port: &dyn Hypervisor,
    vm: &Vm,
    key: &str,
    device: &HostPci,
) -> Result<bool, Problem> {
    let rows = port.pending(&vm.node, vm.vmid).await;
    let rows = rows.map_err(|error| Problem::after_write((&error).into()))?;
    let row = rows.into_iter().find(|row| row.key == key && !row.delete);
    let is_it =
        |text: &Option<String>| text.as_deref().map(HostPci::parse).as_ref() == Some(device);
    match row {
        Some(row) if is_it(&row.pending) => Ok(true),
        Some(row) if row.pending.is_none() && is_it(&row.value) => Ok(false),
        _ => Err(Problem::after_write(
            Diagnostic::error(format!(
                "{key} of {} is not what was just written",
                vm.shown()
            ))
            .hint("somebody else is at work on this VM: look at it before you start it"),
        )),
    }
}

/// Two that attach one device at the same time see nothing of each other before they write: the count is made again,
/// and one's own write taken back where it is one too many.
async fn yield_to_others(
    port: &dyn Hypervisor,
    vm: &Vm,
    (key, mapping): (&str, &str),
    waits: bool,
) -> Result<(), Problem> {
    let written = |error: PortError| Problem::after_write((&error).into());
    let seen = look_at_others(port, vm).await.map_err(written)?;
    let free = free_devices(&none(), &seen.view, &vm.node, mapping);
    if free.free > 0 {
        return Ok(());
    }
    let undone = if waits {
        port.revert_config(&vm.node, vm.vmid, key).await
    } else {
        let config = port.vm_config(&vm.node, vm.vmid).await.map_err(written)?;
        port.delete_config(&vm.node, vm.vmid, key, &config.digest)
            .await
    };
    undone.map_err(written)?;
    Err(Problem::after_write(Diagnostic::error(format!(
        "{} got the last device of {mapping} on {} at the same time, so {key} was taken back",
        free.users.join(", "),
        vm.node
    ))))
}

/// Addresses that a passed-through device may mean on a node.
pub(super) fn addresses_of(view: &HypervisorView, node: &str, device: &HostPci) -> Vec<String> {
    match (&device.host, &device.mapping) {
        (Some(host), _) => host.split(';').map(str::to_owned).collect(),
        (None, Some(mapping)) => addresses(&none(), view, node, mapping),
        (None, None) => Vec::new(),
    }
}

/// Nothing is declared here: only what Proxmox has counts.
fn none() -> Declared {
    Declared::new()
}

pub(super) fn refused(vm: &Vm, text: &str) -> Problem {
    Problem::refused(Diagnostic::error(format!("{}: {text}", vm.shown())))
}
