//! A cluster of 300 listed machines through the HTTPS door: 604 resources, eight writers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic as tests do

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_transport::{TokioClock, Trust};
use futures_util::StreamExt as _;
use futures_util::stream;
use omni_client::{Client, ClientBuilder, ListOptions, Resource, kinds, labels};
use serde_json::json;
use site_simulator::{Blueprint, Faults, World};

const MACHINES: u32 = 300;
const WRITERS: usize = 8;
/// An optimised build needs a tenth; this catches work that grows with the square of the machines.
const LIMIT: Duration = Duration::from_secs(20);

fn blueprint() -> Blueprint {
    Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: Ipv4Addr::new(172, 16, 8, 5),
        talos_versions: vec![("1.13.7".to_owned(), vec!["1.36.2".to_owned()])],
        extensions: Vec::new(),
        providers: Vec::new(),
        networks: Vec::new(),
        dns_records: Vec::new(),
        upstream: Vec::new(),
        strangers: Vec::new(),
    }
}

/// In the order a sync has: what others refer to comes first.
fn resources() -> Vec<Vec<Resource>> {
    let cluster = |kind, id: &str| Resource::new(kind, id).with_label(labels::CLUSTER, "big");
    let mut wanted = Resource::new(&kinds::CLUSTER, "big");
    wanted.spec =
        json!({"kubernetes_version": "1.36.2", "talos_version": "1.13.7", "features": {}});
    let set = |name: &str, role: &str| {
        let mut set = cluster(&kinds::MACHINE_SET, &format!("big-{name}")).with_label(role, "");
        set.spec = json!({"update_strategy": 1});
        set
    };
    let uuid = |at: u32| format!("{at:08x}-c798-4da7-a410-f09abb48c8d8");
    let patch = |id: String, machine: Option<String>| {
        let mut patch = cluster(&kinds::CONFIG_PATCH, &id);
        if let Some(machine) = machine {
            patch = patch.with_label(labels::CLUSTER_MACHINE, machine);
        }
        patch.spec =
            json!({"data": format!("machine:\n  sysctls:\n    net.core.somaxconn: \"{id}\"\n")});
        patch
    };
    let node = |at: u32| {
        let (set, role) = if at < 3 {
            ("big-control-planes", labels::ROLE_CONTROL_PLANE)
        } else {
            ("big-workers", labels::ROLE_WORKER)
        };
        cluster(&kinds::MACHINE_SET_NODE, &uuid(at))
            .with_label(labels::MACHINE_SET, set)
            .with_label(role, "")
    };
    let mut patches: Vec<_> = (0..MACHINES)
        .map(|at| patch(format!("400-cm-{}-net", uuid(at)), Some(uuid(at))))
        .collect();
    patches.push(patch("200-cluster-big-net".to_owned(), None));
    vec![
        vec![wanted],
        patches,
        vec![
            set("control-planes", labels::ROLE_CONTROL_PLANE),
            set("workers", labels::ROLE_WORKER),
        ],
        (0..MACHINES).map(node).collect(),
    ]
}

async fn create(client: &Client, all: Vec<Resource>) {
    let calls = all.into_iter().map(|resource| async move {
        client.create(&resource).await.unwrap();
    });
    stream::iter(calls)
        .buffer_unordered(WRITERS)
        .collect::<Vec<()>>()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_machines_are_written_in_seconds() {
    let clock = Arc::new(TokioClock::real());
    let world = World::new(blueprint(), 1, Faults::default(), clock);
    let doors = world.serve().await.unwrap();
    let client = ClientBuilder::new(doors.omni.as_str())
        .service_account_key(world.credentials().omni_key)
        .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
        .build()
        .unwrap();
    client.current_user().await.unwrap();
    let began = Instant::now();
    let mut count = 0;
    for group in resources() {
        count += group.len();
        create(&client, group).await;
    }
    let took = began.elapsed();
    assert_eq!(count, 604);
    let listing = Instant::now();
    let all = ListOptions::all();
    let listed = client.list(&kinds::MACHINE_SET_NODE, &all).await.unwrap();
    assert_eq!(listed.len(), MACHINES as usize);
    let _ = writeln!(
        std::io::stderr(),
        "{count} creates took {:.2} s, listing {MACHINES} nodes {:.3} s",
        took.as_secs_f64(),
        listing.elapsed().as_secs_f64()
    );
    assert!(took < LIMIT, "{took:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = client.get(&kinds::MACHINE_SET_STATUS, "big-workers");
    let status = status.await.unwrap();
    assert_eq!(status.spec["phase"], 1);
    assert_eq!(status.spec["machines"]["requested"], 297);
}
