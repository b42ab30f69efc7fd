//! Omni's lists, reduced to what plans and reports need.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use omni_client::{Kind, Phase, Resource};
use serde_json::Value;

use super::{
    ClusterState, MachineState, Member, OmniView, ProviderMachine, ProviderState, Request, Stage,
};
use crate::ports::{Failure, Omni, PortResult};
use crate::site::Site;

/// Label that names the cluster a resource belongs to.
pub const CLUSTER_LABEL: &str = "omni.sidero.dev/cluster";
const MACHINE_SET: &str = "omni.sidero.dev/machine-set";
const REQUEST: &str = "omni.sidero.dev/machine-request";
const REQUEST_SET: &str = "omni.sidero.dev/machine-request-set";
const PROVIDER: &str = "omni.sidero.dev/infra-provider-id";
const CONNECTED: &str = "omni.sidero.dev/connected";
const NODE_NAME: &str = "omni.sidero.dev/node-name";

const fn kind(namespace: &'static str, name: &'static str) -> Kind {
    Kind { namespace: Cow::Borrowed(namespace), name: Cow::Borrowed(name) }
}

pub(crate) static MACHINE_CLASSES: Kind = kind("default", "MachineClasses.omni.sidero.dev");
pub(crate) static MACHINE_REQUESTS: Kind = kind("infra-provider", "MachineRequests.omni.sidero.dev");
static REQUEST_STATUSES: Kind = kind("infra-provider", "MachineRequestStatuses.omni.sidero.dev");
static MACHINE_STATUSES: Kind = kind("default", "MachineStatuses.omni.sidero.dev");
static MEMBER_STATUSES: Kind = kind("default", "ClusterMachineStatuses.omni.sidero.dev");
static CLUSTER_STATUSES: Kind = kind("default", "ClusterStatuses.omni.sidero.dev");
static CONTROL_PLANE_STATUSES: Kind = kind("default", "ControlPlaneStatuses.omni.sidero.dev");
static KUBERNETES_STATUSES: Kind = kind("default", "KubernetesStatuses.omni.sidero.dev");
static PROVIDER_STATUSES: Kind = kind("infra-provider", "InfraProviderStatuses.omni.sidero.dev");
static PROVIDER_HEALTH: Kind = kind("ephemeral", "InfraProviderCombinedStatuses.omni.sidero.dev");
static TALOS_VERSIONS: Kind = kind("default", "TalosVersions.omni.sidero.dev");
static TALOS_EXTENSIONS: Kind = kind("default", "TalosExtensions.omni.sidero.dev");
static CURRENT_USER: Kind = kind("virtual", "CurrentUsers.omni.sidero.dev");

/// The kinds a cluster template makes, in the order they are written.
pub static TEMPLATE_KINDS: [Kind; 9] = [
    kind("default", "Clusters.omni.sidero.dev"),
    kind("default", "ExtensionsConfigurations.omni.sidero.dev"),
    kind("default", "ConfigPatches.omni.sidero.dev"),
    kind("default", "MachineInstallDiskConfigs.omni.sidero.dev"),
    kind("default", "KubernetesManifestGroups.omni.sidero.dev"),
    kind("default", "KubernetesHealthChecks.omni.sidero.dev"),
    kind("default", "MachineSets.omni.sidero.dev"),
    kind("default", "MachineSetNodes.omni.sidero.dev"),
    kind("default", "KernelArgs.omni.sidero.dev"),
];

/// The kind under which a provider keeps its own record of each machine.
pub fn provider_machine_kind(provider: &str) -> Kind {
    Kind {
        namespace: Cow::Owned(format!("infra-provider:{provider}")),
        name: Cow::Owned(format!("Machine.{provider}.infraprovider.sidero.dev")),
    }
}

pub(super) async fn observe(site: &Site, omni: &dyn Omni) -> PortResult<OmniView> {
    // Who we are comes first: a wrong key is then one clear error.
    let user = omni.get(&CURRENT_USER, "current").await?;
    let mut view = OmniView {
        role: user.map(|user| text(&user.spec, "role")),
        machine_classes: by_id(omni.list(&MACHINE_CLASSES, None).await?),
        ..OmniView::default()
    };
    for kind in &TEMPLATE_KINDS {
        for resource in list_if_known(site, omni, kind).await? {
            if let Some(class) = resource.spec["machine_allocation"]["name"].as_str() {
                view.class_users.entry(class.to_owned()).or_default().push(resource.metadata.id.clone());
            }
            if is_of_site(site, &resource) {
                let key = (kind.name.to_string(), resource.metadata.id.clone());
                view.template_resources.insert(key, resource);
            }
        }
    }
    view.talos_versions = omni.list(&TALOS_VERSIONS, None).await?.iter().map(talos_version).collect();
    let versions: BTreeSet<&str> =
        site.clusters.iter().map(|cluster| cluster.talos_version.as_str()).collect();
    for version in versions {
        if let Some(known) = omni.get(&TALOS_EXTENSIONS, version).await? {
            view.extensions.insert(version.to_owned(), extension_names(&known));
        }
    }
    refresh(site, omni, &view).await
}

