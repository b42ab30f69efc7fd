//! Omni's lists, reduced to what plans and reports need.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use omni_client::specs::{
    self, ClusterMachineStatus, ClusterPhase, ClusterStatus, ConditionStatus, ConditionType,
    ControlPlaneStatus, CurrentUser, InfraProviderCombinedStatus, InfraProviderStatus,
    KubernetesStatus, MachineRequest, MachineRequestStatus, MachineStatus, TalosExtensions,
    TalosVersion,
};
use omni_client::{Kind, Resource, kinds, labels};
use serde::de::DeserializeOwned;

use super::{
    ClusterState, MachineState, Member, OmniView, ProviderMachine, ProviderState, Request,
};
use crate::ports::{Failure, Omni, PortError, PortResult, System};
use crate::site::Site;

/// The kinds a cluster template makes, in the order they are written.
pub static TEMPLATE_KINDS: [Kind; 9] = [
    kinds::CLUSTER,
    kinds::EXTENSIONS_CONFIGURATION,
    kinds::CONFIG_PATCH,
    kinds::MACHINE_INSTALL_DISK_CONFIG,
    kinds::KUBERNETES_MANIFEST_GROUP,
    kinds::KUBERNETES_HEALTH_CHECK,
    kinds::MACHINE_SET,
    kinds::MACHINE_SET_NODE,
    kinds::KERNEL_ARGS,
];

pub(super) async fn observe(site: &Site, omni: &dyn Omni) -> PortResult<OmniView> {
    // Who we are comes first: a wrong key is then one clear error.
    let user = omni.get(&kinds::CURRENT_USER, "current").await?;
    let mut view = OmniView {
        role: user
            .map(|user| read::<CurrentUser>(&user))
            .transpose()?
            .map(|user| user.role),
        machine_classes: by_id(omni.list(&kinds::MACHINE_CLASS, None).await?),
        ..OmniView::default()
    };
    for kind in &TEMPLATE_KINDS {
        for resource in list_if_known(site, omni, kind).await? {
            if *kind == kinds::MACHINE_SET
                && let Some(class) = read::<specs::MachineSet>(&resource)?.machine_allocation
            {
                view.class_users
                    .entry(class.name)
                    .or_default()
                    .push(resource.metadata.id.clone());
            }
            if is_of_site(site, &resource) {
                let key = (kind.name.to_string(), resource.metadata.id.clone());
                view.template_resources.insert(key, resource);
            }
        }
    }
    view.talos_versions = talos_versions(omni.list(&kinds::TALOS_VERSION, None).await?)?;
    let versions: BTreeSet<&str> = site
        .clusters
        .iter()
        .map(|cluster| cluster.talos_version.as_str())
        .collect();
    for version in versions {
        if let Some(known) = omni.get(&kinds::TALOS_EXTENSIONS, version).await? {
            view.extensions.extend([extensions_of(&known)?]);
        }
    }
    refresh(site, omni, &view).await
}

pub(super) async fn refresh(site: &Site, omni: &dyn Omni, last: &OmniView) -> PortResult<OmniView> {
    let (requests, statuses, machines, members) = tokio::try_join!(
        omni.list(&kinds::MACHINE_REQUEST, None),
        omni.list(&kinds::MACHINE_REQUEST_STATUS, None),
        omni.list(&kinds::MACHINE_STATUS, None),
        omni.list(&kinds::CLUSTER_MACHINE_STATUS, None),
    )?;
    let mut view = last.clone();
    view.all_requests = requests
        .iter()
        .map(|request| request.metadata.id.clone())
        .collect();
    let sets = site
        .clusters
        .iter()
        .flat_map(|cluster| cluster.machine_sets.iter().map(|set| set.id.as_str()));
    view.requests = requests_of_sets(&sets.collect(), &requests, &statuses)?;
    view.machines = machines
        .iter()
        .map(machine_state)
        .collect::<PortResult<_>>()?;
    let own = members.iter().filter(|member| is_of_site(site, member));
    view.members = own.map(member).collect::<PortResult<_>>()?;
    view.clusters = clusters(omni).await?;
    view.providers = providers(omni).await?;
    view.provider_machines = BTreeMap::new();
    let ids: BTreeSet<String> = view
        .requests
        .values()
        .map(|request| request.provider.clone())
        .collect();
    for provider in ids {
        for resource in omni.list(&kinds::provider_machine(&provider), None).await? {
            let machine = provider_machine(&resource)?;
            view.provider_machines.insert(resource.metadata.id, machine);
        }
    }
    Ok(view)
}

