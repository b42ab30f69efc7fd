//! `rehearse`: the whole job against a simulated site on loopback.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_transport::{Clock, TokioClock};
use bootstrap_core::observe::observe;
use bootstrap_core::plan::{Plan, plan, render};
use bootstrap_core::site::{Attach, SecretRef, Site, Tls};
use bootstrap_core::status::status;
use clap::ValueEnum;
use secrecy::ExposeSecret as _;
use site_simulator::{Credentials, Doors, Faults, World, derive};

use super::apply::{How, WaitFor, carry_out, exit};
use crate::args::{Format, Output};
use crate::opened::{self, Opened, diagnostics};
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};
use crate::signals;

/// Play the whole job on this machine, with no hardware and no network
///
/// A simulated site listens on loopback: Omni, its Proxmox infra provider, Proxmox VE and a UniFi gateway, over HTTPS.
/// Your file's endpoints are mapped to it and never resolved, no secret is read and no command is run; nodes, storages,
/// devices and subnets come from the file and its classes. Timings are drawn from recorded ranges. The figures at the
/// end are the simulated site's own.
#[derive(Debug, clap::Args)]
pub struct Rehearse {
    /// The site file; without it an example homelab is played
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    how: How,
    /// What the simulated site's timings are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many times faster than real time both the site and this program run
    #[arg(long, value_name = "FACTOR", default_value_t = 10.0, value_parser = speed)]
    speed: f64,
    /// Let something go wrong
    #[arg(long = "break", value_enum, value_name = "WHAT")]
    broken: Option<Break>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Break {
    /// Another VM has the GPU
    GpuBusy,
    /// Proxmox does not take writes until the node is being installed; the GPU goes onto the VM
    LateWindow,
    /// Every address of a pool is leased to somebody else
    LeaseTaken,
    /// The gateway stores the DNS record and does not serve it
    DnsMissing,
    /// The VM with the GPU does not start
    StartFails,
    /// Waits for a cluster that is not ready before somebody installs a CNI
    CniNone,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && (0.1..=200.0).contains(&speed) => Ok(speed),
        _ => Err("a factor from 0.1 to 200".to_owned()),
    }
}

/// Plays the job and prints the figures.
///
/// # Errors
/// The site file's findings, or a simulated site that does not come up.
pub fn run(arguments: Rehearse, screen: &mut Screen) -> Result<Exit, Failure> {
    let example;
    let file = if let Some(file) = &arguments.file {
        file.clone()
    } else {
        let failed = |error: std::io::Error| Failure::new(Exit::Error, &error, None);
        example = unpack_example().map_err(failed)?;
        // Findings then name the example's files as they stand in the repository.
        std::env::set_current_dir(example.path()).map_err(failed)?;
        PathBuf::from(EXAMPLE_FILE)
    };
    let site = opened::load(&file)?;
    block_on(rehearse(arguments, site, screen))
}

async fn rehearse(
    mut arguments: Rehearse,
    mut site: Site,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::scaled(arguments.speed));
    let world = build(&mut site, &mut arguments, &clock)?;
    let doors = Arc::clone(&world)
        .serve()
        .await
        .map_err(|error| Failure::new(Exit::Error, &error, None))?;
    let credentials = world.credentials();
    redirect(&mut site, &doors);
    screen.note(&format!(
        "a simulated site on loopback: seed {}, {} times faster than real time",
        arguments.seed, arguments.speed
    ));
    let stop = signals::listen();
    // The provider of a real site runs already: its first sign of life has reached Omni.
    clock.sleep(PROVIDER_SETTLES).await;
    let opened = opened::open(
        site,
        &|name| secret(&credentials, name),
        Arc::clone(&clock),
        screen,
    )
    .await?;
    if arguments.output.format == Format::Table {
        screen.print(&render(&opened.plan));
    }
    let format = arguments.output.format;
    if let Some(exit) = opened::refused(&opened.plan, screen) {
        screen.note("nothing was written");
        let report = report::report(
            &opened.site,
            &world,
            Vec::new(),
            opened.connected.requests(),
        );
        show(&report, format, screen)?;
        return Ok(exit);
    }
    let outcome = carry_out(
        &opened,
        &arguments.how,
        arguments.output.format,
        &stop,
        screen,
    )
    .await;
    let rows = outcome
        .snapshot
        .as_ref()
        .map(|snapshot| status(&opened.site, snapshot).machines)
        .unwrap_or_default();
    let mut report = report::report(&opened.site, &world, rows, opened.connected.requests());
    if format == Format::Table {
        screen.print(&report.table());
    }
    screen.findings(&diagnostics(&outcome.failures));
    screen.findings(&diagnostics(&outcome.needs_person));
    let mut exit = exit(&outcome, &stop);
    let mut again = None;
    if exit == Exit::Done {
        let found = second_plan(&opened).await?;
        report.second_apply_finds_nothing = Some(found.is_empty());
        if !found.is_empty() {
            exit = Exit::Error;
        }
        again = Some(found);
    }
    show(&report, format, screen)?;
    match again {
        Some(found) if format == Format::Table && found.is_empty() => {
            screen.print("a second apply finds nothing to do");
        }
        Some(found) if format == Format::Table => {
            screen.print("a second apply would still change this:");
            screen.print(&render(&found));
        }
        _ => {}
    }
    Ok(exit)
}

