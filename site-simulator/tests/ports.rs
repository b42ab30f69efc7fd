//! The hypervisor, gateway and DNS ports in memory, under a paused clock.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api_transport::TokioClock;
use bootstrap_core::ports::{Dns as _, Failure, Gateway as _, Hypervisor as _};
use proxmox_client::{MapEntry, PciDevice, PciMapping};
use serde_json::json;
use site_simulator::blueprint::{
    Blueprint, Faults, NetworkBlueprint, NodeBlueprint, ProviderBlueprint, Stranger,
};
use site_simulator::in_memory::dns::Resolver;
use site_simulator::in_memory::gateway::Unifi;
use site_simulator::in_memory::proxmox::Proxmox;
use site_simulator::world::proxmox::{Cluster, CreateVm};
use site_simulator::World;
use unifi_client::{ClientPatch, Mac, NewClient, NewDnsRecord, RecordType};

const PROVIDER: &str = "proxmox";
const NODE: &str = "pve1";
const GPU: &str = "0000:03:00.0";
const LIVE: Mac = Mac([2, 0, 0, 0, 0, 1]);
const GONE: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn gpu() -> PciDevice {
    PciDevice {
        address: GPU.to_owned(),
        class: "030000".to_owned(),
        id: "8086:56a6".to_owned(),
        subsystem_id: Some("172f:4019".to_owned()),
        iommu_group: Some(20),
        vendor_name: None,
        device_name: None,
        mdev: false,
    }
}

fn site(faults: Faults) -> Arc<World> {
    let node = |name: &str, pci: Vec<PciDevice>| NodeBlueprint {
        name: name.to_owned(),
        storages: vec!["local".to_owned()],
        memory_mib: 65_536,
        pci,
    };
    let stranger = |mac, ip, live| Stranger { mac, ip: Ipv4Addr::from(ip), live, reserved: false };
    let blueprint = Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: [172, 16, 8, 5].into(),
        talos_versions: Vec::new(),
        extensions: Vec::new(),
        providers: vec![ProviderBlueprint {
            id: PROVIDER.to_owned(),
            schema: json!({}),
            nodes: vec![node(NODE, vec![gpu()]), node("pve2", Vec::new())],
        }],
        networks: vec![NetworkBlueprint {
            name: "infra".to_owned(),
            subnet: "172.16.8.1/24".parse().unwrap(),
            vlan: None,
            dhcp: ([172, 16, 8, 100].into(), [172, 16, 8, 199].into()),
            bridges: vec!["vmbr0".to_owned()],
        }],
        dns_records: vec![("old.home.example".to_owned(), [172, 16, 8, 9].into())],
        upstream: vec!["1.1.1.1".to_owned()],
        strangers: vec![
            stranger(LIVE, [172, 16, 8, 31], true),
            stranger(GONE, [172, 16, 8, 32], false),
        ],
    };
    World::new(blueprint, 3, faults, Arc::new(TokioClock::real()))
}

fn cluster<T>(world: &World, f: impl FnOnce(&mut Cluster, Duration) -> T) -> T {
    world.act(|state, now| f(state.proxmox.get_mut(PROVIDER).unwrap(), now))
}

/// Makes a VM as the provider does, locked for half a second.
fn create(world: &World, name: &str, machine: Option<&str>) -> u32 {
    world.act(|state, now| {
        let cluster = state.proxmox.get_mut(PROVIDER).unwrap();
        let vmid = cluster.next_id();
        let vm = CreateVm {
            node: NODE.to_owned(),
            vmid,
            name: name.to_owned(),
            uuid: format!("0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d{vmid:04}"),
            tags: vec!["machine-request.workers".to_owned()],
            machine: machine.map(str::to_owned),
            bridges: vec![("vmbr0".to_owned(), None)],
            cores: 2,
            sockets: 1,
            memory_mib: 4096,
            disk_gb: 20,
            storage: "local".to_owned(),
            iso: "local:iso/talos.iso".to_owned(),
            ..CreateVm::default()
        };
        cluster.create_vm(now, &mut state.rng, vm, Duration::from_millis(500)).unwrap();
        vmid
    })
}

