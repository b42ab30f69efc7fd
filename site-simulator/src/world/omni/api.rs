//! The rules of Omni's resource API, shared by both doors.

use std::fmt::Write as _;

use omni_client::{Resource, Selectors};
use serde_json::json;

use super::access::Role;
use super::store::tearing_down;

mod permissions;
mod read;
mod write;

pub use read::{get, list, may_read, sees};
pub use write::{create, destroyed, teardown, update};

/// A refusal, as the API words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// gRPC code.
    pub code: u8,
    /// Message.
    pub message: String,
}

impl ApiError {
    /// A refusal with a gRPC code.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Several findings of validation in one message.
    fn validation(code: u8, errors: &[String]) -> Self {
        let count = errors.len();
        let noun = if count == 1 { "error" } else { "errors" };
        let mut message = format!("failed to validate: {count} {noun} occurred:\n");
        for error in errors {
            let _infallible = writeln!(message, "\t* {error}");
        }
        message.push('\n');
        Self { code, message }
    }

    /// The HTTP status the gateway gives a gRPC code.
    pub fn status(&self) -> u16 {
        match self.code {
            3 | 9 => 400,
            4 => 504,
            5 => 404,
            6 => 409,
            7 => 403,
            8 => 429,
            12 => 501,
            14 => 503,
            16 => 401,
            _ => 500,
        }
    }
}

/// Which resources a list or watch is about.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Namespace.
    pub namespace: String,
    /// Full type name.
    pub kind: String,
    /// One resource only; empty: all.
    pub id: String,
    /// Labels.
    pub selectors: Selectors,
    /// How many to skip.
    pub offset: usize,
    /// How many to give; 0: all.
    pub limit: usize,
    /// `id`, `created` or `updated`; empty: `id`.
    pub sort_by: String,
    /// Backwards.
    pub descending: bool,
    /// Texts that must be found.
    pub search: Vec<String>,
}

/// A resource as it is sent, with its version as text.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// Metadata; its version is not looked at.
    pub resource: Resource,
    /// Version as sent: a number, empty (means 1), or `undefined` (no check).
    pub version: String,
    /// The spec as sent.
    pub spec: String,
}

fn denied(reason: &str) -> ApiError {
    ApiError::validation(
        7,
        &[format!(
            "rpc error: code = PermissionDenied desc = {reason}"
        )],
    )
}

fn insufficient(role: Role) -> String {
    format!("unauthorized: access denied: insufficient role: \"{role}\"")
}

fn describe(namespace: &str, kind: &str, id: &str, version: &str) -> String {
    format!("resource {kind}({namespace}/{id}@{version})")
}

fn missing(namespace: &str, kind: &str, id: &str, version: &str) -> String {
    format!("{} doesn't exist", describe(namespace, kind, id, version))
}

/// A resource as the gateway shows it.
pub fn show(resource: &Resource) -> String {
    let meta = &resource.metadata;
    let mut metadata = json!({
        "created": meta.created,
        "updated": meta.updated,
        "namespace": meta.namespace,
        "type": meta.kind,
        "id": meta.id,
        "owner": meta.owner,
        "phase": if tearing_down(resource) { "tearingDown" } else { "running" },
    });
    if !meta.labels.is_empty() {
        metadata["labels"] = json!(meta.labels);
    }
    if !meta.annotations.is_empty() {
        metadata["annotations"] = json!(meta.annotations);
    }
    if !meta.finalizers.is_empty() {
        metadata["finalizers"] = json!(meta.finalizers);
    }
    metadata["version"] = json!(meta.version);
    json!({"spec": resource.spec, "metadata": metadata}).to_string()
}
