//! Writing: rights, content, versions.

use std::time::Duration;

use omni_client::{Phase, Resource};
use serde_json::Value;

use super::{ApiError, Incoming, denied, describe, insufficient, missing};
use crate::world::State;
use crate::world::omni::access::{Access, Caller, access};
use crate::world::omni::kinds::{self, label};
use crate::world::omni::store::{Refusal, tearing_down};
use crate::world::omni::{schema, validate};

fn may_write(caller: &Caller, resource: &Resource) -> Result<(), String> {
    let kind = resource.metadata.kind.as_str();
    match access(&resource.metadata.namespace, kind) {
        Access::Closed => Err("no access is permitted".to_owned()),
        Access::ReadOnly(_) => Err("only read access is permitted".to_owned()),
        Access::Managed(_, write) if caller.role < write && caller.provider.is_none() => {
            Err(insufficient(caller.role))
        }
        Access::Managed(_, _)
            if caller.provider.is_some() && kind != kinds::MACHINE_REQUESTS.name =>
        {
            Err(insufficient(caller.role))
        }
        Access::Provider if caller.provider.is_none() => {
            Err("users are not allowed to modify".to_owned())
        }
        Access::Managed(..) | Access::Provider => Ok(()),
    }
}

/// Rights and content together: one refusal lists both.
fn check(
    state: &State,
    caller: &Caller,
    old: Option<&Resource>,
    new: &Resource,
) -> Result<(), ApiError> {
    let rights = may_write(caller, new);
    let mut errors: Vec<String> = rights
        .as_ref()
        .err()
        .map(|e| format!("rpc error: code = PermissionDenied desc = {e}"))
        .into_iter()
        .collect();
    let closed = matches!(
        access(&new.metadata.namespace, &new.metadata.kind),
        Access::Closed | Access::ReadOnly(_) | Access::Provider
    );
    if !closed {
        errors.extend(validate::write(&state.omni.store, old, new));
    }
    match (errors.is_empty(), rights) {
        (true, _) => Ok(()),
        (false, Ok(())) => Err(ApiError::validation(3, &errors)),
        (false, Err(_)) => Err(ApiError::validation(7, &errors)),
    }
}

fn decode_spec(kind: &str, text: &str) -> Result<Value, ApiError> {
    let text = if text.is_empty() { "{}" } else { text };
    let value: Value = serde_json::from_str(text)
        .map_err(|e| ApiError::new(2, format!("proto: syntax error: {e}")))?;
    match schema::fields(kind) {
        Some(fields) => schema::normalise(fields, &value, text).map_err(|e| ApiError::new(2, e)),
        None => Ok(value),
    }
}

/// Creates a resource.
pub fn create(
    state: &mut State,
    now: Duration,
    caller: &Caller,
    incoming: Incoming,
) -> Result<(), ApiError> {
    let Incoming {
        mut resource,
        version,
        spec,
    } = incoming;
    resource.spec = decode_spec(&resource.metadata.kind, &spec)?;
    provider_rules(caller, &mut resource)?;
    check(state, caller, None, &resource)?;
    let (namespace, kind, id) = (
        &resource.metadata.namespace,
        &resource.metadata.kind,
        &resource.metadata.id,
    );
    if !resource.metadata.owner.is_empty() {
        return Err(ApiError::new(
            2,
            format!(
                "failed to set owner on create \"{kind}({namespace}/{id}@1)\": owner is already set to \"{}\"",
                resource.metadata.owner
            ),
        ));
    }
    let stamp = state.stamp(now);
    resource.metadata.version = version.parse().unwrap_or(1);
    resource.metadata.phase = Phase::Running;
    resource.metadata.created = stamp;
    "1970-01-01T00:00:00Z".clone_into(&mut resource.metadata.updated);
    let name = describe(namespace, kind, id, "");
    let name = name.trim_end_matches("@)").to_owned();
    match state.omni.store.create(resource) {
        Ok(()) => {
            state.wake_controllers(now);
            Ok(())
        }
        Err(Refusal::Exists(version)) => {
            let prefix = if caller.provider.is_some() && name.contains("Health") {
                ""
            } else {
                "failed to create: "
            };
            Err(ApiError::new(
                6,
                format!("{prefix}{name}@{version}) already exists"),
            ))
        }
        Err(_) => Err(ApiError::new(13, "store refused the resource")),
    }
}

/// What the API forces on an infra provider's account.
fn provider_rules(caller: &Caller, resource: &mut Resource) -> Result<(), ApiError> {
    let Some(provider) = &caller.provider else {
        return Ok(());
    };
    let kind = resource.metadata.kind.as_str();
    if kind == kinds::INFRA_PROVIDER_STATUSES.name && resource.metadata.id != *provider {
        return Err(ApiError::new(
            3,
            format!("resource ID must match the infra provider ID \"{provider}\""),
        ));
    }
    if access(&resource.metadata.namespace, kind) == Access::Provider {
        resource
            .metadata
            .labels
            .insert(label::PROVIDER.to_owned(), provider.clone());
    }
    Ok(())
}

