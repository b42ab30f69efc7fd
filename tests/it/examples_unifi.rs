//! The examples of `unifi-client`, against a simulated gateway over HTTPS: with a key, with a login, and against a
//! classic console.

use std::path::Path;
use std::sync::Arc;

use api_transport::{TokioClock, Trust};
use bootstrap_core::site;
use site_simulator::world::gateway::Kind;
use site_simulator::{Doors, Faults, World, derive};
use unifi_client::{Client, ClientBuilder, Mac, NewDnsRecord, RecordType};

#[path = "../../unifi-client/examples/keep_dns.rs"]
mod keep_dns;
#[path = "../../unifi-client/examples/reserve.rs"]
mod reserve;

use keep_dns::Kept;
use reserve::Outcome;

const NODE: Mac = Mac([0xbc, 0x24, 0x11, 0, 0, 7]);
const OTHER: Mac = Mac([0xbc, 0x24, 0x11, 0, 0, 8]);

async fn site() -> (Arc<World>, Doors) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab/bootstrap.yaml");
    let site = site::load(&example).expect("the example loads");
    let clock = Arc::new(TokioClock::real());
    let world = World::new(derive::blueprint(&site), 7, Faults::default(), clock);
    let doors = world.serve().await.expect("the doors open");
    (world, doors)
}

fn builder(doors: &Doors) -> ClientBuilder {
    Client::builder(doors.unifi.as_str()).trust(Trust::Pins(vec![doors.fingerprints["unifi"]]))
}

fn record(name: &str, record_type: RecordType, value: &str) -> NewDnsRecord {
    NewDnsRecord {
        name: name.to_owned(),
        record_type,
        value: value.to_owned(),
        ttl: 0,
    }
}

/// Both examples, twice, and what stands in their way.
async fn play(client: &Client) {
    let declared = [
        record("one.home.example", RecordType::A, "172.16.8.31"),
        record("two.home.example", RecordType::Cname, "one.home.example"),
    ];
    let outcomes = async |declared: &[NewDnsRecord]| -> Vec<Kept> {
        let report = keep_dns::run(client, declared).await.expect("it answers");
        report.into_iter().map(|(_, kept)| kept).collect()
    };
    assert_eq!(outcomes(&declared).await, [Kept::Made, Kept::Made]);
    assert_eq!(
        outcomes(&declared).await,
        [Kept::Unchanged, Kept::Unchanged]
    );
    let moved = [record("one.home.example", RecordType::A, "172.16.8.32")];
    assert_eq!(outcomes(&moved).await, [Kept::Replaced]);
    let beside = [record("two.home.example", RecordType::A, "172.16.8.33")];
    let refused = outcomes(&beside).await;
    assert!(matches!(refused[..], [Kept::Refused(_)]), "{refused:?}");

    let networks = client.networks().await.expect("networks");
    let subnet = networks.iter().find_map(|network| network.subnet);
    let subnet = subnet.expect("a network with addresses");
    let address = subnet.hosts().nth(60).expect("it is large enough");
    let reserved = async |mac, address| {
        reserve::run(client, mac, address, "node-7")
            .await
            .expect("it answers")
    };
    assert_eq!(reserved(NODE, address).await, Outcome::Reserved);
    assert_eq!(reserved(NODE, address).await, Outcome::Unchanged);
    assert_eq!(reserved(OTHER, address).await, Outcome::Taken(NODE));
    assert_eq!(
        reserved(OTHER, [192, 0, 2, 9].into()).await,
        Outcome::NoNetwork
    );
    assert_eq!(reserved(OTHER, subnet.addr()).await, Outcome::NoNetwork);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key() {
    let (world, doors) = site().await;
    let key = world.credentials().unifi_key.into();
    play(&builder(&doors).api_key(key).build().expect("settings")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_login() {
    for kind in [Kind::UnifiOs, Kind::Classic] {
        let (world, doors) = site().await;
        world.act(|state, _| state.gateway.console.kind = kind);
        let known = world.credentials();
        let client = builder(&doors).login(known.unifi_username, known.unifi_password.into());
        let client = client.build().expect("settings");
        play(&client).await;
        assert_eq!(world.look(|state| state.gateway.console.open_sessions()), 1);
        client.logout().await.expect("it answers");
        assert_eq!(world.look(|state| state.gateway.console.open_sessions()), 0);
    }
}
