//! A resource as Omni's JSON gateway shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A resource type and the namespace its resources live in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// For example `default`, `infra-provider` or `infra-provider:proxmox`.
    pub namespace: Cow<'static, str>,
    /// For example `MachineClasses.omni.sidero.dev`.
    pub name: Cow<'static, str>,
}

/// `running`, or `tearingDown` once deletion was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// The resource is wanted.
    #[default]
    #[serde(rename = "running")]
    Running,
    /// Deletion was asked for; finalizers hold it.
    #[serde(rename = "tearingDown")]
    TearingDown,
}

/// Everything about a resource but its spec.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Namespace.
    pub namespace: String,
    /// Full type name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unique within namespace and type.
    pub id: String,
    /// Counts updates; 0 before creation.
    pub version: u64,
    /// The controller that owns it; empty for what users manage.
    pub owner: String,
    /// Running or tearing down.
    pub phase: Phase,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339; the epoch where it was never updated.
    pub updated: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Controllers that must agree before it can go.
    pub finalizers: Vec<String>,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A resource: metadata and a spec in the API's snake_case JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// Identity, version, labels.
    pub metadata: Metadata,
    /// The spec, unknown fields included.
    #[serde(default)]
    pub spec: Value,
}

/// What a watch reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It exists (also sent for each existing one at the start).
    Created(Resource),
    /// It changed; the new state.
    Updated(Resource),
    /// It is gone; the last state.
    Destroyed(Resource),
    /// All existing ones were sent. Sent again after each reconnection: treat what was not repeated as gone.
    Bootstrapped,
}
