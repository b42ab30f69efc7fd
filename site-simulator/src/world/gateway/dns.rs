//! Static DNS records and what queries are answered with.

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use unifi_client::Mac;

use super::{Gateway, Record, uuid_of};
use crate::blueprint::Faults;
use crate::log::{Fact, Log};

/// A static record. Both APIs show it, each under its own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// ObjectId (v2).
    pub id: String,
    /// UUID (integration).
    pub uuid: String,
    /// Name.
    pub key: String,
    /// `A`, `AAAA`, `CNAME`, …
    pub record_type: String,
    /// Address, target or text.
    pub value: String,
    /// Served at all.
    pub enabled: bool,
    /// Seconds; 0 is automatic.
    pub ttl: u64,
    /// MX and SRV.
    pub priority: u64,
    /// SRV.
    pub weight: u64,
    /// SRV.
    pub port: u64,
}

/// A record to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEntry {
    /// Name.
    pub key: String,
    /// `A`, `AAAA`, `CNAME`, …
    pub record_type: String,
    /// Address, target or text.
    pub value: String,
    /// Served at all.
    pub enabled: bool,
    /// Seconds; 0 is automatic.
    pub ttl: u64,
    /// MX and SRV.
    pub priority: u64,
    /// SRV.
    pub weight: u64,
    /// SRV.
    pub port: u64,
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsRefusal {
    /// Same name, type and value.
    Exists,
    /// A CNAME beside anything of that name.
    CnameOverlap,
    /// A client record has that name.
    DeviceOverlap(Mac),
    /// A field cannot be so.
    Invalid {
        /// Field, by its v2 name.
        field: &'static str,
        /// Text.
        message: &'static str,
    },
    /// No such record.
    NotFound,
}

/// A time at which the resolver reloads, and what it serves afterwards.
#[derive(Debug, Clone)]
struct Reload {
    from: Duration,
    until: Duration,
    entries: Vec<Entry>,
}

/// What the resolver has loaded, and what it is about to load.
#[derive(Debug, Clone, Default)]
pub(super) struct Zone {
    served: Vec<Entry>,
    reloads: Vec<Reload>,
}

impl Zone {
    /// Entries served at a time; `None` while it reloads.
    fn at(&self, now: Duration) -> Option<&[Entry]> {
        if self
            .reloads
            .iter()
            .any(|reload| reload.from <= now && now < reload.until)
        {
            return None;
        }
        let last = self.reloads.iter().rev().find(|reload| reload.until <= now);
        Some(last.map_or(&self.served, |reload| &reload.entries))
    }

    fn reload(&mut self, now: Duration, rng: &mut StdRng, entries: Vec<Entry>) {
        if let Some(served) = self.at(now).map(<[Entry]>::to_vec) {
            self.served = served;
            self.reloads.retain(|reload| reload.until > now);
        }
        // Measured: some four seconds after the write, for one or two.
        let from = now + Duration::from_millis(rng.random_range(3_500..4_500));
        let until = from + Duration::from_millis(rng.random_range(1_000..2_000));
        self.reloads.push(Reload {
            from,
            until,
            entries,
        });
    }
}

impl Gateway {
    pub(super) fn seed_entry(&mut self, name: &str, ip: Ipv4Addr) {
        let new = NewEntry {
            key: name.to_owned(),
            record_type: "A".to_owned(),
            value: ip.to_string(),
            enabled: true,
            ..NewEntry::default()
        };
        let entry = self.entry(new);
        self.entries.push(entry);
        self.zone.served.clone_from(&self.entries);
    }

    fn entry(&mut self, new: NewEntry) -> Entry {
        let id = self.object_id();
        let uuid = uuid_of(&id);
        let NewEntry {
            key,
            record_type,
            value,
            enabled,
            ttl,
            priority,
            weight,
            port,
        } = new;
        Entry {
            id,
            uuid,
            key,
            record_type,
            value,
            enabled,
            ttl,
            priority,
            weight,
            port,
        }
    }

    /// Static records.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Makes a record.
    pub fn create_entry(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        log: &mut Log,
        new: NewEntry,
    ) -> Result<&Entry, DnsRefusal> {
        self.check_entry(&new, None)?;
        log.note(
            now,
            Fact::DnsWritten {
                name: new.key.clone(),
            },
        );
        let entry = self.entry(new);
        self.entries.push(entry);
        self.zone.reload(now, rng, self.entries.clone());
        self.entries.last().ok_or(DnsRefusal::NotFound)
    }

    /// Replaces a record, found by either of its ids.
    pub fn replace_entry(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        log: &mut Log,
        id: &str,
        new: NewEntry,
    ) -> Result<&Entry, DnsRefusal> {
        let at = self.position(id)?;
        self.check_entry(&new, Some(at))?;
        log.note(
            now,
            Fact::DnsWritten {
                name: new.key.clone(),
            },
        );
        if let Some(entry) = self.entries.get_mut(at) {
            let (id, uuid) = (entry.id.clone(), entry.uuid.clone());
            let NewEntry {
                key,
                record_type,
                value,
                enabled,
                ttl,
                priority,
                weight,
                port,
            } = new;
            *entry = Entry {
                id,
                uuid,
                key,
                record_type,
                value,
                enabled,
                ttl,
                priority,
                weight,
                port,
            };
        }
        self.zone.reload(now, rng, self.entries.clone());
        self.entries.get(at).ok_or(DnsRefusal::NotFound)
    }

