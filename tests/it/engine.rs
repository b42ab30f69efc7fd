//! The whole job against the simulated site in memory, on a paused clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, TokioClock};
use bootstrap_core::apply::{Event, Events, Options, Outcome, apply};
use bootstrap_core::observe::observe;
use bootstrap_core::plan::{Plan, plan};
use bootstrap_core::ports::{Hypervisor, Ports};
use bootstrap_core::site::{self, Attach, Site};
use omni_client::Resource;
use site_simulator::report::{Expected, Figures};
use site_simulator::world::preload::{ByHand, RunningCluster};
use site_simulator::{Blueprint, Faults, World, derive, in_memory};

pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab/bootstrap.yaml")
}

pub(crate) struct Lab {
    pub(crate) site: Arc<Site>,
    pub(crate) world: Arc<World>,
    pub(crate) ports: Ports,
}

pub(crate) async fn lab(site: Site, seed: u64, faults: Faults) -> Lab {
    lab_with(site, seed, faults, |_| ()).await
}

/// A lab whose blueprint is changed before anything happens in it.
pub(crate) async fn lab_with(
    site: Site,
    seed: u64,
    faults: Faults,
    change: impl FnOnce(&mut Blueprint),
) -> Lab {
    let mut blueprint = derive::blueprint(&site);
    change(&mut blueprint);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::real());
    let world = World::new(blueprint, seed, faults, Arc::clone(&clock));
    tokio::spawn(Arc::clone(&world).run());
    let hypervisors: BTreeMap<String, Arc<dyn Hypervisor>> = site
        .proxmox
        .iter()
        .map(|endpoint| {
            let port = in_memory::proxmox::Proxmox::new(Arc::clone(&world), &endpoint.provider);
            (
                endpoint.provider.clone(),
                Arc::new(port) as Arc<dyn Hypervisor>,
            )
        })
        .collect();
    let ports = Ports {
        omni: Arc::new(in_memory::omni::Omni::new(Arc::clone(&world))),
        hypervisors,
        gateway: Some(Arc::new(in_memory::gateway::Unifi::new(Arc::clone(&world)))),
        dns: Some(Arc::new(in_memory::dns::Resolver::new(Arc::clone(&world)))),
        clock: Arc::clone(&clock),
    };
    // The provider's first sign of life has reached Omni.
    clock.sleep(Duration::from_secs(5)).await;
    Lab {
        site: Arc::new(site),
        world,
        ports,
    }
}

impl Lab {
    pub(crate) async fn plan(&self) -> Plan {
        let snapshot = observe(&self.site, &self.ports)
            .await
            .expect("the site can be observed");
        plan(&self.site, &snapshot)
    }

    /// Puts the site in place as people would have made it by hand: reservations without a mark, a raw GPU.
    pub(crate) fn made_by_hand(&self) {
        let cluster = &self.site.clusters[0];
        let classes = self
            .site
            .machine_classes
            .values()
            .map(|class| class.resource.clone());
        let resources: Vec<Resource> = classes.chain(cluster.resources.iter().cloned()).collect();
        let mut by_hand: BTreeMap<String, Vec<ByHand>> = BTreeMap::new();
        for set in &cluster.machine_sets {
            let (_, size) = set.class.as_ref().expect("the sets have classes");
            let hostpci = if set.gpus.is_empty() {
                Vec::new()
            } else {
                vec!["host=0000:03:00,pcie=1".to_owned()]
            };
            let hands = set
                .addresses
                .iter()
                .take(*size as usize)
                .map(|address| ByHand {
                    mac: None,
                    address: Some(*address),
                    alias: Some("by hand".to_owned()),
                    hostpci: hostpci.clone(),
                });
            by_hand.insert(set.id.clone(), hands.collect());
        }
        self.world
            .preload_running(&RunningCluster {
                resources,
                by_hand,
                cni_installed: true,
            })
            .expect("the site runs");
    }

    /// The world's own figures, against the addresses reserved now.
    pub(crate) async fn figures(&self) -> Figures {
        let snapshot = observe(&self.site, &self.ports)
            .await
            .expect("the site can be observed");
        let rows = bootstrap_core::status::status(&self.site, &snapshot).machines;
        let addresses = rows
            .into_iter()
            .filter_map(|row| Some((row.machine, row.reserved?)))
            .collect();
        self.world.figures(&Expected {
            addresses,
            ..Expected::default()
        })
    }

    pub(crate) async fn apply(&self, plan: &Plan) -> (Outcome, Vec<Event>) {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let (_keep, stop) = tokio::sync::watch::channel(false);
        let options = Options {
            wait: None,
            timeout: Duration::from_mins(45),
            allow_restart: false,
            stop,
        };
        let site = Arc::clone(&self.site);
        let outcome = apply(site, self.ports.clone(), plan, options, Events::new(sender)).await;
        let mut events = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            events.push(event);
        }
        (outcome, events)
    }
}

