//! The rules of Omni's resource API, shared by both doors.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use omni_client::{Phase, Resource};
use serde_json::{Value, json};

use super::access::{Access, Caller, Role, access};
use super::kinds::{self, label};
use super::selector::Selector;
use super::store::{Refusal, tearing_down};
use super::{schema, validate};
use crate::world::State;

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
        Self { code, message: message.into() }
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
    pub selector: Selector,
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
    ApiError::validation(7, &[format!("rpc error: code = PermissionDenied desc = {reason}")])
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

/// Whether the caller may read a type.
pub fn may_read(caller: &Caller, namespace: &str, kind: &str) -> Result<(), ApiError> {
    if kind == "MachineRequestSetStatuses.omni.sidero.dev" {
        return Err(denied("access is not permitted"));
    }
    let needed = match access(namespace, kind) {
        Access::Managed(read, _) | Access::ReadOnly(read) => read,
        Access::Provider => Role::InfraProvider,
        Access::Closed => return Err(denied("no access is permitted")),
    };
    if caller.role < needed { Err(denied(&insufficient(caller.role))) } else { Ok(()) }
}

/// Whether a caller sees a resource: providers see their own requests only.
pub fn sees(caller: &Caller, resource: &Resource) -> bool {
    let kind = resource.metadata.kind.as_str();
    let private = kind == kinds::MACHINE_REQUESTS.name || kind == kinds::MACHINE_REQUEST_STATUSES.name;
    !private
        || caller.provider.as_ref().is_none_or(|own| resource.metadata.labels.get(label::PROVIDER) == Some(own))
}

/// One resource.
pub fn get(
    state: &State,
    now: Duration,
    caller: &Caller,
    namespace: &str,
    kind: &str,
    id: &str,
) -> Result<Arc<Resource>, ApiError> {
    may_read(caller, namespace, kind)?;
    if namespace == "virtual" {
        return virtual_resource(state, now, caller, kind, id);
    }
    state
        .omni
        .store
        .get(namespace, kind, id)
        .filter(|resource| sees(caller, resource))
        .cloned()
        .ok_or_else(|| ApiError::new(5, missing(namespace, kind, id, "undefined")))
}

fn virtual_resource(
    state: &State,
    now: Duration,
    caller: &Caller,
    kind: &str,
    id: &str,
) -> Result<Arc<Resource>, ApiError> {
    let writes = caller.role >= Role::Operator;
    let reads = caller.role >= Role::Reader;
    let admin = caller.role >= Role::Admin;
    let (version, spec) = match (kind.split('.').next().unwrap_or_default(), id) {
        ("CurrentUsers", "current") => (
            1,
            json!({
                "identity": caller.identity,
                "role": caller.role.to_string(),
                "user_id": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, caller.identity.as_bytes()).to_string(),
            }),
        ),
        ("Permissions", "permissions") => (1, permissions(reads, writes, admin)),
        ("AdvertisedEndpoints", "current") => {
            (0, json!({"grpc_api_url": format!("https://{}", state.blueprint.omni_name)}))
        }
        ("ClusterPermissions", _) => (1, cluster_permissions(reads, writes)),
        ("Quirks", _) => (
            1,
            json!({
                "supports_unified_installer": true,
                "supports_factory_talosctl": true,
                "supports_embedded_config": true,
            }),
        ),
        _ => return Err(ApiError::new(5, missing("virtual", kind, id, "undefined"))),
    };
    let stamp = state.stamp(now);
    let labels = super::store::Labels::new();
    let mut resource = super::store::owned(&stamp, "", "virtual", kind, id, labels, spec);
    resource.metadata.version = version;
    Ok(Arc::new(resource))
}

fn permissions(reads: bool, writes: bool, admin: bool) -> Value {
    let rights = [
        ("can_read_clusters", reads),
        ("can_create_clusters", writes),
        ("can_manage_users", admin),
        ("can_read_machines", reads),
        ("can_remove_machines", writes),
        ("can_read_machine_logs", reads),
        ("can_read_machine_config_patches", reads),
        ("can_manage_machine_config_patches", writes),
        ("can_manage_backup_store", admin),
        ("can_access_maintenance_nodes", writes),
        ("can_read_audit_log", admin),
        ("can_read_join_tokens", reads),
        ("can_manage_join_tokens", admin),
        ("can_read_installation_media", reads),
        ("can_manage_installation_media", writes),
    ];
    granted(&rights)
}