    /// Removes a record, found by either of its ids.
    pub fn delete_entry(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        log: &mut Log,
        id: &str,
    ) -> Result<(), DnsRefusal> {
        let at = self.position(id)?;
        let gone = self.entries.remove(at);
        log.note(now, Fact::DnsWritten { name: gone.key });
        self.zone.reload(now, rng, self.entries.clone());
        Ok(())
    }

    fn position(&self, id: &str) -> Result<usize, DnsRefusal> {
        self.entries
            .iter()
            .position(|entry| entry.id == id || entry.uuid == id)
            .ok_or(DnsRefusal::NotFound)
    }

    fn check_entry(&self, new: &NewEntry, replaces: Option<usize>) -> Result<(), DnsRefusal> {
        let invalid = |field, message| Err(DnsRefusal::Invalid { field, message });
        let name = fold(&new.key);
        let host = name.strip_prefix("*.").unwrap_or(&name);
        if !is_host_name(host) || (new.record_type == "CNAME" && name.starts_with('*')) {
            return invalid("key", "Invalid hostname");
        }
        let fits = match new.record_type.as_str() {
            "A" => new.value.parse::<Ipv4Addr>().is_ok(),
            "AAAA" => new.value.parse::<std::net::Ipv6Addr>().is_ok(),
            "CNAME" => is_host_name(&fold(&new.value)),
            "TXT" | "MX" | "SRV" | "NS" => !new.value.is_empty(),
            _ => return invalid("record_type", "Invalid record type"),
        };
        if !fits {
            return invalid("value", "Invalid value");
        }
        let others = self
            .entries
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != replaces);
        for (_, other) in others.filter(|(_, other)| fold(&other.key) == name) {
            if other.record_type == new.record_type && other.value == new.value {
                return Err(DnsRefusal::Exists);
            }
            if other.record_type == "CNAME" || new.record_type == "CNAME" {
                return Err(DnsRefusal::CnameOverlap);
            }
        }
        let client = self
            .records()
            .find(|record| local_name(record).is_some_and(|local| fold(local) == name));
        client.map_or(Ok(()), |record| Err(DnsRefusal::DeviceOverlap(record.mac)))
    }

    /// What a query for A records is answered with: nothing while the resolver reloads, about four seconds after a
    /// write, and nothing of what is not served.
    pub fn resolve(&self, now: Duration, faults: &Faults, name: &str) -> Vec<Ipv4Addr> {
        self.lookup(now, faults, name, "A")
            .iter()
            .filter_map(|value| value.parse().ok())
            .collect()
    }

    /// Whether the resolver reloads and answers nothing.
    pub fn is_reloading(&self, now: Duration) -> bool {
        self.zone.at(now).is_none()
    }

    /// Values for a name and type; aliases are followed for addresses.
    pub fn lookup(
        &self,
        now: Duration,
        faults: &Faults,
        name: &str,
        record_type: &str,
    ) -> Vec<String> {
        let Some(entries) = self.zone.at(now).filter(|_| !faults.dns_not_served) else {
            return Vec::new();
        };
        let mut name = fold(name);
        for _ in 0..8 {
            let found = self.values(entries, &name, record_type);
            if !found.is_empty() {
                return found;
            }
            let alias = self.values(entries, &name, "CNAME").into_iter().next();
            match alias.filter(|_| matches!(record_type, "A" | "AAAA")) {
                Some(target) => name = fold(&target),
                None => break,
            }
        }
        Vec::new()
    }

    fn values(&self, entries: &[Entry], name: &str, record_type: &str) -> Vec<String> {
        let exact = |entry: &&Entry| fold(&entry.key) == *name;
        let wild = |entry: &&Entry| {
            let key = fold(&entry.key);
            key.strip_prefix('*')
                .is_some_and(|suffix| name.ends_with(suffix))
        };
        let live = || {
            entries
                .iter()
                .filter(|entry| entry.enabled && entry.record_type == record_type)
        };
        let mut found: Vec<String> = live()
            .filter(exact)
            .map(|entry| entry.value.clone())
            .collect();
        if found.is_empty() {
            found = live()
                .filter(wild)
                .map(|entry| entry.value.clone())
                .collect();
        }
        if record_type == "A" {
            let clients = self
                .records()
                .filter(|record| local_name(record).is_some_and(|local| fold(local) == *name));
            found.extend(
                clients
                    .filter_map(Record::reservation)
                    .map(|ip| ip.to_string()),
            );
        }
        found
    }
}

/// The name a client record makes.
fn local_name(record: &Record) -> Option<&str> {
    record
        .local_dns
        .as_deref()
        .filter(|_| record.local_dns_enabled)
}

fn fold(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn is_host_name(name: &str) -> bool {
    (1..=127).contains(&name.len())
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        })
}
