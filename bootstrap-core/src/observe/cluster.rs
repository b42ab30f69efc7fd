//! Everything a template can say of one cluster, as it is in Omni.

use omni_client::{Resource, kinds, labels};

use super::resources_of;
use crate::ports::{Omni, PortResult};

/// The cluster, its status, what carries its label, and what goes with machines, whatever their cluster; `None` when
/// there is no such cluster. Eleven calls, however many machines it has.
pub async fn cluster_resources(
    omni: &dyn Omni,
    cluster: &str,
) -> PortResult<Option<Vec<Resource>>> {
    let (found, status, of_machines) = tokio::try_join!(
        resources_of(cluster, &[], omni),
        omni.get(&kinds::CLUSTER_STATUS, cluster),
        omni.list(&kinds::CONFIG_PATCH, Some(labels::MACHINE)),
    )?;
    if !found.values().any(|found| found.kind() == kinds::CLUSTER) {
        return Ok(None);
    }
    let is_of_another = |resource: &Resource| {
        resource
            .label(labels::CLUSTER)
            .is_some_and(|label| label != cluster)
    };
    let mut all: Vec<Resource> = found.into_values().collect();
    all.retain(|resource| !is_of_another(resource));
    all.extend(status);
    // A patch that carries both labels is there already.
    all.extend(
        of_machines
            .into_iter()
            .filter(|patch| patch.label(labels::CLUSTER).is_none()),
    );
    Ok(Some(all))
}
