//! What templates may say, where they may read, and that nothing upsets them.

// A test says what it expects by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::template::{self, LoadOptions, Template};
use omni_client::Resource;
use proptest::prelude::*;

const SMALL: &str =
    "kind: Cluster\nname: c\nkubernetes: {version: v1.36.2}\ntalos: {version: v1.13.7}\n";

fn in_directory(files: &[(&str, &str)], template: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site/t.yaml");
    fs::create_dir(directory.path().join("site")).unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    fs::write(&path, template).unwrap();
    (directory, path)
}

#[test]
fn files_are_read_only_inside_the_allowed_directory() {
    let harmless = "machine: {}\n";
    let check = |file: &str, allowed: Option<&str>, expected: Result<(), &str>| {
        let text = format!("{SMALL}patches: [{{file: '{file}'}}]\n---\nkind: ControlPlane\n");
        let (directory, path) = in_directory(
            &[("outside.yaml", harmless), ("site/inside.yaml", harmless)],
            &text,
        );
        std::os::unix::fs::symlink("../outside.yaml", directory.path().join("site/link.yaml"))
            .unwrap();
        std::os::unix::fs::symlink("inside.yaml", directory.path().join("site/good-link.yaml"))
            .unwrap();
        let options = LoadOptions {
            allowed_dir: allowed.map(PathBuf::from),
            ..LoadOptions::default()
        };
        let findings = template::load_with(&path, &options).unwrap().validate();
        match expected {
            Ok(()) => assert_eq!(findings, [], "{file}"),
            Err(message) => {
                assert_eq!(findings.len(), 1, "{file}: {findings:?}");
                assert!(
                    findings[0].message.ends_with(message),
                    "{file}: {}",
                    findings[0].message
                );
                let origin = findings[0].origin.as_ref().unwrap();
                assert_eq!((origin.line, origin.column), (5, 18), "{file}");
                let tried = directory.path().join(if file.contains("outside") {
                    "outside.yaml"
                } else {
                    "site"
                });
                let hint = findings[0].hint.as_deref().unwrap();
                assert!(hint.contains(tried.to_str().unwrap()), "{file}: {hint}");
            }
        }
    };
    check("inside.yaml", None, Ok(()));
    check("./x/../inside.yaml", None, Ok(()));
    check("good-link.yaml", None, Ok(()));
    check(
        "../outside.yaml",
        None,
        Err("patch \"../outside.yaml\" is invalid: path escapes from parent"),
    );
    check("../outside.yaml", Some(".."), Ok(()));
    check("link.yaml", None, Err("path escapes from parent"));
    check(
        "absent.yaml",
        None,
        Err("patch \"absent.yaml\" is invalid: no such file or directory"),
    );
    check(".", None, Err("is a directory"));
    check("/etc/passwd", None, Err("path escapes from parent"));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let text = "kind: Cluster\nname: c\ncolour: blue\nkubernetes: {version: v1.36.2}\ntalos:\n  verson: v1.13.7\n---\nkind: ControlPlane\nmachinesClass: {name: x, size: 3}\n---\nkind: Worker\n---\nname: x\n---\nkind: Workers\nmachineClass: {name: x, size: many}\nupdateStrategy: {type: Sideways}\nmachines: x\n---\n";
    let options = LoadOptions {
        text: Some(text.to_owned()),
        ..LoadOptions::default()
    };
    let errors = template::load_with(Path::new("t.yaml"), &options).unwrap_err();
    let shown: Vec<_> = errors
        .iter()
        .map(|error| {
            format!(
                "{}: {} [{}]",
                error.origin.as_ref().unwrap(),
                error.message,
                error.hint.as_deref().unwrap_or_default()
            )
        })
        .collect();
    let expected = [
        "t.yaml:3:1: field colour not found in type models.Cluster [known fields: ",
        "t.yaml:6:3: field verson not found in type models.TalosCluster [did you mean `version`?]",
        "t.yaml:9:1: field machinesClass not found in type models.ControlPlane [did you mean `machineClass`?]",
        "t.yaml:11:7: unknown model kind \"Worker\" [did you mean `Workers`?]",
        "t.yaml:13:1: kind field not found [",
        "t.yaml:18:11: machines must be a list, not a string [",
        "t.yaml:16:31: invalid machine count many: strconv.ParseUint: parsing \"many\": invalid syntax [",
        "t.yaml:17:24: invalid update strategy type Sideways [",
        "document is empty [",
    ];
    assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    for (shown, expected) in shown.iter().zip(expected) {
        assert!(shown.contains(expected), "{shown}\n{expected}");
    }
}

