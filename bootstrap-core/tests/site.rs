//! Site files, good and bad: what is found, and where.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop anywhere"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::site::{self, PinKey, SecretRef, Site};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn shown(findings: &[Diagnostic], directory: &Path) -> String {
    let mut text = String::new();
    let place = format!("{}/", directory.display());
    let cleaned = |text: &str| {
        text.replace(&place, "")
            .replace(&directory.display().to_string(), "DIR")
    };
    for finding in findings {
        let severity = if finding.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        let origin = finding
            .origin
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        writeln!(
            text,
            "{}: {severity}: {}",
            cleaned(&origin),
            cleaned(&finding.message)
        )
        .unwrap();
        if let Some(hint) = &finding.hint {
            writeln!(text, "    {}", cleaned(hint)).unwrap();
        }
    }
    text
}

/// Loads one of the fixtures and shows all that was found.
fn check(case: &str) -> String {
    let directory = root().join("tests/fixtures/sites");
    let result = site::load(&directory.join(format!("{case}.yaml")));
    let findings = match &result {
        Ok(site) => {
            let mut findings = [&site.warnings[..], &site.unchecked[..]].concat();
            findings.sort_by(|one, other| {
                (&one.origin, one.severity).cmp(&(&other.origin, other.severity))
            });
            [site.resolver_findings.clone(), findings].concat()
        }
        Err(findings) => {
            assert!(
                findings
                    .iter()
                    .any(|finding| finding.severity == Severity::Error),
                "{case}: refused without an error"
            );
            findings.clone()
        }
    };
    let text = shown(&findings, &directory);
    assert!(
        !text.contains("hunter2") && !text.contains("canary"),
        "{case} shows a secret:\n{text}"
    );
    text
}

#[test]
fn findings_name_place_cause_and_next_step() {
    for case in [
        "minimal",
        "empty",
        "yaml",
        "duplicates",
        "two-documents",
        "typos",
        "endpoints",
        "secrets",
        "dns",
        "classes",
        "sets",
        "pools",
        "gpus",
    ] {
        insta::with_settings!({snapshot_path => "../../tests/fixtures/sites/expected", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(case, check(case));
        });
    }
}

fn example() -> Site {
    site::load(&root().join("examples/homelab/bootstrap.yaml"))
        .unwrap_or_else(|findings| panic!("{}", shown(&findings, &root())))
}

#[test]
fn the_example_loads_without_a_finding() {
    let site = example();
    assert_eq!(shown(&site.warnings, &root()), "");
    assert_eq!(shown(&site.resolver_findings, &root()), "");
    assert_eq!(
        site.omni.key,
        SecretRef::Env("OMNI_SERVICE_ACCOUNT_KEY".to_owned())
    );
    assert_eq!(
        site.proxmox[0].endpoints,
        [
            "https://pve-1.home.example:8006",
            "https://pve-2.home.example:8006"
        ]
    );
    let cluster = &site.clusters[0];
    assert!(cluster.cni_none);
    assert_eq!(
        cluster.virtual_addresses,
        ["172.16.8.10".parse::<std::net::Ipv4Addr>().unwrap()]
    );
    let sets: Vec<_> = cluster
        .machine_sets
        .iter()
        .map(|set| {
            let (shape, count) = set.class.clone().unwrap();
            format!(
                "{} {shape} {count} {:?} {} addresses, {} GPUs",
                set.id,
                set.network,
                set.addresses.len(),
                set.gpus.len()
            )
        })
        .collect();
    assert_eq!(
        sets,
        [
            "homelab-control-planes home-control-plane 3 Some(\"infra\") 4 addresses, 0 GPUs",
            "homelab-workers home-worker 2 Some(\"infra\") 9 addresses, 0 GPUs",
            "homelab-gpu-workers home-intel-gpu-worker 1 Some(\"infra\") 2 addresses, 1 GPUs",
        ]
    );
    let (owner, workers) = site.machine_set("homelab-workers").unwrap();
    assert_eq!(
        (
            owner.name.as_str(),
            workers.addresses[8].to_string().as_str()
        ),
        ("homelab", "172.16.8.29")
    );
    assert!(!cluster.resources.is_empty());
}

