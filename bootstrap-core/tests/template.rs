//! Templates against what the real omnictl does with them.

// A test says what it expects by failing, and prints how much it saw.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bootstrap_core::machine_class;
use bootstrap_core::template::{self, LoadOptions, MachineCount};
use serde_json::Value;

const CREATED: &str = "CREATED";

fn golden() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden");
    let mut cases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

/// Real inputs that are not part of this project; tests on them run where they are.
fn inputs() -> Option<PathBuf> {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs");
    if !inputs.is_dir() {
        let _ = writeln!(std::io::stderr(), "inputs absent: not checked");
    }
    inputs.is_dir().then_some(inputs)
}

fn number(case: &Path) -> u32 {
    case.file_name().unwrap().to_str().unwrap()[..2]
        .parse()
        .unwrap()
}

fn without_times(text: &str) -> String {
    let normal = |line: &str| match ["  created: ", "  updated: "]
        .into_iter()
        .find(|key| line.starts_with(key))
    {
        Some(key) => [key, CREATED, "\n"].concat(),
        None => [line, "\n"].concat(),
    };
    text.lines().map(normal).collect()
}

fn rendered(path: &Path) -> String {
    let template =
        template::load(path).unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
    assert_eq!(template.validate(), [], "{}", path.display());
    template::render(&template.translate().unwrap(), CREATED)
}

fn same_lines(ours: &str, theirs: &str, what: &str) {
    if ours == theirs {
        return;
    }
    let at = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| ours.lines().count().min(theirs.lines().count()));
    let (a, b) = (ours.lines().nth(at), theirs.lines().nth(at));
    panic!(
        "{what}: line {} differs\n  ours: {a:?}\ntheirs: {b:?}",
        at + 1
    );
}

