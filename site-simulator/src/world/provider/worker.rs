//! The provider's single worker.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ClassData, Job, Part, Progress, Provider, Task, publish, storage};
use crate::log::Fact;
use crate::world::omni::kinds;
use crate::world::proxmox::CreateVm;
use crate::world::{Due, State, draws};

/// The schematic of a Talos image without extensions, as the image factory names it.
const PLAIN_SCHEMATIC: &str = "ce4c980550dd2ab1b17bbf2b08801c7eb59418eafe8f279833297925d67c7515";

/// Takes the next waiting request, if the worker is free.
pub(super) fn next(state: &mut State, now: Duration, provider: &str) {
    let Some(p) = state.providers.get_mut(provider).filter(|p| p.busy.is_none() && p.running) else { return };
    let Some(request) = p.waiting.pop_front() else { return };
    let Some(job) = p.jobs.get(&request) else { return next(state, now, provider) };
    p.busy = Some(request.clone());
    match job.progress {
        Progress::New => {
            let takes = draws::short_step(&mut state.rng);
            plan(state, now + takes, provider, &request, Part::PickNode);
        }
        Progress::Creating => look_at_create(state, now, provider, &request),
        Progress::Starting | Progress::StartFailed => look_at_start(state, now, provider, &request),
        Progress::FixedWindow | Progress::Provisioned => free(state, now, provider, &request),
        Progress::Leaving => begin_removal(state, now, provider, &request),
    }
}

/// A part of the work on a request is done: its effects, and what comes after it.
pub(super) fn part(state: &mut State, now: Duration, provider: &str, request: &str, part: Part) {
    if job(state, provider, request).is_none() {
        return free(state, now, provider, request);
    }
    // A request torn down half-way is taken up again from the queue.
    if leaving(state, provider, request) && !matches!(part, Part::Destroy | Part::Release) {
        return free(state, now, provider, request);
    }
    match part {
        Part::PickNode => {
            pick_node(state, provider, request);
            finish_step(state, now, provider, request, "pickNode", 1);
            then(state, now, provider, request, draws::short_step, Part::CreateSchematic);
        }
        Part::CreateSchematic => {
            set(state, provider, request, |job| PLAIN_SCHEMATIC.clone_into(&mut job.schematic));
            finish_step(state, now, provider, request, "createSchematic", 2);
            then(state, now, provider, request, draws::short_step, Part::UploadIso);
        }
        Part::UploadIso => {
            upload(state, provider, request);
            finish_step(state, now, provider, request, "uploadISO", 3);
            then(state, now, provider, request, draws::create_call, Part::Create);
        }
        Part::Create => create(state, now, provider, request),
        Part::CloudInitTag => {
            with_cluster(state, provider, request, |cluster, vmid| cluster.provider_writes_tags(vmid, now));
            if !fixed(state, provider, request) {
                then(state, now, provider, request, draws::between_config_writes, Part::CloudInitDrive);
            }
        }
        Part::CloudInitDrive => {
            with_cluster(state, provider, request, |cluster, vmid| {
                cluster.provider_writes_cloud_init(vmid, now);
            });
            if !fixed(state, provider, request) {
                then(state, now, provider, request, draws::start_call, Part::Start);
            }
        }
        Part::Start => start(state, now, provider, request),
        Part::Destroy => destroy(state, now, provider, request),
        Part::Release => release(state, now, provider, request),
    }
}

fn plan(state: &mut State, at: Duration, provider: &str, request: &str, part: Part) {
    let task = Task::Part(request.to_owned(), part);
    state.queue.push(at, Due::Provider { provider: provider.to_owned(), task });
}

fn then(
    state: &mut State,
    now: Duration,
    provider: &str,
    request: &str,
    draw: fn(&mut rand::rngs::StdRng) -> Duration,
    part: Part,
) {
    let takes = draw(&mut state.rng);
    plan(state, now + takes, provider, request, part);
}

