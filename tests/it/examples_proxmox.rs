//! The examples of `proxmox-client`, against a simulated cluster over HTTPS: with a token and with a password.

use std::sync::Arc;
use std::time::Duration;

use api_transport::{TokioClock, Trust};
use proxmox_client::{Client, ClientBuilder, Credential, Error, MapEntry, PciDevice, PciMapping};
use site_simulator::world::proxmox::{CreateVm, OPERATOR, everywhere};
use site_simulator::{Doors, Faults, World, derive};

#[path = "../../proxmox-client/examples/attach_gpu.rs"]
mod attach_gpu;
#[path = "../../proxmox-client/examples/list_gpus.rs"]
mod list_gpus;

use attach_gpu::Outcome;

const PASSWORD: &str = "a-password";

struct Lab {
    world: Arc<World>,
    doors: Doors,
    provider: String,
    node: String,
}

impl Lab {
    async fn open() -> Self {
        let example = crate::engine::example();
        let site = bootstrap_core::site::load(&example).expect("the example loads");
        let mut blueprint = derive::blueprint(&site);
        let provider = blueprint.providers[0].id.clone();
        let node = &mut blueprint.providers[0].nodes[0];
        node.pci = vec![PciDevice {
            address: "0000:01:00.0".to_owned(),
            class: "030200".to_owned(),
            id: "10de:2331".to_owned(),
            subsystem_id: Some("10de:1626".to_owned()),
            iommu_group: Some(13),
            vendor_name: None,
            device_name: Some("H100".to_owned()),
            mdev: false,
        }];
        let node = node.name.clone();
        let clock = Arc::new(TokioClock::scaled(20.0));
        let world = World::new(blueprint, 7, Faults::default(), clock);
        world.act(|state, _| {
            let cluster = state.proxmox.get_mut(&provider).expect("a cluster");
            for (user, second_factor) in [("operator@pve", false), ("tfa@pve", true)] {
                cluster.accept_user(user, PASSWORD, everywhere(OPERATOR), second_factor);
            }
        });
        let doors = world.serve().await.expect("the doors open");
        Self {
            world,
            doors,
            provider,
            node,
        }
    }

    fn builder(&self) -> ClientBuilder {
        let pin = self.doors.fingerprints[&format!("proxmox:{}", self.provider)];
        Client::builder(self.doors.proxmox[&self.provider].as_str()).trust(Trust::Pins(vec![pin]))
    }

    fn vm(&self, vmid: u32) -> String {
        let uuid = format!("0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9{vmid}");
        let vm = CreateVm {
            node: self.node.clone(),
            vmid,
            name: format!("worker-{vmid}"),
            uuid: uuid.clone(),
            machine: Some("q35".to_owned()),
            cores: 2,
            sockets: 1,
            ..CreateVm::default()
        };
        self.world.act(|state, now| {
            let cluster = state.proxmox.get_mut(&self.provider).expect("a cluster");
            let takes = Duration::from_millis(10);
            cluster
                .create_vm(now, &mut state.rng, vm, takes)
                .expect("it can be made");
        });
        uuid
    }
}

/// Both examples, twice, and what stands in their way.
async fn play(lab: &Lab, client: &Client) {
    let device = client
        .pci_devices(&lab.node)
        .await
        .expect("devices")
        .remove(0);
    let mapping = PciMapping {
        id: "h100".to_owned(),
        map: vec![MapEntry::for_device(
            &*lab.node,
            device.address.clone(),
            &device,
        )],
        ..PciMapping::default()
    };
    client
        .create_pci_mapping(&mapping)
        .await
        .expect("it is new");
    let (first, second) = (lab.vm(101), lab.vm(102));
    // Until they are made, and the node has told the others.
    tokio::time::sleep(Duration::from_millis(900)).await;
    let attach = async |uuid: &str, mapping: &str| {
        attach_gpu::run(client, uuid, mapping)
            .await
            .expect("it answers")
    };
    assert_eq!(attach(&first, "h100").await, Outcome::Attached);
    assert_eq!(attach(&first, "h100").await, Outcome::Attached);
    for (uuid, mapping, says) in [
        (second.as_str(), "h100", "no device of h100 is free"),
        (second.as_str(), "nosuch", "no mapping nosuch"),
        ("00000000-0000-4000-8000-000000000000", "h100", "no such VM"),
    ] {
        let outcome = attach(uuid, mapping).await;
        assert!(
            matches!(&outcome, Outcome::Refused(reason) if reason.contains(says)),
            "{outcome:?}"
        );
    }
    let lines = list_gpus::run(client).await.expect("it answers").join("\n");
    let wanted = format!(
        "{} 0000:01:00.0 H100: mappings [\"h100\"], used by [\"worker-101\"]",
        lab.node
    );
    assert!(lines.contains(&wanted), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token() {
    let lab = Lab::open().await;
    let token = lab.world.credentials().proxmox_token;
    let client = lab.builder().api_token(token.into()).build();
    play(&lab, &client.expect("a client")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password() {
    let lab = Lab::open().await;
    let log_in = |user: &str, password: &str| {
        let builder = lab.builder().password(user, password.to_owned().into());
        builder.build().expect("a client")
    };
    play(&lab, &log_in("operator@pve", PASSWORD)).await;
    for (user, password, wanted) in [
        ("tfa@pve", PASSWORD, Credential::SecondFactor),
        ("operator@pve", "wrong", Credential::Password),
        ("nobody@pve", PASSWORD, Credential::Password),
    ] {
        let error = log_in(user, password).nodes().await.expect_err("refused");
        assert!(
            matches!(&error, Error::Unauthorized { credential, .. } if *credential == wanted),
            "{user}: {error}"
        );
        assert!(error.hint().is_some());
    }
}

/// A ticket is renewed at the door's own word for how long it lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_outlives_its_hours() {
    let lab = Lab::open().await;
    let clock = Arc::new(TokioClock::scaled(20_000.0));
    let client = lab
        .builder()
        .password("operator@pve", PASSWORD.to_owned().into())
        .clock(clock)
        .build()
        .expect("a client");
    let mut calls = 0;
    let began = std::time::Instant::now();
    // Some eight hours of the client's.
    while began.elapsed() < Duration::from_millis(1500) {
        client.nodes().await.expect("it answers");
        calls += 1;
    }
    let logins = client.requests_sent() - calls;
    assert!((2..=12).contains(&logins), "{logins} logins, {calls} calls");
}
