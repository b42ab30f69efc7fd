//! After the first start: a start that failed with our GPU, and a GPU that missed the window.

use std::time::Duration;

use super::attach::{self, Attached, Place, When};
use super::machine::Ended;
use super::{Run, finding, power};
use crate::diagnostic::Diagnostic;
use crate::observe::Stage;
use crate::plan::{Finding, Slot};
use crate::ports::{Hypervisor, PortResult, System};

/// How long a start may take to show after the signal that it began.
const START_SHOWS_WITHIN: Duration = Duration::from_mins(10);
const BETWEEN: Duration = Duration::from_secs(2);

/// Looks at the start after an attach of ours: one that failed leaves the request stuck for good.
pub(super) async fn after_start(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    ended: &mut Ended,
) {
    let signal = tokio::select! {
        signal = run.signals.until(&place.request, |signal| !signal.start_task.is_empty()) => signal,
        () = run.settles() => None,
    };
    let Some(upid) = signal.and_then(|signal| signal.start_task.parse().ok()) else {
        return;
    };
    match power::ended(run, port, &upid, START_SHOWS_WITHIN.min(run.left())).await {
        Some(task) if task.is_success() => {
            // The start may have read the configuration just before the write.
            let waits = attach::pending_keys(port, slot, place)
                .await
                .is_ok_and(|keys| !keys.is_empty());
            ended.worked.attached_in_window &= !waits;
            if waits {
                late(run, port, slot, place, ended).await;
            }
        }
        Some(task) => {
            let status = task.exit_status.unwrap_or_default();
            start_failed(run, port, slot, place, &status, ended).await;
        }
        None => {}
    }
}

async fn start_failed(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    status: &str,
    ended: &mut Ended,
) {
    ended.worked.attached_in_window = false;
    let mut diagnostic = Diagnostic::error(format!("the start of {} failed with its GPU: {status}", place.request)).hint(format!(
        "the provider never tries again: `omnictl delete machinerequest -n infra-provider {}` makes Omni replace the machine",
        place.request
    ));
    match attach::detach(port, slot, place).await {
        Ok(()) => run.events.machine(
            &place.request,
            "its start failed, the GPU is detached again",
        ),
        Err(error) => {
            diagnostic.message = format!(
                "{}; it could not be detached either: {}",
                diagnostic.message, error.message
            );
        }
    }
    ended.needs_person.push(Finding::of(
        System::Proxmox(place.provider.clone()),
        diagnostic,
    ));
}

enum Moment {
    /// In maintenance, not yet in a cluster.
    Free,
    /// Installed and running.
    Installed,
    /// Off, though the provider started it; whether it is in a cluster.
    Off(bool),
    /// The provider's start failed.
    StartFailed(String),
    /// Not started yet, booting, installing, upgrading, rebooting: hands off.
    Busy,
}

/// A GPU that missed the window: only in maintenance, or on an installed worker when allowed. A machine
/// that is off since an earlier run stopped it for its GPU is started again.
pub(super) async fn late(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    ended: &mut Ended,
) {
    loop {
        let settled = run.is_settled();
        if run.is_over() {
            report(
                run,
                port,
                slot,
                place,
                "there was no time left to restart it",
                ended,
            )
            .await;
            return;
        }
        match moment(run, port, place).await {
            Ok(Moment::Off(false)) => {
                bring_up(run, port, slot, place, ended).await;
                return;
            }
            Ok(Moment::Off(true)) => {
                if !slot.control_plane && run.options.allow_restart {
                    bring_up(run, port, slot, place, ended).await;
                } else {
                    report_off(place, slot.control_plane, ended);
                }
                return;
            }
            Ok(Moment::Free | Moment::Installed | Moment::StartFailed(_))
                if slot.attach.is_empty() =>
            {
                return;
            }
            Ok(Moment::StartFailed(status)) => {
                start_failed(run, port, slot, place, &status, ended).await;
                return;
            }
            Ok(Moment::Free) => {
                if restart(run, port, slot, place, false, ended).await {
                    return;
                }
            }
            Ok(Moment::Installed) if slot.control_plane => {
                report(
                    run,
                    port,
                    slot,
                    place,
                    "it is a control plane member",
                    ended,
                )
                .await;
                return;
            }
            Ok(Moment::Installed) if !run.options.allow_restart => {
                report(
                    run,
                    port,
                    slot,
                    place,
                    "--allow-restart was not given",
                    ended,
                )
                .await;
                return;
            }
            Ok(Moment::Installed) => {
                restart(run, port, slot, place, true, ended).await;
                return;
            }
            Ok(Moment::Busy) | Err(_) if settled => {
                report(
                    run,
                    port,
                    slot,
                    place,
                    "it is neither in maintenance nor running",
                    ended,
                )
                .await;
                return;
            }
            Ok(Moment::Busy) | Err(_) => {}
        }
        run.sleep(BETWEEN).await;
    }
}

