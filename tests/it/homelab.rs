//! The site this was made for: its own public files, as they are used with `omnictl`, with a
//! `bootstrap.yaml` of ours beside them. They are other people's and stay where they are.

use std::path::{Path, PathBuf};

use bootstrap_core::plan::render;
use bootstrap_core::site::{self, Site};
use site_simulator::{Faults, log::Fact};

use crate::engine::{lab, lab_with};

const BOOTSTRAP: &str = r#"
version: 1
name: home
omni: {endpoint: "https://omni.home.example", serviceAccountKey: {env: OMNI_SERVICE_ACCOUNT_KEY}}
proxmox:
  - {provider: proxmox, endpoint: "https://proxmox.home.example:8006", apiToken: {env: PROXMOX_VE_API_TOKEN}}
unifi: {endpoint: "https://172.16.8.1", apiKey: {env: UNIFI_API_KEY}}
dns:
  records: [{name: omni.home.example, type: A, value: 172.16.8.5}]
  upstream: [1.1.1.1]
  nodeResolvers: [172.16.8.1, 8.8.8.8]
machineClasses: [iac/omni/machine-classes/*.yaml]
gpuMappings:
  intel-arc-a310: {provider: proxmox, devices: [{node: proxmox, path: "0000:03:00", id: "8086:56a6"}]}
clusters:
  - template: iac/omni/cluster-template/cluster-template.yaml
    network: infra
    machineSets:
      control-planes: {addresses: [172.16.8.11-172.16.8.14]}
      workers: {addresses: [172.16.8.21-172.16.8.29]}
      gpu-workers: {addresses: [172.16.8.31-172.16.8.32], gpu: [{mapping: intel-arc-a310, pcie: true}]}
"#;

/// The homelab's files in a directory of their own, or a word that they are not here.
fn homelab() -> Option<(tempfile::TempDir, Site)> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs/k8s-homelab");
    if !files.is_dir() {
        println!("skipped: the homelab's public files are not beside this checkout");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    copy(&files, directory.path());
    let file = directory.path().join("bootstrap.yaml");
    std::fs::write(&file, BOOTSTRAP).expect("the site file can be written");
    let site = site::load(&file).expect("the homelab loads");
    Some((directory, site))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the directory can be made");
    for entry in std::fs::read_dir(from).expect("the directory can be read") {
        let path: PathBuf = entry.expect("the entry can be read").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::write(target, std::fs::read(path).expect("the file can be read"))
                .expect("and written");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_homelab_goes_from_nothing_to_running() {
    let Some((_directory, site)) = homelab() else {
        return;
    };
    let lab = lab(site, 21, Faults::default()).await;
    let plan = lab.plan().await;
    assert!(
        !plan.is_blocked(),
        "{:#?} {:#?}",
        plan.blockers,
        plan.needs_person
    );
    let (outcome, _) = lab.apply(&plan).await;
    assert!(
        outcome.failures.is_empty() && outcome.needs_person.is_empty(),
        "{outcome:#?}"
    );
    assert!(outcome.reached);
    let figures = lab.figures().await;
    assert_eq!(
        figures.to_string(),
        "first leases right 6/6, GPUs at first boot 1/1, restarts 0"
    );
    let again = lab.plan().await;
    assert!(again.is_empty(), "{}", render(&again));
}

#[tokio::test(start_paused = true)]
async fn the_homelab_as_it_runs_today_needs_nothing_and_nothing_of_it_is_touched() {
    let Some((_directory, site)) = homelab() else {
        return;
    };
    let lab = lab_with(site, 22, Faults::default(), |blueprint| {
        blueprint
            .dns_records
            .push((blueprint.omni_name.clone(), blueprint.omni_address));
    })
    .await;
    lab.made_by_hand();
    let plan = lab.plan().await;
    assert!(
        plan.is_empty() && !plan.is_blocked(),
        "{}\n{:#?}",
        render(&plan),
        plan.needs_person
    );
    let (outcome, _) = lab.apply(&plan).await;
    assert!(
        outcome.failures.is_empty() && outcome.needs_person.is_empty(),
        "{outcome:#?}"
    );
    let touched: Vec<Fact> = lab
        .world
        .log()
        .entries
        .into_iter()
        .map(|entry| entry.fact)
        .filter(|fact| !matches!(fact, Fact::Leased { .. }))
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
}
