//! Waiting for the site: every wait has a deadline and says what it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attach::Place;
use super::{Event, Outcome, Run, power};
use crate::diagnostic::Diagnostic;
use crate::machines::{Machine, is_same_machine, machines};
use crate::observe::{Snapshot, Stage, refresh, refresh_gateway};
use crate::plan::{Finding, Slot};
use crate::ports::{Failure, PortError, PortResult, System};
use crate::site::ClusterIntent;

const BETWEEN: Duration = Duration::from_secs(2);
/// A machine that has not moved for this long is shown as stuck.
const STUCK_AFTER: Duration = Duration::from_mins(3);
/// How long an installed node may take to show its reserved address.
const ADDRESS_WITHIN: Duration = Duration::from_secs(90);

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// The cluster is ready.
    Ready,
    /// Every machine runs its configuration, etcd and the Kubernetes API are healthy.
    Running,
    /// Only addresses and GPUs.
    None,
}

/// What waiting ended with.
#[derive(Debug, Default)]
pub(super) struct Waited {
    reached: bool,
    missing: Vec<String>,
    needs_person: Vec<Finding>,
    restarted: Vec<String>,
}

impl Waited {
    /// What a second wait ended with: it saw again what was wrong before.
    pub(super) fn after(mut self, first: Self) -> Self {
        self.restarted.extend(first.restarted);
        self
    }
}

struct Seen {
    step: String,
    since: Duration,
    told_stuck: bool,
}

/// What a run waits for unless told: a cluster whose nodes wait for a CNI never gets ready.
pub(super) fn wanted(run: &Run, cluster: &ClusterIntent) -> Wait {
    run.options.wait.unwrap_or(if cluster.cni_none {
        Wait::Running
    } else {
        Wait::Ready
    })
}

/// Follows the machines until the site is as wanted, the deadline passes or nothing can move any more.
pub(super) async fn wait(run: &Run, first: &Snapshot, slots: &[Slot]) -> Waited {
    let mut waited = Waited::default();
    let mut snapshot = first.clone();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut hopeless: BTreeSet<String> = BTreeSet::new();
    let mut checked: BTreeSet<String> = BTreeSet::new();
    loop {
        tell_steps(run, &snapshot, &mut seen).await;
        check_starts(
            run,
            &snapshot,
            slots,
            &mut checked,
            &mut hopeless,
            &mut waited,
        )
        .await;
        waited.missing = missing(run, &snapshot, &hopeless);
        let blocked = only_hopeless_left(run, &snapshot, &hopeless);
        waited.reached = waited.missing.is_empty() && hopeless.is_empty();
        if waited.reached || blocked || run.is_over() {
            break;
        }
        run.sleep(BETWEEN).await;
        match refresh(&run.site, &run.ports, &snapshot).await {
            Ok(next) => snapshot = next,
            Err(error) => run.events.tell(Event::Note {
                text: error.to_string(),
            }),
        }
    }
    if waited.reached {
        check_addresses(run, &mut snapshot, &mut waited).await;
    }
    waited
}

/// Takes what waiting found into the outcome.
pub(super) fn conclude(run: &Run, waited: Waited, outcome: &mut Outcome) {
    outcome.reached = waited.reached;
    outcome.needs_person.extend(waited.needs_person);
    for machine in waited.restarted {
        outcome.machines.entry(machine).or_default().restarts += 1;
    }
    if waited.reached || *run.options.stop.borrow() || !run.left().is_zero() {
        return;
    }
    let mut error = Diagnostic::error(format!(
        "after {} minutes still waiting for: {}",
        run.options.timeout.as_secs() / 60,
        waited.missing.join("; ")
    ));
    let waits_for_cni = run
        .site
        .clusters
        .iter()
        .any(|cluster| cluster.cni_none && wanted(run, cluster) == Wait::Ready);
    error.hint = Some(if waits_for_cni {
        "the template sets CNI `none` and ships no CNI: nodes stay NotReady until one is installed; `--wait running` does not wait for that".to_owned()
    } else {
        "run it again: it goes on where it stopped; `--timeout` gives it longer".to_owned()
    });
    outcome.failures.push(Finding::of(System::Omni, error));
}

