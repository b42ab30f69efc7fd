//! Deletions: asked for side by side, then waited for while Omni's controllers let go.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use omni_client::Resource;

use super::{Event, Writer, Written, changed, is_same, refused};
use crate::observe::find_each;
use crate::plan::{Action, Change};
use crate::ports::{Failure, PortError, PortResult};

const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What is waited for is told this often where it does not change.
const TELL_EVERY: Duration = Duration::from_secs(30);

impl Writer<'_> {
    pub(super) async fn remove(&self, actions: &[&Action], written: &mut Written) {
        let wanted = actions.iter().filter_map(|action| match &action.change {
            Change::DeleteResource { seen } => Some((action.id.as_str(), seen)),
            _ => None,
        });
        let asked = |(id, seen): (&'_ str, &'_ Resource)| {
            let (id, seen) = (id.to_owned(), seen.clone());
            async move {
                if self.is_over() {
                    return (id, seen, None);
                }
                self.events.tell(Event::Started { id: id.clone() });
                let outcome = self.ask(&seen).await;
                (id, seen, Some(outcome))
            }
        };
        let outcomes: Vec<_> = stream::iter(wanted.map(asked))
            .buffered(self.how.at_once.max(1))
            .collect()
            .await;
        let mut going = Vec::new();
        for (id, seen, outcome) in outcomes {
            match outcome {
                None => written.not_begun.push(id),
                Some(Ok(true)) => going.push((id, seen)),
                Some(Ok(false)) => self.done(id, "was gone already", written),
                Some(Err(error)) => self.failed(&id, error, written),
            }
        }
        self.wait_until_gone(going, written).await;
    }

    /// Asks for a deletion. False where there is nothing left to delete.
    async fn ask(&self, seen: &Resource) -> PortResult<bool> {
        let kind = seen.kind();
        if !self.how.exact {
            let Some(now) = self.omni.get(&kind, seen.id()).await? else {
                return Ok(false);
            };
            if now.metadata.created != seen.metadata.created || !is_same(&now, seen) {
                return Err(changed(seen.id()));
            }
        }
        let Err(error) = self.omni.teardown(&kind, seen.id()).await else {
            return Ok(true);
        };
        if error.failure != Failure::Unreachable {
            return Err(error);
        }
        // A lost answer may have been a success.
        match self.omni.get(&kind, seen.id()).await {
            Ok(Some(now)) if !now.is_tearing_down() => Err(error),
            Ok(_) => Ok(true),
            Err(_) => Err(error),
        }
    }

    async fn wait_until_gone(&self, mut going: Vec<(String, Resource)>, written: &mut Written) {
        let (mut pause, mut told, mut said) = (FIRST_LOOK, self.clock.now(), String::new());
        while !going.is_empty() {
            let left = match self.still_there(&going).await {
                Ok(left) => left,
                Err(error) => {
                    for (id, _) in going {
                        self.failed(&id, error.clone(), written);
                    }
                    return;
                }
            };
            let (there, gone): (Vec<_>, Vec<_>) = going.into_iter().partition(|(_, seen)| {
                left.iter()
                    .any(|now| now.metadata.kind == seen.metadata.kind && now.id() == seen.id())
            });
            for (id, _) in gone {
                self.done(id, "gone", written);
            }
            going = there;
            if going.is_empty() {
                return;
            }
            let waits = held(&left);
            if self.is_over() {
                for (id, _) in &going {
                    self.failed(id, too_late(&waits), written);
                }
                return;
            }
            let now = self.clock.now();
            if pause > FIRST_LOOK && (waits != said || now.saturating_sub(told) >= TELL_EVERY) {
                self.events.tell(Event::Waiting {
                    what: waits.clone(),
                });
                (said, told) = (waits, now);
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What of it Omni still has. One made anew under the same id is not it.
    async fn still_there(&self, going: &[(String, Resource)]) -> PortResult<Vec<Resource>> {
        let mut left = Vec::new();
        for of_kind in going.chunk_by(|one, next| one.1.metadata.kind == next.1.metadata.kind) {
            let ids: Vec<&str> = of_kind.iter().map(|(_, seen)| seen.id()).collect();
            let found = find_each(self.omni, &of_kind[0].1.kind(), &ids).await?;
            left.extend(found.into_iter().filter(|now| {
                of_kind.iter().any(|(_, seen)| {
                    seen.id() == now.id() && seen.metadata.created == now.metadata.created
                })
            }));
        }
        Ok(left)
    }
}

/// What is still there and who holds it.
fn held(left: &[Resource]) -> String {
    const SHOWN: usize = 3;
    let one = |resource: &Resource| {
        let name = format!("{} {}", resource.kind(), resource.id());
        match resource.metadata.finalizers.as_slice() {
            [] => format!("{name} to go"),
            holders => format!("{name} to go, held by {}", holders.join(", ")),
        }
    };
    let text = left
        .iter()
        .take(SHOWN)
        .map(one)
        .collect::<Vec<_>>()
        .join("; ");
    match left.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

fn too_late(waits: &str) -> PortError {
    refused(format!("stopped while waiting for {waits}")).hint(
        "the deletion goes on in Omni: run it again to go on waiting; machines that are away, or a provider that \
         is, hold it for as long as they are",
    )
}