/// The simulated site, with what is to go wrong in it.
fn build(
    site: &mut Site,
    arguments: &mut Rehearse,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<World>, Failure> {
    let mut faults = Faults::default();
    let mut blueprint = derive::blueprint(site);
    match arguments.broken {
        None | Some(Break::GpuBusy) => {}
        Some(Break::LateWindow) => {
            faults.config_writes_stall_seconds = LATE_SECONDS;
            force_vm(site);
        }
        Some(Break::LeaseTaken) => derive::lease_first_pool(site, &mut blueprint),
        Some(Break::DnsMissing) => faults.dns_not_served = true,
        Some(Break::StartFails) => faults.vfio_bind_fails = true,
        Some(Break::CniNone) => {
            faults.no_cni = true;
            arguments.how.wait = Some(WaitFor::Ready);
            arguments.how.timeout = arguments.how.timeout.min(CNI_TIMEOUT);
        }
    }
    let has_gpus = site
        .clusters
        .iter()
        .any(|cluster| cluster.machine_sets.iter().any(|set| !set.gpus.is_empty()));
    if !has_gpus
        && matches!(
            arguments.broken,
            Some(Break::GpuBusy | Break::LateWindow | Break::StartFails)
        )
    {
        return Err(Failure::message(
            Exit::Usage,
            "this site wants no GPU, so nothing of the kind can break",
        ));
    }
    let world = World::new(blueprint, arguments.seed, faults, Arc::clone(clock));
    if arguments.broken == Some(Break::GpuBusy) {
        derive::occupy_gpus(site, &world);
    }
    Ok(world)
}

const PROVIDER_SETTLES: std::time::Duration = std::time::Duration::from_secs(5);
/// Longer than any drawn boot: the node is being installed by then.
const LATE_SECONDS: f64 = 150.0;
/// Enough for every node to run; what is missing then is the CNI.
const CNI_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(12);

fn force_vm(site: &mut Site) {
    for set in site
        .clusters
        .iter_mut()
        .flat_map(|cluster| &mut cluster.machine_sets)
    {
        for gpu in &mut set.gpus {
            gpu.attach = Attach::Vm;
        }
    }
}

const OMNI_KEY: &str = "omni";
const PROXMOX_TOKEN: &str = "proxmox";
const UNIFI_KEY: &str = "unifi";

/// Points every endpoint at the simulated site; nothing of the file's own endpoints is used.
fn redirect(site: &mut Site, doors: &Doors) {
    let trust = |door: &str| Tls {
        sha256: doors
            .fingerprints
            .get(door)
            .map(ToString::to_string)
            .into_iter()
            .collect(),
        ..Tls::default()
    };
    let place = |name: &str| SecretRef::Env(name.to_owned());
    site.omni.endpoint.clone_from(&doors.omni);
    site.omni.key = place(OMNI_KEY);
    site.omni.tls = trust("omni");
    for endpoint in &mut site.proxmox {
        if let Some(door) = doors.proxmox.get(&endpoint.provider) {
            endpoint.endpoints = vec![door.clone()];
        }
        endpoint.api_token = place(PROXMOX_TOKEN);
        endpoint.tls = trust(&format!("proxmox:{}", endpoint.provider));
    }
    if let Some(unifi) = &mut site.unifi {
        unifi.endpoint.clone_from(&doors.unifi);
        "default".clone_into(&mut unifi.site);
        unifi.api_key = place(UNIFI_KEY);
        unifi.tls = trust("unifi");
    }
    site.dns.resolver = Some(doors.dns);
}

fn secret(credentials: &Credentials, name: &str) -> Option<String> {
    match name {
        OMNI_KEY => Some(credentials.omni_key.expose_secret().to_owned()),
        PROXMOX_TOKEN => Some(credentials.proxmox_token.clone()),
        UNIFI_KEY => Some(credentials.unifi_key.clone()),
        _ => None,
    }
}

fn show(report: &report::Report, format: Format, screen: &mut Screen) -> Result<(), Failure> {
    if format == Format::Table {
        screen.print(&report.lines());
        Ok(())
    } else {
        screen.document(format, report)
    }
}

/// What applying again would do.
async fn second_plan(opened: &Opened) -> Result<Plan, Failure> {
    let snapshot = observe(&opened.site, &opened.connected.ports)
        .await
        .map_err(|errors| {
            Failure::message(
                Exit::Error,
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })?;
    Ok(plan(&opened.site, &snapshot))
}

const EXAMPLE_FILE: &str = "examples/homelab/bootstrap.yaml";

macro_rules! example_files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../../examples/homelab/", $path)))),*]
    };
}

/// Writes the embedded example to a directory of its own.
fn unpack_example() -> std::io::Result<tempfile::TempDir> {
    let files = example_files![
        "bootstrap.yaml",
        "cluster/template.yaml",
        "cluster/patches/control-plane.yaml",
        "cluster/patches/resolvers.yaml",
        "cluster/patches/storage.yaml",
        "machine-classes/control-plane.yaml",
        "machine-classes/gpu-worker.yaml",
        "machine-classes/worker.yaml",
    ];
    let directory = tempfile::tempdir()?;
    let root = Path::new(EXAMPLE_FILE).parent().unwrap_or(Path::new(""));
    for (path, text) in files {
        let place = directory.path().join(root).join(path);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(place, text)?;
    }
    Ok(directory)
}
