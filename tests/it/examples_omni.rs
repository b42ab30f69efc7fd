//! The examples of `omni-client` about machines, against a simulated Omni over HTTPS.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{TokioClock, Trust};
use bootstrap_core::site;
use futures_util::stream;
use omni_client::specs::{BlockDevice, HardwareStatus, MachineStatus};
use omni_client::{Client, ClientBuilder, Event, Resource, Selector, Typed, kinds, labels};
use site_simulator::{Doors, Faults, World, derive};

#[path = "../../omni-client/examples/follow_machines.rs"]
mod follow_machines;
#[path = "../../omni-client/examples/list_machines.rs"]
mod list_machines;

use follow_machines::{Change, Machine};

async fn omni(faults: Faults) -> (Arc<World>, Doors, Client) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab/bootstrap.yaml");
    let site = site::load(&example).expect("the example loads");
    let clock = Arc::new(TokioClock::real());
    let world = World::new(derive::blueprint(&site), 7, faults, clock);
    let doors = world.serve().await.expect("the doors open");
    let client = ClientBuilder::new(doors.omni.as_str())
        .service_account_key(world.credentials().omni_key)
        .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
        .build()
        .expect("a client");
    (world, doors, client)
}

fn machine(id: &str, mem: &str, connected: bool) -> Resource {
    let spec = MachineStatus {
        connected,
        hardware: Some(HardwareStatus {
            blockdevices: [1_u64 << 40, 5]
                .map(|size| BlockDevice {
                    size,
                    ..BlockDevice::default()
                })
                .into(),
            ..HardwareStatus::default()
        }),
        ..MachineStatus::default()
    };
    let resource = Typed::new(id, spec).into_resource().expect("a spec");
    resource
        .with_label(labels::MEM, mem)
        .with_label(labels::AVAILABLE, "")
}

fn add(world: &World, machine: Resource) {
    world
        .act(|state, _| state.omni.store.create(machine))
        .expect("a new machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_listed_by_their_labels() {
    let (world, _doors, client) = omni(Faults::default()).await;
    add(&world, machine("small", "8GiB", true));
    add(&world, machine("large", "64GiB", false));
    let list = async |selector| {
        list_machines::run(&client, selector)
            .await
            .expect("it answers")
    };
    let all = list(Selector::new()).await;
    assert_eq!(all.len(), 2);
    let large = Selector::new()
        .exists(labels::AVAILABLE)
        .at_least(labels::MEM, "16GiB");
    let large = list(large).await;
    assert_eq!(
        large,
        [list_machines::Row {
            id: "large".into(),
            hostname: String::new(),
            cluster: None,
            connected: false,
            storage: (1 << 40) + 5,
        }]
    );
    assert!(
        list("!omni.sidero.dev/mem".parse().expect("a selector"))
            .await
            .is_empty()
    );
    let nonsense = omni_client::ListOptions::selector("a in b");
    let refused = client.list(&kinds::MACHINE_STATUS, &nonsense).await;
    let refused = refused.expect_err("no selector").to_string();
    assert!(refused.contains("found 'b', expected: '('"), "{refused}");
}

/// The changes of a run, until there are so many.
async fn followed(client: &Client, many: usize, mut act: impl FnMut(usize) + Send) -> Vec<Change> {
    let mut seen = Vec::new();
    let run = follow_machines::run(client, |change| {
        seen.push(change);
        act(seen.len());
        if seen.len() == many {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    tokio::time::timeout(Duration::from_secs(50), run)
        .await
        .expect("all changes come")
        .expect("nothing fails for good");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_followed_over_a_network_that_breaks() {
    let troubles = [
        Faults::default(),
        Faults {
            reset: 0.4,
            server_error: 0.3,
            ..Faults::default()
        },
    ];
    for faults in troubles {
        let (world, _doors, client) = omni(faults).await;
        add(&world, machine("a", "8GiB", true));
        let seen = followed(&client, 4, |count| match count {
            1 => add(&world, machine("b", "8GiB", false)),
            2 => {
                let became = machine("a", "8GiB", false);
                world.act(|state, _| {
                    let store = &mut state.omni.store;
                    let old = store
                        .get("default", &became.metadata.kind, "a")
                        .expect("it is there");
                    let old = Arc::clone(old);
                    let mut new = Resource::clone(&old);
                    new.spec = became.spec;
                    store.replace("1970-01-01T00:00:01Z", old, new);
                });
            }
            3 => world.act(|state, _| {
                let kind = &kinds::MACHINE_STATUS;
                state
                    .omni
                    .store
                    .destroy(&kind.name, "default", "b")
                    .expect("it is there");
            }),
            _ => {}
        });
        let is = |connected| Machine {
            connected,
            cluster: String::new(),
        };
        assert_eq!(
            seen.await,
            [
                Change::Came("a".into(), is(true)),
                Change::Came("b".into(), is(false)),
                Change::Became("a".into(), is(false)),
                Change::Left("b".into()),
            ]
        );
    }
}

#[tokio::test]
async fn who_left_during_a_break_is_told() {
    let typed = |id: &str| {
        machine(id, "8GiB", true)
            .typed::<MachineStatus>()
            .expect("a spec")
    };
    let events = [
        Event::Created(typed("a")),
        Event::Created(typed("b")),
        Event::Bootstrapped,
        // Here the watch began anew.
        Event::Created(typed("b")),
        Event::Bootstrapped,
    ];
    let mut seen = Vec::new();
    let tell = |change| {
        seen.push(change);
        ControlFlow::Continue(())
    };
    let events = stream::iter(events.map(Ok));
    Box::pin(follow_machines::follow(events, tell))
        .await
        .expect("no error");
    assert_eq!(seen[2..], [Change::Left("a".into())]);
}