fn cluster_permissions(reads: bool, writes: bool) -> Value {
    granted(&[
        ("can_add_machines", writes),
        ("can_remove_machines", writes),
        ("can_reboot_machines", writes),
        ("can_update_kubernetes", writes),
        ("can_download_kubeconfig", reads),
        ("can_sync_kubernetes_manifests", writes),
        ("can_update_talos", writes),
        ("can_download_talosconfig", reads),
        ("can_read_config_patches", reads),
        ("can_manage_config_patches", writes),
        ("can_manage_cluster_features", writes),
        ("can_download_support_bundle", writes),
        ("can_read_machine_config", reads),
        ("can_manage_machine_config", writes),
        ("can_read_kernel_args", reads),
        ("can_manage_kernel_args", writes),
        ("can_read_machine_pending_updates", reads),
        ("can_read_kubernetes_manifests", reads),
    ])
}

fn granted(rights: &[(&str, bool)]) -> Value {
    rights.iter().filter(|(_, has)| *has).map(|(name, _)| ((*name).to_owned(), json!(true))).collect()
}

/// Matching resources in order, and how many there are without paging.
pub fn list(
    state: &State,
    now: Duration,
    caller: &Caller,
    query: &Query,
) -> Result<(Vec<Arc<Resource>>, usize), ApiError> {
    may_read(caller, &query.namespace, &query.kind)?;
    if query.kind == "EtcdBackups.omni.sidero.dev" && query.selector == Selector::default() {
        return Err(ApiError::new(2, "failed to validate: cluster ID must be specified in query"));
    }
    if query.namespace == "virtual" {
        let id = if query.kind.starts_with("Permissions") { "permissions" } else { "current" };
        let one = virtual_resource(state, now, caller, &query.kind, id);
        let items: Vec<_> = one.into_iter().collect();
        let total = items.len();
        return Ok((items, total));
    }
    let mut items: Vec<Arc<Resource>> = state
        .omni
        .store
        .list(&query.namespace, &query.kind)
        .filter(|resource| sees(caller, resource) && query.wants(resource))
        .cloned()
        .collect();
    query.sort(&mut items)?;
    let total = items.len();
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    Ok((items.into_iter().skip(query.offset).take(limit).collect(), total))
}

impl Query {
    /// All resources of a kind.
    pub fn all(namespace: &str, kind: &str) -> Self {
        Self { namespace: namespace.to_owned(), kind: kind.to_owned(), ..Self::default() }
    }

    /// Whether a resource of the right type matches id, labels and search texts.
    pub fn wants(&self, resource: &Resource) -> bool {
        (self.id.is_empty() || self.id == resource.metadata.id)
            && self.selector.matches(&resource.metadata.labels)
            && self.search.iter().all(|text| found(resource, text))
    }

    /// What a resource is sorted by.
    pub fn sort_key(&self, resource: &Resource) -> Result<String, ApiError> {
        match self.sort_by.as_str() {
            "" | "id" => Ok(resource.metadata.id.clone()),
            "created" => Ok(resource.metadata.created.clone()),
            "updated" => Ok(resource.metadata.updated.clone()),
            field => Err(ApiError::new(
                2,
                format!("failed to sort: field \"{field}\" for element \"{}\" not found", resource.metadata.id),
            )),
        }
    }

    fn sort(&self, items: &mut [Arc<Resource>]) -> Result<(), ApiError> {
        // The server finds out at the first comparison, which takes the second element first.
        if let Some(item) = items.get(1).or(items.first()) {
            self.sort_key(item)?;
        }
        items.sort_by_cached_key(|item| self.sort_key(item).unwrap_or_default());
        if self.descending {
            items.reverse();
        }
        Ok(())
    }
}

fn found(resource: &Resource, text: &str) -> bool {
    let network = resource.spec.pointer("/network").map(Value::to_string).unwrap_or_default();
    let texts = [&resource.metadata.id, &resource.metadata.created, &resource.metadata.updated, &network];
    texts.iter().any(|candidate| candidate.contains(text))
}

