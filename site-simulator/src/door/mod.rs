//! The site over HTTPS on loopback, speaking what the real systems speak, under a private CA.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api_transport::Fingerprint;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Error, World};

pub mod dns;
mod faults;
pub mod http;
pub mod omni;
pub mod proxmox;
mod server;
mod tls;
pub mod unifi;

use server::System;

/// Requests by system.
type Counters = BTreeMap<String, Arc<AtomicU64>>;

/// Open doors. They close when this is dropped.
#[derive(Debug)]
pub struct Doors {
    /// URL of Omni.
    pub omni: String,
    /// URLs of Proxmox by provider id.
    pub proxmox: BTreeMap<String, String>,
    /// URL of the gateway.
    pub unifi: String,
    /// The gateway's resolver, UDP.
    pub dns: SocketAddr,
    /// The private CA, PEM.
    pub ca_pem: String,
    /// Certificates by system: `omni`, `proxmox:<provider>`, `unifi`.
    pub fingerprints: BTreeMap<String, Fingerprint>,
    counters: Counters,
    tasks: Vec<JoinHandle<()>>,
}

impl Doors {
    /// Requests that arrived so far: `omni`, `proxmox:<provider>`, `unifi`, `dns`.
    pub fn request_counts(&self) -> BTreeMap<String, u64> {
        self.counters
            .iter()
            .map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed)))
            .collect()
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl World {
    /// Opens a door for each system and keeps the world going while they are open.
    pub async fn serve(self: &Arc<Self>) -> Result<Doors, Error> {
        self.keys()
            .map_err(|reason| Error::Keys(reason.to_owned()))?;
        let authority = tls::Authority::new(self.look(|state| state.blueprint.omni_name.clone()))?;
        let mut doors = Doors {
            omni: String::new(),
            proxmox: BTreeMap::new(),
            unifi: String::new(),
            dns: SocketAddr::from(([127, 0, 0, 1], 0)),
            ca_pem: authority.pem(),
            fingerprints: BTreeMap::new(),
            counters: Counters::new(),
            tasks: vec![tokio::spawn(Arc::clone(self).run())],
        };
        doors.omni = self.open(&authority, System::Omni, &mut doors).await?;
        let providers: Vec<String> = self.look(|state| state.proxmox.keys().cloned().collect());
        for provider in providers {
            let url = self
                .open(&authority, System::Proxmox(provider.clone()), &mut doors)
                .await?;
            doors.proxmox.insert(provider, url);
        }
        doors.unifi = self.open(&authority, System::Unifi, &mut doors).await?;
        self.open_dns(&mut doors).await?;
        Ok(doors)
    }

    async fn open(
        self: &Arc<Self>,
        authority: &tls::Authority,
        system: System,
        doors: &mut Doors,
    ) -> Result<String, Error> {
        let (acceptor, fingerprint) = authority.issue()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let counter = Arc::new(AtomicU64::new(0));
        let name = system.name();
        doors.fingerprints.insert(name.clone(), fingerprint);
        doors.counters.insert(name, Arc::clone(&counter));
        let door = server::Door {
            world: Arc::clone(self),
            system,
            counter,
        };
        doors
            .tasks
            .push(tokio::spawn(server::listen(door, listener, acceptor)));
        Ok(format!("https://{address}"))
    }

    async fn open_dns(self: &Arc<Self>, doors: &mut Doors) -> Result<(), Error> {
        let (socket, address) = dns::bind().await.map_err(Error::Listen)?;
        doors.dns = address;
        let counter = Arc::new(AtomicU64::new(0));
        doors
            .counters
            .insert("dns".to_owned(), Arc::clone(&counter));
        let world = Arc::clone(self);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        doors.tasks.push(tokio::spawn(async move {
            // The socket failing means nobody can ask any more; callers see timeouts.
            drop(dns::serve(world, socket, count).await);
        }));
        Ok(())
    }
}
