//! The verbs of `proxmox-gpu`.

pub mod attach;
pub mod detach;
pub mod list;
pub mod mappings;

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::passthrough::{Change, Outcome, Problem, Seen, look};
use bootstrap_core::ports::PortError;

use crate::args::{Format, Output};
use crate::output::{Screen, clean};
use crate::proxmox::Proxmox;
use crate::run::{Exit, Failure};

/// Looks at the whole cluster and tells what could not be seen.
async fn seen(proxmox: &Proxmox, screen: &mut Screen) -> Result<Seen, Failure> {
    let connected = proxmox.connect().await?;
    let failed = |error: PortError| Failure::findings(Exit::Error, vec![Diagnostic::from(&error)]);
    let seen = look(connected.port.as_ref(), None).await.map_err(failed)?;
    screen.findings(&seen.warnings);
    Ok(seen)
}

fn failed(problem: Problem) -> Failure {
    let exit = if problem.written {
        Exit::Error
    } else {
        Exit::Refused
    };
    Failure::findings(exit, vec![problem.finding])
}

/// Tells how an attach or detach ended. `attached`: what the VM has afterwards.
fn tell(
    outcome: &Outcome,
    attached: bool,
    output: Output,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if output.format == Format::Table {
        screen.print(&line(outcome, attached));
    } else {
        screen.document(output.format, outcome)?;
    }
    Ok(Exit::Done)
}

fn line(outcome: &Outcome, attached: bool) -> String {
    let vm = outcome.vm.shown();
    let device = match (&outcome.option, &outcome.value) {
        (Some(option), Some(value)) => format!("{option} ({value})"),
        _ => "the device".to_owned(),
    };
    let (sign, was, would, already) = if attached {
        (
            "+",
            "attached to",
            "would be attached to",
            "is already attached to",
        )
    } else {
        (
            "-",
            "detached from",
            "would be detached from",
            "is not attached to",
        )
    };
    let mut text = match outcome.change {
        Change::Done => format!("{sign} {device} {was} {vm}"),
        Change::Planned => format!("{sign} {device} {would} {vm}"),
        Change::None if attached || outcome.option.is_none() => {
            format!("  {device} {already} {vm}")
        }
        Change::None => format!("  {device} is already being detached from {vm}"),
    };
    if outcome.restart_needed {
        text += "; it counts after the VM is stopped and started";
    }
    clean(&text)
}

/// What stands in a cell for nothing.
fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