#[test]
fn findings_in_patches_point_into_the_patch() {
    let text = format!(
        "{SMALL}patches:\n  - file: p.yaml\n  - name: i\n    inline:\n      machine:\n        install: {{disk: /dev/sda}}\n---\nkind: ControlPlane\n"
    );
    let (directory, path) = in_directory(
        &[("site/p.yaml", "machine:\n  sysctls: {}\n  token: x\n")],
        &text,
    );
    let findings = template::load(&path).unwrap().validate();
    let shown: Vec<_> = findings
        .iter()
        .map(|finding| {
            let origin = finding.origin.as_ref().unwrap().to_string();
            format!(
                "{}: {}",
                origin.replace(directory.path().to_str().unwrap(), ""),
                finding.message
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "/site/p.yaml:3:10: error validating cluster \"c\": patch \"p.yaml\" is invalid: failed to validate patch \"p.yaml\": overriding \"machine.token\" is not allowed in the config patch",
            "/site/t.yaml:10:25: error validating cluster \"c\": patch \"i\" is invalid: failed to validate inline patch \"i\": overriding \"machine.install.disk\" is not allowed in the config patch",
        ]
    );
}

fn load_text(text: &str) -> Result<Template, Vec<Diagnostic>> {
    template::load_with(
        Path::new("t.yaml"),
        &LoadOptions {
            text: Some(text.to_owned()),
            ..LoadOptions::default()
        },
    )
}

fn resources(text: &str) -> Vec<Resource> {
    let mut resources = load_text(text).unwrap().translate().unwrap();
    resources.sort_by(|a, b| {
        (&a.metadata.kind, &a.metadata.id).cmp(&(&b.metadata.kind, &b.metadata.id))
    });
    resources
}

#[test]
fn what_patches_hold_is_printed_nowhere() {
    let text = format!(
        "{SMALL}patches:\n  - file: p.yaml\n  - name: i\n    inline:\n      machine: {{odd: [CANARY], sysctls: {{a: CANARY}}}}\n  - name: t\n    inline: |\n      machine: {{odd: CANARY}}\n---\nkind: ControlPlane\n"
    );
    let secret =
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        dhpc: CANARY\n";
    let (_directory, path) = in_directory(&[("site/p.yaml", secret)], &text);
    let template = template::load(&path).unwrap();
    let findings = template.validate();
    let culprits: Vec<_> = findings
        .iter()
        .map(|finding| {
            let origin = finding.origin.as_ref().unwrap();
            let culprit = finding.message.rsplit(' ').next().unwrap();
            (culprit, origin.line, origin.column)
        })
        .collect();
    assert_eq!(
        culprits,
        [
            ("machine.network.interfaces[0].dhpc", 5, 15),
            ("machine.odd", 9, 22),
            ("machine.odd", 12, 7)
        ]
    );
    let patches = template.patches_for("control-planes");
    let printed = format!("{template:?}{findings:?}{patches:?}");
    assert!(!printed.contains("CANARY"), "{printed}");
}

#[test]
fn the_way_it_is_written_does_not_matter() {
    let plain = format!(
        "{SMALL}labels: {{a: \"1\", b: x}}\npatches:\n  - name: p\n    inline: {{machine: {{sysctls: {{b: \"2\", a: \"1\"}}}}}}\n---\nkind: ControlPlane\nmachineClass: {{name: m, size: 3}}\n"
    );
    let other = "# a comment\n---\n\"machineClass\":\n    size: \"3\"   # three\n    name: 'm'\nkind: ControlPlane\n---\npatches:\n- inline:\n    machine:\n      sysctls:\n        a: '1'\n        b: '2'\n  name: p\ntalos:\n  version: \"v1.13.7\"\nkubernetes:\n  version: v1.36.2\nname: c\nlabels:\n  b: x\n  a: '1'\nkind: Cluster\n...\n";
    assert_eq!(resources(&plain), resources(other));
    assert_eq!(
        resources(&plain),
        resources(&format!("\u{feff}{}", plain.replace('\n', "\r\n")))
    );
}

#[test]
fn kernel_arguments_and_twins_fail_at_translation() {
    let text = format!(
        "{SMALL}kernelArgs: [a]\npatches:\n  - {{idOverride: x, inline: {{machine: {{}}}}}}\n  - {{idOverride: x, inline: {{machine: {{}}}}}}\n---\nkind: ControlPlane\nmachineClass: {{name: m, size: 3}}\n"
    );
    let template = load_text(&text).unwrap();
    assert_eq!(template.validate(), []);
    let errors = template.translate().unwrap_err();
    let shown: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {}", error.origin.as_ref().unwrap(), error.message))
        .collect();
    assert_eq!(
        shown,
        [
            "t.yaml:10:1: kernelArgs cannot be defined at cluster level for this machine set since it uses a machine class",
            "t.yaml:8:5: resource ID duplicate ConfigPatches.omni.sidero.dev(default/x)",
        ]
    );
}

/// Cuts, swaps and overwrites that keep much of a template intact.
fn mangled() -> impl Strategy<Value = String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden");
    let cases = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("input/t.yaml"));
    let texts: Vec<String> = cases
        .filter_map(|template| fs::read_to_string(template).ok())
        .collect();
    let edit = (
        0.0..1.0_f64,
        0.0..1.0_f64,
        "[-:#&*!|>'\"%@`{}\\[\\], \ta-z0-9~\n\u{e9}\u{1f600}]{0,8}",
    );
    (
        proptest::sample::select(texts),
        proptest::collection::vec(edit, 1..6),
    )
        .prop_map(|(text, edits)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (start, length, insert) in edits {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss
                )]
                // positions in a short text
                let (from, to) = {
                    let from = (start * characters.len() as f64) as usize;
                    (
                        from,
                        (from + (length * 20.0) as usize).min(characters.len()),
                    )
                };
                characters.splice(from..to, insert.chars());
            }
            characters.into_iter().collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_template_upsets_anything(text in mangled()) {
        let options = LoadOptions { text: Some(text.clone()), ..LoadOptions::default() };
        let report = template::omnictl_report(Path::new("t.yaml"), &options);
        match load_text(&text) {
            Ok(template) => {
                prop_assert_eq!(report.is_none(), template.validate().is_empty());
                if let Ok(resources) = template.translate() {
                    let printed = template::render(&resources, "2026-01-01T00:00:00Z");
                    let again = bootstrap_core::yaml::parse(&printed);
                    prop_assert_eq!(again.map(|documents| documents.len()).unwrap_or_default(), resources.len());
                }
            }
            Err(errors) => prop_assert!(!errors.is_empty() && report.is_some()),
        }
    }
}
