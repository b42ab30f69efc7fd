//! Power of virtual machines.
//!
//! No call here is idempotent or guarded: read [`Client::vm_status`] right before and after.
//!
//! For a guest that the HA manager owns (`ha_managed` there), start, stop and shutdown change what the
//! manager wants: the task is one for which [`Upid::is_ha_request`] holds, and it ends well as soon as the
//! request is written. Wait for the power state, not for the task.

use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::model::Upid;
use crate::request::{Call, vm_path};

impl Client {
    /// Starts a VM. The answer only says that a task was made, which fails for a VM that runs already.
    ///
    /// `POST …/status/start`, VM.PowerMgmt on `/vms/ID`. With passed-through devices it may take minutes: the
    /// guest's whole memory is pinned.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the VM is not on that node. A locked VM is refused by the task, not here.
    pub async fn start(&self, node: &str, vmid: u32) -> Result<Upid, Error> {
        self.power(node, vmid, "start", &[]).await
    }

    /// Asks the guest to power off within `timeout` (whole seconds, rounded up); never forced.
    ///
    /// `POST …/status/shutdown`. While the task waits for the guest, writes to the configuration are refused
    /// after ten seconds as busy ([`Error::Locked`] without a lock's name).
    ///
    /// # Errors
    /// As for [`start`](Self::start). A guest that does not go is the task's: `got timeout`.
    pub async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> Result<Upid, Error> {
        self.power(node, vmid, "shutdown", &[("timeout", seconds(timeout))])
            .await
    }

    /// Asks the guest to power off and **cuts its power** when it has not after `timeout`.
    ///
    /// `POST …/status/shutdown` with `forceStop`; the task ends well either way.
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
    ///
    /// `POST …/status/stop`. A success for a VM that is stopped already, and taken for one that is locked by a
    /// backup.
    pub async fn stop(
        &self,
        node: &str,
        vmid: u32,
        timeout: Option<Duration>,
    ) -> Result<Upid, Error> {
        let params = timeout.map(|timeout| ("timeout", seconds(timeout)));
        self.power(node, vmid, "stop", params.as_slice()).await
    }

    /// Shuts the guest down and starts it again, which applies pending changes. In one task: where each
    /// step must be resumable, use [`shutdown`](Self::shutdown) and [`start`](Self::start).
    ///
    /// `POST …/status/reboot`; without a timeout Proxmox waits for 60 s, or what the VM's `startup` option says.
    ///
    /// # Errors
    /// [`Cause::GuestNotRunning`](crate::Cause::GuestNotRunning) for a VM that is stopped.
    pub async fn reboot(
        &self,
        node: &str,
        vmid: u32,
        timeout: Option<Duration>,
    ) -> Result<Upid, Error> {
        let params = timeout.map(|timeout| ("timeout", seconds(timeout)));
        self.power(node, vmid, "reboot", params.as_slice()).await
    }

    /// **Resets** the VM as the button would. Pending changes stay pending.
    ///
    /// `POST …/status/reset`.
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
        self.begin(call).await
    }

    /// Sends a call that is answered with the task it made.
    pub(crate) async fn begin(&self, call: Call) -> Result<Upid, Error> {
        let label = call.label();
        let upid: String = self.fetch(call).await?;
        Upid::parse(&upid).map_err(|error| Error::Decode {
            call: label,
            message: error.to_string(),
        })
    }
}

fn seconds(timeout: Duration) -> String {
    let up = u64::from(timeout.subsec_nanos() > 0);
    timeout.as_secs().saturating_add(up).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_second_counts() {
        assert_eq!(seconds(Duration::from_millis(2500)), "3");
        assert_eq!(seconds(Duration::from_secs(2)), "2");
    }
}
