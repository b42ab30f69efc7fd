//! `omni-cluster-template export`: recorded cases, files, notes.

use std::fs;

use bootstrap_core::ports::Omni as _;
use bootstrap_core::template;
use omni_client::{kinds, labels};

use crate::template_site::{Site, golden};

#[tokio::test(flavor = "multi_thread")]
async fn recorded_cases() {
    let site = Site::open().await;
    site.empty_class().await;
    site.check("78-tmpl-export-missing").await;
    site.sync("77-tmpl-export").await;
    site.check("77-tmpl-export").await;
    site.class("lab-cp").await;
    site.class("lab-worker").await;
    site.sync("91-ready-status").await;
    site.check("92-ready-export").await;
    site.remove("gv-cl").await;
    let gone = site.run(&["export", "-c", "gv-cl"]).await;
    assert_eq!(gone.code, Some(1));
    insta::assert_snapshot!(gone.stderr, @r#"
    error: there is no cluster "gv-cl"
     |
     = hint: check the name, and that this is the Omni it is in
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_and_its_classes_come_back_as_files() {
    let site = Site::open().await;
    site.class("lab-cp").await;
    site.class("lab-worker").await;
    site.sync("91-ready-status").await;
    let directory = site.loopback.directory.path();
    let export = [
        "export",
        "-c",
        "demo",
        "-o",
        "out.yaml",
        "--with-machine-classes",
        "classes",
    ];
    let finished = site.run(&export).await;
    assert_eq!(finished.code, Some(0), "{}", finished.printed());
    assert_eq!(
        finished.printed(),
        "\n",
        "nothing is lost, so nothing is noted"
    );
    let text = fs::read_to_string(directory.join("out.yaml")).expect("it was written");
    insta::assert_snapshot!(text, @r#"
    kind: Cluster
    name: demo
    labels:
      team: lab
    kubernetes:
      version: v1.36.2
    talos:
      version: v1.13.7
    patches:
      - name: sysctls
        inline: |
          machine:
              sysctls:
                  net.core.somaxconn: "2048"
    ---
    kind: ControlPlane
    machineClass:
      name: lab-cp
      size: 1
    ---
    kind: Workers
    systemExtensions:
      - siderolabs/hello-world-service
    machineClass:
      name: lab-worker
      size: 1
    "#);
    let translated = |path: &std::path::Path| {
        let template = template::load(path).expect("it loads");
        let resources = template.translate().expect("it is valid");
        let mut ids: Vec<_> = resources
            .into_iter()
            .map(|resource| {
                (
                    resource.metadata.kind,
                    resource.metadata.id,
                    resource.spec.to_string(),
                )
            })
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(
        translated(&directory.join("out.yaml")),
        translated(&golden("91-ready-status").join("input/t.yaml"))
    );
    let class = fs::read_to_string(directory.join("classes/lab-worker.yaml"));
    insta::assert_snapshot!(class.expect("it was written"), @r#"
    metadata:
      namespace: default
      type: MachineClasses.omni.sidero.dev
      id: lab-worker
    spec:
      matchlabels: []
      autoprovision:
        providerid: proxmox
        kernelargs: []
        metavalues: []
        providerdata: |
          node: pve-2
          cores: 4
          sockets: 1
          memory: 16384
          disk_size: 200
          network_bridge: infra
          storage_selector: name == "nvme-2"
          disk_ssd: true
          disk_discard: true
          disk_iothread: true
        grpctunnel: 0
    "#);
    assert!(directory.join("classes/lab-cp.yaml").exists());
    let again = site.run(&export).await;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("out.yaml exists"), "{}", again.stderr);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let compat = site
        .run(&["export", "-c", "demo", "-o", "out.yaml", "--compat"])
        .await;
    assert_eq!(
        compat.stderr,
        "Error: failed to open output file: open out.yaml: file exists\n"
    );
    fs::remove_file(directory.join("out.yaml")).expect("it was there");
    let classes_exist = site.run(&export).await;
    assert!(
        classes_exist.stderr.contains("lab-cp.yaml exists"),
        "{}",
        classes_exist.stderr
    );
    assert!(!directory.join("out.yaml").exists(), "all or nothing");
    let forced = [&export[..], &["--force"]].concat();
    assert_eq!(site.run(&forced).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_template_cannot_say_is_noted() {
    let site = Site::open().await;
    site.empty_class().await;
    site.sync("77-tmpl-export").await;
    let mut cluster = site
        .omni
        .get(&kinds::CLUSTER, "gv-cl")
        .await
        .expect("it can be read")
        .expect("it is there");
    let annotations = &mut cluster.metadata.annotations;
    annotations.insert(labels::CLUSTER_LOCKED.to_owned(), String::new());
    site.omni.update(&cluster).await.expect("it can be locked");
    let finished = site.run(&["export", "-c", "gv-cl"]).await;
    assert_eq!(finished.code, Some(0));
    insta::assert_snapshot!(finished.stderr, @"note: Clusters gv-cl: annotation omni.sidero.dev/cluster-locked is not in the template");
    let quiet = site.run(&["export", "-c", "gv-cl", "-q"]).await;
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout, finished.stdout);
    let compat = site.run(&["export", "-c", "gv-cl", "--compat"]).await;
    assert_eq!(compat.stderr, "");
}
