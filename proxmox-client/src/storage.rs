//! Storages of a node and what is on them.

use crate::client::Client;
use crate::error::Error;
use crate::request::{Call, node_path, segment};
use crate::wire;

/// A storage as a node sees it (`GET /nodes/N/storage`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Storage id.
    pub name: String,
    /// `dir`, `zfspool`, `rbd`, …
    pub kind: String,
    /// What it may hold: `images`, `iso`, …
    pub content: Vec<String>,
    /// Whether it is usable now.
    pub active: bool,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Whether all nodes see the same content.
    pub shared: bool,
    /// Size in bytes.
    pub total: Option<u64>,
    /// Free bytes.
    pub available: Option<u64>,
}

/// Something on a storage (`GET /nodes/N/storage/S/content`): a disk, an ISO image, a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `local:iso/name.iso`, what VM options name it by.
    pub id: String,
    /// `images`, `iso`, `backup`, `import`, …
    pub content: String,
    /// `raw`, `qcow2`, `iso`, …
    pub format: String,
    /// Size in bytes, where the storage knows it.
    pub size: Option<u64>,
    /// When it was made, Unix seconds, where the storage knows it.
    pub created: Option<u64>,
    /// The VM it belongs to.
    pub vmid: Option<u32>,
}

impl Client {
    /// Storages a node can use. Shows those the token has Datastore.Audit on.
    ///
    /// `GET /nodes/N/storage`.
    pub async fn storages(&self, node: &str) -> Result<Vec<Storage>, Error> {
        let rows: Vec<wire::Storage> = self.list(Call::get(node_path(node, "/storage")?)).await?;
        Ok(rows.into_iter().map(storage).collect())
    }

    /// What is on a storage, of one kind of content (`iso`, `images`, …) or all. Needs Datastore.Audit on
    /// it, and shows disks only of VMs the token may see.
    ///
    /// `GET /nodes/N/storage/S/content`. Storages that reckon a size slowly say none.
    pub async fn volumes(
        &self,
        node: &str,
        storage: &str,
        content: Option<&str>,
    ) -> Result<Vec<Volume>, Error> {
        let path = format!("/storage/{}/content", segment(storage)?);
        let call = Call::get(node_path(node, &path)?).query_opt("content", content);
        let rows: Vec<wire::Volume> = self.list(call).await?;
        Ok(rows.into_iter().map(volume).collect())
    }
}

fn storage(row: wire::Storage) -> Storage {
    let content = row.content.unwrap_or_default();
    Storage {
        name: row.storage,
        kind: row.kind.unwrap_or_default(),
        content: content
            .split(',')
            .filter(|kind| !kind.is_empty())
            .map(str::to_owned)
            .collect(),
        active: row.active,
        enabled: row.enabled,
        shared: row.shared,
        total: row.total,
        available: row.avail,
    }
}

fn volume(row: wire::Volume) -> Volume {
    Volume {
        id: row.volid,
        content: row.content.unwrap_or_default(),
        format: row.format.unwrap_or_default(),
        size: row.size,
        created: row.ctime,
        vmid: row.vmid.and_then(|vmid| u32::try_from(vmid).ok()),
    }
}
