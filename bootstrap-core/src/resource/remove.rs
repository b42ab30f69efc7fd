//! Deleting resources, and saying what a deletion waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use api_transport::Clock;
use futures_util::StreamExt as _;
use futures_util::stream;
use omni_client::{Kind, Resource};

use crate::ports::{Omni, PortError, PortResult};

const AT_ONCE: usize = 8;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What happens during a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// These finalizers still hold a resource.
    Held(String, Vec<String>),
    /// A resource is gone.
    Gone(String),
}

/// What a deletion left behind.
#[derive(Debug, Default)]
pub struct Left {
    /// Resources that are still there, with the finalizers that hold them.
    pub held: BTreeMap<String, Vec<String>>,
    /// Those whose deletion was refused.
    pub refused: Vec<(String, PortError)>,
}

/// Deletes resources and waits until they are gone; those that are not there are passed over.
///
/// # Errors
/// Omni does not answer.
pub async fn remove(
    omni: &dyn Omni,
    clock: &dyn Clock,
    kind: &Kind,
    ids: &[String],
    within: Duration,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> PortResult<Left> {
    let until = clock.now() + within;
    let mut left = Left::default();
    let asked: Vec<(&String, PortResult<bool>)> = stream::iter(ids)
        .map(|id| async move { (id, ask(omni, kind, id).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut waiting: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, outcome) in asked {
        match outcome {
            Ok(true) => drop(waiting.insert(id.clone(), Vec::new())),
            Ok(false) => {}
            Err(error) => left.refused.push((id.clone(), error)),
        }
    }
    while !waiting.is_empty() {
        let mut found = look(omni, kind, &waiting).await?;
        waiting.retain(|id, told| {
            let Some(resource) = found.remove(id) else {
                tell(Progress::Gone(id.clone()));
                return false;
            };
            let mut holders = resource.metadata.finalizers;
            holders.sort();
            if *told != holders {
                told.clone_from(&holders);
                tell(Progress::Held(id.clone(), holders));
            }
            true
        });
        if waiting.is_empty() || clock.now() >= until {
            break;
        }
        clock.sleep(LOOK_EVERY).await;
    }
    left.held = waiting;
    Ok(left)
}

/// Whether there was something to delete.
async fn ask(omni: &dyn Omni, kind: &Kind, id: &str) -> PortResult<bool> {
    if omni.get(kind, id).await?.is_none() {
        return Ok(false);
    }
    omni.teardown(kind, id).await?;
    Ok(true)
}

/// What is still there. One that was made anew under the same id is another.
async fn look(
    omni: &dyn Omni,
    kind: &Kind,
    waiting: &BTreeMap<String, Vec<String>>,
) -> PortResult<BTreeMap<String, Resource>> {
    let resources = match waiting.keys().collect::<Vec<_>>()[..] {
        [id] => omni.get(kind, id).await?.into_iter().collect(),
        _ => omni.list(kind, None).await?,
    };
    Ok(resources
        .into_iter()
        .filter(Resource::is_tearing_down)
        .map(|resource| (resource.metadata.id.clone(), resource))
        .collect())
}
