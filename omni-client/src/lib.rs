//! Typed client for a self-hosted [Omni](https://omni.siderolabs.com).
//!
//! ```
//! # #[cfg(feature = "openpgp")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt as _;
//! use omni_client::specs::{ClusterMachineStatus, MachineSetStatus};
//! use omni_client::{ClientBuilder, Event, ListOptions, Selector, WatchOptions, labels};
//!
//! # let day = std::time::Duration::from_secs(86_400);
//! # let made = omni_client::ServiceAccountKey::generate("docs", day, std::time::SystemTime::now())?;
//! # let key = made.account.encode();
//! // `key` is what `omnictl serviceaccount create` printed.
//! let client = ClientBuilder::new("https://omni.home.example")
//!     .service_account_key(key)
//! #   .exchange(std::sync::Arc::new(Home))
//!     .build()?;
//!
//! let workers = Selector::new().equal(labels::CLUSTER, "home").exists(labels::ROLE_WORKER);
//! for machine in client.list_as::<ClusterMachineStatus>(&ListOptions::selector(workers)).await? {
//!     println!("{} is {:?}", machine.metadata.id, machine.spec.stage);
//! #   assert_eq!(machine.spec.stage, omni_client::specs::MachineStage::Running);
//! }
//!
//! // Until one is ready.
//! let mut events = client.watch_as::<MachineSetStatus>(&WatchOptions::default());
//! while let Some(event) = events.next().await {
//!     match event? {
//!         Event::Updated { new, .. } if new.spec.ready => break,
//!         Event::Created(set) => println!("{} is {:?}", set.metadata.id, set.spec.phase),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! # #[derive(Debug)]
//! # struct Home;
//! # #[async_trait::async_trait]
//! # impl api_transport::Exchange for Home {
//! #     async fn exchange(
//! #         &self,
//! #         request: http::Request<api_transport::Bytes>,
//! #     ) -> Result<api_transport::ExchangeResponse, api_transport::Error> {
//! #         let resource = |kind: &str, spec: serde_json::Value| {
//! #             let metadata = serde_json::json!({"namespace": "default", "type": kind, "id": "a", "version": 1, "phase": "running"});
//! #             serde_json::json!({"metadata": metadata, "spec": spec}).to_string()
//! #         };
//! #         let body = if request.uri().path().ends_with("/List") {
//! #             let machine = resource("ClusterMachineStatuses.omni.sidero.dev", serde_json::json!({"ready": true, "stage": 4}));
//! #             serde_json::json!({"items": [machine], "total": 1}).to_string()
//! #         } else {
//! #             let set = resource("MachineSetStatuses.omni.sidero.dev", serde_json::json!({"ready": true}));
//! #             let event = serde_json::json!({"event_type": 2, "resource": set});
//! #             format!("{}\n", serde_json::json!({"result": {"event": event}}))
//! #         };
//! #         Ok(api_transport::ExchangeResponse::whole(200, body))
//! #     }
//! # }
//! # #[cfg(feature = "openpgp")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
//! ```
//!
//! It speaks the JSON gateway that Omni's own web interface uses and signs each call with a key. Resources are data:
//! [`specs`] has a type for the spec of every kind in [`kinds`], and what a type does not know is kept and written
//! back. Each typed call has an untyped twin ([`Client::get_as`] and [`Client::get`]) that works with any
//! [`Resource`], kinds of your own included.
//!
//! # What is there
//!
//! | Call | State |
//! |---|---|
//! | [`Client::get`], [`Client::find`], [`Client::list`] with selectors, search, sorting and paging | replayed against a recorded server |
//! | [`Client::create`], [`Client::update`], [`Client::update_if_changed`], [`Client::modify`] | replayed |
//! | [`Client::teardown`], [`Client::delete`] | replayed |
//! | [`Client::watch`], with a fallback to listing behind proxies that buffer | replayed; the fallback is tested against a silent server |
//! | The same typed: [`Client::get_as`], [`Client::list_as`], [`Client::modify_as`], [`Client::watch_as`] and their like | 72 of 115 specs checked against recorded ones, the others against Omni's definitions |
//! | [`Selector`]: label selectors built, read, written and judged here | held to Omni's own cases |
//! | [`yaml`], [`spelling`]: documents as `omnictl` and as the API spell them | every recorded resource, both ways |
//! | [`Client::kubeconfig`], [`Client::oidc_kubeconfig`], [`Client::break_glass_kubeconfig`] | replayed |
//! | [`Client::talosconfig`], [`Client::break_glass_talosconfig`], [`Client::omniconfig`] | replayed |
//! | [`Client::service_accounts`] and making, renewing and destroying them, [`Client::users`] | replayed |
//! | [`Client::machine_join_config`], [`Client::create_join_token`] | replayed |
//! | [`Client::create_schematic`], [`Client::create_schematic_from_raw`], [`Client::boot_asset_url`] | replayed |
//! | [`Client::validate_config`], [`Client::validate_json_schema`] | replayed |
//! | [`Client::kubernetes_upgrade_pre_checks`], [`Client::preview_kubernetes_manifests`] | replayed; a preview that shows something is unproven |
//! | [`Client::machine_logs`], [`Client::audit_log`] | replayed; following them is not planned |
//! | [`Client::register_user_key`], [`Client::await_confirmation`]: login in a browser with a P-256 key | registration refused as recorded; signatures and key ids proven with the server's own verifier; the confirmation unproven |
//! | **Not yet** | |
//! | Making and changing users, support bundles, power, maintenance upgrades | |
//! | Reading without a signature what Omni shows to everybody (`AuthConfig`) | |
//! | **Never** | |
//! | Talos and Kubernetes runtimes through Omni: their own clients do that better | |
//! | Playing an infra provider: this API cannot take a finalizer off a request that is torn down | |
//! | What nobody may read: `ClusterSecrets`, `TalosConfigs`, `Kubeconfigs` and Omni's own state | |
//!
//! # Features
//!
//! | Feature | What it adds | Default |
//! |---|---|---|
//! | `openpgp` | Service-account keys, read and made. Without it, bring your own [`Signer`] | yes |
//! | `omniconfig` | The file in which `omnictl` keeps its contexts | yes |
//! | `yaml` | [`yaml`]: resources as YAML documents | yes |
//!
//! # Things to know
//!
//! - Times that signatures carry come from the injected clock. A server accepts five minutes of difference; a refusal
//!   says how large it was.
//! - Only reads, calls that give the same each time, teardown and delete are ever sent twice. Updates are guarded by
//!   the version that was read: where somebody was faster, they fail with [`Error::Conflict`].
//! - An update replaces labels, annotations and finalizers as a whole: change what was read, never build it anew.
//!   [`Client::modify`] and [`Client::modify_as`] do that.
//! - Dropping a call's future is safe for reads and watches. A write may have happened by then or not, as after a lost
//!   answer: read before writing again. A watch can be dropped between any two events.
//! - Everything is `Send + Sync`, and a [`Client`] is cheap to clone. Calls need a Tokio runtime with its timers.
//! - Tokens, patches, command lines and configs are [`specs::Secret`]: `Debug` shows neither them nor the spec of an
//!   untyped [`Resource`], and no error quotes what was received.
//! - `examples/list_machines.rs` and `examples/follow_machines.rs` are whole programs.

