//! Typed client for a self-hosted [Omni](https://omni.siderolabs.com).
//!
//! It speaks the JSON gateway that Omni's own web interface uses, signs each
//! call with a service-account key, and treats resources as data: a
//! [`Resource`] keeps every field it does not know, and [`specs`] gives types
//! to those that are in use.
//!
//! ```no_run
//! # #[cfg(feature = "openpgp")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt as _;
//! use omni_client::{ClientBuilder, Event, ListOptions, kinds, labels, specs};
//!
//! # let key = String::new();
//! // `key` is what `omnictl serviceaccount create` printed.
//! let client = ClientBuilder::new("https://omni.home.example").service_account_key(key).build()?;
//!
//! let workers = ListOptions::selector(format!("{}=home,{}", labels::CLUSTER, labels::ROLE_WORKER));
//! for machine in client.list(&kinds::CLUSTER_MACHINE_STATUS, &workers).await? {
//!     let status: specs::ClusterMachineStatus = machine.spec_as()?;
//!     println!("{} is {:?}", machine.metadata.id, status.stage);
//! }
//!
//! let mut events = client.watch(&kinds::provider_machine("proxmox"));
//! while let Some(event) = events.next().await {
//!     if let Event::Created(made) | Event::Updated { new: made, .. } = event? {
//!         let machine: specs::ProviderMachine = made.spec_as()?;
//!         println!("{} is VM {} on {}", made.metadata.id, machine.vmid, machine.node);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is there
//!
//! | Call | State |
//! |---|---|
//! | [`Client::get`], [`Client::find`], [`Client::list`] with selectors, search, sorting and paging | replayed against a recorded server |
//! | [`Client::create`], [`Client::update`], [`Client::update_if_changed`], [`Client::modify`] | replayed |
//! | [`Client::teardown`], [`Client::delete`] | replayed |
//! | [`Client::watch`], with a fallback to listing behind proxies that buffer | replayed; the fallback is tested against a silent server |
//! | [`Client::kubeconfig`] for a service account | replayed |
//! | OIDC and break-glass kubeconfigs, talosconfig, machine logs | not yet |
//! | Service accounts, schematics, join tokens, users | not yet |
//! | Interactive login with a user's key | not yet: only [`Signer`]s |
//! | Talos and Kubernetes runtimes through Omni | not planned |
//!
//! # Things to know
//!
//! - Times that signatures carry come from the injected clock. A server
//!   accepts five minutes of difference; a refusal says how large it was.
//! - Only reads, kubeconfig calls, teardown and delete are ever sent twice.
//! - An update replaces labels, annotations and finalizers as a whole: change
//!   what was read, never build it anew. [`Client::modify`] does that.

#![deny(missing_docs)]

mod client;
mod error;
pub mod kinds;
pub mod labels;
mod list;
mod management;
#[cfg(feature = "openpgp")]
mod openpgp;
mod resource;
mod service_account;
mod sign;
pub mod specs;
mod typed;
mod update;
mod watch;
mod wire;

pub use api_transport::{Clock, Fingerprint, Trust};
pub use client::{Client, ClientBuilder};
pub use error::{Error, rpc_text};
pub use list::{ListOptions, Page};
pub use management::KubeconfigOptions;
#[cfg(feature = "openpgp")]
pub use openpgp::OpenPgpSigner;
pub use resource::{Event, Kind, Metadata, Phase, Resource};
pub use service_account::{KeyError, ServiceAccountKey};
pub use sign::Signer;
pub use specs::Spec;
pub use typed::Typed;
pub use watch::{NoticeFn, WatchNotice, WatchOptions};
