//! Death at any moment of an apply, then apply again: the same end, nothing twice, nothing left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bootstrap_core::apply::{Events, Options, Outcome, apply};
use bootstrap_core::mark::Reservation;
use bootstrap_core::observe::observe;
use bootstrap_core::plan::{Finding, Plan, plan};
use bootstrap_core::site::{self, Attach, Site};
use bootstrap_core::status::status;
use site_simulator::blueprint::Stranger;
use site_simulator::world::proxmox::CreateVm;
use site_simulator::{Blueprint, Faults};
use unifi_client::Mac;

use crate::engine::{Lab, example, lab_with};
use crate::tripwire::{Point, Tripwire};

const FOREIGN_VM: &str = "media-server";
/// No site takes more runs than this to get where it should be.
const RUNS: usize = 6;

/// The example with its GPU attached in one way.
pub(crate) fn site_with(attach: Attach) -> Site {
    let mut site = site::load(&example()).expect("the example loads");
    for gpu in site
        .clusters
        .iter_mut()
        .flat_map(|cluster| &mut cluster.machine_sets)
        .flat_map(|set| &mut set.gpus)
    {
        gpu.attach = attach;
    }
    site
}

/// Things of other people: two clients with addresses in a pool, one reserved by hand.
fn with_strangers(blueprint: &mut Blueprint) {
    let stranger = |last: u8, ip: [u8; 4], reserved: bool| Stranger {
        mac: Mac([0x3c, 0x22, 0xfb, 0x77, 0, last]),
        ip: Ipv4Addr::from(ip),
        live: !reserved,
        reserved,
    };
    blueprint.strangers.extend([
        stranger(1, [172, 16, 8, 21], false),
        stranger(2, [172, 16, 8, 23], true),
    ]);
    blueprint
        .dns_records
        .push(("nas.home.example".to_owned(), Ipv4Addr::new(172, 16, 8, 6)));
}

pub(crate) async fn crash_lab(attach: Attach, seed: u64, faults: Faults) -> Lab {
    let lab = lab_with(site_with(attach), seed, faults, with_strangers).await;
    lab.world.act(|state, now| {
        let cluster = state
            .proxmox
            .values_mut()
            .next()
            .expect("the example has a cluster");
        let vm = CreateVm {
            node: cluster.nodes().remove(0),
            vmid: cluster.next_id(),
            name: FOREIGN_VM.to_owned(),
            uuid: "9d2c1b6e-7a5f-4c3d-8e21-0f4b6a7c8d90".to_owned(),
            cores: 2,
            sockets: 1,
            memory_mib: 4096,
            disk_gb: 32,
            ..CreateVm::default()
        };
        cluster
            .create_vm(now, &mut state.rng, vm, Duration::ZERO)
            .expect("a VM of somebody else");
    });
    lab.ports.clock.sleep(Duration::from_secs(1)).await;
    lab
}

/// How one run of the program ended.
pub(crate) enum Ended {
    Died,
    Refused(Plan),
    Finished(Box<Outcome>),
}

/// One run of the program: observe, plan, apply. `dies_after` ends it at that time, whatever it does.
pub(crate) async fn run_once(
    lab: &Lab,
    wire: &Arc<Tripwire>,
    dies_after: Option<Duration>,
    allow_restart: bool,
) -> Ended {
    let ports = wire.wire(&lab.ports);
    let whole = async {
        let snapshot = match observe(&lab.site, &ports).await {
            Ok(snapshot) => snapshot,
            Err(errors) => panic!("the site cannot be observed: {errors:?}"),
        };
        let plan = plan(&lab.site, &snapshot);
        if plan.is_blocked() {
            return Ended::Refused(plan);
        }
        let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
        let (_keep, stop) = tokio::sync::watch::channel(false);
        let options = Options {
            wait: None,
            timeout: Duration::from_mins(45),
            allow_restart,
            stop,
        };
        let outcome = apply(
            Arc::clone(&lab.site),
            ports.clone(),
            &plan,
            options,
            Events::new(sender),
        )
        .await;
        Ended::Finished(Box::new(outcome))
    };
    let death = async {
        match dies_after {
            Some(after) => lab.ports.clock.sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        biased;
        () = wire.death() => Ended::Died,
        () = death => Ended::Died,
        ended = whole => ended,
    };
    drop(ports);
    // Whatever the run started dies with it: tasks that are aborted let go of their ports.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        Arc::strong_count(wire),
        1,
        "something outlived the run that started it"
    );
    ended
}

