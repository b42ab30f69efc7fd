//! Stopping and starting a VM: graceful with a deadline, never forced, each step checked.

use std::time::Duration;

use proxmox_client::Upid;

use super::Run;
use super::attach::Place;
use crate::ports::{Failure, Hypervisor, PortError, PortResult, System};

/// How long a guest may take to power off.
const SHUTDOWN: Duration = Duration::from_secs(300);
/// How long a start may take: memory of a VM with PCI devices is pinned first.
const START: Duration = Duration::from_secs(300);

/// Asks the guest to power off and waits until it did.
pub(super) async fn shut_down(run: &Run, port: &dyn Hypervisor, place: &Place) -> PortResult<()> {
    let upid = port.shutdown(&place.node, place.vmid, SHUTDOWN).await?;
    finished(run, port, place, &upid, SHUTDOWN + Duration::from_secs(30)).await?;
    let status = port.vm_status(&place.node, place.vmid).await?;
    if status.status == "stopped" { Ok(()) } else { Err(failed(place, "the guest did not power off".to_owned())) }
}

/// Starts a VM and waits until it runs.
pub(super) async fn start(run: &Run, port: &dyn Hypervisor, place: &Place) -> PortResult<()> {
    let upid = port.start(&place.node, place.vmid).await?;
    finished(run, port, place, &upid, START).await?;
    let status = port.vm_status(&place.node, place.vmid).await?;
    if status.status == "running" { Ok(()) } else { Err(failed(place, "the VM does not run after its start".to_owned())) }
}

/// Waits for a task and turns its failure into an error.
pub(super) async fn finished(
    run: &Run,
    port: &dyn Hypervisor,
    place: &Place,
    upid: &Upid,
    deadline: Duration,
) -> PortResult<()> {
    let began = run.ports.clock.now();
    loop {
        let task = port.task(upid).await?;
        match task.exit_status {
            Some(status) if is_success(&status) => return Ok(()),
            Some(status) => return Err(failed(place, status)),
            None if run.ports.clock.now().saturating_sub(began) >= deadline => {
                return Err(failed(place, format!("the task {} still runs after {} s", task.kind, deadline.as_secs())));
            }
            None => run.sleep(Duration::from_millis(500)).await,
        }
    }
}

/// `OK`, or `WARNINGS: n`, which many clients take for a failure.
pub(super) fn is_success(exit_status: &str) -> bool {
    exit_status == "OK" || exit_status.starts_with("WARNINGS")
}

fn failed(place: &Place, message: String) -> PortError {
    PortError {
        system: System::Proxmox(place.provider.clone()),
        failure: Failure::Other,
        message: format!("{} (VM {} on {}): {message}", place.request, place.vmid, place.node),
        hint: None,
    }
}
