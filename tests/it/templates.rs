//! Cluster templates against a simulated Omni: what a sync makes, changes, removes and leaves alone, also when it dies
//! on the way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api_transport::{Clock, TokioClock};
use bootstrap_core::apply::{Event, Events, How, SIDE_BY_SIDE, Written, write_resources};
use bootstrap_core::observe::{observe_removal, observe_template};
use bootstrap_core::plan::{
    Action, Change, Effect, Plan, Rules, cluster_removal, plan_cluster, render_action,
    summary_of_resources,
};
use bootstrap_core::ports::{Omni, PortResult};
use bootstrap_core::site::{self, ClusterIntent, cluster_of};
use bootstrap_core::template::{LoadOptions, load_with};
use futures_util::stream::BoxStream;
use omni_client::{Kind, Resource, kinds, labels};
use secrecy::SecretString;
use serde_json::json;
use site_simulator::world::omni::store::Refusal;
use site_simulator::{Faults, World, derive, in_memory};

use crate::engine::example;
use crate::tripwire::{Point, Tripwire};

const BASE: &str = "\
kind: Cluster
name: lab
labels: {team: a}
kubernetes: {version: v1.36.2}
talos: {version: v1.13.7}
patches:
  - name: one
    inline: {machine: {sysctls: {a: \"1\"}}}
  - name: two
    inline: {machine: {sysctls: {b: \"2\"}}}
---
kind: ControlPlane
machines: [00000000-0000-4000-8000-000000000001]
---
kind: Workers
machines:
  - 00000000-0000-4000-8000-000000000002
  - 00000000-0000-4000-8000-000000000003
---
kind: Machine
name: 00000000-0000-4000-8000-000000000002
labels: {rack: r1}
kernelArgs: [quiet]
install: {disk: /dev/sda}
patches:
  - name: host
    inline: {machine: {network: {hostname: w2}}}
";

/// An Omni, and time that passes in it.
pub(crate) struct Lab {
    pub(crate) world: Arc<World>,
    pub(crate) omni: Arc<dyn Omni>,
    clock: Arc<dyn Clock>,
}

pub(crate) fn intent(text: &str) -> ClusterIntent {
    let options = LoadOptions {
        text: Some(text.to_owned()),
        ..LoadOptions::default()
    };
    let template = load_with(Path::new("t.yaml"), &options).expect("the template loads");
    assert_eq!(template.validate(), [], "{text}");
    cluster_of(template).expect("it can be translated")
}

impl Lab {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// With extensions that Omni knows.
    pub(crate) async fn open_with(extensions: &[String]) -> Self {
        let site = site::load(&example()).expect("the example loads");
        let mut blueprint = derive::blueprint(&site);
        let kubernetes = ["1.36.2", "1.36.3"].map(str::to_owned).to_vec();
        blueprint.extensions.extend_from_slice(extensions);
        for talos in ["1.13.7", "1.13.8", "1.14.0"] {
            blueprint
                .talos_versions
                .push((talos.to_owned(), kubernetes.clone()));
        }
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::real());
        let world = World::new(blueprint, 7, Faults::default(), Arc::clone(&clock));
        tokio::spawn(Arc::clone(&world).run());
        clock.sleep(Duration::from_secs(5)).await;
        let omni = Arc::new(in_memory::omni::Omni::new(Arc::clone(&world)));
        Self { world, omni, clock }
    }

    pub(crate) async fn plan(&self, text: &str, rules: Rules) -> Plan {
        let cluster = intent(text);
        let view = observe_template(&cluster, self.omni.as_ref(), true)
            .await
            .expect("Omni can be read");
        plan_cluster(&cluster, &view, rules)
    }

    pub(crate) async fn write(&self, plan: &Plan, timeout: Duration) -> (Written, Vec<Event>) {
        self.write_through(self.omni.as_ref(), plan, timeout).await
    }

    async fn write_through(
        &self,
        omni: &dyn Omni,
        plan: &Plan,
        timeout: Duration,
    ) -> (Written, Vec<Event>) {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let (_keep, stop) = tokio::sync::watch::channel(false);
        let how = How {
            at_once: SIDE_BY_SIDE,
            timeout: Some(timeout),
            stop,
            exact: false,
        };
        let actions: Vec<&Action> = plan.actions.iter().collect();
        let written = write_resources(
            omni,
            self.clock.as_ref(),
            &actions,
            &how,
            &Events::new(sender),
        )
        .await;
        let mut events = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            events.push(event);
        }
        (written, events)
    }

    /// Syncs, and sees that nothing is left to do.
    pub(crate) async fn sync(&self, text: &str, rules: Rules) -> Plan {
        let plan = self.plan(text, rules).await;
        assert!(!plan.is_blocked(), "{plan:#?}");
        let (written, _) = self.write(&plan, Duration::from_mins(5)).await;
        assert!(written.is_complete(), "{written:#?}");
        let again = self.plan(text, rules).await;
        assert!(again.is_empty(), "{}", shown(&again));
        plan
    }

    /// The plan that removes a cluster.
    pub(crate) async fn removal(&self, cluster: &str) -> Plan {
        let (view, before) = observe_removal(cluster, self.omni.as_ref(), false)
            .await
            .expect("Omni can be read");
        cluster_removal(cluster, &view, &before)
    }

    async fn get(&self, kind: &Kind, id: &str) -> Option<Resource> {
        self.omni.get(kind, id).await.expect("Omni can be read")
    }

    /// A change by somebody else.
    async fn by_hand(&self, kind: &Kind, id: &str, change: impl Fn(&mut Resource)) {
        for _ in 0..5 {
            let mut resource = self.get(kind, id).await.expect("it is there");
            change(&mut resource);
            if self.omni.update(&resource).await.is_ok() {
                return;
            }
        }
        panic!("{id} keeps changing");
    }

    async fn make(&self, kind: &Kind, id: &str, change: impl Fn(&mut Resource)) {
        let mut resource = Resource::new(kind, id).with_label(labels::CLUSTER, "lab");
        change(&mut resource);
        self.omni.create(&resource).await.expect("it can be made");
    }
}

fn shown(plan: &Plan) -> String {
    let mut text: String = plan.actions.iter().map(render_action).collect();
    text += &summary_of_resources(plan);
    for finding in plan
        .blockers
        .iter()
        .chain(&plan.needs_person)
        .chain(&plan.warnings)
    {
        text += &format!(
            "\n{:?} {}",
            finding.diagnostic.severity, finding.diagnostic.message
        );
        if let Some(hint) = &finding.diagnostic.hint {
            text += &format!("\n  {hint}");
        }
    }
    text
}

const CAREFUL: Rules = Rules {
    prune: false,
    exact: false,
};
const PRUNE: Rules = Rules {
    prune: true,
    exact: false,
};
const EXACT: Rules = Rules {
    prune: true,
    exact: true,
};

#[tokio::test(start_paused = true)]
async fn a_template_is_made_changed_and_made_smaller() {
    let lab = Lab::open().await;
    insta::assert_snapshot!(shown(&lab.sync(BASE, CAREFUL).await), @r"
      +  Clusters lab
      +  ConfigPatches 200-cluster-lab-one
      +  ConfigPatches 201-cluster-lab-two
      +  ConfigPatches 400-cm-00000000-0000-4000-8000-000000000002-host
      +  MachineInstallDiskConfigs 00000000-0000-4000-8000-000000000002
      +  MachineSets lab-control-planes
      +  MachineSets lab-workers
      +  MachineSetNodes 00000000-0000-4000-8000-000000000001
      +  MachineSetNodes 00000000-0000-4000-8000-000000000002
      +  MachineSetNodes 00000000-0000-4000-8000-000000000003
      +  KernelArgs 00000000-0000-4000-8000-000000000002
    lab: 11 to add, 0 to change, 0 to remove.
    Warning Omni does not know this machine of lab-control-planes: 00000000-0000-4000-8000-000000000001
      boot them with this Omni's image first, or correct the list in the template
    Warning Omni does not know these machines of lab-workers: 00000000-0000-4000-8000-000000000002, 00000000-0000-4000-8000-000000000003
      boot them with this Omni's image first, or correct the list in the template
    ");
    let changed = BASE
        .replace("a: \"1\"", "a: \"9\"")
        .replace("{team: a}", "{stage: test}")
        .replace("  - 00000000-0000-4000-8000-000000000003\n", "")
        .replace("kernelArgs: [quiet]\n", "")
        .replace("install: {disk: /dev/sda}\n", "locked: true\n");
    insta::assert_snapshot!(shown(&lab.sync(&changed, CAREFUL).await), @r"
      ~  Clusters lab
           - label team
           + label stage: test
      ~! ConfigPatches 200-cluster-lab-one  (may reboot nodes, one after another)
           ~ data
      ~  MachineSetNodes 00000000-0000-4000-8000-000000000002
           + annotation omni.sidero.dev/locked
      ~  KernelArgs 00000000-0000-4000-8000-000000000002
           - annotation omni.sidero.dev/managed-by-cluster-templates
      -! MachineSetNodes 00000000-0000-4000-8000-000000000003  (destroys or wipes machines that run now)
           its machine leaves the cluster and is wiped
      -  MachineInstallDiskConfigs 00000000-0000-4000-8000-000000000002
    lab: 0 to add, 4 to change, 2 to remove; 2 may restart or destroy machines (!).
    Warning Omni does not know this machine of lab-control-planes: 00000000-0000-4000-8000-000000000001
      boot them with this Omni's image first, or correct the list in the template
    Warning Omni does not know this machine of lab-workers: 00000000-0000-4000-8000-000000000002
      boot them with this Omni's image first, or correct the list in the template
    ");
    let machine = "00000000-0000-4000-8000-000000000002";
    let kept = lab
        .get(&kinds::KERNEL_ARGS, machine)
        .await
        .expect("kernel arguments outlive the template");
    assert!(kept.metadata.annotations.is_empty(), "{kept:?}");
    assert_eq!(
        lab.get(&kinds::MACHINE_INSTALL_DISK_CONFIG, machine).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn formatting_alone_changes_nothing_but_for_omnictl() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    let formatted = BASE.replace(
        "    inline: {machine: {sysctls: {a: \"1\"}}}",
        "    inline: |\n      # the same\n      machine:\n        sysctls: {\"a\": '1'}",
    );
    assert_ne!(formatted, BASE);
    assert!(lab.plan(&formatted, CAREFUL).await.is_empty());
    let exact = lab.plan(&formatted, EXACT).await;
    assert_eq!(exact.actions.len(), 1, "{}", shown(&exact));
}

#[tokio::test(start_paused = true)]
async fn what_a_template_cannot_say_survives_it() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    lab.by_hand(&kinds::CLUSTER, "lab", |cluster| {
        for annotation in ["omni.sidero.dev/managed-by-gitops-tools", "seen-by"] {
            cluster
                .metadata
                .annotations
                .insert(annotation.to_owned(), "x".to_owned());
        }
    })
    .await;
    lab.by_hand(&kinds::CONFIG_PATCH, "200-cluster-lab-one", |patch| {
        patch
            .metadata
            .labels
            .insert(labels::DISABLED.to_owned(), String::new());
    })
    .await;
    // The key that is nobody's in particular is the template's, and its removal is told.
    insta::assert_snapshot!(shown(&lab.sync(BASE, CAREFUL).await), @r"
      ~  Clusters lab
           - annotation seen-by
    lab: 0 to add, 1 to change, 0 to remove.
    Warning Omni does not know this machine of lab-control-planes: 00000000-0000-4000-8000-000000000001
      boot them with this Omni's image first, or correct the list in the template
    Warning Omni does not know these machines of lab-workers: 00000000-0000-4000-8000-000000000002, 00000000-0000-4000-8000-000000000003
      boot them with this Omni's image first, or correct the list in the template
    ");
    let cluster = lab.get(&kinds::CLUSTER, "lab").await.expect("the cluster");
    assert!(
        cluster
            .metadata
            .annotations
            .contains_key("omni.sidero.dev/managed-by-gitops-tools")
    );
    let patch = lab
        .get(&kinds::CONFIG_PATCH, "200-cluster-lab-one")
        .await
        .expect("the patch");
    assert!(patch.metadata.labels.contains_key(labels::DISABLED));
    let exact = lab.plan(BASE, EXACT).await;
    assert_eq!(exact.actions.len(), 2, "{}", shown(&exact));
}

#[tokio::test(start_paused = true)]
async fn others_patches_are_named_and_left_alone_unless_pruned() {
    let lab = Lab::open().await;
    lab.sync(
        &BASE.replace("name: two\n", "name: two\n    idOverride: 900-mine\n"),
        CAREFUL,
    )
    .await;
    lab.make(&kinds::CONFIG_PATCH, "700-by-hand", |patch| {
        patch.spec = json!({"data": "machine: {}\n"});
    })
    .await;
    lab.make(&kinds::EXTENSIONS_CONFIGURATION, "by-hand", |list| {
        list.spec = json!({});
    })
    .await;
    // What had an idOverride may be anybody's by now.
    let without = BASE.replace(
        "  - name: two\n    inline: {machine: {sysctls: {b: \"2\"}}}\n",
        "",
    );
    insta::assert_snapshot!(shown(&lab.plan(&without, CAREFUL).await), @r"
    lab: nothing to do.
    Warning left alone, as the template of lab does not have it: omni/ConfigPatches/700-by-hand, omni/ConfigPatches/900-mine, omni/ExtensionsConfigurations/by-hand
      `omni-cluster-template sync --prune` deletes all of it, as `omnictl cluster template sync` does; `omni-resource delete` deletes one
    ");
    insta::assert_snapshot!(shown(&lab.sync(&without, PRUNE).await), @r"
      -! ExtensionsConfigurations by-hand  (may reboot nodes, one after another)
      -! ConfigPatches 700-by-hand  (may reboot nodes, one after another)
      -! ConfigPatches 900-mine  (may reboot nodes, one after another)
    lab: 0 to add, 0 to change, 3 to remove; 3 may restart or destroy machines (!).
    Warning Omni does not know this machine of lab-control-planes: 00000000-0000-4000-8000-000000000001
      boot them with this Omni's image first, or correct the list in the template
    Warning Omni does not know these machines of lab-workers: 00000000-0000-4000-8000-000000000002, 00000000-0000-4000-8000-000000000003
      boot them with this Omni's image first, or correct the list in the template
    ");
    assert_eq!(lab.get(&kinds::CONFIG_PATCH, "700-by-hand").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_patch_put_in_between_moves_the_rest_and_that_is_said() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    let longer = BASE.replace(
        "  - name: two\n",
        "  - name: between\n    inline: {machine: {sysctls: {c: \"3\"}}}\n  - name: two\n",
    );
    insta::assert_snapshot!(shown(&lab.plan(&longer, CAREFUL).await), @r"
      +! ConfigPatches 201-cluster-lab-between  (may reboot nodes, one after another)
      +! ConfigPatches 202-cluster-lab-two  (may reboot nodes, one after another)
      -! ConfigPatches 201-cluster-lab-two  (may reboot nodes, one after another)
    lab: 2 to add, 0 to change, 1 to remove; 3 may restart or destroy machines (!).
    Warning 1 patch has another position in the template of lab, which is part of the id: each is deleted and made again (201-cluster-lab-two becomes 202-cluster-lab-two)
      add new patches at the end of their list, or keep the id of one that moved: `idOverride: 201-cluster-lab-two`
    Warning Omni does not know this machine of lab-control-planes: 00000000-0000-4000-8000-000000000001
      boot them with this Omni's image first, or correct the list in the template
    Warning Omni does not know these machines of lab-workers: 00000000-0000-4000-8000-000000000002, 00000000-0000-4000-8000-000000000003
      boot them with this Omni's image first, or correct the list in the template
    ");
    // The advice is good.
    let advised = longer.replace(
        "name: two\n",
        "name: two\n    idOverride: 201-cluster-lab-two\n",
    );
    let plan = lab.plan(&advised, CAREFUL).await;
    assert_eq!(plan.actions.len(), 1, "{}", shown(&plan));
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
}

#[tokio::test(start_paused = true)]
async fn a_version_bump_is_shown_as_the_upgrade_it_is() {
    let lab = Lab::open().await;
    let text = BASE.replace(
        "kind: Workers\n",
        "kind: Workers\nupgradeStrategy: {type: Rolling, rolling: {maxParallelism: 2}}\n",
    );
    let text = text.replace("kernelArgs: [quiet]\n", "locked: true\n");
    lab.sync(&text, CAREFUL).await;
    let bumped = text
        .replace("v1.13.7", "v1.13.8")
        .replace("v1.36.2", "v1.36.3");
    let plan = lab.plan(&bumped, CAREFUL).await;
    assert_eq!(plan.actions[0].effect, Effect::RollingUpgrade);
    insta::assert_snapshot!(render_action(&plan.actions[0]), @r"
    ~! Clusters lab  (rolling upgrade, in this order)
         ~ kubernetes_version: 1.36.2 -> 1.36.3
         ~ talos_version: 1.13.7 -> 1.13.8
           Talos: first lab-control-planes, one machine at a time, each reboots
           Talos: then lab-workers, up to 2 machines at a time, each reboots
           Kubernetes: the control plane's pods machine by machine, then every kubelet; no reboot
           locked machines wait until they are unlocked: 00000000-0000-4000-8000-000000000002
    ");
}

#[tokio::test(start_paused = true)]
async fn what_omni_would_refuse_is_told_before_the_first_write() {
    let lab = Lab::open().await;
    let refused = async |text: &str| {
        let plan = lab.plan(text, CAREFUL).await;
        let findings = plan.blockers.iter().chain(&plan.needs_person);
        findings
            .map(|finding| finding.diagnostic.message.clone())
            .collect::<Vec<_>>()
    };
    for (change, expected) in [
        (
            &[("v1.13.7", "v1.99.0")][..],
            "Omni does not know Talos 1.99.0",
        ),
        (
            &[("v1.36.2", "v1.20.0")],
            "Talos 1.13.7 does not run Kubernetes 1.20.0",
        ),
        (
            &[(
                "machines: [00000000-0000-4000-8000-000000000001]",
                "machineClass: {name: none, size: 1}",
            )],
            "the machine class none of lab-control-planes is neither in a file nor in Omni",
        ),
        (
            &[(
                "kind: ControlPlane\n",
                "kind: ControlPlane\nsystemExtensions: [siderolabs/nope]\n",
            )],
            "there is no extension siderolabs/nope for Talos 1.13.7, wanted by lab-control-planes",
        ),
        (
            &[(
                "talos: ",
                "features: {disablePublicDiscoveryService: true}\ntalos: ",
            )],
            "Clusters lab: without the public discovery service it needs the embedded one",
        ),
    ] {
        let text = change
            .iter()
            .fold(BASE.to_owned(), |text, (from, to)| text.replace(from, to));
        assert_eq!(refused(&text).await, [expected]);
    }
    lab.sync(BASE, CAREFUL).await;
    let encrypted = BASE.replace("talos: ", "features: {diskEncryption: true}\ntalos: ");
    assert_eq!(
        refused(&encrypted).await,
        ["Clusters lab: disk encryption is decided when a cluster is made"]
    );
    let by_class = BASE.replace("machines:\n  - 00000000-0000-4000-8000-000000000002\n  - 00000000-0000-4000-8000-000000000003\n---\nkind: Machine\nname: 00000000-0000-4000-8000-000000000002\nlabels: {rack: r1}\nkernelArgs: [quiet]\ninstall: {disk: /dev/sda}\npatches:\n  - name: host\n    inline: {machine: {network: {hostname: w2}}}\n", "machineClass: {name: home-worker, size: 1}\n");
    assert!(
        refused(&by_class)
            .await
            .iter()
            .any(|message| message.contains("cannot go from listed machines to a class")),
        "{:?}",
        refused(&by_class).await
    );
    lab.by_hand(&kinds::CLUSTER, "lab", |cluster| {
        cluster
            .metadata
            .annotations
            .insert(labels::CLUSTER_LOCKED.to_owned(), String::new());
    })
    .await;
    assert!(refused(BASE).await.is_empty());
    let changed = BASE.replace("{team: a}", "{team: b}");
    assert_eq!(
        refused(&changed).await,
        ["Clusters lab cannot be changed: the cluster lab is locked"]
    );
    assert_eq!(lab.removal("lab").await.blockers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn machines_and_ids_of_other_clusters_are_in_the_way() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    let other = BASE.replace("name: lab\n", "name: other\n").replace(
        "name: two\n",
        "name: two\n    idOverride: 200-cluster-lab-one\n",
    );
    let plan = lab.plan(&other, CAREFUL).await;
    let told: Vec<_> = plan
        .needs_person
        .iter()
        .map(|finding| finding.diagnostic.message.as_str())
        .collect();
    assert!(
        told.iter()
            .all(|message| message.ends_with("already exists for the cluster lab")),
        "{told:#?}"
    );
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_says_what_is_done_and_a_second_run_completes_it() {
    let lab = Lab::open().await;
    let mut plan = lab.plan(BASE, CAREFUL).await;
    let refused = plan
        .actions
        .iter_mut()
        .find(|action| action.id == "omni/MachineSets/lab-workers");
    if let Some(Action {
        change: Change::CreateResource { resource },
        ..
    }) = refused
    {
        resource.spec =
            json!({"machine_allocation": {"name": "no-such-class", "machine_count": 1}});
    }
    let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
    // The other machine set of the same type is made all the same.
    insta::assert_snapshot!(format!("done {:?}\nfailed {:?}\nnot begun {:?}", written.done, written.failures[0].diagnostic.message, written.not_begun), @r#"
    done ["omni/Clusters/lab", "omni/ConfigPatches/200-cluster-lab-one", "omni/ConfigPatches/201-cluster-lab-two", "omni/ConfigPatches/400-cm-00000000-0000-4000-8000-000000000002-host", "omni/MachineInstallDiskConfigs/00000000-0000-4000-8000-000000000002", "omni/MachineSets/lab-control-planes"]
    failed "omni/MachineSets/lab-workers was not done: failed to validate: 1 error occurred:\n\t* machine class with name \"no-such-class\" doesn't exist\n\n"
    not begun ["omni/MachineSetNodes/00000000-0000-4000-8000-000000000001", "omni/MachineSetNodes/00000000-0000-4000-8000-000000000002", "omni/MachineSetNodes/00000000-0000-4000-8000-000000000003", "omni/KernelArgs/00000000-0000-4000-8000-000000000002"]
    "#);
    lab.sync(BASE, CAREFUL).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_meanwhile_is_built_upon_or_respected() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    let plan = lab
        .plan(&BASE.replace("{team: a}", "{team: b}"), CAREFUL)
        .await;
    lab.by_hand(&kinds::CLUSTER, "lab", |cluster| {
        cluster.metadata.annotations.insert(
            "omni.sidero.dev/managed-by-gitops-tools".to_owned(),
            String::new(),
        );
    })
    .await;
    let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
    assert!(written.is_complete(), "{written:#?}");
    let cluster = lab.get(&kinds::CLUSTER, "lab").await.expect("the cluster");
    assert_eq!(cluster.metadata.labels["team"], "b");
    assert!(
        cluster
            .metadata
            .annotations
            .contains_key("omni.sidero.dev/managed-by-gitops-tools")
    );
    // A spec that somebody else changed is not written over.
    let plan = lab
        .plan(
            &BASE
                .replace("a: \"1\"", "a: \"5\"")
                .replace("{team: a}", "{team: b}"),
            CAREFUL,
        )
        .await;
    lab.by_hand(&kinds::CONFIG_PATCH, "200-cluster-lab-one", |patch| {
        patch.spec = json!({"data": "machine: {sysctls: {z: \"1\"}}\n"});
    })
    .await;
    let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
    let told: Vec<_> = written
        .failures
        .iter()
        .map(|finding| finding.diagnostic.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "omni/ConfigPatches/200-cluster-lab-one was not done: 200-cluster-lab-one was changed by somebody else since the plan was made"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_does_not_end_says_what_it_waits_for() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    lab.by_hand(&kinds::CONFIG_PATCH, "201-cluster-lab-two", |patch| {
        patch.metadata.finalizers.push("Somebody".to_owned());
    })
    .await;
    let without = BASE.replace(
        "  - name: two\n    inline: {machine: {sysctls: {b: \"2\"}}}\n",
        "",
    );
    let plan = lab.plan(&without, CAREFUL).await;
    let (written, events) = lab.write(&plan, Duration::from_secs(40)).await;
    let waits: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Waiting { what } => Some(what.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        waits[0],
        "ConfigPatches 201-cluster-lab-two to go, held by Somebody"
    );
    assert_eq!(written.failures.len(), 1, "{written:#?}");
    assert!(
        written.failures[0].diagnostic.message.ends_with(
            "stopped while waiting for ConfigPatches 201-cluster-lab-two to go, held by Somebody"
        ),
        "{written:#?}"
    );
    // Once it is let go of, a second run goes on waiting and ends.
    lab.world
        .act(|state, now| {
            let stamp = state.stamp(now);
            state.omni.store.release(
                &stamp,
                site_simulator::world::omni::kinds::CONFIG_PATCHES,
                "201-cluster-lab-two",
                "Somebody",
            );
            state.wake_controllers(now);
            Ok::<(), Refusal>(())
        })
        .expect("it is let go of");
    lab.sync(&without, CAREFUL).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_with_everything_of_it_and_leaves_what_is_the_machines() {
    let lab = Lab::open().await;
    lab.sync(BASE, CAREFUL).await;
    let plan = lab.removal("lab").await;
    insta::assert_snapshot!(shown(&plan), @r"
      ~  KernelArgs 00000000-0000-4000-8000-000000000002
           - annotation omni.sidero.dev/managed-by-cluster-templates
      ~  MachineInstallDiskConfigs 00000000-0000-4000-8000-000000000002
           - annotation omni.sidero.dev/managed-by-cluster-templates
      -! Clusters lab  (destroys or wipes machines that run now)
           with its machines (3), machine sets (2), patches (3) and everything else of it
    lab: 0 to add, 2 to change, 1 to remove; 1 may restart or destroy machines (!).
    ");
    let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
    assert!(written.is_complete(), "{written:#?}");
    assert_eq!(lab.get(&kinds::CLUSTER, "lab").await, None);
    assert!(lab.removal("lab").await.is_empty());
    // It can be made again: what stayed with the machines is taken over.
    lab.sync(BASE, CAREFUL).await;
}

/// What a user wrote, without what time and controllers do to it.
async fn decided(lab: &Lab) -> Vec<String> {
    let found = bootstrap_core::observe::resources_of("lab", &[], lab.omni.as_ref())
        .await
        .expect("Omni can be read");
    let one = |resource: &Resource| {
        let metadata = &resource.metadata;
        format!(
            "{} {} {:?} {:?} {}",
            metadata.kind, metadata.id, metadata.labels, metadata.annotations, resource.spec
        )
    };
    found.values().map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn death_around_any_write_or_a_lost_answer_ends_the_same() {
    let changed = BASE
        .replace("a: \"1\"", "a: \"9\"")
        .replace("{team: a}", "{stage: test}")
        .replace("name: two\n", "name: three\n")
        .replace("  - 00000000-0000-4000-8000-000000000003\n", "")
        .replace("kernelArgs: [quiet]\n", "systemExtensions: []\n");
    let mut expected = None;
    let mut points = 0;
    for make in [
        Point::Before as fn(usize) -> Point,
        Point::After,
        Point::Lost,
    ] {
        for number in 1.. {
            let lab = Lab::open().await;
            lab.sync(BASE, CAREFUL).await;
            let plan = lab.plan(&changed, CAREFUL).await;
            let wire = Tripwire::at(make(number));
            let omni = wire.omni(&lab.omni);
            tokio::select! {
                biased;
                () = wire.death() => {}
                (written, _) = lab.write_through(omni.as_ref(), &plan, Duration::from_mins(5)) => {
                    assert!(written.is_complete(), "{number}: {written:#?}");
                }
            }
            let writes = wire.writes().len();
            lab.sync(&changed, CAREFUL).await;
            let end = decided(&lab).await;
            assert_eq!(
                *expected.get_or_insert_with(|| end.clone()),
                end,
                "{number}"
            );
            if writes < number {
                break;
            }
            points += 1;
        }
    }
    assert!(points > 20, "{points}");
}

/// Omni with its calls counted: reads, and writes.
struct Counted {
    omni: Arc<dyn Omni>,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Counted {
    fn take(&self) -> (usize, usize) {
        (
            self.reads.swap(0, Ordering::Relaxed),
            self.writes.swap(0, Ordering::Relaxed),
        )
    }
}

#[async_trait::async_trait]
impl Omni for Counted {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.omni.get(kind, id).await
    }
    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.omni.list(kind, selector).await
    }
    async fn create(&self, resource: &Resource) -> PortResult<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.omni.create(resource).await
    }
    async fn update(&self, resource: &Resource) -> PortResult<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.omni.update(resource).await
    }
    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.omni.teardown(kind, id).await
    }
    async fn watch(
        &self,
        kind: &Kind,
    ) -> PortResult<BoxStream<'static, PortResult<omni_client::Event>>> {
        self.omni.watch(kind).await
    }
    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<omni_client::Event>>> {
        self.omni.watch_matching(kind, selector).await
    }
    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        self.omni.kubeconfig(cluster).await
    }
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_grow_with_machines_and_writes_are_one_a_resource() {
    let mut reads = Vec::new();
    for machines in [3, 60] {
        let mut lab = Lab::open().await;
        let counted = Arc::new(Counted {
            omni: Arc::clone(&lab.omni),
            reads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        });
        lab.omni = Arc::clone(&counted) as Arc<dyn Omni>;
        let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
        let mut text = "kind: Cluster\nname: lab\nkubernetes: {version: v1.36.2}\ntalos: {version: v1.13.7}\n---\nkind: ControlPlane\n---\nkind: Workers\nmachines:\n".to_owned();
        for number in 0..machines {
            text += &format!("  - {}\n", id(number));
        }
        for number in 0..machines {
            text += &format!(
                "---\nkind: Machine\nname: {}\npatches: [{{name: n, inline: {{machine: {{sysctls: {{a: \"{number}\"}}}}}}}}]\n",
                id(number)
            );
        }
        let plan = lab.plan(&text, CAREFUL).await;
        reads.push(counted.take());
        let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
        assert!(written.is_complete(), "{written:#?}");
        assert_eq!(counted.take().1, plan.actions.len());
        let again = lab.plan(&text, CAREFUL).await;
        assert!(again.is_empty());
        reads.push(counted.take());
    }
    // A cluster that is not there yet costs a look for each machine set's name.
    assert_eq!(reads, [(15, 0), (13, 0), (15, 0), (13, 0)]);
}
