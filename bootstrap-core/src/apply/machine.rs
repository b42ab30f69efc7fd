//! The work on machines, side by side: from the provider's signal to the address and the GPU.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use unifi_client::Mac;

use super::attach::{self, Attached, BEAT, Place, When};
use super::{Event, Outcome, Run, Worked, finding, late, reserve, wait};
use crate::diagnostic::Diagnostic;
use crate::machines::{self, is_same_machine};
use crate::observe::{Snapshot, refresh};
use crate::plan::{self, Finding, Plan, Slot};
use crate::ports::{Failure, Hypervisor, PortResult, System};

/// How long Omni may take to make the requests of a machine set.
const REQUESTS_WITHIN: Duration = Duration::from_secs(30);
/// How long a VM is looked at every [`BEAT`] before that becomes every second.
const QUICK_LOOKS: Duration = Duration::from_secs(30);
/// How often a reservation is tried while the gateway does not answer.
const RESERVE_TRIES: u32 = 6;

/// What one machine's work ended with.
#[derive(Debug, Default)]
pub(super) struct Ended {
    machine: String,
    pub(super) worked: Worked,
    pub(super) failures: Vec<Finding>,
    pub(super) needs_person: Vec<Finding>,
}

/// Fills the plan's slots with machine requests, works on all of them, and waits for the site.
pub(super) async fn work_all(run: &Arc<Run>, plan: &Plan, before: Snapshot, outcome: &mut Outcome) {
    let snapshot = match requests_made(run, before).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            outcome
                .failures
                .push(finding("the site cannot be read", error));
            return;
        }
    };
    let slots = consented(plan, plan::plan(&run.site, &snapshot), outcome);
    run.rivals.send_replace(slots.clone());
    let mut works = JoinSet::new();
    for slot in slots.iter().filter(|slot| slot.request.is_some()) {
        works.spawn(work(Arc::clone(run), slot.clone()));
    }
    for (slot, place) in switched_off(run, &snapshot, &slots) {
        works.spawn(resume(Arc::clone(run), slot, place));
    }
    let mut collect = async || {
        while let Some(ended) = works.join_next().await {
            match ended {
                Ok(ended) => take(ended, outcome),
                Err(lost) => outcome
                    .failures
                    .push(Finding::in_file(Diagnostic::error(format!(
                        "the work on a machine was lost: {lost}"
                    )))),
            }
        }
    };
    let waiting = async {
        let waited = wait::wait(run, &snapshot, &slots).await;
        if run.options.wait != Some(wait::Wait::None) {
            run.settled.send_replace(Some(run.ports.clock.now()));
        }
        waited
    };
    let ((), mut waited) = tokio::join!(collect(), waiting);
    let restarted = outcome
        .machines
        .values()
        .any(|machine| machine.restarts > 0);
    if restarted && run.options.wait != Some(wait::Wait::None) && !run.is_over() {
        // What was stopped and started late is to run again; Omni needs a moment to miss it.
        run.sleep(super::NEWS_TRAVELS).await;
        waited = wait::wait(run, &snapshot, &slots).await.after(waited);
    }
    wait::conclude(run, waited, outcome);
}

fn take(ended: Ended, outcome: &mut Outcome) {
    outcome.failures.extend(ended.failures);
    outcome.needs_person.extend(ended.needs_person);
    outcome.machines.insert(ended.machine, ended.worked);
}

/// Waits until Omni has made all machine requests, so that addresses are bound by id and not by chance.
async fn requests_made(run: &Run, before: Snapshot) -> PortResult<Snapshot> {
    let began = run.ports.clock.now();
    let is_late =
        || run.is_over() || run.ports.clock.now().saturating_sub(began) >= REQUESTS_WITHIN;
    let mut told = false;
    let mut snapshot = loop {
        match refresh(&run.site, &run.ports, &before).await {
            Ok(snapshot) => break snapshot,
            Err(error) if is_late() => return Err(error),
            Err(error) => run.events.tell(Event::Note {
                text: error.to_string(),
            }),
        }
        run.sleep(Duration::from_secs(1)).await;
    };
    while machines::missing(&run.site, &snapshot)
        .values()
        .any(|missing| *missing > 0)
    {
        if is_late() {
            break;
        }
        if !told {
            run.events.tell(Event::Waiting {
                what: "Omni to make the machine requests".to_owned(),
            });
            told = true;
        }
        run.sleep(Duration::from_millis(250)).await;
        match refresh(&run.site, &run.ports, &snapshot).await {
            Ok(next) => snapshot = next,
            Err(error) => run.events.tell(Event::Note {
                text: error.to_string(),
            }),
        }
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
                let error = Diagnostic::error(format!(
                    "{} needs work that was not in the plan",
                    slot.request.as_deref().unwrap_or(&slot.machine_set)
                ))
                .hint("run it again to see it planned");
                outcome.needs_person.push(Finding::of(System::Omni, error));
                false
            }
        })
        .collect()
}

