//! Signed calls: who calls, and that headers and method are what was signed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{RESOURCES, Request};
use crate::World;
use crate::world::omni::access::{Caller, Role};
use crate::world::omni::api::ApiError;

/// How far a caller's clock may be off.
const SKEW: Duration = Duration::from_mins(5);

/// Metadata that the signature covers.
const COVERED: [&str; 10] = [
    "x-sidero-timestamp",
    "nodes",
    "selectors",
    "fieldSelectors",
    "runtime",
    "context",
    "cluster",
    "namespace",
    "uid",
    "authorization",
];

/// Types that anybody may read.
const PUBLIC: [&str; 2] = [
    "AuthConfigs.omni.sidero.dev",
    "EulaAcceptances.omni.sidero.dev",
];

/// Values of a metadata key: headers with the gateway's prefix, and the plain `Authorization`.
pub(super) fn metadata<'a>(request: &'a Request, key: &str) -> Vec<&'a str> {
    let name = format!("grpc-metadata-{}", key.to_ascii_lowercase());
    let plain = if key == "authorization" { key } else { "" };
    request
        .headers
        .iter()
        .filter(|(header, _)| header.as_str() == name || header.as_str() == plain)
        .filter_map(|(_, value)| value.to_str().ok())
        .collect()
}

/// The caller of a signed call. Every failure has the same answer.
pub(super) fn caller(
    world: &Arc<World>,
    request: &Request,
    service: &str,
    method: &str,
    message: &Value,
) -> Result<Caller, ApiError> {
    let kind = message
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let public = service == RESOURCES && matches!(method, "Get" | "List") && PUBLIC.contains(&kind);
    match verified(world, request, &format!("/{service}/{method}")) {
        Some(caller) => Ok(caller),
        None if public => Ok(Caller {
            identity: String::new(),
            role: Role::InfraProvider,
            provider: None,
        }),
        None => Err(ApiError::new(16, "invalid signature")),
    }
}

fn verified(world: &Arc<World>, request: &Request, method: &str) -> Option<Caller> {
    let one = |key| metadata(request, key).first().copied();
    let payload = one("x-sidero-payload")?;
    let signature = one("x-sidero-signature")?;
    let parts: Vec<&str> = signature.split(' ').collect();
    let ["siderov1", _, fingerprint, bytes] = parts.as_slice() else {
        return None;
    };
    let wall = world.wall(world.now());
    let (caller, key) = world.with_accounts(|accounts| accounts.key(wall, fingerprint))?;
    if !key.verifies(&STANDARD.decode(bytes).ok()?, payload.as_bytes()) {
        return None;
    }
    let stamp: u64 = one("x-sidero-timestamp")?.parse().ok()?;
    let sent = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(stamp))?;
    let skew = wall
        .duration_since(sent)
        .unwrap_or_else(|ahead| ahead.duration());
    let payload: Value = serde_json::from_str(payload).ok()?;
    let signed = skew <= SKEW
        && payload.get("method").and_then(Value::as_str) == Some(method)
        && COVERED.iter().all(|key| same(request, &payload, key));
    if signed {
        world.with_accounts(|accounts| accounts.used(wall, fingerprint));
    }
    signed.then_some(caller)
}

/// Whether a covered key is signed exactly as it was sent; absent is the same as null, but not as `[]`.
fn same(request: &Request, payload: &Value, key: &str) -> bool {
    let sent = metadata(request, key);
    match payload.get("headers").and_then(|headers| headers.get(key)) {
        None | Some(Value::Null) => sent.is_empty(),
        Some(Value::Array(signed)) => {
            !signed.is_empty()
                && signed.len() == sent.len()
                && signed
                    .iter()
                    .zip(&sent)
                    .all(|(signed, sent)| signed == sent)
        }
        Some(_) => false,
    }
}
