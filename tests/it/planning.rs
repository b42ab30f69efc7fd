//! What a plan says and demands: two observed sites, one empty and one that runs, changed in one thing at a time.

use bootstrap_core::observe::{Snapshot, observe};
use bootstrap_core::plan::{Change, Effect, Plan, plan, render};
use bootstrap_core::site::{self, Attach, MachineClass, Site, WantedRecord};
use serde_json::json;
use site_simulator::Faults;
use unifi_client::{DnsRecord, RecordType};

use crate::engine::{example, lab, lab_with};

const GPU_CLASS: &str = "home-intel-gpu-worker";
const WORKERS: &str = "homelab-workers";
const AUDIT_ONLY: [&str; 5] = [
    "VM.Audit",
    "VM.GuestAgent.Audit",
    "Mapping.Audit",
    "Sys.Audit",
    "Datastore.Audit",
];

async fn nothing_built_yet() -> (Site, Snapshot) {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        41,
        Faults::default(),
    )
    .await;
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    ((*lab.site).clone(), snapshot)
}

/// The example as it would run had people made it by hand: reservations without a mark, a raw GPU.
async fn running() -> (Site, Snapshot) {
    let lab = lab_with(
        site::load(&example()).expect("the example loads"),
        42,
        Faults::default(),
        |blueprint| {
            blueprint
                .dns_records
                .push((blueprint.omni_name.clone(), blueprint.omni_address));
        },
    )
    .await;
    lab.made_by_hand();
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    ((*lab.site).clone(), snapshot)
}

fn omni_class<'s>(snapshot: &'s mut Snapshot, id: &str) -> &'s mut String {
    let class = snapshot
        .omni
        .machine_classes
        .get_mut(id)
        .expect("the class is in Omni");
    match &mut class.spec["auto_provision"]["provider_data"] {
        serde_json::Value::String(text) => text,
        other => panic!("provider data is a text, not {other}"),
    }
}

/// The class file, changed as an editor would.
fn edit_class(site: &mut Site, id: &str, before: &str, after: &str) {
    let class = site
        .machine_classes
        .get_mut(id)
        .expect("the class is in a file");
    let text = class.resource.spec["auto_provision"]["provider_data"]
        .as_str()
        .expect("a text")
        .replace(before, after);
    class.provider_data = serde_yaml::from_str(&text).expect("it is YAML");
    class.resource.spec["auto_provision"]["provider_data"] = text.into();
}

/// A class that no machine set uses.
fn spare_class(site: &mut Site) -> &mut MachineClass {
    let mut class = site.machine_classes["home-worker"].clone();
    "spare".clone_into(&mut class.id);
    "spare".clone_into(&mut class.resource.metadata.id);
    site.machine_classes
        .entry("spare".to_owned())
        .or_insert(class)
}

fn gateway_role(snapshot: &mut Snapshot, role: Option<&str>) {
    snapshot.gateway.as_mut().expect("a gateway").role = role.map(str::to_owned);
}

fn grow(site: &mut Site, set: &str) {
    for found in site.clusters[0]
        .machine_sets
        .iter_mut()
        .filter(|found| found.id == set)
    {
        found.class.as_mut().expect("it has a class").1 += 1;
    }
}

fn record(site: &Site, value: &str) -> WantedRecord {
    WantedRecord {
        value: value.to_owned(),
        ..site.dns.records[0].clone()
    }
}

fn served(wanted: &WantedRecord) -> DnsRecord {
    DnsRecord {
        id: format!("id-{}", wanted.value),
        name: wanted.name.clone(),
        record_type: wanted.record_type.clone(),
        value: wanted.value.clone(),
        enabled: true,
        ttl: 0,
    }
}

fn allow(snapshot: &mut Snapshot, privileges: &[&str]) {
    for granted in snapshot
        .hypervisors
        .values_mut()
        .flat_map(|view| view.privileges.values_mut())
    {
        *granted = privileges
            .iter()
            .map(|&privilege| privilege.to_owned())
            .collect();
    }
}

fn forget_versions(snapshot: &mut Snapshot) {
    let kubernetes = vec!["1.35.0".to_owned()];
    let versions = [
        "1.9.5",
        "1.12.0",
        "1.13.0-alpha.1",
        "1.13.0",
        "1.11.1",
        "1.10.0",
    ];
    snapshot.omni.talos_versions = versions
        .into_iter()
        .map(|version| (version.to_owned(), kubernetes.clone()))
        .collect();
}