#[test]
fn goldens_render_to_the_same_bytes() {
    let mut count = 0;
    for case in golden().iter().filter(|case| number(case) <= 5) {
        let theirs = fs::read_to_string(case.join("stdout")).unwrap();
        same_lines(
            &rendered(&case.join("input/t.yaml")),
            &without_times(&theirs),
            &case.display().to_string(),
        );
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn goldens_get_the_same_verdict_in_the_same_words() {
    let mut count = 0;
    for case in golden()
        .iter()
        .filter(|case| (6..=21).contains(&number(case)))
    {
        // The path as the recorded command has it; everything else is read from the case.
        let input = case.join("input/t.yaml");
        let (path, options) = match fs::read_to_string(&input) {
            Ok(text) => (
                input,
                LoadOptions {
                    text: Some(text),
                    ..LoadOptions::default()
                },
            ),
            Err(_) => (PathBuf::from("t.yaml"), LoadOptions::default()),
        };
        let report = template::omnictl_report(&path, &options);
        let exit = u32::from(report.is_some());
        let ours = report.map_or(String::new(), |report| format!("Error: {report}\n"));
        let theirs = fs::read_to_string(case.join("stderr")).unwrap();
        assert_eq!(
            exit.to_string(),
            fs::read_to_string(case.join("exit")).unwrap().trim(),
            "{}",
            case.display()
        );
        // Only the wording of syntax errors is the parser's own.
        let known = theirs.find("go-yaml load error").unwrap_or(theirs.len());
        assert_eq!(ours.get(..known), theirs.get(..known), "{}", case.display());
        assert!(
            known < theirs.len() || ours.len() == theirs.len(),
            "{}",
            case.display()
        );
        count += 1;
    }
    assert_eq!(count, 16);
}

#[test]
fn real_templates_render_to_the_same_bytes() {
    let Some(inputs) = inputs() else { return };
    let mut count = 0;
    for entry in fs::read_dir(inputs.join("expected-renders")).unwrap() {
        let expected = entry.unwrap();
        let name = expected.file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".render.yaml") else {
            continue;
        };
        let theirs = fs::read_to_string(expected.path()).unwrap();
        same_lines(
            &rendered(&inputs.join(name.replace("__", "/"))),
            &without_times(&theirs),
            name,
        );
        count += 1;
    }
    let _ = writeln!(
        std::io::stderr(),
        "{count} renders of real templates are byte-equal"
    );
    assert!(count > 0);
}

#[test]
fn real_templates_get_the_same_verdict() {
    let Some(inputs) = inputs() else { return };
    let expected: Value =
        serde_json::from_slice(&fs::read(inputs.join("EXPECTED-validate.json")).unwrap()).unwrap();
    let expected = expected.as_array().unwrap();
    for case in expected {
        let file = case["file"].as_str().unwrap();
        let report = template::omnictl_report(&inputs.join(file), &LoadOptions::default());
        assert_eq!(
            u64::from(report.is_some()),
            case["rc"].as_u64().unwrap(),
            "{file}: {report:?}"
        );
        if let Some(report) = report {
            // The recorded messages are cut after some hundred characters.
            let message = case["msg"].as_str().unwrap();
            let known: String = message.chars().take(380).collect();
            assert!(
                format!("Error: {report}").starts_with(&known),
                "{file}: {report}\n{message}"
            );
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{} verdicts on real templates are equal",
        expected.len()
    );
}

#[test]
fn the_homelab_is_fourteen_resources() {
    let Some(inputs) = inputs() else { return };
    let directory = inputs.join("k8s-homelab/iac/omni");
    let template =
        template::load(&directory.join("cluster-template/cluster-template.yaml")).unwrap();
    let resources = template.translate().unwrap();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &resources {
        *kinds
            .entry(resource.metadata.kind.split('.').next().unwrap())
            .or_default() += 1;
    }
    let expected = [
        ("Clusters", 1),
        ("ConfigPatches", 7),
        ("ExtensionsConfigurations", 3),
        ("MachineSets", 3),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    assert!(
        resources.iter().any(|resource| resource.metadata.id
            == "401-labber-gpu-workers-./patches/intel-gpu-worker.yaml")
    );
    assert_eq!(
        (
            template.cluster_name(),
            template.talos_version(),
            template.kubernetes_version()
        ),
        ("labber", "1.12.2", "1.35.0")
    );
    let sets = template.machine_sets();
    let names: Vec<_> = sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["control-planes", "workers", "gpu-workers"]);
    assert_eq!(
        sets[2].class,
        Some((
            "proxmox-intel-gpu-worker".to_owned(),
            MachineCount::Fixed(1)
        ))
    );
    let patches = template.patches_for("gpu-workers");
    let names: Vec<_> = patches.iter().map(|patch| patch.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "disable-default-cni",
            "gpu-worker-labels",
            "./patches/intel-gpu-worker.yaml",
            "longhorn-storage"
        ]
    );
    assert_eq!(
        patches[2].documents[0]["machine"]["kernel"]["modules"][0]["name"],
        "xe"
    );
    assert!(
        template
            .extensions_for("labber-gpu-workers")
            .unwrap()
            .contains(&"siderolabs/xe".to_owned())
    );
    assert!(!template.ships_manifests());
}

#[test]
fn real_machine_classes_load_and_keep_every_key() {
    let Some(inputs) = inputs() else { return };
    let (mut files, mut count, mut warned) = (0, 0, 0);
    for file in yaml_files(&inputs) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if !text
            .lines()
            .any(|line| line.trim() == "type: MachineClasses.omni.sidero.dev")
            || text.contains("\n  type: Clusters.")
        {
            continue;
        }
        let (loaded, warnings) = machine_class::load_with_warnings(&file)
            .unwrap_or_else(|errors| panic!("{}: {errors:#?}", file.display()));
        files += 1;
        count += loaded.len();
        warned += usize::from(!warnings.is_empty());
        for class in loaded {
            let data = class.resource.spec["auto_provision"]["provider_data"]
                .as_str()
                .unwrap_or_default();
            for key in data
                .lines()
                .filter(|line| !line.starts_with([' ', '#', '-']))
                .filter_map(|line| line.split_once(':'))
            {
                assert!(
                    class.provider_data.get(key.0).is_some(),
                    "{}: {}",
                    file.display(),
                    key.0
                );
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{count} machine classes of {files} real files loaded, {warned} files with warnings"
    );
    assert!(count > 0 && warned > 0);
}

fn yaml_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    files
}
