//! The gateway and DNS ports in memory, under a paused clock.
#![allow(clippy::unwrap_used)] // helpers of tests stop like tests

mod site;

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstrap_core::ports::{Dns as _, Failure, Gateway as _};
use site::{GONE, LIVE, pass, site};
use site_simulator::Faults;
use site_simulator::in_memory::dns::Resolver;
use site_simulator::in_memory::gateway::Unifi;
use unifi_client::{ClientPatch, Mac, NewClient, NewDnsRecord, RecordType};

fn reservation(mac: Mac, host: u8, network_id: &str) -> NewClient {
    NewClient {
        mac,
        name: None,
        note: Some("mark".to_owned()),
        fixed_ip: [172, 16, 8, host].into(),
        network_id: network_id.to_owned(),
        local_dns: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_counts_at_the_next_exchange() {
    let world = site(Faults::default());
    let port = Unifi::new(Arc::clone(&world));
    let network = port.networks().await.unwrap().remove(0).id;
    let mac = Mac([0xbc, 0x24, 0x11, 0, 0, 1]);
    let exchange = || {
        world.act(|state, now| {
            state
                .gateway
                .dhcp_exchange(now, &mut state.log, mac, "vmbr0", "w-1")
                .unwrap()
        })
    };
    let dynamic = exchange();
    assert!(dynamic >= Ipv4Addr::new(172, 16, 8, 100));
    // The gateway has seen it, so there is a record already.
    let known = port
        .create_client(&reservation(mac, 21, &network))
        .await
        .unwrap_err();
    assert_eq!(known.failure, Failure::Conflict);
    let record = port.client_record(mac).await.unwrap().unwrap();
    let patch = |ip: Option<[u8; 4]>| ClientPatch {
        fixed_ip: Some(ip.map(Ipv4Addr::from)),
        ..ClientPatch::default()
    };
    port.update_client(&record.id, mac, &patch(Some([172, 16, 8, 21])))
        .await
        .unwrap();
    let lease = |leases: Vec<unifi_client::Lease>| {
        leases
            .into_iter()
            .find(|lease| lease.mac == mac)
            .map(|lease| lease.ip)
    };
    assert_eq!(lease(port.leases().await.unwrap()), Some(dynamic));
    assert_eq!(exchange(), Ipv4Addr::new(172, 16, 8, 21));
    world.act(|state, _| state.gateway.goes_offline(mac));
    pass(80_000.0).await;
    assert_eq!(
        lease(port.leases().await.unwrap()),
        Some(Ipv4Addr::new(172, 16, 8, 21))
    );
    pass(7_000.0).await;
    assert_eq!(lease(port.leases().await.unwrap()), None);
    port.update_client(&record.id, mac, &patch(None))
        .await
        .unwrap();
    let cleared = port.client_record(mac).await.unwrap().unwrap();
    assert_eq!((cleared.use_fixed_ip, cleared.fixed_ip), (false, None));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_leased_goes_to_nobody_else() {
    let world = site(Faults::default());
    let port = Unifi::new(Arc::clone(&world));
    let network = port.networks().await.unwrap().remove(0).id;
    let (first, second) = (
        Mac([0xbc, 0x24, 0x11, 0, 0, 1]),
        Mac([0xbc, 0x24, 0x11, 0, 0, 2]),
    );
    let exchange = |mac| {
        world.act(|state, now| {
            state
                .gateway
                .dhcp_exchange(now, &mut state.log, mac, "vmbr0", "")
                .unwrap()
        })
    };
    port.create_client(&reservation(first, 31, &network))
        .await
        .unwrap();
    assert_ne!(
        exchange(first),
        Ipv4Addr::new(172, 16, 8, 31),
        "leased to a stranger"
    );
    port.create_client(&reservation(second, 32, &network))
        .await
        .unwrap();
    assert_eq!(
        exchange(second),
        Ipv4Addr::new(172, 16, 8, 32),
        "its earlier holder is long gone"
    );
    let taken = port
        .create_client(&reservation(Mac([0xbc, 0x24, 0x11, 0, 0, 3]), 32, &network))
        .await
        .unwrap_err();
    assert_eq!(taken.failure, Failure::Conflict);
    let outside = NewClient {
        fixed_ip: [10, 0, 0, 1].into(),
        ..reservation(Mac([0xbc, 0x24, 0x11, 0, 0, 3]), 33, &network)
    };
    assert_eq!(
        port.create_client(&outside).await.unwrap_err().failure,
        Failure::Invalid
    );
    let reader = Unifi::reader(Arc::clone(&world));
    assert_eq!(
        reader.create_client(&outside).await.unwrap_err().failure,
        Failure::Denied
    );
    assert_eq!(
        reader.site().await.unwrap().role.as_deref(),
        Some("readonly")
    );
    let past = port.past_clients().await.unwrap();
    assert!(
        past.iter()
            .any(|client| client.mac == GONE && client.last_ip == Some([172, 16, 8, 32].into()))
    );
    assert!(
        port.active_clients()
            .await
            .unwrap()
            .iter()
            .any(|client| client.mac == LIVE)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dns_write_is_served_after_a_gap() {
    let world = site(Faults::default());
    let (port, dns) = (
        Unifi::new(Arc::clone(&world)),
        Resolver::new(Arc::clone(&world)),
    );
    let record = |kind: RecordType, value: &str| NewDnsRecord {
        name: "omni.home.example".to_owned(),
        record_type: kind,
        value: value.to_owned(),
        ttl: 0,
    };
    port.create_dns_record(&record(RecordType::A, "172.16.8.5"))
        .await
        .unwrap();
    let again = port
        .create_dns_record(&record(RecordType::A, "172.16.8.5"))
        .await
        .unwrap_err();
    assert_eq!(again.failure, Failure::Conflict);
    let alias = port
        .create_dns_record(&record(RecordType::Cname, "other.home.example"))
        .await
        .unwrap_err();
    assert_eq!(alias.failure, Failure::Conflict);
    let bad = port
        .create_dns_record(&record(RecordType::A, "300.1.1.1"))
        .await
        .unwrap_err();
    assert_eq!(bad.failure, Failure::Invalid);
    let (mut gap, mut served_at) = (0, None);
    for tenth in 0..100 {
        let old = dns
            .lookup("OLD.home.example.", &RecordType::A)
            .await
            .unwrap();
        let new = dns
            .lookup("omni.home.example", &RecordType::A)
            .await
            .unwrap();
        gap += usize::from(old.is_empty());
        if served_at.is_none() && new == ["172.16.8.5"] {
            served_at = Some(tenth);
        }
        pass(0.1).await;
    }
    assert!(
        (10..=20).contains(&gap),
        "no answers for {gap} tenths of a second"
    );
    assert!(
        served_at.is_some_and(|tenth| (45..=65).contains(&tenth)),
        "{served_at:?}"
    );
    world.act(|state, _| state.faults.dns_not_served = true);
    assert_eq!(
        dns.lookup("omni.home.example", &RecordType::A)
            .await
            .unwrap(),
        Vec::<String>::new()
    );
}