fn missing(run: &Run, snapshot: &Snapshot, hopeless: &BTreeSet<String>) -> Vec<String> {
    let all = machines(&run.site, snapshot);
    let counts = crate::machines::missing(&run.site, snapshot);
    let mut missing = Vec::new();
    for cluster in &run.site.clusters {
        let wait = wanted(run, cluster);
        if wait == Wait::None {
            continue;
        }
        let own: Vec<&Machine<'_>> = all
            .iter()
            .filter(|machine| machine.cluster.name == cluster.name)
            .collect();
        for (set, count) in &counts {
            if *count > 0 && cluster.machine_sets.iter().any(|own| own.id == *set) {
                missing.push(format!("{count} machines of {set}"));
            }
        }
        missing.extend(
            own.iter()
                .filter(|machine| !is_running(machine) && !hopeless.contains(machine.id))
                .map(|machine| format!("{} ({})", machine.id, step(machine))),
        );
        let state = snapshot
            .omni
            .clusters
            .get(&cluster.name)
            .cloned()
            .unwrap_or_default();
        if !state.etcd {
            missing.push(format!("etcd of {}", cluster.name));
        }
        if !state.kubernetes_api {
            missing.push(format!("the Kubernetes API of {}", cluster.name));
        }
        if wait == Wait::Ready && !(state.ready && state.running) {
            missing.push(format!("{} to be ready", cluster.name));
        }
    }
    missing
}

/// Whether every machine is either where it should be or beyond help.
fn only_hopeless_left(run: &Run, snapshot: &Snapshot, hopeless: &BTreeSet<String>) -> bool {
    !hopeless.is_empty()
        && crate::machines::missing(&run.site, snapshot)
            .values()
            .all(|missing| *missing == 0)
        && machines(&run.site, snapshot)
            .iter()
            .all(|machine| is_running(machine) || hopeless.contains(machine.id))
}

fn is_running(machine: &Machine<'_>) -> bool {
    machine.member.is_some_and(|member| {
        member.stage == Stage::Running && member.config_up_to_date && member.connected
    })
}

/// The step a machine is in, in the words of the field.
pub(crate) fn step(machine: &Machine<'_>) -> String {
    if let Some(member) = machine.member {
        if !member.error.is_empty() {
            return format!("configuration refused: {}", member.error);
        }
        return match member.stage {
            Stage::Running if !member.config_up_to_date => {
                "running, configuration outdated".to_owned()
            }
            Stage::Running if !member.connected => "running, not connected".to_owned(),
            Stage::Unknown => "joining the cluster".to_owned(),
            stage => format!("{stage:?}").to_lowercase(),
        };
    }
    if let Some(state) = machine.state {
        return if state.maintenance {
            "joined, in maintenance".to_owned()
        } else {
            "joined".to_owned()
        };
    }
    if machine
        .provider
        .is_some_and(|provider| !provider.start_task.is_empty())
    {
        return "started, booting".to_owned();
    }
    match machine.request {
        Some(request) if !request.error.is_empty() => format!("provider: {}", request.error),
        Some(request) if !request.status.is_empty() => format!("provider: {}", request.status),
        Some(_) => "waiting for the provider".to_owned(),
        None => "waiting".to_owned(),
    }
}

async fn tell_steps(run: &Run, snapshot: &Snapshot, seen: &mut BTreeMap<String, Seen>) {
    let now = run.ports.clock.now();
    for machine in machines(&run.site, snapshot) {
        let step = step(&machine);
        match seen.get_mut(machine.id) {
            Some(last) if last.step == step => {
                let still = now.saturating_sub(last.since);
                if still >= STUCK_AFTER && !last.told_stuck && !is_running(&machine) {
                    last.told_stuck = true;
                    tell_stuck(run, &machine, &step, still).await;
                }
            }
            _ => {
                run.events.machine(machine.id, step.clone());
                seen.insert(
                    machine.id.to_owned(),
                    Seen {
                        step,
                        since: now,
                        told_stuck: false,
                    },
                );
            }
        }
    }
}