fn may_write(caller: &Caller, resource: &Resource) -> Result<(), String> {
    let kind = resource.metadata.kind.as_str();
    match access(&resource.metadata.namespace, kind) {
        Access::Closed => Err("no access is permitted".to_owned()),
        Access::ReadOnly(_) => Err("only read access is permitted".to_owned()),
        Access::Managed(_, write) if caller.role < write && caller.provider.is_none() => {
            Err(insufficient(caller.role))
        }
        Access::Managed(_, _) if caller.provider.is_some() && kind != kinds::MACHINE_REQUESTS.name => {
            Err(insufficient(caller.role))
        }
        Access::Provider if caller.provider.is_none() => Err("users are not allowed to modify".to_owned()),
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
    let mut errors: Vec<String> =
        rights.as_ref().err().map(|e| format!("rpc error: code = PermissionDenied desc = {e}")).into_iter().collect();
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
    let value: Value =
        serde_json::from_str(text).map_err(|e| ApiError::new(2, format!("proto: syntax error: {e}")))?;
    match schema::fields(kind) {
        Some(fields) => schema::normalise(fields, &value, text).map_err(|e| ApiError::new(2, e)),
        None => Ok(value),
    }
}

/// Creates a resource.
pub fn create(state: &mut State, now: Duration, caller: &Caller, incoming: Incoming) -> Result<(), ApiError> {
    let Incoming { mut resource, version, spec } = incoming;
    resource.spec = decode_spec(&resource.metadata.kind, &spec)?;
    provider_rules(caller, &mut resource)?;
    check(state, caller, None, &resource)?;
    let (namespace, kind, id) =
        (&resource.metadata.namespace, &resource.metadata.kind, &resource.metadata.id);
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
    resource.metadata.updated = "1970-01-01T00:00:00Z".to_owned();
    let name = describe(namespace, kind, id, "");
    let name = name.trim_end_matches("@)").to_owned();
    match state.omni.store.create(resource) {
        Ok(()) => {
            state.wake_controllers(now);
            Ok(())
        }
        Err(Refusal::Exists(version)) => {
            let prefix = if caller.provider.is_some() && name.contains("Health") { "" } else { "failed to create: " };
            Err(ApiError::new(6, format!("{prefix}{name}@{version}) already exists")))
        }
        Err(_) => Err(ApiError::new(13, "store refused the resource")),
    }
}

/// What the API forces on an infra provider's account.
fn provider_rules(caller: &Caller, resource: &mut Resource) -> Result<(), ApiError> {
    let Some(provider) = &caller.provider else { return Ok(()) };
    let kind = resource.metadata.kind.as_str();
    if kind == kinds::INFRA_PROVIDER_STATUSES.name && resource.metadata.id != *provider {
        return Err(ApiError::new(3, format!("resource ID must match the infra provider ID \"{provider}\"")));
    }
    if access(&resource.metadata.namespace, kind) == Access::Provider {
        resource.metadata.labels.insert(label::PROVIDER.to_owned(), provider.clone());
    }
    Ok(())
}

/// Replaces a resource, guarded by its version.
pub fn update(state: &mut State, now: Duration, caller: &Caller, incoming: Incoming) -> Result<(), ApiError> {
    let Incoming { mut resource, version, spec } = incoming;
    let kind = resource.metadata.kind.clone();
    resource.spec = decode_spec(&kind, &spec)?;
    provider_rules(caller, &mut resource)?;
    let (namespace, id) = (resource.metadata.namespace.clone(), resource.metadata.id.clone());
    let sent = if version.is_empty() { "1" } else { version.as_str() };
    let old = state.omni.store.get(&namespace, &kind, &id).cloned();
    let Some(old) = old else {
        may_write(caller, &resource).map_err(|e| denied(&e))?;
        return Err(ApiError::new(5, format!("failed to get: {}", missing(&namespace, &kind, &id, sent))));
    };
    provider_update(caller, &old, &resource)?;
    let to_auto = old.spec.get("match_labels").is_some() && resource.spec.get("auto_provision").is_some();
    if kind == kinds::MACHINE_CLASSES.name && to_auto && resource.spec.get("match_labels").is_none() {
        return Err(ApiError::new(13, "runtime error: invalid memory address or nil pointer dereference"));
    }
    check(state, caller, Some(&old), &resource)?;
    let current = old.metadata.version;
    let name = format!("resource {kind}({namespace}/{id}@{current})");
    if !old.metadata.owner.is_empty() {
        return Err(ApiError::new(
            7,
            format!("failed to update: {name} is owned by \"{}\"", old.metadata.owner),
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
    let changed = old.spec != new.spec || old.metadata.labels != new.metadata.labels || tearing_down(old);
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
    let c = u32::try_from(version).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
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
    probe.metadata.namespace = namespace.to_owned();
    probe.metadata.kind = kind.to_owned();
    may_write(caller, &probe).map_err(|e| denied(&e))?;
    let Some(old) = old else {
        return Err(ApiError::new(5, format!("failed to get: {}", missing(namespace, kind, id, "undefined"))));
    };
    if !old.metadata.owner.is_empty() {
        let name = describe(namespace, kind, id, &old.metadata.version.to_string());
        return Err(ApiError::new(7, format!("{name} is owned by \"{}\"", old.metadata.owner)));
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

#[cfg(test)]
mod tests {
    use super::version_character;

    #[test]
    fn versions_are_printed_as_characters() {
        for (version, shown) in [(1, "'\\x01'"), (7, "'\\a'"), (14, "'\\x0e'"), (33, "'!'"), (39, "'\\''")] {
            assert_eq!(version_character(version), shown);
        }
    }
}
