//! Ports that count writes and let the caller die, or lose an answer, at a chosen one.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bootstrap_core::ports::{
    Failure, Gateway, Hypervisor, Omni, PortError, PortResult, Ports, System,
};
use futures_util::stream::BoxStream;
use omni_client::{Event, Kind, Resource};
use proxmox_client::{
    Node, PciDevice, PciMapping, Pending, Permissions, TaskStatus, Upid, VmConfig, VmRow, VmStatus,
};
use secrecy::SecretString;
use tokio::sync::watch;
use unifi_client::{
    ActiveClient, ClientPatch, ClientRecord, DnsRecord, Lease, Mac, Network, NewClient,
    NewDnsRecord, PastClient, Site, Upstream,
};

/// What happens at the n-th write of a run, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Nothing.
    Never,
    /// The caller dies before the write is sent.
    Before(usize),
    /// The caller dies when the write has had its effect.
    After(usize),
    /// The write has its effect, its answer is lost.
    Lost(usize),
}

/// One run's ports go through one of these.
#[derive(Debug)]
pub(crate) struct Tripwire {
    point: Point,
    writes: Mutex<Vec<String>>,
    tripped: watch::Sender<bool>,
}

impl Tripwire {
    pub(crate) fn at(point: Point) -> Arc<Self> {
        Arc::new(Self {
            point,
            writes: Mutex::default(),
            tripped: watch::Sender::new(false),
        })
    }

    /// Comes when the caller is to die.
    pub(crate) async fn death(&self) {
        let mut tripped = self.tripped.subscribe();
        if tripped.wait_for(|tripped| *tripped).await.is_err() {
            pending::<()>().await;
        }
    }

    /// Names of the writes so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn dead(&self) {
        self.tripped.send_replace(true);
        pending::<()>().await;
    }

    async fn write<T>(
        &self,
        name: String,
        effect: impl Future<Output = PortResult<T>>,
        system: System,
    ) -> PortResult<T> {
        if *self.tripped.borrow() {
            pending::<()>().await;
        }
        let number = {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.push(name);
            writes.len()
        };
        if self.point == Point::Before(number) {
            self.dead().await;
        }
        let answer = effect.await;
        if self.point == Point::After(number) {
            self.dead().await;
        }
        if self.point == Point::Lost(number) {
            return Err(PortError::new(
                system,
                Failure::Unreachable,
                "the connection was closed before the answer came".to_owned(),
            ));
        }
        answer
    }

    /// Omni through this wire.
    pub(crate) fn omni(self: &Arc<Self>, port: &Arc<dyn Omni>) -> Arc<dyn Omni> {
        Arc::new(Wired {
            wire: Arc::clone(self),
            port: Arc::clone(port),
            provider: String::new(),
        })
    }

    /// These ports through this wire.
    pub(crate) fn wire(self: &Arc<Self>, ports: &Ports) -> Ports {
        Ports {
            omni: self.omni(&ports.omni),
            hypervisors: ports
                .hypervisors
                .iter()
                .map(|(id, port)| {
                    let wired = Wired {
                        wire: Arc::clone(self),
                        port: Arc::clone(port),
                        provider: id.clone(),
                    };
                    (id.clone(), Arc::new(wired) as Arc<dyn Hypervisor>)
                })
                .collect(),
            gateway: ports.gateway.as_ref().map(|port| {
                Arc::new(Wired {
                    wire: Arc::clone(self),
                    port: Arc::clone(port),
                    provider: String::new(),
                }) as Arc<dyn Gateway>
            }),
            ..ports.clone()
        }
    }
}

struct Wired<P: ?Sized> {
    wire: Arc<Tripwire>,
    port: Arc<P>,
    provider: String,
}

#[async_trait]
impl Omni for Wired<dyn Omni> {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        self.port.get(kind, id).await
    }
    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        self.port.list(kind, selector).await
    }
    async fn create(&self, resource: &Resource) -> PortResult<()> {
        let name = format!("create {} {}", resource.metadata.kind, resource.metadata.id);
        self.wire
            .write(name, self.port.create(resource), System::Omni)
            .await
    }
    async fn update(&self, resource: &Resource) -> PortResult<()> {
        let name = format!("update {} {}", resource.metadata.kind, resource.metadata.id);
        self.wire
            .write(name, self.port.update(resource), System::Omni)
            .await
    }
    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        self.wire
            .write(
                format!("teardown {id}"),
                self.port.teardown(kind, id),
                System::Omni,
            )
            .await
    }
    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        self.port.watch(kind).await
    }
    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        self.port.watch_matching(kind, selector).await
    }
    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        self.port.kubeconfig(cluster).await
    }
}

impl Wired<dyn Hypervisor> {
    fn system(&self) -> System {
        System::Proxmox(self.provider.clone())
    }
}

