//! Virtual machines: the list, configuration, pending changes and power.

use std::time::Duration;

use crate::client::Client;
use crate::config::split_tags;
use crate::error::Error;
use crate::model::{Pending, Upid, VmConfig, VmRow, VmStatus};
use crate::request::{Call, vm_path};
use crate::wire;

impl Client {
    /// All QEMU guests the token may see (VM.Audit), in one call; see [`VmRow`] for what may be stale.
    pub async fn vms(&self) -> Result<Vec<VmRow>, Error> {
        let call = Call::get("/cluster/resources").query("type", "vm");
        let label = call.label();
        let rows: Vec<wire::Guest> = self.list(call).await?;
        rows.into_iter()
            .filter(|row| row.kind.as_deref() == Some("qemu"))
            .map(|row| {
                vm_row(row).ok_or_else(|| Error::Decode {
                    call: label.clone(),
                    message: "a guest without id or node".to_owned(),
                })
            })
            .collect()
    }

    /// A VM's configuration, pending values shown as if they were set.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the VM is not on that node.
    pub async fn vm_config(&self, node: &str, vmid: u32) -> Result<VmConfig, Error> {
        self.read_config(Call::get(vm_path(node, vmid, "/config")?))
            .await
    }

    /// The configuration that the running VM really has. For a stopped one the same as
    /// [`vm_config`](Self::vm_config), so it proves something only together with status running.
    pub async fn vm_config_current(&self, node: &str, vmid: u32) -> Result<VmConfig, Error> {
        self.read_config(Call::get(vm_path(node, vmid, "/config")?).query("current", "1"))
            .await
    }

    async fn read_config(&self, call: Call) -> Result<VmConfig, Error> {
        let options: wire::Config = self.fetch(call).await?;
        let mut config = VmConfig::default();
        for (key, value) in options {
            let Some(text) = wire::scalar(&value) else {
                continue;
            };
            if key == "digest" {
                config.digest = text;
            } else {
                config.values.insert(key, text);
            }
        }
        Ok(config)
    }

    /// Sets one option, guarded by the digest that was read. One only, because Proxmox writes several one
    /// by one and keeps what came before the one it refuses.
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
        check_key(key)?;
        let call = Call::put(vm_path(node, vmid, "/config")?).param(key, value);
        self.execute(call.param("digest", guard(digest)?)).await
    }

    /// Removes one option, guarded by the digest that was read. One that is not set is a success.
    pub async fn delete_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        digest: &str,
    ) -> Result<(), Error> {
        check_key(key)?;
        let call = Call::put(vm_path(node, vmid, "/config")?).param("delete", key);
        self.execute(call.param("digest", guard(digest)?)).await
    }

    /// Drops the pending change of one option. One that has none is a success.
    pub async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> Result<(), Error> {
        check_key(key)?;
        self.execute(Call::put(vm_path(node, vmid, "/config")?).param("revert", key))
            .await
    }

    /// What is applied and what waits for a stop and start.
    pub async fn pending(&self, node: &str, vmid: u32) -> Result<Vec<Pending>, Error> {
        let rows: Vec<wire::Pending> = self
            .list(Call::get(vm_path(node, vmid, "/pending")?))
            .await?;
        // The digest is listed like an option, but is none.
        let rows = rows.into_iter().filter(|row| row.key != "digest");
        Ok(rows
            .map(|row| Pending {
                key: row.key,
                value: row.value,
                pending: row.pending,
                delete: row.delete,
            })
            .collect())
    }

    /// Power state. Live, unlike the list's.
    pub async fn vm_status(&self, node: &str, vmid: u32) -> Result<VmStatus, Error> {
        let status: wire::Status = self
            .fetch(Call::get(vm_path(node, vmid, "/status/current")?))
            .await?;
        Ok(VmStatus {
            ha_managed: status.ha_managed(),
            status: status.status,
            lock: status.lock.filter(|lock| !lock.is_empty()),
            uptime: status.uptime.unwrap_or_default(),
        })
    }

    /// Starts a VM. An answer only says that the task was made: for a VM that runs already the task fails,
    /// for an HA-managed one it only asks the manager.
    pub async fn start(&self, node: &str, vmid: u32) -> Result<Upid, Error> {
        self.power(node, vmid, "start", &[]).await
    }

    /// Asks the guest to power off within `timeout` (whole seconds, rounded up); never forced.
    pub async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> Result<Upid, Error> {
        self.power(node, vmid, "shutdown", &[("timeout", seconds(timeout))])
            .await
    }

    /// Asks the guest to power off and **cuts its power** when it has not after `timeout`.
    pub async fn shutdown_or_stop(
        &self,
        node: &str,
        vmid: u32,
        timeout: Duration,
    ) -> Result<Upid, Error> {
        let params = [("timeout", seconds(timeout)), ("forceStop", "1".to_owned())];
        self.power(node, vmid, "shutdown", &params).await
    }

    /// **Cuts the power.** `timeout` bounds how long QEMU may take to end.
    pub async fn stop(
        &self,
        node: &str,
        vmid: u32,
        timeout: Option<Duration>,
    ) -> Result<Upid, Error> {
        let params: Vec<_> = timeout
            .map(|timeout| ("timeout", seconds(timeout)))
            .into_iter()
            .collect();
        self.power(node, vmid, "stop", &params).await
    }

    /// Shuts the guest down and starts it again, which applies pending changes. In one task: where each
    /// step must be resumable, use [`shutdown`](Self::shutdown) and [`start`](Self::start).
    pub async fn reboot(
        &self,
        node: &str,
        vmid: u32,
        timeout: Option<Duration>,
    ) -> Result<Upid, Error> {
        let params: Vec<_> = timeout
            .map(|timeout| ("timeout", seconds(timeout)))
            .into_iter()
            .collect();
        self.power(node, vmid, "reboot", &params).await
    }

    /// **Resets** the VM as the button would. Pending changes stay pending.
    pub async fn reset(&self, node: &str, vmid: u32) -> Result<Upid, Error> {
        self.power(node, vmid, "reset", &[]).await
    }

    async fn power(
        &self,
        node: &str,
        vmid: u32,
        action: &str,
        params: &[(&str, String)],
    ) -> Result<Upid, Error> {
        let mut call = Call::post(vm_path(node, vmid, &format!("/status/{action}"))?);
        for (key, value) in params {
            call = call.param(key, value);
        }
        let label = call.label();
        let upid: String = self.fetch(call).await?;
        Upid::parse(&upid).map_err(|error| Error::Decode {
            call: label,
            message: error.to_string(),
        })
    }
}

fn vm_row(row: wire::Guest) -> Option<VmRow> {
    Some(VmRow {
        vmid: u32::try_from(row.vmid?).ok()?,
        node: row.node?,
        name: row.name.filter(|name| !name.is_empty()),
        status: row.status.unwrap_or_else(|| "unknown".to_owned()),
        template: row.template,
        tags: split_tags(&row.tags.unwrap_or_default()),
        lock: row.lock.filter(|lock| !lock.is_empty()),
    })
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

fn seconds(timeout: Duration) -> String {
    let up = u64::from(timeout.subsec_nanos() > 0);
    timeout.as_secs().saturating_add(up).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_options_are_written() {
        for key in ["hostpci0", "description", "x-y"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "a,b", "delete", "skiplock", "a b", "a=b"] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(guard("").is_err() && guard("abc").is_ok());
        assert_eq!(seconds(Duration::from_millis(2500)), "3");
    }
}
