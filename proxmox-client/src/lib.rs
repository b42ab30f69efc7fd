//! Typed client for the Proxmox VE API, 8.x and 9.x: nodes, virtual machines, tasks, PCI devices and
//! their resource mappings.
//!
//! ```
//! use std::time::Duration;
//!
//! use proxmox_client::{Client, HostPci};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), proxmox_client::Error> {
//! # let token = secrecy::SecretString::from("root@pam!docs=1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9");
//! let client = Client::builder("https://pve1.example:8006")
//!     .endpoint("https://pve2.example:8006") // asked when the first is down
//!     .api_token(token) // user@realm!tokenid=uuid
//! #   .exchange(std::sync::Arc::new(Rack))
//!     .build()?;
//!
//! // Names are not unique and up to ten seconds old; the SMBIOS UUID is the identity.
//! for row in client.vms().await?.iter().filter(|row| row.name.as_deref() == Some("worker-1")) {
//!     let config = client.vm_config(&row.node, row.vmid).await?;
//!     println!("{} {:?} {:?}", row.vmid, config.uuid(), config.mac("net0"));
//!     let Some(slot) = config.free_hostpci() else { continue };
//! #   assert_eq!((slot, config.is_q35()), (0, true));
//!     let device = HostPci { pcie: config.is_q35(), ..HostPci::mapped("h100") }.to_string();
//!     client
//!         .set_config(&row.node, row.vmid, &format!("hostpci{slot}"), &device, &config.digest)
//!         .await?;
//!     let start = client.start(&row.node, row.vmid).await?;
//!     client.wait_task(&start, Duration::from_secs(300)).await?;
//! }
//! # Ok(())
//! # }
//! # #[derive(Debug)]
//! # struct Rack;
//! # #[async_trait::async_trait]
//! # impl api_transport::Exchange for Rack {
//! #     async fn exchange(
//! #         &self,
//! #         request: http::Request<api_transport::Bytes>,
//! #     ) -> Result<api_transport::ExchangeResponse, api_transport::Error> {
//! #         let upid = "UPID:pve1:0000C0DE:00C0FFEE:6A000000:qmstart:107:root@pam!docs:";
//! #         let path = request.uri().path().trim_start_matches("/api2/json");
//! #         let data = match (request.method().as_str(), path) {
//! #             ("GET", "/cluster/resources") => serde_json::json!([
//! #                 {"id": "qemu/107", "type": "qemu", "vmid": 107, "node": "pve1", "name": "worker-1", "status": "stopped"}
//! #             ]),
//! #             ("GET", "/nodes/pve1/qemu/107/config") => serde_json::json!({
//! #                 "digest": "0123456789abcdef0123456789abcdef01234567", "machine": "q35",
//! #                 "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0"
//! #             }),
//! #             ("POST" | "PUT", "/nodes/pve1/qemu/107/config") => serde_json::json!(null),
//! #             ("POST", "/nodes/pve1/qemu/107/status/start") => serde_json::json!(upid),
//! #             _ => serde_json::json!({"status": "stopped", "exitstatus": "OK", "upid": upid, "node": "pve1"}),
//! #         };
//! #         let body = serde_json::json!({"data": data}).to_string();
//! #         Ok(api_transport::ExchangeResponse::whole(200, body))
//! #     }
//! # }
//! ```
//!
//! # What is there
//!
//! | Area | Supported | Not yet | Never |
//! |---|---|---|---|
//! | Authentication | API tokens; passwords, with tickets renewed and CSRF | | second factors: give such a user a token; managing users and tokens |
//! | Cluster | version, nodes, all resources, quorum, privileges, options | firewall, metrics | |
//! | VMs | lists, configuration, pending changes and their revert, guarded writes of one or several options, as a task too | snapshots, disks, migration | creation and deletion; unlocking; writes without a digest |
//! | Power | start, shutdown, stop, reboot, reset | suspend | |
//! | Guest agent | ping, network interfaces | other reads | running programs in a guest |
//! | High availability | its guests, its state; adding, setting, removing a guest | | rules and groups |
//! | Tasks | status, log, lists of a node and of the cluster, wait, stop | | |
//! | PCI | devices, mappings: list, check, create, update, delete; types of mediated devices | | |
//! | Nodes | status, bridges, machine types | | a node's own settings |
//! | Storage | list, content | upload | |
//! | Containers | | | all |
//!
//! Every call is checked against recorded answers of Proxmox VE 9.2, but for these, which are checked against
//! its schema alone: [`Client::ha_set`], and [`Client::bridges`], whose recorded list was empty. 8.x is covered
//! as far as its differences are known (errors without a body, values as text).
//!
//! # Features
//!
//! None: there is one TLS stack and nothing to leave out. [`ClientBuilder::exchange`] replaces the network.
//!
//! # What to know
//!
//! - **Reads are repeated, writes are not.** With several endpoints a read goes to the next one when a node
//!   is down or cannot reach the node asked about, and the one that answered is asked first from then on,
//!   also for writes. A write goes to the next one only where it was certainly not done. Where that is not
//!   known, [`Error::is_outcome_unknown`] says so: read back.
//! - **Calls can be given up.** Dropping a future leaves the client as it was; a write that was sent may
//!   still be carried out.
//! - **HA guests are the manager's.** Power calls on them are requests; see [`Upid::is_ha_request`].
//! - **Most refusals are status 500 and a text.** [`Error`] tells them apart; [`Cause::Unknown`] is the rest.
//! - **A list that is empty may be a list one may not see.** Look at [`Client::permissions`] first.
//! - **A write that succeeded may still wait** for the VM to be stopped and started: see
//!   [`Client::pending`]. Proxmox does not check at write time that a mapping exists, has an entry for the
//!   node, or fits the machine type; the start fails later.
//! - **A task id says only that the task was made.** [`Client::wait_task`] takes `WARNINGS: n` as success.
#![deny(missing_docs)]

mod agent;
mod builder;
mod change;
mod classify;
mod client;
mod cluster;
mod config;
mod error;
mod ha;
mod hostpci;
mod mapping;
mod model;
mod node;
mod pci;
mod power;
mod property;
mod request;
mod storage;
mod tasks;
mod ticket;
mod token;
mod upid;
mod vms;
mod wire;

pub use api_transport::{Clock, Fingerprint, Trust};

pub use agent::{GuestAddress, GuestInterface};
pub use builder::{Anonymous, Authenticated, ClientBuilder};
pub use change::ConfigChange;
pub use client::Client;
pub use cluster::{ClusterOptions, Resource};
pub use error::{Cause, Clash, Credential, Error, Missing, Need};
pub use ha::{HaResource, HaState, HaStatus};
pub use hostpci::HOSTPCI_SLOTS;
pub use model::*;
pub use node::{Bridge, MachineType, NodeStatus};
pub use pci::MdevType;
pub use property::{PropertyString, parse_flag};
pub use storage::{Storage, Volume};