/// One machine as it is now: what joined, and its place in a cluster.
pub async fn machine_now(
    omni: &dyn Omni,
    uuid: &str,
) -> PortResult<(Option<MachineState>, Option<Member>)> {
    let (state, own) = tokio::try_join!(
        omni.get(&kinds::MACHINE_STATUS, uuid),
        omni.get(&kinds::CLUSTER_MACHINE_STATUS, uuid)
    )?;
    let state = state.as_ref().map(machine_state).transpose()?;
    let own = own.as_ref().map(member).transpose()?;
    Ok((state.map(|(_, state)| state), own.map(|(_, own)| own)))
}

/// Reads a provider's own record of a machine.
pub fn provider_machine(resource: &Resource) -> PortResult<ProviderMachine> {
    let spec: specs::ProviderMachine = read(resource)?;
    Ok(ProviderMachine {
        uuid: spec.uuid.to_lowercase(),
        node: spec.node,
        vmid: spec.vmid,
        start_task: spec.vmstarttask,
    })
}

/// Talos versions with the Kubernetes versions they run.
pub(super) fn talos_versions(listed: Vec<Resource>) -> PortResult<BTreeMap<String, Vec<String>>> {
    let version = |resource: Resource| {
        let versions = read::<TalosVersion>(&resource)?.compatible_kubernetes_versions;
        Ok((resource.metadata.id, versions))
    };
    listed.into_iter().map(version).collect()
}

/// A Talos version and the extensions known for it.
pub(super) fn extensions_of(known: &Resource) -> PortResult<(String, Vec<String>)> {
    let items = read::<TalosExtensions>(known)?.items.into_iter();
    Ok((
        known.metadata.id.clone(),
        items.map(|item| item.name).collect(),
    ))
}

/// A resource's spec, or an error that says whose it is.
pub(crate) fn read<T: DeserializeOwned>(resource: &Resource) -> PortResult<T> {
    resource.spec_as().map_err(|error| {
        PortError::new(System::Omni, Failure::Other, error.to_string())
            .hint("this Omni may be newer than this program knows")
    })
}

/// Older servers refuse kinds they do not know; that matters only for a template that uses them.
async fn list_if_known(site: &Site, omni: &dyn Omni, kind: &Kind) -> PortResult<Vec<Resource>> {
    let listed = omni.list(kind, None).await;
    let is_used = site.clusters.iter().any(|cluster| {
        cluster
            .resources
            .iter()
            .any(|wanted| wanted.metadata.kind == kind.name)
    });
    match listed {
        Err(error) if error.failure == Failure::Denied && !is_used => Ok(Vec::new()),
        listed => listed,
    }
}

fn by_id(resources: Vec<Resource>) -> BTreeMap<String, Resource> {
    resources
        .into_iter()
        .map(|resource| (resource.metadata.id.clone(), resource))
        .collect()
}

fn is_of_site(site: &Site, resource: &Resource) -> bool {
    let listed = |id: &String| {
        site.clusters.iter().any(|cluster| {
            cluster.name == *id
                || cluster
                    .resources
                    .iter()
                    .any(|wanted| wanted.metadata.id == *id)
        })
    };
    match resource.label(labels::CLUSTER) {
        Some(cluster) if site.clusters.iter().any(|wanted| wanted.name == cluster) => true,
        // What has the id of something wanted stands in its way, whosever it is.
        Some(_) => site.clusters.iter().any(|cluster| {
            cluster.resources.iter().any(|wanted| {
                wanted.metadata.id == resource.metadata.id
                    && wanted.metadata.kind == resource.metadata.kind
            })
        }),
        // Clusters, kernel arguments and install disks carry no cluster label.
        None => listed(&resource.metadata.id),
    }
}

/// The machine requests of machine sets.
pub(super) fn requests_of_sets(
    sets: &BTreeSet<&str>,
    requests: &[Resource],
    statuses: &[Resource],
) -> PortResult<BTreeMap<String, Request>> {
    let statuses: BTreeMap<&str, &Resource> = statuses
        .iter()
        .map(|status| (status.id(), status))
        .collect();
    let mut found = BTreeMap::new();
    for resource in requests {
        let Some(set) = resource
            .label(labels::MACHINE_REQUEST_SET)
            .filter(|set| sets.contains(set))
        else {
            continue;
        };
        let status: MachineRequestStatus = match statuses.get(resource.id()) {
            Some(status) => read(status)?,
            None => MachineRequestStatus::default(),
        };
        let request = Request {
            id: resource.metadata.id.clone(),
            set: set.to_owned(),
            provider: resource
                .label(labels::INFRA_PROVIDER_ID)
                .unwrap_or_default()
                .to_owned(),
            provider_data: read::<MachineRequest>(resource)?.provider_data,
            tearing_down: resource.is_tearing_down(),
            status: status.status,
            error: status.error,
            uuid: non_empty(status.id.to_lowercase()),
        };
        found.insert(request.id.clone(), request);
    }
    Ok(found)
}

