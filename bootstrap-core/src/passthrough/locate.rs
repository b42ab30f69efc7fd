//! Which VM a person means: by name, VM id or SMBIOS UUID.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proxmox_client::{VmConfig, VmRow};
use serde::Serialize;

use super::Problem;
use crate::diagnostic::Diagnostic;
use crate::observe::CONFIGS_AT_ONCE;
use crate::ports::{Failure, Hypervisor, PortResult};

/// A VM as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vm {
    /// VM id.
    pub vmid: u32,
    /// Its name.
    pub name: Option<String>,
    /// SMBIOS UUID: VM ids are reused, this is not.
    pub uuid: Option<String>,
    /// The node it is on.
    pub node: String,
}

impl Vm {
    fn of(row: &VmRow, config: &VmConfig) -> Self {
        Self {
            vmid: row.vmid,
            name: config.name().map(str::to_owned),
            uuid: config.uuid(),
            node: row.node.clone(),
        }
    }

    /// Whether these options are still those of this VM.
    pub(super) fn is(&self, config: &VmConfig) -> bool {
        config.uuid() == self.uuid && config.name() == self.name.as_deref()
    }

    /// `worker-1 (105)`.
    pub fn shown(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.vmid),
            None => format!("VM {}", self.vmid),
        }
    }
}

/// Finds a VM by name, VM id or UUID. Names in the list may be ten seconds old, so the configuration decides.
///
/// # Errors
/// There is none, or several.
pub async fn find(port: &dyn Hypervisor, word: &str) -> Result<Vm, Problem> {
    let word = word.trim();
    let uuid = uuid::Uuid::try_parse(word).ok();
    let vmid = word.parse::<u32>().ok();
    let rows = port.vms().await?;
    let may_be = |row: &VmRow| {
        uuid.is_some()
            || vmid == Some(row.vmid)
            || row.name.as_deref().is_none_or(|name| name == word)
    };
    let candidates: Vec<VmRow> = rows.into_iter().filter(may_be).collect();
    let found: Vec<Option<Vm>> = stream::iter(candidates)
        .map(|row| async move {
            let config = match port.vm_config(&row.node, row.vmid).await {
                Ok(config) => config,
                // Gone meanwhile, or on a node that is down: not the one that can be worked on.
                Err(error)
                    if matches!(error.failure, Failure::NotFound | Failure::Unreachable)
                        && vmid != Some(row.vmid) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let vm = Vm::of(&row, &config);
            let id = uuid.map(|uuid| uuid.hyphenated().to_string());
            let is_meant = vmid == Some(vm.vmid)
                || vm.name.as_deref() == Some(word)
                || (id.is_some() && id == vm.uuid);
            PortResult::Ok(is_meant.then_some(vm))
        })
        .buffered(CONFIGS_AT_ONCE)
        .try_collect()
        .await?;
    let mut found: Vec<Vm> = found.into_iter().flatten().collect();
    match (found.pop(), found.is_empty()) {
        (Some(vm), true) => Ok(vm),
        (None, _) => Err(Problem::refused(
            Diagnostic::error(format!("there is no VM `{word}`"))
                .hint("give a name, a VM id or a UUID; a VM that the token may not see (VM.Audit) is not found either"),
        )),
        (Some(last), false) => {
            found.push(last);
            let each = found.iter().map(|vm| {
                let uuid = vm.uuid.as_deref().unwrap_or("without UUID");
                format!("{} on {}, {uuid}", vm.shown(), vm.node)
            });
            let each: Vec<String> = each.collect();
            Err(Problem::refused(
                Diagnostic::error(format!("`{word}` means several VMs: {}", each.join("; ")))
                    .hint("give the UUID, or the VM id where that is not the doubtful one"),
            ))
        }
    }
}
