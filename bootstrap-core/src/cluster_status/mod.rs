//! One cluster as Omni shows it: whether it is healthy, what it is made of, and what it waits for.

mod follow;
mod observe;
mod tree;
mod waiting;
mod words;

use omni_client::specs::{
    ClusterPhase, ConditionType, KubernetesUpgradePhase, MachineSetPhase, MachineStage,
    RequestStage, TalosUpgradePhase,
};
use serde::Serialize;

pub use self::follow::{Ended, Follow, follow};
pub use self::observe::observe;
pub use self::tree::{Line, Part, Tone, lines, omnictl_lines};

/// A cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its name.
    pub cluster: String,
    /// Running and ready, all machine sets running and ready, no upgrade under way.
    pub healthy: bool,
    /// What it waits for; empty when healthy.
    pub waiting_for: Vec<String>,
    /// Whether the cluster itself exists.
    pub exists: bool,
    /// Its state; `None` while Omni has none.
    pub state: Option<ClusterState>,
    /// Its Kubernetes upgrade, once there was something to compare.
    pub kubernetes_upgrade: Option<Upgrade<KubernetesUpgradePhase>>,
    /// Its Talos upgrade.
    pub talos_upgrade: Option<Upgrade<TalosUpgradePhase>>,
    /// Whether the Kubernetes API answers through Omni.
    pub load_balancer: Option<bool>,
    /// The control plane first, then the default workers, then the others by id.
    pub machine_sets: Vec<MachineSet>,
    /// Providers of machines on their way that do not show a sign of life.
    pub silent_providers: Vec<String>,
}

/// What Omni says of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterState {
    /// What it is at.
    #[serde(serialize_with = "words::serialize")]
    pub phase: ClusterPhase,
    /// Whether all is ready.
    pub ready: bool,
    /// Its machines, counted.
    pub machines: Counts,
    /// Without v.
    pub talos_version: String,
    /// Without v.
    pub kubernetes_version: String,
}

/// Machines, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Healthy.
    pub healthy: u32,
    /// There are.
    pub total: u32,
    /// Wanted.
    pub requested: u32,
}

/// An upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(bound(serialize = "P: words::Word"))]
pub struct Upgrade<P> {
    /// What it is at.
    #[serde(serialize_with = "words::serialize")]
    pub phase: P,
    /// What is being done.
    pub step: String,
    /// How far that is.
    pub status: String,
    /// What is wrong.
    pub error: String,
    /// The version on its way; empty when there is none.
    pub to_version: String,
    /// Whether the resource carries the cluster's label; omnictl sees no other.
    #[serde(skip)]
    pub labelled: bool,
}

/// What a machine set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The control plane.
    ControlPlane,
    /// The workers of the default name.
    Workers,
    /// Any other workers.
    AdditionalWorkers,
}

/// A machine set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineSet {
    /// `<cluster>-<name>`.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// What it is at.
    #[serde(serialize_with = "words::serialize")]
    pub phase: MachineSetPhase,
    /// Whether all its machines are ready.
    pub ready: bool,
    /// What is wrong.
    pub error: String,
    /// Its machines, counted.
    pub counts: Counts,
    /// Checks of the control plane that fail; `None` where nothing is checked.
    #[serde(serialize_with = "words::serialize_checks")]
    pub failing_checks: Option<Vec<ConditionType>>,
    /// Its machines by id.
    pub machines: Vec<Machine>,
    /// Machines on their way, by request id.
    pub requests: Vec<Request>,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// UUID.
    pub id: String,
    /// Name in Kubernetes, once it has one.
    pub node_name: Option<String>,
    /// What it is at.
    #[serde(serialize_with = "words::serialize")]
    pub stage: MachineStage,
    /// Whether it does its work.
    pub ready: bool,
    /// Whether its link is up.
    pub connected: bool,
    /// Whether somebody locked it.
    pub locked: bool,
    /// Whether it runs the configuration that is wanted.
    pub config_up_to_date: bool,
    /// Whether its lock holds an update back.
    pub update_held_back: bool,
    /// Whether the last configuration was refused.
    pub config_failed: bool,
    /// Why.
    pub error: String,
}

/// A machine that a provider makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Id; the VM's name.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// How far it is.
    #[serde(serialize_with = "words::serialize")]
    pub stage: RequestStage,
    /// The provider's step in its own words.
    pub step: String,
    /// What the provider reported as wrong; most providers report nothing here.
    pub error: String,
    /// The machine's UUID, once the provider chose it.
    pub uuid: Option<String>,
    /// Seconds since it was asked for.
    pub age: u64,
    /// Seconds since anything changed.
    pub quiet_for: u64,
    /// Whether the machine has connected to Omni.
    pub joined: bool,
    /// Why it looks as if it will not come by itself.
    pub stalled: Option<String>,
}
