//! Omni's resources written: side by side within a type, one type after another, each looked at where the answer
//! was lost, all read back at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use omni_client::{Kind, Resource, labels};
use tokio::sync::watch;

use super::{Event, Events, finding};
use crate::diagnostic::Diagnostic;
use crate::meaning::same_spec;
use crate::observe::find_each;
use crate::plan::{Action, Change, Finding, three_way};
use crate::ports::{Clock, Failure, Omni, PortError, PortResult, System};

mod removal;

const CONFLICT_TRIES: usize = 8;
/// Creations and updates under way at once.
pub const SIDE_BY_SIDE: usize = 8;

/// How resources are written.
#[derive(Debug, Clone)]
pub struct How {
    /// Writes under way at once.
    pub at_once: usize,
    /// How long all of it may take, in the clock's time; none: as long as it takes.
    pub timeout: Option<Duration>,
    /// Turns true when the user asked to stop: what runs is finished, nothing new begins.
    pub stop: watch::Receiver<bool>,
    /// As omnictl: no look before a deletion and none after a write.
    pub exact: bool,
}

/// How it went.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Written {
    /// Ids of the actions that are done, in the order they ended.
    pub done: Vec<String>,
    /// What failed, with the action's id in the message.
    pub failures: Vec<Finding>,
    /// The first failure as the server worded it.
    #[serde(skip)]
    pub said: Option<String>,
    /// Ids of the actions that were not begun, because one before them failed or the user stopped the run.
    pub not_begun: Vec<String>,
}

impl Written {
    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.not_begun.is_empty()
    }

    fn fail(&mut self, id: &str, error: PortError) {
        if self.said.is_none() {
            self.said = Some(error.said.clone().unwrap_or_else(|| error.message.clone()));
        }
        self.failures
            .push(finding(&format!("{id} was not done"), error));
    }
}

/// Where and for how long resources are written.
pub(super) struct Writer<'a> {
    omni: &'a dyn Omni,
    clock: &'a dyn Clock,
    how: &'a How,
    events: &'a Events,
    until: Option<Duration>,
}

/// Carries out those actions of a plan that are about Omni's resources, in the plan's order. Actions on one type are
/// independent of each other; a type waits for the one before it.
pub async fn write_resources(
    omni: &dyn Omni,
    clock: &dyn Clock,
    actions: &[&Action],
    how: &How,
    events: &Events,
) -> Written {
    let writer = Writer {
        omni,
        clock,
        how,
        events,
        until: how.timeout.map(|timeout| clock.now() + timeout),
    };
    let mut written = Written::default();
    for actions in actions.chunk_by(|one, next| stage(one) == stage(next)) {
        if !written.failures.is_empty() || writer.is_over() {
            written
                .not_begun
                .extend(actions.iter().map(|action| action.id.clone()));
        } else if matches!(actions[0].change, Change::DeleteResource { .. }) {
            writer.remove(actions, &mut written).await;
        } else {
            writer.put(actions, &mut written).await;
        }
    }
    if !how.exact {
        writer.read_back(actions, &mut written).await;
    }
    written
}

/// Actions with one stage run side by side.
fn stage(action: &Action) -> (u8, &str) {
    let kind = action
        .change
        .resource()
        .map_or("", |resource| resource.metadata.kind.as_str());
    match &action.change {
        Change::CreateResource { .. } => (0, kind),
        Change::UpdateResource { .. } => (1, kind),
        Change::DeleteResource { .. } if kind.starts_with("MachineSet") => (2, "MachineSets"),
        _ => (2, kind),
    }
}

