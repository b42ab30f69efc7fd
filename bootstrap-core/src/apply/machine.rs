//! The work on machines, side by side: from the provider's signal to the address and the GPU.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use unifi_client::Mac;

use super::attach::{self, Attached, BEAT, Place};
use super::{Event, Outcome, Run, Worked, finding, power, reserve, wait};
use crate::diagnostic::Diagnostic;
use crate::machines::{self, is_same_machine};
use crate::observe::{Snapshot, Stage, refresh};
use crate::plan::{self, Finding, Plan, Slot};
use crate::ports::{Failure, Hypervisor, PortResult, System};

/// How long Omni may take to make the requests of a machine set.
const REQUESTS_WITHIN: Duration = Duration::from_secs(30);
/// How long a VM is looked at every [`BEAT`] before that becomes every second.
const QUICK_LOOKS: Duration = Duration::from_secs(30);
/// How long a start may take to show after the signal that it began.
const START_SHOWS_WITHIN: Duration = Duration::from_secs(600);

/// What one machine's work ended with.
#[derive(Debug, Default)]
struct Ended {
    machine: String,
    worked: Worked,
    failures: Vec<Finding>,
    needs_person: Vec<Finding>,
}

/// Fills the plan's slots with machine requests, works on all of them, and waits for the site.
pub(super) async fn work_all(run: &Arc<Run>, plan: &Plan, before: Snapshot, outcome: &mut Outcome) {
    let snapshot = match requests_made(run, before).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            outcome.failures.push(finding("the site cannot be read", error));
            return;
        }
    };
    let slots = consented(plan, plan::plan(&run.site, &snapshot), outcome);
    run.rivals.send_replace(slots.clone());
    let mut works = JoinSet::new();
    for slot in slots.iter().filter(|slot| slot.request.is_some()) {
        works.spawn(work(Arc::clone(run), slot.clone()));
    }
    let mut collect = async || {
        while let Some(ended) = works.join_next().await {
            match ended {
                Ok(ended) => take(ended, outcome),
                Err(lost) => outcome.failures.push(Finding::in_file(Diagnostic::error(format!("the work on a machine was lost: {lost}")))),
            }
        }
    };
    let waiting = wait::wait(run, &snapshot, &slots);
    let ((), waited) = tokio::join!(collect(), waiting);
    wait::conclude(run, waited, outcome);
}

fn take(ended: Ended, outcome: &mut Outcome) {
    outcome.failures.extend(ended.failures);
    outcome.needs_person.extend(ended.needs_person);
    outcome.machines.insert(ended.machine, ended.worked);
}

/// Waits until Omni has made all machine requests, so that addresses are bound by id and not by chance.
async fn requests_made(run: &Run, before: Snapshot) -> PortResult<Snapshot> {
    let mut snapshot = refresh(&run.site, &run.ports, &before).await?;
    let began = run.ports.clock.now();
    let mut told = false;
    while machines::missing(&run.site, &snapshot).values().any(|missing| *missing > 0) {
        if run.is_over() || run.ports.clock.now().saturating_sub(began) >= REQUESTS_WITHIN {
            break;
        }
        if !told {
            run.events.tell(Event::Waiting { what: "Omni to make the machine requests".to_owned() });
            told = true;
        }
        run.sleep(Duration::from_millis(250)).await;
        snapshot = refresh(&run.site, &run.ports, &snapshot).await?;
    }
    Ok(snapshot)
}

/// Later rounds may fill slots that were consented to, and nothing else.
fn consented(plan: &Plan, now: Plan, outcome: &mut Outcome) -> Vec<Slot> {
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    for slot in &plan.slots {
        *allowed.entry(&slot.machine_set).or_default() += 1;
    }
    outcome.needs_person.extend(now.needs_person);
    now.slots
        .into_iter()
        .filter(|slot| match allowed.get_mut(slot.machine_set.as_str()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => {
                let error = Diagnostic::error(format!("{} needs work that was not in the plan", slot.request.as_deref().unwrap_or(&slot.machine_set)))
                    .hint("run it again to see it planned");
                outcome.needs_person.push(Finding::of(System::Omni, error));
                false
            }
        })
        .collect()
}

