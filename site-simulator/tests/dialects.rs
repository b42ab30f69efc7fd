//! The HTTP dialects and the DNS socket, asked as the clients ask them and as nobody should.
#![allow(clippy::unwrap_used)] // helpers of tests stop like tests

mod site;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Bytes, Error, Exchange, ExchangeResponse};
use bootstrap_core::ports::{Gateway as _, Hypervisor as _};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method};
use proxmox_client::{MapEntry, PciMapping};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::SecretString;
use site::{NODE, PROVIDER, site};
use site_simulator::door::http::{Request, Response};
use site_simulator::door::{dns, proxmox, unifi};
use site_simulator::in_memory::gateway::Unifi;
use site_simulator::in_memory::proxmox::Proxmox;
use site_simulator::world::proxmox::CreateVm;
use site_simulator::{Faults, World};
use unifi_client::{ClientPatch, Mac, NewClient, NewDnsRecord, RecordType};

/// The network of a client, straight into a dialect.
#[derive(Debug)]
struct Straight {
    world: Arc<World>,
    proxmox: bool,
}

#[async_trait::async_trait]
impl Exchange for Straight {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error> {
        let (parts, body) = request.into_parts();
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let request = Request {
            method: parts.method,
            target: target.to_owned(),
            headers: parts.headers,
            body,
        };
        let response = if self.proxmox {
            proxmox::answer(&self.world, PROVIDER, request).await
        } else {
            unifi::answer(&self.world, request).await
        };
        let Response {
            status,
            reason,
            headers,
            body,
        } = response;
        Ok(ExchangeResponse {
            status,
            reason: reason.unwrap_or_default(),
            headers,
            body: futures_util::stream::iter([Ok(body)]).boxed(),
        })
    }
}

