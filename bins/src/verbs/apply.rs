//! `apply`: plan, ask, carry out, wait, report.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, TokioClock};
use bootstrap_core::apply::{Events, Options, Outcome, Wait, Worked, apply};
use bootstrap_core::plan::render;
use bootstrap_core::status::status;
use clap::ValueEnum;
use secrecy::ExposeSecret as _;

use super::status::print;
use crate::args::{Format, Output, SiteFile, duration};
use crate::opened::{self, Opened, diagnostics};
use crate::output::Screen;
use crate::private::Private;
use crate::progress;
use crate::run::{Exit, Failure, block_on, environment};
use crate::signals::Stop;
use crate::{lock, signals};

/// Take the site from what it is to what is declared
///
/// Shows the plan and asks, then: DNS records, machine classes, PCI mappings, cluster templates, and for each machine
/// side by side its address and its GPU, before its first start where that can be had. Running it again is always
/// safe and changes nothing that is as declared.
#[derive(Debug, clap::Args)]
pub struct Apply {
    #[command(flatten)]
    site: SiteFile,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    how: How,
    /// Write the kubeconfig of the cluster there, readable by you alone
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    /// Run this many times faster; only for a simulated site
    #[arg(long, hide = true, default_value_t = 1.0)]
    speed: f64,
}

/// How long and for what to wait, and what is allowed.
#[derive(Debug, Clone, clap::Args)]
pub struct How {
    /// What to wait for at the end [default: ready; running where the template leaves the CNI to you]
    #[arg(long, value_enum, value_name = "STATE")]
    pub wait: Option<WaitFor>,
    /// How long the whole run may take, e.g. 45m
    #[arg(long, value_name = "TIME", default_value = "45m", value_parser = duration)]
    pub timeout: Duration,
    /// Allow installed workers to be stopped and started, where a GPU missed the first start
    #[arg(long)]
    pub allow_restart: bool,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// The cluster is ready
    Ready,
    /// Every machine runs, etcd and the Kubernetes API are healthy
    Running,
    /// Only addresses and GPUs
    None,
}

/// Plans, asks and applies.
///
/// # Errors
/// What kept it from beginning.
pub fn run(arguments: &Apply, screen: &mut Screen) -> Result<Exit, Failure> {
    let site = opened::load(&arguments.site.file)?;
    let _lock = lock::take(&site.name)?;
    block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::scaled(arguments.speed));
        let stop = signals::listen();
        let opened = match opened::open(site, &environment, clock, screen).await {
            Ok(opened) => opened,
            Err(failure) => {
                screen.findings(&failure.findings);
                screen.note("nothing was written");
                return Ok(failure.exit);
            }
        };
        // A plan that cannot be carried out would only hide why.
        if arguments.output.format == Format::Table && !opened.plan.is_blocked() {
            screen.print(&render(&opened.plan));
        }
        if let Some(exit) = opened::refused(&opened.plan, screen) {
            screen.note("nothing was written");
            return Ok(exit);
        }
        if !opened.plan.is_empty() && !arguments.yes && !agrees(screen)? {
            return Ok(Exit::Done);
        }
        let outcome = carry_out(
            &opened,
            &arguments.how,
            arguments.output.format,
            &stop,
            screen,
        )
        .await;
        finish(&opened, &outcome, arguments, &stop, screen).await
    })
}

fn agrees(screen: &mut Screen) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::message(
            Exit::Usage,
            "there is no terminal to ask on, so nothing was written: give --yes to apply without asking",
        ));
    }
    screen.print("Apply this? Only `yes` is a yes.");
    let failed = |error: std::io::Error| Failure::new(Exit::Error, &error, None);
    screen.flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    if answer.trim() == "yes" {
        return Ok(true);
    }
    screen.note("nothing was written");
    Ok(false)
}

/// Carries the plan out while progress is shown.
pub async fn carry_out(
    opened: &Opened,
    how: &How,
    format: Format,
    stop: &Stop,
    screen: &mut Screen,
) -> Outcome {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let ports = opened.connected.ports.clone();
    let style = progress::Style {
        live: screen.live,
        quiet: screen.quiet,
        format,
    };
    // The plan must stand before the first line of progress.
    let _ = screen.flush();
    let shown = tokio::spawn(progress::show(receiver, style, Arc::clone(&ports.clock)));
    let options = Options {
        wait: how.wait.map(|wait| match wait {
            WaitFor::Ready => Wait::Ready,
            WaitFor::Running => Wait::Running,
            WaitFor::None => Wait::None,
        }),
        timeout: how.timeout,
        allow_restart: how.allow_restart,
        stop: stop.asked.clone(),
    };
    let outcome = apply(
        Arc::clone(&opened.site),
        ports,
        &opened.plan,
        options,
        Events::new(sender),
    )
    .await;
    // It ends by itself: all senders are gone now.
    let _ = shown.await;
    outcome
}

