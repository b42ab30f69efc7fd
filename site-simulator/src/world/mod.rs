//! One world: a state machine over simulated time. Every call first lets all that is due happen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use api_transport::Clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::blueprint::{Blueprint, Faults};
use crate::keys::{self, Credentials};
use crate::log::Log;

pub mod draws;
pub mod gateway;
pub mod machine;
pub mod omni;
pub mod preload;
pub mod provider;
pub mod proxmox;
mod queue;

pub use queue::{Due, Queue};

/// A running simulated site. Shared by its doors.
#[derive(Debug)]
pub struct World {
    clock: Arc<dyn Clock>,
    /// Nanoseconds that the world is ahead of its clock: what was fast-forwarded.
    ahead: AtomicU64,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    keys: OnceLock<Result<Credentials, String>>,
}

/// Everything there is. Times are since the world began.
#[derive(Debug)]
pub struct State {
    /// Seeded randomness; all draws come from here.
    pub rng: StdRng,
    /// Randomness of network faults; apart, so that they do not move the world's own draws.
    pub fault_rng: StdRng,
    /// What goes wrong.
    pub faults: Faults,
    /// What the site is made of.
    pub blueprint: Blueprint,
    /// Proxmox clusters by provider id.
    pub proxmox: BTreeMap<String, proxmox::Cluster>,
    /// The UniFi gateway.
    pub gateway: gateway::Gateway,
    /// Omni's resources and what its controllers remember.
    pub omni: omni::Omni,
    /// Infra providers by id.
    pub providers: BTreeMap<String, provider::Provider>,
    /// What runs inside VMs, by provider and VMID.
    pub machines: BTreeMap<machine::Key, machine::Machine>,
    /// What happens later.
    pub queue: Queue,
    /// What really happened; the figures of a rehearsal come from here.
    pub log: Log,
    /// The wall clock at time zero.
    pub wall_zero: SystemTime,
    advanced_to: Duration,
}

impl World {
    /// A site as the blueprint has it, nothing of ours in it yet. Time starts now; the same seed and the
    /// same calls at the same times give the same log.
    pub fn new(
        blueprint: Blueprint,
        seed: u64,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let now = clock.now();
        let wall_zero = clock
            .wall()
            .checked_sub(now)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let state = State::new(blueprint, seed, faults, wall_zero, now);
        Arc::new(Self {
            clock,
            ahead: AtomicU64::new(0),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            keys: OnceLock::new(),
        })
    }

