//! Who gets which address: one observed site, changed in one thing at a time.

use std::net::Ipv4Addr;

use bootstrap_core::observe::{Snapshot, observe};
use bootstrap_core::plan::{Plan, plan};
use bootstrap_core::site::{self, PinKey, Site};
use site_simulator::Faults;
use unifi_client::{ActiveClient, ClientRecord, Lease, Mac, PastClient};

use crate::engine::{example, lab};

const STRANGER: Mac = Mac([0x3c, 0x22, 0xfb, 1, 1, 1]);

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 16, 8, last)
}

fn record(mac: Mac) -> ClientRecord {
    ClientRecord {
        id: "64b000000000000000000001".to_owned(),
        mac,
        name: None,
        hostname: None,
        note: None,
        use_fixed_ip: false,
        fixed_ip: None,
        network_id: None,
        local_dns: None,
        last_seen: None,
        last_ip: None,
    }
}

async fn nothing_built_yet() -> (Site, Snapshot) {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        31,
        Faults::default(),
    )
    .await;
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    ((*lab.site).clone(), snapshot)
}

/// Addresses the plan gives to the control planes, in order.
fn control_planes(plan: &Plan) -> Vec<u8> {
    plan.slots
        .iter()
        .filter(|slot| slot.control_plane)
        .filter_map(|slot| slot.address.as_ref())
        .map(|slot| slot.address.octets()[3])
        .collect()
}

type Change = fn(&mut Site, &mut Snapshot);

/// What is changed, and the last octets the three control planes get from 172.16.8.11-172.16.8.14.
const CASES: [(&str, Change, &[u8]); 9] = [
    ("nothing", |_, _| (), &[11, 12, 13]),
    (
        "a live lease of another MAC is never given",
        |_, snapshot| {
            let taken = snapshot.taken;
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            gateway.leases.push(Lease {
                mac: STRANGER,
                ip: address(11),
                expires: Some(taken + 60),
                name: None,
            });
        },
        &[12, 13, 14],
    ),
    (
        "a lease that is over only makes the address seen",
        |_, snapshot| {
            let taken = snapshot.taken;
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            gateway.leases.push(Lease {
                mac: STRANGER,
                ip: address(11),
                expires: Some(taken - 60),
                name: None,
            });
        },
        &[12, 13, 14],
    ),
    (
        "of seen addresses the one last seen longest ago comes first",
        |_, snapshot| {
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            for (last, seen) in [(11, 400), (12, 100), (13, 300), (14, 200)] {
                gateway.past.push(PastClient {
                    mac: STRANGER,
                    last_ip: Some(address(last)),
                    last_seen: Some(seen),
                    record_id: None,
                });
            }
        },
        &[12, 14, 13],
    ),
    (
        "a live client is never pushed out",
        |_, snapshot| {
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            gateway.active.push(ActiveClient {
                mac: STRANGER,
                ip: Some(address(12)),
                name: None,
                network_id: None,
                device: false,
            });
        },
        &[11, 13, 14],
    ),
    (
        "a fixed address that was switched off still blocks",
        |_, snapshot| {
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            gateway.records.push(ClientRecord {
                fixed_ip: Some(address(13)),
                ..record(STRANGER)
            });
        },
        &[11, 12, 14],
    ),
    (
        "a pin's address is given to nobody else",
        |site, _| {
            let set = &mut site.clusters[0].machine_sets[0];
            set.pins.insert(PinKey::Mac(STRANGER), address(11));
        },
        &[12, 13, 14],
    ),
    (
        "the virtual address is given to nobody",
        |site, _| site.clusters[0].virtual_addresses.push(address(12)),
        &[11, 13, 14],
    ),
    (
        "never seen comes before seen, whatever the order",
        |_, snapshot| {
            let gateway = snapshot.gateway.as_mut().expect("a gateway");
            gateway.records.push(ClientRecord {
                last_ip: Some(address(11)),
                last_seen: Some(5),
                ..record(STRANGER)
            });
        },
        &[12, 13, 14],
    ),
];

#[tokio::test(start_paused = true)]
async fn addresses_follow_the_rules() {
    let (site, snapshot) = nothing_built_yet().await;
    for (what, change, expected) in CASES {
        let (mut site, mut snapshot) = (site.clone(), snapshot.clone());
        change(&mut site, &mut snapshot);
        let plan = plan(&site, &snapshot);
        assert_eq!(control_planes(&plan), expected, "{what}");
        assert!(!plan.is_blocked(), "{what}: {:#?}", plan.needs_person);
        assert_eq!(
            plan,
            bootstrap_core::plan::plan(&site, &snapshot),
            "{what}: not deterministic"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_leased_addresses_left_needs_a_person_and_says_until_when() {
    let (site, mut snapshot) = nothing_built_yet().await;
    let gateway = snapshot.gateway.as_mut().expect("a gateway");
    for last in 11..=14 {
        let mac = Mac([0x3c, 0x22, 0xfb, 2, 2, last]);
        gateway.leases.push(Lease {
            mac,
            ip: address(last),
            expires: Some(4_000_000_000 + u64::from(last)),
            name: None,
        });
    }
    let plan = plan(&site, &snapshot);
    assert_eq!(plan.needs_person.len(), 1, "{:#?}", plan.needs_person);
    let message = &plan.needs_person[0].diagnostic.message;
    assert!(
        message.contains("172.16.8.11") && message.contains("2096-"),
        "{message}"
    );
    assert!(plan.needs_person[0].diagnostic.origin.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_machine_keeps_its_address_while_it_lives() {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        32,
        Faults::default(),
    )
    .await;
    let first = lab.plan().await;
    let (outcome, _) = lab.apply(&first).await;
    assert!(outcome.reached, "{outcome:#?}");
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");

    let mut shrunk = (*lab.site).clone();
    shrunk.clusters[0].machine_sets[0].addresses =
        vec![address(40), address(41), address(42), address(43)];
    let plan = plan(&shrunk, &snapshot);
    assert!(plan.is_empty(), "{}", bootstrap_core::plan::render(&plan));
    let kept = plan.warnings.iter().filter(|warning| {
        warning
            .diagnostic
            .message
            .contains("keeps the address while it lives")
    });
    assert_eq!(kept.count(), 3, "{:#?}", plan.warnings);

    // A machine set that leaves the files is not a machine that is gone.
    let mut without = (*lab.site).clone();
    without.clusters[0]
        .machine_sets
        .retain(|set| set.name != "workers");
    let plan = bootstrap_core::plan::plan(&without, &snapshot);
    assert!(plan.is_empty(), "{}", bootstrap_core::plan::render(&plan));
}