#[tokio::test(start_paused = true)]
async fn from_nothing_to_running_and_then_nothing_to_do() {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        7,
        Faults::default(),
    )
    .await;
    let plan = lab.plan().await;
    println!("{}", bootstrap_core::plan::render(&plan));
    assert!(
        !plan.is_blocked(),
        "{:#?} {:#?}",
        plan.blockers,
        plan.needs_person
    );
    let (outcome, events) = lab.apply(&plan).await;
    for event in &events {
        println!("{event:?}");
    }
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    assert!(
        outcome.needs_person.is_empty(),
        "{:#?}",
        outcome.needs_person
    );
    assert!(outcome.reached);
    let again = lab.plan().await;
    assert!(again.is_empty(), "{}", bootstrap_core::plan::render(&again));
}

#[tokio::test(start_paused = true)]
async fn a_gpu_is_attached_in_the_cold_window() {
    let mut site = site::load(&example()).expect("the example loads");
    for set in site
        .clusters
        .iter_mut()
        .flat_map(|cluster| &mut cluster.machine_sets)
    {
        for gpu in &mut set.gpus {
            gpu.attach = Attach::Vm;
        }
    }
    let lab = lab(site, 11, Faults::default()).await;
    let plan = lab.plan().await;
    let (outcome, events) = lab.apply(&plan).await;
    for event in &events {
        println!("{event:?}");
    }
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    assert!(outcome.reached);
    assert!(
        outcome
            .machines
            .values()
            .any(|machine| machine.attached_in_window),
        "{:#?}",
        outcome.machines
    );
    assert!(lab.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_step_without_progress_is_told_with_its_causes() {
    let lab = lab(
        site::load(&example()).expect("the example loads"),
        13,
        Faults::default(),
    )
    .await;
    let plan = lab.plan().await;
    // The provider dies between the plan and the first machine, and never says so to Omni.
    lab.world.act(|state, _| {
        for provider in state.providers.values_mut() {
            provider.running = false;
        }
    });
    let (outcome, events) = lab.apply(&plan).await;
    let stuck: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Stuck {
                step,
                seconds,
                causes,
                ..
            } => Some((step, seconds, causes)),
            _ => None,
        })
        .collect();
    assert_eq!(stuck.len(), 6, "{events:#?}");
    for (step, seconds, causes) in stuck {
        assert!(
            (180..240).contains(seconds) && !causes.is_empty(),
            "{step}: {seconds} s, {causes:?}"
        );
    }
    assert!(!outcome.reached);
    let message = &outcome.failures[0].diagnostic.message;
    assert!(
        message.contains("after 45 minutes still waiting for"),
        "{message}"
    );
}

/// The site with one of its machine sets taken out of the template and of the site file.
fn without(mut site: Site, set: &str) -> Site {
    for cluster in &mut site.clusters {
        cluster.machine_sets.retain(|found| found.id != set);
        let is_of_set = |resource: &Resource| {
            resource.metadata.id == set
                || resource.label(omni_client::labels::MACHINE_SET) == Some(set)
        };
        cluster.resources.retain(|resource| !is_of_set(resource));
    }
    site
}

#[tokio::test(start_paused = true)]
async fn a_machine_set_that_left_the_template_goes_with_its_machines_and_addresses() {
    let site = site::load(&example()).expect("the example loads");
    let mut lab = lab(site.clone(), 17, Faults::default()).await;
    let (outcome, _) = lab.apply(&lab.plan().await).await;
    assert!(outcome.reached, "{:#?}", outcome.failures);
    lab.site = Arc::new(without(site, "homelab-workers"));
    let plan = lab.plan().await;
    insta::assert_snapshot!(bootstrap_core::plan::render(&plan), @r"
      - MachineSets homelab-workers  (destroys or wipes machines that run now)
          Omni has it, the template does not
          2 machines of it are destroyed or wiped
      - ExtensionsConfigurations schematic-homelab-workers
          Omni has it, the template does not
      - ConfigPatches 400-homelab-workers-patches/resolvers.yaml
          Omni has it, the template does not
      - ConfigPatches 401-homelab-workers-patches/storage.yaml
          Omni has it, the template does not
    Plan: 0 to add, 0 to change, 4 to remove; 0 machines to come, 0 reservations, 0 GPUs.
    ");
    let (outcome, _) = lab.apply(&plan).await;
    assert!(
        outcome.failures.is_empty() && outcome.reached,
        "{:#?}",
        outcome.failures
    );
    // The gateway is asked again once the machines are gone.
    let released = lab.plan().await;
    insta::assert_snapshot!(bootstrap_core::plan::render(&released), @r"
      - reservation of 172.16.8.22 for bc:24:11:a6:1e:bb
          we made it for homelab-workers-s87mgc, which is gone
      - reservation of 172.16.8.21 for bc:24:11:ba:4e:73
          we made it for homelab-workers-6tqwtn, which is gone
    Plan: 0 to add, 0 to change, 2 to remove; 0 machines to come, 0 reservations, 0 GPUs.
    ");
    let (outcome, _) = lab.apply(&released).await;
    assert!(
        outcome.failures.is_empty() && outcome.reached,
        "{:#?}",
        outcome.failures
    );
    let left = lab.plan().await;
    assert!(left.is_empty(), "{}", bootstrap_core::plan::render(&left));
}
