//! Step 5: the start, asked for once and looked at for ever.

use std::time::Duration;

use serde_json::json;

use super::{class_data, finish_step, free, job, requeue, set, write_status};
use crate::log::Fact;
use crate::world::provider::Progress;
use crate::world::{State, draws};

pub(super) fn start(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(vmid) = job(state, provider, request).map(|job| job.vmid) else {
        return;
    };
    let devices = !class_data(state, request).hostpci.is_empty();
    let takes = draws::start_task(&mut state.rng, devices);
    let started = state
        .proxmox
        .get_mut(provider)
        .map(|cluster| cluster.start_vm(now, vmid, takes, true));
    match started {
        Some(Ok(task)) => {
            let fact = Fact::ProviderStarts {
                provider: provider.to_owned(),
                vmid,
                request: request.to_owned(),
            };
            state.log.note(now, fact);
            set(state, provider, request, |job| {
                job.progress = Progress::Starting;
                job.start_task = task;
            });
            finish_step(state, now, provider, request, "startVM", 5);
            let poll = draws::start_poll(&mut state.rng);
            requeue(state, now + poll, provider, request);
        }
        _ => requeue(state, now + Duration::from_mins(1), provider, request),
    }
    free(state, now, provider, request);
}

pub(super) fn look_at_start(state: &mut State, now: Duration, provider: &str, request: &str) {
    let Some(known) = job(state, provider, request).cloned() else {
        return free(state, now, provider, request);
    };
    let status = state
        .proxmox
        .get(provider)
        .and_then(|cluster| cluster.task_status(&known.start_task));
    match status {
        Some((false, Some(exit))) if exit == "OK" || exit.starts_with("WARNINGS") => {
            set(state, provider, request, |job| {
                job.progress = Progress::Provisioned;
            });
            let spec = json!({"id": known.uuid, "stage": 2, "status": "Provision Complete"});
            write_status(state, now, request, spec);
        }
        Some((true, _)) => {
            let later = draws::start_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
        }
        _ => {
            set(state, provider, request, |job| {
                job.progress = Progress::StartFailed;
            });
            let later = draws::failed_start_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
        }
    }
    free(state, now, provider, request);
}
