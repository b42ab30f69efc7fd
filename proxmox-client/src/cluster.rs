//! Cluster-wide reads: version, nodes, resources, quorum, privileges, options.

use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::Error;
use crate::model::{ClusterNode, ClusterStatus, Node, Permissions, Version, VmRow};
use crate::request::Call;
use crate::vms::vm_row;
use crate::wire;

/// A row of `GET /cluster/resources`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// A QEMU guest.
    Vm(VmRow),
    /// A node.
    Node(Node),
    /// A storage as a node sees it; `id` is `storage/NODE/NAME`.
    Storage {
        /// `storage/pve1/local`.
        id: String,
        /// The node.
        node: String,
        /// `available` or `unknown`.
        status: String,
    },
    /// A container, a network, a pool, or what a newer release has.
    Other {
        /// Its id, `lxc/105`.
        id: String,
        /// Its type, `lxc`.
        kind: String,
    },
}

/// Settings of the cluster that concern guests (`GET /cluster/options`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterOptions {
    /// First three bytes of generated MACs, `BC:24:11`; absent where MACs are random.
    pub mac_prefix: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Tags that this user may set.
    pub allowed_tags: Vec<String>,
}

impl Client {
    /// Everything of the cluster that the token may see, in one call; see [`VmRow`] for what may be stale.
    /// Where only VMs matter, [`vms`](Self::vms) is the smaller answer.
    ///
    /// `GET /cluster/resources`.
    pub async fn resources(&self) -> Result<Vec<Resource>, Error> {
        let call = Call::get("/cluster/resources");
        let label = call.label();
        let rows: Vec<Value> = self.list(call).await?;
        let decode = |message| Error::Decode {
            call: label.clone(),
            message,
        };
        rows.into_iter()
            .map(|row| resource(row).map_err(decode))
            .collect()
    }

    /// Settings that concern guests.
    ///
    /// `GET /cluster/options`.
    pub async fn cluster_options(&self) -> Result<ClusterOptions, Error> {
        let options: wire::Options = self.fetch(Call::get("/cluster/options")).await?;
        Ok(ClusterOptions {
            mac_prefix: options.mac_prefix,
            description: options.description.filter(|text| !text.is_empty()),
            allowed_tags: options.allowed_tags,
        })
    }

    /// The version of the node that answers; nodes may differ during an upgrade. Any valid token may ask.
    ///
    /// `GET /version`.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Transport`]: this is the call to find out whether an endpoint and a
    /// token are good.
    pub async fn version(&self) -> Result<Version, Error> {
        let version: wire::Version = self.fetch(Call::get("/version")).await?;
        Ok(Version {
            version: version.version,
            release: version.release.unwrap_or_default(),
            repoid: version.repoid.unwrap_or_default(),
        })
    }

    /// Cluster nodes.
    ///
    /// `GET /nodes`. Nodes are listed whatever the privileges; one whose state the answering node does not know
    /// is `unknown`.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let rows: Vec<wire::Node> = self.list(Call::get("/nodes")).await?;
        let node = |row: wire::Node| Node {
            name: row.node,
            status: row.status.unwrap_or_else(unknown),
        };
        Ok(rows.into_iter().map(node).collect())
    }

    /// Membership and quorum. Needs Sys.Audit on `/`.
    ///
    /// `GET /cluster/status`.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege.
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
    /// Without quorum every write is refused with [`Cause::NoQuorum`](crate::Cause::NoQuorum).
    pub async fn quorate(&self) -> Result<bool, Error> {
        Ok(self.cluster_status().await?.quorate)
    }

    /// Privileges of this token on `path`, inherited ones included. An empty list means none: lists of
    /// what the token may not see are empty, too, and not refused.
    ///
    /// `GET /access/permissions?path=…`. The key is `path`, the values are names such as `VM.Audit`. With a
    /// token that has separate privileges only what token **and** user have counts, and only that is listed.
    pub async fn permissions(&self, path: &str) -> Result<Permissions, Error> {
        let call = Call::get("/access/permissions").query("path", path);
        self.permissions_of(call).await
    }

    /// Privileges of this token on every path that has a rule.
    ///
    /// `GET /access/permissions`.
    pub async fn all_permissions(&self) -> Result<Permissions, Error> {
        self.permissions_of(Call::get("/access/permissions")).await
    }

    async fn permissions_of(&self, call: Call) -> Result<Permissions, Error> {
        let paths: Map<String, Value> = self.envelope(call).await?.data.unwrap_or_default();
        // The value is the propagate flag; being listed is what grants.
        let names = |privileges: Value| match privileges {
            Value::Object(map) => map.into_iter().map(|(name, _)| name).collect(),
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

fn resource(row: Value) -> Result<Resource, String> {
    if row.get("type").and_then(Value::as_str) == Some("qemu") {
        let guest = serde_json::from_value(row).map_err(|error| error.to_string())?;
        let vm = vm_row(guest).ok_or("a guest without id or node")?;
        return Ok(Resource::Vm(vm));
    }
    let row: wire::Resource = serde_json::from_value(row).map_err(|error| error.to_string())?;
    let status = row.status.unwrap_or_else(unknown);
    let kind = row.kind.unwrap_or_default();
    Ok(match (kind.as_str(), row.node) {
        ("node", Some(name)) => Resource::Node(Node { name, status }),
        ("storage", Some(node)) => Resource::Storage {
            id: row.id,
            node,
            status,
        },
        _ => Resource::Other { id: row.id, kind },
    })
}
