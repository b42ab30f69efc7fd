//! Reading: who sees what, in which order.

use std::sync::Arc;
use std::time::Duration;

use omni_client::{Resource, Selectors};
use serde_json::{Value, json};

use super::permissions::{cluster_permissions, permissions};
use super::{ApiError, Query, denied, insufficient, missing};
use crate::world::State;
use crate::world::omni::access::{Access, Caller, Role, access};
use crate::world::omni::definitions;
use crate::world::omni::kinds::{self, label};
use crate::world::omni::store;

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
    if caller.role < needed {
        Err(denied(&insufficient(caller.role)))
    } else {
        Ok(())
    }
}

/// Whether a caller sees a resource: providers see their own requests only.
pub fn sees(caller: &Caller, resource: &Resource) -> bool {
    let kind = resource.metadata.kind.as_str();
    let private =
        kind == kinds::MACHINE_REQUESTS.name || kind == kinds::MACHINE_REQUEST_STATUSES.name;
    !private
        || caller
            .provider
            .as_ref()
            .is_none_or(|own| resource.metadata.labels.get(label::PROVIDER) == Some(own))
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
    if kind == definitions::KIND {
        let stamp = state.stamp(Duration::ZERO);
        let found = definitions::all(&stamp).find(|one| one.metadata.id == id);
        return found
            .map(Arc::new)
            .ok_or_else(|| ApiError::new(5, missing(namespace, kind, id, "undefined")));
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
                "user_id": super::super::user_id(&caller.identity),
            }),
        ),
        ("Permissions", "permissions") => (1, permissions(reads, writes, admin)),
        ("AdvertisedEndpoints", "current") => (
            0,
            json!({"grpc_api_url": format!("https://{}", state.blueprint.omni_name)}),
        ),
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
    let labels = store::Labels::new();
    let mut resource = store::owned(&stamp, "", "virtual", kind, id, labels, spec);
    resource.metadata.version = version;
    Ok(Arc::new(resource))
}

/// Matching resources in order, and how many there are without paging.
pub fn list(
    state: &State,
    now: Duration,
    caller: &Caller,
    query: &Query,
) -> Result<(Vec<Arc<Resource>>, usize), ApiError> {
    may_read(caller, &query.namespace, &query.kind)?;
    if query.kind == "EtcdBackups.omni.sidero.dev" && query.selectors == Selectors::default() {
        return Err(ApiError::new(
            2,
            "failed to validate: cluster ID must be specified in query",
        ));
    }
    if query.namespace == "virtual" {
        let id = if query.kind.starts_with("Permissions") {
            "permissions"
        } else {
            "current"
        };
        let one = virtual_resource(state, now, caller, &query.kind, id);
        let items: Vec<_> = one.into_iter().collect();
        let total = items.len();
        return Ok((items, total));
    }
    let mut items: Vec<Arc<Resource>> = if query.kind == definitions::KIND {
        let stamp = state.stamp(Duration::ZERO);
        let wanted = definitions::all(&stamp).filter(|one| query.wants(one));
        wanted.map(Arc::new).collect()
    } else {
        let stored = state.omni.store.list(&query.namespace, &query.kind);
        stored
            .filter(|resource| sees(caller, resource) && query.wants(resource))
            .cloned()
            .collect()
    };
    query.sort(&mut items)?;
    let total = items.len();
    let limit = if query.limit == 0 {
        usize::MAX
    } else {
        query.limit
    };
    Ok((
        items.into_iter().skip(query.offset).take(limit).collect(),
        total,
    ))
}

impl Query {
    /// All resources of a kind.
    pub fn all(namespace: &str, kind: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            ..Self::default()
        }
    }

    /// Whether a resource of the right type matches id, labels and search texts.
    pub fn wants(&self, resource: &Resource) -> bool {
        (self.id.is_empty() || self.id == resource.metadata.id)
            && self.selectors.matches(&resource.metadata.labels)
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
                format!(
                    "failed to sort: field \"{field}\" for element \"{}\" not found",
                    resource.metadata.id
                ),
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
    let network = resource
        .spec
        .pointer("/network")
        .map(Value::to_string)
        .unwrap_or_default();
    let texts = [
        &resource.metadata.id,
        &resource.metadata.created,
        &resource.metadata.updated,
        &network,
    ];
    texts.iter().any(|candidate| candidate.contains(text))
}
