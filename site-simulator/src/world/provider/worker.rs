//! The provider's single worker: which part of which request comes next.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ClassData, Job, Part, Progress, Task, publish};
use crate::world::omni::kinds;
use crate::world::{Due, State, draws};

mod make;
mod power;
mod remove;

/// Takes the next waiting request, if the worker is free.
pub(super) fn next(state: &mut State, now: Duration, provider: &str) {
    let Some(p) = state
        .providers
        .get_mut(provider)
        .filter(|p| p.busy.is_none() && p.running)
    else {
        return;
    };
    let Some(request) = p.waiting.pop_front() else {
        return;
    };
    let Some(job) = p.jobs.get(&request) else {
        return next(state, now, provider);
    };
    p.busy = Some(request.clone());
    match job.progress {
        Progress::New => {
            let takes = draws::short_step(&mut state.rng);
            plan(state, now + takes, provider, &request, Part::PickNode);
        }
        Progress::Creating => make::look_at_create(state, now, provider, &request),
        Progress::Starting | Progress::StartFailed => {
            power::look_at_start(state, now, provider, &request);
        }
        Progress::FixedWindow | Progress::Provisioned => free(state, now, provider, &request),
        Progress::Leaving => remove::begin(state, now, provider, &request),
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
            make::pick_node(state, provider, request);
            finish_step(state, now, provider, request, "pickNode", 1);
            then(
                state,
                now,
                provider,
                request,
                draws::short_step,
                Part::CreateSchematic,
            );
        }
        Part::CreateSchematic => {
            set(state, provider, request, |job| {
                make::PLAIN_SCHEMATIC.clone_into(&mut job.schematic);
            });
            finish_step(state, now, provider, request, "createSchematic", 2);
            then(
                state,
                now,
                provider,
                request,
                draws::short_step,
                Part::UploadIso,
            );
        }
        Part::UploadIso => {
            make::upload(state, provider, request);
            finish_step(state, now, provider, request, "uploadISO", 3);
            then(
                state,
                now,
                provider,
                request,
                draws::create_call,
                Part::Create,
            );
        }
        Part::Create => make::create(state, now, provider, request),
        Part::CloudInitTag => {
            with_cluster(state, provider, request, |cluster, vmid| {
                cluster.provider_writes_tags(vmid, now);
            });
            if !fixed(state, provider, request) {
                then(
                    state,
                    now,
                    provider,
                    request,
                    draws::between_config_writes,
                    Part::CloudInitDrive,
                );
            }
        }
        Part::CloudInitDrive => {
            with_cluster(state, provider, request, |cluster, vmid| {
                cluster.provider_writes_cloud_init(vmid, now);
            });
            if !fixed(state, provider, request) {
                then(
                    state,
                    now,
                    provider,
                    request,
                    draws::start_call,
                    Part::Start,
                );
            }
        }
        Part::Start => power::start(state, now, provider, request),
        Part::Destroy => remove::destroy(state, now, provider, request),
        Part::Release => remove::release(state, now, provider, request),
    }
}

fn plan(state: &mut State, at: Duration, provider: &str, request: &str, part: Part) {
    let task = Task::Part(request.to_owned(), part);
    state.queue.push(
        at,
        Due::Provider {
            provider: provider.to_owned(),
            task,
        },
    );
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
    state.queue.push(
        at,
        Due::Provider {
            provider: provider.to_owned(),
            task,
        },
    );
}

/// Ends the work on a request; a request that did not hold the worker leaves it alone.
fn free(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(p) = state
        .providers
        .get_mut(provider)
        .filter(|p| p.busy.as_deref() == Some(request))
    else {
        return;
    };
    p.busy = None;
    state.queue.push(
        now,
        Due::Provider {
            provider: provider.to_owned(),
            task: Task::Next,
        },
    );
}

fn job<'a>(state: &'a State, provider: &str, request: &str) -> Option<&'a Job> {
    state.providers.get(provider)?.jobs.get(request)
}

fn set(state: &mut State, provider: &str, request: &str, change: impl FnOnce(&mut Job)) {
    if let Some(job) = state
        .providers
        .get_mut(provider)
        .and_then(|p| p.jobs.get_mut(request))
    {
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
    let Some(job) = job(state, provider, request).cloned() else {
        return;
    };
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
    drop(
        state
            .omni
            .store
            .modify(&stamp, kind.name, kind.namespace, request, |r| {
                r.spec = spec;
            }),
    );
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
