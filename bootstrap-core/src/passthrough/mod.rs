//! PCI devices of a Proxmox cluster by hand: who has which, and one more or less for a VM.
//!
//! The rules are those of a site: nothing is attached whose start would not be certain to work, every write is
//! guarded by the digest that was read and read back, and what is there already is not written again.

mod attach;
mod detach;
mod inventory;
mod locate;
mod look;

use proxmox_client::HostPci;
use serde::Serialize;

pub use attach::{Attach, Device, attach};
pub use detach::{Detach, Which, detach};
pub use inventory::{
    Check, DeviceRow, EntryRow, MappingRow, State, User, Via, device_rows, mapping_rows,
};
pub use locate::{Vm, find};
pub use look::{Seen, look};

use crate::diagnostic::Diagnostic;
use crate::ports::{Failure, PortError};

/// Why nothing came of it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What to tell.
    pub finding: Diagnostic,
    /// Whether something was written before, or may have been.
    pub written: bool,
}

impl Problem {
    fn refused(finding: Diagnostic) -> Self {
        Self {
            finding,
            written: false,
        }
    }

    fn after_write(finding: Diagnostic) -> Self {
        Self {
            finding,
            written: true,
        }
    }
}

/// A failed read, or a refused write: nothing was written.
impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        Self::refused((&error).into())
    }
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Written and read back.
    Done,
    /// Would be written.
    Planned,
    /// It is so already.
    None,
}

/// How an attach or a detach ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The VM.
    pub vm: Vm,
    /// `hostpci0`; absent where nothing was there to remove.
    pub option: Option<String>,
    /// What stands or stood in it.
    pub value: Option<String>,
    /// Whether anything was written.
    pub change: Change,
    /// Whether it counts only after the VM is stopped and started.
    pub restart_needed: bool,
}

impl Outcome {
    fn of(vm: &Vm, device: Option<(u8, &HostPci)>, change: Change, restart_needed: bool) -> Self {
        Self {
            vm: vm.clone(),
            option: device.map(|(index, _)| format!("hostpci{index}")),
            value: device.map(|(_, device)| device.to_string()),
            change,
            restart_needed,
        }
    }
}

/// What to do about a privilege that is missing.
const GRANT: &str =
    "grant it to the token, and to its user where the token has separate privileges";

/// How often a write that clashed with another is tried in all, everything being looked at anew.
const TRIES: u32 = 4;
/// The pause before that.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// What one try led to.
enum Step {
    Ended(Outcome),
    Again(PortError),
}

/// Sorts a failed write: one that clashed, or whose answer was lost, is looked at anew.
fn failed_write(error: PortError) -> Result<Step, Problem> {
    match error.failure {
        Failure::Conflict | Failure::Locked | Failure::Unreachable => Ok(Step::Again(error)),
        Failure::Denied | Failure::Invalid | Failure::NotFound | Failure::Unauthorized => {
            Err(error.into())
        }
        Failure::Other => Err(Problem::after_write((&error).into())),
    }
}

/// Tries until a try ends, a few times.
async fn until_ended<F>(
    clock: &dyn crate::ports::Clock,
    mut step: impl FnMut() -> F,
) -> Result<Outcome, Problem>
where
    F: Future<Output = Result<Step, Problem>>,
{
    let mut tries = 1;
    let mut lost = false;
    loop {
        let error = match step().await? {
            Step::Ended(mut outcome) => {
                // The write whose answer was lost arrived.
                if lost && outcome.change == Change::None {
                    outcome.change = Change::Done;
                }
                return Ok(outcome);
            }
            Step::Again(error) => error,
        };
        lost |= error.failure == Failure::Unreachable;
        if tries == TRIES {
            return Err(Problem::after_write((&error).into()));
        }
        clock.sleep(PAUSE * tries).await;
        tries += 1;
    }
}
