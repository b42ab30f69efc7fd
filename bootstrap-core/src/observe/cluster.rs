//! Everything a template can say of one cluster, as it is in Omni.

use omni_client::{Kind, Resource, kinds, labels};

use crate::ports::{Failure, Omni, PortResult};

/// Kinds whose resources carry the cluster's label.
static LABELLED: [Kind; 6] = [
    kinds::EXTENSIONS_CONFIGURATION,
    kinds::CONFIG_PATCH,
    kinds::KUBERNETES_MANIFEST_GROUP,
    kinds::KUBERNETES_HEALTH_CHECK,
    kinds::MACHINE_SET,
    kinds::MACHINE_SET_NODE,
];

/// Kinds that are known by the machine's id alone.
static BY_MACHINE: [Kind; 2] = [kinds::MACHINE_INSTALL_DISK_CONFIG, kinds::KERNEL_ARGS];

/// The cluster, its status, what carries its label, and what goes with machines, whatever their cluster; `None` when
/// there is no such cluster. Eleven calls, however many machines it has.
pub async fn cluster_resources(
    omni: &dyn Omni,
    cluster: &str,
) -> PortResult<Option<Vec<Resource>>> {
    let Some(found) = omni.get(&kinds::CLUSTER, cluster).await? else {
        return Ok(None);
    };
    let mut all = vec![found];
    all.extend(omni.get(&kinds::CLUSTER_STATUS, cluster).await?);
    let selector = format!("{}={cluster}", labels::CLUSTER);
    let mut lists: Vec<(&Kind, Option<&str>)> = Vec::new();
    lists.extend(LABELLED.iter().map(|kind| (kind, Some(selector.as_str()))));
    lists.extend(BY_MACHINE.iter().map(|kind| (kind, None)));
    lists.push((&kinds::CONFIG_PATCH, Some(labels::MACHINE)));
    let lists = lists
        .into_iter()
        .map(|(kind, selector)| list(omni, kind, selector));
    for listed in futures_util::future::try_join_all(lists).await? {
        // A patch may carry both labels.
        all.extend(listed.into_iter().filter(|resource| {
            resource.label(labels::MACHINE).is_none() || resource.label(labels::CLUSTER).is_none()
        }));
    }
    Ok(Some(all))
}

/// Older servers refuse kinds they do not know, and then have none of them.
async fn list(omni: &dyn Omni, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
    match omni.list(kind, selector).await {
        Err(error) if error.failure == Failure::Denied && *kind != kinds::MACHINE_SET => {
            Ok(Vec::new())
        }
        listed => listed,
    }
}
