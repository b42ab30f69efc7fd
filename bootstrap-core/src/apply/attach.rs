//! A GPU onto a VM: in the cold window where that can be had. A failed start is never retried by the
//! provider, so nothing is written whose start is not certain to work.

use std::collections::BTreeSet;
use std::time::Duration;

use proxmox_client::{HostPci, VmConfig};

use super::Run;
use crate::devices::{has_gpu, interfere, objection};
use crate::machines::is_same_machine;
use crate::observe::HypervisorView;
use crate::plan::{Slot, SlotGpu};
use crate::ports::{Failure, Hypervisor, PortError, PortResult, System};

/// How long to wait before looking again at a VM that is locked or was written to.
pub(super) const BEAT: Duration = Duration::from_millis(75);
/// How many calls in a row may go unanswered.
const UNANSWERED: u32 = 5;

/// Where a machine's VM is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) provider: String,
    pub(super) node: String,
    pub(super) vmid: u32,
    pub(super) request: String,
    pub(super) uuid: String,
}

/// How an attach ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attached {
    /// Applied: the next start has it.
    Yes,
    /// The VM was running: the change waits for a stop and start.
    Pending,
    /// The VM was started before anything was written.
    Missed,
}

/// When to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Only before the first start; every moment counts.
    InWindow,
    /// To a VM that was stopped for it.
    Stopped,
}

/// What one look at the VM led to.
enum Step {
    HasAll,
    Again(PortError),
    Missed,
}

/// Attaches every GPU of the slot that the VM does not have.
pub(super) async fn attach(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    when: When,
) -> PortResult<Attached> {
    let mut unanswered = 0;
    loop {
        let step = {
            // Between the count and the write of one machine no other of ours takes the device. While
            // this one waits for its VM's lock, others go on.
            let node = run.devices_of(&place.provider, &place.node);
            let _one_at_a_time = node.lock().await;
            attach_next(run, port, slot, place, when).await
        };
        match step {
            Ok(Step::HasAll) => break,
            Ok(Step::Missed) => return Ok(Attached::Missed),
            Ok(Step::Again(error)) if run.is_over() => return Err(error),
            Ok(Step::Again(_)) => run.sleep(BEAT).await,
            // Whether a write arrived shows at the next look.
            Err(error)
                if error.failure == Failure::Unreachable
                    && unanswered < UNANSWERED
                    && !run.is_over() =>
            {
                unanswered += 1;
                run.sleep(BEAT * unanswered).await;
            }
            Err(error) => return Err(error),
        }
    }
    let waits = pending_keys(port, slot, place).await?;
    Ok(if waits.is_empty() {
        Attached::Yes
    } else {
        Attached::Pending
    })
}

/// Looks at the VM and writes the first GPU that it lacks.
async fn attach_next(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    when: When,
) -> PortResult<Step> {
    let view = mappings_of(run, port, slot, place, when).await?;
    loop {
        if when == When::InWindow && has_started(run, place) {
            return Ok(Step::Missed);
        }
        let config = port.vm_config(&place.node, place.vmid).await?;
        if !is_same_machine(&config, &place.request, &place.uuid) {
            return Err(not_ours(place));
        }
        let Some(gpu) = first_lacking(run, &view, slot, place, &config) else {
            return Ok(Step::HasAll);
        };
        let running = check_certain(run, port, &view, place, &config, gpu).await?;
        if running {
            // It was started by hand, or the provider's word of it is still on its way.
            return match when {
                When::InWindow => Ok(Step::Missed),
                When::Stopped => Err(refused(place, "the VM runs again")),
            };
        }
        let index = config
            .free_hostpci()
            .ok_or_else(|| refused(place, "all sixteen hostpci slots are in use"))?;
        match port
            .set_config(
                &place.node,
                place.vmid,
                &format!("hostpci{index}"),
                &value(gpu),
                &config.digest,
            )
            .await
        {
            Ok(()) => {}
            // While the VM is being created a mismatch is the creation's own write, not a person's.
            Err(error) if matches!(error.failure, Failure::Conflict | Failure::Locked) => {
                return Ok(Step::Again(error));
            }
            Err(error) => return Err(error),
        }
    }
}

fn first_lacking<'a>(
    run: &Run,
    view: &HypervisorView,
    slot: &'a Slot,
    place: &Place,
    config: &VmConfig,
) -> Option<&'a SlotGpu> {
    let mut taken = BTreeSet::new();
    slot.attach.iter().find(|gpu| {
        !has_gpu(
            &run.site.gpu_mappings,
            view,
            &place.node,
            config,
            &gpu.mapping,
            &mut taken,
        )
    })
}

/// Fails where the start of a VM would not be certain to work with the GPUs it lacks. Writes nothing.
pub(super) async fn check(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
) -> PortResult<()> {
    let view = mappings_of(run, port, slot, place, When::Stopped).await?;
    let config = port.vm_config(&place.node, place.vmid).await?;
    if !is_same_machine(&config, &place.request, &place.uuid) {
        return Err(not_ours(place));
    }
    match first_lacking(run, &view, slot, place, &config) {
        Some(gpu) => check_certain(run, port, &view, place, &config, gpu)
            .await
            .map(|_| ()),
        None => Ok(()),
    }
}