async fn work(run: Arc<Run>, slot: Slot) -> Ended {
    let machine = slot.request.clone().unwrap_or_default();
    let mut ended = Ended { machine: machine.clone(), ..Ended::default() };
    let Some(port) = run.ports.hypervisors.get(&slot.provider).cloned() else {
        work_without_hypervisor(&run, &slot, &machine, &mut ended).await;
        return ended;
    };
    let Some((place, mac)) = find_vm(&run, port.as_ref(), &slot, &machine, &mut ended).await else {
        return ended;
    };
    let in_window = !attach::has_started(&run, &place);
    let reserving = async {
        let (Some(wanted), Some(mac)) = (&slot.address, mac) else {
            return Ok(());
        };
        reserve::reserve(&run, &slot, &machine, wanted, mac).await?;
        run.events.machine(&machine, format!("reserved {} for {mac}", wanted.address));
        Ok(())
    };
    let attaching = async {
        if slot.attach.is_empty() {
            return Ok(Attached::Yes);
        }
        let attached = if in_window { in_the_window(&run, port.as_ref(), &slot, &place).await? } else { Attached::Missed };
        let told = match attached {
            Attached::Yes => "GPU attached before the first start",
            Attached::Pending | Attached::Missed => "the VM was started before its GPU could be attached",
        };
        run.events.machine(&machine, told);
        Ok(attached)
    };
    let (reserved, attached) = tokio::join!(reserving, attaching);
    if let Err(error) = reserved {
        ended.failures.push(finding(&format!("no address was reserved for {machine}"), error));
    } else {
        ended.worked.reserved_in_window = slot.address.is_some() && !attach::has_started(&run, &place);
    }
    match attached {
        Ok(Attached::Yes) if slot.attach.is_empty() => {}
        Ok(Attached::Yes) => {
            ended.worked.attached_in_window = in_window;
            after_start(&run, port.as_ref(), &slot, &place, &mut ended).await;
        }
        Ok(Attached::Pending | Attached::Missed) => late(&run, port.as_ref(), &slot, &place, &mut ended).await,
        Err(error) => ended.failures.push(finding(&format!("{machine} got no GPU"), error)),
    }
    ended
}

/// The VM once it is unlocked and certainly this machine's, and the MAC that counts.
async fn find_vm(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    machine: &str,
    ended: &mut Ended,
) -> Option<(Place, Option<Mac>)> {
    let signal = tokio::select! {
        signal = run.signals.until(machine, |signal| signal.vmid != 0 && !signal.uuid.is_empty()) => signal?,
        () = over(run) => return None,
    };
    run.events.machine(machine, format!("VM {} is made on {}", signal.vmid, signal.node));
    let nic = slot.address.as_ref().map_or("net0", |address| address.nic.as_str());
    let mut place = Place {
        provider: slot.provider.clone(),
        node: signal.node,
        vmid: signal.vmid,
        request: machine.to_owned(),
        uuid: signal.uuid,
    };
    let began = run.ports.clock.now();
    loop {
        match port.vm_config(&place.node, place.vmid).await {
            Ok(config) if config.lock().is_none() && is_same_machine(&config, machine, &place.uuid) => {
                let mac = config.mac(nic).and_then(|mac| mac.parse().ok());
                return Some((place, mac));
            }
            Ok(_) => {}
            Err(error) if matches!(error.failure, Failure::Denied | Failure::Unauthorized) => {
                ended.failures.push(finding(&format!("the VM of {machine} cannot be read"), error));
                return None;
            }
            // Migrated: its row says where it is; identity is checked by the next read.
            Err(error) if error.failure == Failure::NotFound => {
                if let Some(row) = moved(port, &place).await {
                    place.node = row;
                }
            }
            Err(_) => {}
        }
        if run.is_over() {
            return None;
        }
        let quick = run.ports.clock.now().saturating_sub(began) < QUICK_LOOKS;
        run.sleep(if quick { BEAT } else { Duration::from_secs(1) }).await;
    }
}

async fn moved(port: &dyn Hypervisor, place: &Place) -> Option<String> {
    let rows = port.vms().await.ok()?;
    rows.into_iter().find(|row| row.vmid == place.vmid && row.node != place.node).map(|row| row.node)
}

async fn over(run: &Run) {
    while !run.is_over() {
        run.sleep(Duration::from_secs(1)).await;
    }
}

async fn in_the_window(run: &Run, port: &dyn Hypervisor, slot: &Slot, place: &Place) -> PortResult<Attached> {
    let attached = attach::attach(run, port, slot, place, false).await?;
    if attached == Attached::Yes && port.vm_status(&place.node, place.vmid).await?.status == "running" {
        // The start may have read the configuration just before the write.
        let current = port.vm_config_current(&place.node, place.vmid).await?;
        let all = slot.attach.iter().all(|gpu| {
            current.hostpci().values().any(|device| device.mapping.as_deref() == Some(gpu.mapping.as_str()))
        });
        return Ok(if all { Attached::Yes } else { Attached::Pending });
    }
    Ok(attached)
}