async fn tell_stuck(run: &Run, machine: &Machine<'_>, step: &str, still: Duration) {
    let mut last_task = None;
    if let (Some(provider), Some(request)) = (machine.provider, machine.request)
        && let Some(port) = run.ports.hypervisors.get(&request.provider)
        && provider.vmid != 0
        && let Ok(tasks) = port.recent_tasks(&provider.node, provider.vmid).await
    {
        last_task = tasks.first().map(|task| {
            format!(
                "{}: {}",
                task.kind,
                task.exit_status.as_deref().unwrap_or("still running")
            )
        });
    }
    run.events.tell(Event::Stuck {
        machine: machine.id.to_owned(),
        step: step.to_owned(),
        seconds: still.as_secs(),
        last_task,
        causes: causes(machine),
    });
}

fn causes(machine: &Machine<'_>) -> Vec<String> {
    let texts: &[&str] = if machine.member.is_some() {
        &[
            "the node cannot pull images",
            "the configuration does not fit the node",
            "a GPU driver waits for its GPU",
        ]
    } else if machine.state.is_some() {
        &[
            "the Talos version of the boot image does not fit the cluster",
            "the machine set is locked",
        ]
    } else if machine
        .provider
        .is_some_and(|provider| !provider.start_task.is_empty())
    {
        &[
            "the node got no address",
            "it cannot resolve or reach Omni's name",
            "its start failed: see the task in Proxmox",
        ]
    } else if machine.provider.is_some_and(|provider| provider.vmid != 0) {
        &[
            "the VM's creation is slow or failed: see the task in Proxmox",
            "the upload of the cloud-init ISO fails",
        ]
    } else {
        &[
            "the provider works on another machine: it takes one at a time",
            "the boot image cannot be downloaded by Proxmox",
            "`storage_selector` or `node` of the class fits nothing: see the provider's log",
        ]
    };
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Finds starts that failed: the provider never tells Omni and never tries again.
async fn check_starts(
    run: &Run,
    snapshot: &Snapshot,
    slots: &[Slot],
    checked: &mut BTreeSet<String>,
    hopeless: &mut BTreeSet<String>,
    waited: &mut Waited,
) {
    for machine in machines(&run.site, snapshot) {
        let (Some(provider), Some(request)) = (machine.provider, machine.request) else {
            continue;
        };
        if provider.start_task.is_empty() || machine.state.is_some() || checked.contains(machine.id)
        {
            continue;
        }
        let (Some(port), Ok(upid)) = (
            run.ports.hypervisors.get(&request.provider),
            provider.start_task.parse(),
        ) else {
            continue;
        };
        let Ok(task) = port.task(&upid).await else {
            continue;
        };
        let succeeded = task.is_success();
        let Some(status) = task.exit_status else {
            continue;
        };
        checked.insert(machine.id.to_owned());
        if succeeded {
            continue;
        }
        hopeless.insert(machine.id.to_owned());
        run.events
            .machine(machine.id, format!("its start failed: {status}"));
        // What we attached is reported, and detached, by the machine's own work.
        let ours = slots
            .iter()
            .any(|slot| slot.request.as_deref() == Some(machine.id) && !slot.attach.is_empty());
        if !ours {
            let error = Diagnostic::error(format!("the VM of {} did not start: {status}", machine.id)).hint(format!(
                "the provider never tries again: correct the cause, then `omnictl delete machinerequest -n infra-provider {}` makes Omni replace the machine",
                machine.id
            ));
            waited.needs_person.push(Finding::of(
                System::Proxmox(request.provider.clone()),
                error,
            ));
        }
    }
}

/// Installed nodes that still have another address than the one reserved for them. Workers are
/// restarted for it where that is allowed, one after another.
async fn check_addresses(run: &Run, snapshot: &mut Snapshot, waited: &mut Waited) {
    if snapshot.gateway.is_none() {
        return;
    }
    let mut wrong = still_wrong(run, snapshot).await;
    if run.options.allow_restart && !run.is_over() {
        let mut failed = Vec::new();
        for (machine, _) in wrong.iter().filter(|(machine, _)| !machine.control_plane) {
            run.events.machine(
                &machine.place.request,
                "restarting it for its reserved address",
            );
            match restart(run, &machine.place).await {
                Ok(()) => waited.restarted.push(machine.place.request.clone()),
                Err(error) => failed.push(super::finding(
                    &format!("{} was not restarted", machine.place.request),
                    error,
                )),
            }
        }
        if !waited.restarted.is_empty() {
            wrong = still_wrong(run, snapshot).await;
        }
        waited.needs_person.extend(failed);
    }
    waited
        .needs_person
        .extend(wrong.into_iter().map(|(_, finding)| finding));
}

struct Restartable {
    place: Place,
    control_plane: bool,
}

/// What is wrong after nodes had the time to take their addresses.
async fn still_wrong(run: &Run, snapshot: &mut Snapshot) -> Vec<(Restartable, Finding)> {
    let began = run.ports.clock.now();
    loop {
        if let Err(error) = refresh_gateway(&run.ports, snapshot).await {
            run.events.tell(Event::Note {
                text: error.to_string(),
            });
        }
        let all = machines(&run.site, snapshot);
        let restarting = all.iter().any(|machine| !is_running(machine));
        let wrong: Vec<_> = all
            .iter()
            .filter_map(|machine| Some((restartable(machine), wrong_address(machine)?)))
            .collect();
        let late = run.is_over() || run.ports.clock.now().saturating_sub(began) >= ADDRESS_WITHIN;
        if late || (wrong.is_empty() && !restarting) {
            return wrong;
        }
        run.sleep(BETWEEN).await;
        if let Ok(next) = refresh(&run.site, &run.ports, snapshot).await {
            *snapshot = next;
        }
    }
}

fn restartable(machine: &Machine<'_>) -> Restartable {
    let provider = machine.provider.cloned().unwrap_or_default();
    Restartable {
        place: Place {
            provider: machine
                .request
                .map(|request| request.provider.clone())
                .unwrap_or_default(),
            node: machine.vm.map_or(provider.node, |vm| vm.node.to_owned()),
            vmid: provider.vmid,
            request: machine.id.to_owned(),
            uuid: provider.uuid,
        },
        control_plane: machine.set.control_plane,
    }
}

async fn restart(run: &Run, place: &Place) -> PortResult<()> {
    let refused = |message: &str| {
        PortError::new(
            System::Proxmox(place.provider.clone()),
            Failure::Other,
            message,
        )
        .hint("reboot it with `talosctl reboot`")
    };
    let Some(port) = run.ports.hypervisors.get(&place.provider) else {
        return Err(refused("it is on no Proxmox cluster of this site"));
    };
    let config = port.vm_config(&place.node, place.vmid).await?;
    if !is_same_machine(&config, &place.request, &place.uuid) {
        return Err(refused("its VM could not be told for certain"));
    }
    power::shut_down(run, port.as_ref(), place).await?;
    power::start(run, port.as_ref(), place).await
}

fn wrong_address(machine: &Machine<'_>) -> Option<Finding> {
    let reserved = machine.reserved()?;
    let has = &machine.state?.addresses;
    if has.is_empty() || has.contains(&reserved) || !is_running(machine) {
        return None;
    }
    let has: Vec<String> = has.iter().map(ToString::to_string).collect();
    let error = Diagnostic::error(format!("{} has {}, not its reserved {reserved}", machine.id, has.join(", ")))
        .hint("it takes the reserved address at its next DHCP exchange: reboot it with `talosctl reboot`, or wait for half its lease time");
    Some(Finding::of(System::Unifi, error))
}
