//! Virtual machines: lists, configuration, pending changes, power state.

use crate::client::Client;
use crate::config::split_tags;
use crate::error::Error;
use crate::model::{Pending, VmConfig, VmRow, VmStatus};
use crate::request::{Call, node_path, vm_path};
use crate::wire;

impl Client {
    /// All QEMU guests the token may see (VM.Audit), in one call; see [`VmRow`] for what may be stale.
    ///
    /// `GET /cluster/resources?type=vm`; containers are left out. Some 300 bytes a VM, and no slower with five
    /// hundred of them.
    ///
    /// # Errors
    /// [`Error::Decode`] for a row without id or node. A token without VM.Audit gets an empty list, no error.
    pub async fn vms(&self) -> Result<Vec<VmRow>, Error> {
        let call = Call::get("/cluster/resources").query("type", "vm");
        let label = call.label();
        let rows: Vec<wire::Guest> = self.list(call).await?;
        rows.into_iter()
            .filter(|row| row.kind.as_deref() == Some("qemu"))
            .map(|row| vm_row(row).ok_or_else(|| nameless(&label)))
            .collect()
    }

    /// The QEMU guests of one node that the token may see. Name and status are live, unlike in
    /// [`vms`](Self::vms), but it takes seconds where there are hundreds; `ha_state` is not in it.
    ///
    /// `GET /nodes/N/qemu`.
    ///
    /// # Errors
    /// [`Error::Server`] with [`Cause::NodeUnreachable`](crate::Cause::NodeUnreachable) for a node that is down.
    pub async fn vms_on(&self, node: &str) -> Result<Vec<VmRow>, Error> {
        let call = Call::get(node_path(node, "/qemu")?);
        let label = call.label();
        let rows: Vec<wire::Guest> = self.list(call).await?;
        rows.into_iter()
            .map(|mut row| {
                row.node = Some(node.to_owned());
                vm_row(row).ok_or_else(|| nameless(&label))
            })
            .collect()
    }

    /// A VM's configuration, pending values shown as if they were set.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the VM is not on that node.
    /// [`Error::Denied`] without VM.Audit on `/vms/ID`. It is read from a lock's holder, too: look at
    /// [`VmConfig::lock`].
    ///
    /// `GET /nodes/N/qemu/ID/config`.
    pub async fn vm_config(&self, node: &str, vmid: u32) -> Result<VmConfig, Error> {
        self.read_config(Call::get(vm_path(node, vmid, "/config")?))
            .await
    }

    /// The configuration that the running VM really has. For a stopped one the same as
    /// [`vm_config`](Self::vm_config), so it proves something only together with status running.
    ///
    /// `GET /nodes/N/qemu/ID/config?current=1`. The digest is that of the whole file in both.
    ///
    /// # Errors
    /// As for [`vm_config`](Self::vm_config).
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

    /// What is applied and what waits for a stop and start.
    ///
    /// `GET /nodes/N/qemu/ID/pending`; the digest that Proxmox lists among the options is left out.
    ///
    /// # Errors
    /// As for [`vm_config`](Self::vm_config).
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
    ///
    /// `GET /nodes/N/qemu/ID/status/current`. Up to a second or two may pass between the end of a task and here.
    ///
    /// # Errors
    /// As for [`vm_config`](Self::vm_config).
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
}

fn nameless(call: &str) -> Error {
    Error::Decode {
        call: call.to_owned(),
        message: "a guest without id or node".to_owned(),
    }
}

pub(crate) fn vm_row(row: wire::Guest) -> Option<VmRow> {
    Some(VmRow {
        vmid: u32::try_from(row.vmid?).ok()?,
        node: row.node?,
        name: row.name.filter(|name| !name.is_empty()),
        status: row.status.unwrap_or_else(|| "unknown".to_owned()),
        template: row.template,
        tags: split_tags(&row.tags.unwrap_or_default()),
        lock: row.lock.filter(|lock| !lock.is_empty()),
        ha_state: row.hastate.filter(|state| !state.is_empty()),
    })
}