async fn work(run: Arc<Run>, slot: Slot) -> Ended {
    let machine = slot.request.clone().unwrap_or_default();
    let mut ended = Ended {
        machine: machine.clone(),
        worked: Worked {
            wants_address: slot.address.is_some(),
            wants_gpu: !slot.attach.is_empty(),
            ..Worked::default()
        },
        ..Ended::default()
    };
    tokio::select! {
        () = work_on(&run, &slot, &machine, &mut ended) => {}
        () = torn_down(&run, &machine) => run.events.machine(&machine, "is being torn down: nothing more is done for it"),
    }
    ended
}

/// Comes when a machine request that was there is torn down, or gone.
async fn torn_down(run: &Run, machine: &str) {
    let mut was_there = false;
    loop {
        match run
            .ports
            .omni
            .get(&omni_client::kinds::MACHINE_REQUEST, machine)
            .await
        {
            Ok(Some(request)) if request.metadata.phase == omni_client::Phase::Running => {
                was_there = true;
            }
            Ok(Some(_)) => return,
            // Listed machines have no request.
            Ok(None) if was_there => return,
            Ok(None) | Err(_) => {}
        }
        run.sleep(Duration::from_secs(5)).await;
    }
}

async fn work_on(run: &Run, slot: &Slot, machine: &str, ended: &mut Ended) {
    let Some(port) = run.ports.hypervisors.get(&slot.provider).cloned() else {
        work_without_hypervisor(run, slot, machine, ended).await;
        return;
    };
    let Some((place, mac)) = find_vm(run, port.as_ref(), slot, machine, ended).await else {
        return;
    };
    let in_window = !attach::has_started(run, &place);
    let attaching = async {
        if slot.attach.is_empty() {
            return Ok(Attached::Yes);
        }
        let attached = if in_window {
            attach::attach(run, port.as_ref(), slot, &place, When::InWindow).await?
        } else {
            Attached::Missed
        };
        let told = match attached {
            Attached::Yes => "GPU attached before the first start",
            Attached::Pending | Attached::Missed => {
                "the VM was started before its GPU could be attached"
            }
        };
        run.events.machine(machine, told);
        Ok(attached)
    };
    let (reserved, attached) = tokio::join!(reserve_for(run, slot, machine, mac), attaching);
    match reserved {
        Err(error) => ended.failures.push(finding(
            &format!("no address was reserved for {machine}"),
            error,
        )),
        Ok(()) => {
            ended.worked.reserved_in_window =
                slot.address.is_some() && !attach::has_started(run, &place);
        }
    }
    match attached {
        Ok(Attached::Yes) if slot.attach.is_empty() => {}
        Ok(Attached::Yes) => {
            ended.worked.attached_in_window = in_window;
            late::after_start(run, port.as_ref(), slot, &place, ended).await;
        }
        Ok(Attached::Pending | Attached::Missed) => {
            late::late(run, port.as_ref(), slot, &place, ended).await;
        }
        Err(error) => ended
            .failures
            .push(finding(&format!("{machine} got no GPU"), error)),
    }
}

