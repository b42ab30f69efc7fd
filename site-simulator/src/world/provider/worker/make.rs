//! Steps 1 to 4: a node, an image, a VM.

use std::fmt::Write as _;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::Value;

use super::{class_data, finish_step, free, job, requeue, set, then};
use crate::world::omni::kinds;
use crate::world::provider::{Part, Progress, storage};
use crate::world::proxmox::CreateVm;
use crate::world::{State, draws};

/// The schematic of a Talos image without extensions, as the image factory names it.
pub(super) const PLAIN_SCHEMATIC: &str =
    "ce4c980550dd2ab1b17bbf2b08801c7eb59418eafe8f279833297925d67c7515";

/// The pinned node, else the one with the fewest VMs of the same set, then with the most memory left.
pub(super) fn pick_node(state: &mut State, provider: &str, request: &str) {
    let data = class_data(state, request);
    let set_name = job(state, provider, request)
        .map(|job| job.set.clone())
        .unwrap_or_default();
    let Some(blueprint) = state.blueprint.providers.iter().find(|p| p.id == provider) else {
        return;
    };
    let jobs = state.providers.get(provider).map(|p| &p.jobs);
    let load = |node: &str| {
        let placed = jobs
            .into_iter()
            .flat_map(|jobs| jobs.values())
            .filter(|job| job.node == node);
        placed.fold((0_u64, 0_u64), |(same, memory), job| {
            (
                same + u64::from(job.set == set_name),
                memory + job.memory_mib,
            )
        })
    };
    let fits = |storages: &[String], node: &str| {
        storages
            .iter()
            .any(|s| storage::matches(&data.storage_selector, node, s).unwrap_or(true))
    };
    let picked = data.node.clone().or_else(|| {
        blueprint
            .nodes
            .iter()
            .filter(|node| fits(&node.storages, &node.name))
            .min_by_key(|node| {
                let (same, memory) = load(&node.name);
                (
                    same,
                    u64::MAX - node.memory_mib.saturating_sub(memory),
                    node.name.clone(),
                )
            })
            .or(blueprint.nodes.first())
            .map(|node| node.name.clone())
    });
    set(state, provider, request, |job| {
        job.node = picked.unwrap_or_default();
        job.memory_mib = data.memory_mib;
    });
}

pub(super) fn upload(state: &mut State, provider: &str, request: &str) {
    let version = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, request)
        .and_then(|r| r.spec.get("talos_version"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let url =
        format!("https://factory.talos.dev/image/{PLAIN_SCHEMATIC}/{version}/nocloud-amd64.iso");
    let digest = ring::digest::digest(&ring::digest::SHA256, url.as_bytes());
    let name = digest
        .as_ref()
        .iter()
        .fold(String::new(), |mut name, byte| {
            let _infallible = write!(name, "{byte:02x}");
            name
        });
    set(state, provider, request, |job| {
        job.talos_version = version;
        job.volume = format!("{name}.iso");
    });
}

pub(super) fn create(state: &mut State, now: Duration, provider: &str, request: &str) {
    let data = class_data(state, request);
    let Some(known) = job(state, provider, request).cloned() else {
        return;
    };
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
    let Some(cluster) = state.proxmox.get_mut(provider) else {
        return free(state, now, provider, request);
    };
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
        Err(_) => requeue(state, now + Duration::from_mins(1), provider, request),
    }
    free(state, now, provider, request);
}

fn random_uuid(state: &mut State) -> String {
    uuid::Builder::from_random_bytes(state.rng.random())
        .into_uuid()
        .to_string()
}

pub(super) fn look_at_create(state: &mut State, now: Duration, provider: &str, request: &str) {
    let task = job(state, provider, request)
        .map(|job| job.create_task.clone())
        .unwrap_or_default();
    let status = state
        .proxmox
        .get(provider)
        .and_then(|cluster| cluster.task_status(&task));
    match status {
        Some((false, Some(exit))) if exit == "OK" => {
            if state.faults.window_seconds.is_some() {
                return free(state, now, provider, request);
            }
            then(
                state,
                now,
                provider,
                request,
                draws::cloud_init_upload,
                Part::CloudInitTag,
            );
        }
        _ => {
            let later = draws::create_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
            free(state, now, provider, request);
        }
    }
}
