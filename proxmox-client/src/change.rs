//! Writes to a VM's configuration, guarded by the digest that was read.
//!
//! Repeating one that succeeded is refused for its digest and changes nothing.

use std::collections::BTreeMap;
use std::fmt;

use crate::client::Client;
use crate::error::Error;
use crate::model::Upid;
use crate::request::{Call, vm_path};

/// Changes of several options of a VM. The last one named for an option counts.
///
/// ```
/// use proxmox_client::ConfigChange;
/// let change = ConfigChange::new()
///     .set("hostpci0", "mapping=h100,pcie=1")
///     .set("balloon", "0")
///     .delete("hostpci1");
/// assert!(!change.is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigChange {
    changes: BTreeMap<String, Change>,
}

#[derive(Clone, PartialEq, Eq)]
enum Change {
    Set(String),
    Delete,
    Revert,
}

impl ConfigChange {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an option to a text as Proxmox writes it (booleans `1` and `0`).
    #[must_use]
    pub fn set(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(key, Change::Set(value.into()))
    }

    /// Removes an option. One that is not set does no harm.
    #[must_use]
    pub fn delete(self, key: impl Into<String>) -> Self {
        self.with(key, Change::Delete)
    }

    /// Drops what waits for an option. One that nothing waits for does no harm.
    #[must_use]
    pub fn revert(self, key: impl Into<String>) -> Self {
        self.with(key, Change::Revert)
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn with(mut self, key: impl Into<String>, change: Change) -> Self {
        self.changes.insert(key.into(), change);
        self
    }

    fn keys(&self, wanted: &Change) -> Option<String> {
        let keys: Vec<&str> = self
            .changes
            .iter()
            .filter(|(_, change)| *change == wanted)
            .map(|(key, _)| key.as_str())
            .collect();
        (!keys.is_empty()).then(|| keys.join(","))
    }

    fn add_to(&self, mut call: Call) -> Result<Call, Error> {
        if self.is_empty() {
            return Err(Error::input("no change given"));
        }
        for (key, change) in &self.changes {
            check_key(key)?;
            if let Change::Set(value) = change {
                call = call.param(key, value);
            }
        }
        Ok(call
            .param_opt("delete", self.keys(&Change::Delete))
            .param_opt("revert", self.keys(&Change::Revert)))
    }
}

/// Names alone: values may be passwords for cloud-init.
impl fmt::Debug for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.changes.keys()).finish()
    }
}

impl Client {
    /// Sets one option.
    ///
    /// The answer is a success as well when the value waits for a stop and start: look at
    /// [`pending`](Self::pending).
    ///
    /// # Errors
    /// [`Error::Conflict`] for another digest, [`Error::Locked`] while locked (both also for a VM that is
    /// being created), [`Error::Denied`] for what only root may set.
    pub async fn set_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        value: &str,
        digest: &str,
    ) -> Result<(), Error> {
        self.update_config(node, vmid, &ConfigChange::new().set(key, value), digest)
            .await
    }

    /// Removes one option. One that is not set is a success.
    ///
    /// # Errors
    /// As for [`set_config`](Self::set_config).
    pub async fn delete_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        digest: &str,
    ) -> Result<(), Error> {
        self.update_config(node, vmid, &ConfigChange::new().delete(key), digest)
            .await
    }

    /// Drops the pending change of one option, whatever the digest. One that has none is a success.
    pub async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> Result<(), Error> {
        let call = Call::put(vm_path(node, vmid, "/config")?);
        self.execute(ConfigChange::new().revert(key).add_to(call)?)
            .await
    }

    /// Makes several changes in one write. **Not all or nothing:** Proxmox writes them one by one in an order
    /// of its own and keeps what came before the one it refuses. After any error look at
    /// [`pending`](Self::pending) and revert what must not stay.
    ///
    /// # Errors
    /// As for [`set_config`](Self::set_config).
    pub async fn update_config(
        &self,
        node: &str,
        vmid: u32,
        change: &ConfigChange,
        digest: &str,
    ) -> Result<(), Error> {
        let call = Call::put(vm_path(node, vmid, "/config")?);
        self.execute(change.add_to(call)?.param("digest", guard(digest)?))
            .await
    }

    /// The same as a task: for what takes long (disks are allocated, say), since a synchronous write that
    /// takes more than 30 s on another node ends as [`Cause::NodeFailed`](crate::Cause::NodeFailed) while
    /// the work goes on. A conflict is the answer, or the exit status of the task.
    pub async fn update_config_task(
        &self,
        node: &str,
        vmid: u32,
        change: &ConfigChange,
        digest: &str,
    ) -> Result<Upid, Error> {
        let call = Call::post(vm_path(node, vmid, "/config")?);
        self.begin(change.add_to(call)?.param("digest", guard(digest)?))
            .await
    }
}

/// Refuses what would turn one option into several or into another instruction.
fn check_key(key: &str) -> Result<(), Error> {
    let is_name = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let is_instruction = [
        "delete", "revert", "digest", "force", "skiplock", "node", "vmid",
    ]
    .contains(&key);
    if key.is_empty() || !is_name || is_instruction {
        return Err(Error::input("not the name of one VM option"));
    }
    Ok(())
}

/// Proxmox takes an empty digest as "do not check".
fn guard(digest: &str) -> Result<&str, Error> {
    if digest.is_empty() {
        return Err(Error::input("a write needs the digest that was read"));
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_are_written() {
        for key in ["hostpci0", "description", "x-y"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "a,b", "delete", "skiplock", "a b", "a=b"] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(guard("").is_err() && guard("abc").is_ok());
    }

    #[test]
    fn one_change_an_option() {
        let change = ConfigChange::new()
            .set("hostpci0", "canary")
            .delete("hostpci0")
            .delete("hostpci1")
            .revert("scsihw");
        assert_eq!(change.keys(&Change::Delete).unwrap(), "hostpci0,hostpci1");
        assert_eq!(change.keys(&Change::Revert).unwrap(), "scsihw");
        assert_eq!(
            format!("{:?}", ConfigChange::new().set("cipassword", "canary")),
            "{\"cipassword\"}"
        );
        assert!(ConfigChange::new().add_to(Call::put("/x")).is_err());
    }
}