async fn moment(run: &Run, port: &dyn Hypervisor, place: &Place) -> PortResult<Moment> {
    let (state, member) = crate::observe::machine_now(run.ports.omni.as_ref(), &place.uuid).await?;
    let start = run
        .signals
        .now(&place.request)
        .and_then(|machine| machine.start_task.parse().ok());
    let Some(start) = start else {
        return Ok(Moment::Busy);
    };
    if port.vm_status(&place.node, place.vmid).await?.status != "running" {
        let task = port.task(&start).await?;
        let succeeded = task.is_success();
        return Ok(match task.exit_status {
            None => Moment::Busy,
            Some(_) if succeeded => Moment::Off(member.is_some()),
            Some(status) => Moment::StartFailed(status),
        });
    }
    Ok(match (state, member) {
        (_, Some(member)) if member.stage == Stage::Running => Moment::Installed,
        (Some(state), None) if state.maintenance && state.cluster.is_none() => Moment::Free,
        _ => Moment::Busy,
    })
}

/// Stops, attaches, starts. False when it may be tried again at the next good moment.
async fn restart(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    installed: bool,
    ended: &mut Ended,
) -> bool {
    // Nothing is stopped for an attach that would not be made.
    if let Err(error) = attach::check(run, port, slot, place).await {
        let reverted = attach::revert(port, slot, place).await;
        ended
            .failures
            .push(finding(&format!("{} got no GPU", place.request), error));
        ended.failures.extend(reverted.err().map(|error| {
            finding(
                "a change that waits for a restart was not taken back",
                error,
            )
        }));
        return true;
    }
    run.events
        .machine(&place.request, "stopping it to attach its GPU");
    if let Err(error) = power::shut_down(run, port, place).await {
        run.events.machine(&place.request, error.message.clone());
        if installed {
            report(
                run,
                port,
                slot,
                place,
                &format!("it did not power off: {}", error.message),
                ended,
            )
            .await;
        }
        return installed;
    }
    bring_up(run, port, slot, place, ended).await;
    true
}

/// Attaches what is lacking to a VM that is off, and starts it whatever became of the GPU.
async fn bring_up(run: &Run, port: &dyn Hypervisor, slot: &Slot, place: &Place, ended: &mut Ended) {
    ended.worked.restarts += 1;
    let attached = attach::attach(run, port, slot, place, When::Stopped).await;
    let mut started = power::start(run, port, place).await;
    if let (Ok(Attached::Yes), Err(error)) = (&attached, &started)
        && !slot.attach.is_empty()
    {
        // It ran before: it is started again as it was.
        let why = format!("the start of {} failed with its GPU", place.request);
        ended.needs_person.push(finding(&why, error.clone()));
        if let Err(error) = attach::detach(port, slot, place).await {
            ended.needs_person.push(finding(
                &format!("the GPU of {} is still attached", place.request),
                error,
            ));
        }
        started = power::start(run, port, place).await;
    }
    if let Err(error) = attached {
        ended
            .failures
            .push(finding(&format!("{} got no GPU", place.request), error));
    }
    match started {
        Ok(()) => run.events.machine(&place.request, "started again"),
        Err(error) => ended.needs_person.push(finding(
            &format!("{} did not start again", place.request),
            error,
        )),
    }
}

async fn report(
    run: &Run,
    port: &dyn Hypervisor,
    slot: &Slot,
    place: &Place,
    why: &str,
    ended: &mut Ended,
) {
    let reverted = attach::revert(port, slot, place).await;
    let mut error = Diagnostic::error(format!(
        "{} runs without its GPU: it was started first, and {why}",
        place.request
    ))
    .hint("run it again with --allow-restart: a worker is then stopped and started once");
    if let Err(problem) = reverted {
        error.message = format!(
            "{}; the change that waits for a restart could not be taken back: {}",
            error.message, problem.message
        );
    }
    run.events.machine(&place.request, "runs without its GPU");
    ended
        .needs_person
        .push(Finding::of(System::Proxmox(place.provider.clone()), error));
}

fn report_off(place: &Place, control_plane: bool, ended: &mut Ended) {
    let hint = if control_plane {
        "start it in Proxmox: a control plane member is never started or stopped here"
    } else {
        "start it in Proxmox, or run it again with --allow-restart"
    };
    let error =
        Diagnostic::error(format!("the VM {} of {} is off", place.vmid, place.request)).hint(hint);
    ended
        .needs_person
        .push(Finding::of(System::Proxmox(place.provider.clone()), error));
}