fn gateway_client(world: &Arc<World>, key: &str) -> unifi_client::Client {
    let exchange = Arc::new(Straight {
        world: Arc::clone(world),
        proxmox: false,
    });
    let builder = unifi_client::Client::builder("https://gateway.example");
    builder
        .api_key(SecretString::from(key))
        .exchange(exchange)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn both_dns_apis_show_one_store_under_different_ids() {
    let world = site(Faults::default());
    let key = world.credentials().unifi_key;
    let mut listed = HashMap::new();
    for version in ["10.5.67", "9.5.21"] {
        world.act(|state, _| state.gateway.set_version(version));
        let client = gateway_client(&world, &key);
        let name = format!("v{}.home.example", version.len());
        let record = NewDnsRecord {
            name,
            record_type: RecordType::A,
            value: "172.16.8.7".to_owned(),
            ttl: 0,
        };
        client.create_dns_record(&record).await.unwrap();
        for record in client.dns_records().await.unwrap() {
            listed
                .entry(record.name)
                .or_insert_with(Vec::new)
                .push(record.id);
        }
    }
    assert_eq!(listed.len(), 3, "{listed:?}");
    let ids = &listed["old.home.example"];
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}

fn hypervisor_client(world: &Arc<World>, token: &str) -> proxmox_client::Client {
    let exchange = Arc::new(Straight {
        world: Arc::clone(world),
        proxmox: true,
    });
    let builder = proxmox_client::Client::builder("https://pve1.example:8006");
    builder
        .api_token(SecretString::from(token))
        .exchange(exchange)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_hypervisor_client_and_the_port_see_the_same() {
    let world = site(Faults::default());
    let credentials = world.credentials();
    let client = hypervisor_client(&world, &credentials.proxmox_token);
    let port = Proxmox::new(Arc::clone(&world), PROVIDER);
    let device = client.pci_devices(NODE).await.unwrap().remove(0);
    let mapping = PciMapping {
        id: "arc".to_owned(),
        map: vec![MapEntry::for_device(NODE, device.address.clone(), &device)],
        description: Some("ours".to_owned()),
        ..PciMapping::default()
    };
    client.create_pci_mapping(&mapping).await.unwrap();
    world.act(|state, now| {
        let vm = CreateVm {
            node: NODE.to_owned(),
            vmid: 100,
            name: "w-1".to_owned(),
            machine: Some("q35".to_owned()),
            bridges: vec![("vmbr0".to_owned(), Some(20))],
            cores: 2,
            sockets: 1,
            ..CreateVm::default()
        };
        let cluster = state.proxmox.get_mut(PROVIDER).unwrap();
        cluster
            .create_vm(now, &mut state.rng, vm, Duration::from_millis(400))
            .unwrap();
    });
    let stub = client.vm_config(NODE, 100).await.unwrap();
    let early = client
        .set_config(NODE, 100, "hostpci0", "mapping=arc", &stub.digest)
        .await;
    assert!(matches!(early, Err(proxmox_client::Error::Locked { .. })));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let digest = client.vm_config(NODE, 100).await.unwrap().digest;
    client
        .set_config(NODE, 100, "hostpci0", "mapping=arc,pcie=1", &digest)
        .await
        .unwrap();
    let start = client.start(NODE, 100).await.unwrap();
    client
        .wait_task(&start, Duration::from_mins(1))
        .await
        .unwrap();
    let digest = client.vm_config(NODE, 100).await.unwrap().digest;
    client
        .set_config(NODE, 100, "hostpci1", "mapping=other", &digest)
        .await
        .unwrap();

    assert_eq!(client.nodes().await.unwrap(), port.nodes().await.unwrap());
    assert_eq!(client.vms().await.unwrap(), port.vms().await.unwrap());
    assert_eq!(
        client.vm_config(NODE, 100).await.unwrap(),
        port.vm_config(NODE, 100).await.unwrap()
    );
    let current = port.vm_config_current(NODE, 100).await.unwrap();
    assert_eq!(client.vm_config_current(NODE, 100).await.unwrap(), current);
    assert_eq!(
        client.pending(NODE, 100).await.unwrap(),
        port.pending(NODE, 100).await.unwrap()
    );
    assert_eq!(
        client.vm_status(NODE, 100).await.unwrap(),
        port.vm_status(NODE, 100).await.unwrap()
    );
    assert_eq!(
        client.task(&start).await.unwrap(),
        port.task(&start).await.unwrap()
    );
    assert_eq!(
        client.pci_devices(NODE).await.unwrap(),
        port.pci_devices(NODE).await.unwrap()
    );
    for node in [None, Some(NODE), Some("pve2")] {
        let (seen, known) = (
            client.pci_mappings(node).await,
            port.pci_mappings(node).await,
        );
        assert_eq!(seen.unwrap(), known.unwrap());
    }
    let (seen, known) = (
        client.permissions("/vms/100").await,
        port.permissions("/vms/100").await,
    );
    assert_eq!(seen.unwrap(), known.unwrap());

    let viewer = hypervisor_client(&world, &credentials.proxmox_readonly_token);
    let refused = viewer
        .set_config(NODE, 100, "hostpci0", "mapping=arc", &digest)
        .await;
    assert!(matches!(refused, Err(proxmox_client::Error::Denied { .. })));
    let (id, _) = credentials.proxmox_token.split_once('=').unwrap();
    let wrong = format!("{id}=00000000-0000-0000-0000-000000000000");
    let refused = hypervisor_client(&world, &wrong).nodes().await;
    assert!(matches!(
        refused,
        Err(proxmox_client::Error::Unauthorized { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn the_gateway_client_and_the_port_see_the_same() {
    let world = site(Faults::default());
    let credentials = world.credentials();
    let client = gateway_client(&world, &credentials.unifi_key);
    let port = Unifi::new(Arc::clone(&world));
    let network = client.networks().await.unwrap().remove(0);
    let mac = Mac([0xbc, 0x24, 0x11, 0, 0, 1]);
    let new = NewClient {
        mac,
        name: None,
        note: Some("mark".to_owned()),
        fixed_ip: [172, 16, 8, 21].into(),
        network_id: network.id.clone(),
        local_dns: None,
    };
    client.create_client(&new).await.unwrap();
    assert!(matches!(
        client.create_client(&new).await,
        Err(unifi_client::Error::AlreadyExists(_))
    ));
    let record = client.client_record(mac).await.unwrap().unwrap();
    let moved = ClientPatch {
        fixed_ip: Some(Some([172, 16, 8, 22].into())),
        ..ClientPatch::default()
    };
    client.update_client(&record.id, mac, &moved).await.unwrap();
    world.act(|state, now| {
        state
            .gateway
            .dhcp_exchange(now, &mut state.log, mac, "vmbr0", "w-1")
    });

    assert_eq!(
        client.networks().await.unwrap(),
        port.networks().await.unwrap()
    );
    assert_eq!(
        client.client_records().await.unwrap(),
        port.client_records().await.unwrap()
    );
    assert_eq!(
        client.client_record(mac).await.unwrap(),
        port.client_record(mac).await.unwrap()
    );
    assert_eq!(
        client.active_clients().await.unwrap(),
        port.active_clients().await.unwrap()
    );
    assert_eq!(client.leases().await.unwrap(), port.leases().await.unwrap());
    assert_eq!(
        client.past_clients().await.unwrap(),
        port.past_clients().await.unwrap()
    );
    assert_eq!(
        client.upstream().await.unwrap(),
        port.upstream().await.unwrap()
    );
    assert_eq!(
        client.dns_records().await.unwrap(),
        port.dns_records().await.unwrap()
    );
    assert_eq!(client.site().await.unwrap(), port.site().await.unwrap());

    let viewer = gateway_client(&world, &credentials.unifi_readonly_key);
    assert_eq!(
        viewer.site().await.unwrap().role.as_deref(),
        Some("readonly")
    );
    let refused = viewer.update_client(&record.id, mac, &moved).await;
    assert!(matches!(refused, Err(unifi_client::Error::Forbidden(_))));
    let stranger = gateway_client(&world, "no key").networks().await;
    assert!(matches!(
        stranger,
        Err(unifi_client::Error::Unauthorized(_))
    ));
}

#[tokio::test]
async fn queries_are_answered_over_udp() {
    let world = site(Faults::default());
    let (socket, address) = dns::bind().await.unwrap();
    let server = tokio::spawn(dns::serve(Arc::clone(&world), socket, || ()));
    let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // A for old.home.example, asked by hand.
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["old", "home", "example"] {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    client.send_to(b"no query", address).await.unwrap();
    client.send_to(&query, address).await.unwrap();
    let mut buffer = [0; 512];
    let length = client.recv(&mut buffer).await.unwrap();
    let answer = &buffer[..length];
    assert_eq!(
        (answer[0], answer[1], answer[3] & 15, answer[7]),
        (0x12, 0x34, 0, 1)
    );
    assert_eq!(answer[length - 4..], [172, 16, 8, 9]);
    server.abort();
}

const WORDS: &[&str] = &[
    "",
    "/",
    "api2",
    "json",
    "extjs",
    "nodes",
    NODE,
    "pve2",
    "qemu",
    "100",
    "4294967296",
    "-1",
    "config",
    "pending",
    "status",
    "current",
    "start",
    "tasks",
    "UPID:a:b",
    "log",
    "cluster",
    "mapping",
    "pci",
    "ha",
    "resources",
    "access",
    "permissions",
    "proxy",
    "network",
    "api",
    "s",
    "default",
    "rest",
    "user",
    "v2",
    "site",
    "static-dns",
    "integration",
    "v1",
    "sites",
    "dns",
    "policies",
    "%zz",
    "\u{e9}",
    "..",
    "stat",
    "sta",
    "cmd",
    "stamgr",
    "hardware",
    "88f7af54-98f8-306a-a1c7-c9349722b1f6",
    "?limit=999999999999&offset=-1",
    "?type=vm",
    "?%00=%ff",
];
const BODIES: &[&str] = &[
    "",
    "{",
    "[]",
    "null",
    "{\"mac\":5}",
    "{\"mac\":\"02:00:00:00:00:09\",\"fixed_ip\":\"x\"}",
    "a=b&a=c",
    "hostpci0==,,=",
    "delete=,;",
    "{\"cmd\":\"forget-sta\"}",
    "{\"type\":\"A_RECORD\",\"ttlSeconds\":-1}",
    "net0=,=,",
    "\u{0}\u{1}",
];

/// Requests of no sense: none may panic, and none may look like a success where nothing was asked.
#[tokio::test(start_paused = true)]
async fn nonsense_is_answered_too() {
    let world = site(Faults::default());
    let credentials = world.credentials();
    let mut rng = StdRng::seed_from_u64(11);
    let pick = |rng: &mut StdRng, count: usize| rng.random_range(0..count);
    for round in 0..4_000 {
        let base = ["/api2/json", "/proxy/network", ""][pick(&mut rng, 3)];
        let depth = pick(&mut rng, 7);
        let path: Vec<&str> = (0..depth)
            .map(|_| WORDS[pick(&mut rng, WORDS.len())])
            .collect();
        let method = ["GET", "POST", "PUT", "DELETE", "HEAD"][pick(&mut rng, 5)]
            .parse::<Method>()
            .unwrap();
        let body = BODIES[pick(&mut rng, BODIES.len())];
        let mut headers = HeaderMap::new();
        let token =
            HeaderValue::from_str(&format!("PVEAPIToken={}", credentials.proxmox_token)).unwrap();
        headers.insert("authorization", token);
        headers.insert(
            "x-api-key",
            HeaderValue::from_str(&credentials.unifi_key).unwrap(),
        );
        if round % 2 == 0 {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let target = format!("{base}/{}", path.join("/"));
        let request = Request {
            method,
            target: target.clone(),
            headers,
            body: Bytes::from(body),
        };
        let hypervisor = proxmox::answer(&world, PROVIDER, request.clone()).await;
        let gateway = unifi::answer(&world, request).await;
        assert!(
            (200..600).contains(&hypervisor.status) && (200..600).contains(&gateway.status),
            "{target}"
        );
    }
}

fn login_client(world: &Arc<World>) -> unifi_client::Client {
    let exchange = Arc::new(Straight {
        world: Arc::clone(world),
        proxmox: false,
    });
    let known = world.credentials();
    unifi_client::Client::builder("https://gateway.example")
        .exchange(exchange)
        .login(known.unifi_username, known.unifi_password.into())
        .build()
        .unwrap()
}

/// Writes, and reads what was written, through every session there may be.
async fn write_and_read(client: &unifi_client::Client, host: u8) {
    let record = NewDnsRecord {
        name: format!("h{host}.home.example"),
        record_type: RecordType::A,
        value: format!("172.16.8.{host}"),
        ttl: 0,
    };
    client.create_dns_record(&record).await.unwrap();
    let listed = client.dns_records().await.unwrap();
    assert!(listed.iter().any(|entry| entry.name == record.name));
}

#[tokio::test(start_paused = true)]
async fn a_login_writes_with_a_token_that_changes_each_time() {
    let world = site(Faults::default());
    let client = login_client(&world);
    for host in 20..24 {
        write_and_read(&client, host).await;
    }
    let about = client.about().await.unwrap();
    assert_eq!(about.platform, unifi_client::Platform::UnifiOs);
    assert_eq!(about.family, unifi_client::Family::Integration);
    assert_eq!(
        world.look(|state| state.gateway.console.open_sessions()),
        1,
        "one login"
    );
    // The console is updated, all sessions end.
    world.act(|state, _| state.gateway.console.end_sessions());
    write_and_read(&client, 24).await;
    client.logout().await.unwrap();
    assert_eq!(world.look(|state| state.gateway.console.open_sessions()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_classic_console_is_found_out_and_used() {
    let world = site(Faults::default());
    world.act(|state, _| {
        state.gateway.console.kind = site_simulator::world::gateway::Kind::Classic;
    });
    let client = login_client(&world);
    let about = client.about().await.unwrap();
    assert_eq!(about.platform, unifi_client::Platform::Classic);
    write_and_read(&client, 20).await;
    assert_eq!(client.dns_family(), Some(unifi_client::Family::V2));
    assert_eq!(client.account().await.unwrap().name, "rehearsal");
    assert_eq!(client.site().await.unwrap().role.as_deref(), Some("admin"));
    let new = NewClient {
        mac: Mac([2, 0, 0, 0, 0, 9]),
        name: None,
        note: None,
        fixed_ip: [172, 16, 8, 30].into(),
        network_id: client.networks().await.unwrap().remove(0).id,
        local_dns: Some("n9.home.example".to_owned()),
    };
    client.create_client(&new).await.unwrap();
    let made = client.client_record(new.mac).await.unwrap().unwrap();
    assert_eq!(made.local_dns.as_deref(), Some("n9.home.example"));
    let keyed = gateway_client(&world, &world.credentials().unifi_key);
    let error = keyed.sites().await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
}
