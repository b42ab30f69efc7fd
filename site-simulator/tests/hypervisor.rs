//! The hypervisor port in memory, under a paused clock.
#![allow(clippy::unwrap_used)] // helpers of tests stop like tests

mod site;

use std::sync::Arc;
use std::time::Duration;

use bootstrap_core::ports::{Failure, Hypervisor as _};
use proxmox_client::{MapEntry, PciMapping};
use site::{NODE, PROVIDER, pass, site};
use site_simulator::in_memory::proxmox::Proxmox;
use site_simulator::world::proxmox::{Cluster, CreateVm};
use site_simulator::{Faults, World};

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
        cluster
            .create_vm(now, &mut state.rng, vm, Duration::from_millis(500))
            .unwrap();
        vmid
    })
}

fn start(world: &World, vmid: u32) -> String {
    cluster(world, |cluster, now| {
        cluster.start_vm(now, vmid, Duration::from_secs(1), true)
    })
    .unwrap()
}

fn exit_of(world: &World, upid: &str) -> Option<String> {
    cluster(world, |cluster, _| cluster.task_status(upid))
        .unwrap()
        .1
}

fn mapping(id: &str, entries: &[&str]) -> PciMapping {
    let map = entries.iter().map(|entry| MapEntry::parse(entry)).collect();
    PciMapping {
        id: id.to_owned(),
        map,
        ..PciMapping::default()
    }
}

fn arc() -> PciMapping {
    mapping(
        "arc",
        &["node=pve1,path=0000:03:00.0,id=8086:56a6,subsystem-id=172f:4019,iommugroup=20"],
    )
}

#[tokio::test(start_paused = true)]
async fn a_device_attached_in_the_window_is_there_at_first_boot() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    port.create_pci_mapping(&arc()).await.unwrap();
    assert_eq!(
        port.create_pci_mapping(&arc()).await.unwrap_err().failure,
        Failure::Conflict
    );
    let vmid = create(&world, "w-1", Some("q35"));

    let stub = port.vm_config(NODE, vmid).await.unwrap();
    assert_eq!(stub.values.get("lock").map(String::as_str), Some("create"));
    let early = port
        .set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &stub.digest)
        .await;
    assert_eq!(early.unwrap_err().failure, Failure::Locked);
    pass(0.6).await;
    let stale = port
        .set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &stub.digest)
        .await;
    assert_eq!(stale.unwrap_err().failure, Failure::Conflict);

    let config = port.vm_config(NODE, vmid).await.unwrap();
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest)
        .await
        .unwrap();
    cluster(&world, |cluster, now| {
        cluster.provider_writes_tags(vmid, now);
        cluster.provider_writes_cloud_init(vmid, now);
    });
    let upid = start(&world, vmid);
    pass(1.5).await;
    assert_eq!(exit_of(&world, &upid).as_deref(), Some("OK"));
    let devices = cluster(&world, |cluster, _| {
        cluster.vm(vmid).unwrap().running_devices.clone()
    });
    assert_eq!(devices, ["arc"]);
    let row = port
        .pending(NODE, vmid)
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.key == "hostpci0")
        .unwrap();
    assert_eq!(
        (row.value.as_deref(), row.pending),
        (Some("mapping=arc,pcie=1"), None)
    );
    let config = port.vm_config_current(NODE, vmid).await.unwrap();
    assert!(
        config.values["boot"].ends_with("ide0")
            && config.values["tags"].contains("go-proxmox+cloud-init")
    );
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
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest)
        .await
        .unwrap();
    assert!(asked.elapsed() >= Duration::from_secs(1));
    let pending =
        |rows: Vec<proxmox_client::Pending>| rows.into_iter().find(|row| row.key == "hostpci0");
    let row = pending(port.pending(NODE, vmid).await.unwrap()).unwrap();
    assert_eq!(
        (row.value, row.pending.as_deref()),
        (None, Some("mapping=arc,pcie=1"))
    );
    assert_eq!(
        port.vm_config(NODE, vmid)
            .await
            .unwrap()
            .values
            .get("hostpci0"),
        Some(&"mapping=arc,pcie=1".to_owned())
    );
    assert_eq!(
        port.vm_config_current(NODE, vmid)
            .await
            .unwrap()
            .values
            .get("hostpci0"),
        None
    );
    port.revert_config(NODE, vmid, "hostpci0").await.unwrap();
    assert_eq!(pending(port.pending(NODE, vmid).await.unwrap()), None);
}