pub(super) async fn refresh(site: &Site, omni: &dyn Omni, last: &OmniView) -> PortResult<OmniView> {
    let (requests, statuses, machines, members, clusters) = tokio::try_join!(
        omni.list(&MACHINE_REQUESTS, None),
        omni.list(&REQUEST_STATUSES, None),
        omni.list(&MACHINE_STATUSES, None),
        omni.list(&MEMBER_STATUSES, None),
        omni.list(&CLUSTER_STATUSES, None),
    )?;
    let (control_planes, kubernetes, providers, health) = tokio::try_join!(
        omni.list(&CONTROL_PLANE_STATUSES, None),
        omni.list(&KUBERNETES_STATUSES, None),
        omni.list(&PROVIDER_STATUSES, None),
        omni.list(&PROVIDER_HEALTH, None),
    )?;
    let mut view = last.clone();
    view.all_requests = requests.iter().map(|request| request.metadata.id.clone()).collect();
    view.requests = requests_of(site, &requests, &statuses);
    view.machines = machines.iter().map(machine_state).collect();
    view.members = members.iter().filter(|member| is_of_site(site, member)).map(member).collect();
    view.clusters = clusters.iter().map(cluster_state).collect();
    for status in &control_planes {
        let cluster = status.metadata.labels.get(CLUSTER_LABEL);
        if let Some(cluster) = cluster.and_then(|name| view.clusters.get_mut(name)) {
            cluster.etcd = etcd_is_healthy(status);
        }
    }
    for status in &kubernetes {
        if let Some(cluster) = view.clusters.get_mut(&status.metadata.id) {
            cluster.ready_nodes = ready_nodes(status);
        }
    }
    view.providers = provider_states(&providers, &health);
    view.provider_machines = BTreeMap::new();
    let ids: BTreeSet<String> = view.requests.values().map(|request| request.provider.clone()).collect();
    for provider in ids {
        for resource in omni.list(&provider_machine_kind(&provider), None).await? {
            view.provider_machines.insert(resource.metadata.id.clone(), provider_machine(&resource));
        }
    }
    Ok(view)
}

/// One machine as it is now: what joined, and its place in a cluster.
pub async fn machine_now(
    omni: &dyn Omni,
    uuid: &str,
) -> PortResult<(Option<MachineState>, Option<Member>)> {
    let (state, own) =
        tokio::try_join!(omni.get(&MACHINE_STATUSES, uuid), omni.get(&MEMBER_STATUSES, uuid))?;
    Ok((state.map(|state| machine_state(&state).1), own.map(|own| member(&own).1)))
}

/// Older servers refuse kinds they do not know; that matters only for a template that uses them.
async fn list_if_known(site: &Site, omni: &dyn Omni, kind: &Kind) -> PortResult<Vec<Resource>> {
    let listed = omni.list(kind, None).await;
    let is_used = site
        .clusters
        .iter()
        .any(|cluster| cluster.resources.iter().any(|wanted| wanted.metadata.kind == kind.name));
    match listed {
        Err(error) if error.failure == Failure::Denied && !is_used => Ok(Vec::new()),
        listed => listed,
    }
}

fn by_id(resources: Vec<Resource>) -> BTreeMap<String, Resource> {
    resources.into_iter().map(|resource| (resource.metadata.id.clone(), resource)).collect()
}

fn is_of_site(site: &Site, resource: &Resource) -> bool {
    let label = resource.metadata.labels.get(CLUSTER_LABEL);
    let listed = |id: &String| {
        site.clusters.iter().any(|cluster| {
            cluster.name == *id || cluster.resources.iter().any(|wanted| wanted.metadata.id == *id)
        })
    };
    match label {
        Some(cluster) => site.clusters.iter().any(|wanted| wanted.name == *cluster),
        // Clusters, kernel arguments and install disks carry no cluster label.
        None => listed(&resource.metadata.id),
    }
}

