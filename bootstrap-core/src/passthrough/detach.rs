//! One device less for a VM.

use std::collections::BTreeMap;

use proxmox_client::HostPci;

use super::attach::{own, refused, writable};
use super::{Change, Outcome, Problem, Step, Vm, failed_write, find, until_ended};
use crate::diagnostic::Diagnostic;
use crate::ports::{Clock, Hypervisor, PortError};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Detach {
    /// A VM's name, id or UUID.
    pub vm: String,
    /// Which of its devices.
    pub which: Which,
    /// Whether it may wait for a stop of a VM that runs.
    pub pending: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
}

/// Which device of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one by this mapping.
    Mapping(String),
    /// `hostpciN`.
    Slot(u8),
}

/// Takes a device from a VM, unless it does not have it.
///
/// # Errors
/// What speaks against it, or a call that failed.
pub async fn detach(
    port: &dyn Hypervisor,
    clock: &dyn Clock,
    wish: &Detach,
) -> Result<Outcome, Problem> {
    let vm = find(port, &wish.vm).await?;
    until_ended(clock, || detach_once(port, wish, &vm)).await
}

async fn detach_once(port: &dyn Hypervisor, wish: &Detach, vm: &Vm) -> Result<Step, Problem> {
    let (config, applied) = own(port, vm).await?;
    let has = applied.hostpci();
    let Some((index, device)) = only(vm, &wish.which, &config.hostpci())? else {
        // It may be there until the VM is stopped.
        let leaving = only(vm, &wish.which, &has)?;
        let waits = leaving.is_some();
        let leaving = leaving.as_ref().map(|(index, device)| (*index, device));
        return Ok(Step::Ended(Outcome::of(vm, leaving, Change::None, waits)));
    };
    if let Some(address) = &device.host {
        return Err(Problem::refused(
            Diagnostic::error(format!(
                "{}: hostpci{index} names the device by its address {address}",
                vm.shown()
            ))
            .hint("Proxmox lets root@pam with a password alone change such an option: use its web interface"),
        ));
    }
    let mapping = device.mapping.as_deref().unwrap_or_default();
    let running = writable(port, vm, &config, (mapping, wish.pending)).await?;
    let was_applied = has.get(&index) == Some(&device);
    let waits = running && was_applied;
    if wish.dry_run {
        return Ok(Step::Ended(Outcome::of(
            vm,
            Some((index, &device)),
            Change::Planned,
            waits,
        )));
    }
    let key = format!("hostpci{index}");
    let write = if was_applied {
        port.delete_config(&vm.node, vm.vmid, &key, &config.digest)
            .await
    } else {
        // It only waits to come.
        port.revert_config(&vm.node, vm.vmid, &key).await
    };
    if let Err(error) = write {
        return failed_write(error);
    }
    let waits = read_back(port, vm, &key, &device).await?;
    Ok(Step::Ended(Outcome::of(
        vm,
        Some((index, &device)),
        Change::Done,
        waits,
    )))
}

/// The device that is meant, if there is one.
fn only(
    vm: &Vm,
    which: &Which,
    devices: &BTreeMap<u8, HostPci>,
) -> Result<Option<(u8, HostPci)>, Problem> {
    let is_meant = |index: u8, device: &HostPci| match which {
        Which::Slot(slot) => *slot == index,
        Which::Mapping(mapping) => device.mapping.as_ref() == Some(mapping),
    };
    let mut found: Vec<(u8, HostPci)> = devices
        .iter()
        .filter(|(index, device)| is_meant(**index, device))
        .map(|(index, device)| (*index, device.clone()))
        .collect();
    if found.len() > 1 {
        let slots: Vec<String> = found
            .iter()
            .map(|(index, _)| format!("hostpci{index}"))
            .collect();
        let text = format!(
            "{} are by this mapping: give one with --slot",
            slots.join(" and ")
        );
        return Err(refused(vm, &text));
    }
    Ok(found.pop())
}

/// Whether the device stays until the VM is stopped.
async fn read_back(
    port: &dyn Hypervisor,
    vm: &Vm,
    key: &str,
    device: &HostPci,
) -> Result<bool, Problem> {
    let written = |error: PortError| Problem::after_write((&error).into());
    let rows = port.pending(&vm.node, vm.vmid).await.map_err(written)?;
    let is_it =
        |text: &Option<String>| text.as_deref().map(HostPci::parse).as_ref() == Some(device);
    match rows.into_iter().find(|row| row.key == key) {
        None => Ok(false),
        Some(row) if row.delete => Ok(true),
        Some(row) if !is_it(&row.value) && !is_it(&row.pending) => Ok(false),
        Some(_) => Err(Problem::after_write(
            Diagnostic::error(format!("{key} of {} is still there", vm.shown()))
                .hint("somebody else is at work on this VM: run it again"),
        )),
    }
}
