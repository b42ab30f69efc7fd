//! What happens later, in order of time; what is due at the same time happens in the order it was planned.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{machine, provider};

/// Something that will happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// Omni's controllers look at the store.
    Reconcile,
    /// A component of Kubernetes runs its new version on one node.
    Kubernetes {
        /// Cluster.
        cluster: String,
    },
    /// A provider goes on with something.
    Provider {
        /// Provider id.
        provider: String,
        /// With what.
        task: provider::Task,
    },
    /// A guest goes on.
    Machine {
        /// Which VM.
        key: machine::Key,
        /// The boot this belongs to; void when the VM was stopped or booted again since.
        boot: u64,
        /// What it does.
        step: machine::Step,
    },
}

/// Planned events.
#[derive(Debug, Default)]
pub struct Queue {
    events: BTreeMap<(Duration, u64), Due>,
    next: u64,
    reconcile_pending: bool,
}

impl Queue {
    /// Plans an event.
    pub fn push(&mut self, at: Duration, event: Due) {
        if event == Due::Reconcile {
            self.reconcile_pending = true;
        }
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    /// Takes the next event that is due at `now`.
    pub fn pop_due(&mut self, now: Duration) -> Option<Due> {
        let entry = self
            .events
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        let event = entry.remove();
        if event == Due::Reconcile {
            self.reconcile_pending = false;
        }
        Some(event)
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Whether the controllers will look at the store anyway.
    pub fn reconcile_pending(&self) -> bool {
        self.reconcile_pending
    }
}