impl Writer<'_> {
    fn is_over(&self) -> bool {
        *self.how.stop.borrow() || self.until.is_some_and(|until| self.clock.now() >= until)
    }

    async fn put(&self, actions: &[&Action], written: &mut Written) {
        let one = |action: &Action| {
            let action = action.clone();
            async move {
                if self.is_over() {
                    return (action.id, None);
                }
                self.events.tell(Event::Started {
                    id: action.id.clone(),
                });
                let outcome = self.write(&action.change).await;
                (action.id, Some(outcome))
            }
        };
        let mut outcomes = std::pin::pin!(
            stream::iter(actions.iter().map(|action| one(action)))
                .buffered(self.how.at_once.max(1))
        );
        let mut at = 0;
        while let Some((id, outcome)) = outcomes.next().await {
            at += 1;
            match outcome {
                None => written.not_begun.push(id),
                Some(Ok(detail)) => self.done(id, detail, written),
                Some(Err(error)) => {
                    self.failed(&id, error, written);
                    if self.how.exact {
                        break;
                    }
                }
            }
        }
        let rest = actions[at..].iter().map(|action| action.id.clone());
        written.not_begun.extend(rest);
    }

    fn done(&self, id: String, detail: &str, written: &mut Written) {
        self.events.tell(Event::Done {
            id: id.clone(),
            detail: detail.to_owned(),
        });
        written.done.push(id);
    }

    fn failed(&self, id: &str, error: PortError, written: &mut Written) {
        self.events.tell(Event::Failed {
            id: id.to_owned(),
            error: error.to_string(),
        });
        written.fail(id, error);
    }

    async fn write(&self, change: &Change) -> PortResult<&'static str> {
        match change {
            Change::CreateResource { resource } => create(self.omni, resource).await,
            Change::UpdateResource { resource, seen } => update(self.omni, resource, seen).await,
            _ => Err(refused("this is no write to a resource of Omni")),
        }
    }

    /// Looks at everything that was written once more.
    async fn read_back(&self, actions: &[&Action], written: &mut Written) {
        let mut by_kind: BTreeMap<Kind, Vec<(&str, &Resource)>> = BTreeMap::new();
        for action in actions
            .iter()
            .filter(|action| written.done.contains(&action.id))
        {
            if let Change::CreateResource { resource } | Change::UpdateResource { resource, .. } =
                &action.change
            {
                by_kind
                    .entry(resource.kind())
                    .or_default()
                    .push((&action.id, resource));
            }
        }
        for (kind, wanted) in by_kind {
            let ids: Vec<&str> = wanted.iter().map(|(_, resource)| resource.id()).collect();
            let found = match find_each(self.omni, &kind, &ids).await {
                Ok(found) => found,
                Err(error) => {
                    let error = finding(&format!("{kind} could not be read back"), error);
                    written.failures.push(error);
                    continue;
                }
            };
            let lost = wanted
                .iter()
                .filter(|(_, resource)| !found.iter().any(|there| there.id() == resource.id()));
            for (id, _) in lost {
                let error = Diagnostic::error(format!("{id} vanished right after it was written"))
                    .hint("run it again; if it vanishes again, somebody else removes it");
                written.failures.push(Finding::of(System::Omni, error));
            }
        }
    }
}

fn refused(message: impl Into<String>) -> PortError {
    PortError::new(System::Omni, Failure::Other, message)
}

fn changed(id: &str) -> PortError {
    PortError::changed(System::Omni, id)
}

async fn create(omni: &dyn Omni, resource: &Resource) -> PortResult<&'static str> {
    let Err(error) = omni.create(resource).await else {
        return Ok("made");
    };
    // A lost answer may have been a success.
    if !matches!(error.failure, Failure::Conflict | Failure::Unreachable) {
        return Err(error);
    }
    match omni.get(&resource.kind(), resource.id()).await {
        Ok(Some(found)) if is_same(&found, resource) => Ok("was there already"),
        Ok(Some(_)) if error.failure == Failure::Conflict => Err(PortError {
            said: error.said,
            ..changed(resource.id())
        }),
        _ => Err(error),
    }
}

fn is_same(found: &Resource, wanted: &Resource) -> bool {
    same_spec(&found.spec, &wanted.spec)
        && found.label(labels::CLUSTER) == wanted.label(labels::CLUSTER)
}

async fn update(omni: &dyn Omni, wanted: &Resource, seen: &Resource) -> PortResult<&'static str> {
    let mut next = wanted.clone();
    for _ in 0..CONFLICT_TRIES {
        let error = match omni.update(&next).await {
            Ok(()) => return Ok("changed"),
            Err(error) => error,
        };
        if !matches!(error.failure, Failure::Conflict | Failure::Unreachable) {
            return Err(error);
        }
        let Some(now) = omni.get(&wanted.kind(), wanted.id()).await? else {
            return Err(changed(wanted.id()));
        };
        let metadata = three_way(&now.metadata, &seen.metadata, &wanted.metadata);
        if same_spec(&now.spec, &wanted.spec)
            && now.metadata.labels == metadata.labels
            && now.metadata.annotations == metadata.annotations
        {
            return Ok("was so already");
        }
        // Controllers raise versions by adding finalizers; only a changed spec is somebody's work.
        if !same_spec(&now.spec, &seen.spec) {
            return Err(changed(wanted.id()));
        }
        next = Resource {
            metadata,
            spec: wanted.spec.clone(),
        };
    }
    Err(changed(wanted.id()))
}