/// Replaces a resource, guarded by its version.
pub fn update(
    state: &mut State,
    now: Duration,
    caller: &Caller,
    incoming: Incoming,
) -> Result<(), ApiError> {
    let Incoming {
        mut resource,
        version,
        spec,
    } = incoming;
    let kind = resource.metadata.kind.clone();
    resource.spec = decode_spec(&kind, &spec)?;
    provider_rules(caller, &mut resource)?;
    let (namespace, id) = (
        resource.metadata.namespace.clone(),
        resource.metadata.id.clone(),
    );
    let sent = if version.is_empty() {
        "1"
    } else {
        version.as_str()
    };
    let old = state.omni.store.get(&namespace, &kind, &id).cloned();
    let Some(old) = old else {
        may_write(caller, &resource).map_err(|e| denied(&e))?;
        return Err(ApiError::new(
            5,
            format!("failed to get: {}", missing(&namespace, &kind, &id, sent)),
        ));
    };
    provider_update(caller, &old, &resource)?;
    let to_auto =
        old.spec.get("match_labels").is_some() && resource.spec.get("auto_provision").is_some();
    if kind == kinds::MACHINE_CLASSES.name && to_auto && resource.spec.get("match_labels").is_none()
    {
        return Err(ApiError::new(
            13,
            "runtime error: invalid memory address or nil pointer dereference",
        ));
    }
    check(state, caller, Some(&old), &resource)?;
    let current = old.metadata.version;
    let name = format!("resource {kind}({namespace}/{id}@{current})");
    if !old.metadata.owner.is_empty() {
        return Err(ApiError::new(
            7,
            format!(
                "failed to update: {name} is owned by \"{}\"",
                old.metadata.owner
            ),
        ));
    }
    if version != "undefined" && sent.parse() != Ok(current) {
        let expected = version_character(sent.parse().unwrap_or(0));
        let actual = version_character(current);
        return Err(ApiError::new(
            6,
            format!(
                "failed to update: {name} update conflict: expected version {expected}, actual version {actual}"
            ),
        ));
    }
    if tearing_down(&old) {
        let text = "is not in phase running: actual phase tearingDown";
        return Err(ApiError::new(3, format!("failed to update: {name} {text}")));
    }
    let mut new = Resource::clone(&old);
    new.metadata.labels = resource.metadata.labels;
    new.metadata.annotations = resource.metadata.annotations;
    new.metadata.finalizers = resource.metadata.finalizers;
    new.spec = resource.spec;
    let stamp = state.stamp(now);
    state.omni.store.replace(&stamp, old, new);
    state.wake_controllers(now);
    Ok(())
}

/// A provider may only put its finalizer on a request, and never finds a torn down one in phase running.
fn provider_update(caller: &Caller, old: &Resource, new: &Resource) -> Result<(), ApiError> {
    let request = old.metadata.kind == kinds::MACHINE_REQUESTS.name;
    let changed =
        old.spec != new.spec || old.metadata.labels != new.metadata.labels || tearing_down(old);
    if caller.provider.is_some() && request && changed {
        return Err(ApiError::new(
            7,
            format!(
                "infra providers are not allowed to update \"{}\" resources other than setting finalizers",
                old.metadata.kind
            ),
        ));
    }
    Ok(())
}

/// A version as the server prints it: Go's `%q` of the character with that number.
fn version_character(version: u64) -> String {
    let c = u32::try_from(version)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or('\u{fffd}');
    match c {
        '\x07' => "'\\a'".to_owned(),
        '\x08' => "'\\b'".to_owned(),
        '\t' => "'\\t'".to_owned(),
        '\n' => "'\\n'".to_owned(),
        '\x0b' => "'\\v'".to_owned(),
        '\x0c' => "'\\f'".to_owned(),
        '\r' => "'\\r'".to_owned(),
        '\'' => "'\\''".to_owned(),
        '\\' => "'\\\\'".to_owned(),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => format!("'\\x{:02x}'", c as u32),
        c if c.is_control() => format!("'\\u{:04x}'", c as u32),
        c => format!("'{c}'"),
    }
}

/// Marks a resource for deletion.
pub fn teardown(
    state: &mut State,
    now: Duration,
    caller: &Caller,
    namespace: &str,
    kind: &str,
    id: &str,
) -> Result<(), ApiError> {
    let old = state.omni.store.get(namespace, kind, id).cloned();
    let mut probe = Resource::default();
    namespace.clone_into(&mut probe.metadata.namespace);
    kind.clone_into(&mut probe.metadata.kind);
    may_write(caller, &probe).map_err(|e| denied(&e))?;
    let Some(old) = old else {
        return Err(ApiError::new(
            5,
            format!(
                "failed to get: {}",
                missing(namespace, kind, id, "undefined")
            ),
        ));
    };
    if !old.metadata.owner.is_empty() {
        let name = describe(namespace, kind, id, &old.metadata.version.to_string());
        return Err(ApiError::new(
            7,
            format!("{name} is owned by \"{}\"", old.metadata.owner),
        ));
    }
    let errors = validate::delete(&state.omni.store, &old);
    if !errors.is_empty() {
        return Err(ApiError::validation(3, &errors));
    }
    let stamp = state.stamp(now);
    drop(state.omni.store.tear_down(&stamp, kind, namespace, id));
    state.wake_controllers(now);
    Ok(())
}

/// The last part of a deletion: done when nothing holds the resource any more.
pub fn destroyed(state: &mut State, now: Duration, namespace: &str, kind: &str, id: &str) -> bool {
    let gone = matches!(
        state.omni.store.destroy(kind, namespace, id),
        Ok(()) | Err(Refusal::Missing)
    );
    if gone {
        state.wake_controllers(now);
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::version_character;

    #[test]
    fn versions_are_printed_as_characters() {
        for (version, shown) in [
            (1, "'\\x01'"),
            (7, "'\\a'"),
            (14, "'\\x0e'"),
            (33, "'!'"),
            (39, "'\\''"),
        ] {
            assert_eq!(version_character(version), shown);
        }
    }
}