/// Everything a plan has, in short: actions by id, then what stops it, then warnings.
fn told(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan
        .actions
        .iter()
        .map(|action| format!("do {}", action.id))
        .collect();
    let findings = [
        ("stop", &plan.blockers),
        ("ask", &plan.needs_person),
        ("warn", &plan.warnings),
    ];
    for (word, findings) in findings {
        for found in findings {
            let hint = found.diagnostic.hint.as_deref().unwrap_or_default();
            lines.push(format!("{word} {} ({hint})", found.diagnostic.message));
        }
    }
    lines.join("\n")
}

type Alter = fn(&mut Site, &mut Snapshot);

/// A name, a change, and what the plan must and must not tell.
type Case = (
    &'static str,
    Alter,
    &'static [&'static str],
    &'static [&'static str],
);

async fn check(origin: impl Future<Output = (Site, Snapshot)>, cases: &[Case]) {
    let (site, snapshot) = origin.await;
    for (name, alter, has, has_not) in cases {
        let (mut site, mut snapshot) = (site.clone(), snapshot.clone());
        alter(&mut site, &mut snapshot);
        let told = told(&plan(&site, &snapshot));
        for text in *has {
            assert!(told.contains(text), "{name}: no `{text}` in\n{told}");
        }
        for text in *has_not {
            assert!(!told.contains(text), "{name}: `{text}` in\n{told}");
        }
    }
}

const ROLES: [Case; 6] = [
    (
        "as it is",
        |_, _| (),
        &["do omni/"],
        &["stop", "ask", "warn"],
    ),
    (
        "a gateway key of an unknown role writes nothing",
        |_, snapshot| {
            gateway_role(snapshot, Some("hotspot operator"));
        },
        &["stop the API key may only read"],
        &[],
    ),
    (
        "nor does one that is admin of the view only",
        |_, snapshot| {
            gateway_role(snapshot, Some("View_Only_Admin"));
        },
        &["stop the API key may only read"],
        &[],
    ),
    (
        "a site admin writes",
        |_, snapshot| {
            gateway_role(snapshot, Some("Site_Admin"));
        },
        &["do omni/"],
        &["stop", "warn"],
    ),
    (
        "a role that is not told is told",
        |_, snapshot| gateway_role(snapshot, None),
        &["warn whether the API key may write could not be checked"],
        &["stop"],
    ),
    (
        "by Omni as well",
        |_, snapshot| snapshot.omni.role = None,
        &["warn what the key may do could not be checked"],
        &["stop"],
    ),
];

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_known_to_write_stops_the_plan() {
    check(nothing_built_yet(), &ROLES).await;
}

const RIGHTS: [Case; 3] = [
    (
        "the class way needs none of ours",
        |_, snapshot| allow(snapshot, &["VM.Audit", "Sys.Audit", "Mapping.Modify"]),
        &[],
        &["stop"],
    ),
    (
        "attaching to the VM does",
        |site, snapshot| {
            allow(snapshot, &["VM.Audit", "Sys.Audit", "Mapping.Modify"]);
            for gpu in site.clusters[0]
                .machine_sets
                .iter_mut()
                .flat_map(|set| &mut set.gpus)
            {
                gpu.attach = Attach::Vm;
            }
        },
        &[
            "VM.Config.HWType on /vms, VM.PowerMgmt on /vms, Mapping.Use on /mapping/pci/intel-arc-a310",
        ],
        &["Sys.Audit"],
    ),
    (
        "without any there is nothing to see",
        |_, snapshot| allow(snapshot, &[]),
        &["VM.Audit on /vms, Sys.Audit on /"],
        &[],
    ),
];

#[tokio::test(start_paused = true)]
async fn rights_are_asked_for_where_they_are_used() {
    check(nothing_built_yet(), &RIGHTS).await;
}

const VERSIONS: [Case; 4] = [
    (
        "an unknown Talos stops a new cluster, and the newest are named in order",
        |_, snapshot| forget_versions(snapshot),
        &[
            "stop Omni does not know Talos 1.12.2 (it knows 1.13.0, 1.13.0-alpha.1, 1.12.0, 1.11.1, 1.10.0, …)",
        ],
        &["were not checked"],
    ),
    (
        "extensions without a list are not checked",
        |_, snapshot| snapshot.omni.extensions.clear(),
        &["warn the extensions of homelab were not checked"],
        &["stop"],
    ),
    (
        "a class of a provider that never registered is not written",
        |site, snapshot| {
            let class = spare_class(site);
            class.provider = Some("elsewhere".to_owned());
            class.resource.spec["auto_provision"]["provider_id"] = json!("elsewhere");
            snapshot.omni.providers.remove("elsewhere");
        },
        &[
            "do class/spare",
            "stop no infra provider elsewhere has registered",
        ],
        &["not connected"],
    ),
    (
        "nor one without what its provider requires",
        |site, _| {
            spare_class(site);
            edit_class(site, "spare", "memory: 16384\n", "");
        },
        &["stop the machine class spare lacks `memory`"],
        &["the machine class home-worker lacks"],
    ),
];

