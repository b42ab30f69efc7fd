//! Canaries in every place that holds a secret; nothing that is printed may have one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use tokio::process::Command;

use crate::harness::{Finished, Loopback, run};

const SPEED: f64 = 50.0;

const IN_PATCH: &str = "canary-registry-password-8f3e1a";
const IN_INLINE_PATCH: &str = "canary-inline-token-77aa10";
const IN_MANIFEST: &str = "canary-manifest-value-c0ffee";
/// As random as real ones, and where no key names them.
const STRAY: &str = "Zx81cAnaryQ7b2Lm90pWvT4sRk63";
const COMMAND_ARGUMENT: &str = "canary-command-argument-51d0";

/// Texts that must not be seen, each also as base64.
struct Canaries(Vec<String>);

impl Canaries {
    fn of(site: &Loopback) -> Self {
        let known = site.world.credentials();
        let mut texts: Vec<String> = [
            IN_PATCH,
            IN_INLINE_PATCH,
            IN_MANIFEST,
            STRAY,
            COMMAND_ARGUMENT,
        ]
        .map(str::to_owned)
        .into();
        for token in [&known.proxmox_token, &known.proxmox_readonly_token] {
            texts.extend(token.split_once('=').map(|(_, secret)| secret.to_owned()));
        }
        texts.extend([known.unifi_key.clone(), known.unifi_readonly_key.clone()]);
        for key in [
            &known.omni_key,
            &known.omni_reader_key,
            &known.omni_expired_key,
        ] {
            let key = key.expose_secret();
            // Any good part of it, raw or as it stands in the key.
            texts.extend(
                key.as_bytes()
                    .chunks(48)
                    .map(|part| String::from_utf8_lossy(part).into_owned()),
            );
            let json = STANDARD.decode(key).expect("keys are base64");
            let json: serde_json::Value = serde_json::from_slice(&json).expect("and JSON inside");
            let armored = json["pgp_key"].as_str().expect("with a private key");
            texts.extend(
                armored
                    .lines()
                    .filter(|line| line.len() > 30)
                    .map(str::to_owned),
            );
        }
        texts.retain(|text| text.len() >= 12 && !text.starts_with("-----"));
        Self(texts)
    }

    /// Stops when a canary stands in what was printed.
    fn look_for(&self, what: &str, finished: &Finished) {
        let printed = finished.printed();
        for canary in &self.0 {
            for text in forms(canary) {
                if let Some(at) = printed.find(&text) {
                    let line = printed[..at].lines().count();
                    let shown = printed
                        .lines()
                        .nth(line.saturating_sub(1))
                        .unwrap_or_default();
                    panic!(
                        "{what} (exit {:?}) shows `{canary}` on line {line}: {shown}",
                        finished.code
                    );
                }
            }
        }
    }
}

/// A text and its base64, whatever stands before it.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    for before in 0..3 {
        let mut bytes = vec![b' '; before];
        bytes.extend_from_slice(text.as_bytes());
        // The first and last group depend on what stands around.
        let coded = STANDARD.encode(&bytes);
        forms.push(coded[4..coded.len() - 4].to_owned());
    }
    forms
}

fn append(files: &Path, file: &str, text: &str) {
    let path = files.join(file);
    let before = std::fs::read_to_string(&path).expect("the file is there");
    std::fs::write(path, before + text).expect("the file can be written");
}

fn replace(files: &Path, file: &str, from: &str, to: &str) {
    let path = files.join(file);
    let before = std::fs::read_to_string(&path).expect("the file is there");
    assert!(before.contains(from), "{file} has no {from}");
    std::fs::write(path, before.replacen(from, to, 1)).expect("the file can be written");
}

