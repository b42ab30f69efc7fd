//! What a UniFi gateway answers, as callers use it.

use std::fmt;
use std::net::Ipv4Addr;

/// A site this credential can see (`api/self/sites`). Consoles have one, called `default`, unless more were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Path segment, `default` for the first.
    pub name: String,
    /// Human name.
    pub description: String,
    /// This credential's role there, e.g. `admin` or `readonly`. Look at it before a first write.
    pub role: Option<String>,
    /// Id in the integration API.
    pub uuid: Option<String>,
}

/// A hardware address, the identity of a client: ids of its record change, its MAC does not.
///
/// Shown in lower case with colons, which is how the gateway stores it; serialized the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// DHCP server settings of a network (`dhcpd_…` of `rest/networkconf`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DhcpServer {
    /// Whether the gateway serves DHCP here; false for networks that are switched off and for VLANs without a subnet.
    pub enabled: bool,
    /// First dynamic address. Reservations may lie outside the range, as long as they are in the subnet.
    pub start: Option<Ipv4Addr>,
    /// Last dynamic address.
    pub stop: Option<Ipv4Addr>,
    /// Lease time in seconds. A client asks again after half of it, so that is how long a change may take.
    pub lease_seconds: Option<u64>,
    /// Resolvers handed out, at most four; empty: the gateway itself.
    pub dns: Vec<Ipv4Addr>,
}

/// A LAN network (`rest/networkconf`, purposes with a subnet). Secrets in the answer are never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// ObjectId: 24 hexadecimal digits. What [`NewClient::network_id`] wants.
    pub id: String,
    /// Name as typed by the user; not unique by force.
    pub name: String,
    /// `corporate`, `guest`, `vlan-only`, …
    pub purpose: String,
    /// Gateway address and prefix, e.g. `172.16.8.1/24`: the host part is the gateway's own address. Absent for VLANs that
    /// another router serves.
    pub subnet: Option<ipnet::Ipv4Net>,
    /// VLAN tag; absent: untagged.
    pub vlan: Option<u16>,
    /// DHCP settings.
    pub dhcp: DhcpServer,
    /// Served by a relay, or by a switch instead of the gateway: reservations made here have no effect.
    pub dhcp_elsewhere: bool,
}

/// What the gateway forwards DNS to, over all uplinks that are on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upstream {
    /// WAN resolvers set by hand, without repetition; empty when the provider's are used.
    pub servers: Vec<String>,
    /// Whether the setting is `auto`.
    pub automatic: bool,
    /// `off`, `auto`, `manual` or `custom`: encrypted DNS overrides the servers.
    pub encrypted: Option<String>,
}

/// A client record (`rest/user`): what the gateway remembers of a MAC, its reservation included.
///
/// Records of clients that never connected may be dropped by the gateway and made anew under another id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// ObjectId.
    pub id: String,
    /// Identity.
    pub mac: Mac,
    /// Alias typed by the user.
    pub name: Option<String>,
    /// What DHCP said.
    pub hostname: Option<String>,
    /// Free text of its owner, in lines. The only place where a tool can leave a mark.
    pub note: Option<String>,
    /// The reservation switch: without it `fixed_ip` is inert.
    pub use_fixed_ip: bool,
    /// Reserved address; may linger after the switch went off, and still blocks others. See [`ClientRecord::reserved`].
    pub fixed_ip: Option<Ipv4Addr>,
    /// Network it was made for; often absent for reservations made in the web interface. What counts is the network whose
    /// subnet has the address.
    pub network_id: Option<String>,
    /// A DNS name made from this client, when switched on.
    pub local_dns: Option<String>,
    /// Unix seconds.
    pub last_seen: Option<u64>,
    /// Address it had last.
    pub last_ip: Option<Ipv4Addr>,
}

/// A client that is online (`stat/sta`), or UniFi hardware (`stat/device`). Its ids are not those of client records and
/// are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveClient {
    /// Identity.
    pub mac: Mac,
    /// Address, absent until known.
    pub ip: Option<Ipv4Addr>,
    /// Hostname or alias.
    pub name: Option<String>,
    /// Network it is on.
    pub network_id: Option<String>,
    /// True for adopted UniFi hardware.
    pub device: bool,
}

/// A DHCP lease (`active-leases`): the only list that tells who was promised which address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub mac: Mac,
    /// Leased address.
    pub ip: Ipv4Addr,
    /// Expiry, Unix seconds by the gateway's clock. A dead client's lease lives on until then.
    pub expires: Option<u64>,
    /// Name known for the holder.
    pub name: Option<String>,
}

/// A client the gateway saw earlier (v2 `clients/history`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastClient {
    /// Identity.
    pub mac: Mac,
    /// Address it had last.
    pub last_ip: Option<Ipv4Addr>,
    /// Unix seconds.
    pub last_seen: Option<u64>,
    /// Id of the client record.
    pub record_id: Option<String>,
}

/// A client that is connected now, as the integration API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedClient {
    /// UUID in the integration API; neither the id of the client record nor that of `stat/sta`.
    pub id: String,
    /// `WIRED`, `WIRELESS`, `VPN` or `TELEPORT`.
    pub kind: String,
    /// Alias or hostname.
    pub name: Option<String>,
    /// Identity; absent for VPN and Teleport clients.
    pub mac: Option<Mac>,
    /// IPv4 address, absent until known.
    pub ip: Option<Ipv4Addr>,
    /// Since when, RFC 3339 in UTC.
    pub connected_at: Option<String>,
}

/// A network as the integration API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOverview {
    /// UUID in the integration API.
    pub id: String,
    /// Name as typed by the user.
    pub name: String,
    /// Who routes it: `GATEWAY`, `SWITCH` or `UNMANAGED`.
    pub management: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether it is the site's first network, which cannot be deleted.
    pub is_default: bool,
    /// VLAN id; 1 is the default network.
    pub vlan: Option<u16>,
}