#[tokio::test(start_paused = true)]
async fn what_omni_would_refuse_stops_the_plan() {
    check(nothing_built_yet(), &VERSIONS).await;
}

const RUNNING: [Case; 12] = [
    ("as it is", |_, _| (), &[], &["do ", "stop", "ask", "warn"]),
    (
        "a token that only reads is enough",
        |_, snapshot| allow(snapshot, &AUDIT_ONLY),
        &[],
        &["do ", "stop", "ask"],
    ),
    (
        "a Talos that Omni lists no more is no matter",
        |_, snapshot| forget_versions(snapshot),
        &["warn Omni does not know Talos 1.12.2"],
        &["do ", "stop"],
    ),
    (
        "nor is an extension",
        |_, snapshot| snapshot.omni.extensions.values_mut().for_each(Vec::clear),
        &["warn there is no extension siderolabs/"],
        &["do ", "stop"],
    ),
    (
        "until extensions are written",
        |_, snapshot| {
            snapshot.omni.extensions.values_mut().for_each(Vec::clear);
            snapshot
                .omni
                .template_resources
                .retain(|(kind, _), _| !kind.starts_with("ExtensionsConfigurations."));
        },
        &["stop there is no extension siderolabs/"],
        &[],
    ),
    (
        "devices that somebody added to a class stay",
        |_, snapshot| {
            omni_class(snapshot, GPU_CLASS).push_str("pci_devices: [{mapping: intel-arc-a310}]\n");
        },
        &[],
        &["do ", "stop"],
    ),
    (
        "also where the VM way is forced",
        |site, snapshot| {
            omni_class(snapshot, GPU_CLASS).push_str("pci_devices: [{mapping: intel-arc-a310}]\n");
            for gpu in site.clusters[0]
                .machine_sets
                .iter_mut()
                .flat_map(|set| &mut set.gpus)
            {
                gpu.attach = Attach::Vm;
            }
        },
        &[],
        &["do ", "stop"],
    ),
    (
        "devices of a class that has nothing to do with GPUs are the file's matter",
        |_, snapshot| {
            omni_class(snapshot, "home-worker")
                .push_str("pci_devices: [{mapping: intel-arc-a310}]\n");
        },
        &["do class/home-worker"],
        &["stop"],
    ),
    (
        "two declared addresses of a name stand side by side",
        |site, snapshot| {
            let second = record(site, "172.16.8.6");
            snapshot
                .gateway
                .as_mut()
                .expect("a gateway")
                .dns
                .push(served(&second));
            site.dns.records.push(second);
        },
        &[],
        &["do ", "ask"],
    ),
    (
        "the one that is not there is made beside the other",
        |site, _| site.dns.records.push(record(site, "172.16.8.6")),
        &["do dns/omni.home.example/A/172.16.8.6"],
        &["172.16.8.5", "ask"],
    ),
    (
        "an address is the same in any spelling, and one that is not declared stands in the way",
        |site, snapshot| {
            let records = &mut snapshot.gateway.as_mut().expect("a gateway").dns;
            let six = WantedRecord {
                record_type: RecordType::Aaaa,
                ..record(site, "fd00::5")
            };
            records.push(DnsRecord {
                value: "FD00:0:0:0::5".to_owned(),
                ..served(&six)
            });
            records.push(served(&record(site, "172.16.8.7")));
            site.dns.records.push(six);
        },
        &["ask the record omni.home.example A already has the value 172.16.8.7"],
        &["do ", "AAAA"],
    ),
    (
        "encrypted DNS takes the upstream's place",
        |_, snapshot| {
            snapshot
                .gateway
                .as_mut()
                .expect("a gateway")
                .upstream
                .encrypted = Some("auto".to_owned());
        },
        &["warn the gateway's encrypted DNS is on (auto) and takes the place of 1.1.1.1"],
        &["do "],
    ),
];

#[tokio::test(start_paused = true)]
async fn a_site_that_runs_is_left_as_it_is() {
    check(running(), &RUNNING).await;
}

fn new_data(plan: &Plan, class: &str) -> serde_json::Value {
    let resource = plan.actions.iter().find_map(|action| match &action.change {
        Change::UpdateResource { resource, .. } | Change::CreateResource { resource } => {
            (action.id == format!("class/{class}")).then_some(resource)
        }
        _ => None,
    });
    let resource = resource.unwrap_or_else(|| panic!("{class} is written"));
    let text = resource.spec["auto_provision"]["provider_data"]
        .as_str()
        .expect("a text");
    serde_yaml::from_str(text).expect("it is YAML")
}

