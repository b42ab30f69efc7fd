//! A plan carried out: check the precondition, act, read back. Nothing is chosen here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::diagnostic::Diagnostic;
use crate::observe::{Snapshot, observe};
use crate::plan::{Action, Change, Finding, Plan, Slot};
use crate::ports::{PortError, Ports};
use crate::site::Site;

mod attach;
mod dns;
mod event;
mod known;
mod late;
mod machine;
mod power;
mod reserve;
mod resources;
mod signals;
mod wait;

pub use event::{Event, Events};
pub use resources::{How, SIDE_BY_SIDE, Written, write_resources};
pub use wait::Wait;
pub(crate) use wait::step;

/// What is known of settled machines may still be on its way to those who wait for it.
const NEWS_TRAVELS: Duration = Duration::from_secs(15);

/// How to apply.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to wait for at the end; `None` chooses by the template's CNI.
    pub wait: Option<Wait>,
    /// Whole-run deadline, in the clock's time.
    pub timeout: Duration,
    /// Whether installed workers may be stopped and started.
    pub allow_restart: bool,
    /// Turns true when the user asked to stop: the running action is finished, nothing new begins.
    pub stop: watch::Receiver<bool>,
}

/// How it went.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Outcome {
    /// What failed.
    pub failures: Vec<Finding>,
    /// What only a person can decide.
    pub needs_person: Vec<Finding>,
    /// What was done for single machines.
    pub machines: BTreeMap<String, Worked>,
    /// Whether what was waited for came true.
    pub reached: bool,
    /// Whether the user stopped it.
    pub stopped: bool,
    /// The site at the end, where it could be read.
    #[serde(skip)]
    pub snapshot: Option<Snapshot>,
}

/// What was done for one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Worked {
    /// An address was to be reserved for it.
    pub wants_address: bool,
    /// GPUs were to be attached to it; those its class gives are not counted.
    pub wants_gpu: bool,
    /// The reservation was written before the VM was started.
    pub reserved_in_window: bool,
    /// Its GPUs were attached before the VM was started.
    pub attached_in_window: bool,
    /// It was stopped and started for a GPU or an address.
    pub restarts: u32,
}

/// A lock for each provider and node.
type NodeLocks = BTreeMap<(String, String), Arc<Mutex<()>>>;

/// What all parts of one apply share.
pub(crate) struct Run {
    pub(crate) site: Arc<Site>,
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) events: Events,
    pub(crate) signals: signals::Signals,
    /// The gateway takes one write at a time.
    pub(crate) gateway_writes: Mutex<()>,
    /// Devices of a node, by provider and node, are counted and attached by one machine at a time.
    device_writes: std::sync::Mutex<NodeLocks>,
    /// All slots of this run: machines that want the same device are read again before a write.
    pub(crate) rivals: watch::Sender<Vec<Slot>>,
    /// Since when every machine is where it will be: what still waits for one need not.
    pub(crate) settled: watch::Sender<Option<Duration>>,
    started: Duration,
}

impl Run {
    /// Time left until the deadline.
    pub(crate) fn left(&self) -> Duration {
        self.options
            .timeout
            .saturating_sub(self.ports.clock.now().saturating_sub(self.started))
    }

    /// Whether to begin nothing new: the user stopped it or the deadline passed.
    pub(crate) fn is_over(&self) -> bool {
        *self.options.stop.borrow() || self.left().is_zero()
    }

    /// Whether nothing will move any more that a machine's work could wait for.
    pub(crate) fn is_settled(&self) -> bool {
        let since = *self.settled.borrow();
        self.is_over()
            || since
                .is_some_and(|since| self.ports.clock.now().saturating_sub(since) >= NEWS_TRAVELS)
    }

    /// Comes when [`is_settled`](Self::is_settled) holds.
    pub(crate) async fn settles(&self) {
        while !self.is_settled() {
            self.sleep(Duration::from_secs(1)).await;
        }
    }

    /// The lock of one node's devices. A node whose writes hang holds up no other.
    pub(crate) fn devices_of(&self, provider: &str, node: &str) -> Arc<Mutex<()>> {
        let mut locks = self
            .device_writes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(
            locks
                .entry((provider.to_owned(), node.to_owned()))
                .or_default(),
        )
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.ports.clock.sleep(duration).await;
    }
}