fn start(world: &World, vmid: u32) -> String {
    cluster(world, |cluster, now| cluster.start_vm(now, vmid, Duration::from_secs(1), true)).unwrap()
}

fn exit_of(world: &World, upid: &str) -> Option<String> {
    cluster(world, |cluster, _| cluster.task_status(upid)).unwrap().1
}

async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

fn mapping(id: &str, entries: &[&str]) -> PciMapping {
    let map = entries.iter().map(|entry| MapEntry::parse(entry)).collect();
    PciMapping { id: id.to_owned(), map, ..PciMapping::default() }
}

fn arc() -> PciMapping {
    mapping("arc", &["node=pve1,path=0000:03:00.0,id=8086:56a6,subsystem-id=172f:4019,iommugroup=20"])
}

#[tokio::test(start_paused = true)]
async fn a_device_attached_in_the_window_is_there_at_first_boot() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    port.create_pci_mapping(&arc()).await.unwrap();
    assert_eq!(port.create_pci_mapping(&arc()).await.unwrap_err().failure, Failure::Conflict);
    let vmid = create(&world, "w-1", Some("q35"));

    let stub = port.vm_config(NODE, vmid).await.unwrap();
    assert_eq!(stub.values.get("lock").map(String::as_str), Some("create"));
    let early = port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &stub.digest).await;
    assert_eq!(early.unwrap_err().failure, Failure::Locked);
    pass(0.6).await;
    let stale = port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &stub.digest).await;
    assert_eq!(stale.unwrap_err().failure, Failure::Conflict);

    let config = port.vm_config(NODE, vmid).await.unwrap();
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest).await.unwrap();
    cluster(&world, |cluster, now| {
        cluster.provider_writes_tags(vmid, now);
        cluster.provider_writes_cloud_init(vmid, now);
    });
    let upid = start(&world, vmid);
    pass(1.5).await;
    assert_eq!(exit_of(&world, &upid).as_deref(), Some("OK"));
    let devices = cluster(&world, |cluster, _| cluster.vm(vmid).unwrap().running_devices.clone());
    assert_eq!(devices, ["arc"]);
    let row = port.pending(NODE, vmid).await.unwrap().into_iter().find(|row| row.key == "hostpci0").unwrap();
    assert_eq!((row.value.as_deref(), row.pending), (Some("mapping=arc,pcie=1"), None));
    let config = port.vm_config_current(NODE, vmid).await.unwrap();
    assert!(config.values["boot"].ends_with("ide0") && config.values["tags"].contains("go-proxmox+cloud-init"));
}

#[tokio::test(start_paused = true)]
async fn a_write_during_the_start_waits_and_comes_too_late() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    port.create_pci_mapping(&arc()).await.unwrap();
    let vmid = create(&world, "w-1", Some("q35"));
    pass(0.6).await;
    let config = port.vm_config(NODE, vmid).await.unwrap();
    start(&world, vmid);
    let asked = tokio::time::Instant::now();
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_secs(1));
    let pending = |rows: Vec<proxmox_client::Pending>| rows.into_iter().find(|row| row.key == "hostpci0");
    let row = pending(port.pending(NODE, vmid).await.unwrap()).unwrap();
    assert_eq!((row.value, row.pending.as_deref()), (None, Some("mapping=arc,pcie=1")));
    assert_eq!(port.vm_config(NODE, vmid).await.unwrap().values.get("hostpci0"), Some(&"mapping=arc,pcie=1".to_owned()));
    assert_eq!(port.vm_config_current(NODE, vmid).await.unwrap().values.get("hostpci0"), None);
    port.revert_config(NODE, vmid, "hostpci0").await.unwrap();
    assert_eq!(pending(port.pending(NODE, vmid).await.unwrap()), None);
}

