//! Every range that times are drawn from, in one place. "Recorded" names the figure of the measured provider
//! timelines it comes from; "assumption" means nobody measured it and the range is a plausible one.
//! Nothing is constant: each draw is uniform in its range.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

fn between(rng: &mut StdRng, low: f64, high: f64) -> Duration {
    Duration::from_secs_f64(rng.random_range(low..high))
}

/// A write to Omni until its controllers have looked. Recorded: a raised machine count is seen in the request
/// set 0.1 s later, the request follows within 0.3 s.
pub fn controller_reaction(rng: &mut StdRng) -> Duration {
    between(rng, 0.02, 0.09)
}

/// A new machine request until its provider notices. Recorded: status and provider resource come 0.05 s
/// after the request when the worker is free.
pub fn provider_notices(rng: &mut StdRng) -> Duration {
    between(rng, 0.03, 0.08)
}

/// One of the steps `pickNode`, `createSchematic`, `uploadISO`. Recorded: all three within 0.1 to 0.6 s each
/// way, about 0.3 s a step.
pub fn short_step(rng: &mut StdRng) -> Duration {
    between(rng, 0.1, 0.3)
}

/// The create call of `syncVM`. Recorded: a request is visible in Proxmox 0.9 to 1.4 s after it was made when
/// it is alone.
pub fn create_call(rng: &mut StdRng) -> Duration {
    between(rng, 0.2, 0.4)
}

/// How long a new VM stays locked after the create call returned. Recorded: 0.2 to 1.1 s (longer on real
/// storage, not recorded).
pub fn create_lock(rng: &mut StdRng) -> Duration {
    between(rng, 0.2, 1.1)
}

/// From the create call to the provider's first look at the create task, when its worker is free.
/// Recorded: at once, through the event of its own finalizer.
pub fn first_look(rng: &mut StdRng) -> Duration {
    between(rng, 0.05, 0.15)
}

/// Until the provider looks again at a create task that was still running. Recorded: 10 s, and up to 0.8 s late.
pub fn create_poll(rng: &mut StdRng) -> Duration {
    between(rng, 10.0, 10.5)
}

/// From the start of the last step to the tag write: building and uploading the cloud-init ISO. Recorded:
/// first provider write 1.3 to 2.5 s after the unlock with two machines together.
pub fn cloud_init_upload(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 1.3)
}

/// Between the provider's two configuration writes. Recorded: both within 0.3 s.
pub fn between_config_writes(rng: &mut StdRng) -> Duration {
    between(rng, 0.1, 0.3)
}

/// From `ide0` written to the start call. Recorded: 0.8 to 1.2 s, the task poll of one second.
pub fn start_call(rng: &mut StdRng) -> Duration {
    between(rng, 0.9, 1.2)
}

/// How long a start task takes. Recorded: 0.3 to 1.0 s, 0.6 to 4.9 s under load with devices.
pub fn start_task(rng: &mut StdRng, devices: bool) -> Duration {
    if devices {
        between(rng, 0.6, 2.5)
    } else {
        between(rng, 0.3, 1.0)
    }
}

/// From the start call to the provider's look at the start task. Recorded: 0.5 to 1 s when idle.
pub fn start_poll(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 1.9)
}

/// How often the provider looks again at a start that failed. Recorded: each 60 s, always at the same task.
pub fn failed_start_poll(rng: &mut StdRng) -> Duration {
    between(rng, 59.5, 60.5)
}

/// A stop task during deletion. Recorded: 0.2 to 1.0 s.
pub fn stop_task(rng: &mut StdRng) -> Duration {
    between(rng, 0.2, 0.9)
}

/// From the stop call to the destroy call. Recorded: 5 to 6 s (fixed five second ticker).
pub fn stop_to_destroy(rng: &mut StdRng) -> Duration {
    between(rng, 5.4, 6.4)
}

/// A destroy task. Recorded: 0.1 to 0.4 s.
pub fn destroy_task(rng: &mut StdRng) -> Duration {
    between(rng, 0.1, 0.4)
}

/// From the destroy call until the provider lets the request go. Recorded: 5 s, which with the stop makes 11 to
/// 13 s a VM.
pub fn destroy_to_gone(rng: &mut StdRng) -> Duration {
    between(rng, 5.0, 5.3)
}

/// Removing a request that never had a VM. Recorded: 0.1 to 0.2 s.
pub fn deprovision_nothing(rng: &mut StdRng) -> Duration {
    between(rng, 0.1, 0.2)
}

/// The provider's heartbeat. Recorded: each 30 s.
pub fn heartbeat(rng: &mut StdRng) -> Duration {
    between(rng, 29.9, 30.1)
}

/// From QEMU's start to the guest's first DHCP exchange. Assumption: firmware, boot loader and kernel take
/// about ten seconds.
pub fn boot_to_dhcp(rng: &mut StdRng) -> Duration {
    between(rng, 8.0, 15.0)
}

/// Until a guest asks again that got no address. Assumption.
pub fn dhcp_retry(rng: &mut StdRng) -> Duration {
    between(rng, 4.0, 9.0)
}

/// From the address to the first query for Omni's name. Assumption.
pub fn dhcp_to_resolve(rng: &mut StdRng) -> Duration {
    between(rng, 0.5, 2.0)
}

/// Until a guest asks again for a name that was not answered. Assumption.
pub fn resolve_retry(rng: &mut StdRng) -> Duration {
    between(rng, 2.0, 5.0)
}

/// From the answer to the machine showing up in Omni. Assumption.
pub fn resolve_to_join(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 3.0)
}

/// From a configuration that is ready to the installer running. Assumption.
pub fn accept_config(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 4.0)
}

/// Installation to disk, the installer image pulled over the WAN. Assumption.
pub fn install(rng: &mut StdRng) -> Duration {
    between(rng, 25.0, 75.0)
}

/// From the end of the installation to the kernel being left. Assumption.
pub fn leave_kernel(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 4.0)
}

/// From the installed system's connection to its services being up. Assumption.
pub fn configure(rng: &mut StdRng) -> Duration {
    between(rng, 4.0, 15.0)
}

/// From configured services to a running machine, once what it needs is there. Assumption.
pub fn settle(rng: &mut StdRng) -> Duration {
    between(rng, 3.0, 12.0)
}

/// Until a machine looks again whether the control plane it needs is there. Assumption.
pub fn control_plane_poll(rng: &mut StdRng) -> Duration {
    between(rng, 1.0, 3.0)
}

/// A Talos upgrade of one machine, from the call to the kernel being left: pulling the installer, draining the
/// node, writing. Assumption.
pub fn talos_upgrade(rng: &mut StdRng) -> Duration {
    between(rng, 30.0, 90.0)
}

/// One component of Kubernetes on one node, from the new configuration to the new version being seen. Assumption.
pub fn kubernetes_step(rng: &mut StdRng) -> Duration {
    between(rng, 5.0, 20.0)
}

/// How long a guest takes to power off when asked. Assumption.
pub fn power_off(rng: &mut StdRng) -> Duration {
    between(rng, 4.0, 20.0)
}

/// How long a held up request takes, when faults ask for that. Assumption.
pub fn network_delay(rng: &mut StdRng) -> Duration {
    between(rng, 0.3, 3.0)
}