/// The site as it is at the end, without ids that chance chose.
#[derive(Debug, Clone, PartialEq)]
struct End {
    resources: BTreeMap<String, String>,
    mappings: BTreeMap<String, String>,
    /// Machine set, address, GPUs, stage.
    machines: Vec<(String, Option<Ipv4Addr>, Vec<String>, String)>,
    dns: Vec<String>,
    foreign: Vec<String>,
}

async fn end(lab: &Lab) -> End {
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    let classes = snapshot
        .omni
        .machine_classes
        .iter()
        .map(|(id, class)| (id.clone(), class));
    let templates = snapshot
        .omni
        .template_resources
        .iter()
        .map(|((kind, id), resource)| (format!("{kind}/{id}"), resource));
    let resources = classes
        .chain(templates)
        .map(|(id, resource)| (id, resource.spec.to_string()))
        .collect();
    let views = snapshot.hypervisors.values();
    let mappings = views
        .flat_map(|view| &view.mappings)
        .map(|(id, mapping)| (id.clone(), format!("{mapping:?}")))
        .collect();
    let mut machines: Vec<_> = status(&lab.site, &snapshot)
        .machines
        .into_iter()
        .map(|row| (row.machine_set, row.reserved, row.gpus, row.stage))
        .collect();
    machines.sort();
    let gateway = snapshot
        .gateway
        .as_ref()
        .expect("the example has a gateway");
    let mut dns: Vec<String> = gateway
        .dns
        .iter()
        .map(|record| format!("{} {}", record.name, record.value))
        .collect();
    dns.sort();
    End {
        resources,
        mappings,
        machines,
        dns,
        foreign: foreign(lab),
    }
}

fn foreign(lab: &Lab) -> Vec<String> {
    lab.world.look(|state| {
        let vms = state
            .proxmox
            .values()
            .flat_map(|cluster| cluster.vms().values());
        let vms = vms.filter(|vm| vm.name == FOREIGN_VM).map(|vm| {
            let made_up = ["meta", "vmgenid"];
            let config: Vec<_> = vm
                .config
                .iter()
                .filter(|(key, _)| !made_up.contains(&key.as_str()))
                .collect();
            format!("{config:?} {:?} {}", vm.pending, vm.running)
        });
        let records = state
            .gateway
            .records()
            .filter(|record| record.mac.0[0] == 0x3c);
        let records = records.map(|record| {
            format!(
                "{} {:?} {:?} {}",
                record.mac, record.note, record.fixed_ip, record.use_fixedip
            )
        });
        vms.chain(records).collect()
    })
}

/// What must hold at any end, whatever happened before.
async fn violations(lab: &Lab) -> String {
    let mut found = String::new();
    let snapshot = observe(&lab.site, &lab.ports)
        .await
        .expect("the site can be observed");
    let rows = status(&lab.site, &snapshot).machines;
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.machine.as_str()).collect();
    if rows.len() != 6 {
        let _ = writeln!(found, "{} machines", rows.len());
    }
    lab.world.look(|state| {
        let mut by_address: BTreeMap<Ipv4Addr, Vec<Mac>> = BTreeMap::new();
        let mut by_machine: BTreeMap<String, Vec<Mac>> = BTreeMap::new();
        for record in state.gateway.records() {
            if let Some(address) = record.reservation() {
                by_address.entry(address).or_default().push(record.mac);
            }
            if let Some(mark) = record
                .note
                .as_deref()
                .and_then(|note| Reservation::find(note, "home"))
            {
                by_machine.entry(mark.machine).or_default().push(record.mac);
            }
        }
        for (address, macs) in by_address.iter().filter(|(_, macs)| macs.len() > 1) {
            let _ = writeln!(found, "{address} is reserved for {macs:?}");
        }
        for (machine, macs) in &by_machine {
            if macs.len() != 1 || !ids.contains(machine.as_str()) {
                let _ = writeln!(found, "reservations of {machine}: {macs:?}");
            }
        }
        for id in ids.iter().filter(|id| !by_machine.contains_key(**id)) {
            let _ = writeln!(found, "{id} has no reservation of ours");
        }
        for vm in state
            .proxmox
            .values()
            .flat_map(|cluster| cluster.vms().values())
        {
            if vm.name != FOREIGN_VM && !ids.contains(vm.name.as_str()) {
                let _ = writeln!(found, "the VM {} belongs to nothing", vm.name);
            }
            let devices = vm
                .config
                .keys()
                .filter(|key| key.starts_with("hostpci"))
                .count();
            let wanted = usize::from(vm.name.contains("gpu"));
            if devices > wanted || !vm.pending.is_empty() {
                let _ = writeln!(
                    found,
                    "{}: {devices} devices, pending {:?}",
                    vm.name, vm.pending
                );
            }
            if vm.running_devices.len() != devices {
                let _ = writeln!(found, "{} runs with {:?}", vm.name, vm.running_devices);
            }
        }
        let mut names = BTreeSet::new();
        for entry in state.gateway.entries() {
            if !names.insert((&entry.key, &entry.value)) {
                let _ = writeln!(found, "{} is there twice", entry.key);
            }
        }
    });
    found
}

