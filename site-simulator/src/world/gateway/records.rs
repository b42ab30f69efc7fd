//! Client records: what the gateway remembers of a MAC, its reservation included. The legacy API merges what is
//! sent into what is there.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Map, Value};
use unifi_client::Mac;

use super::Gateway;
use crate::log::{Fact, Log};

/// A client record.
#[derive(Debug, Clone)]
pub struct Record {
    /// ObjectId.
    pub id: String,
    /// Identity.
    pub mac: Mac,
    /// Alias typed by a person.
    pub name: Option<String>,
    /// What DHCP said.
    pub hostname: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// Has a note, or was touched by a person.
    pub noted: bool,
    /// The reservation's switch.
    pub use_fixedip: bool,
    /// Reserved address; lingers after the switch went off, and still blocks others.
    pub fixed_ip: Option<String>,
    /// Network it was made for.
    pub network_id: Option<String>,
    /// A DNS name made from the reservation.
    pub local_dns: Option<String>,
    /// Whether that name is served.
    pub local_dns_enabled: bool,
    /// Unix seconds.
    pub first_seen: Option<u64>,
    /// Unix seconds.
    pub last_seen: Option<u64>,
    /// Address it had last.
    pub last_ip: Option<Ipv4Addr>,
    /// Network it was on last.
    pub last_network: Option<String>,
}

/// A refusal of the legacy API: its code, and the fields it echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRefusal {
    /// HTTP status.
    pub status: u16,
    /// `api.err.…`
    pub code: &'static str,
    /// Offending field and value.
    pub echo: Option<(String, Value)>,
}

impl LegacyRefusal {
    /// A 400 with a code.
    pub fn new(code: &'static str) -> Self {
        Self {
            status: 400,
            code,
            echo: None,
        }
    }

    fn echoing(code: &'static str, field: &str, value: &str) -> Self {
        Self {
            echo: Some((field.to_owned(), Value::from(value))),
            ..Self::new(code)
        }
    }
}

impl Record {
    /// A record of a MAC and nothing else.
    pub fn new(id: String, mac: Mac) -> Self {
        Self {
            id,
            mac,
            name: None,
            hostname: None,
            note: None,
            noted: false,
            use_fixedip: false,
            fixed_ip: None,
            network_id: None,
            local_dns: None,
            local_dns_enabled: false,
            first_seen: None,
            last_seen: None,
            last_ip: None,
            last_network: None,
        }
    }

    /// The reserved address, when the switch is on.
    pub fn reservation(&self) -> Option<Ipv4Addr> {
        self.fixed_ip
            .as_deref()
            .filter(|_| self.use_fixedip)?
            .parse()
            .ok()
    }

    /// The name it goes by.
    pub fn display_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.hostname.as_deref())
    }

    /// Merges the fields of a request; what is not named stays, an empty text clears.
    fn merge(&mut self, fields: &Map<String, Value>) -> Result<(), LegacyRefusal> {
        for (key, value) in fields {
            match key.as_str() {
                "name" => self.name = text(value)?,
                "note" => self.note = text(value)?,
                "hostname" => self.hostname = text(value)?,
                "fixed_ip" => self.fixed_ip = text(value)?,
                "local_dns_record" => self.local_dns = text(value)?,
                "network_id" => {
                    self.network_id = text(value)?;
                    if self.network_id.is_none() {
                        return Err(LegacyRefusal::echoing("api.err.InvalidNetworkId", key, ""));
                    }
                }
                "noted" => self.noted = flag(value)?,
                "use_fixedip" => self.use_fixedip = flag(value)?,
                "local_dns_record_enabled" => self.local_dns_enabled = flag(value)?,
                _ => {}
            }
        }
        if fields.contains_key("note") || fields.contains_key("name") || self.use_fixedip {
            self.noted = true;
        }
        Ok(())
    }
}