#[tokio::test(start_paused = true)]
async fn a_changed_class_file_takes_no_devices_out_of_omni() {
    let (mut site, mut snapshot) = running().await;
    omni_class(&mut snapshot, GPU_CLASS)
        .push_str("pci_devices: [{mapping: by-hand, pcie: true}]\n");
    edit_class(&mut site, GPU_CLASS, "cores: 6", "cores: 8");
    let changed = plan(&site, &snapshot);
    let data = new_data(&changed, GPU_CLASS);
    assert_eq!(
        (&data["cores"], &data["pci_devices"]),
        (&json!(8), &json!([{"mapping": "by-hand", "pcie": true}]))
    );
    assert!(
        !changed.actions[0]
            .detail
            .iter()
            .any(|line| line.contains("by-hand")),
        "{:?}",
        changed.actions[0].detail
    );
    // The file's own list is the file's matter.
    edit_class(
        &mut site,
        GPU_CLASS,
        "cores: 8",
        "pci_devices: [{mapping: intel-arc-a310}]\ncores: 8",
    );
    let data = new_data(&plan(&site, &snapshot), GPU_CLASS);
    assert_eq!(data["pci_devices"], json!([{"mapping": "intel-arc-a310"}]));
}

#[tokio::test(start_paused = true)]
async fn devices_reach_the_class_whatever_its_data_looks_like() {
    let (mut site, snapshot) = nothing_built_yet().await;
    let given = json!([{"mapping": "intel-arc-a310", "pcie": true}]);
    edit_class(
        &mut site,
        GPU_CLASS,
        "cores: 6\n",
        "cores: 6\npci_devices: []\n",
    );
    assert_eq!(
        new_data(&plan(&site, &snapshot), GPU_CLASS)["pci_devices"],
        given
    );
    let class = site
        .machine_classes
        .get_mut(GPU_CLASS)
        .expect("the class is in a file");
    class.resource.spec["auto_provision"]["provider_data"] = class.provider_data.to_string().into();
    let data = new_data(&plan(&site, &snapshot), GPU_CLASS);
    assert_eq!((&data["pci_devices"], &data["cores"]), (&given, &json!(6)));
    // A machine set of one that exists and one to come needs them as well.
    grow(&mut site, "homelab-gpu-workers");
    assert_eq!(
        new_data(&plan(&site, &snapshot), GPU_CLASS)["pci_devices"],
        given
    );
}

fn machine_set(site: &mut Site, change: impl FnOnce(&mut serde_json::Value)) {
    let resources = site.clusters[0].resources.iter_mut();
    let mut sets = resources.filter(|resource| resource.metadata.kind.starts_with("MachineSets."));
    let set = sets
        .find(|set| set.metadata.id == WORKERS)
        .expect("the workers' set");
    change(&mut set.spec["machine_allocation"]);
}

#[tokio::test(start_paused = true)]
async fn a_smaller_set_is_shown_as_what_it_is() {
    let (site, snapshot) = running().await;
    let planned = |change: fn(&mut serde_json::Value)| {
        let mut site = site.clone();
        machine_set(&mut site, change);
        plan(&site, &snapshot)
    };
    let smaller = planned(|allocation| allocation["machine_count"] = json!(1));
    assert_eq!(smaller.actions[0].effect, Effect::DestroysMachines);
    insta::assert_snapshot!(render(&smaller).replace(&site.clusters[0].template.path().display().to_string(), "TEMPLATE"), @r"
      - MachineSets homelab-workers  (destroys or wipes machines that run now)
          it differs from TEMPLATE
          ~ size 2 -> 1: Omni destroys the oldest machine
    Plan: 0 to add, 0 to change, 1 to remove; 0 machines to come, 0 reservations, 0 GPUs; 1 machine set shrinks and machines of it are destroyed.
    ");
    let other = planned(|allocation| {
        allocation["machine_count"] = json!(3);
        allocation["name"] = json!("home-control-plane");
    });
    assert_eq!(other.actions[0].effect, Effect::None);
    insta::assert_snapshot!(other.actions[0].detail.join("\n"), @r"
    ~ size 2 -> 3
    ~ machine class home-worker -> home-control-plane; machines that exist keep what they were made with
    ");
}

#[tokio::test(start_paused = true)]
async fn a_name_with_two_addresses_is_made_and_stays() {
    let mut site = site::load(&example()).expect("the example loads");
    site.dns.records.push(record(&site, "172.16.8.6"));
    let lab = lab(site, 43, Faults::default()).await;
    let first = lab.plan().await;
    let (outcome, _) = lab.apply(&first).await;
    assert!(
        outcome.failures.is_empty() && outcome.reached,
        "{outcome:#?}"
    );
    let again = lab.plan().await;
    assert!(
        again.is_empty() && !again.is_blocked(),
        "{}\n{:#?}",
        render(&again),
        again.needs_person
    );
}