fn requests_of(site: &Site, requests: &[Resource], statuses: &[Resource]) -> BTreeMap<String, Request> {
    let sets: BTreeSet<&str> = site
        .clusters
        .iter()
        .flat_map(|cluster| cluster.machine_sets.iter().map(|set| set.id.as_str()))
        .collect();
    let statuses: BTreeMap<&str, &Resource> =
        statuses.iter().map(|status| (status.metadata.id.as_str(), status)).collect();
    requests
        .iter()
        .filter_map(|resource| {
            let set = resource.metadata.labels.get(REQUEST_SET)?;
            if !sets.contains(set.as_str()) {
                return None;
            }
            let status = statuses.get(resource.metadata.id.as_str()).map(|status| &status.spec);
            let status_text = |key| status.map(|spec| text(spec, key)).unwrap_or_default();
            let request = Request {
                id: resource.metadata.id.clone(),
                set: set.clone(),
                provider: resource.metadata.labels.get(PROVIDER).cloned().unwrap_or_default(),
                provider_data: text(&resource.spec, "provider_data"),
                tearing_down: resource.metadata.phase == Phase::TearingDown,
                stage: status.map_or(0, |spec| integer(spec, "stage")),
                status: status_text("status"),
                error: status_text("error"),
                uuid: non_empty(status_text("id").to_lowercase()),
            };
            Some((request.id.clone(), request))
        })
        .collect()
}

/// Reads a provider's own record of a machine; its keys are lower case without separators.
pub fn provider_machine(resource: &Resource) -> ProviderMachine {
    ProviderMachine {
        uuid: text(&resource.spec, "uuid").to_lowercase(),
        node: text(&resource.spec, "node"),
        vmid: u32::try_from(integer(&resource.spec, "vmid")).unwrap_or(0),
        start_task: text(&resource.spec, "vmstarttask"),
    }
}

fn machine_state(resource: &Resource) -> (String, MachineState) {
    let spec = &resource.spec;
    let network = &spec["network"];
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let addresses: Vec<Ipv4Addr> = strings(&network["addresses"])
        .iter()
        .filter_map(|address| address.split('/').next()?.parse().ok())
        .collect();
    let macs = network["network_links"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| link["hardware_address"].as_str()?.parse().ok())
        .collect();
    let state = MachineState {
        request: resource.metadata.labels.get(REQUEST).cloned(),
        connected: flag(spec, "connected"),
        maintenance: flag(spec, "maintenance"),
        cluster: non_empty(text(spec, "cluster")),
        addresses,
        macs,
        last_error: text(spec, "last_error"),
    };
    (resource.metadata.id.to_lowercase(), state)
}

fn member(resource: &Resource) -> (String, Member) {
    let spec = &resource.spec;
    let labels = &resource.metadata.labels;
    let member = Member {
        set: labels.get(MACHINE_SET).cloned().unwrap_or_default(),
        stage: Stage::from_number(integer(spec, "stage")),
        ready: flag(spec, "ready"),
        config_up_to_date: flag(spec, "config_up_to_date"),
        connected: labels.contains_key(CONNECTED),
        node_name: labels.get(NODE_NAME).cloned(),
        error: text(spec, "last_config_error"),
    };
    (resource.metadata.id.to_lowercase(), member)
}

fn cluster_state(resource: &Resource) -> (String, ClusterState) {
    let spec = &resource.spec;
    let count = |key: &str| spec["machines"][key].as_u64().unwrap_or(0);
    let state = ClusterState {
        running: integer(spec, "phase") == 3,
        ready: flag(spec, "ready"),
        kubernetes_api: flag(spec, "kubernetesAPIReady"),
        etcd: false,
        machines: (count("total"), count("healthy")),
        ready_nodes: Vec::new(),
    };
    (resource.metadata.id.clone(), state)
}

/// Condition 1 is etcd, status 1 is ready. The control plane as a whole is not ready while nodes wait
/// for a CNI, etcd is.
fn etcd_is_healthy(resource: &Resource) -> bool {
    resource.spec["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| integer(condition, "type") == 1 && integer(condition, "status") == 1)
}

fn ready_nodes(resource: &Resource) -> Vec<String> {
    resource.spec["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|node| flag(node, "ready"))
        .map(|node| text(node, "nodename"))
        .collect()
}

fn provider_states(statuses: &[Resource], health: &[Resource]) -> BTreeMap<String, ProviderState> {
    let mut states: BTreeMap<String, ProviderState> = statuses
        .iter()
        .map(|status| {
            let schema = serde_json::from_str(&text(&status.spec, "schema")).ok();
            (status.metadata.id.clone(), ProviderState { schema, ..ProviderState::default() })
        })
        .collect();
    for resource in health {
        let state = states.entry(resource.metadata.id.clone()).or_default();
        state.connected = flag(&resource.spec["health"], "connected");
        state.error = text(&resource.spec["health"], "error");
    }
    states
}

fn talos_version(resource: &Resource) -> (String, Vec<String>) {
    let kubernetes = resource.spec["compatible_kubernetes_versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|version| version.as_str().map(str::to_owned))
        .collect();
    (resource.metadata.id.clone(), kubernetes)
}

fn extension_names(resource: &Resource) -> Vec<String> {
    resource.spec["items"].as_array().into_iter().flatten().map(|item| text(item, "name")).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn flag(value: &Value, key: &str) -> bool {
    value[key].as_bool().unwrap_or(false)
}

fn integer(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or(0)
}

fn non_empty(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}
