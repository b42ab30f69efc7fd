//! A resource as Omni's JSON gateway shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::specs::ShownId;
use crate::update::without_zeros;

/// A resource type and the namespace its resources live in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// For example `default`, `infra-provider` or `infra-provider:proxmox`.
    pub namespace: Cow<'static, str>,
    /// For example `MachineClasses.omni.sidero.dev`.
    pub name: Cow<'static, str>,
}

impl Kind {
    /// A kind that is not in [`crate::kinds`].
    pub fn new(
        namespace: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.split('.').next().unwrap_or_default())
    }
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
///
/// `Debug` leaves out the id where that is a join token.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = ShownId {
            kind: &self.kind,
            id: &self.id,
        };
        f.debug_struct("Metadata")
            .field("namespace", &self.namespace)
            .field("type", &self.kind)
            .field("id", &id)
            .field("version", &self.version)
            .field("owner", &self.owner)
            .field("phase", &self.phase)
            .field("labels", &self.labels)
            .field("annotations", &self.annotations)
            .field("finalizers", &self.finalizers)
            .finish_non_exhaustive()
    }
}

/// A resource: metadata and a spec in the API's snake_case JSON.
///
/// `Debug` shows the names of the spec's fields only: patches, kernel arguments and the like hold secrets.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// Identity, version, labels.
    pub metadata: Metadata,
    /// The spec, unknown fields included.
    #[serde(default)]
    pub spec: Value,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&String> = self
            .spec
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .collect();
        f.debug_struct("Resource")
            .field("metadata", &self.metadata)
            .field("spec", &fields)
            .finish()
    }
}

impl Resource {
    /// One that is not yet created, with an empty spec.
    pub fn new(kind: &Kind, id: impl Into<String>) -> Self {
        let metadata = Metadata {
            namespace: kind.namespace.clone().into_owned(),
            kind: kind.name.clone().into_owned(),
            id: id.into(),
            ..Metadata::default()
        };
        Self {
            metadata,
            spec: Value::Object(Map::new()),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        Kind::new(self.metadata.namespace.clone(), self.metadata.kind.clone())
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.metadata.labels.get(name).map(String::as_str)
    }

    /// Sets a label.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.labels.insert(name.into(), value.into());
        self
    }

    /// Whether its removal was asked for.
    pub fn is_tearing_down(&self) -> bool {
        self.metadata.phase == Phase::TearingDown
    }

    /// The spec as one of [`crate::specs`], or a type of your own.
    pub fn spec_as<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // Types without a spec omit it.
        let null = self.spec.is_null();
        let read = if null {
            T::deserialize(Value::Object(Map::new()))
        } else {
            T::deserialize(&self.spec)
        };
        read.map_err(|error| {
            Error::not_understood(
                &format!("the spec of {} {}", self.kind(), self.metadata.id),
                &error,
            )
        })
    }

    /// Replaces the spec. Fields that are zero are left out, as the server does.
    pub fn set_spec(&mut self, spec: &impl Serialize) -> Result<(), Error> {
        let value = serde_json::to_value(spec)
            .map_err(|error| Error::invalid(format!("the spec is no JSON: {error}")))?;
        self.spec = without_zeros(&value);
        Ok(())
    }

    /// The same with another spec, see [`Resource::set_spec`].
    pub fn with_spec(mut self, spec: &impl Serialize) -> Result<Self, Error> {
        self.set_spec(spec)?;
        Ok(self)
    }
}

/// What a watch reports: of [`Resource`]s, or of [`Typed`](crate::Typed) ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<R = Resource> {
    /// It exists (also sent for each existing one at the start).
    Created(R),
    /// It changed.
    Updated {
        /// The new state.
        new: R,
        /// The state before, where the server tells it.
        old: Option<R>,
    },
    /// It is gone; the last state.
    Destroyed(R),
    /// All existing ones were sent. Sent again after each reconnection: treat what was not repeated as gone.
    Bootstrapped,
}

impl<R> Event<R> {
    /// The resource it is about, as it is or last was.
    pub fn resource(&self) -> Option<&R> {
        match self {
            Self::Created(resource)
            | Self::Updated { new: resource, .. }
            | Self::Destroyed(resource) => Some(resource),
            Self::Bootstrapped => None,
        }
    }
}