#[async_trait]
impl Hypervisor for Wired<dyn Hypervisor> {
    async fn nodes(&self) -> PortResult<Vec<Node>> {
        self.port.nodes().await
    }
    async fn vms(&self) -> PortResult<Vec<VmRow>> {
        self.port.vms().await
    }
    async fn vm_config(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.port.vm_config(node, vmid).await
    }
    async fn vm_config_current(&self, node: &str, vmid: u32) -> PortResult<VmConfig> {
        self.port.vm_config_current(node, vmid).await
    }
    async fn set_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        value: &str,
        digest: &str,
    ) -> PortResult<()> {
        let effect = self.port.set_config(node, vmid, key, value, digest);
        self.wire
            .write(format!("set {vmid} {key}"), effect, self.system())
            .await
    }
    async fn delete_config(
        &self,
        node: &str,
        vmid: u32,
        key: &str,
        digest: &str,
    ) -> PortResult<()> {
        let effect = self.port.delete_config(node, vmid, key, digest);
        self.wire
            .write(format!("delete {vmid} {key}"), effect, self.system())
            .await
    }
    async fn revert_config(&self, node: &str, vmid: u32, key: &str) -> PortResult<()> {
        let effect = self.port.revert_config(node, vmid, key);
        self.wire
            .write(format!("revert {vmid} {key}"), effect, self.system())
            .await
    }
    async fn pending(&self, node: &str, vmid: u32) -> PortResult<Vec<Pending>> {
        self.port.pending(node, vmid).await
    }
    async fn vm_status(&self, node: &str, vmid: u32) -> PortResult<VmStatus> {
        self.port.vm_status(node, vmid).await
    }
    async fn start(&self, node: &str, vmid: u32) -> PortResult<Upid> {
        self.wire
            .write(
                format!("start {vmid}"),
                self.port.start(node, vmid),
                self.system(),
            )
            .await
    }
    async fn shutdown(&self, node: &str, vmid: u32, timeout: Duration) -> PortResult<Upid> {
        let effect = self.port.shutdown(node, vmid, timeout);
        self.wire
            .write(format!("shutdown {vmid}"), effect, self.system())
            .await
    }
    async fn task(&self, upid: &Upid) -> PortResult<TaskStatus> {
        self.port.task(upid).await
    }
    async fn recent_tasks(&self, node: &str, vmid: u32) -> PortResult<Vec<TaskStatus>> {
        self.port.recent_tasks(node, vmid).await
    }
    async fn pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.port.pci_devices(node).await
    }
    async fn all_pci_devices(&self, node: &str) -> PortResult<Vec<PciDevice>> {
        self.port.all_pci_devices(node).await
    }
    async fn pci_mappings(&self, check_node: Option<&str>) -> PortResult<Vec<PciMapping>> {
        self.port.pci_mappings(check_node).await
    }
    async fn create_pci_mapping(&self, mapping: &PciMapping) -> PortResult<()> {
        let effect = self.port.create_pci_mapping(mapping);
        self.wire
            .write(
                format!("create mapping {}", mapping.id),
                effect,
                self.system(),
            )
            .await
    }
    async fn permissions(&self, path: &str) -> PortResult<Permissions> {
        self.port.permissions(path).await
    }
}

#[async_trait]
impl Gateway for Wired<dyn Gateway> {
    async fn site(&self) -> PortResult<Site> {
        self.port.site().await
    }
    async fn networks(&self) -> PortResult<Vec<Network>> {
        self.port.networks().await
    }
    async fn upstream(&self) -> PortResult<Upstream> {
        self.port.upstream().await
    }
    async fn client_records(&self) -> PortResult<Vec<ClientRecord>> {
        self.port.client_records().await
    }
    async fn client_record(&self, mac: Mac) -> PortResult<Option<ClientRecord>> {
        self.port.client_record(mac).await
    }
    async fn active_clients(&self) -> PortResult<Vec<ActiveClient>> {
        self.port.active_clients().await
    }
    async fn leases(&self) -> PortResult<Vec<Lease>> {
        self.port.leases().await
    }
    async fn past_clients(&self) -> PortResult<Vec<PastClient>> {
        self.port.past_clients().await
    }
    async fn create_client(&self, client: &NewClient) -> PortResult<()> {
        let name = format!("create client {}", client.mac);
        self.wire
            .write(name, self.port.create_client(client), System::Unifi)
            .await
    }
    async fn update_client(&self, id: &str, mac: Mac, patch: &ClientPatch) -> PortResult<()> {
        let effect = self.port.update_client(id, mac, patch);
        self.wire
            .write(format!("update client {mac}"), effect, System::Unifi)
            .await
    }
    async fn dns_records(&self) -> PortResult<Vec<DnsRecord>> {
        self.port.dns_records().await
    }
    async fn create_dns_record(&self, record: &NewDnsRecord) -> PortResult<()> {
        let effect = self.port.create_dns_record(record);
        self.wire
            .write(format!("create dns {}", record.name), effect, System::Unifi)
            .await
    }
    async fn update_dns_record(&self, id: &str, record: &NewDnsRecord) -> PortResult<()> {
        let effect = self.port.update_dns_record(id, record);
        self.wire
            .write(format!("update dns {}", record.name), effect, System::Unifi)
            .await
    }
    async fn delete_dns_record(&self, id: &str) -> PortResult<()> {
        let effect = self.port.delete_dns_record(id);
        self.wire
            .write(format!("delete dns {id}"), effect, System::Unifi)
            .await
    }
}
