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
//! use omni_client::specs::{ClusterMachineStatus, MachineSetStatus};
//! use omni_client::{ClientBuilder, Event, ListOptions, Selector, WatchOptions, labels};
//!
//! # let key = String::new();
//! // `key` is what `omnictl serviceaccount create` printed.
//! let client = ClientBuilder::new("https://omni.home.example").service_account_key(key).build()?;
//!
//! let workers = Selector::new().equal(labels::CLUSTER, "home").exists(labels::ROLE_WORKER);
//! for machine in client.list_as::<ClusterMachineStatus>(&ListOptions::selector(workers)).await? {
//!     println!("{} is {:?}", machine.metadata.id, machine.spec.stage);
//! }
//!
//! let mut events = client.watch_as::<MachineSetStatus>(&WatchOptions::default());
//! while let Some(event) = events.next().await {
//!     if let Event::Updated { new, .. } = event? {
//!         println!("{} is {:?}", new.metadata.id, new.spec.phase);
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
mod selector;
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
pub use selector::{Selector, SelectorError, Selectors, Term, Test};
pub use service_account::{KeyError, ServiceAccountKey};
pub use sign::Signer;
pub use specs::Spec;
pub use typed::Typed;
pub use watch::{NoticeFn, WatchNotice, WatchOptions};
