//! Everything about a cluster's devices in one look: hardware, mappings, and each VM's configuration.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proxmox_client::VmConfig;

use super::GRANT;
use crate::diagnostic::Diagnostic;
use crate::observe::{CONFIGS_AT_ONCE, HypervisorView, check_mappings, granted};
use crate::ports::{Failure, Hypervisor, PortError, PortResult};

/// Paths whose privileges say whether the lists are whole.
const PATHS: [&str; 3] = ["/", "/vms", "/mapping/pci"];

/// What was seen, and what could not be.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The cluster; devices of all classes, configurations of all VMs that could be read.
    pub view: HypervisorView,
    /// Nodes and VMs of which nothing is known, lists that privileges may have cut.
    pub warnings: Vec<Diagnostic>,
}

impl Seen {
    /// Whether the credential sees all VMs.
    pub(super) fn sees_all_vms(&self) -> bool {
        self.holds("/vms", &["VM.Audit"])
    }

    fn holds(&self, path: &str, any_of: &[&str]) -> bool {
        let held = self.view.privileges.get(path);
        held.is_some_and(|held| any_of.iter().any(|name| held.iter().any(|has| has == name)))
    }

    /// Lists are cut to what may be seen, and nothing in them says so.
    fn warn_of_privileges(&mut self) {
        let mapping = ["Mapping.Audit", "Mapping.Use", "Mapping.Modify"];
        for (path, any_of, unseen) in [
            ("/vms", &["VM.Audit"][..], "who uses a device"),
            ("/mapping/pci", &mapping[..], "which mapping a device has"),
        ] {
            if !self.holds(path, any_of) {
                let warning = Diagnostic::warning(format!(
                    "{} on {path} is missing, so {unseen} is not all shown",
                    any_of[0]
                ));
                self.warnings.push(warning.hint(GRANT));
            }
        }
    }

    fn warn_of(&mut self, error: &PortError, about: &str) {
        self.warnings
            .push(Diagnostic::warning(format!("{about}: {}", error.message)));
    }
}

/// Looks at the nodes that are online, or at one alone. What a node that cannot be reached has is left out, with a
/// warning.
///
/// # Errors
/// A call that every node would refuse: wrong credentials, Sys.Audit missing on `/`.
pub async fn look(port: &dyn Hypervisor, only: Option<&str>) -> PortResult<Seen> {
    let mut seen = Seen::default();
    // First, because a wrong token is then one clear error.
    for path in PATHS {
        let granted = granted(port, path).await?;
        seen.view.privileges.insert(path.to_owned(), granted);
    }
    seen.warn_of_privileges();
    for node in port.nodes().await? {
        let online = node.status == "online";
        seen.view.nodes.insert(node.name, online);
    }
    seen.view.rows = port.vms().await?;
    for mapping in port.pci_mappings(None).await? {
        seen.view.mappings.insert(mapping.id.clone(), mapping);
    }
    let wanted = |node: &str| only.is_none_or(|only| only == node);
    let nodes: Vec<(String, bool)> = seen.view.nodes.clone().into_iter().collect();
    for (node, online) in nodes.into_iter().filter(|(node, _)| wanted(node)) {
        if !online {
            let warning = format!("{node} is not online, so its devices are not shown");
            seen.warnings.push(Diagnostic::warning(warning));
        } else if let Err(error) = look_at_hardware(port, &node, &mut seen.view).await {
            if error.failure != Failure::Unreachable {
                return Err(error);
            }
            seen.warn_of(&error, &format!("{node} cannot be asked"));
        }
    }
    look_at_vms(port, &wanted, &mut seen).await?;
    Ok(seen)
}

async fn look_at_hardware(
    port: &dyn Hypervisor,
    node: &str,
    view: &mut HypervisorView,
) -> PortResult<()> {
    let devices = port.all_pci_devices(node).await?;
    view.devices.insert(node.to_owned(), devices);
    check_mappings(port, node, view).await
}

async fn look_at_vms(
    port: &dyn Hypervisor,
    wanted: &(dyn Fn(&str) -> bool + Sync),
    seen: &mut Seen,
) -> PortResult<()> {
    let rows = seen.view.rows.iter().filter(|row| wanted(&row.node));
    let rows: Vec<(u32, String, bool)> = rows
        .map(|row| (row.vmid, row.node.clone(), row.status != "stopped"))
        .collect();
    let read: Vec<(u32, String, PortResult<Configs>)> = stream::iter(rows)
        .map(|(vmid, node, may_run)| async move {
            let read = read_vm(port, &node, vmid, may_run).await;
            PortResult::Ok((vmid, node, read))
        })
        .buffer_unordered(CONFIGS_AT_ONCE)
        .try_collect()
        .await?;
    for (vmid, node, read) in read {
        match read {
            Ok((config, applied)) => {
                seen.view.configs.insert(vmid, (node, config));
                seen.view
                    .applied
                    .extend(applied.map(|applied| (vmid, applied)));
            }
            Err(error) if error.failure == Failure::NotFound => {}
            Err(error) if error.failure == Failure::Unreachable => {
                let about =
                    format!("VM {vmid} on {node} cannot be read, so its devices are not known");
                seen.warn_of(&error, &about);
                seen.view.unreadable.insert(vmid, node);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A configuration with pending changes as if they were made, and the one that a running VM has.
type Configs = (VmConfig, Option<VmConfig>);

async fn read_vm(
    port: &dyn Hypervisor,
    node: &str,
    vmid: u32,
    may_run: bool,
) -> PortResult<Configs> {
    let config = port.vm_config(node, vmid).await?;
    let applied = if may_run {
        Some(port.vm_config_current(node, vmid).await?)
    } else {
        None
    };
    Ok((config, applied))
}
