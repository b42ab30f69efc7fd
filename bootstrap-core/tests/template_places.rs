//! Findings name file, line, column, cause and remedy; and how a template is laid out changes nothing.

// A test says what it expects by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::template;

const HEAD: &str =
    "kind: Cluster\nname: c\nkubernetes: {version: v1.36.2}\ntalos: {version: v1.13.7}\n";

fn findings(directory: &Path) -> Vec<Diagnostic> {
    match template::load(&directory.join("t.yaml")) {
        Ok(template) => template.validate(),
        Err(findings) => findings,
    }
}

/// `file:line:column message | hint` of every finding.
fn shown(directory: &Path) -> Vec<String> {
    let inside = directory.display().to_string();
    let above = directory.parent().unwrap().display().to_string();
    let show = |finding: Diagnostic| {
        let origin = finding.origin.unwrap_or_default();
        let file = origin.file.file_name().unwrap_or_default().to_os_string();
        let (line, column) = (origin.line, origin.column);
        let hint = finding
            .hint
            .map_or(String::new(), |hint| format!(" | {hint}"));
        let text = format!("{}{hint}", finding.message);
        let text = text.replace(&inside, "DIR").replace(&above, "UP");
        format!("{}:{line}:{column} {text}", file.display())
    };
    findings(directory).into_iter().map(show).collect()
}

fn check(text: &str, expected: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let site = directory.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(directory.path().join("outside.yaml"), "machine: {}\n").unwrap();
    fs::write(site.join("empty.yaml"), "# nothing\n").unwrap();
    fs::write(
        site.join("mtu.yaml"),
        "machine:\n  network:\n    interfaces:\n      - mtu: big\n",
    )
    .unwrap();
    std::os::unix::fs::symlink("../outside.yaml", site.join("link.yaml")).unwrap();
    fs::write(site.join("t.yaml"), text).unwrap();
    assert_eq!(shown(&site), expected, "{text}");
}

#[test]
fn what_is_no_template_is_refused_with_place_cause_and_hint() {
    let plane = "---\nkind: ControlPlane\n";
    check(&format!("\u{feff}{HEAD}{plane}"), &[]);
    check(
        &format!("%YAML 1.2\n---\n{HEAD}{plane}"),
        &["t.yaml:1:1 omnictl reads YAML 1.1 only | remove the %YAML line"],
    );
    check(
        &format!("{HEAD}name: d\n"),
        &["t.yaml:5:1 key `name` is given twice, first on line 2 | keep one of the two"],
    );
    check(
        "kind: Cluster\nlabels:\n\ta: b\n",
        &["t.yaml:3:1 a tab is used for indentation | YAML is indented with spaces only"],
    );
    check(
        &format!("{HEAD}{plane}---\n"),
        &["t.yaml:8:1 document is empty | remove the `---` without content"],
    );
    check(
        "kind: Cluster\nname: {{ .Values.name }}\n",
        &[
            "t.yaml:2:7 this is text of a template language, not YAML | fill it in first, and give the result",
        ],
    );
    check(
        "{% if gpu %}\nkind: Cluster\n{% endif %}\n",
        &[
            "t.yaml:1:1 this is text of a template language, not YAML | fill it in first, and give the result",
        ],
    );
    check(
        "kind: Cluster\nname: {{ cluster }}-a\n",
        &[
            "t.yaml:2:7 this is text of a template language, not YAML | fill it in first, and give the result",
        ],
    );
    check(
        "kind: Cluster\nname: '{{ cluster }}'\nkubernetes: {version: v1.36.2}\ntalos: {version: v1.13.7}\n---\nkind: ControlPlane\n",
        &[
            "t.yaml:2:7 error validating cluster \"{{ cluster }}\": name should only contain letters, digits, dashes and underscores",
        ],
    );
}

