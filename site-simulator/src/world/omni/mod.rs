//! Omni: its resource store, the rules of its API, and the controllers that the job needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{State, machine, provider};

pub mod access;
pub mod accounts;
pub mod api;
pub mod controllers;
mod definitions;
pub mod join;
pub mod kinds;
pub mod kubeconfig;
pub(crate) mod patches;
pub mod schema;
pub mod store;
mod validate;
pub mod watch;

pub use store::Store;

/// Omni's state.
#[derive(Debug, Default)]
pub struct Omni {
    /// All resources.
    pub store: Store,
    /// Who may call.
    pub accounts: accounts::Accounts,
    /// Clusters in which somebody installed a CNI.
    pub cni_installed: BTreeSet<String>,
    /// Guests whose configuration is on its way.
    pub configured: BTreeSet<machine::Key>,
    /// How far Kubernetes upgrades are.
    pub(crate) kubernetes: controllers::upgrades::Versions,
    patches_without_cni: BTreeMap<(String, u64), bool>,
}

/// The server version that the recordings were made with.
pub const BACKEND_VERSION: &str = "v1.10.0-beta.0";
/// Name of the instance.
pub const INSTANCE: &str = "lab";
/// Maker of most extensions, as the image factory lists it.
const EXTENSION_AUTHOR: &str = "Sidero Labs";

impl State {
    /// RFC 3339 with seconds, as metadata has it.
    pub fn stamp(&self, now: Duration) -> String {
        timestamp(self.wall_zero + now)
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }

    /// RFC 3339 with nanoseconds.
    pub fn precise_stamp(&self, now: Duration) -> String {
        timestamp(self.wall_zero + now).to_string()
    }
}

/// The id of whoever has an identity.
pub(crate) fn user_id(identity: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, identity.as_bytes()).to_string()
}

fn timestamp(wall: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(wall).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// What is there before anybody asks for anything: versions, features, registered providers.
pub(super) fn seed(state: &mut State, now: Duration) {
    let stamp = state.stamp(now);
    versions(state, &stamp);
    let spec = json!({"backend_version": BACKEND_VERSION, "instance_name": INSTANCE, "backend_api_version": 3});
    put(state, &stamp, "", kinds::SYS_VERSIONS, "current", spec);
    let spec = json!({
        "enable_workload_proxying": true,
        "etcd_backup_settings": {"tick_interval": "60s", "min_interval": "3600s", "max_interval": "86400s"},
        "embedded_discovery_service": true,
        "audit_log_enabled": true,
        "image_factory_base_url": "https://factory.talos.dev",
        "user_pilot_settings": {},
        "stripe_settings": {},
        "image_factory_pxe_base_url": "https://pxe.factory.talos.dev",
        "account": {"name": INSTANCE},
    });
    put(
        state,
        &stamp,
        "",
        kinds::FEATURES_CONFIGS,
        "features-config",
        spec,
    );
    let spec = join::params(&state.blueprint.omni_name);
    let owner = "ConnectionParamsController";
    put(
        state,
        &stamp,
        owner,
        kinds::CONNECTION_PARAMS,
        "siderolink-config",
        spec,
    );
    let providers: Vec<(String, Value)> = state
        .blueprint
        .providers
        .iter()
        .map(|p| (p.id.clone(), p.schema.clone()))
        .collect();
    for (id, schema) in providers {
        register(state, now, &id, &schema);
    }
    // The providers have been running for a while: Omni knows that they are alive.
    controllers::reconcile(state, now);
}

fn put(state: &mut State, stamp: &str, owner: &str, kind: kinds::KindRef, id: &str, spec: Value) {
    state
        .omni
        .store
        .put(stamp, owner, kind, id, store::Labels::new(), spec);
}

fn versions(state: &mut State, stamp: &str) {
    let talos = state.blueprint.talos_versions.clone();
    let extensions: Vec<Value> = state
        .blueprint
        .extensions
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "author": EXTENSION_AUTHOR,
                "description": format!("{name} system extension"),
                "ref": format!("ghcr.io/{name}:v1"),
            })
        })
        .collect();
    let mut kubernetes = BTreeSet::new();
    for (version, compatible) in &talos {
        kubernetes.extend(compatible.iter().cloned());
        let spec = json!({
            "version": version,
            "compatible_kubernetes_versions": compatible,
            "image_factory_url": "https://factory.talos.dev",
        });
        put(
            state,
            stamp,
            "VersionsController",
            kinds::TALOS_VERSIONS,
            version,
            spec,
        );
        state.omni.store.hold(
            stamp,
            kinds::TALOS_VERSIONS,
            version,
            "TalosExtensionsController",
        );
        let spec = json!({"items": extensions});
        put(
            state,
            stamp,
            "TalosExtensionsController",
            kinds::TALOS_EXTENSIONS,
            version,
            spec,
        );
    }
    for version in kubernetes {
        put(
            state,
            stamp,
            "VersionsController",
            kinds::KUBERNETES_VERSIONS,
            &version,
            json!({"version": version}),
        );
    }
}

fn register(state: &mut State, now: Duration, id: &str, schema: &Value) {
    let stamp = state.stamp(now);
    let labels = store::Labels::from([(kinds::label::PROVIDER.to_owned(), id.to_owned())]);
    put(state, &stamp, "", kinds::INFRA_PROVIDERS, id, json!({}));
    let spec = json!({
        "schema": serde_json::to_string_pretty(schema).unwrap_or_default(),
        "name": "Proxmox",
        "description": "Proxmox infrastructure provider",
    });
    state
        .omni
        .store
        .put(&stamp, "", kinds::INFRA_PROVIDER_STATUSES, id, labels, spec);
    provider::happen(state, now, id, provider::Task::Heartbeat);
}