/// How a site got to its end after a first run that was disturbed.
struct Recovered {
    runs: usize,
    window_lost: bool,
    restarts: u32,
}

/// Runs until the plan is empty. A GPU that missed its window is reported, and attached when allowed.
async fn recover(lab: &Lab, what: &str) -> Recovered {
    let mut recovered = Recovered {
        runs: 0,
        window_lost: false,
        restarts: 0,
    };
    let mut allow_restart = false;
    loop {
        recovered.runs += 1;
        assert!(
            recovered.runs <= RUNS,
            "{what}: still not done after {RUNS} runs: {:?}",
            lab.plan().await
        );
        let outcome = match run_once(lab, &Tripwire::at(Point::Never), None, allow_restart).await {
            Ended::Finished(outcome) => outcome,
            Ended::Refused(plan) => panic!(
                "{what}: refused: {:#?} {:#?}",
                plan.blockers, plan.needs_person
            ),
            Ended::Died => panic!("{what}: nothing kills this run"),
        };
        assert!(
            outcome.failures.is_empty(),
            "{what}: {:#?}",
            outcome.failures
        );
        recovered.restarts += outcome
            .machines
            .values()
            .map(|machine| machine.restarts)
            .sum::<u32>();
        let found = violations(lab).await;
        assert_eq!(found, "", "{what}");
        if outcome.needs_person.is_empty() {
            assert!(outcome.reached, "{what}: not reached");
            break;
        }
        let of_control_planes = |finding: &Finding| {
            let message = &finding.diagnostic.message;
            message.contains("control-planes") && message.contains("not its reserved")
        };
        if allow_restart && outcome.needs_person.iter().all(of_control_planes) {
            // Nobody restarts these for an address: a person does, or half the lease time.
            break;
        }
        assert!(!allow_restart, "{what}: {:#?}", outcome.needs_person);
        for finding in &outcome.needs_person {
            let message = &finding.diagnostic.message;
            assert!(
                message.contains("without its GPU")
                    || message.contains("not its reserved")
                    || message.contains(" is off"),
                "{what}: {message}"
            );
            recovered.window_lost |= message.contains("without its GPU");
        }
        allow_restart = true;
    }
    let plan = lab.plan().await;
    assert!(
        plan.is_empty(),
        "{what}: {}",
        bootstrap_core::plan::render(&plan)
    );
    recovered
}

fn on_paused_clock<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Each case in a world of its own, on two threads.
fn side_by_side<C: Copy + Send + Sync>(cases: &[C], work: impl Fn(C) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(*case);
                }
            });
        }
    });
}

/// An undisturbed run: its end, and the writes it takes.
fn undisturbed(attach: Attach, seed: u64) -> (End, Vec<String>) {
    on_paused_clock(async {
        let lab = crash_lab(attach, seed, Faults::default()).await;
        let wire = Tripwire::at(Point::Never);
        let before = foreign(&lab);
        let Ended::Finished(outcome) = run_once(&lab, &wire, None, false).await else {
            panic!("the example is not refused");
        };
        assert!(
            outcome.reached,
            "{:#?} {:#?}",
            outcome.failures, outcome.needs_person
        );
        assert_eq!(violations(&lab).await, "");
        assert_eq!(foreign(&lab), before);
        assert!(lab.plan().await.is_empty());
        (end(&lab).await, wire.writes())
    })
}

