//! What one node is and has.

use crate::client::Client;
use crate::error::Error;
use crate::request::{Call, node_path};
use crate::wire;

/// A node's own account of itself (`GET /nodes/N/status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// `pve-manager/9.2.11/14a22df3`.
    pub pve_version: String,
    /// Kernel, as `uname` tells it.
    pub kernel: String,
    /// Seconds since its start.
    pub uptime: u64,
    /// Logical processors.
    pub cpus: Option<u64>,
    /// Memory in bytes.
    pub memory_total: Option<u64>,
    /// Bytes that could be given to a VM: free and reclaimable.
    pub memory_available: Option<u64>,
}

/// A bridge that VMs can be put on (`GET /nodes/N/network?type=any_bridge`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// `vmbr0`.
    pub name: String,
    /// `bridge`, `OVSBridge` or `vnet`.
    pub kind: String,
    /// Whether it is up.
    pub active: bool,
}

/// A machine type that the node's QEMU knows (`GET /nodes/N/capabilities/qemu/machines`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineType {
    /// `pc-q35-9.2+pve1`, what the option `machine` takes.
    pub id: String,
    /// `q35` or `i440fx`.
    pub kind: String,
    /// `9.2+pve1`.
    pub version: String,
}

impl Client {
    /// How a node is doing. Needs Sys.Audit on `/nodes/NODE`.
    pub async fn node_status(&self, node: &str) -> Result<NodeStatus, Error> {
        let status: wire::NodeStatus = self.fetch(Call::get(node_path(node, "/status")?)).await?;
        Ok(NodeStatus {
            pve_version: status.pveversion.unwrap_or_default(),
            kernel: status.kversion.unwrap_or_default(),
            uptime: status.uptime.unwrap_or_default(),
            cpus: wire::number_in(&status.cpuinfo, "cpus"),
            memory_total: wire::number_in(&status.memory, "total"),
            memory_available: wire::number_in(&status.memory, "available"),
        })
    }

    /// Bridges of a node, software-defined networks included. Shows those the token has Sys.Audit or SDN.Use
    /// for.
    pub async fn bridges(&self, node: &str) -> Result<Vec<Bridge>, Error> {
        let call = Call::get(node_path(node, "/network")?).query("type", "any_bridge");
        let rows: Vec<wire::Bridge> = self.list(call).await?;
        let bridge = |row: wire::Bridge| Bridge {
            name: row.iface,
            kind: row.kind.unwrap_or_default(),
            active: row.active,
        };
        Ok(rows.into_iter().map(bridge).collect())
    }

    /// Machine types that a node's QEMU knows.
    pub async fn machine_types(&self, node: &str) -> Result<Vec<MachineType>, Error> {
        let call = Call::get(node_path(node, "/capabilities/qemu/machines")?);
        let rows: Vec<wire::MachineType> = self.list(call).await?;
        let machine = |row: wire::MachineType| MachineType {
            id: row.id,
            kind: row.kind.unwrap_or_default(),
            version: row.version.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(machine).collect())
    }
}
