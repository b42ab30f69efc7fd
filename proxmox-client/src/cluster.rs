//! Cluster-wide reads: version, nodes, quorum, privileges; storages of a node.

use crate::client::Client;
use crate::error::Error;
use crate::model::{ClusterNode, ClusterStatus, Node, Permissions, Storage, Version};
use crate::request::{Call, node_path};
use crate::wire;

impl Client {
    /// The version of the node that answers; nodes may differ during an upgrade. Any valid token may ask.
    pub async fn version(&self) -> Result<Version, Error> {
        let version: wire::Version = self.fetch(Call::get("/version")).await?;
        Ok(Version {
            version: version.version,
            release: version.release.unwrap_or_default(),
            repoid: version.repoid.unwrap_or_default(),
        })
    }

    /// Cluster nodes.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let rows: Vec<wire::Node> = self.list(Call::get("/nodes")).await?;
        let node = |row: wire::Node| Node {
            name: row.node,
            status: row.status.unwrap_or_else(unknown),
        };
        Ok(rows.into_iter().map(node).collect())
    }

    /// Membership and quorum. Needs Sys.Audit on `/`.
    pub async fn cluster_status(&self) -> Result<ClusterStatus, Error> {
        let rows: Vec<wire::Member> = self.list(Call::get("/cluster/status")).await?;
        let (clusters, nodes): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|row| row.kind.as_deref() == Some("cluster"));
        let cluster = clusters.into_iter().next();
        Ok(ClusterStatus {
            // A node on its own has no cluster row and needs no quorum.
            quorate: cluster.as_ref().is_none_or(|row| row.quorate),
            name: cluster.and_then(|row| row.name),
            nodes: nodes.into_iter().filter_map(cluster_node).collect(),
        })
    }

    /// Whether the cluster can be written to. Needs Sys.Audit on `/`.
    pub async fn quorate(&self) -> Result<bool, Error> {
        Ok(self.cluster_status().await?.quorate)
    }

    /// Privileges of this token on `path`, inherited ones included. An empty list means none: lists of
    /// what the token may not see are empty, too, and not refused.
    pub async fn permissions(&self, path: &str) -> Result<Permissions, Error> {
        let call = Call::get("/access/permissions").query("path", path);
        self.permissions_of(call).await
    }

    /// Privileges of this token on every path that has a rule.
    pub async fn all_permissions(&self) -> Result<Permissions, Error> {
        self.permissions_of(Call::get("/access/permissions")).await
    }

    async fn permissions_of(&self, call: Call) -> Result<Permissions, Error> {
        let paths: serde_json::Map<String, serde_json::Value> =
            self.envelope(call).await?.data.unwrap_or_default();
        // The value is the propagate flag; being listed is what grants.
        let names = |privileges: serde_json::Value| match privileges {
            serde_json::Value::Object(map) => map.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        };
        let sorted = |mut list: Vec<String>| {
            list.sort_unstable();
            list
        };
        Ok(paths
            .into_iter()
            .map(|(path, value)| (path, sorted(names(value))))
            .collect())
    }

    /// Storages a node can use. Shows those the token has Datastore.Audit on.
    pub async fn storages(&self, node: &str) -> Result<Vec<Storage>, Error> {
        let rows: Vec<wire::Storage> = self.list(Call::get(node_path(node, "/storage")?)).await?;
        Ok(rows.into_iter().map(storage).collect())
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cluster_node(row: wire::Member) -> Option<ClusterNode> {
    Some(ClusterNode {
        name: row.name?,
        online: row.online,
        local: row.local,
        ip: row.ip,
    })
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