fn every_point(attach: Attach, points: &[fn(usize) -> Point]) {
    let seed = 11;
    let (wanted, writes) = undisturbed(attach, seed);
    let lost = AtomicUsize::new(0);
    let cases: Vec<Point> = (1..=writes.len())
        .flat_map(|number| points.iter().map(move |point| point(number)))
        .collect();
    side_by_side(&cases, |point| {
        let what = format!("{attach:?} {point:?}");
        on_paused_clock(async {
            let lab = crash_lab(attach, seed, Faults::default()).await;
            let wire = Tripwire::at(point);
            let first = run_once(&lab, &wire, None, false).await;
            match point {
                Point::Before(_) | Point::After(_) => {
                    assert!(matches!(first, Ended::Died), "{what}: did not die");
                }
                _ => {}
            }
            let recovered = recover(&lab, &format!("{what}, {:?}", wire.writes().last())).await;
            lost.fetch_add(usize::from(recovered.window_lost), Ordering::Relaxed);
            assert!(
                recovered.restarts <= u32::from(recovered.window_lost),
                "{what}: {} restarts",
                recovered.restarts
            );
            assert!(recovered.runs <= 2, "{what}: {} runs", recovered.runs);
            assert_eq!(end(&lab).await, wanted, "{what}");
        });
    });
    println!(
        "{attach:?}: {} writes, {} points, the same end each time; cold windows lost {}",
        writes.len(),
        cases.len(),
        lost.into_inner()
    );
}

#[test]
fn death_around_any_write_with_the_gpu_in_the_class() {
    every_point(Attach::Class, &[Point::Before, Point::After]);
}

#[test]
fn death_around_any_write_with_the_gpu_on_the_vm() {
    every_point(Attach::Vm, &[Point::Before, Point::After]);
}

#[test]
fn the_answer_of_any_write_is_lost() {
    every_point(Attach::Class, &[Point::Lost]);
    every_point(Attach::Vm, &[Point::Lost]);
}

/// Small numbers out of one seed, for when to die.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64: good enough to spread moments, and the same everywhere.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// One to three deaths or lost answers at random moments, with pauses of up to three minutes between runs.
async fn battered(seed: u64) -> Recovered {
    let mut dice = Dice(seed);
    let attach = if dice.below(3) == 0 {
        Attach::Class
    } else {
        Attach::Vm
    };
    let lab = crash_lab(attach, seed, Faults::default()).await;
    let before = foreign(&lab);
    let mut what = format!("seed {seed} {attach:?}");
    for _ in 0..=dice.below(3) {
        let allow_restart = dice.below(4) == 0;
        let (point, after) = match dice.below(5) {
            0 => (
                Point::Before(1 + usize::try_from(dice.below(26)).unwrap_or(1)),
                None,
            ),
            1 => (
                Point::After(1 + usize::try_from(dice.below(26)).unwrap_or(1)),
                None,
            ),
            2 => (
                Point::Lost(1 + usize::try_from(dice.below(26)).unwrap_or(1)),
                Some(Duration::from_millis(dice.below(60_000))),
            ),
            3 => (
                Point::Never,
                Some(Duration::from_millis(dice.below(30_000))),
            ),
            _ => (
                Point::Never,
                Some(Duration::from_millis(dice.below(300_000))),
            ),
        };
        let pause = Duration::from_millis(
            [0, 500, 15_000, 180_000].map(|most| dice.below(most + 1))
                [usize::try_from(dice.below(4)).unwrap_or(0)],
        );
        let _ = write!(what, ", {point:?} {after:?} then {pause:?}");
        run_once(&lab, &Tripwire::at(point), after, allow_restart).await;
        lab.ports.clock.sleep(pause).await;
    }
    let recovered = recover(&lab, &what).await;
    assert_eq!(foreign(&lab), before, "{what}");
    recovered
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a failing seed is replayed by CRASH_SEED=n"
)]
fn death_again_and_again_at_random() {
    let seeds: Vec<u64> = match std::env::var("CRASH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => vec![seed],
        None => (0..60).collect(),
    };
    let (lost, restarts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    side_by_side(&seeds, |seed| {
        let recovered = on_paused_clock(battered(seed));
        lost.fetch_add(usize::from(recovered.window_lost), Ordering::Relaxed);
        restarts.fetch_add(
            usize::try_from(recovered.restarts).unwrap_or(0),
            Ordering::Relaxed,
        );
    });
    println!(
        "{} runs, GPUs that missed their window {}, restarts {}",
        seeds.len(),
        lost.into_inner(),
        restarts.into_inner()
    );
}