/// Looks at the start after an attach of ours: one that failed leaves the request stuck for good.
async fn after_start(run: &Run, port: &dyn Hypervisor, slot: &Slot, place: &Place, ended: &mut Ended) {
    let signal = tokio::select! {
        signal = run.signals.until(&place.request, |signal| !signal.start_task.is_empty()) => signal,
        () = over(run) => None,
    };
    let Some(upid) = signal.and_then(|signal| signal.start_task.parse().ok()) else {
        return;
    };
    let Err(error) = power::finished(run, port, place, &upid, START_SHOWS_WITHIN).await else {
        return;
    };
    if error.failure != Failure::Other {
        return;
    }
    let detached = attach::detach(port, slot, place).await;
    let mut diagnostic = Diagnostic::error(format!("the start failed with the GPU: {}", error.message)).hint(format!(
        "the provider never tries again: `omnictl delete machinerequest -n infra-provider {}` makes Omni replace the machine",
        place.request
    ));
    if let Err(error) = detached {
        diagnostic.message = format!("{}; it could not be detached either: {}", diagnostic.message, error.message);
    }
    ended.worked.attached_in_window = false;
    ended.needs_person.push(Finding::of(System::Proxmox(place.provider.clone()), diagnostic));
}

/// A GPU that missed the window: only in maintenance, or on an installed worker when allowed.
async fn late(run: &Run, port: &dyn Hypervisor, slot: &Slot, place: &Place, ended: &mut Ended) {
    loop {
        if run.is_over() {
            report_late(run, port, place, "there was no time left to do it", ended).await;
            return;
        }
        match moment(run, place).await {
            Ok(Moment::Free) => {
                if restart_with_gpu(run, port, slot, place, ended).await {
                    return;
                }
            }
            Ok(Moment::Installed) if slot.control_plane => {
                report_late(run, port, place, "it is a control plane member", ended).await;
                return;
            }
            Ok(Moment::Installed) if !run.options.allow_restart => {
                report_late(run, port, place, "--allow-restart was not given", ended).await;
                return;
            }
            Ok(Moment::Installed) => {
                restart_with_gpu(run, port, slot, place, ended).await;
                return;
            }
            Ok(Moment::Busy) | Err(_) => {}
        }
        run.sleep(Duration::from_secs(2)).await;
    }
}

enum Moment {
    /// In maintenance, not yet in a cluster.
    Free,
    /// Installed and running.
    Installed,
    /// Booting, installing, upgrading, rebooting: hands off.
    Busy,
}

async fn moment(run: &Run, place: &Place) -> PortResult<Moment> {
    let view = crate::observe::machine_now(run.ports.omni.as_ref(), &place.uuid).await?;
    Ok(match view {
        (_, Some(member)) if member.stage == Stage::Running => Moment::Installed,
        (Some(state), None) if state.maintenance && state.cluster.is_none() => Moment::Free,
        _ => Moment::Busy,
    })
}

/// Stops, attaches, starts. False when the guest would not power off and it may be tried again.
async fn restart_with_gpu(run: &Run, port: &dyn Hypervisor, slot: &Slot, place: &Place, ended: &mut Ended) -> bool {
    run.events.machine(&place.request, "stopping it to attach its GPU");
    if let Err(error) = power::shut_down(run, port, place).await {
        run.events.machine(&place.request, error.message);
        return false;
    }
    ended.worked.restarts += 1;
    let attached = attach::attach(run, port, slot, place, true).await;
    // It was running before: it is started again whatever became of the GPU.
    let started = power::start(run, port, place).await;
    if let Err(error) = attached {
        ended.failures.push(finding(&format!("{} got no GPU", place.request), error));
    }
    if let Err(error) = started {
        ended.needs_person.push(finding(&format!("{} did not start again", place.request), error));
    } else {
        run.events.machine(&place.request, "started again");
    }
    true
}

async fn report_late(run: &Run, port: &dyn Hypervisor, place: &Place, why: &str, ended: &mut Ended) {
    let reverted = attach::revert(port, place).await;
    let mut error = Diagnostic::error(format!("{} runs without its GPU: it was started first, and {why}", place.request))
        .hint("run it again with --allow-restart: a worker is then stopped and started once");
    if let Err(problem) = reverted {
        error.message = format!("{}; the change that waits for a restart could not be taken back: {}", error.message, problem.message);
    }
    run.events.machine(&place.request, "runs without its GPU");
    ended.needs_person.push(Finding::of(System::Proxmox(place.provider.clone()), error));
}

/// Without Proxmox the MAC comes from Omni once the machine has joined; the reboot after the install
/// picks the address up.
async fn work_without_hypervisor(run: &Run, slot: &Slot, machine: &str, ended: &mut Ended) {
    let Some(wanted) = &slot.address else {
        return;
    };
    while !run.is_over() {
        let uuid = run.signals.now(machine).map_or_else(|| machine.to_owned(), |signal| signal.uuid);
        if let Ok((Some(state), _)) = crate::observe::machine_now(run.ports.omni.as_ref(), &uuid).await
            && let Some(mac) = state.macs.first()
        {
            match reserve::reserve(run, slot, machine, wanted, *mac).await {
                Ok(()) => run.events.machine(machine, format!("reserved {} for {mac}", wanted.address)),
                Err(error) => ended.failures.push(finding(&format!("no address was reserved for {machine}"), error)),
            }
            return;
        }
        run.sleep(Duration::from_secs(2)).await;
    }
}
