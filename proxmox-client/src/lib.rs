//! Typed client for the Proxmox VE API, 8.x and 9.x: nodes, virtual machines, tasks, PCI devices and
//! their resource mappings.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use proxmox_client::{Client, HostPci};
//!
//! # async fn example(token: secrecy::SecretString) -> Result<(), proxmox_client::Error> {
//! let client = Client::builder("https://pve1.example:8006")
//!     .endpoint("https://pve2.example:8006") // asked when the first is down
//!     .api_token(token) // user@realm!tokenid=uuid
//!     .build()?;
//!
//! // Names are not unique and up to ten seconds old; the SMBIOS UUID is the identity.
//! for row in client.vms().await?.iter().filter(|row| row.name.as_deref() == Some("worker-1")) {
//!     let config = client.vm_config(&row.node, row.vmid).await?;
//!     println!("{} {:?} {:?}", row.vmid, config.uuid(), config.mac("net0"));
//!     let Some(slot) = config.free_hostpci() else { continue };
//!     let device = HostPci { pcie: config.is_q35(), ..HostPci::mapped("h100") }.to_string();
//!     client
//!         .set_config(&row.node, row.vmid, &format!("hostpci{slot}"), &device, &config.digest)
//!         .await?;
//!     let start = client.start(&row.node, row.vmid).await?;
//!     client.wait_task(&start, Duration::from_secs(300)).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is there
//!
//! | Area | Supported | Not yet | Never |
//! |---|---|---|---|
//! | Authentication | API tokens | | passwords and tickets: tokens need no renewal and no second factor |
//! | Cluster | version, nodes, quorum, privileges | HA resources, options | |
//! | VMs | list, configuration, pending changes, one guarded option per write | guest agent, snapshots, asynchronous writes, disks | creation and deletion; unlocking; writes without a digest; several options in one write |
//! | Power | start, shutdown, stop, reboot, reset | suspend | |
//! | Tasks | status, log, list, wait, stop | cluster-wide list | |
//! | PCI | devices, mappings: list, check, create, update, delete | types of mediated devices | raw `host=` addresses: Proxmox refuses them from any token |
//! | Storage | list | content | |
//! | Containers | | | all |
//!
//! Every call named under *supported* is checked against recorded answers of Proxmox VE 9.2; 8.x is covered
//! as far as its differences are known (errors without a body, values as text).
//!
//! # What to know
//!
//! - **Reads are repeated, writes are not.** With several endpoints a read goes to the next one when a node
//!   is down or cannot reach the node asked about, and the one that answered is asked first from then on,
//!   also for writes.
//! - **Most refusals are status 500 and a text.** [`Error`] tells them apart; [`Cause::Unknown`] is the rest.
//! - **A list that is empty may be a list one may not see.** Look at [`Client::permissions`] first.
//! - **A write that succeeded may still wait** for the VM to be stopped and started: see
//!   [`Client::pending`]. Proxmox does not check at write time that a mapping exists, has an entry for the
//!   node, or fits the machine type; the start fails later.
//! - **A task id says only that the task was made.** [`Client::wait_task`] takes `WARNINGS: n` as success.
#![deny(missing_docs)]

mod classify;
mod client;
mod cluster;
mod config;
mod error;
mod hostpci;
mod mapping;
mod model;
mod pci;
mod property;
mod request;
mod tasks;
mod token;
mod upid;
mod vms;
mod wire;

pub use client::{Client, ClientBuilder};
pub use error::{Cause, Clash, Error, Missing, Need};
pub use hostpci::HOSTPCI_SLOTS;
pub use model::*;
pub use property::{PropertyString, parse_flag};