#[tokio::test(start_paused = true)]
async fn stalled_writes_miss_the_window() {
    let world = site(Faults {
        config_writes_stall_seconds: 5.0,
        ..Faults::default()
    });
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    port.create_pci_mapping(&arc()).await.unwrap();
    let vmid = create(&world, "w-1", Some("q35"));
    pass(0.6).await;
    let config = port.vm_config(NODE, vmid).await.unwrap();
    start(&world, vmid);
    port.set_config(NODE, vmid, "hostpci0", "mapping=arc,pcie=1", &config.digest)
        .await
        .unwrap();
    let rows = port.pending(NODE, vmid).await.unwrap();
    assert!(
        rows.iter()
            .any(|row| row.key == "hostpci0" && row.pending.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn starts_fail_for_their_cause() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let wrong = "node=pve1,path=0000:03:00.0,id=8086:56a6,subsystem-id=172f:4019,iommugroup=99";
    for made in [
        arc(),
        mapping("elsewhere", &["node=pve2,path=0000:03:00.0,id=8086:56a6"]),
        mapping("stale", &[wrong]),
    ] {
        port.create_pci_mapping(&made).await.unwrap();
    }
    let checks = port.pci_mappings(Some(NODE)).await.unwrap();
    let severities: Vec<_> = checks
        .iter()
        .map(|m| (m.id.as_str(), m.checks.first().map(|(s, _)| s.as_str())))
        .collect();
    assert_eq!(
        severities,
        [
            ("arc", None),
            ("elsewhere", Some("warning")),
            ("stale", Some("error"))
        ]
    );

    let holder = create(&world, "holder", Some("q35"));
    cluster(&world, |cluster, _| {
        cluster.set_by_hand(holder, "hostpci0", "");
    });
    pass(0.6).await;
    cluster(&world, |cluster, _| {
        cluster.set_by_hand(holder, "hostpci0", "host=0000:03:00");
    });
    start(&world, holder);
    pass(2.0).await;
    let cases = [
        (
            Some("q35"),
            "mapping=nosuch",
            "PCI device mapping not found for 'nosuch'",
        ),
        (
            Some("q35"),
            "mapping=elsewhere",
            "PCI device mapping not found for 'elsewhere'",
        ),
        (
            Some("q35"),
            "mapping=stale",
            "'iommugroup' does not match for 'stale' (20 != 99)",
        ),
        (
            None,
            "mapping=arc,pcie=1",
            "q35 machine model is not enabled",
        ),
        (
            Some("q35"),
            "mapping=arc,pcie=1",
            "PCI device '0000:03:00.0' already in use by VMID '100'",
        ),
    ];
    for (machine, value, text) in cases {
        let vmid = create(&world, "w", machine);
        pass(0.6).await;
        let digest = port.vm_config(NODE, vmid).await.unwrap().digest;
        port.set_config(NODE, vmid, "hostpci0", value, &digest)
            .await
            .unwrap();
        let upid = start(&world, vmid);
        pass(2.0).await;
        let exit = exit_of(&world, &upid).unwrap();
        assert!(exit.contains(text), "{value}: {exit}");
        assert_eq!(port.vm_status(NODE, vmid).await.unwrap().status, "stopped");
        let newest = port.recent_tasks(NODE, vmid).await.unwrap().remove(0);
        assert_eq!(
            (newest.kind.as_str(), newest.exit_status),
            ("qmstart", Some(exit))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reused_vmid_shows_its_dead_holder_for_a_while() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "first", None);
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!(
        (row.name, row.status.as_str(), row.lock.as_deref()),
        (None, "unknown", Some("create"))
    );
    pass(1.0).await;
    start(&world, vmid);
    pass(12.0).await;
    cluster(&world, |cluster, now| {
        cluster.stop_vm(now, vmid, Duration::from_millis(100))
    })
    .unwrap();
    pass(1.0).await;
    cluster(&world, |cluster, now| {
        cluster.destroy_vm(now, vmid, Duration::from_millis(100))
    })
    .unwrap();
    pass(1.0).await;
    assert_eq!(port.vms().await.unwrap(), []);
    assert_eq!(create(&world, "second", None), vmid);
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!(
        (
            row.name.as_deref(),
            row.status.as_str(),
            row.lock.as_deref()
        ),
        (Some("first"), "running", Some("create"))
    );
    pass(11.0).await;
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!(
        (row.name.as_deref(), row.status.as_str(), row.lock),
        (Some("second"), "stopped", None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_with_the_guest_or_with_its_timeout() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "w-1", None);
    pass(0.6).await;
    start(&world, vmid);
    pass(2.0).await;
    let hurried = port
        .shutdown(NODE, vmid, Duration::from_secs(1))
        .await
        .unwrap();
    pass(2.0).await;
    let exit = port.task(&hurried).await.unwrap().exit_status;
    assert_eq!(
        exit.as_deref(),
        Some("VM quit/powerdown failed - got timeout")
    );
    assert_eq!(port.vm_status(NODE, vmid).await.unwrap().status, "running");
    pass(60.0).await;
    start(&world, vmid);
    pass(3.0).await;

    let heard = port
        .shutdown(NODE, vmid, Duration::from_mins(1))
        .await
        .unwrap();
    pass(60.0).await;
    assert_eq!(
        port.task(&heard).await.unwrap().exit_status.as_deref(),
        Some("OK")
    );
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
        async move {
            port.set_config(NODE, vmid, key, value, &digest)
                .await
                .unwrap_err()
                .failure
        }
    };
    assert_eq!(
        set(reader.clone(), "hostpci0", "mapping=arc").await,
        Failure::Denied
    );
    assert_eq!(
        set(port.clone(), "hostpci0", "host=0000:03:00.0").await,
        Failure::Denied
    );
    assert_eq!(
        set(port.clone(), "hostpci0", "mapping=arc,pcie=perhaps").await,
        Failure::Invalid
    );
    assert_eq!(
        set(port.clone(), "hostpci16", "mapping=arc").await,
        Failure::Invalid
    );
    assert_eq!(
        port.vm_config("pve2", vmid).await.unwrap_err().failure,
        Failure::NotFound
    );
    assert_eq!(
        reader.start(NODE, vmid).await.unwrap_err().failure,
        Failure::Denied
    );
    assert_eq!(
        reader.create_pci_mapping(&arc()).await.unwrap_err().failure,
        Failure::Denied
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_down_hides_its_own_guests_only() {
    let world = site(Faults::default());
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let vmid = create(&world, "w-1", None);
    cluster(&world, |cluster, _| {
        cluster.set_unreachable(NODE, Some((595, "No route to host")));
    });
    pass(11.0).await;
    assert_eq!(
        port.vm_config(NODE, vmid).await.unwrap_err().failure,
        Failure::Unreachable
    );
    assert_eq!(
        port.pci_mappings(Some(NODE)).await.unwrap_err().failure,
        Failure::Unreachable
    );
    let row = port.vms().await.unwrap().remove(0);
    assert_eq!((row.name, row.status.as_str()), (None, "unknown"));
    let states: Vec<String> = port
        .nodes()
        .await
        .unwrap()
        .into_iter()
        .map(|node| node.status)
        .collect();
    assert_eq!(states, ["offline", "online"]);
    assert!(port.pci_devices("pve2").await.is_ok());
    cluster(&world, |cluster, _| cluster.set_unreachable(NODE, None));
    assert!(port.vm_config(NODE, vmid).await.is_ok());
}
