//! The Proxmox infra provider: one worker that takes machine requests through five steps and removes the VMs of
//! torn down ones by VMID alone. It never starts a VM twice and never tells Omni about an error.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use omni_client::Resource;
use serde_json::json;

use super::omni::kinds::{self, label};
use super::omni::store;
use super::proxmox::VmEvent;
use super::{Due, State, draws};

mod class_data;
mod storage;
mod worker;

pub use class_data::ClassData;

/// A provider process.
#[derive(Debug)]
pub struct Provider {
    id: String,
    /// Whether the process runs.
    pub running: bool,
    jobs: BTreeMap<String, Job>,
    waiting: VecDeque<String>,
    busy: Option<String>,
}

/// What the provider knows of a machine request; the same as its own resource in Omni.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// Where it stands.
    pub progress: Progress,
    /// Node.
    pub node: String,
    /// SMBIOS UUID.
    pub uuid: String,
    /// VMID, 0 before there is one.
    pub vmid: u32,
    schematic: String,
    talos_version: String,
    volume: String,
    create_task: String,
    start_task: String,
    memory_mib: u64,
    set: String,
    step: &'static str,
}

/// How far a request got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing done.
    #[default]
    New,
    /// The VM is being created.
    Creating,
    /// A fixed window runs (see [`Faults::window_seconds`](crate::Faults::window_seconds)).
    FixedWindow,
    /// The start was asked for.
    Starting,
    /// The start task failed: it looks at it for ever.
    StartFailed,
    /// Done.
    Provisioned,
    /// Being removed.
    Leaving,
}

/// What a provider goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Renews its sign of life.
    Heartbeat,
    /// Looks at a request again.
    Requeue(String),
    /// The worker takes the next request.
    Next,
    /// The worker finished a part of its work on a request.
    Part(String, Part),
}

/// Parts of the worker's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Step 1 of 5.
    PickNode,
    /// Step 2 of 5.
    CreateSchematic,
    /// Step 3 of 5.
    UploadIso,
    /// Step 4 of 5: the create call returned.
    Create,
    /// Step 5: the cloud-init ISO is up; the tag is written.
    CloudInitTag,
    /// Step 5: `ide0` and `boot` are written.
    CloudInitDrive,
    /// Step 5: the start call.
    Start,
    /// Deletion: the stop call was made long enough ago.
    Destroy,
    /// Deletion: the VM has been gone long enough.
    Release,
}

impl Provider {
    /// A provider that runs and has nothing to do.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            running: true,
            jobs: BTreeMap::new(),
            waiting: VecDeque::new(),
            busy: None,
        }
    }

    /// What it knows of a request.
    pub fn job(&self, request: &str) -> Option<&Job> {
        self.jobs.get(request)
    }

    /// The request a VMID was made for.
    pub fn request_of(&self, vmid: u32) -> Option<&str> {
        self.jobs
            .iter()
            .find(|(_, job)| vmid != 0 && job.vmid == vmid)
            .map(|(request, _)| request.as_str())
    }

    fn owner(&self) -> String {
        format!("{}.ProvisionController", self.id)
    }
}

/// A planned event of a provider is due.
pub fn happen(state: &mut State, now: Duration, provider: &str, task: Task) {
    match task {
        Task::Heartbeat => heartbeat(state, now, provider),
        Task::Requeue(request) => enqueue(state, now, provider, &request),
        Task::Next => worker::next(state, now, provider),
        Task::Part(request, part) => worker::part(state, now, provider, &request, part),
    }
}

/// Something happened to a VM; only the end of the lock matters here, and only when the window is fixed.
pub fn vm_event(state: &mut State, now: Duration, provider: &str, event: &VmEvent) {
    let VmEvent::Unlocked { vmid } = event else {
        return;
    };
    let Some(window) = state
        .faults
        .window_seconds
        .filter(|w| w.is_finite() && *w >= 0.0)
    else {
        return;
    };
    let Some(p) = state.providers.get_mut(provider) else {
        return;
    };
    let Some(request) = p.request_of(*vmid).map(str::to_owned) else {
        return;
    };
    let Some(job) = p
        .jobs
        .get_mut(&request)
        .filter(|job| job.progress == Progress::Creating)
    else {
        return;
    };
    job.progress = Progress::FixedWindow;
    for (share, part) in [
        (0.6, Part::CloudInitTag),
        (0.8, Part::CloudInitDrive),
        (1.0, Part::Start),
    ] {
        let at = now + Duration::try_from_secs_f64(window * share).unwrap_or_default();
        let task = Task::Part(request.clone(), part);
        state.queue.push(
            at,
            Due::Provider {
                provider: provider.to_owned(),
                task,
            },
        );
    }
}

