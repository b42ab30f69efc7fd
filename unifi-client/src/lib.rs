//! Typed client for UniFi gateways: sites, networks, client records and their address reservations, DNS records.
//!
//! One credential opens everything this crate needs: a local API key, sent as `X-API-KEY` and accepted on all three
//! API families of a UniFi OS gateway. Consoles without UniFi OS have no such keys and are not supported.
//!
//! ```no_run
//! use secrecy::SecretString;
//! use unifi_client::{Client, Error, NewClient, NewDnsRecord, RecordType};
//!
//! # async fn run(key: SecretString, pin: api_transport::Fingerprint) -> Result<(), Error> {
//! let gateway = Client::builder("https://192.168.1.1")
//!     .api_key(key)
//!     .trust(api_transport::Trust::Pins(vec![pin]))
//!     .build()?;
//! println!("Network {}, role {:?}", gateway.version().await?, gateway.site().await?.role);
//!
//! let networks = gateway.networks().await?;
//! if let Some(lan) = networks.iter().find(|network| network.name == "Servers") {
//!     let reservation = NewClient {
//!         mac: "BC-24-11-00-00-01".parse()?,
//!         name: Some("node-1".into()),
//!         note: None,
//!         fixed_ip: [192, 168, 20, 11].into(),
//!         network_id: lan.id.clone(),
//!     };
//!     match gateway.create_client(&reservation).await {
//!         Err(Error::AlreadyExists(_)) => println!("the gateway knows this MAC: change its record"),
//!         other => other?,
//!     }
//! }
//! gateway
//!     .create_dns_record(&NewDnsRecord {
//!         name: "node-1.home.example".into(),
//!         record_type: RecordType::A,
//!         value: "192.168.20.11".into(),
//!         ttl: 0,
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it calls
//!
//! *Recorded*: an answer of a real gateway goes through this client in its tests. *Unproven*: built from the vendor's
//! schema or from other clients' code; no recorded answer could be had, and the tests use answers of our own writing.
//! Of the errors, "exists already" and "overlaps" of the DNS APIs and the refused key are known from the tests of other
//! projects only.
//!
//! | call | path | |
//! |---|---|---|
//! | [`version`](Client::version) | `integration/v1/info` | unproven |
//! | | `stat/sysinfo`, where the former is absent | recorded, 7.4 to 10.5 |
//! | [`sites`](Client::sites), [`site`](Client::site) | `api/self/sites` | recorded |
//! | [`networks`](Client::networks) | `rest/networkconf` | recorded, 10.0 and 10.5 |
//! | [`upstream`](Client::upstream) | `rest/networkconf`, `get/setting` | recorded; third and fourth resolver unproven |
//! | [`client_records`](Client::client_records) | `rest/user` | recorded empty; a filled list, its cap and `?use_fixedip=` unproven |
//! | [`client_record`](Client::client_record) | `rest/user?mac=`, then `stat/user/{mac}` | unproven |
//! | [`create_client`](Client::create_client) | `POST rest/user` | recorded, without `network_id` |
//! | [`update_client`](Client::update_client) | `PUT rest/user/{id}` | errors recorded; success unproven |
//! | [`active_clients`](Client::active_clients) | `stat/sta` | recorded |
//! | | `stat/device` | unproven |
//! | [`leases`](Client::leases) | v2 `active-leases` | unproven |
//! | [`past_clients`](Client::past_clients) | v2 `clients/history` | recorded |
//! | DNS, Network 10.1 and later | `integration/v1/sites` | recorded |
//! | | `dns/policies`: list, create, replace, delete | errors recorded; bodies follow the vendor's schema, answers unproven |
//! | DNS, earlier | v2 `static-dns`: list, create, replace | recorded |
//! | | v2 `static-dns`: delete | unproven |
//!
//! Never called, on purpose: `DELETE rest/user` (answers "not found" for records that exist; clear a reservation by
//! [`ClientPatch::fixed_ip`] instead), `cmd/stamgr` (forgetting a client erases what its owner wrote), writes of
//! networks and settings, login with a password, the cloud connector.
//!
//! # What it takes care of
//!
//! - A POST is sent once. Reads, and writes that name what they replace, are repeated after 429, 502, 503, 504, a lost
//!   answer, or a web page in place of JSON. Writes go one after the other; at most four reads run at a time.
//! - Legacy changes merge, so only what was asked for is sent. A reservation's switch and address always go together:
//!   one without the other is stored and ignored, or blocks the address for others.
//! - The v2 DNS API replaces: every field is sent, the id and `enabled` included.
//! - Of the two DNS APIs the integration API is taken from Network 10.1 on. Only finding it is remembered; not finding
//!   it is asked again, so a gateway may be updated while a client lives. [`Client::dns_family`] tells.
//! - An alias is never put beside another record of its name: on some firmware that stops DNS and DHCP of the site.
//! - Answers are read leniently (numbers as text, `""` for absent, unknown fields), and only what is needed of them:
//!   network rows carry PPPoE and VPN secrets, which this crate never holds in a value, a log line or an error.
#![deny(missing_docs)]

mod client;
mod dns;
mod error;
mod model;
mod networks;
mod parse;
mod presence;
mod records;
mod sites;
mod wire;

pub use client::{Client, ClientBuilder};
pub use error::{Error, Refusal};
pub use model::*;
pub use parse::dns_name;
