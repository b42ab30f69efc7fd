//! Which machine gets which GPU and how: one observed site, changed in one thing at a time.

use bootstrap_core::observe::{Snapshot, observe};
use bootstrap_core::plan::{Change, Plan, plan};
use bootstrap_core::site::{self, Attach, MachineSetIntent, Site};
use proxmox_client::{MapEntry, PciMapping, VmConfig};
use serde_json::json;
use site_simulator::Faults;

use crate::engine::{example, lab};

fn gpu_set(site: &mut Site) -> &mut MachineSetIntent {
    site.clusters[0]
        .machine_sets
        .iter_mut()
        .find(|set| !set.gpus.is_empty())
        .expect("a set with a GPU")
}

fn class<'a>(site: &'a mut Site, id: &str) -> &'a mut serde_json::Value {
    &mut site
        .machine_classes
        .get_mut(id)
        .expect("the class is there")
        .provider_data
}

fn stranger(hostpci: &str) -> VmConfig {
    let values = [("name", "media-server"), ("hostpci0", hostpci)];
    VmConfig {
        digest: "d".to_owned(),
        values: values
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn mapping(node: &str) -> PciMapping {
    PciMapping {
        id: "intel-arc-a310".to_owned(),
        map: vec![MapEntry {
            node: node.to_owned(),
            path: "0000:03:00".to_owned(),
            id: "8086:56a6".to_owned(),
            ..MapEntry::default()
        }],
        ..PciMapping::default()
    }
}

/// In short: how the GPU comes onto the machine, whether the mapping is made, and the first blocker.
fn told(plan: &Plan) -> (&'static str, bool, String) {
    let way = plan.slots.iter().find_map(|slot| {
        match (slot.by_class.is_empty(), slot.attach.is_empty()) {
            (false, _) => Some("class"),
            (_, false) => Some("vm"),
            _ => None,
        }
    });
    let made = plan
        .actions
        .iter()
        .any(|action| matches!(action.change, Change::CreateMapping { .. }));
    let blocker = plan
        .blockers
        .first()
        .map(|finding| finding.diagnostic.message.clone())
        .unwrap_or_default();
    (way.unwrap_or("none"), made, blocker)
}

type Alter = fn(&mut Site, &mut Snapshot);

const CASES: [(&str, Alter, (&str, bool, &str)); 11] = [
    (
        "the class gives it where the provider can",
        |_, _| (),
        ("class", true, ""),
    ),
    (
        "`attach: vm` forces the VM",
        |site, _| gpu_set(site).gpus[0].attach = Attach::Vm,
        ("vm", true, ""),
    ),
    (
        "without `pci_devices` in the schema it goes onto the VM",
        |_, snapshot| {
            snapshot
                .omni
                .providers
                .get_mut("proxmox")
                .expect("a provider")
                .schema = Some(json!({"properties": {}}));
        },
        ("vm", true, ""),
    ),
    (
        "`attach: class` cannot hold without the schema",
        |site, snapshot| {
            gpu_set(site).gpus[0].attach = Attach::Class;
            snapshot
                .omni
                .providers
                .get_mut("proxmox")
                .expect("a provider")
                .schema = None;
        },
        ("none", true, "`attach: class` cannot hold"),
    ),
    (
        "a class that somebody else's machine set uses is not given devices",
        |_, snapshot| {
            snapshot.omni.class_users.insert(
                "home-intel-gpu-worker".to_owned(),
                vec!["other-workers".to_owned()],
            );
        },
        ("vm", true, ""),
    ),
    (
        "a mapping that exists is used as it is",
        |_, snapshot| {
            let view = snapshot.hypervisors.get_mut("proxmox").expect("a cluster");
            view.mappings
                .insert("intel-arc-a310".to_owned(), mapping("pve-1"));
        },
        ("class", false, ""),
    ),
    (
        "a mapping without an entry for the node is refused",
        |_, snapshot| {
            let view = snapshot.hypervisors.get_mut("proxmox").expect("a cluster");
            view.mappings
                .insert("intel-arc-a310".to_owned(), mapping("pve-2"));
        },
        (
            "class",
            false,
            "can land on pve-1, which needs 1 free of intel-arc-a310 and has 0",
        ),
    ),
    (
        "a raw address of another VM uses the device",
        |_, snapshot| {
            let view = snapshot.hypervisors.get_mut("proxmox").expect("a cluster");
            view.configs
                .insert(400, ("pve-1".to_owned(), stranger("host=03:00.0")));
        },
        ("class", true, "in use by media-server (400)"),
    ),
    (
        "a VM that cannot be read may use it",
        |_, snapshot| {
            let view = snapshot.hypervisors.get_mut("proxmox").expect("a cluster");
            view.unreadable.insert(401, "pve-1".to_owned());
        },
        ("class", true, "VM 401, which cannot be read"),
    ),
    (
        "a class that can land anywhere is told the line to add",
        |site, _| {
            class(site, "home-intel-gpu-worker")
                .as_object_mut()
                .expect("a map")
                .remove("node");
        },
        (
            "class",
            true,
            "can land on pve-2, which needs 1 free of intel-arc-a310 and has 0",
        ),
    ),
    (
        "PCIe needs q35",
        |site, _| {
            class(site, "home-intel-gpu-worker")
                .as_object_mut()
                .expect("a map")
                .remove("machine_type");
        },
        ("class", true, "not of machine type q35"),
    ),
];

#[tokio::test(start_paused = true)]
async fn gpus_follow_the_rules() {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        41,
        Faults::default(),
    )
    .await;
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    for (what, alter, (way, made, blocker)) in CASES {
        let (mut site, mut snapshot) = ((*lab.site).clone(), snapshot.clone());
        alter(&mut site, &mut snapshot);
        let plan = plan(&site, &snapshot);
        let (found_way, found_made, found_blocker) = told(&plan);
        assert_eq!(
            (found_way, found_made),
            (way, made),
            "{what}: {found_blocker}"
        );
        assert_eq!(
            found_blocker.is_empty(),
            blocker.is_empty(),
            "{what}: {found_blocker}"
        );
        assert!(found_blocker.contains(blocker), "{what}: {found_blocker}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_has_its_gpus_leaves_class_and_mapping_alone() {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        42,
        Faults::default(),
    )
    .await;
    let (outcome, _) = lab.apply(&lab.plan().await).await;
    assert!(outcome.reached, "{outcome:#?}");
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");

    // The mapping was renamed by hand and the VM has the device raw: still satisfied.
    let mut by_hand = snapshot.clone();
    let view = by_hand.hypervisors.get_mut("proxmox").expect("a cluster");
    view.mappings.clear();
    for config in view
        .configs
        .values_mut()
        .map(|(_, config)| config)
        .chain(view.applied.values_mut())
    {
        if let Some(value) = config.values.get_mut("hostpci0") {
            *value = "host=0000:03:00.0".to_owned();
        }
    }
    assert!(plan(&lab.site, &by_hand).is_empty());

    // A change that only waits for a restart is not a GPU the node has.
    let mut pending = snapshot.clone();
    let view = pending.hypervisors.get_mut("proxmox").expect("a cluster");
    for config in view.applied.values_mut() {
        config.values.remove("hostpci0");
    }
    let found = plan(&lab.site, &pending);
    assert_eq!(
        found.slots.len(),
        1,
        "{}",
        bootstrap_core::plan::render(&found)
    );
    assert_eq!(found.slots[0].attach.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_system_but_omni_is_optional() {
    let mut site = site::load(&example()).expect("the example loads");
    site.unifi = None;
    site.dns.records.clear();
    let bare = lab(site, 43, Faults::default()).await;
    let mut ports = bare.ports.clone();
    ports.gateway = None;
    ports.dns = None;
    let snapshot = observe(&bare.site, &ports)
        .await
        .expect("the site can be observed");
    let without_gateway = plan(&bare.site, &snapshot);
    assert!(
        !without_gateway.is_blocked(),
        "{:#?}",
        without_gateway.blockers
    );
    assert!(
        without_gateway
            .slots
            .iter()
            .all(|slot| slot.address.is_none())
    );

    let mut site = (*bare.site).clone();
    site.proxmox.clear();
    for set in &mut site.clusters[0].machine_sets {
        set.gpus.clear();
    }
    ports.hypervisors.clear();
    let snapshot = observe(&site, &ports)
        .await
        .expect("the site can be observed");
    let without_proxmox = plan(&site, &snapshot);
    assert!(
        !without_proxmox.is_blocked(),
        "{:#?}",
        without_proxmox.blockers
    );
    assert_eq!(without_proxmox.slots.len(), 6);
}