/// A site of one cluster on a template, written to a fresh directory.
fn written(template: &str, section: &str) -> (tempfile::TempDir, Result<Site, Vec<Diagnostic>>) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("template.yaml"), template).unwrap();
    let site = format!(
        "version: 1\nomni: {{endpoint: https://omni.example}}\nunifi: {{endpoint: https://10.0.0.1}}\n\
         dns: {{nodeResolvers: [10.0.0.1]}}\nclusters:\n  - template: template.yaml\n    network: lan\n    machineSets:\n{section}"
    );
    let path = directory.path().join("bootstrap.yaml");
    std::fs::write(&path, site).unwrap();
    let site = site::load(&path);
    (directory, site)
}

const TEMPLATE: &str = "kind: Cluster\nname: c\nkubernetes: {version: v1.35.0}\ntalos: {version: v1.12.2}\n---\n\
                        kind: ControlPlane\nmachineClass: {name: a, size: 1}\n---\n\
                        kind: Workers\nmachineClass: {name: b, size: unlimited}\n";

#[test]
fn machine_sets_without_resolvers_are_named() {
    let (_directory, site) = written(
        TEMPLATE,
        "      workers: {addresses: [10.0.0.20-10.0.0.21]}\n",
    );
    let messages: Vec<_> = site
        .unwrap()
        .resolver_findings
        .into_iter()
        .map(|finding| finding.message)
        .collect();
    assert_eq!(
        messages,
        [
            "no patch of machine set `c-control-planes` sets its resolvers, and `dns.nodeResolvers` wants 10.0.0.1",
            "no patch of machine set `c-workers` sets its resolvers, and `dns.nodeResolvers` wants 10.0.0.1",
        ]
    );
}

#[test]
fn pools_keep_their_order_and_pins_their_machines() {
    let section = "      workers:\n        addresses: [10.0.0.29, 10.0.0.20-10.0.0.22]\n        nic: net1\n        network: dmz\n        \
                   pins: {BC-24-11-00-00-01: 10.0.0.30, 6A5C9F3E-0A52-4C36-8A54-0B4D0D5E7C11: 10.0.0.29}\n";
    let (_directory, site) = written(TEMPLATE, section);
    let site = site.unwrap();
    let (_, workers) = site.machine_set("c-workers").unwrap();
    let addresses: Vec<_> = workers.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["10.0.0.29", "10.0.0.20", "10.0.0.21", "10.0.0.22"]
    );
    assert_eq!(
        (workers.nic.as_str(), workers.network.as_deref()),
        ("net1", Some("dmz"))
    );
    assert_eq!(workers.class, Some(("b".to_owned(), 0)));
    let pins: Vec<_> = workers
        .pins
        .iter()
        .map(|(key, address)| format!("{key:?} {address}"))
        .collect();
    let uuid = PinKey::Uuid("6a5c9f3e-0a52-4c36-8a54-0b4d0d5e7c11".to_owned());
    assert_eq!(workers.pins[&uuid].to_string(), "10.0.0.29", "{pins:?}");
    assert_eq!(pins.len(), 2);
    let (_, control_planes) = site.machine_set("c-control-planes").unwrap();
    assert_eq!(
        (
            control_planes.network.as_deref(),
            control_planes.addresses.len()
        ),
        (Some("lan"), 0)
    );
}

proptest::proptest! {
    /// Whatever an editor does to the file: a finding with a place in it, or a site, and no panic.
    #[test]
    fn damaged_files_are_refused_calmly(
        edits in proptest::collection::vec((0..4000_usize, 0..40_usize, "[ -~\t\n\u{e9}]{0,6}"), 1..6),
    ) {
        let mut text = std::fs::read_to_string(root().join("examples/homelab/bootstrap.yaml")).unwrap();
        for (at, length, with) in edits {
            let begin = text.floor_char_boundary(at.min(text.len()));
            let end = text.floor_char_boundary((begin + length).min(text.len())).max(begin);
            text.replace_range(begin..end, &with);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bootstrap.yaml");
        std::fs::write(&path, &text).unwrap();
        if let Err(findings) = site::load(&path) {
            proptest::prop_assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
            let lines = text.lines().count() + 1;
            for origin in findings.iter().filter_map(|finding| finding.origin.as_ref()) {
                proptest::prop_assert!(origin.line <= lines, "{origin} of {lines} lines\n{text}");
            }
        }
    }
}