/// Reserves the slot's address. Each try looks before it writes, so one whose answer was lost may be repeated.
async fn reserve_for(run: &Run, slot: &Slot, machine: &str, mac: Option<Mac>) -> PortResult<()> {
    let (Some(wanted), Some(mac)) = (&slot.address, mac) else {
        return Ok(());
    };
    let mut tries = 1;
    loop {
        match reserve::reserve(run, slot, machine, wanted, mac).await {
            Ok(()) => {
                run.events
                    .machine(machine, format!("reserved {} for {mac}", wanted.address));
                return Ok(());
            }
            Err(error)
                if error.failure == Failure::Unreachable
                    && tries < RESERVE_TRIES
                    && !run.is_over() =>
            {
                run.events.tell(Event::Note {
                    text: error.to_string(),
                });
                run.sleep(Duration::from_secs(1 << tries)).await;
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Machines of sets with GPUs whose VM the provider started and that is off now: an earlier run may have
/// died between its stop and its start.
fn switched_off(run: &Run, snapshot: &Snapshot, slots: &[Slot]) -> Vec<(Slot, Place)> {
    let all = machines::machines(&run.site, snapshot);
    let off = all.iter().filter(|machine| !machine.set.gpus.is_empty());
    off.filter_map(|machine| {
        let (request, provider, vm) = (machine.request?, machine.provider?, machine.vm?);
        let worked_on = slots
            .iter()
            .any(|slot| slot.request.as_deref() == Some(machine.id) && !slot.attach.is_empty());
        if vm.running || provider.start_task.is_empty() || worked_on {
            return None;
        }
        let slot = Slot {
            cluster: machine.cluster.name.clone(),
            machine_set: machine.set.id.clone(),
            number: 0,
            request: Some(machine.id.to_owned()),
            provider: request.provider.clone(),
            control_plane: machine.set.control_plane,
            address: None,
            attach: Vec::new(),
            by_class: Vec::new(),
        };
        let place = Place {
            provider: request.provider.clone(),
            node: vm.node.to_owned(),
            vmid: vm.vmid,
            request: machine.id.to_owned(),
            uuid: provider.uuid.clone(),
        };
        Some((slot, place))
    })
    .collect()
}

async fn resume(run: Arc<Run>, slot: Slot, place: Place) -> Ended {
    let mut ended = Ended {
        machine: place.request.clone(),
        ..Ended::default()
    };
    if let Some(port) = run.ports.hypervisors.get(&place.provider) {
        late::late(&run, port.as_ref(), &slot, &place, &mut ended).await;
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
        signal = run.signals.until(machine, |signal| signal.vmid != 0 && !signal.uuid.is_empty()) => signal,
        () = run.settles() => None,
    };
    let Some(signal) = signal else {
        no_vm(run, slot, machine, "the provider has made none", ended);
        return None;
    };
    run.events.machine(
        machine,
        format!("VM {} is made on {}", signal.vmid, signal.node),
    );
    let nic = slot
        .address
        .as_ref()
        .map_or("net0", |address| address.nic.as_str());
    let mut place = Place {
        provider: slot.provider.clone(),
        node: signal.node,
        vmid: signal.vmid,
        request: machine.to_owned(),
        uuid: signal.uuid,
    };
    let began = run.ports.clock.now();
    let mut told = false;
    loop {
        let problem = match port.vm_config(&place.node, place.vmid).await {
            Ok(config)
                if config.lock().is_none() && is_same_machine(&config, machine, &place.uuid) =>
            {
                let mac = config.mac(nic).and_then(|mac| mac.parse().ok());
                return Some((place, mac));
            }
            Ok(config) => match config.lock() {
                Some(lock) => format!("it is locked ({lock})"),
                None => "its name or UUID is another machine's".to_owned(),
            },
            Err(error) if matches!(error.failure, Failure::Denied | Failure::Unauthorized) => {
                ended.failures.push(finding(
                    &format!("the VM of {machine} cannot be read"),
                    error,
                ));
                return None;
            }
            Err(error) => {
                // Migrated: its row says where it is; identity is checked by the next read.
                if error.failure == Failure::NotFound
                    && let Some(row) = moved(port, &place).await
                {
                    place.node = row;
                }
                error.message
            }
        };
        if run.is_settled() {
            no_vm(run, slot, machine, &problem, ended);
            return None;
        }
        let quick = run.ports.clock.now().saturating_sub(began) < QUICK_LOOKS;
        if !quick && !told {
            run.events.tell(Event::Waiting {
                what: format!("the VM {} of {machine}: {problem}", place.vmid),
            });
            told = true;
        }
        run.sleep(if quick { BEAT } else { Duration::from_secs(1) })
            .await;
        // A crashed provider makes its VM again, under another id.
        if let Some(now) = run
            .signals
            .now(machine)
            .filter(|now| now.vmid != 0 && !now.uuid.is_empty())
            && now.vmid != place.vmid
        {
            place = Place {
                node: now.node,
                vmid: now.vmid,
                uuid: now.uuid,
                ..place
            };
        }
    }
}

/// A machine that nothing could be done for. What the user stopped, or what ran out of time, is told elsewhere.
fn no_vm(run: &Run, slot: &Slot, machine: &str, problem: &str, ended: &mut Ended) {
    if !run.is_over() {
        let error = Diagnostic::error(format!(
            "{machine} got no address and no GPU from us: its VM could not be used, {problem}"
        ))
        .hint("look at the VM in Proxmox, then run it again");
        ended
            .failures
            .push(Finding::of(System::Proxmox(slot.provider.clone()), error));
    }
}

async fn moved(port: &dyn Hypervisor, place: &Place) -> Option<String> {
    let rows = port.vms().await.ok()?;
    rows.into_iter()
        .find(|row| row.vmid == place.vmid && row.node != place.node)
        .map(|row| row.node)
}

/// Without Proxmox the MAC comes from Omni once the machine has joined; the reboot after the install
/// picks the address up.
async fn work_without_hypervisor(run: &Run, slot: &Slot, machine: &str, ended: &mut Ended) {
    let Some(wanted) = &slot.address else {
        return;
    };
    while !run.is_over() {
        let uuid = run
            .signals
            .now(machine)
            .map_or_else(|| machine.to_owned(), |signal| signal.uuid);
        if let Ok((Some(state), _)) =
            crate::observe::machine_now(run.ports.omni.as_ref(), &uuid).await
            && let Some(mac) = state.macs.first()
        {
            match reserve::reserve(run, slot, machine, wanted, *mac).await {
                Ok(()) => run
                    .events
                    .machine(machine, format!("reserved {} for {mac}", wanted.address)),
                Err(error) => ended.failures.push(finding(
                    &format!("no address was reserved for {machine}"),
                    error,
                )),
            }
            return;
        }
        run.sleep(Duration::from_secs(2)).await;
    }
}