fn machine_state(resource: &Resource) -> PortResult<(String, MachineState)> {
    let spec: MachineStatus = read(resource)?;
    let network = spec.network.unwrap_or_default();
    let address = |text: &String| -> Option<Ipv4Addr> { text.split('/').next()?.parse().ok() };
    let state = MachineState {
        request: resource.label(labels::MACHINE_REQUEST).map(str::to_owned),
        connected: spec.connected,
        maintenance: spec.maintenance,
        cluster: non_empty(spec.cluster),
        addresses: network.addresses.iter().filter_map(address).collect(),
        macs: network
            .network_links
            .iter()
            .filter_map(|link| link.hardware_address.parse().ok())
            .collect(),
        last_error: spec.last_error,
    };
    Ok((resource.metadata.id.to_lowercase(), state))
}

fn member(resource: &Resource) -> PortResult<(String, Member)> {
    let spec: ClusterMachineStatus = read(resource)?;
    let member = Member {
        set: resource
            .label(labels::MACHINE_SET)
            .unwrap_or_default()
            .to_owned(),
        stage: spec.stage,
        ready: spec.ready,
        config_up_to_date: spec.config_up_to_date,
        connected: resource.label(labels::CONNECTED).is_some(),
        node_name: resource.label(labels::NODE_NAME).map(str::to_owned),
        error: spec.last_config_error,
    };
    Ok((resource.metadata.id.to_lowercase(), member))
}

async fn clusters(omni: &dyn Omni) -> PortResult<BTreeMap<String, ClusterState>> {
    let (clusters, control_planes, kubernetes) = tokio::try_join!(
        omni.list(&kinds::CLUSTER_STATUS, None),
        omni.list(&kinds::CONTROL_PLANE_STATUS, None),
        omni.list(&kinds::KUBERNETES_STATUS, None),
    )?;
    let mut states = BTreeMap::new();
    for resource in clusters {
        let spec: ClusterStatus = read(&resource)?;
        let state = ClusterState {
            running: spec.phase == ClusterPhase::Running,
            ready: spec.ready,
            kubernetes_api: spec.kubernetes_api_ready,
            ..ClusterState::default()
        };
        states.insert(resource.metadata.id, state);
    }
    for resource in &control_planes {
        if let Some(state) = resource
            .label(labels::CLUSTER)
            .and_then(|name| states.get_mut(name))
        {
            // The control plane as a whole is not ready while nodes wait for a CNI; etcd is.
            state.etcd = read::<ControlPlaneStatus>(resource)?
                .conditions
                .iter()
                .any(|condition| {
                    condition.r#type == ConditionType::Etcd
                        && condition.status == ConditionStatus::Ready
                });
        }
    }
    for resource in &kubernetes {
        if let Some(state) = states.get_mut(resource.id()) {
            let nodes = read::<KubernetesStatus>(resource)?.nodes.into_iter();
            state.ready_nodes = nodes
                .filter(|node| node.ready)
                .map(|node| node.nodename)
                .collect();
        }
    }
    Ok(states)
}

async fn providers(omni: &dyn Omni) -> PortResult<BTreeMap<String, ProviderState>> {
    let (registered, health) = tokio::try_join!(
        omni.list(&kinds::INFRA_PROVIDER_STATUS, None),
        omni.list(&kinds::INFRA_PROVIDER_COMBINED_STATUS, None),
    )?;
    let mut states = BTreeMap::new();
    for resource in registered {
        let schema = serde_json::from_str(&read::<InfraProviderStatus>(&resource)?.schema).ok();
        states.insert(
            resource.metadata.id,
            ProviderState {
                schema,
                ..ProviderState::default()
            },
        );
    }
    for resource in health {
        let health = read::<InfraProviderCombinedStatus>(&resource)?
            .health
            .unwrap_or_default();
        let state: &mut ProviderState = states.entry(resource.metadata.id).or_default();
        state.connected = health.connected;
        state.error = health.error;
    }
    Ok(states)
}

fn non_empty(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}
