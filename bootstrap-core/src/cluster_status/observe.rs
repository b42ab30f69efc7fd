//! Reading a cluster's state: about ten list calls, however many machines it has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use omni_client::specs::{
    ClusterMachineRequestStatus, ClusterMachineStatus, ClusterStatus, ConditionStatus,
    ConfigApplyStatus, ControlPlaneStatus, InfraProviderCombinedStatus, KubernetesUpgradeStatus,
    LoadBalancerStatus, MachineCounts, MachineSetStatus, RequestStage, TalosUpgradeStatus,
};
use omni_client::{Kind, Resource, kinds, labels};

use super::{ClusterState, Counts, Machine, MachineSet, Report, Request, Role, Upgrade};
use crate::observe::read;
use crate::ports::{Failure, Omni, PortResult};

/// A provider works on its requests one by one, and writes after each step.
const QUIET_STEP: u64 = 30;
/// The step that may have to download an image first.
const QUIET_DOWNLOAD: u64 = 75;
/// From its start a machine needs well under a minute to call home.
const QUIET_BOOT: u64 = 180;

/// Reads the state of a cluster; `now` is what ages are counted to.
pub async fn observe(omni: &dyn Omni, cluster: &str, now: Timestamp) -> PortResult<Report> {
    let selector = format!("{}={cluster}", labels::CLUSTER);
    let of_cluster = |kind: &'static Kind| omni.list(kind, Some(&selector));
    // What is asked for by name does not carry the cluster's label, or not always.
    let (wanted, state, talos, kubernetes, sets, planes, balancers, members, requests) = tokio::try_join!(
        omni.get(&kinds::CLUSTER, cluster),
        omni.get(&kinds::CLUSTER_STATUS, cluster),
        omni.get(&kinds::TALOS_UPGRADE_STATUS, cluster),
        omni.get(&kinds::KUBERNETES_UPGRADE_STATUS, cluster),
        of_cluster(&kinds::MACHINE_SET_STATUS),
        of_cluster(&kinds::CONTROL_PLANE_STATUS),
        of_cluster(&kinds::LOAD_BALANCER_STATUS),
        of_cluster(&kinds::CLUSTER_MACHINE_STATUS),
        list_if_known(
            omni,
            &kinds::CLUSTER_MACHINE_REQUEST_STATUS,
            Some(&selector)
        ),
    )?;
    let requests: Vec<Resource> = requests
        .into_iter()
        .filter(|request| request.label(labels::MACHINE_REQUEST_IN_USE).is_none())
        .collect();
    let joined = joined(omni, &requests).await?;
    let mut machine_sets = machine_sets(cluster, &sets, &planes)?;
    for member in &members {
        if let Some(set) = set_of(&mut machine_sets, member) {
            set.machines.push(machine(member)?);
        }
    }
    let mut providers = BTreeSet::new();
    for resource in &requests {
        if let Some(set) = set_of(&mut machine_sets, resource) {
            let request = request(resource, &joined, now)?;
            providers.insert(request.provider.clone());
            set.requests.push(request);
        }
    }
    let report = Report {
        cluster: cluster.to_owned(),
        healthy: false,
        waiting_for: Vec::new(),
        exists: wanted.is_some(),
        state: state.as_ref().map(cluster_state).transpose()?,
        kubernetes_upgrade: kubernetes.as_ref().map(kubernetes_upgrade).transpose()?,
        talos_upgrade: talos.as_ref().map(talos_upgrade).transpose()?,
        load_balancer: balancers
            .first()
            .map(|status| Ok(read::<LoadBalancerStatus>(status)?.healthy))
            .transpose()?,
        machine_sets,
        silent_providers: silent(omni, providers).await?,
    };
    Ok(report.concluded())
}

/// Older servers refuse kinds they do not know.
async fn list_if_known(
    omni: &dyn Omni,
    kind: &Kind,
    selector: Option<&str>,
) -> PortResult<Vec<Resource>> {
    match omni.list(kind, selector).await {
        Err(error) if error.failure == Failure::Denied => Ok(Vec::new()),
        listed => listed,
    }
}

/// Requests whose machine has called home. Asked for only while a machine that was started is missing.
async fn joined(omni: &dyn Omni, requests: &[Resource]) -> PortResult<BTreeSet<String>> {
    let mut started = false;
    for request in requests {
        let stage = read::<ClusterMachineRequestStatus>(request)?.stage;
        started |= stage == RequestStage::Provisioned;
    }
    if !started {
        return Ok(BTreeSet::new());
    }
    let machines = omni
        .list(&kinds::MACHINE, Some(labels::MACHINE_REQUEST))
        .await?;
    Ok(machines
        .iter()
        .filter_map(|machine| machine.label(labels::MACHINE_REQUEST))
        .map(str::to_owned)
        .collect())
}

/// Providers of these that are not connected. A provider that never registered is not connected either.
async fn silent(omni: &dyn Omni, providers: BTreeSet<String>) -> PortResult<Vec<String>> {
    if providers.is_empty() {
        return Ok(Vec::new());
    }
    let known = list_if_known(omni, &kinds::INFRA_PROVIDER_COMBINED_STATUS, None).await?;
    let mut alive = BTreeMap::new();
    for status in &known {
        let health = read::<InfraProviderCombinedStatus>(status)?
            .health
            .unwrap_or_default();
        alive.insert(status.id(), health.connected);
    }
    let is_silent = |provider: &String| alive.get(provider.as_str()) == Some(&false);
    Ok(providers.into_iter().filter(is_silent).collect())
}

fn cluster_state(resource: &Resource) -> PortResult<ClusterState> {
    let status: ClusterStatus = read(resource)?;
    Ok(ClusterState {
        phase: status.phase,
        ready: status.ready,
        machines: counts(status.machines.as_ref()),
        talos_version: status.talos_version,
        kubernetes_version: status.kubernetes_version,
    })
}

