//! Whether providers are alive.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::snapshot;
use crate::world::State;
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;

/// Omni calls a provider disconnected this long after its last sign of life.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(32);

/// `InfraProviderCombinedStatuses`.
pub(super) fn reconcile(state: &mut State, now: Duration) {
    let stamp = state.stamp(now);
    for status in snapshot(state, kinds::INFRA_PROVIDER_STATUSES) {
        let id = &status.metadata.id;
        let beat = state
            .omni
            .store
            .find(kinds::INFRA_PROVIDER_HEALTH_STATUSES, id)
            .and_then(|health| {
                health
                    .spec
                    .get("last_heartbeat_timestamp")?
                    .as_str()?
                    .parse()
                    .ok()
            });
        let fresh = beat.is_some_and(|beat: jiff::Timestamp| {
            let wall = state.wall_zero + now;
            jiff::Timestamp::try_from(wall)
                .is_ok_and(|wall| wall.duration_since(beat).unsigned_abs() < HEARTBEAT_LIMIT)
        });
        let mut health = Map::new();
        if fresh {
            health.insert("connected".to_owned(), json!(true));
        }
        health.insert("initialized".to_owned(), json!(true));
        let mut spec = Map::new();
        for key in ["name", "description", "icon"] {
            if let Some(value) = status.spec.get(key) {
                spec.insert(key.to_owned(), value.clone());
            }
        }
        spec.insert("health".to_owned(), Value::Object(health));
        if let Some(version) = status.spec.get("version") {
            spec.insert("version".to_owned(), version.clone());
        }
        let kind = kinds::INFRA_PROVIDER_COMBINED_STATUSES;
        let owner = "InfraProviderStatusController";
        state
            .omni
            .store
            .put(&stamp, owner, kind, id, Labels::new(), Value::Object(spec));
    }
}