fn requeue(state: &mut State, at: Duration, provider: &str, request: &str) {
    let task = Task::Requeue(request.to_owned());
    state.queue.push(at, Due::Provider { provider: provider.to_owned(), task });
}

/// Ends the work on a request; a request that did not hold the worker leaves it alone.
fn free(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(p) = state.providers.get_mut(provider).filter(|p| p.busy.as_deref() == Some(request)) else { return };
    p.busy = None;
    state.queue.push(now, Due::Provider { provider: provider.to_owned(), task: Task::Next });
}

fn job<'a>(state: &'a State, provider: &str, request: &str) -> Option<&'a Job> {
    state.providers.get(provider)?.jobs.get(request)
}

fn set(state: &mut State, provider: &str, request: &str, change: impl FnOnce(&mut Job)) {
    if let Some(job) = state.providers.get_mut(provider).and_then(|p| p.jobs.get_mut(request)) {
        change(job);
    }
}

fn leaving(state: &State, provider: &str, request: &str) -> bool {
    job(state, provider, request).is_some_and(|job| job.progress == Progress::Leaving)
}

fn fixed(state: &State, provider: &str, request: &str) -> bool {
    job(state, provider, request).is_some_and(|job| job.progress == Progress::FixedWindow)
}

fn with_cluster(
    state: &mut State,
    provider: &str,
    request: &str,
    act: impl FnOnce(&mut crate::world::proxmox::Cluster, u32),
) {
    let vmid = job(state, provider, request).map_or(0, |job| job.vmid);
    if let Some(cluster) = state.proxmox.get_mut(provider).filter(|_| vmid != 0) {
        act(cluster, vmid);
    }
}

/// Publishes a finished step in the provider's resource and in the request's status.
fn finish_step(
    state: &mut State,
    now: Duration,
    provider: &str,
    request: &str,
    step: &'static str,
    number: u8,
) {
    set(state, provider, request, |job| job.step = step);
    let Some(job) = job(state, provider, request).cloned() else { return };
    publish(state, now, provider, request, &job);
    let mut spec = json!({});
    if !job.uuid.is_empty() {
        spec["id"] = json!(job.uuid);
    }
    spec["stage"] = json!(1);
    spec["status"] = json!(format!("Running Step: \"{step}\" ({number}/5)"));
    write_status(state, now, request, spec);
}

fn write_status(state: &mut State, now: Duration, request: &str, spec: Value) {
    let stamp = state.stamp(now);
    let kind = kinds::MACHINE_REQUEST_STATUSES;
    drop(state.omni.store.modify(&stamp, kind.name, kind.namespace, request, |r| r.spec = spec));
    state.wake_controllers(now);
}