/// An uplink (`wan/enriched-configuration`). Its row holds a password in clear, which is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wan {
    /// ObjectId, the same as in `rest/networkconf`.
    pub id: String,
    /// Name as typed by the user.
    pub name: String,
    /// `dhcp`, `static`, `pppoe`, …
    pub kind: Option<String>,
    /// Order among the uplinks, 1 first.
    pub failover_priority: Option<u64>,
    /// Resolvers set by hand, IPv4 first; `None` where the provider's are used.
    pub resolvers: Option<Vec<String>>,
    /// The provider's name, as the console found it out.
    pub provider: Option<String>,
}

/// A bandwidth group (`rest/usergroup`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserGroup {
    /// ObjectId.
    pub id: String,
    /// Name as typed by the user.
    pub name: String,
    /// Limit in kbit/s; `None` for none.
    pub download: Option<u64>,
    /// Limit in kbit/s; `None` for none.
    pub upload: Option<u64>,
}

/// The account behind the credential (`api/self`). Mail address and last addresses in the answer are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name of the account.
    pub name: String,
    /// May do everything on every site.
    pub is_super: bool,
    /// Owns the console.
    pub is_owner: bool,
}

/// A client record to make, with a reservation. Only what is set is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClient {
    /// Identity.
    pub mac: Mac,
    /// Alias.
    pub name: Option<String>,
    /// Note.
    pub note: Option<String>,
    /// Reserved address; the switch is sent with it.
    pub fixed_ip: Ipv4Addr,
    /// Network of the address.
    pub network_id: String,
    /// A DNS name the gateway answers with the address, from Network 7.2 on. No static record may have it.
    pub local_dns: Option<String>,
}

/// Changes to a client record. Only what is `Some` is sent, and the rest stays as it is.
///
/// ```
/// use unifi_client::ClientPatch;
///
/// let clear = ClientPatch { fixed_ip: Some(None), ..ClientPatch::default() };
/// assert!(!clear.is_empty() && ClientPatch::default().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientPatch {
    /// `Some(Some(address))` reserves, `Some(None)` clears switch and address together.
    pub fixed_ip: Option<Option<Ipv4Addr>>,
    /// Network of the address.
    pub network_id: Option<String>,
    /// Alias; empty clears.
    pub name: Option<String>,
    /// Note; empty clears.
    pub note: Option<String>,
    /// `Some(Some(name))` makes a DNS name of the reservation, which has to be on; `Some(None)` clears it.
    pub local_dns: Option<Option<String>>,
}

/// The type of a DNS record this crate writes or lists. The v2 API's `NS` and the integration API's `FORWARD_DOMAIN` are
/// one thing, a resolver for a domain, and come as [`RecordType::Other`] under these names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias.
    Cname,
    /// Text.
    Txt,
    /// Any other, by its name in the API.
    Other(String),
}

/// A static DNS record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Id in the API that listed it: a UUID or an ObjectId; the two APIs number differently. Empty for entries that the
    /// gateway itself made, which cannot be changed.
    pub id: String,
    /// Lower case, no final dot.
    pub name: String,
    /// Type.
    pub record_type: RecordType,
    /// Address, target or text; texts without the quotes the integration API puts around those with commas.
    pub value: String,
    /// Seconds; 0 is automatic.
    pub ttl: u32,
    /// A disabled record is not served.
    pub enabled: bool,
}

/// A DNS record to make. Names have at most 127 characters, addresses a TTL of at most a day, aliases of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDnsRecord {
    /// Fully qualified name.
    pub name: String,
    /// Type.
    pub record_type: RecordType,
    /// Address, target or text.
    pub value: String,
    /// Seconds; 0 is automatic.
    pub ttl: u32,
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(at, octet)| write!(f, "{}{octet:02x}", if at == 0 { "" } else { ":" }))
    }
}

/// Version of the Network application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As the gateway writes it, e.g. `10.5.66`.
    pub text: String,
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

/// One of the three API families of the Network application. They number the same things differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `api/s/{site}/…`: rows in an envelope; the only one with reservations.
    Legacy,
    /// `v2/api/site/{site}/…`: bare rows; DNS as `static-dns`.
    V2,
    /// `integration/v1/…`: the official one, on UniFi OS; DNS as `dns/policies` from Network 10.1 on.
    Integration,
}

/// What answers at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What the Network application runs on.
    pub platform: crate::Platform,
    /// Version of the Network application.
    pub version: Version,
    /// The family that told the version.
    pub family: Family,
}

impl Network {
    /// The gateway's own address: the host part of `subnet`.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.subnet.map(|subnet| subnet.addr())
    }

    /// Whether a client here can have `address`: inside, and neither the gateway's, nor network nor broadcast address.
    /// Says nothing about who has it.
    pub fn is_assignable(&self, address: Ipv4Addr) -> bool {
        self.subnet.is_some_and(|subnet| {
            subnet.contains(&address)
                && ![subnet.addr(), subnet.network(), subnet.broadcast()].contains(&address)
        })
    }
}

impl DhcpServer {
    /// Whether the server may hand `address` to anybody who asks.
    pub fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        let within = |start, stop| (start..=stop).contains(&address);
        self.enabled
            && self
                .start
                .zip(self.stop)
                .is_some_and(|(start, stop)| within(start, stop))
    }
}

impl ClientRecord {
    /// The address this client gets, if the reservation is on: switch and address together.
    pub fn reserved(&self) -> Option<Ipv4Addr> {
        self.fixed_ip.filter(|_| self.use_fixed_ip)
    }
}

impl ClientPatch {
    /// A patch that changes nothing is not sent.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