fn counts(machines: Option<&MachineCounts>) -> Counts {
    let Some(machines) = machines else {
        return Counts::default();
    };
    Counts {
        healthy: machines.healthy,
        total: machines.total,
        requested: machines.requested,
    }
}

fn kubernetes_upgrade(
    resource: &Resource,
) -> PortResult<Upgrade<omni_client::specs::KubernetesUpgradePhase>> {
    let status: KubernetesUpgradeStatus = read(resource)?;
    Ok(Upgrade {
        phase: status.phase,
        step: status.step,
        status: status.status,
        error: status.error,
        to_version: status.current_upgrade_version,
        labelled: resource.label(labels::CLUSTER).is_some(),
    })
}

fn talos_upgrade(
    resource: &Resource,
) -> PortResult<Upgrade<omni_client::specs::TalosUpgradePhase>> {
    let status: TalosUpgradeStatus = read(resource)?;
    Ok(Upgrade {
        phase: status.phase,
        step: status.step,
        status: status.status,
        error: status.error,
        to_version: status.current_upgrade_version,
        labelled: resource.label(labels::CLUSTER).is_some(),
    })
}

fn machine_sets(
    cluster: &str,
    sets: &[Resource],
    planes: &[Resource],
) -> PortResult<Vec<MachineSet>> {
    let mut found = sets
        .iter()
        .map(|set| machine_set(cluster, set, planes))
        .collect::<PortResult<Vec<_>>>()?;
    found.sort_by(|left, right| (left.role, &left.id).cmp(&(right.role, &right.id)));
    Ok(found)
}

fn machine_set(cluster: &str, resource: &Resource, planes: &[Resource]) -> PortResult<MachineSet> {
    let status: MachineSetStatus = read(resource)?;
    let id = resource.metadata.id.clone();
    let role = if resource.label(labels::ROLE_CONTROL_PLANE).is_some() {
        Role::ControlPlane
    } else if id == format!("{cluster}-workers") {
        Role::Workers
    } else {
        Role::AdditionalWorkers
    };
    let failing_checks = if role == Role::ControlPlane {
        planes.first().map(failing).transpose()?
    } else {
        None
    };
    Ok(MachineSet {
        id,
        role,
        phase: status.phase,
        ready: status.ready,
        error: status.error,
        counts: counts(status.machines.as_ref()),
        failing_checks,
        machines: Vec::new(),
        requests: Vec::new(),
    })
}

fn failing(resource: &Resource) -> PortResult<Vec<omni_client::specs::ConditionType>> {
    let status: ControlPlaneStatus = read(resource)?;
    let conditions = status.conditions.iter();
    Ok(conditions
        .filter(|condition| condition.status == ConditionStatus::NotReady)
        .map(|condition| condition.r#type)
        .collect())
}

fn set_of<'s>(sets: &'s mut [MachineSet], resource: &Resource) -> Option<&'s mut MachineSet> {
    let id = resource.label(labels::MACHINE_SET)?;
    sets.iter_mut().find(|set| set.id == id)
}

fn machine(resource: &Resource) -> PortResult<Machine> {
    let status: ClusterMachineStatus = read(resource)?;
    let name = resource.label(labels::NODE_NAME);
    Ok(Machine {
        id: resource.metadata.id.clone(),
        node_name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        stage: status.stage,
        ready: status.ready,
        connected: resource.label(labels::CONNECTED).is_some(),
        locked: resource.metadata.annotations.contains_key(labels::LOCKED),
        config_up_to_date: status.config_up_to_date,
        update_held_back: resource.label(labels::UPDATE_LOCKED).is_some(),
        config_failed: status.config_apply_status == ConfigApplyStatus::Failed,
        error: status.last_config_error,
    })
}

fn request(resource: &Resource, joined: &BTreeSet<String>, now: Timestamp) -> PortResult<Request> {
    let status: ClusterMachineRequestStatus = read(resource)?;
    let since = |time: &str| -> Option<u64> {
        let time: Timestamp = time.parse().ok()?;
        u64::try_from(now.duration_since(time).as_secs()).ok()
    };
    let age = since(&resource.metadata.created).unwrap_or_default();
    // What was never updated shows the epoch there.
    let quiet_for = since(&resource.metadata.updated).map_or(age, |quiet| quiet.min(age));
    let mut request = Request {
        id: resource.metadata.id.clone(),
        provider: status.provider_id,
        stage: status.stage,
        step: status.status,
        error: status.error,
        uuid: Some(status.machine_uuid).filter(|uuid| !uuid.is_empty()),
        age,
        quiet_for,
        joined: joined.contains(&resource.metadata.id),
        stalled: None,
    };
    request.stalled = stalled(&request);
    Ok(request)
}

/// Providers write no error to Omni when a step fails: they try again, and the last step stands there for ever.
/// So what tells is the time in which nothing changed.
fn stalled(request: &Request) -> Option<String> {
    if !request.error.is_empty() {
        return Some(request.error.clone());
    }
    let provider = &request.provider;
    match request.stage {
        RequestStage::Failed => Some("failed; the provider tries again each minute".to_owned()),
        RequestStage::Provisioning => {
            let downloads = request.step.contains("uploadISO");
            let patience = if downloads { QUIET_DOWNLOAD } else { QUIET_STEP };
            (request.quiet_for > patience).then(|| {
                format!(
                    "no progress; only the log of provider {provider} and Proxmox's task list know why"
                )
            })
        }
        RequestStage::Provisioned if !request.joined && request.quiet_for > QUIET_BOOT => Some(
            "it has not called home: see its console for its address, Omni's name and the route there"
                .to_owned(),
        ),
        _ => None,
    }
}
