//! What an apply tells while it works. Nothing here decides anything.

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An action began.
    Started {
        /// Action id.
        id: String,
    },
    /// An action is done and was read back.
    Done {
        /// Action id.
        id: String,
        /// What was found, e.g. that it was there already.
        detail: String,
    },
    /// An action failed.
    Failed {
        /// Action id.
        id: String,
        /// Why.
        error: String,
    },
    /// A machine moved on.
    Machine {
        /// Machine request, or UUID.
        machine: String,
        /// What it does now.
        step: String,
    },
    /// A wait and what it is for.
    Waiting {
        /// What is awaited.
        what: String,
    },
    /// A machine has not moved for a long time.
    Stuck {
        /// Machine request, or UUID.
        machine: String,
        /// The step it stays in.
        step: String,
        /// For how long, seconds.
        seconds: u64,
        /// The last task Proxmox has for its VM.
        last_task: Option<String>,
        /// Likely causes.
        causes: Vec<String>,
    },
    /// Anything else worth a line.
    Note {
        /// The line.
        text: String,
    },
}

/// Where events go. A receiver that is gone stops nothing.
#[derive(Debug, Clone)]
pub struct Events(UnboundedSender<Event>);

impl Events {
    /// Sends to this channel.
    pub fn new(sender: UnboundedSender<Event>) -> Self {
        Self(sender)
    }

    /// Tells.
    pub fn tell(&self, event: Event) {
        // Nobody listening is fine: the work matters, not the audience.
        let _ = self.0.send(event);
    }

    pub(crate) fn machine(&self, machine: &str, step: impl Into<String>) {
        self.tell(Event::Machine {
            machine: machine.to_owned(),
            step: step.into(),
        });
    }
}
