//! [`Hypervisor`] for the Proxmox client.

use std::time::Duration;

use async_trait::async_trait;
use proxmox_client::{
    Client, Error, Node, PciDevice, PciMapping, Pending, Permissions, TaskStatus, Upid, VmConfig,
    VmRow, VmStatus,
};

use super::{chain, told};
use crate::ports::{Failure, Hypervisor, PortError, PortResult, System};

pub(super) struct Port {
    pub(super) client: Client,
    pub(super) provider: String,
}

impl Port {
    fn told<T>(&self, result: Result<T, Error>) -> PortResult<T> {
        result.map_err(|error| {
            let message = match &error {
                Error::Transport { source, .. } => told(source),
                other => chain(other),
            };
            PortError {
                hint: error.hint(),
                ..PortError::new(
                    System::Proxmox(self.provider.clone()),
                    failure(&error),
                    message,
                )
            }
        })
    }
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Transport { .. } => Failure::Unreachable,
        Error::Unauthorized { .. } => Failure::Unauthorized,
        Error::Denied { .. } => Failure::Denied,
        Error::NotFound { .. } => Failure::NotFound,
        Error::Conflict { .. } => Failure::Conflict,
        Error::Locked { .. } => Failure::Locked,
        Error::Invalid { .. } => Failure::Invalid,
        error if error.is_retryable() => Failure::Unreachable,
        _ => Failure::Other,
    }
}

#[async_trait]
impl Hypervisor for Port {
    async fn nodes(&self) -> PortResult<Vec<Node>> {
        self.told(self.client.nodes().await)
    }

    async fn vms(&self) -> PortResult<Vec<VmRow>> {
        self.told(self.client.vms().await)
    }

    async fn vm_config(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.told(self.client.vm_config(node, vmid).await)
    }

    async fn vm_config_current(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.told(self.client.vm_config_current(node, vmid).await)
    }

    async fn set_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        value: &str,
        digest: &str,
    ) -> PortResult<()> {
        self.told(self.client.set_config(node, vmid, key, value, digest).await)
    }

    async fn delete_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        digest: &str,
    ) -> PortResult<()> {
        self.told(self.client.delete_config(node, vmid, key, digest).await)
    }

    async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> PortResult<()> {
        self.told(self.client.revert_config(node, vmid, key).await)
    }

    async fn pending(&self, node: &str, vmid: u32) -> PortResult<Vec<Pending>> {
        self.told(self.client.pending(node, vmid).await)
    }

    async fn vm_status(&self, node: &str, vmid: u32) -> PortResult<VmStatus> {
        self.told(self.client.vm_status(node, vmid).await)
    }

    async fn start(&self, node: &str, vmid: u32) -> PortResult<Upid> {
        self.told(self.client.start(node, vmid).await)
    }

    async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> PortResult<Upid> {
        self.told(self.client.shutdown(node, vmid, timeout).await)
    }

    async fn task(&self, upid: &Upid) -> PortResult<TaskStatus> {
        self.told(self.client.task(upid).await)
    }

    async fn recent_tasks(&self, node: &str, vmid: u32) -> PortResult<Vec<TaskStatus>> {
        self.told(self.client.recent_tasks(node, vmid).await)
    }

    async fn pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.told(self.client.pci_devices(node).await)
    }

    async fn all_pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.told(self.client.pci_devices_of_all_classes(node).await)
    }

    async fn pci_mappings(&self, check_node: Option<&str>) -> PortResult<Vec<PciMapping>> {
        self.told(self.client.pci_mappings(check_node).await)
    }

    async fn create_pci_mapping(&self, mapping: &PciMapping) -> PortResult<()> {
        self.told(self.client.create_pci_mapping(mapping).await)
    }

    async fn permissions(&self, path: &str) -> PortResult<Permissions> {
        self.told(self.client.permissions(path).await)
    }
}