/// The `hostpciN` keys that wait for a stop and start.
pub(super) async fn pending_keys(
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
) -> PortResult<Vec<String>> {
    let rows = port.pending(&place.node, place.vmid).await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.key.starts_with("hostpci") && row.pending != row.value)
        // What a person left waiting there is theirs.
        .filter(|row| {
            row.pending
                .as_deref()
                .is_some_and(|pending| is_of(slot, &HostPci::parse(pending)))
        })
        .map(|row| row.key)
        .collect())
}

/// Takes back what only a restart would apply.
pub(super) async fn revert(port: &dyn Hypervisor, slot: &Slot, place: &Place) -> PortResult<()> {
    for key in pending_keys(port, slot, place).await? {
        port.revert_config(&place.node, place.vmid, &key).await?;
    }
    Ok(())
}

/// Removes the slot's devices from a stopped VM whose start failed with them.
pub(super) async fn detach(port: &dyn Hypervisor, slot: &Slot, place: &Place) -> PortResult<()> {
    loop {
        let config = port.vm_config(&place.node, place.vmid).await?;
        let ours = config
            .hostpci()
            .into_iter()
            .find(|(_, device)| is_of(slot, device));
        let Some((index, _)) = ours else {
            return Ok(());
        };
        port.delete_config(
            &place.node,
            place.vmid,
            &format!("hostpci{index}"),
            &config.digest,
        )
        .await?;
    }
}

/// Whether a device is one that the slot attaches.
fn is_of(slot: &Slot, device: &HostPci) -> bool {
    slot.attach
        .iter()
        .any(|gpu| device.mapping.as_deref() == Some(gpu.mapping.as_str()))
}

pub(super) fn has_started(run: &Run, place: &Place) -> bool {
    run.signals
        .now(&place.request)
        .is_some_and(|machine| !machine.start_task.is_empty())
}

async fn mappings_of(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    when: When,
) -> PortResult<HypervisorView> {
    let mut view = HypervisorView::default();
    for mapping in port.pci_mappings(Some(&place.node)).await? {
        let errors = mapping.errors().map(str::to_owned).collect();
        view.mapping_findings
            .insert((mapping.id.clone(), place.node.clone()), errors);
        view.mappings.insert(mapping.id.clone(), mapping);
    }
    // Only VMs that want the same device are read again: the window is short. Later there is time for all.
    let others: Vec<(u32, String)> = match when {
        When::InWindow => rivals(run, &view, slot, &place.node)
            .into_iter()
            .filter(|(_, provider)| *provider == place.provider)
            .filter_map(|(request, _)| run.signals.now(&request))
            .map(|machine| (machine.vmid, machine.node))
            .collect(),
        When::Stopped => port
            .vms()
            .await?
            .into_iter()
            .filter(|row| !row.template)
            .map(|row| (row.vmid, row.node))
            .collect(),
    };
    for (vmid, node) in others {
        if vmid == 0 || vmid == place.vmid || node != place.node {
            continue;
        }
        match port.vm_config(&node, vmid).await {
            Ok(config) => {
                view.configs.insert(vmid, (node, config));
            }
            Err(error) if error.failure == Failure::NotFound => {}
            // A VM that cannot be read may have the device.
            Err(error) => return Err(error),
        }
    }
    Ok(view)
}

fn rivals(run: &Run, view: &HypervisorView, slot: &Slot, node: &str) -> Vec<(String, String)> {
    let declared = &run.site.gpu_mappings;
    let meets = |gpu: &SlotGpu| {
        let mut own = slot.attach.iter();
        own.any(|own| interfere(declared, view, node, (&own.mapping, &gpu.mapping)))
    };
    run.rivals
        .borrow()
        .iter()
        .filter(|other| other.attach.iter().any(meets))
        .filter_map(|other| Some((other.request.clone()?, other.provider.clone())))
        .collect()
}

/// Whether the VM runs, where nothing speaks against the attach.
async fn check_certain(
    run: &Run,
    port: &dyn Hypervisor,
    view: &HypervisorView,
    place: &Place,
    config: &VmConfig,
    gpu: &SlotGpu,
) -> PortResult<bool> {
    let status = port.vm_status(&place.node, place.vmid).await?;
    if status.ha_managed {
        return Err(refused(place, "the VM is managed by Proxmox HA"));
    }
    let declared = &run.site.gpu_mappings;
    let wanted = (gpu.mapping.as_str(), gpu.pcie);
    if let Some(message) = objection(declared, view, &place.node, config, wanted) {
        return Err(refused(place, &message));
    }
    Ok(status.status == "running")
}

fn value(gpu: &SlotGpu) -> String {
    HostPci {
        mapping: Some(gpu.mapping.clone()),
        pcie: gpu.pcie,
        primary_gpu: gpu.primary,
        ..HostPci::default()
    }
    .to_string()
}

fn refused(place: &Place, message: &str) -> PortError {
    PortError::new(
        System::Proxmox(place.provider.clone()),
        Failure::Invalid,
        format!("not attached to {}: {message}", place.request),
    )
    .hint("a start that fails is never retried by the provider, so nothing was written")
}

fn not_ours(place: &Place) -> PortError {
    PortError::new(
        System::Proxmox(place.provider.clone()),
        Failure::Conflict,
        format!(
            "VM {} on {} is not {} any more",
            place.vmid, place.node, place.request
        ),
    )
    .hint("VM ids are reused: run it again")
}