/// Carries out a plan that is not blocked.
pub async fn apply(
    site: Arc<Site>,
    ports: Ports,
    plan: &Plan,
    options: Options,
    events: Events,
) -> Outcome {
    let started = ports.clock.now();
    let signals = signals::Signals::start(&ports, providers(&site), &events);
    let run = Arc::new(Run {
        site,
        ports,
        options,
        events,
        signals,
        gateway_writes: Mutex::new(()),
        device_writes: std::sync::Mutex::default(),
        rivals: watch::Sender::new(Vec::new()),
        settled: watch::Sender::new(None),
        started,
    });
    let mut outcome = Outcome {
        needs_person: plan.left_to_person.clone(),
        ..Outcome::default()
    };
    // Read before the first write: between a template and its first cold window there is no time for it.
    match observe(&run.site, &run.ports).await {
        Ok(before) => {
            if write_known(&run, plan, &mut outcome).await {
                machine::work_all(&run, plan, before, &mut outcome).await;
            }
        }
        Err(errors) => {
            outcome.failures.extend(
                errors
                    .into_iter()
                    .map(|error| finding("the site cannot be read", error)),
            );
        }
    }
    outcome.stopped = *run.options.stop.borrow();
    outcome.snapshot = observe(&run.site, &run.ports).await.ok();
    outcome
}

fn providers(site: &Site) -> Vec<String> {
    let mut providers: Vec<String> = site
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
        .filter_map(|set| crate::machines::provider_of(site, set).map(str::to_owned))
        // A class that only Omni has may use any provider the site names.
        .chain(
            site.proxmox
                .iter()
                .map(|endpoint| endpoint.provider.clone()),
        )
        .collect();
    providers.sort();
    providers.dedup();
    providers
}

/// Writes what is known, in the order of cause. False when what follows must not begin.
async fn write_known(run: &Run, plan: &Plan, outcome: &mut Outcome) -> bool {
    let (dns, others): (Vec<&Action>, Vec<&Action>) = plan
        .actions
        .iter()
        .partition(|action| matches!(action.change, Change::CreateDnsRecord { .. }));
    if !carry_out_all(run, &dns, outcome).await {
        return false;
    }
    if !plan.is_empty()
        && let Err(finding) = dns::check_served(run, !dns.is_empty()).await
    {
        outcome.failures.push(finding);
        return false;
    }
    // A template is not written on top of a class or mapping that failed.
    for actions in others.chunk_by(|one, next| is_resource(one) == is_resource(next)) {
        let went_well = if is_resource(actions[0]) {
            write(run, actions, outcome).await
        } else {
            carry_out_all(run, actions, outcome).await
        };
        if !went_well {
            return false;
        }
    }
    true
}

fn is_resource(action: &Action) -> bool {
    action.change.resource().is_some()
}

async fn carry_out_all(run: &Run, actions: &[&Action], outcome: &mut Outcome) -> bool {
    for action in actions {
        if !carry_out(run, action, outcome).await {
            return false;
        }
    }
    true
}

async fn write(run: &Run, actions: &[&Action], outcome: &mut Outcome) -> bool {
    let how = How {
        at_once: SIDE_BY_SIDE,
        timeout: Some(run.left()),
        stop: run.options.stop.clone(),
        exact: false,
    };
    let (omni, clock) = (run.ports.omni.as_ref(), run.ports.clock.as_ref());
    let written = write_resources(omni, clock, actions, &how, &run.events).await;
    let is_complete = written.is_complete();
    outcome.failures.extend(written.failures);
    is_complete
}

async fn carry_out(run: &Run, action: &Action, outcome: &mut Outcome) -> bool {
    if run.is_over() {
        return false;
    }
    run.events.tell(Event::Started {
        id: action.id.clone(),
    });
    match known::carry_out(run, &action.change).await {
        Ok(detail) => {
            run.events.tell(Event::Done {
                id: action.id.clone(),
                detail,
            });
            true
        }
        Err(error) => {
            run.events.tell(Event::Failed {
                id: action.id.clone(),
                error: error.to_string(),
            });
            outcome
                .failures
                .push(finding(&format!("{} was not done", action.id), error));
            false
        }
    }
}

/// A failed call as a finding.
pub(crate) fn finding(what: &str, error: PortError) -> Finding {
    let mut diagnostic = Diagnostic::error(format!("{what}: {}", error.message));
    diagnostic.hint = error.hint;
    Finding {
        system: Some(error.system),
        diagnostic,
    }
}
