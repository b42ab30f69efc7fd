//! Guests that the HA manager owns. It starts, stops and moves them as it was told, so a power call on such
//! a guest only tells the manager (see [`Upid::is_ha_request`](crate::Upid::is_ha_request)), and one that it
//! was not told of is undone.
//!
//! Rules and groups, which say where a guest may go, are left to the administrator.

use crate::client::Client;
use crate::error::Error;
use crate::request::{Call, segment};
use crate::wire;

const RESOURCES: &str = "/cluster/ha/resources";

/// A guest that the HA manager owns (`GET /cluster/ha/resources`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaResource {
    /// `vm:101`, or `ct:101` for a container.
    pub id: String,
    /// What is wanted: `started`, `stopped`, `disabled`, `ignored`, …
    pub state: String,
    /// HA group; Proxmox VE 9 has rules instead.
    pub group: Option<String>,
    /// Digest of the whole list.
    pub digest: Option<String>,
}

/// A row of what the HA manager reports (`GET /cluster/ha/status/current`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaStatus {
    /// `quorum`, `master`, `lrm:NODE`, `service:vm:101`, …
    pub id: String,
    /// `quorum`, `fencing`, `master`, `lrm` or `service`.
    pub kind: String,
    /// The node it is about or on.
    pub node: Option<String>,
    /// The manager's words.
    pub status: Option<String>,
    /// State of a service.
    pub state: Option<String>,
    /// For the quorum row: whether there is one.
    pub quorate: bool,
}

/// What the HA manager shall keep a guest at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HaState {
    /// Running; started anew on another node when its node fails.
    Started,
    /// Stopped, and moved when its node fails.
    Stopped,
    /// Stopped, and left alone when its node fails.
    Disabled,
    /// Left to itself, as if it were not in the list.
    Ignored,
}

impl HaState {
    /// Proxmox's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Disabled => "disabled",
            Self::Ignored => "ignored",
        }
    }
}

impl HaResource {
    /// The VM's id; `None` for a container.
    pub fn vmid(&self) -> Option<u32> {
        self.id.strip_prefix("vm:")?.parse().ok()
    }
}

impl Client {
    /// Guests that the HA manager owns. Needs Sys.Audit on `/`.
    pub async fn ha_resources(&self) -> Result<Vec<HaResource>, Error> {
        let rows: Vec<wire::HaResource> = self.list(Call::get(RESOURCES)).await?;
        let resource = |row: wire::HaResource| HaResource {
            id: row.sid,
            state: row.state.unwrap_or_else(|| "started".to_owned()),
            group: row.group,
            digest: row.digest,
        };
        Ok(rows.into_iter().map(resource).collect())
    }

    /// How the HA manager is doing. Needs Sys.Audit on `/`.
    pub async fn ha_status(&self) -> Result<Vec<HaStatus>, Error> {
        let call = Call::get("/cluster/ha/status/current");
        let rows: Vec<wire::HaStatus> = self.list(call).await?;
        let status = |row: wire::HaStatus| HaStatus {
            id: row.id,
            kind: row.kind.unwrap_or_default(),
            node: row.node,
            status: row.status,
            state: row.state,
            quorate: row.quorate,
        };
        Ok(rows.into_iter().map(status).collect())
    }

    /// Puts a VM under the HA manager; without a state it is to be started. Needs Sys.Console on `/`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is there already.
    pub async fn ha_add(&self, vmid: u32, state: Option<HaState>) -> Result<(), Error> {
        let call = Call::post(RESOURCES).param("sid", format!("vm:{vmid}"));
        self.execute(call.param_opt("state", state.map(HaState::as_str)))
            .await
    }

    /// Says what the HA manager shall keep a VM at. Saying it twice changes nothing. Needs Sys.Console on `/`.
    pub async fn ha_set(&self, vmid: u32, state: HaState) -> Result<(), Error> {
        self.execute(Call::put(resource_path(vmid)?).param("state", state.as_str()))
            .await
    }

    /// Takes a VM from the HA manager; its power state stays as it is. Needs Sys.Console on `/`.
    pub async fn ha_remove(&self, vmid: u32) -> Result<(), Error> {
        self.execute(Call::delete(resource_path(vmid)?)).await
    }
}

fn resource_path(vmid: u32) -> Result<String, Error> {
    Ok(format!("{RESOURCES}/{}", segment(&format!("vm:{vmid}"))?))
}