/// Omni's controllers tell that requests changed: new ones and torn down ones are queued.
pub fn notice_requests(state: &mut State, now: Duration, provider: &str) {
    let Some(p) = state.providers.get(provider).filter(|p| p.running) else {
        return;
    };
    let finalizer = p.owner();
    let mut fresh = Vec::new();
    let mut leaving = Vec::new();
    for request in state.omni.store.all(kinds::MACHINE_REQUESTS) {
        if store::label(request, label::PROVIDER) != Some(provider) {
            continue;
        }
        let id = &request.metadata.id;
        let held = request.metadata.finalizers.contains(&finalizer);
        match (store::tearing_down(request), p.jobs.get(id)) {
            (false, None) => fresh.push(Resource::clone(request)),
            (true, Some(job)) if held && job.progress != Progress::Leaving => {
                leaving.push(id.clone());
            }
            _ => {}
        }
    }
    for request in fresh {
        accept(state, now, provider, &request);
    }
    for request in leaving {
        if let Some(job) = state
            .providers
            .get_mut(provider)
            .and_then(|p| p.jobs.get_mut(&request))
        {
            job.progress = Progress::Leaving;
        }
        enqueue(state, now, provider, &request);
    }
}

fn accept(state: &mut State, now: Duration, provider: &str, request: &Resource) {
    let id = &request.metadata.id;
    let stamp = state.stamp(now);
    let owner = format!("{provider}.ProvisionController");
    state
        .omni
        .store
        .hold(&stamp, kinds::MACHINE_REQUESTS, id, &owner);
    let labels = request.metadata.labels.clone();
    state.omni.store.put(
        &stamp,
        &owner,
        kinds::MACHINE_REQUEST_STATUSES,
        id,
        labels,
        json!({"stage": 1}),
    );
    state.omni.store.hold(
        &stamp,
        kinds::MACHINE_REQUEST_STATUSES,
        id,
        "MachineRequestStatusCleanupController",
    );
    let job = Job {
        set: store::label(request, label::REQUEST_SET)
            .unwrap_or_default()
            .to_owned(),
        ..Job::default()
    };
    publish(state, now, provider, id, &job);
    if let Some(p) = state.providers.get_mut(provider) {
        p.jobs.insert(id.clone(), job);
    }
    let delay = draws::provider_notices(&mut state.rng);
    state.queue.push(
        now + delay,
        Due::Provider {
            provider: provider.to_owned(),
            task: Task::Requeue(id.clone()),
        },
    );
    state.wake_controllers(now);
}

fn enqueue(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(p) = state.providers.get_mut(provider) else {
        return;
    };
    if p.jobs.contains_key(request) && !p.waiting.iter().any(|waiting| waiting == request) {
        p.waiting.push_back(request.to_owned());
    }
    worker::next(state, now, provider);
}

/// Writes the provider's own resource: lower-case names, zero values present.
fn publish(state: &mut State, now: Duration, provider: &str, request: &str, job: &Job) {
    let (kind, namespace) = kinds::provider_machine(provider);
    let spec = json!({
        "node": job.node,
        "schematic": job.schematic,
        "talosversion": job.talos_version,
        "uuid": job.uuid,
        "vmcreatetask": job.create_task,
        "vmdeletetask": "",
        "vmid": job.vmid,
        "vmstarttask": job.start_task,
        "vmstoptask": "",
        "volumeid": job.volume,
        "volumeuploadtask": "",
    });
    let stamp = state.stamp(now);
    let annotate = |resource: &mut Resource| {
        if !job.step.is_empty() {
            resource
                .metadata
                .annotations
                .insert(label::STEP.to_owned(), job.step.to_owned());
        }
        resource.spec = spec.clone();
    };
    if state.omni.store.get(&namespace, &kind, request).is_some() {
        drop(
            state
                .omni
                .store
                .modify(&stamp, &kind, &namespace, request, annotate),
        );
    } else {
        let owner = format!("{provider}.ProvisionController");
        let mut resource = store::owned(
            &stamp,
            &owner,
            &namespace,
            &kind,
            request,
            store::Labels::new(),
            json!({}),
        );
        annotate(&mut resource);
        drop(state.omni.store.create(resource));
    }
}

fn heartbeat(state: &mut State, now: Duration, provider: &str) {
    let Some(p) = state.providers.get(provider) else {
        return;
    };
    if p.running {
        let labels = store::Labels::from([(label::PROVIDER.to_owned(), provider.to_owned())]);
        let stamp = state.stamp(now);
        let spec = json!({"last_heartbeat_timestamp": state.precise_stamp(now)});
        let owner = format!("{provider}.ProviderHealthStatusController");
        state.omni.store.put(
            &stamp,
            &owner,
            kinds::INFRA_PROVIDER_HEALTH_STATUSES,
            provider,
            labels,
            spec,
        );
    }
    // After a restart it goes on with what waited.
    worker::next(state, now, provider);
    // Omni notices a silent provider by the age of its last sign of life.
    state.wake_controllers(now);
    let next = draws::heartbeat(&mut state.rng);
    state.queue.push(
        now + next,
        Due::Provider {
            provider: provider.to_owned(),
            task: Task::Heartbeat,
        },
    );
}