fn text(value: &Value) -> Result<Option<String>, LegacyRefusal> {
    let text = value
        .as_str()
        .ok_or(LegacyRefusal::new("api.err.InvalidPayload"))?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn flag(value: &Value) -> Result<bool, LegacyRefusal> {
    value
        .as_bool()
        .ok_or(LegacyRefusal::new("api.err.InvalidPayload"))
}

impl Gateway {
    /// All client records.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The record of a MAC.
    pub fn record(&self, mac: Mac) -> Option<&Record> {
        self.records.get(&mac)
    }

    /// A record by id.
    pub fn record_by_id(&self, id: &str) -> Option<&Record> {
        self.records.values().find(|record| record.id == id)
    }

    /// Makes a record; the MAC must be new.
    pub fn create_record(
        &mut self,
        now: Duration,
        log: &mut Log,
        mac: Mac,
        fields: &Map<String, Value>,
    ) -> Result<&Record, LegacyRefusal> {
        if self.records.contains_key(&mac) {
            return Err(LegacyRefusal::new("api.err.MacUsed"));
        }
        if self.devices.iter().any(|device| device.mac == mac) {
            return Err(LegacyRefusal::new("api.err.FixedIpAlreadyUsedByDevice"));
        }
        let mut record = Record::new(String::new(), mac);
        record.merge(fields)?;
        self.check_record(&record, fields)?;
        record.id = self.object_id();
        Ok(self.keep(now, log, record))
    }

    /// Merges fields into a record.
    pub fn update_record(
        &mut self,
        now: Duration,
        log: &mut Log,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<&Record, LegacyRefusal> {
        let known = self
            .record_by_id(id)
            .ok_or(LegacyRefusal::new("api.err.IdInvalid"))?;
        let mut record = known.clone();
        record.merge(fields)?;
        self.check_record(&record, fields)?;
        Ok(self.keep(now, log, record))
    }

    /// Forgets a record, its history and its lease's holder.
    pub fn forget(&mut self, mac: Mac) {
        if !self.online.contains(&mac) {
            self.records.remove(&mac);
        }
    }

    fn keep(&mut self, now: Duration, log: &mut Log, record: Record) -> &Record {
        let before = self.records.get(&record.mac).and_then(Record::reservation);
        if let Some(ip) = record.reservation().filter(|ip| before != Some(*ip)) {
            log.note(
                now,
                Fact::Reserved {
                    mac: record.mac,
                    ip,
                },
            );
        }
        let slot = self.records.entry(record.mac);
        slot.insert_entry(record).into_mut()
    }

    fn check_record(
        &self,
        record: &Record,
        fields: &Map<String, Value>,
    ) -> Result<(), LegacyRefusal> {
        if let Some(id) = record
            .network_id
            .as_deref()
            .filter(|_| fields.contains_key("network_id"))
            && !self.lans.iter().any(|lan| lan.id == id)
        {
            return Err(LegacyRefusal::echoing(
                "api.err.InvalidNetworkId",
                "network_id",
                id,
            ));
        }
        if fields.contains_key("fixed_ip") || fields.contains_key("use_fixedip") {
            self.check_reservation(record)?;
        }
        if !record.local_dns_enabled {
            return Ok(());
        }
        let Some(name) = &record.local_dns else {
            return Err(LegacyRefusal::new("api.err.LocalDnsRecordMissing"));
        };
        if !record.use_fixedip {
            return Err(LegacyRefusal::new("api.err.LocalDnsRecordRequiresFixedIp"));
        }
        let taken = self
            .entries
            .iter()
            .any(|entry| entry.key.eq_ignore_ascii_case(name));
        if taken {
            Err(LegacyRefusal::new("api.err.Invalid"))
        } else {
            Ok(())
        }
    }

    /// A live lease of another client does not stop a reservation: the address is not given out before it ends.
    /// This is an assumption; reports differ on it.
    fn check_reservation(&self, record: &Record) -> Result<(), LegacyRefusal> {
        let Some(text) = &record.fixed_ip else {
            return if record.use_fixedip {
                Err(LegacyRefusal::new("api.err.InvalidFixedIP"))
            } else {
                Ok(())
            };
        };
        let refuse = |code| Err(LegacyRefusal::echoing(code, "fixed_ip", text));
        let Some(ip) = text.parse().ok().filter(|ip| self.lan_of(*ip).is_some()) else {
            return refuse("api.err.InvalidFixedIP");
        };
        let own = |lan: &super::Lan| {
            let subnet = lan.blueprint.subnet;
            ip == subnet.addr() || ip == subnet.network() || ip == subnet.broadcast()
        };
        if self.lans.iter().any(own) || self.devices.iter().any(|device| device.ip == ip) {
            return refuse("api.err.FixedIpAlreadyUsedByDevice");
        }
        let mut others = self
            .records
            .values()
            .filter(|other| other.mac != record.mac && other.fixed_ip.as_ref() == Some(text));
        match others.next() {
            Some(other) if other.use_fixedip => refuse("api.err.DuplicateFixedIP"),
            Some(_) => refuse("api.err.FixedIpAlreadyUsedByClient"),
            None => Ok(()),
        }
    }
}
