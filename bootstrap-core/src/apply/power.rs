//! Stopping and starting a VM: graceful with a deadline, never forced, each step checked.

use std::time::Duration;

use proxmox_client::{TaskStatus, Upid};

use super::Run;
use super::attach::Place;
use crate::ports::{Failure, Hypervisor, PortError, PortResult, System};

/// How long a guest may take to power off.
const SHUTDOWN: Duration = Duration::from_mins(5);
/// How long a start may take: memory of a VM with PCI devices is pinned first.
const START: Duration = Duration::from_mins(5);
/// How long a power action whose answer was lost may take to show.
const LOST: Duration = Duration::from_secs(10);

/// Asks the guest to power off and waits until it did.
pub(super) async fn shut_down(run: &Run, port: &dyn Hypervisor, place: &Place) -> PortResult<()> {
    let asked = port.shutdown(&place.node, place.vmid, SHUTDOWN).await;
    comes_to(
        run,
        port,
        place,
        asked,
        "stopped",
        SHUTDOWN + Duration::from_secs(30),
    )
    .await
}

/// Starts a VM and waits until it runs.
pub(super) async fn start(run: &Run, port: &dyn Hypervisor, place: &Place) -> PortResult<()> {
    let asked = port.start(&place.node, place.vmid).await;
    comes_to(run, port, place, asked, "running", START).await
}

/// Follows a power action until its VM is in a state. One whose answer was lost may work all the same,
/// and is never sent again: its VM is looked at.
async fn comes_to(
    run: &Run,
    port: &dyn Hypervisor,
    place: &Place,
    asked: PortResult<Upid>,
    state: &str,
    deadline: Duration,
) -> PortResult<()> {
    let outcome = match asked {
        Ok(upid) => match ended(run, port, &upid, deadline).await {
            Some(task) if task.is_success() => None,
            Some(task) => Some(failed(place, &task.exit_status.unwrap_or_default())),
            None => Some(failed(
                place,
                &format!(
                    "the task {} did not end within {} s",
                    upid.kind(),
                    deadline.as_secs()
                ),
            )),
        },
        Err(error) if error.failure == Failure::Unreachable => Some(error),
        Err(error) => return Err(error),
    };
    let lost = outcome
        .as_ref()
        .is_some_and(|error| error.failure == Failure::Unreachable);
    let patience = if lost {
        deadline
    } else {
        Duration::from_secs(5)
    };
    let began = run.ports.clock.now();
    loop {
        let status = port.vm_status(&place.node, place.vmid).await;
        if status.as_ref().is_ok_and(|status| status.status == state) {
            return Ok(());
        }
        let waited = run.ports.clock.now().saturating_sub(began);
        if waited >= patience || (lost && waited >= LOST && !is_at_work(port, place).await) {
            return Err(outcome.unwrap_or_else(|| failed(place, &format!("the VM is not {state}"))));
        }
        run.sleep(Duration::from_millis(500)).await;
    }
}

async fn is_at_work(port: &dyn Hypervisor, place: &Place) -> bool {
    let tasks = port.recent_tasks(&place.node, place.vmid).await;
    tasks.is_ok_and(|tasks| tasks.first().is_some_and(|task| task.exit_status.is_none()))
}

/// How a task ended; `None` when it did not within the deadline.
pub(super) async fn ended(
    run: &Run,
    port: &dyn Hypervisor,
    upid: &Upid,
    deadline: Duration,
) -> Option<TaskStatus> {
    let began = run.ports.clock.now();
    loop {
        if let Ok(task) = port.task(upid).await
            && !task.is_running()
        {
            return Some(task);
        }
        if run.ports.clock.now().saturating_sub(began) >= deadline {
            return None;
        }
        run.sleep(Duration::from_millis(500)).await;
    }
}

fn failed(place: &Place, message: &str) -> PortError {
    PortError::new(
        System::Proxmox(place.provider.clone()),
        Failure::Other,
        format!(
            "{} (VM {} on {}): {message}",
            place.request, place.vmid, place.node
        ),
    )
}
