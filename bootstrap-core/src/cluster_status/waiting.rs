//! Whether a cluster is healthy, and what it waits for.

use omni_client::specs::{
    ClusterPhase, KubernetesUpgradePhase, MachineSetPhase, MachineStage, RequestStage,
    TalosUpgradePhase,
};

use super::words::Word as _;
use super::{Machine, MachineSet, Report, Request, Upgrade};

/// So many machines of a set are named one by one.
const NAMED: usize = 3;

impl Report {
    /// Whether omnictl calls it healthy: it does not see upgrades that carry no cluster label.
    pub fn healthy_for_omnictl(&self) -> bool {
        healthy(self, |labelled| labelled)
    }

    /// Fills in what follows from the rest.
    pub(super) fn concluded(mut self) -> Self {
        self.healthy = self.exists && healthy(&self, |_| true);
        self.waiting_for = if self.healthy {
            Vec::new()
        } else {
            waiting_for(&self)
        };
        self
    }
}

fn healthy(report: &Report, seen: impl Fn(bool) -> bool) -> bool {
    let running = report
        .state
        .as_ref()
        .is_some_and(|state| state.phase == ClusterPhase::Running && state.ready);
    let kubernetes = report.kubernetes_upgrade.as_ref();
    let talos = report.talos_upgrade.as_ref();
    running
        && report
            .machine_sets
            .iter()
            .all(|set| set.phase == MachineSetPhase::Running && set.ready)
        && kubernetes.is_none_or(|upgrade| {
            !seen(upgrade.labelled) || upgrade.phase == KubernetesUpgradePhase::Done
        })
        && talos.is_none_or(|upgrade| {
            !seen(upgrade.labelled) || upgrade.phase == TalosUpgradePhase::Done
        })
}

fn waiting_for(report: &Report) -> Vec<String> {
    if !report.exists {
        return vec!["its creation".to_owned()];
    }
    let Some(state) = &report.state else {
        return vec!["Omni to take note of the cluster".to_owned()];
    };
    if state.phase == ClusterPhase::Destroying {
        return vec!["nothing: the cluster is being deleted".to_owned()];
    }
    let mut waits: Vec<String> = report
        .silent_providers
        .iter()
        .map(|provider| format!("the infra provider {provider}, which shows Omni no sign of life"))
        .collect();
    waits.extend(report.machine_sets.iter().flat_map(of_set));
    if let Some(upgrade) = &report.talos_upgrade
        && upgrade.phase != TalosUpgradePhase::Done
    {
        waits.push(of_upgrade("Talos", upgrade));
    }
    if let Some(upgrade) = &report.kubernetes_upgrade
        && upgrade.phase != KubernetesUpgradePhase::Done
    {
        waits.push(of_upgrade("Kubernetes", upgrade));
    }
    if report.load_balancer == Some(false) {
        waits.push("the Kubernetes API".to_owned());
    }
    if waits.is_empty() {
        waits.push("Omni to call the cluster ready".to_owned());
    }
    waits
}

fn of_upgrade<P>(what: &str, upgrade: &Upgrade<P>) -> String {
    let told = [&upgrade.error, &upgrade.step, &upgrade.status];
    let detail = told.into_iter().find(|text| !text.is_empty());
    match detail {
        Some(detail) => format!("the {what} upgrade ({detail})"),
        None => format!("Omni to compare the {what} versions"),
    }
}

fn of_set(set: &MachineSet) -> Vec<String> {
    if !set.error.is_empty() {
        return vec![format!("{} ({})", set.id, set.error)];
    }
    let mut waits = Vec::new();
    let coming = set
        .requests
        .iter()
        .filter(|request| request.stage != RequestStage::Deprovisioning);
    let named: Vec<String> = coming.map(of_request).collect();
    let members = u32::try_from(set.machines.len()).unwrap_or(u32::MAX);
    let known = members.saturating_add(u32::try_from(named.len()).unwrap_or(u32::MAX));
    let unknown = set.counts.requested.saturating_sub(known);
    if unknown > 0 {
        let noun = if unknown == 1 { "machine" } else { "machines" };
        waits.push(format!("{unknown} {noun} of {}", set.id));
    }
    waits.extend(few(named, "machine requests"));
    if set.machines.len() > set.counts.requested as usize {
        let surplus = set.machines.len() - set.counts.requested as usize;
        waits.push(format!("{surplus} of {} to leave", set.id));
    }
    let unready = set.machines.iter().filter(|machine| !is_well(machine));
    waits.extend(few(unready.map(of_machine).collect(), "machines"));
    for check in set.failing_checks.iter().flatten() {
        waits.push(format!("the control plane's check {}", check.word().0));
    }
    waits
}

fn few(mut named: Vec<String>, what: &str) -> Vec<String> {
    if named.len() > NAMED + 1 {
        let more = named.len() - NAMED;
        named.truncate(NAMED);
        named.push(format!("{more} more {what}"));
    }
    named
}

fn of_request(request: &Request) -> String {
    let detail = match &request.stalled {
        Some(stalled) => stalled.as_str(),
        None if request.joined => "joined, not yet a member",
        None if request.stage == RequestStage::Pending => "the provider has not begun",
        None => request.step.as_str(),
    };
    match detail {
        "" => request.id.clone(),
        detail => format!("{} ({detail})", request.id),
    }
}

fn is_well(machine: &Machine) -> bool {
    machine.stage == MachineStage::Running && machine.ready && machine.connected
}

fn of_machine(machine: &Machine) -> String {
    let name = machine.node_name.as_deref().unwrap_or(&machine.id);
    let detail = if !machine.error.is_empty() {
        format!("configuration refused: {}", machine.error)
    } else if !machine.connected {
        "not connected".to_owned()
    } else if machine.stage == MachineStage::Running {
        "runs, not ready".to_owned()
    } else {
        machine.stage.word().0.to_lowercase()
    };
    format!("{name} ({detail})")
}
