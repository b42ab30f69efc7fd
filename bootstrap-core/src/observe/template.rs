//! What Omni has of one cluster template: about ten lists, whatever the number of machines.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use omni_client::specs::CurrentUser;
use omni_client::{Kind, Resource, kinds, labels};

use super::omni::{extensions_of, read, requests_of_sets, talos_versions};
use super::{MachineState, OmniView, TEMPLATE_KINDS};
use crate::plan::has_template_id;
use crate::ports::{Failure, Omni, PortResult};
use crate::site::ClusterIntent;

/// Reads of this kind at once.
const AT_ONCE: usize = 8;
/// More single reads than this cost more than a list.
const FEW: usize = 16;

/// Reads the resources of a template's cluster, and with `checks` what foreseeing Omni's refusals takes.
pub async fn observe_template(
    cluster: &ClusterIntent,
    omni: &dyn Omni,
    checks: bool,
) -> PortResult<OmniView> {
    let (mut view, resources) = tokio::try_join!(
        async {
            if checks {
                observe_around(cluster, omni).await
            } else {
                Ok(OmniView::default())
            }
        },
        resources_of(&cluster.name, &cluster.resources, omni),
    )?;
    view.template_resources = resources;
    add_elsewhere(cluster, omni, &mut view.template_resources).await?;
    Ok(view)
}

/// Everything of the kinds that templates make that carries a cluster's name or stands without a cluster.
pub async fn resources_of(
    cluster: &str,
    wanted: &[Resource],
    omni: &dyn Omni,
) -> PortResult<BTreeMap<(String, String), Resource>> {
    let selector = format!("{}={cluster}", labels::CLUSTER);
    let list = |kind: &'static Kind| {
        let selector = selector.clone();
        async move {
            if *kind == kinds::CLUSTER {
                return Ok(omni.get(kind, cluster).await?.into_iter().collect());
            }
            let listed = omni
                .list(kind, is_labelled(kind).then_some(&selector))
                .await;
            let is_used = *kind == kinds::MACHINE_SET
                || wanted.iter().any(|one| one.metadata.kind == kind.name);
            match listed {
                // Older servers refuse kinds they do not know, which matters only where they are used.
                Err(error) if error.failure == Failure::Denied && !is_used => Ok(Vec::new()),
                listed => listed,
            }
        }
    };
    let lists: Vec<Vec<Resource>> = try_join_all(TEMPLATE_KINDS.iter().map(list)).await?;
    Ok(lists
        .into_iter()
        .flatten()
        .map(|resource| (key(&resource), resource))
        .collect())
}

/// Kernel arguments and install disks carry no cluster, and machines are looked for in every cluster.
fn is_labelled(kind: &Kind) -> bool {
    ![
        kinds::KERNEL_ARGS,
        kinds::MACHINE_INSTALL_DISK_CONFIG,
        kinds::MACHINE_SET_NODE,
    ]
    .contains(kind)
}

/// Type and id.
pub(crate) fn key(resource: &Resource) -> (String, String) {
    (resource.metadata.kind.clone(), resource.metadata.id.clone())
}

/// What has the id of something wanted and belongs to another cluster: only ids that a template does not make itself
/// can clash.
async fn add_elsewhere(
    cluster: &ClusterIntent,
    omni: &dyn Omni,
    found: &mut BTreeMap<(String, String), Resource>,
) -> PortResult<()> {
    for kind in TEMPLATE_KINDS.iter().filter(|kind| is_labelled(kind)) {
        let free: Vec<&Resource> = cluster
            .resources
            .iter()
            .filter(|wanted| wanted.metadata.kind == kind.name && !found.contains_key(&key(wanted)))
            .filter(|wanted| *kind == kinds::MACHINE_SET || !has_template_id(wanted, &cluster.name))
            .collect();
        let ids: Vec<&str> = free.iter().map(|wanted| wanted.id()).collect();
        let taken = find_each(omni, kind, &ids).await?.into_iter();
        found.extend(taken.map(|resource| (key(&resource), resource)));
    }
    Ok(())
}