    /// Lets everything due happen, then runs `f` on the state at the present time.
    pub fn act<T>(&self, f: impl FnOnce(&mut State, Duration) -> T) -> T {
        let result = {
            let mut state = self.lock();
            let now = self.now().max(state.advanced_to);
            state.advance(now);
            f(&mut state, now)
        };
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Reads the state as it is, without letting time pass.
    pub fn look<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.lock())
    }

    /// Keeps the world going: sleeps to the next due event and lets it happen. Never returns.
    pub async fn run(self: Arc<Self>) {
        let mut changed = self.changed();
        loop {
            self.tick(&mut changed).await;
        }
    }

    /// Waits until the world changed or its next event was due, and lets that happen.
    pub async fn tick(&self, changed: &mut watch::Receiver<u64>) {
        let due = self.lock().next_due();
        let now = self.now();
        match due {
            Some(due) if due <= now => self.act(|_, _| ()),
            Some(due) => {
                tokio::select! {
                    _ = changed.changed() => {}
                    () = self.clock.sleep(due.saturating_sub(now)) => self.act(|_, _| ()),
                }
            }
            // The sender lives as long as `self`, so this can only fail after the world ended.
            None => drop(changed.changed().await),
        }
    }

    /// Counts up whenever somebody acted on the world.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The clock the world lives by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The world's time: what the clock says, and what was fast-forwarded.
    pub fn now(&self) -> Duration {
        self.clock.now() + Duration::from_nanos(self.ahead.load(Ordering::Relaxed))
    }

    /// The wall clock at a time of the world.
    pub fn wall(&self, at: Duration) -> SystemTime {
        self.lock().wall_zero + at
    }

    /// The world's own log so far.
    pub fn log(&self) -> Log {
        self.lock().log.clone()
    }

    /// What the doors accept. Keys are made at the first call.
    pub fn credentials(&self) -> Credentials {
        self.keys()
            .map_or_else(|_| Credentials::without_omni_keys(), Credentials::clone)
    }

    /// The same, or why the keys could not be made.
    pub(crate) fn keys(&self) -> Result<&Credentials, &str> {
        let made = self.keys.get_or_init(|| {
            let wall = self.wall(self.now());
            let mut state = self.lock();
            let providers: Vec<String> = state.providers.keys().cloned().collect();
            keys::generate(&mut state.omni.accounts, wall, &providers).map_err(|e| e.to_string())
        });
        made.as_ref().map_err(String::as_str)
    }

    /// Looks at who may call. That somebody called moves nothing in the world.
    pub(crate) fn with_accounts<T>(&self, f: impl FnOnce(&mut omni::accounts::Accounts) -> T) -> T {
        f(&mut self.lock().omni.accounts)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(
        blueprint: Blueprint,
        seed: u64,
        faults: Faults,
        wall_zero: SystemTime,
        now: Duration,
    ) -> Self {
        let proxmox = blueprint
            .providers
            .iter()
            .map(|p| (p.id.clone(), proxmox::Cluster::new(&p.id, &p.nodes)))
            .collect();
        let gateway = gateway::Gateway::new(
            &blueprint.networks,
            &blueprint.dns_records,
            &blueprint.upstream,
            &blueprint.strangers,
            now,
        );
        let providers = blueprint
            .providers
            .iter()
            .map(|p| (p.id.clone(), provider::Provider::new(&p.id)))
            .collect();
        let mut state = Self {
            rng: StdRng::seed_from_u64(seed),
            fault_rng: StdRng::seed_from_u64(!seed),
            faults,
            blueprint,
            proxmox,
            gateway,
            omni: omni::Omni::default(),
            providers,
            machines: BTreeMap::new(),
            queue: Queue::default(),
            log: Log::default(),
            wall_zero,
            advanced_to: now,
        };
        state.accept_credentials();
        state.set_wall_zero(wall_zero);
        omni::seed(&mut state, now);
        state
    }

    fn accept_credentials(&mut self) {
        for cluster in self.proxmox.values_mut() {
            cluster.accept_token(keys::PROXMOX_TOKEN, proxmox::Role::Operator);
            cluster.accept_token(keys::PROXMOX_READONLY_TOKEN, proxmox::Role::Reader);
        }
        self.gateway.accept_key(keys::UNIFI_KEY, "admin");
        self.gateway
            .accept_key(keys::UNIFI_READONLY_KEY, "readonly");
        let (username, password) = keys::UNIFI_ACCOUNT;
        let account = gateway::Account {
            password: password.to_owned(),
            role: "admin".to_owned(),
            second_factor: false,
        };
        self.gateway.console.accept(username, account);
    }

    fn set_wall_zero(&mut self, wall_zero: SystemTime) {
        self.wall_zero = wall_zero;
        let unix = wall_zero
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        for cluster in self.proxmox.values_mut() {
            cluster.set_epoch(unix);
        }
        self.gateway.set_epoch(unix);
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Duration> {
        self.proxmox
            .values()
            .filter_map(proxmox::Cluster::next_due)
            .chain(self.queue.next_due())
            .min()
    }

    /// Lets everything due up to `now` happen, in order.
    pub fn advance(&mut self, now: Duration) {
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            let at = due.max(self.advanced_to);
            self.advanced_to = at;
            self.advance_hypervisors(at);
            while let Some(event) = self.queue.pop_due(at) {
                self.happen(at, event);
            }
        }
        self.advanced_to = self.advanced_to.max(now);
    }

    fn advance_hypervisors(&mut self, at: Duration) {
        let ids: Vec<String> = self.proxmox.keys().cloned().collect();
        for id in ids {
            let Some(cluster) = self.proxmox.get_mut(&id) else {
                continue;
            };
            if cluster.next_due().is_none_or(|due| due > at) {
                continue;
            }
            for event in cluster.advance(at, &mut self.log, &self.faults) {
                provider::vm_event(self, at, &id, &event);
                machine::vm_event(self, at, &id, &event);
            }
        }
    }

    fn happen(&mut self, at: Duration, event: Due) {
        match event {
            Due::Reconcile => omni::controllers::reconcile(self, at),
            Due::Kubernetes { cluster } => {
                omni::controllers::upgrades::step_done(self, at, &cluster);
            }
            Due::Provider { provider, task } => provider::happen(self, at, &provider, task),
            Due::Machine { key, boot, step } => machine::happen(self, at, &key, boot, step),
        }
    }

    /// Asks Omni's controllers to look at the store soon.
    pub fn wake_controllers(&mut self, now: Duration) {
        if !self.queue.reconcile_pending() {
            let delay = draws::controller_reaction(&mut self.rng);
            self.queue.push(now + delay, Due::Reconcile);
        }
    }
}
