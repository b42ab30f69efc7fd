//! Typed client for UniFi gateways: sites, networks, client records and their address reservations, DNS records.
//!
//! ```
//! use unifi_client::{Client, NewClient, NewDnsRecord, RecordType};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pin: api_transport::Fingerprint = "ab".repeat(32).parse()?;
//! # let key = secrecy::SecretString::from("docs");
//! let gateway = Client::builder("https://192.168.1.1")
//!     .trust(api_transport::Trust::Pins(vec![pin]))
//!     .api_key(key)
//! #   .exchange(std::sync::Arc::new(Cabinet))
//!     .build()?;
//!
//! let networks = gateway.networks().await?;
//! if let Some(lan) = networks.iter().find(|network| network.name == "Servers") {
//!     let reservation = NewClient {
//!         mac: "BC-24-11-00-00-01".parse()?,
//!         name: Some("node-1".into()),
//!         note: None,
//!         fixed_ip: [192, 168, 20, 11].into(),
//!         network_id: lan.id.clone(),
//!         local_dns: None,
//!     };
//!     match gateway.create_client(&reservation).await {
//!         Err(unifi_client::Error::AlreadyExists(_)) => println!("change the record of this MAC"),
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
//! # #[derive(Debug)]
//! # struct Cabinet;
//! # #[async_trait::async_trait]
//! # impl api_transport::Exchange for Cabinet {
//! #     async fn exchange(
//! #         &self,
//! #         request: http::Request<api_transport::Bytes>,
//! #     ) -> Result<api_transport::ExchangeResponse, api_transport::Error> {
//! #         let network = serde_json::json!({
//! #             "_id": "6710a1b2c3d4e5f607182930", "name": "Servers", "purpose": "corporate",
//! #             "ip_subnet": "192.168.20.1/24", "dhcpd_enabled": true
//! #         });
//! #         let path = request.uri().path().trim_start_matches("/proxy/network");
//! #         let body = match (request.method().as_str(), path) {
//! #             ("GET", "/integration/v1/info") => serde_json::json!({"applicationVersion": "9.4.19"}),
//! #             ("GET", "/api/s/default/rest/networkconf") => {
//! #                 serde_json::json!({"meta": {"rc": "ok"}, "data": [network]})
//! #             }
//! #             ("POST", "/api/s/default/rest/user") => {
//! #                 serde_json::json!({"meta": {"rc": "ok"}, "data": [{"_id": "6710a1b2c3d4e5f607182931", "mac": "bc:24:11:00:00:01"}]})
//! #             }
//! #             ("POST", "/v2/api/site/default/static-dns") => {
//! #                 serde_json::json!({"_id": "6710a1b2c3d4e5f607182932", "key": "node-1.home.example", "value": "192.168.20.11", "record_type": "A", "enabled": true})
//! #             }
//! #             ("GET", "/v2/api/site/default/static-dns") => serde_json::json!([]),
//! #             (method, path) => panic!("{method} {path}"),
//! #         };
//! #         Ok(api_transport::ExchangeResponse::whole(200, body.to_string()))
//! #     }
//! # }
//! ```
//!
//! `examples/keep_dns.rs` and `examples/reserve.rs` are whole programs.
//!
//! # Credentials and consoles
//!
//! | | UniFi OS | classic (the application by itself, port 8443) |
//! |---|---|---|
//! | API key, from Network 9.0.114 on | yes, for all three families; nothing is probed | there are none |
//! | [login](ClientBuilder::login) | yes, with CSRF token and its rotation | yes |
//! | second factor | never: use a key or a local account | never |
//! | integration API, DNS as `dns/policies` | yes | no |
//!
//! A client logs in once, at its first call, whatever number of calls and clones wait for it. A session that expired is
//! renewed by one login; one that never worked, or a refused password, is not tried again, because consoles lock out
//! whoever tries too often. What the console is, is [found out](Client::platform) or [told](ClientBuilder::platform).
//!
//! # What it calls
//!
//! *Recorded*: an answer of a real gateway goes through this client in its tests. *Unproven*: built from the vendor's
//! schema or from other clients' code; no recorded answer could be had, and the tests use answers of our own writing.
//! Of the errors, "exists already" and "overlaps" of the DNS APIs, the refused key, the wrong password and the classic
//! second factor are known from the tests of other projects only.
//!
//! | call | path | |
//! |---|---|---|
//! | login, [`logout`](Client::logout) | `/api/auth/login`, `/api/login` | answers recorded; headers as other clients read them; logout unproven |
//! | [`platform`](Client::platform), [`server_status`](Client::server_status) | `/`, `/status` | `/status` recorded |
//! | [`version`](Client::version), [`about`](Client::about) | `integration/v1/info` | unproven |
//! | | `stat/sysinfo`, where the former is absent | recorded, 7.4 to 10.5 |
//! | [`sites`](Client::sites), [`site`](Client::site) | `api/self/sites` | recorded |
//! | [`account`](Client::account) | `api/self` | recorded with a login |
//! | [`user_groups`](Client::user_groups) | `rest/usergroup` | recorded |
//! | [`networks`](Client::networks) | `rest/networkconf` | recorded, 10.0 and 10.5 |
//! | [`upstream`](Client::upstream) | `rest/networkconf`, `get/setting` | recorded; third and fourth resolver unproven |
//! | [`wans`](Client::wans) | v2 `wan/enriched-configuration` | recorded |
//! | [`client_records`](Client::client_records) | `rest/user` | recorded empty; a filled list, its cap and `?use_fixedip=` unproven |
//! | [`client_record`](Client::client_record) | `rest/user?mac=`, then `stat/user/{mac}` | unproven |
//! | [`create_client`](Client::create_client) | `POST rest/user` | recorded, without `network_id` |
//! | [`update_client`](Client::update_client) | `PUT rest/user/{id}` | errors recorded; success unproven |
//! | [`active_clients`](Client::active_clients) | `stat/sta` | recorded |
//! | | `stat/device` | unproven |
//! | [`active_client`](Client::active_client) | `stat/sta/{mac}` | refusal recorded |
//! | [`leases`](Client::leases) | v2 `active-leases` | unproven |
//! | [`past_clients`](Client::past_clients) | v2 `clients/history` | recorded |
//! | [`connected_clients`](Client::connected_clients), [`connected_client`](Client::connected_client) | `integration/v1/sites/{id}/clients` | recorded |
//! | [`network_overviews`](Client::network_overviews) | `integration/v1/sites/{id}/networks` | unproven |
//! | [DNS](Client::dns_records), Network 10.1 and later | `integration/v1/sites` | recorded |
//! | | `dns/policies`: list, create, replace, delete | errors recorded; bodies follow the vendor's schema, answers unproven |
//! | [DNS](Client::dns_records), earlier, and classic | v2 `static-dns`: list, create, replace | recorded |
//! | | v2 `static-dns`: delete | unproven |
//!
//! Not yet: writing MX, SRV and NS records (they are listed), kicking a wireless client, writes by the integration API
//! beside DNS, the cloud connector.
//!
//! Never, on purpose: `DELETE rest/user` (answers "not found" for records that exist; clear a reservation by
//! [`ClientPatch::fixed_ip`] instead), forgetting clients (it erases what their owner wrote), writes of networks and
//! settings, second factors.
//!
//! # What it takes care of
//!
//! - One typed surface over three families; [`Client::dns_family`], [`About::family`] and [`Refusal::family`] tell which
//!   one served.
//! - A POST is sent once, but for one that the proxy refused for an expired session before the application saw it.
//!   Reads, and writes that name what they replace, are repeated after 429 (when the gateway asks to), 502, 503, 504, a
//!   lost answer, or a web page in place of JSON. Writes go one after the other; at most four reads run at a time.
//! - Legacy changes merge, so only what was asked for is sent. A reservation's switch and address always go together:
//!   one without the other is stored and ignored, or blocks the address for others.
//! - The v2 DNS API replaces: every field is sent, the id and `enabled` included.
//! - Of the two DNS APIs the integration API is taken from Network 10.1 on. Only finding it is remembered; not finding
//!   it is asked again, so a gateway may be updated while a client lives.
//! - An alias is never put beside another record of its name: on some firmware that stops DNS and DHCP of the site.
//! - Lists in pages are read whole, and again when they change meanwhile. The legacy list of client records ends at
//!   3,000 rows without saying so: [`Client::client_records`] tells what is done then. [Filters](Filter) cannot be broken
//!   out of.
//! - Answers are read leniently (numbers as text, `""` for absent, unknown fields), and only what is needed of them:
//!   network rows carry PPPoE and VPN secrets and logins an account, which this crate never holds in a value, a log line
//!   or an error.
//!
//! # Threads and cancellation
//!
//! [`Client`] is `Clone`, `Send` and `Sync`; clones share the connection, the login and the order of writes. Every call
//! may be dropped: reads leave nothing behind, and a login that was dropped is made by the next call. A write that was
//! dropped may still be carried out by the gateway, so look before trying again.
//!
//! # Features
//!
//! There are none: the crate is small, and TLS is the transport's.
#![deny(missing_docs)]

mod builder;
mod client;
mod dns;
mod error;
mod filter;
mod integration;
mod model;
mod networks;
mod pages;
mod parse;
mod platform;
mod presence;
mod records;
mod session;
mod sites;
mod wire;

pub use builder::{ClientBuilder, credential};
pub use client::Client;
pub use error::{Error, Refusal};
pub use filter::{Filter, FilterValue};
pub use model::*;
pub use parse::dns_name;
pub use platform::{Platform, ServerStatus};
