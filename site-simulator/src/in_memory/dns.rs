//! The DNS port: the resolver of the gateway.

use std::sync::Arc;

use async_trait::async_trait;
use bootstrap_core::ports::{Dns, PortResult};
use unifi_client::RecordType;

use crate::World;

/// The gateway's resolver.
#[derive(Debug, Clone)]
pub struct Resolver {
    world: Arc<World>,
}

impl Resolver {
    /// Asks this world's gateway.
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

#[async_trait]
impl Dns for Resolver {
    async fn lookup(&self, name: &str, record: &RecordType) -> PortResult<Vec<String>> {
        let kind = type_name(record);
        Ok(self
            .world
            .act(|state, now| state.gateway.lookup(now, &state.faults, name, kind)))
    }
}

/// A record type as the v2 API writes it.
pub(crate) fn type_name(record: &RecordType) -> &str {
    match record {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Cname => "CNAME",
        RecordType::Txt => "TXT",
        RecordType::Other(name) => name,
    }
}
