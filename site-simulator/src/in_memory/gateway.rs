//! The gateway port.

use std::sync::Arc;

use async_trait::async_trait;
use bootstrap_core::ports::{Failure, Gateway, PortError, PortResult, System};
use serde_json::{Map, Value};
use unifi_client::{
    ActiveClient, ClientPatch, ClientRecord, DhcpServer, DnsRecord, Lease, Mac, Network, NewClient,
    NewDnsRecord, PastClient, RecordType, Site, Upstream,
};

use super::dns::type_name;
use crate::World;
use crate::world::State;
use crate::world::gateway::{DnsRefusal, Entry, Lan, LegacyRefusal, NewEntry, Record, SITE_UUID};

/// The gateway, used with an API key of some role.
#[derive(Debug, Clone)]
pub struct Unifi {
    world: Arc<World>,
    role: String,
}

impl Unifi {
    /// With a key of role `admin`.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            role: "admin".to_owned(),
        }
    }

    /// With a key of role `readonly`: all reads pass, no write does.
    pub fn reader(world: Arc<World>) -> Self {
        Self {
            world,
            role: "readonly".to_owned(),
        }
    }

    fn may_write(&self) -> PortResult<()> {
        if self.role == "admin" {
            Ok(())
        } else {
            Err(error(Failure::Denied, "api.err.NoPermission".to_owned()))
        }
    }
}

fn error(failure: Failure, message: String) -> PortError {
    PortError::new(System::Unifi, failure, message)
}

impl From<LegacyRefusal> for PortError {
    fn from(refusal: LegacyRefusal) -> Self {
        let failure = match refusal.code {
            "api.err.MacUsed"
            | "api.err.DuplicateFixedIP"
            | "api.err.FixedIpAlreadyUsedByClient"
            | "api.err.FixedIpAlreadyUsedByDevice" => Failure::Conflict,
            "api.err.IdInvalid" => Failure::NotFound,
            _ => Failure::Invalid,
        };
        error(failure, refusal.code.to_owned())
    }
}

impl From<DnsRefusal> for PortError {
    fn from(refusal: DnsRefusal) -> Self {
        let (failure, message) = match refusal {
            DnsRefusal::Exists => (Failure::Conflict, "the record exists already".to_owned()),
            DnsRefusal::CnameOverlap => (
                Failure::Conflict,
                "an alias beside another record".to_owned(),
            ),
            DnsRefusal::DeviceOverlap(mac) => {
                (Failure::Conflict, format!("client {mac} has that name"))
            }
            DnsRefusal::Invalid { field, message } => {
                (Failure::Invalid, format!("{field}: {message}"))
            }
            DnsRefusal::NotFound => (Failure::NotFound, "no such record".to_owned()),
        };
        error(failure, message)
    }
}

fn network_view(lan: &Lan) -> Network {
    let (start, stop) = lan.blueprint.dhcp;
    Network {
        id: lan.id.clone(),
        name: lan.blueprint.name.clone(),
        purpose: "corporate".to_owned(),
        subnet: Some(lan.blueprint.subnet),
        vlan: lan.blueprint.vlan,
        dhcp: DhcpServer {
            enabled: true,
            start: Some(start),
            stop: Some(stop),
            lease_seconds: Some(86_400),
            dns: Vec::new(),
        },
        dhcp_elsewhere: false,
    }
}

fn record_view(record: &Record) -> ClientRecord {
    ClientRecord {
        id: record.id.clone(),
        mac: record.mac,
        name: record.name.clone(),
        hostname: record.hostname.clone(),
        note: record.note.clone(),
        use_fixed_ip: record.use_fixedip,
        fixed_ip: record.fixed_ip.as_deref().and_then(|ip| ip.parse().ok()),
        network_id: record.network_id.clone(),
        local_dns: record
            .local_dns
            .clone()
            .filter(|_| record.local_dns_enabled),
        last_seen: record.last_seen,
        last_ip: record.last_ip,
    }
}

fn entry_view(entry: &Entry) -> DnsRecord {
    DnsRecord {
        id: entry.uuid.clone(),
        name: entry.key.trim_end_matches('.').to_ascii_lowercase(),
        record_type: match entry.record_type.as_str() {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "CNAME" => RecordType::Cname,
            "TXT" => RecordType::Txt,
            other => RecordType::Other(other.to_owned()),
        },
        value: entry.value.clone(),
        ttl: u32::try_from(entry.ttl).unwrap_or(u32::MAX),
        enabled: entry.enabled,
    }
}

fn put(fields: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    fields.insert(key.to_owned(), value.into());
}

/// What the client sends to make a record with a reservation.
fn create_fields(client: &NewClient) -> Map<String, Value> {
    let mut fields = Map::new();
    put(&mut fields, "use_fixedip", true);
    put(&mut fields, "fixed_ip", client.fixed_ip.to_string());
    put(&mut fields, "network_id", client.network_id.clone());
    if let Some(name) = &client.name {
        put(&mut fields, "name", name.clone());
    }
    if let Some(note) = &client.note {
        put(&mut fields, "note", note.clone());
        put(&mut fields, "noted", true);
    }
    if let Some(name) = &client.local_dns {
        put(&mut fields, "local_dns_record_enabled", true);
        put(&mut fields, "local_dns_record", name.clone());
    }
    fields
}

fn patch_fields(patch: &ClientPatch) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(address) = patch.fixed_ip {
        put(&mut fields, "use_fixedip", address.is_some());
        put(
            &mut fields,
            "fixed_ip",
            address.map(|ip| ip.to_string()).unwrap_or_default(),
        );
    }
    if let Some(name) = &patch.local_dns {
        put(&mut fields, "local_dns_record_enabled", name.is_some());
        put(
            &mut fields,
            "local_dns_record",
            name.clone().unwrap_or_default(),
        );
    }
    for (key, value) in [
        ("network_id", &patch.network_id),
        ("name", &patch.name),
        ("note", &patch.note),
    ] {
        if let Some(value) = value {
            put(&mut fields, key, value.clone());
        }
    }
    fields
}