async fn finish(
    opened: &Opened,
    outcome: &Outcome,
    arguments: &Apply,
    stop: &Stop,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let format = arguments.output.format;
    let report = outcome
        .snapshot
        .as_ref()
        .map(|snapshot| status(&opened.site, snapshot));
    if format == Format::Table {
        if let Some(report) = &report {
            print(report, screen);
        }
        screen.note(&before_first_start(outcome));
    } else {
        screen.document(
            format,
            &Report {
                status: report,
                outcome,
            },
        )?;
    }
    screen.findings(&diagnostics(&outcome.failures));
    screen.findings(&diagnostics(&outcome.needs_person));
    let mut exit = exit(outcome, stop);
    if let (Some(file), true) = (&arguments.kubeconfig, outcome.reached) {
        match kubeconfig(opened, file).await {
            Ok(()) => screen.note(&format!("kubeconfig written to {}", file.display())),
            Err(failure) => {
                screen.findings(&failure.findings);
                exit = exit.worst(failure.exit);
            }
        }
    } else if outcome.reached && opened.site.clusters.iter().any(|cluster| cluster.cni_none) {
        screen.note(
            "next: install the CNI; `apply --kubeconfig FILE` writes the kubeconfig for that",
        );
    }
    Ok(exit)
}

/// The end of an apply, for programs.
#[derive(serde::Serialize)]
struct Report<'a> {
    /// The site at the end; absent where it could not be read.
    status: Option<bootstrap_core::status::Status>,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// What was caught before machines were started, and what came late; empty where nothing was to be caught.
fn before_first_start(outcome: &Outcome) -> String {
    let share = |wants: fn(&Worked) -> bool, in_time: fn(&Worked) -> bool| {
        let all = outcome.machines.values().filter(|worked| wants(worked));
        (
            all.clone().filter(|worked| in_time(worked)).count(),
            all.count(),
        )
    };
    let addresses = share(
        |worked| worked.wants_address,
        |worked| worked.reserved_in_window,
    );
    let gpus = share(
        |worked| worked.wants_gpu,
        |worked| worked.attached_in_window,
    );
    let mut parts = Vec::new();
    if addresses.1 > 0 {
        parts.push(format!(
            "{} of {} addresses reserved",
            addresses.0, addresses.1
        ));
    }
    if gpus.1 > 0 {
        parts.push(format!("{} of {} GPU machines attached", gpus.0, gpus.1));
    }
    if parts.is_empty() {
        return String::new();
    }
    let late: Vec<&str> = outcome
        .machines
        .iter()
        .filter(|(_, worked)| {
            (worked.wants_address && !worked.reserved_in_window)
                || (worked.wants_gpu && !worked.attached_in_window)
        })
        .map(|(machine, _)| machine.as_str())
        .collect();
    let late = if late.is_empty() {
        String::new()
    } else {
        format!("; late: {}", late.join(", "))
    };
    format!("before the first start: {}{late}", parts.join(", "))
}

/// What an outcome means to the shell.
pub fn exit(outcome: &Outcome, stop: &Stop) -> Exit {
    let mut exit = Exit::Done;
    if !outcome.failures.is_empty() {
        exit = exit.worst(Exit::Error);
    }
    if !outcome.needs_person.is_empty() {
        exit = exit.worst(Exit::Person);
    }
    if outcome.stopped {
        exit.worst(stop.exit())
    } else {
        exit
    }
}

async fn kubeconfig(opened: &Opened, file: &std::path::Path) -> Result<(), Failure> {
    let Some(cluster) = opened.site.clusters.first() else {
        return Ok(());
    };
    let failed = |message: String| Failure::message(Exit::Error, message);
    let text = opened
        .connected
        .ports
        .omni
        .kubeconfig(&cluster.name)
        .await
        .map_err(|error| failed(format!("no kubeconfig: {error}")))?;
    let written = Private::prepare(file).and_then(|place| place.write(text.expose_secret()));
    written.map_err(|error| {
        failed(format!(
            "the kubeconfig cannot be written to {}: {error}",
            file.display()
        ))
    })
}
