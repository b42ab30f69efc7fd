//! One world: a state machine over simulated time. Every call first lets all that is due happen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api_transport::Clock;
use tokio::sync::watch;

use crate::blueprint::{Blueprint, Faults};
use crate::log::Log;

pub mod gateway;
pub mod proxmox;

/// A running simulated site. Shared by its doors.
#[derive(Debug)]
pub struct World {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// Everything there is. Times are since the world began.
#[derive(Debug)]
pub struct State {
    /// Seeded randomness; all draws come from here.
    pub rng: rand::rngs::StdRng,
    /// What goes wrong.
    pub faults: Faults,
    /// Proxmox clusters by provider id.
    pub proxmox: BTreeMap<String, proxmox::Cluster>,
    /// The UniFi gateway.
    pub gateway: gateway::Gateway,
    /// What really happened; the figures of a rehearsal come from here.
    pub log: Log,
    // omni: omni::Omni, provider state, machines: added by their modules
}