#![deny(missing_docs)]

mod client;
mod error;
pub mod kinds;
pub mod labels;
mod list;
mod login;
mod management;
#[cfg(feature = "omniconfig")]
pub mod omniconfig;
#[cfg(feature = "openpgp")]
mod openpgp;
#[cfg(feature = "openpgp")]
mod openpgp_key;
mod resource;
mod selector;
mod server;
mod service_account;
mod sign;
pub mod specs;
pub mod spelling;
mod typed;
mod update;
mod watch;
mod wire;
#[cfg(feature = "yaml")]
pub mod yaml;

pub use api_transport::{Clock, Fingerprint, Trust};
pub use client::{Client, ClientBuilder};
pub use error::{Error, rpc_text};
pub use list::{ListOptions, Page};
pub use login::{Login, UserKey, UserPublicKey};
pub use management::{
    AccountKey, AccountRole, AuditEvents, BootAsset, BootAssetKind, BootAssetUrl, GrantType,
    JoinConfig, JoinOptions, KubeconfigOptions, OidcOptions, PROVIDER_PREFIX, SchemaFinding,
    Schematic, SchematicOptions, ServiceAccount, SyncedManifest, TunnelMode, User, full_identity,
};
#[cfg(feature = "openpgp")]
pub use openpgp::OpenPgpSigner;
#[cfg(feature = "openpgp")]
pub use openpgp_key::NewKey;
pub use resource::{Event, Kind, Metadata, Phase, Resource};
pub use selector::{Selector, SelectorError, Selectors, Term, Test};
pub use server::{TESTED_API, TESTED_VERSIONS};
pub use service_account::{KeyError, ServiceAccountKey};
pub use sign::Signer;
pub use specs::Spec;
pub use typed::Typed;
pub use watch::{NoticeFn, WatchNotice, WatchOptions};