fn entry_of(record: &NewDnsRecord) -> NewEntry {
    NewEntry {
        key: record.name.clone(),
        record_type: type_name(&record.record_type).to_owned(),
        value: record.value.clone(),
        enabled: true,
        ttl: u64::from(record.ttl),
        ..NewEntry::default()
    }
}

#[async_trait]
impl Gateway for Unifi {
    async fn site(&self) -> PortResult<Site> {
        Ok(Site {
            name: "default".to_owned(),
            description: "Default".to_owned(),
            role: Some(self.role.clone()),
            uuid: Some(SITE_UUID.to_owned()),
        })
    }

    async fn networks(&self) -> PortResult<Vec<Network>> {
        Ok(self
            .world
            .act(|state, _| state.gateway.lans().iter().map(network_view).collect()))
    }

    async fn upstream(&self) -> PortResult<Upstream> {
        let servers = self.world.act(|state, _| state.gateway.upstream().to_vec());
        Ok(Upstream {
            automatic: servers.is_empty(),
            servers,
            encrypted: Some("off".to_owned()),
        })
    }

    async fn client_records(&self) -> PortResult<Vec<ClientRecord>> {
        Ok(self
            .world
            .act(|state, _| state.gateway.records().map(record_view).collect()))
    }

    async fn client_record(&self, mac: Mac) -> PortResult<Option<ClientRecord>> {
        Ok(self
            .world
            .act(|state, _| state.gateway.record(mac).map(record_view)))
    }

    async fn active_clients(&self) -> PortResult<Vec<ActiveClient>> {
        Ok(self.world.act(|state, _| {
            let gateway = &state.gateway;
            let clients = gateway
                .present()
                .into_iter()
                .map(|(record, ip)| ActiveClient {
                    mac: record.mac,
                    ip,
                    name: record.display_name().map(str::to_owned),
                    network_id: record.last_network.clone(),
                    device: false,
                });
            let devices = gateway.devices().iter().map(|device| ActiveClient {
                mac: device.mac,
                ip: Some(device.ip),
                name: Some(device.name.clone()),
                network_id: None,
                device: true,
            });
            clients.chain(devices).collect()
        }))
    }

    async fn leases(&self) -> PortResult<Vec<Lease>> {
        Ok(self.world.act(|state, now| {
            let leases = state.gateway.leases(now).into_iter().map(|lease| Lease {
                mac: lease.record.mac,
                ip: lease.ip,
                expires: Some(lease.expires),
                name: lease.record.display_name().map(str::to_owned),
            });
            leases.collect()
        }))
    }

    async fn past_clients(&self) -> PortResult<Vec<PastClient>> {
        Ok(self.world.act(|state, _| {
            let seen = state
                .gateway
                .records()
                .filter(|record| record.last_seen.is_some());
            let past = seen.map(|record| PastClient {
                mac: record.mac,
                last_ip: record.last_ip,
                last_seen: record.last_seen,
                record_id: Some(record.id.clone()),
            });
            past.collect()
        }))
    }

    async fn create_client(&self, client: &NewClient) -> PortResult<()> {
        self.may_write()?;
        self.world.act(|state, now| {
            let State { gateway, log, .. } = state;
            gateway
                .create_record(now, log, client.mac, &create_fields(client))
                .map(drop)
        })?;
        Ok(())
    }

    async fn update_client(&self, id: &str, mac: Mac, patch: &ClientPatch) -> PortResult<()> {
        self.may_write()?;
        self.world.act(|state, now| {
            let State { gateway, log, .. } = state;
            // The client finds a record again by its MAC when the id is gone.
            let found = gateway.record_by_id(id).or_else(|| gateway.record(mac));
            let id = match found {
                Some(record) if record.mac == mac => record.id.clone(),
                Some(record) => {
                    let text = format!("the record belongs to {}, not to {mac}", record.mac);
                    return Err(error(Failure::Conflict, text));
                }
                None => return Err(error(Failure::NotFound, "api.err.IdInvalid".to_owned())),
            };
            gateway
                .update_record(now, log, &id, &patch_fields(patch))
                .map(drop)
                .map_err(PortError::from)
        })
    }

    async fn dns_records(&self) -> PortResult<Vec<DnsRecord>> {
        Ok(self
            .world
            .act(|state, _| state.gateway.entries().iter().map(entry_view).collect()))
    }

    async fn create_dns_record(&self, record: &NewDnsRecord) -> PortResult<()> {
        self.may_write()?;
        self.world.act(|state, now| {
            let State {
                gateway, rng, log, ..
            } = state;
            gateway
                .create_entry(now, rng, log, entry_of(record))
                .map(drop)
        })?;
        Ok(())
    }

    async fn update_dns_record(&self, id: &str, record: &NewDnsRecord) -> PortResult<()> {
        self.may_write()?;
        self.world.act(|state, now| {
            let State {
                gateway, rng, log, ..
            } = state;
            gateway
                .replace_entry(now, rng, log, id, entry_of(record))
                .map(drop)
        })?;
        Ok(())
    }

    async fn delete_dns_record(&self, id: &str) -> PortResult<()> {
        self.may_write()?;
        let deleted = self.world.act(|state, now| {
            let State {
                gateway, rng, log, ..
            } = state;
            gateway.delete_entry(now, rng, log, id)
        });
        match deleted {
            // Absent is success.
            Err(DnsRefusal::NotFound) => Ok(()),
            other => Ok(other?),
        }
    }
}