#[tokio::test(start_paused = true)]
async fn stalled_writes_miss_the_window() {
    let world = site(Faults { config_writes_stall_seconds: 5.0, ..Faults::default() });
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    port.create_pci_mapping(&arc()).await.unwrap();
    let vmid = create(&world, "w-1", Some("q35"));
    pass(0.6).await;
    let config = port.vm_config(NODE, vmid).await.unwrap();
    start(&world, vmid);
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest).await.unwrap();
    let rows = port.pending(NODE, vmid).await.unwrap();
    assert!(rows.iter().any(|row| row.key == "hostpci0" && row.pending.is_some()));
}

#[tokio::test(start_paused = true)]
async fn starts_fail_for_their_cause() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let wrong = "node=pve1,path=0000:03:00.0,id=8086:56a6,subsystem-id=172f:4019,iommugroup=99";
    for made in [arc(), mapping("elsewhere", &["node=pve2,path=0000:03:00.0,id=8086:56a6"]), mapping("stale", &[wrong])] {
        port.create_pci_mapping(&made).await.unwrap();
    }
    let checks = port.pci_mappings(Some(NODE)).await.unwrap();
    let severities: Vec<_> = checks.iter().map(|m| (m.id.as_str(), m.checks.first().map(|(s, _)| s.as_str()))).collect();
    assert_eq!(severities, [("arc", None), ("elsewhere", Some("warning")), ("stale", Some("error"))]);

    let holder = create(&world, "holder", Some("q35"));
    cluster(&world, |cluster, _| cluster.set_by_hand(holder, "hostpci0", ""));
    pass(0.6).await;
    cluster(&world, |cluster, _| cluster.set_by_hand(holder, "hostpci0", "host=0000:03:00"));
    start(&world, holder);
    pass(2.0).await;
    let cases = [
        (Some("q35"), "mapping=nosuch", "PCI device mapping not found for 'nosuch'"),
        (Some("q35"), "mapping=elsewhere", "PCI device mapping not found for 'elsewhere'"),
        (Some("q35"), "mapping=stale", "'iommugroup' does not match for 'stale' (20 != 99)"),
        (None, "mapping=arc,pcie=1", "q35 machine model is not enabled"),
        (Some("q35"), "mapping=arc,pcie=1", "PCI device '0000:03:00.0' already in use by VMID '100'"),
    ];
    for (machine, value, text) in cases {
        let vmid = create(&world, "w", machine);
        pass(0.6).await;
        let digest = port.vm_config(NODE, vmid).await.unwrap().digest;
        port.set_config(NODE, vmid, "hostpci0", value, &digest).await.unwrap();
        let upid = start(&world, vmid);
        pass(2.0).await;
        let exit = exit_of(&world, &upid).unwrap();
        assert!(exit.contains(text), "{value}: {exit}");
        assert_eq!(port.vm_status(NODE, vmid).await.unwrap().status, "stopped");
        let newest = port.recent_tasks(NODE, vmid).await.unwrap().remove(0);
        assert_eq!((newest.kind.as_str(), newest.exit_status), ("qmstart", Some(exit)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reused_vmid_shows_its_dead_holder_for_a_while() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "first", None);
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!((row.name, row.status.as_str(), row.lock.as_deref()), (None, "unknown", Some("create")));
    pass(1.0).await;
    start(&world, vmid);
    pass(12.0).await;
    cluster(&world, |cluster, now| cluster.stop_vm(now, vmid, Duration::from_millis(100))).unwrap();
    pass(1.0).await;
    cluster(&world, |cluster, now| cluster.destroy_vm(now, vmid, Duration::from_millis(100))).unwrap();
    pass(1.0).await;
    assert_eq!(port.vms().await.unwrap(), []);
    assert_eq!(create(&world, "second", None), vmid);
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!((row.name.as_deref(), row.status.as_str(), row.lock.as_deref()), (Some("first"), "running", Some("create")));
    pass(11.0).await;
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!((row.name.as_deref(), row.status.as_str(), row.lock), (Some("second"), "stopped", None));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_with_the_guest_or_with_its_timeout() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "w-1", None);
    pass(0.6).await;
    start(&world, vmid);
    pass(2.0).await;
    let hurried = port.shutdown(NODE, vmid, Duration::from_secs(1)).await.unwrap();
    pass(2.0).await;
    let exit = port.task(&hurried).await.unwrap().exit_status;
    assert_eq!(exit.as_deref(), Some("VM quit/powerdown failed - got timeout"));
    assert_eq!(port.vm_status(NODE, vmid).await.unwrap().status, "running");
    pass(60.0).await;
    start(&world, vmid);
    pass(3.0).await;

    let heard = port.shutdown(NODE, vmid, Duration::from_secs(60)).await.unwrap();
    pass(60.0).await;
    assert_eq!(port.task(&heard).await.unwrap().exit_status.as_deref(), Some("OK"));
    assert_eq!(port.vm_status(NODE, vmid).await.unwrap().status, "stopped");
}

