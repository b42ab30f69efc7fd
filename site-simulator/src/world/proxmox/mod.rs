//! A Proxmox VE cluster: VMs, locks, tasks, PCI mappings, as its API shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use proxmox_client::GuestInterface;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::blueprint::{Faults, NodeBlueprint};
use crate::log::{Fact, Log};

mod access;
mod config;
mod create;
mod grammar;
mod ha;
mod mapping;
mod passthrough;
mod power;
mod reads;
mod steps;
mod tasks;
mod tickets;
mod vm;

pub use access::{Caller, Grants, OPERATOR, READER, Refusal, Role, everywhere};
pub use config::{Attempt, Write};
pub use create::CreateVm;
pub use grammar::is_number;
pub use mapping::{Check, Mapping};
pub use reads::Row;
pub use tasks::{Task, log_of};
pub use tickets::{Asked, Login, TOTP};
pub use vm::{Change, Vm, parse_mac};

/// How often each node tells the others about its guests.
const BROADCAST: Duration = Duration::from_secs(10);
/// How long a task or a write waits for a configuration's lock file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// Unix time at the beginning, unless said otherwise.
const EPOCH: u64 = 1_795_400_000;

/// What happened to a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmEvent {
    /// The create lock went.
    Unlocked {
        /// Id.
        vmid: u32,
    },
    /// It runs.
    Started {
        /// Id.
        vmid: u32,
        /// What it holds: mapping ids, or `host=…`.
        devices: Vec<String>,
    },
    /// It could not be started.
    StartFailed {
        /// Id.
        vmid: u32,
        /// Exit status of the task.
        error: String,
    },
    /// ACPI power-off was asked for.
    ShutdownRequested {
        /// Id.
        vmid: u32,
    },
    /// QEMU ended.
    Stopped {
        /// Id.
        vmid: u32,
    },
    /// Gone.
    Destroyed {
        /// Id.
        vmid: u32,
    },
}

/// Something that happens at a set time.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// A task begins, or tries again to get the lock file.
    Begin(String),
    /// A task ends.
    End(String),
    /// Tell what happened outside of [`Cluster::advance`].
    Tell(VmEvent, Fact),
}

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    provider: String,
    nodes: Vec<NodeBlueprint>,
    vms: BTreeMap<u32, Vm>,
    mappings: mapping::Mappings,
    access: access::Access,
    users: tickets::Users,
    agents: BTreeMap<u32, Vec<GuestInterface>>,
    tasks: Vec<Task>,
    due: BTreeMap<(Duration, u64), Due>,
    sequence: u64,
    last_pid: u32,
    epoch: u64,
    shown: BTreeMap<u32, reads::Shown>,
    next_broadcast: Duration,
    unreachable: BTreeMap<String, (u16, String)>,
}

impl Cluster {
    /// An empty cluster of these nodes, used by the provider of that id.
    pub fn new(provider: &str, nodes: &[NodeBlueprint]) -> Self {
        Self {
            provider: provider.to_owned(),
            nodes: nodes.to_vec(),
            vms: BTreeMap::new(),
            mappings: BTreeMap::new(),
            access: access::Access::default(),
            users: tickets::Users::default(),
            agents: BTreeMap::new(),
            tasks: Vec::new(),
            due: BTreeMap::new(),
            sequence: 0,
            last_pid: 460,
            epoch: EPOCH,
            shown: BTreeMap::new(),
            next_broadcast: BROADCAST,
            unreachable: BTreeMap::new(),
        }
    }

    /// Sets the Unix time at which the world began.
    pub fn set_epoch(&mut self, unix_seconds: u64) {
        self.epoch = unix_seconds;
    }

    /// Unix time at which the world began.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Lets the bearer of `user@realm!id=secret` in.
    pub fn accept_token(&mut self, token: &str, role: Role) {
        let privileges = if role == Role::Reader {
            READER
        } else {
            OPERATOR
        };
        self.access
            .add(token, everywhere(privileges), role == Role::Expired);
    }

    /// Lets the bearer of `user@realm!id=secret` in with exactly these privileges.
    pub fn accept_token_with(&mut self, token: &str, grants: Grants) {
        self.access.add(token, grants, false);
    }

    /// Lets a user log in, perhaps with a second factor ([`TOTP`]).
    pub fn accept_user(&mut self, user: &str, password: &str, grants: Grants, second_factor: bool) {
        self.users.add(user, password, grants, second_factor);
    }

    /// A login at a Unix time.
    pub fn log_in(&self, asked: &Asked<'_>, unix: u64) -> Result<Login, Refusal> {
        self.users.log_in(asked, unix)
    }

    /// Who has this ticket at a Unix time.
    pub fn by_ticket(&self, ticket: &str, unix: u64) -> Result<Caller, Refusal> {
        self.users.by_ticket(ticket, unix)
    }

    /// Whether a token against forged requests is the caller's.
    pub fn is_csrf(caller: &Caller, token: &str) -> bool {
        tickets::is_csrf(&caller.user, token)
    }

