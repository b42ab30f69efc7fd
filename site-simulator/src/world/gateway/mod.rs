//! A UniFi gateway: networks, client records with their reservations, DHCP, DNS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use unifi_client::Mac;

use crate::blueprint::{NetworkBlueprint, Stranger};

mod console;
mod dhcp;
mod dns;
mod records;

pub use console::{Account, Console, Kind, LoginRefusal, Session};
pub use dhcp::LeaseView;
pub use dns::{DnsRefusal, Entry, NewEntry};
pub use records::{LegacyRefusal, Record};

/// Lease time, the vendor's default.
const LEASE: Duration = Duration::from_hours(24);
/// Unix time at the beginning, unless said otherwise.
const EPOCH: u64 = 1_795_400_000;
/// How long ago a stranger that is not there was seen.
const ABSENT_FOR: u64 = 30 * 86_400;
/// The UUID the vendor derives for the site `default`.
pub const SITE_UUID: &str = "88f7af54-98f8-306a-a1c7-c9349722b1f6";
/// ObjectId of the site `default`.
pub const SITE_ID: &str = "6613a1f0c4b2d90a5e1f0000";

/// A LAN network.
#[derive(Debug, Clone)]
pub struct Lan {
    /// ObjectId.
    pub id: String,
    /// Id in the integration API.
    pub uuid: String,
    /// What it is.
    pub blueprint: NetworkBlueprint,
}

/// UniFi hardware.
#[derive(Debug, Clone)]
pub struct Device {
    /// ObjectId.
    pub id: String,
    /// Hardware address.
    pub mac: Mac,
    /// Address.
    pub ip: Ipv4Addr,
    /// Name.
    pub name: String,
}

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    lans: Vec<Lan>,
    devices: Vec<Device>,
    records: BTreeMap<Mac, Record>,
    leases: BTreeMap<Mac, dhcp::Lease>,
    online: BTreeSet<Mac>,
    entries: Vec<Entry>,
    zone: dns::Zone,
    upstream: Vec<String>,
    keys: BTreeMap<String, String>,
    /// What it runs on: accounts and sessions.
    pub console: Console,
    encrypted_dns: String,
    version: String,
    epoch: u64,
    serial: u64,
}

impl Gateway {
    /// A gateway with these networks, static A records, upstream resolvers and strangers.
    pub fn new(
        networks: &[NetworkBlueprint],
        dns: &[(String, Ipv4Addr)],
        upstream: &[String],
        strangers: &[Stranger],
        now: Duration,
    ) -> Self {
        let mut gateway = Self {
            lans: Vec::new(),
            devices: Vec::new(),
            records: BTreeMap::new(),
            leases: BTreeMap::new(),
            online: BTreeSet::new(),
            entries: Vec::new(),
            zone: dns::Zone::default(),
            upstream: upstream.to_vec(),
            keys: BTreeMap::new(),
            console: Console::default(),
            encrypted_dns: "off".to_owned(),
            version: "10.5.67".to_owned(),
            epoch: EPOCH,
            serial: 0,
        };
        for blueprint in networks {
            let id = gateway.object_id();
            let uuid = uuid_of(&id);
            gateway.lans.push(Lan {
                id,
                uuid,
                blueprint: blueprint.clone(),
            });
        }
        if let Some(first) = networks.first() {
            let id = gateway.object_id();
            let mac = Mac([0x78, 0x8a, 0x20, 0, 0, 1]);
            let device = Device {
                id,
                mac,
                ip: first.subnet.addr(),
                name: "Gateway".to_owned(),
            };
            gateway.devices.push(device);
        }
        for (name, ip) in dns {
            gateway.seed_entry(name, *ip);
        }
        for stranger in strangers {
            gateway.seed_stranger(stranger, now);
        }
        gateway
    }

    fn seed_stranger(&mut self, stranger: &Stranger, now: Duration) {
        let lan = self.lan_of(stranger.ip).map(|lan| lan.id.clone());
        let seen = if stranger.live {
            self.unix(now)
        } else {
            self.unix(now).saturating_sub(ABSENT_FOR)
        };
        let id = self.object_id();
        let mut record = Record::new(id, stranger.mac);
        record.last_ip = Some(stranger.ip);
        record.last_seen = Some(seen);
        record.first_seen = Some(seen.saturating_sub(ABSENT_FOR));
        record.last_network.clone_from(&lan);
        if stranger.reserved {
            record.use_fixedip = true;
            record.fixed_ip = Some(stranger.ip.to_string());
            record.network_id = lan;
            record.noted = true;
        }
        self.records.insert(stranger.mac, record);
        if stranger.live {
            self.online.insert(stranger.mac);
            self.leases.insert(
                stranger.mac,
                dhcp::Lease {
                    ip: stranger.ip,
                    expires: now + LEASE,
                },
            );
        }
    }

    /// Sets the Unix time at which the world began.
    pub fn set_epoch(&mut self, unix_seconds: u64) {
        self.epoch = unix_seconds;
    }

    /// Sets the version of the Network application; DNS is in the integration API from 10.1 on.
    pub fn set_version(&mut self, version: &str) {
        version.clone_into(&mut self.version);
    }

    /// Version of the Network application.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Mode of encrypted DNS: `off`, `auto`, `manual` or `custom`.
    pub fn encrypted_dns(&self) -> &str {
        &self.encrypted_dns
    }

    /// Sets the mode of encrypted DNS.
    pub fn set_encrypted_dns(&mut self, mode: &str) {
        mode.clone_into(&mut self.encrypted_dns);
    }

    /// Whether the integration API has DNS.
    pub fn has_dns_policies(&self) -> bool {
        let mut numbers = self
            .version
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (10, 1)
    }

    /// Lets the bearer of this key in with a role, `admin` or `readonly`.
    pub fn accept_key(&mut self, key: &str, role: &str) {
        self.keys.insert(key.to_owned(), role.to_owned());
    }

    /// Role of a key.
    pub fn role_of(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    /// LAN networks.
    pub fn lans(&self) -> &[Lan] {
        &self.lans
    }

    /// UniFi hardware.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// What DNS queries are forwarded to.
    pub fn upstream(&self) -> &[String] {
        &self.upstream
    }

    /// The network whose subnet holds an address.
    pub fn lan_of(&self, ip: Ipv4Addr) -> Option<&Lan> {
        self.lans
            .iter()
            .find(|lan| lan.blueprint.subnet.contains(&ip))
    }

    /// Unix time.
    pub fn unix(&self, at: Duration) -> u64 {
        self.epoch + at.as_secs()
    }

    fn object_id(&mut self) -> String {
        self.serial += 1;
        format!("66f0a1c4{:016x}", self.serial)
    }
}

/// The integration API's name for what the others call by an ObjectId.
fn uuid_of(object_id: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, object_id.as_bytes()).to_string()
}