#[test]
fn files_outside_and_patches_that_do_not_fit_are_pointed_at() {
    let with = |patch: &str| format!("{HEAD}patches:\n  - {patch}\n---\nkind: ControlPlane\n");
    for (patch, expected) in [
        (
            "file: /outside.yaml",
            "t.yaml:6:11 error validating cluster \"c\": patch \"/outside.yaml\" is invalid: path escapes from parent | /outside.yaml is outside DIR: move the file or widen --allowed-dir",
        ),
        (
            "file: ../outside.yaml",
            "t.yaml:6:11 error validating cluster \"c\": patch \"../outside.yaml\" is invalid: path escapes from parent | UP/outside.yaml is outside DIR: move the file or widen --allowed-dir",
        ),
        (
            "file: link.yaml",
            "t.yaml:6:11 error validating cluster \"c\": patch \"link.yaml\" is invalid: path escapes from parent | UP/outside.yaml is outside DIR: move the file or widen --allowed-dir",
        ),
        (
            "file: empty.yaml",
            "empty.yaml:1:1 error validating cluster \"c\": patch \"empty.yaml\" is invalid: there is no configuration in it | remove the patch, or what empties it",
        ),
        (
            "file: mtu.yaml",
            "mtu.yaml:4:14 error validating cluster \"c\": patch \"mtu.yaml\" is invalid: error decoding document /v1alpha1/ (line 1): machine.network.interfaces[0].mtu: cannot construct !!str into int | fields and their types are those of Talos 1.14",
        ),
        (
            "{name: p, inline: {machine: {network: {interfaces: [{mtu: big}]}}}}",
            "t.yaml:6:63 error validating cluster \"c\": patch \"p\" is invalid: error decoding document /v1alpha1/ (line 1): machine.network.interfaces[0].mtu: cannot construct !!str into int | fields and their types are those of Talos 1.14",
        ),
    ] {
        check(&with(patch), &[expected]);
    }
    let machine = "---\nkind: ControlPlane\nmachines: [6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d]\n---\nkind: Machine\nname: 6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d\ninstall:\n  diskSelector: disk.size > 100GB\n";
    check(
        &format!("{HEAD}{machine}"),
        &[
            "t.yaml:12:17 machine \"6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d\" is invalid: install.diskSelector is not a valid boolean disk expression: character 16: `GB` is not expected here | write it like `disk.size > 100u * GB && !disk.rotational`",
        ],
    );
}

#[test]
fn the_layout_of_a_template_means_nothing() {
    let resources = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("t.yaml"), text).unwrap();
        let template = template::load(&directory.path().join("t.yaml")).unwrap();
        assert_eq!(template.validate(), [], "{text}");
        let mut resources = template.translate().unwrap();
        resources.sort_by(|one, other| {
            let key = |resource: &omni_client::Resource| {
                (resource.metadata.kind.clone(), resource.metadata.id.clone())
            };
            key(one).cmp(&key(other))
        });
        resources
    };
    let plain = "kind: Cluster\nname: c\nlabels:\n  a: b\n  c: '1'\nkubernetes:\n  version: v1.36.2\ntalos:\n  version: v1.13.7\npatches:\n  - name: p\n    inline:\n      machine:\n        sysctls:\n          x: '1'\n          y: text\n---\nkind: ControlPlane\nmachineClass:\n  name: m\n  size: 3\n---\nkind: Workers\nname: w\nmachineClass:\n  name: n\n  size: unlimited\n";
    let expected = resources(plain);
    let documents: Vec<&str> = plain.split("---\n").collect();
    for (what, text) in [
        (
            "documents in another order",
            [documents[2], documents[0], documents[1]].join("---\n"),
        ),
        (
            "keys in another order, in braces and quotes",
            "{talos: {\"version\": 'v1.13.7'}, kubernetes: {version: \"v1.36.2\"}, patches: [{inline: {machine: {sysctls: {'y': \"text\", x: \"1\"}}}, name: 'p'}], labels: {c: \"1\", a: b}, name: c, kind: Cluster}\n---\n{machineClass: {size: '3', name: m}, kind: ControlPlane}\n---\n{name: w, kind: Workers, machineClass: {size: \"unlimited\", name: n}}\n".to_owned(),
        ),
        (
            "remarks and empty lines",
            plain.lines().map(|line| match line {
                "---" => "\n---\n# next\n".to_owned(),
                line => format!("{line}  # here\n\n"),
            }).collect(),
        ),
        (
            "wider indentation",
            plain.lines().map(|line| {
                let text = line.trim_start();
                let depth = line.len() - text.len();
                format!("{}{text}\n", " ".repeat(depth * 2))
            }).map(|line| line.replace("- name: p", "-   name: p")).collect(),
        ),
        ("line ends of Windows", plain.replace('\n', "\r\n")),
    ] {
        assert_eq!(resources(&text), expected, "{what}");
    }
}
