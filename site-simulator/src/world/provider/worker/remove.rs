//! Deletion: whatever has the VMID is stopped and destroyed.

use std::time::Duration;

use super::{free, job, requeue, then, with_cluster};
use crate::world::omni::kinds;
use crate::world::provider::{Part, Provider};
use crate::world::{State, draws};

pub(super) fn begin(state: &mut State, now: Duration, provider: &str, request: &str) {
    let stamp = state.stamp(now);
    state
        .omni
        .store
        .drop_owned(&stamp, kinds::MACHINE_REQUEST_STATUSES, request);
    state.wake_controllers(now);
    let vmid = job(state, provider, request).map_or(0, |job| job.vmid);
    let running = state
        .proxmox
        .get(provider)
        .and_then(|cluster| cluster.vm(vmid))
        .map(|vm| vm.running);
    match running {
        None => then(
            state,
            now,
            provider,
            request,
            draws::deprovision_nothing,
            Part::Release,
        ),
        Some(running) => {
            if running {
                let takes = draws::stop_task(&mut state.rng);
                // A refused stop shows when the destroy is refused too.
                with_cluster(state, provider, request, |cluster, vmid| {
                    drop(cluster.stop_vm(now, vmid, takes));
                });
            }
            then(
                state,
                now,
                provider,
                request,
                draws::stop_to_destroy,
                Part::Destroy,
            );
        }
    }
}

pub(super) fn destroy(state: &mut State, now: Duration, provider: &str, request: &str) {
    let vmid = job(state, provider, request).map_or(0, |job| job.vmid);
    let takes = draws::destroy_task(&mut state.rng);
    let outcome = state
        .proxmox
        .get_mut(provider)
        .map(|cluster| cluster.destroy_vm(now, vmid, takes));
    match outcome {
        Some(Err(_))
            if state
                .proxmox
                .get(provider)
                .is_some_and(|c| c.vm(vmid).is_some()) =>
        {
            let later = draws::create_poll(&mut state.rng);
            requeue(state, now + later, provider, request);
            free(state, now, provider, request);
        }
        _ => then(
            state,
            now,
            provider,
            request,
            draws::destroy_to_gone,
            Part::Release,
        ),
    }
}

pub(super) fn release(state: &mut State, now: Duration, provider: &str, request: &str) {
    let stamp = state.stamp(now);
    let (kind, namespace) = kinds::provider_machine(provider);
    let store = &mut state.omni.store;
    drop(store.tear_down(&stamp, &kind, &namespace, request));
    drop(store.destroy(&kind, &namespace, request));
    let finalizer = state
        .providers
        .get(provider)
        .map(Provider::owner)
        .unwrap_or_default();
    store.release(&stamp, kinds::MACHINE_REQUESTS, request, &finalizer);
    if let Some(p) = state.providers.get_mut(provider) {
        p.jobs.remove(request);
    }
    state.wake_controllers(now);
    free(state, now, provider, request);
}
