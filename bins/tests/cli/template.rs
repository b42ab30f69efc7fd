//! `omni-cluster-template` against a simulated Omni over HTTPS, as people and scripts see it.

use std::path::Path;
use std::process::Stdio;

use site_simulator::Faults;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Finished, Loopback, run};

const TEMPLATE: &str = "\
kind: Cluster
name: lab
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
patches:
  - name: sys
    inline:
      machine:
        sysctls: {net.core.somaxconn: \"1024\"}
        registries: {config: {r.example: {auth: {password: hunter2}}}}
---
kind: ControlPlane
machineClass: {name: home-control-plane, size: 1}
---
kind: Workers
machineClass: {name: home-worker, size: 0}
";

async fn open() -> Loopback {
    let loopback = Loopback::open(31, 10.0, Faults::default(), |_, blueprint| {
        let versions = vec!["1.36.2".to_owned(), "1.36.3".to_owned()];
        blueprint
            .talos_versions
            .push(("1.13.7".to_owned(), versions));
    })
    .await;
    let site = bootstrap_core::site::load(&loopback.directory.path().join("bootstrap.yaml"))
        .expect("the example loads");
    let omni = site_simulator::in_memory::omni::Omni::new(std::sync::Arc::clone(&loopback.world));
    for class in site.machine_classes.values() {
        bootstrap_core::ports::Omni::create(&omni, &class.resource)
            .await
            .expect("the class can be made");
    }
    loopback
}

async fn call(loopback: &Loopback, arguments: &[&str]) -> Finished {
    run(loopback.template_command(arguments)).await
}

/// Without the time that progress lines begin with.
fn shown(finished: &Finished) -> String {
    let errors = finished.stderr.lines().map(|line| {
        let is_progress = line.len() > 9 && line.as_bytes().get(4) == Some(&b':');
        if is_progress { &line[9..] } else { line }
    });
    let errors: Vec<&str> = errors.collect();
    format!(
        "{}---- stderr, code {:?}\n{}",
        finished.stdout,
        finished.code.unwrap_or_default(),
        errors.join("\n")
    )
}

fn write(loopback: &Loopback, name: &str, text: &str) {
    let path = loopback.directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a directory");
    std::fs::write(path, text).expect("it can be written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_compared_synced_and_deleted() {
    let loopback = open().await;
    write(&loopback, "t.yaml", TEMPLATE);
    insta::assert_snapshot!(shown(&call(&loopback, &["diff", "-f", "t.yaml"]).await), @r#"
      +  Clusters lab
    --- /dev/null
    +++ Clusters.omni.sidero.dev(default/lab)
    @@ -0,0 +1,16 @@
    +metadata:
    +  namespace: default
    +  type: Clusters.omni.sidero.dev
    +  id: lab
    +  annotations:
    +    omni.sidero.dev/managed-by-cluster-templates:
    +spec:
    +  kubernetesversion: 1.36.2
    +  talosversion: 1.13.7
    +  features:
    +    enableworkloadproxy: false
    +    diskencryption: false
    +    useembeddeddiscoveryservice: false
    +    enablenodeauditskip: false
    +    disablepublicdiscoveryservice: false
    +  backupconfiguration: null
      +  ConfigPatches 200-cluster-lab-sys
    --- /dev/null
    +++ ConfigPatches.omni.sidero.dev(default/200-cluster-lab-sys)
    @@ -0,0 +1,19 @@
    +metadata:
    +  namespace: default
    +  type: ConfigPatches.omni.sidero.dev
    +  id: 200-cluster-lab-sys
    +  labels:
    +    omni.sidero.dev/cluster: lab
    +  annotations:
    +    name: sys
    +spec:
    +  data: |
    +    machine:
    +        registries:
    +            config:
    +                r.example:
    +                    auth:
    +                        password: (hidden, it may be secret: --show-secrets)
    +        sysctls:
    +            net.core.somaxconn: "1024"
    +  compresseddata: []
      +  MachineSets lab-control-planes
    --- /dev/null
    +++ MachineSets.omni.sidero.dev(default/lab-control-planes)
    @@ -0,0 +1,20 @@
    +metadata:
    +  namespace: default
    +  type: MachineSets.omni.sidero.dev
    +  id: lab-control-planes
    +  labels:
    +    omni.sidero.dev/cluster: lab
    +    omni.sidero.dev/role-controlplane:
    +spec:
    +  updatestrategy: 1
    +  machineclass: null
    +  bootstrapspec: null
    +  deletestrategy: 0
    +  updatestrategyconfig: null
    +  deletestrategyconfig: null
    +  machineallocation:
    +    name: home-control-plane
    +    machinecount: 1
    +    allocationtype: 0
    +  upgradestrategy: 0
    +  upgradestrategyconfig: null
      +  MachineSets lab-workers
    --- /dev/null
    +++ MachineSets.omni.sidero.dev(default/lab-workers)
    @@ -0,0 +1,20 @@
    +metadata:
    +  namespace: default
    +  type: MachineSets.omni.sidero.dev
    +  id: lab-workers
    +  labels:
    +    omni.sidero.dev/cluster: lab
    +    omni.sidero.dev/role-worker:
    +spec:
    +  updatestrategy: 1
    +  machineclass: null
    +  bootstrapspec: null
    +  deletestrategy: 0
    +  updatestrategyconfig: null
    +  deletestrategyconfig: null
    +  machineallocation:
    +    name: home-worker
    +    machinecount: 0
    +    allocationtype: 0
    +  upgradestrategy: 0
    +  upgradestrategyconfig: null
    lab: 4 to add, 0 to change, 0 to remove.
    ---- stderr, code 2
    "#);
    insta::assert_snapshot!(shown(&call(&loopback, &["sync", "-f", "t.yaml", "--dry-run"]).await), @r"
      +  Clusters lab
      +  ConfigPatches 200-cluster-lab-sys
      +  MachineSets lab-control-planes
      +  MachineSets lab-workers
    lab: 4 to add, 0 to change, 0 to remove.
    ---- stderr, code 0
    ");
    insta::assert_snapshot!(shown(&call(&loopback, &["sync", "-f", "t.yaml"]).await), @r"
      +  Clusters lab
      +  ConfigPatches 200-cluster-lab-sys
      +  MachineSets lab-control-planes
      +  MachineSets lab-workers
    lab: 4 to add, 0 to change, 0 to remove.
    ---- stderr, code 0
    omni/Clusters/lab: made
    omni/ConfigPatches/200-cluster-lab-sys: made
    omni/MachineSets/lab-control-planes: made
    omni/MachineSets/lab-workers: made
    lab: done, 4 changes
    ");
    insta::assert_snapshot!(shown(&call(&loopback, &["diff", "-f", "t.yaml"]).await), @r"
    lab: nothing to do.
    ---- stderr, code 0
    ");
    insta::assert_snapshot!(shown(&call(&loopback, &["sync", "-f", "t.yaml"]).await), @r"
    lab: nothing to do.
    ---- stderr, code 0
    ");
    let changed = TEMPLATE
        .replace("\"1024\"", "\"2048\"")
        .replace("hunter2", "hunter3")
        .replace("v1.36.2", "v1.36.3");
    write(&loopback, "t.yaml", &changed);
    insta::assert_snapshot!(shown(&call(&loopback, &["diff", "-f", "t.yaml"]).await), @r#"
      ~! Clusters lab  (rolling upgrade, in this order)
           ~ kubernetes_version: 1.36.2 -> 1.36.3
             Kubernetes: the control plane's pods machine by machine, then every kubelet; no reboot
    --- Clusters.omni.sidero.dev(default/lab)
    +++ Clusters.omni.sidero.dev(default/lab)
    @@ -5,7 +5,7 @@
       annotations:
         omni.sidero.dev/managed-by-cluster-templates:
     spec:
    -  kubernetesversion: 1.36.2
    +  kubernetesversion: 1.36.3
       talosversion: 1.13.7
       features:
         enableworkloadproxy: false
      ~! ConfigPatches 200-cluster-lab-sys  (may reboot nodes, one after another)
           ~ data
    --- ConfigPatches.omni.sidero.dev(default/200-cluster-lab-sys)
    +++ ConfigPatches.omni.sidero.dev(default/200-cluster-lab-sys)
    @@ -13,7 +13,7 @@
                 config:
                     r.example:
                         auth:
    -                        password: (hidden, it may be secret: --show-secrets)
    +                        password: (hidden, it may be secret: --show-secrets)
             sysctls:
    -            net.core.somaxconn: "1024"
    +            net.core.somaxconn: "2048"
       compresseddata: []
    lab: 0 to add, 2 to change, 0 to remove; 2 may restart or destroy machines (!).
    ---- stderr, code 2
    "#);
    let open = call(&loopback, &["diff", "-f", "t.yaml", "--show-secrets"]).await;
    assert!(open.stdout.contains("password: hunter3"), "{}", open.stdout);
    let json = call(&loopback, &["diff", "-f", "t.yaml", "-o", "json"]).await;
    assert!(!json.printed().contains("hunter"), "{}", json.printed());
    let plans: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(plans[0]["actions"][0]["change"]["kind"], "update-resource");
    assert_eq!((json.code, json.stderr.as_str()), (Some(2), ""));
    insta::assert_snapshot!(shown(&call(&loopback, &["delete", "-f", "t.yaml", "-d"]).await), @r"
      -! Clusters lab  (destroys or wipes machines that run now)
           with its machines (0), machine sets (2), patches (1) and everything else of it
    lab: 0 to add, 0 to change, 1 to remove; 1 may restart or destroy machines (!).
    ---- stderr, code 0
    ");
    let deleted = call(&loopback, &["delete", "-c", "lab"]).await;
    assert_eq!(deleted.code, Some(0), "{}", deleted.printed());
    insta::assert_snapshot!(shown(&call(&loopback, &["delete", "-c", "lab"]).await), @r"
    lab: nothing to do.
    ---- stderr, code 0
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_something_is_foreseen_to_fail() {
    let loopback = open().await;
    let before = loopback.written();
    write(
        &loopback,
        "t.yaml",
        &TEMPLATE
            .replace(
                "name: home-worker, size: 0",
                "name: home-worker, size: unlimited",
            )
            .replace("v1.13.7", "v1.13.6"),
    );
    insta::assert_snapshot!(shown(&call(&loopback, &["sync", "-f", "t.yaml"]).await), @r"
    ---- stderr, code 5
    error: omni: Omni does not know Talos 1.13.6
     --> t.yaml:1:1
      |
    1 | kind: Cluster
      | ^^^^
      |
      = hint: it knows 1.13.7, 1.12.2

    error: omni: MachineSets lab-workers: the machine class home-worker makes machines, so `unlimited` is no size for it
      --> t.yaml:15:1
       |
    15 | kind: Workers
       | ^^^^
       |
       = hint: give a number as `machineClass.size`
    nothing was written
    ");
    insta::assert_snapshot!(shown(&call(&loopback, &["validate", "-f", "t.yaml"]).await), @r"
    ---- stderr, code 0
    t.yaml: the cluster lab is valid, 4 resources
    ");
    assert_eq!(
        call(&loopback, &["validate", "-f", "t.yaml", "--online"])
            .await
            .code,
        Some(5)
    );
    // One bad template of a directory stops the others too.
    write(&loopback, "all/a.yaml", TEMPLATE);
    write(
        &loopback,
        "all/sub/b.yml",
        &TEMPLATE
            .replace("name: lab", "name: b")
            .replace("kind: Workers", "kind: Worker"),
    );
    insta::assert_snapshot!(shown(&call(&loopback, &["sync", "-f", "all"]).await), @r#"
    ---- stderr, code 5
    error: unknown model kind "Worker"
      --> all/sub/b.yml:15:7
       |
    15 | kind: Worker
       |       ^^^^^^
       |
       = hint: did you mean `Workers`?
    "#);
    assert_eq!(loopback.written(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_come_from_directories_and_standard_input() {
    let loopback = open().await;
    write(&loopback, "all/a.yaml", TEMPLATE);
    write(
        &loopback,
        "all/sub/b.yml",
        &TEMPLATE.replace("name: lab", "name: b"),
    );
    write(&loopback, "all/notes.txt", "no template");
    let synced = call(&loopback, &["sync", "-f", "all", "-q"]).await;
    assert_eq!(
        (synced.code, synced.printed().as_str()),
        (Some(0), "\n"),
        "only what is wrong"
    );
    let mut command = loopback.template_command(&["diff", "-f", "-"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(TEMPLATE.as_bytes())
        .await
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "lab: nothing to do.\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_omni_from_being_asked_is_told_with_the_next_step() {
    let loopback = open().await;
    write(&loopback, "t.yaml", TEMPLATE);
    let without = |name: &str| {
        let mut command = loopback.template_command(&["diff", "-f", "t.yaml"]);
        command.env_remove(name);
        command
    };
    insta::assert_snapshot!(shown(&run(without("OMNI_ENDPOINT")).await), @r"
    ---- stderr, code 5
    error: no Omni is named
     |
     = hint: set OMNI_ENDPOINT, or give --endpoint URL or --site FILE
    ");
    insta::assert_snapshot!(shown(&run(without("OMNI_SERVICE_ACCOUNT_KEY")).await), @r"
    ---- stderr, code 5
    error: omni: environment variable `OMNI_SERVICE_ACCOUNT_KEY` is not set
     |
     = hint: export OMNI_SERVICE_ACCOUNT_KEY, or name a file or a command in the site file
    ");
    let untrusted = run(without("OMNI_TLS_SHA256")).await;
    assert_eq!(untrusted.code, Some(5), "{}", untrusted.printed());
    let mut dead =
        loopback.template_command(&["diff", "-f", "t.yaml", "--endpoint", "https://127.0.0.1:1"]);
    dead.env_remove("OMNI_TLS_SHA256");
    insta::assert_snapshot!(shown(&run(dead).await), @r"
    ---- stderr, code 5
    error: omni: cannot connect to https://127.0.0.1:1: connection refused
     |
     = hint: check the address and that the server is up
    ");
}