/// Those of some resources that exist: one by one where they are few, else from a list.
pub async fn find_each(omni: &dyn Omni, kind: &Kind, ids: &[&str]) -> PortResult<Vec<Resource>> {
    if ids.len() > FEW {
        let wanted: BTreeSet<&str> = ids.iter().copied().collect();
        let mut listed = omni.list(kind, None).await?;
        listed.retain(|resource| wanted.contains(resource.id()));
        return Ok(listed);
    }
    stream::iter(ids.iter().map(|id| omni.get(kind, id)))
        .buffered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// What Omni judges a template by: versions, extensions, classes, machines, and this key's role.
async fn observe_around(cluster: &ClusterIntent, omni: &dyn Omni) -> PortResult<OmniView> {
    let has = |kind: &Kind| {
        cluster
            .resources
            .iter()
            .any(|wanted| wanted.metadata.kind == kind.name)
    };
    let list_if = |wanted: bool, kind: &'static Kind| async move {
        if wanted {
            omni.list(kind, None).await
        } else {
            Ok(Vec::new())
        }
    };
    let by_class = cluster.machine_sets.iter().any(|set| set.class.is_some());
    let (user, rights, versions, extensions, classes, machines, requests) = tokio::try_join!(
        omni.get(&kinds::CURRENT_USER, "current"),
        omni.get(&kinds::CLUSTER_PERMISSIONS, &cluster.name),
        omni.list(&kinds::TALOS_VERSION, None),
        async {
            if has(&kinds::EXTENSIONS_CONFIGURATION) {
                omni.get(&kinds::TALOS_EXTENSIONS, &cluster.talos_version)
                    .await
            } else {
                Ok(None)
            }
        },
        list_if(by_class, &kinds::MACHINE_CLASS),
        list_if(has(&kinds::MACHINE_SET_NODE), &kinds::MACHINE),
        list_if(by_class, &kinds::MACHINE_REQUEST),
    )?;
    let sets = cluster.machine_sets.iter().map(|set| set.id.as_str());
    Ok(OmniView {
        role: user
            .map(|user| read::<CurrentUser>(&user))
            .transpose()?
            .map(|user| user.role),
        may_write_cluster: rights.is_some_and(|rights| may_write(&rights)),
        talos_versions: talos_versions(versions)?,
        extensions: extensions
            .iter()
            .map(extensions_of)
            .collect::<PortResult<_>>()?,
        machine_classes: classes
            .into_iter()
            .map(|class| (class.metadata.id.clone(), class))
            .collect(),
        machines: machines
            .into_iter()
            .map(|machine| (machine.metadata.id.to_lowercase(), MachineState::default()))
            .collect(),
        requests: requests_of_sets(&sets.collect(), &requests, &[])?,
        ..OmniView::default()
    })
}

fn may_write(rights: &Resource) -> bool {
    [
        "can_update_talos",
        "can_manage_config_patches",
        "can_add_machines",
    ]
    .iter()
    .all(|right| rights.spec.get(*right) == Some(&serde_json::Value::Bool(true)))
}

/// What there is of a cluster that is to go, and, with `away_too`, what of its disconnected machines goes before it:
/// extension lists, the machines' links, and their patches.
pub async fn observe_removal(
    cluster: &str,
    omni: &dyn Omni,
    away_too: bool,
) -> PortResult<(OmniView, Vec<Vec<Resource>>)> {
    let view = OmniView {
        template_resources: resources_of(cluster, &[], omni).await?,
        ..OmniView::default()
    };
    if !away_too {
        return Ok((view, Vec::new()));
    }
    let selector = format!("{},{}={cluster}", labels::DISCONNECTED, labels::CLUSTER);
    let away = omni.list(&kinds::MACHINE_STATUS, Some(&selector)).await?;
    let ids: Vec<&str> = away.iter().map(Resource::id).collect();
    let links = find_each(omni, &kinds::LINK, &ids).await?;
    let mut patches = Vec::new();
    for id in &ids {
        let selector = format!("{}={id}", labels::MACHINE);
        patches.extend(omni.list(&kinds::CONFIG_PATCH, Some(&selector)).await?);
    }
    let is_users = |resource: &&Resource| resource.metadata.owner.is_empty();
    let extensions = view
        .template_resources
        .values()
        .filter(|resource| resource.metadata.kind == kinds::EXTENSIONS_CONFIGURATION.name)
        .filter(is_users)
        .cloned()
        .collect();
    patches.retain(|patch| is_users(&patch));
    Ok((view, vec![extensions, links, patches]))
}