fn private(files: &Path, file: &str, text: &str) {
    let path = files.join(file);
    std::fs::write(&path, text).expect("the file can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// Secrets where people have them: patches, manifests, a key file, a command.
fn plant(site: &Loopback) {
    let files = site.directory.path();
    let known = site.world.credentials();
    append(
        files,
        "cluster/patches/storage.yaml",
        &format!(
            "  registries:\n    config:\n      registry.home.example:\n        auth: {{username: pull, password: {IN_PATCH}}}\n"
        ),
    );
    replace(
        files,
        "cluster/template.yaml",
        "          intel.com/gpu: \"true\"",
        &format!(
            "          intel.com/gpu: \"true\"\n        env:\n          TOKEN: {IN_INLINE_PATCH}"
        ),
    );
    replace(
        files,
        "cluster/template.yaml",
        "kubernetes:\n  version: v1.35.0\n",
        "kubernetes:\n  version: v1.35.0\n  manifests:\n    - {name: pull-secret, mode: full, file: secret.yaml}\n",
    );
    private(
        files,
        "cluster/secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull, namespace: default}}\nstringData: {{password: {IN_MANIFEST}}}\n"
        ),
    );
    private(files, "unifi.key", &format!("{}\n", known.unifi_key));
    private(files, "proxmox.token", &known.proxmox_token);
    replace(
        files,
        "bootstrap.yaml",
        "{env: UNIFI_API_KEY}",
        "{file: unifi.key}",
    );
    let script = format!(
        "{{command: [sh, -c, 'cat \"$0\"', {}, {COMMAND_ARGUMENT}]}}",
        files.join("proxmox.token").display()
    );
    replace(
        files,
        "bootstrap.yaml",
        "{env: PROXMOX_VE_API_TOKEN}",
        &script,
    );
}

async fn planted() -> (Loopback, Canaries) {
    let site = Loopback::open(3, SPEED, Faults::default(), |_, _| ()).await;
    plant(&site);
    let canaries = Canaries::of(&site);
    (site, canaries)
}

/// How much is said, and in what form.
const FORMS: [(&[&str], Option<&str>); 5] = [
    (&[], None),
    (&["-vvv"], None),
    (&["-o", "json"], None),
    (&["-o", "yaml"], None),
    (&["-vvv"], Some("trace")),
];

/// Runs a command in every form, expects an exit code and looks at all that is printed.
async fn in_every_form(what: &str, code: i32, canaries: &Canaries, command: impl Fn() -> Command) {
    for (arguments, log) in FORMS {
        let mut command = command();
        command.args(arguments);
        if let Some(level) = log {
            command.env("RUST_LOG", level);
        }
        let finished = run(command).await;
        canaries.look_for(&format!("{what} {arguments:?} {log:?}"), &finished);
        assert_eq!(
            finished.code,
            Some(code),
            "{what} {arguments:?} {log:?}: {}",
            finished.printed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_shows_none() {
    let (site, canaries) = planted().await;
    for verb in ["validate", "plan", "status"] {
        in_every_form(verb, 0, &canaries, || site.command(verb)).await;
    }
    let mut apply = site.apply();
    apply
        .args(["-vvv", "--wait", "none"])
        .env("RUST_LOG", "trace");
    let finished = run(apply).await;
    canaries.look_for("apply", &finished);
    assert_eq!(finished.code, Some(0), "{}", finished.printed());
    // Now the plan holds what Omni has and what it shall have.
    for (file, canary) in [
        ("cluster/patches/storage.yaml", IN_PATCH),
        ("cluster/secret.yaml", IN_MANIFEST),
    ] {
        replace(site.directory.path(), file, canary, &format!("{canary}-2"));
    }
    in_every_form("plan", 2, &canaries, || {
        let mut plan = site.command("plan");
        plan.arg("--detailed-exitcode");
        plan
    })
    .await;
    for arguments in [&["-o", "json"][..], &["-o", "yaml"]] {
        let mut apply = site.apply();
        apply.args(["--wait", "none"]).args(arguments);
        let finished = run(apply).await;
        canaries.look_for(&format!("apply {arguments:?}"), &finished);
        assert_eq!(finished.code, Some(0), "{}", finished.printed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_shows_none() {
    let (site, canaries) = planted().await;
    for (arguments, log) in [(&["-vvv"][..], "trace"), (&["-o", "json"], "info")] {
        let mut rehearse = site.command("rehearse");
        rehearse
            .args(["--speed", "50", "--wait", "none"])
            .args(arguments)
            .env("RUST_LOG", log);
        let finished = run(rehearse).await;
        canaries.look_for(&format!("rehearse {arguments:?}"), &finished);
        assert_eq!(finished.code, Some(0), "{}", finished.printed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_refused_are_not_shown() {
    let (site, canaries) = planted().await;
    let known = site.world.credentials();
    let wrapped = |pgp_key: &str| {
        STANDARD.encode(serde_json::json!({"name": "x", "pgp_key": pgp_key}).to_string())
    };
    let cut = &known.omni_key.expose_secret()[..400];
    for key in [
        STRAY,
        &wrapped(STRAY),
        cut,
        known.omni_expired_key.expose_secret(),
        known.omni_reader_key.expose_secret(),
    ] {
        in_every_form("plan with another Omni key", 5, &canaries, || {
            let mut plan = site.command("plan");
            plan.env("OMNI_SERVICE_ACCOUNT_KEY", key);
            plan
        })
        .await;
    }
    let wrong_token = format!("root@pam!x={STRAY}");
    for (file, text) in [
        ("unifi.key", STRAY),
        ("unifi.key", known.unifi_readonly_key.as_str()),
        ("proxmox.token", STRAY),
        ("proxmox.token", wrong_token.as_str()),
        ("proxmox.token", known.proxmox_readonly_token.as_str()),
        // Not one line, or not text.
        ("unifi.key", &format!("{STRAY}\n{STRAY}\n")),
    ] {
        let files = site.files();
        private(files.path(), file, text);
        let script = site
            .directory
            .path()
            .join("proxmox.token")
            .display()
            .to_string();
        replace(
            files.path(),
            "bootstrap.yaml",
            &script,
            &files.path().join("proxmox.token").display().to_string(),
        );
        in_every_form(&format!("plan with another {file}"), 5, &canaries, || {
            site.command_in(files.path(), "plan")
        })
        .await;
    }
    let failing = site.files();
    replace(
        failing.path(),
        "bootstrap.yaml",
        "cat \"$0\"",
        "cat \"$0\"; exit 3",
    );
    in_every_form("plan with a command that fails", 5, &canaries, || {
        site.command_in(failing.path(), "plan")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_files_do_not_show_what_is_in_them() {
    let (site, canaries) = planted().await;
    let password = format!("password: {IN_PATCH}");
    let breaks: [(&str, &str, String); 12] = [
        (
            "cluster/patches/storage.yaml",
            &password,
            format!("password: [{IN_PATCH}"),
        ),
        (
            "cluster/patches/storage.yaml",
            &password,
            format!("password: {IN_PATCH}\n  bad: ["),
        ),
        (
            "cluster/patches/storage.yaml",
            &password,
            format!("password: *{IN_PATCH}"),
        ),
        (
            "cluster/patches/storage.yaml",
            &password,
            format!("password: \"{IN_PATCH}"),
        ),
        (
            "cluster/patches/storage.yaml",
            &password,
            format!("pasword: {IN_PATCH}"),
        ),
        ("cluster/template.yaml", "TOKEN: ", "TOKEN: @".to_owned()),
        (
            "cluster/template.yaml",
            "        env:\n",
            "        enf:\n".to_owned(),
        ),
        ("bootstrap.yaml", "{file: unifi.key}", STRAY.to_owned()),
        ("bootstrap.yaml", "{file: unifi.key}", format!("*{STRAY}")),
        (
            "bootstrap.yaml",
            "{file: unifi.key}",
            format!("{{{STRAY}: x}}"),
        ),
        (
            "bootstrap.yaml",
            "apiKey: {file: unifi.key}",
            format!("apiKei: {STRAY}"),
        ),
        ("bootstrap.yaml", "version: 1", STRAY.to_owned()),
    ];
    for (file, from, to) in breaks {
        let files = site.files();
        replace(files.path(), file, from, &to);
        let what = format!("{to} in {file}");
        in_every_form(&what, 5, &canaries, || {
            site.command_in(files.path(), "validate")
        })
        .await;
        for arguments in [&["apply", "--yes"][..], &["rehearse"]] {
            let mut command = site.command_in(files.path(), arguments[0]);
            command
                .args(&arguments[1..])
                .arg("-vvv")
                .env("RUST_LOG", "trace");
            let finished = run(command).await;
            canaries.look_for(&format!("{arguments:?} with {what}"), &finished);
            assert_eq!(
                finished.code,
                Some(5),
                "{arguments:?} with {what}: {}",
                finished.printed()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_place_of_another_file_is_not_shown() {
    let (site, canaries) = planted().await;
    let known = site.world.credentials();
    for key in [
        STRAY,
        known.omni_key.expose_secret(),
        &known.unifi_key,
        &known.proxmox_token,
    ] {
        for place in [
            "bootstrap.yaml",
            "cluster/template.yaml",
            "cluster/patches/storage.yaml",
            "machine-classes/worker.yaml",
        ] {
            let files = site.files();
            private(files.path(), place, key);
            in_every_form(place, 5, &canaries, || {
                site.command_in(files.path(), "validate")
            })
            .await;
            let mut render = Command::new(env!("CARGO_BIN_EXE_omni-cluster-template"));
            render
                .args(["render", "-vvv", "-f"])
                .arg(files.path().join("cluster/template.yaml"))
                .env("RUST_LOG", "trace");
            if place.starts_with("cluster/") {
                let finished = run(render).await;
                canaries.look_for(&format!("render with a key as {place}"), &finished);
                assert_eq!(finished.code, Some(5), "{}", finished.printed());
            }
        }
    }
}