    /// What the guest agent of a VM answers from now on, while the VM runs and has one configured.
    pub fn agent_by_hand(&mut self, vmid: u32, interfaces: Vec<GuestInterface>) {
        self.agents.insert(vmid, interfaces);
    }

    /// What the guest agent of a running VM says of its network.
    pub fn agent(
        &self,
        caller: &Caller,
        node: &str,
        vmid: u32,
    ) -> Result<&[GuestInterface], Refusal> {
        let path = format!("/vms/{vmid}");
        caller.require(
            &path,
            &["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"],
        )?;
        let vm = self.look(caller, node, vmid)?;
        if !vm.running {
            return Err(Refusal::new(500, format!("VM {vmid} is not running")));
        }
        let answers = self
            .agents
            .get(&vmid)
            .filter(|_| vm.config.contains_key("agent"));
        answers
            .map(Vec::as_slice)
            .ok_or_else(|| Refusal::new(500, "QEMU guest agent is not running"))
    }

    /// Who sends this `Authorization` header.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        self.access.authenticate(authorization)
    }

    /// Lowest free vmid from 100 on.
    pub fn next_id(&self) -> u32 {
        (100..u32::MAX)
            .find(|id| !self.vms.contains_key(id))
            .unwrap_or(u32::MAX)
    }

    /// Node names.
    pub fn nodes(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Nodes as they were described.
    pub fn hosts(&self) -> &[NodeBlueprint] {
        &self.nodes
    }

    /// Makes calls to a node fail as the proxy in front of it says, e.g. 595 "Connection refused"; `None` ends that.
    /// Its guests run on.
    pub fn set_unreachable(&mut self, node: &str, failure: Option<(u16, &str)>) {
        match failure {
            Some((status, text)) => {
                self.unreachable
                    .insert(node.to_owned(), (status, text.to_owned()));
            }
            None => drop(self.unreachable.remove(node)),
        }
    }

    /// Whether the cluster can talk to a node.
    pub fn is_reachable(&self, node: &str) -> bool {
        !self.unreachable.contains_key(node)
    }

    /// A node, if a call can be passed on to it.
    pub fn reach(&self, node: &str) -> Result<&NodeBlueprint, Refusal> {
        if let Some((status, text)) = self.unreachable.get(node) {
            return Err(Refusal::bare(*status, text.clone()));
        }
        let known = self.nodes.iter().find(|known| known.name == node);
        known.ok_or_else(|| unknown_node(node))
    }

    /// A VM.
    pub fn vm(&self, vmid: u32) -> Option<&Vm> {
        self.vms.get(&vmid)
    }

    /// All VMs.
    pub fn vms(&self) -> &BTreeMap<u32, Vm> {
        &self.vms
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Duration> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Lets everything due up to `now` happen, in order of time. The events carry no times: a caller that jumps
    /// far ahead and cares calls this at each [`next_due`](Self::next_due) in turn.
    pub fn advance(&mut self, now: Duration, log: &mut Log, faults: &Faults) -> Vec<VmEvent> {
        let mut events = Vec::new();
        loop {
            let next = self.due.keys().next().copied().filter(|(at, _)| *at <= now);
            self.broadcast(next.map_or(now, |(at, _)| at));
            let Some(key) = next else { return events };
            match self.due.remove(&key) {
                Some(Due::Begin(upid)) => self.begin(key.0, &upid, log, &mut events),
                Some(Due::End(upid)) => self.end(key.0, &upid, log, faults, &mut events),
                Some(Due::Tell(event, fact)) => {
                    log.note(key.0, fact);
                    events.push(event);
                }
                None => {}
            }
        }
    }

    fn at(&mut self, at: Duration, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    /// Nothing changes between two due times, so one look stands for all broadcasts missed up to `now`.
    fn broadcast(&mut self, now: Duration) {
        if self.next_broadcast > now {
            return;
        }
        let missed = now.saturating_sub(self.next_broadcast).as_secs() / BROADCAST.as_secs();
        self.next_broadcast += BROADCAST * u32::try_from(missed + 1).unwrap_or(u32::MAX);
        self.shown = self
            .vms
            .values()
            .filter(|vm| !self.unreachable.contains_key(&vm.node))
            .map(|vm| (vm.vmid, reads::Shown::of(vm)))
            .collect();
    }
}

/// A hardware address under the cluster's prefix.
fn generated_mac(rng: &mut StdRng) -> String {
    let [a, b, c]: [u8; 3] = rng.random();
    format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}")
}

/// The refusal of a call that had to be passed to a node nobody knows.
fn unknown_node(node: &str) -> Refusal {
    let cause =
        format!("failed to get address info for: {node}: Temporary failure in name resolution");
    Refusal::new(500, format!("hostname lookup '{node}' failed - {cause}"))
}

/// The refusal of a VM that is not on that node.
fn no_such_vm(node: &str, vmid: u32) -> Refusal {
    Refusal::new(
        500,
        format!("Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist"),
    )
}
