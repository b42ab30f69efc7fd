//! Files and arguments that are wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{edit, open, refused, settled, told};
use crate::harness::run;

fn remove(files: &Path, file: &str) {
    std::fs::remove_file(files.join(file)).expect("the file was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_file() {
    let (_settled, site) = (settled(), open().await);
    // It is not there.
    insta::assert_snapshot!(refused(&site, |files| remove(files, "bootstrap.yaml"), |_| ()).await, @r"
    exit 5
    error: there is no such file
    --> bootstrap.yaml
     = hint: name the site file with `-f FILE`
    ");
    // A key with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "machineSets:", "machineSet:"), |_| ()).await, @r"
    exit 5
    error: unknown key `machineSet` in `clusters`
      --> bootstrap.yaml:37:5
       |
    37 |     machineSet:
       |     ^^^^^^^^^^
       |
       = hint: did you mean `machineSets`?
    ");
    // A machine set with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "      gpu-workers:", "      gpu-worker:"), |_| ()).await, @r"
    exit 5
    error: machine set `gpu-worker` is not in the template cluster/template.yaml
      --> bootstrap.yaml:42:7
       |
    42 |       gpu-worker:
       |       ^^^^^^^^^^
       |
       = hint: did you mean `gpu-workers`?
    ");
    // A pattern with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "machine-classes/*", "machine-clases/*"), |_| ()).await, @r"
    exit 5
    error: no file matches `machine-clases/*.yaml`
      --> bootstrap.yaml:26:5
       |
    26 |   - machine-clases/*.yaml
       |     ^^^^^^^^^^^^^^^^^^^^^
       |
       = hint: paths are relative to this file, that is to DIRECTORY
    ");
    // No YAML.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "machineClasses:\n", "machineClasses: [\n"), |_| ()).await, @r#"
    exit 5
    error: not valid YAML: "-" is only valid inside a block
      --> bootstrap.yaml:26:3
       |
    26 |   - machine-classes/*.yaml
       |   ^
    "#);
    // A pool that is too small.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "172.16.8.21-172.16.8.29", "172.16.8.21"), |_| ()).await, @r"
    exit 5
    error: too few addresses for machine set `homelab-workers`: 1, and its size is 2
      --> bootstrap.yaml:41:20
       |
    41 |         addresses: [172.16.8.21]
       |                    ^
       |
       = hint: add 1 or more, and one to spare: a dead machine's lease lives on
    ");
    // A network with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", "network: infra", "network: infar"), |_| ()).await, @r"
    exit 5
    error: unifi: the gateway has no network infar
      --> bootstrap.yaml:39:20
       |
    39 |         addresses: [172.16.8.11-172.16.8.14]
       |                    ^
       |
       = hint: did you mean `infra`?
    nothing was written
    ");
    // A pin that is none.
    insta::assert_snapshot!(refused(&site, |files| {
        edit(files, "bootstrap.yaml", &site.doors.fingerprints["omni"].to_string(), "12:34");
    }, |_| ()).await, @r#"
    exit 5
    error: `sha256` is not a SHA-256 fingerprint of 32 bytes
     --> bootstrap.yaml:6:17
      |
    6 |   tls: {sha256: "12:34"}
      |                 ^^^^^^^
      |
      = hint: `openssl x509 -noout -fingerprint -sha256` prints it
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_it_names() {
    let (_settled, site) = (settled(), open().await);
    // No template.
    insta::assert_snapshot!(refused(&site, |files| remove(files, "cluster/template.yaml"), |_| ()).await, @r"
    exit 5
    error: template cluster/template.yaml is not there
      --> bootstrap.yaml:35:15
       |
    35 |   - template: cluster/template.yaml
       |               ^^^^^^^^^^^^^^^^^^^^^
       |
       = hint: paths are relative to this file
    ");
    // A key of the template with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "cluster/template.yaml", "systemExtensions", "systemExtension"), |_| ()).await, @r"
    exit 5
    error: field systemExtension not found in type models.ControlPlane
      --> cluster/template.yaml:24:1
       |
    24 | systemExtension:
       | ^^^^^^^^^^^^^^^
       |
       = hint: did you mean `systemExtensions`?
    ");
    // An extension with a typo.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "cluster/template.yaml", "siderolabs/i915", "siderolabs/i9155"), |_| ()).await, @r"
    exit 5
    error: omni: there is no extension siderolabs/i9155 for Talos 1.12.2, wanted by homelab-gpu-workers
      --> bootstrap.yaml:35:5
       |
    35 |   - template: cluster/template.yaml
       |     ^^^^^^^^
       |
       = hint: did you mean `siderolabs/i915`? correct `systemExtensions` in the template
    nothing was written
    ");
    // A version that Omni does not know.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "cluster/template.yaml", "v1.12.2", "v1.12.99"), |_| ()).await, @r"
    exit 5
    error: omni: Omni does not know Talos 1.12.99
      --> bootstrap.yaml:35:5
       |
    35 |   - template: cluster/template.yaml
       |     ^^^^^^^^
       |
       = hint: it knows 1.12.2
    nothing was written
    ");
    // A patch that two machine sets name and nobody wrote.
    insta::assert_snapshot!(refused(&site, |files| remove(files, "cluster/patches/storage.yaml"), |_| ()).await, @r#"
    exit 5
    error: workers is invalid: patch "patches/storage.yaml" is invalid: no such file or directory
      --> cluster/template.yaml:41:11
       |
    41 |   - file: patches/storage.yaml
       |           ^^^^^^^^^^^^^^^^^^^^
       |
       = hint: looked for cluster/patches/storage.yaml; paths are relative to the template's directory
       = also at: cluster/template.yaml:56:11
    "#);
    // A patch that is no YAML.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "cluster/patches/storage.yaml", "machine:\n", "machine: [\n"), |_| ()).await, @r#"
    exit 5
    error: workers is invalid: patch "patches/storage.yaml" is invalid: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
     --> cluster/patches/storage.yaml:4:16
      |
    4 |     extraMounts:
      |                ^
    "#);
    // Resolvers that are not the site's.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "cluster/patches/resolvers.yaml", "8.8.8.8", "8.8.4.4"), |_| ()).await, @r"
    exit 5
    error: patch `patches/resolvers.yaml` sets the resolvers 172.16.8.1, 8.8.4.4, but `dns.nodeResolvers` wants 172.16.8.1, 8.8.8.8
      --> cluster/template.yaml:40:5
       |
    40 |   - file: patches/resolvers.yaml
       |     ^^^^
       |
       = hint: a node that cannot resolve Omni's name never joins; a patch of the set needs `machine: {network: {nameservers: [172.16.8.1, 8.8.8.8]}}`
       = also at: cluster/template.yaml:55:5
    nothing was written
    ");
    // A machine class that is nowhere.
    insta::assert_snapshot!(refused(&site, |files| remove(files, "machine-classes/worker.yaml"), |_| ()).await, @r"
    exit 5
    error: omni: the machine class home-worker of homelab-workers is neither in a file nor in Omni
      --> bootstrap.yaml:40:7
       |
    40 |       workers:
       |       ^^^^^^^
       |
       = hint: add its file to `machineClasses` or apply it first, or correct the template
    nothing was written
    ");
    // A provider that Omni does not know, in three classes.
    insta::assert_snapshot!(refused(&site, |files| {
        edit(files, "bootstrap.yaml", "- provider: proxmox", "- provider: elsewhere");
        edit(files, "bootstrap.yaml", "provider: proxmox", "provider: elsewhere");
        for class in ["control-plane", "gpu-worker", "worker"] {
            let file = format!("machine-classes/{class}.yaml");
            edit(files, &file, "providerid: proxmox", "providerid: elsewhere");
        }
    }, |_| ()).await, @r"
    exit 5
    error: omni: no infra provider elsewhere has registered with Omni
     --> machine-classes/control-plane.yaml:1:1
      |
    1 | metadata:
      | ^^^^^^^^
      |
      = hint: create it with `omnictl infraprovider create`, start it once, then run this again
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files() {
    let (_settled, site) = (settled(), open().await);
    let from_file = |files: &Path| {
        edit(
            files,
            "bootstrap.yaml",
            "{env: UNIFI_API_KEY}",
            "{file: unifi.key}",
        );
    };
    // It is not there.
    insta::assert_snapshot!(refused(&site, from_file, |_| ()).await, @r"
    exit 5
    error: unifi: secret file unifi.key cannot be read: No such file or directory (os error 2)
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: put the key into unifi.key, readable by you alone, or name another place
    nothing was written
    ");
    // Everybody may read it.
    insta::assert_snapshot!(refused(&site, |files| {
        from_file(files);
        let key = files.join("unifi.key");
        std::fs::write(&key, "hunter2").expect("the key can be written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    }, |_| ()).await, @r"
    exit 5
    error: unifi: secret file unifi.key may be read by others (mode 644)
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: chmod 600 unifi.key
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments() {
    let (_settled, site) = (settled(), open().await);
    // An unknown option.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| {
        apply.arg("--forse");
    }).await, @r"
    exit 64
    error: unexpected argument '--forse' found

    Usage: omni-bootstrap apply --file <FILE> --yes

    For more information, try '--help'.
    ");
    // Nobody to ask.
    let files = site.files();
    let before = site.written();
    let finished = run(site.command_in(files.path(), "apply")).await;
    insta::assert_snapshot!(told(&site, files.path(), &finished), @r"
    exit 64
    error: there is no terminal to ask on, so nothing was written: give --yes to apply without asking
    ");
    assert!(finished.stdout.contains("Plan: "), "{}", finished.stdout);
    assert_eq!(site.written(), before);
}