#[tokio::test(start_paused = true)]
async fn refusals_have_their_kind() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let reader = Proxmox::reader(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "w-1", None);
    pass(0.6).await;
    let digest = port.vm_config(NODE, vmid).await.unwrap().digest;
    let set = |port: Proxmox, key: &'static str, value: &'static str| {
        let digest = digest.clone();
        async move { port.set_config(NODE, vmid, key, value, &digest).await.unwrap_err().failure }
    };
    assert_eq!(set(reader.clone(), "hostpci0", "mapping=arc").await, Failure::Denied);
    assert_eq!(set(port.clone(), "hostpci0", "host=0000:03:00.0").await, Failure::Denied);
    assert_eq!(set(port.clone(), "hostpci0", "mapping=arc,pcie=perhaps").await, Failure::Invalid);
    assert_eq!(set(port.clone(), "hostpci16", "mapping=arc").await, Failure::Invalid);
    assert_eq!(port.vm_config("pve2", vmid).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(reader.start(NODE, vmid).await.unwrap_err().failure, Failure::Denied);
    assert_eq!(reader.create_pci_mapping(&arc()).await.unwrap_err().failure, Failure::Denied);
}

fn reservation(mac: Mac, host: u8, network_id: &str) -> NewClient {
    NewClient {
        mac,
        name: None,
        note: Some("mark".to_owned()),
        fixed_ip: [172, 16, 8, host].into(),
        network_id: network_id.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_counts_at_the_next_exchange() {
    let world = site(Faults::default());
    let port = Unifi::new(Arc::clone(&world));
    let network = port.networks().await.unwrap().remove(0).id;
    let mac = Mac([0xbc, 0x24, 0x11, 0, 0, 1]);
    let exchange = || {
        world.act(|state, now| state.gateway.dhcp_exchange(now, &mut state.log, mac, "vmbr0", "w-1").unwrap())
    };
    let dynamic = exchange();
    assert!(dynamic >= Ipv4Addr::new(172, 16, 8, 100));
    // The gateway has seen it, so there is a record already.
    let known = port.create_client(&reservation(mac, 21, &network)).await.unwrap_err();
    assert_eq!(known.failure, Failure::Conflict);
    let record = port.client_record(mac).await.unwrap().unwrap();
    let patch = |ip: Option<[u8; 4]>| ClientPatch { fixed_ip: Some(ip.map(Ipv4Addr::from)), ..ClientPatch::default() };
    port.update_client(&record.id, mac, &patch(Some([172, 16, 8, 21]))).await.unwrap();
    let lease = |leases: Vec<unifi_client::Lease>| leases.into_iter().find(|lease| lease.mac == mac).map(|lease| lease.ip);
    assert_eq!(lease(port.leases().await.unwrap()), Some(dynamic));
    assert_eq!(exchange(), Ipv4Addr::new(172, 16, 8, 21));
    world.act(|state, _| state.gateway.goes_offline(mac));
    pass(80_000.0).await;
    assert_eq!(lease(port.leases().await.unwrap()), Some(Ipv4Addr::new(172, 16, 8, 21)));
    pass(7_000.0).await;
    assert_eq!(lease(port.leases().await.unwrap()), None);
    port.update_client(&record.id, mac, &patch(None)).await.unwrap();
    let cleared = port.client_record(mac).await.unwrap().unwrap();
    assert_eq!((cleared.use_fixed_ip, cleared.fixed_ip), (false, None));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_leased_goes_to_nobody_else() {
    let world = site(Faults::default());
    let port = Unifi::new(Arc::clone(&world));
    let network = port.networks().await.unwrap().remove(0).id;
    let (first, second) = (Mac([0xbc, 0x24, 0x11, 0, 0, 1]), Mac([0xbc, 0x24, 0x11, 0, 0, 2]));
    let exchange = |mac| {
        world.act(|state, now| state.gateway.dhcp_exchange(now, &mut state.log, mac, "vmbr0", "").unwrap())
    };
    port.create_client(&reservation(first, 31, &network)).await.unwrap();
    assert_ne!(exchange(first), Ipv4Addr::new(172, 16, 8, 31), "leased to a stranger");
    port.create_client(&reservation(second, 32, &network)).await.unwrap();
    assert_eq!(exchange(second), Ipv4Addr::new(172, 16, 8, 32), "its earlier holder is long gone");
    let taken = port.create_client(&reservation(Mac([0xbc, 0x24, 0x11, 0, 0, 3]), 32, &network)).await.unwrap_err();
    assert_eq!(taken.failure, Failure::Conflict);
    let outside = NewClient { fixed_ip: [10, 0, 0, 1].into(), ..reservation(Mac([0xbc, 0x24, 0x11, 0, 0, 3]), 33, &network) };
    assert_eq!(port.create_client(&outside).await.unwrap_err().failure, Failure::Invalid);
    let reader = Unifi::reader(Arc::clone(&world));
    assert_eq!(reader.create_client(&outside).await.unwrap_err().failure, Failure::Denied);
    assert_eq!(reader.site().await.unwrap().role.as_deref(), Some("readonly"));
    let past = port.past_clients().await.unwrap();
    assert!(past.iter().any(|client| client.mac == GONE && client.last_ip == Some([172, 16, 8, 32].into())));
    assert!(port.active_clients().await.unwrap().iter().any(|client| client.mac == LIVE));
}

#[tokio::test(start_paused = true)]
async fn a_dns_write_is_served_after_a_gap() {
    let world = site(Faults::default());
    let (port, dns) = (Unifi::new(Arc::clone(&world)), Resolver::new(Arc::clone(&world)));
    let record = |kind: RecordType, value: &str| NewDnsRecord {
        name: "omni.home.example".to_owned(),
        record_type: kind,
        value: value.to_owned(),
        ttl: 0,
    };
    port.create_dns_record(&record(RecordType::A, "172.16.8.5")).await.unwrap();
    let again = port.create_dns_record(&record(RecordType::A, "172.16.8.5")).await.unwrap_err();
    assert_eq!(again.failure, Failure::Conflict);
    let alias = port.create_dns_record(&record(RecordType::Cname, "other.home.example")).await.unwrap_err();
    assert_eq!(alias.failure, Failure::Conflict);
    let bad = port.create_dns_record(&record(RecordType::A, "300.1.1.1")).await.unwrap_err();
    assert_eq!(bad.failure, Failure::Invalid);
    let (mut gap, mut served_at) = (0, None);
    for tenth in 0..100 {
        let old = dns.lookup("OLD.home.example.", &RecordType::A).await.unwrap();
        let new = dns.lookup("omni.home.example", &RecordType::A).await.unwrap();
        gap += usize::from(old.is_empty());
        if served_at.is_none() && new == ["172.16.8.5"] {
            served_at = Some(tenth);
        }
        pass(0.1).await;
    }
    assert!((10..=20).contains(&gap), "no answers for {gap} tenths of a second");
    assert!(served_at.is_some_and(|tenth| (45..=65).contains(&tenth)), "{served_at:?}");
    world.act(|state, _| state.faults.dns_not_served = true);
    assert_eq!(dns.lookup("omni.home.example", &RecordType::A).await.unwrap(), Vec::<String>::new());
}