fn class_data(state: &State, request: &str) -> ClassData {
    let text = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, request)
        .and_then(|r| r.spec.get("provider_data"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    ClassData::parse(text)
}

/// The pinned node, else the one with the fewest VMs of the same set, then with the most memory left.
fn pick_node(state: &mut State, provider: &str, request: &str) {
    let data = class_data(state, request);
    let set_name = job(state, provider, request).map(|job| job.set.clone()).unwrap_or_default();
    let Some(blueprint) = state.blueprint.providers.iter().find(|p| p.id == provider) else { return };
    let jobs = state.providers.get(provider).map(|p| &p.jobs);
    let load = |node: &str| {
        let placed = jobs.into_iter().flat_map(|jobs| jobs.values()).filter(|job| job.node == node);
        placed.fold((0_u64, 0_u64), |(same, memory), job| {
            (same + u64::from(job.set == set_name), memory + job.memory_mib)
        })
    };
    let fits = |storages: &[String], node: &str| {
        storages.iter().any(|s| storage::matches(&data.storage_selector, node, s).unwrap_or(true))
    };
    let picked = data.node.clone().or_else(|| {
        blueprint
            .nodes
            .iter()
            .filter(|node| fits(&node.storages, &node.name))
            .min_by_key(|node| {
                let (same, memory) = load(&node.name);
                (same, u64::MAX - node.memory_mib.saturating_sub(memory), node.name.clone())
            })
            .or(blueprint.nodes.first())
            .map(|node| node.name.clone())
    });
    set(state, provider, request, |job| {
        job.node = picked.unwrap_or_default();
        job.memory_mib = data.memory_mib;
    });
}

fn upload(state: &mut State, provider: &str, request: &str) {
    let version = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, request)
        .and_then(|r| r.spec.get("talos_version"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let url = format!("https://factory.talos.dev/image/{PLAIN_SCHEMATIC}/{version}/nocloud-amd64.iso");
    let digest = ring::digest::digest(&ring::digest::SHA256, url.as_bytes());
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    set(state, provider, request, |job| {
        job.talos_version = version;
        job.volume = format!("{name}.iso");
    });
}

fn create(state: &mut State, now: Duration, provider: &str, request: &str) {
    let data = class_data(state, request);
    let Some(known) = job(state, provider, request).cloned() else { return };
    let uuid = random_uuid(state);
    let lock = draws::create_lock(&mut state.rng);
    let storages = state
        .blueprint
        .providers
        .iter()
        .find(|p| p.id == provider)
        .and_then(|p| p.nodes.iter().find(|node| node.name == known.node))
        .map(|node| node.storages.clone())
        .unwrap_or_default();
    let storage = storages
        .iter()
        .find(|s| storage::matches(&data.storage_selector, &known.node, s).unwrap_or(true))
        .or(storages.first())
        .cloned()
        .unwrap_or_else(|| "local".to_owned());
    let Some(cluster) = state.proxmox.get_mut(provider) else { return free(state, now, provider, request) };
    let vmid = cluster.next_id();
    let vm = CreateVm {
        node: known.node.clone(),
        vmid,
        name: request.to_owned(),
        uuid: uuid.clone(),
        tags: vec![format!("machine-request.{}", known.set)],
        machine: data.machine_type,
        bridges: data.bridges,
        hostpci: data.hostpci,
        cores: data.cores,
        sockets: data.sockets,
        memory_mib: data.memory_mib,
        disk_gb: data.disk_gb,
        storage,
        iso: format!("local:iso/{}", known.volume),
        cpu: data.cpu_type,
        numa: data.numa,
    };
    match cluster.create_vm(now, &mut state.rng, vm, lock) {
        Ok(task) => {
            set(state, provider, request, |job| {
                job.progress = Progress::Creating;
                job.uuid = uuid;
                job.vmid = vmid;
                job.create_task = task;
            });
            finish_step(state, now, provider, request, "syncVM", 4);
            let first_look = draws::first_look(&mut state.rng);
            requeue(state, now + first_look, provider, request);
        }
        // The error stays in the provider's own log; it tries the step again.
        Err(_) => requeue(state, now + Duration::from_secs(60), provider, request),
    }
    free(state, now, provider, request);
}

fn random_uuid(state: &mut State) -> String {
    use rand::RngExt as _;
    uuid::Builder::from_random_bytes(state.rng.random()).into_uuid().to_string()
}

fn look_at_create(state: &mut State, now: Duration, provider: &str, request: &str) {
    let task = job(state, provider, request).map(|job| job.create_task.clone()).unwrap_or_default();
    let status = state.proxmox.get(provider).and_then(|cluster| cluster.task_status(&task));
    match status {
        Some((false, Some(exit))) if exit == "OK" => {
            if state.faults.window_seconds.is_some() {
                return free(state, now, provider, request);
            }
            then(state, now, provider, request, draws::cloud_init_upload, Part::CloudInitTag);
        }
        _ => {
            let later = draws::create_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
            free(state, now, provider, request);
        }
    }
}

fn start(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(vmid) = job(state, provider, request).map(|job| job.vmid) else { return };
    let devices = !class_data(state, request).hostpci.is_empty();
    let takes = draws::start_task(&mut state.rng, devices);
    let started = state.proxmox.get_mut(provider).map(|cluster| cluster.start_vm(now, vmid, takes, true));
    match started {
        Some(Ok(task)) => {
            let fact =
                Fact::ProviderStarts { provider: provider.to_owned(), vmid, request: request.to_owned() };
            state.log.note(now, fact);
            set(state, provider, request, |job| {
                job.progress = Progress::Starting;
                job.start_task = task;
            });
            finish_step(state, now, provider, request, "startVM", 5);
            let poll = draws::start_poll(&mut state.rng);
            requeue(state, now + poll, provider, request);
        }
        _ => requeue(state, now + Duration::from_secs(60), provider, request),
    }
    free(state, now, provider, request);
}

fn look_at_start(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(known) = job(state, provider, request).cloned() else { return free(state, now, provider, request) };
    let status = state.proxmox.get(provider).and_then(|cluster| cluster.task_status(&known.start_task));
    match status {
        Some((false, Some(exit))) if exit == "OK" || exit.starts_with("WARNINGS") => {
            set(state, provider, request, |job| job.progress = Progress::Provisioned);
            let spec = json!({"id": known.uuid, "stage": 2, "status": "Provision Complete"});
            write_status(state, now, request, spec);
        }
        Some((true, _)) => {
            let later = draws::start_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
        }
        _ => {
            set(state, provider, request, |job| job.progress = Progress::StartFailed);
            let later = draws::failed_start_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
        }
    }
    free(state, now, provider, request);
}

fn begin_removal(state: &mut State, now: Duration, provider: &str, request: &str) {
    let stamp = state.stamp(now);
    state.omni.store.drop_owned(&stamp, kinds::MACHINE_REQUEST_STATUSES, request);
    state.wake_controllers(now);
    let vmid = job(state, provider, request).map_or(0, |job| job.vmid);
    let running = state.proxmox.get(provider).and_then(|cluster| cluster.vm(vmid)).map(|vm| vm.running);
    match running {
        None => then(state, now, provider, request, draws::deprovision_nothing, Part::Release),
        Some(running) => {
            if running {
                let takes = draws::stop_task(&mut state.rng);
                // A refused stop shows when the destroy is refused too.
                with_cluster(state, provider, request, |cluster, vmid| {
                    drop(cluster.stop_vm(now, vmid, takes));
                });
            }
            then(state, now, provider, request, draws::stop_to_destroy, Part::Destroy);
        }
    }
}

fn destroy(state: &mut State, now: Duration, provider: &str, request: &str) {
    let vmid = job(state, provider, request).map_or(0, |job| job.vmid);
    let takes = draws::destroy_task(&mut state.rng);
    let outcome = state.proxmox.get_mut(provider).map(|cluster| cluster.destroy_vm(now, vmid, takes));
    match outcome {
        Some(Err(_)) if state.proxmox.get(provider).is_some_and(|c| c.vm(vmid).is_some()) => {
            let later = draws::create_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
            free(state, now, provider, request);
        }
        _ => then(state, now, provider, request, draws::destroy_to_gone, Part::Release),
    }
}

fn release(state: &mut State, now: Duration, provider: &str, request: &str) {
    let stamp = state.stamp(now);
    let (kind, namespace) = kinds::provider_machine(provider);
    let store = &mut state.omni.store;
    drop(store.tear_down(&stamp, &kind, &namespace, request));
    drop(store.destroy(&kind, &namespace, request));
    let finalizer = state.providers.get(provider).map(Provider::owner).unwrap_or_default();
    store.release(&stamp, kinds::MACHINE_REQUESTS, request, &finalizer);
    if let Some(p) = state.providers.get_mut(provider) {
        p.jobs.remove(request);
    }
    state.wake_controllers(now);
    free(state, now, provider, request);
}
