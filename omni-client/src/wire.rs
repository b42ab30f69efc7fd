//! Messages as the JSON gateway has them. A resource travels as JSON text
//! inside a string, and reads and writes differ.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Kind, Resource};

#[derive(Serialize)]
pub(crate) struct Selected<'a> {
    pub(crate) namespace: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) id: &'a str,
    #[serde(flatten)]
    pub(crate) order: Order<'a>,
}

#[derive(Serialize, Default)]
pub(crate) struct Order<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) offset: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) limit: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) sort_by_field: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sort_descending: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) search_for: &'a [String],
}

// `skip_serializing_if` hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<'a> Selected<'a> {
    pub(crate) fn new(kind: &'a Kind, id: &'a str) -> Self {
        Self {
            namespace: &kind.namespace,
            kind: &kind.name,
            id,
            order: Order::default(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Written<'a> {
    pub(crate) resource: WrittenResource<'a>,
}

#[derive(Serialize)]
pub(crate) struct WrittenResource<'a> {
    metadata: WrittenMetadata<'a>,
    spec: String,
}

#[derive(Serialize)]
struct WrittenMetadata<'a> {
    namespace: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    finalizers: &'a [String],
    #[serde(flatten)]
    other: &'a Map<String, Value>,
}

impl<'a> Written<'a> {
    /// Owner, phase and times are the server's to set: sending an owner is an error, the rest is ignored.
    pub(crate) fn new(resource: &'a Resource) -> Self {
        let metadata = &resource.metadata;
        let spec = if resource.spec.is_null() {
            "{}".to_owned()
        } else {
            resource.spec.to_string()
        };
        let metadata = WrittenMetadata {
            namespace: &metadata.namespace,
            kind: &metadata.kind,
            id: &metadata.id,
            version: (metadata.version > 0).then(|| metadata.version.to_string()),
            labels: &metadata.labels,
            annotations: &metadata.annotations,
            finalizers: &metadata.finalizers,
            other: &metadata.other,
        };
        Self {
            resource: WrittenResource { metadata, spec },
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Got {
    pub(crate) body: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Listed {
    pub(crate) items: Vec<String>,
    pub(crate) total: u32,
}

/// One line of a watch.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) result: Option<LineResult>,
    pub(crate) error: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct LineResult {
    pub(crate) event: WireEvent,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct WireEvent {
    pub(crate) resource: String,
    /// What an update replaced.
    pub(crate) old: String,
    pub(crate) event_type: i32,
}

pub(crate) const CREATED: i32 = 1;
pub(crate) const UPDATED: i32 = 2;
pub(crate) const DESTROYED: i32 = 3;
pub(crate) const BOOTSTRAPPED: i32 = 4;

/// An error, as gRPC has it.
#[derive(Deserialize, Debug)]
pub(crate) struct Status {
    pub(crate) code: i32,
    #[serde(default)]
    pub(crate) message: String,
}

impl Status {
    /// Of a body, which for streams is wrapped once more.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wrapped {
            error: Status,
        }
        let wrapped = || message::<Wrapped>(body).map(|wrapped| wrapped.error);
        message(body).or_else(|_| wrapped()).ok()
    }
}

/// Reads a message. A list, which serde takes for one as well, is none: `[]` must not pass for an empty answer.
pub(crate) fn message<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("no JSON object"));
    }
    serde_json::from_slice(body)
}
