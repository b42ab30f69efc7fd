//! `--compat`: diffs, syncs and deletions as omnictl does and prints them, one write after another, up to the first
//! error.

use bootstrap_core::apply::{self, Event, Events, write_resources};
use bootstrap_core::observe::observe_template;
use bootstrap_core::plan::{Action, Change, Compared, Plan, Rules, diff as diff_of, plan_cluster};
use bootstrap_core::ports::{Failure as Failed, Ports};
use bootstrap_core::site::ClusterIntent;
use tokio::sync::{mpsc, watch};

use super::Source;
use super::render::now;
use super::source::as_omnictl;
use crate::compat;
use crate::omni::Omni;
use crate::output::{Screen, diff::Shown};
use crate::progress::tell_while;
use crate::run::{Exit, Failure};

const RULES: Rules = Rules {
    prune: true,
    exact: true,
};

/// How omnictl is asked to go about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) verbose: bool,
    pub(super) dry_run: bool,
}

/// Prints updates, then creations, then deletions. There is no code for "there are changes".
pub(super) async fn diff(
    source: &Source,
    omni: &Omni,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let clusters = source.clusters_as_omnictl("syncing")?;
    let connected = omni.connect(true, screen).await?;
    let created = now();
    for cluster in &clusters {
        let plan = plan_of(cluster, &connected.ports)
            .await
            .map_err(compat::failure)?;
        let (updates, others): (Vec<&Action>, Vec<&Action>) = plan
            .actions
            .iter()
            .partition(|action| matches!(action.change, Change::UpdateResource { .. }));
        for action in updates.into_iter().chain(others) {
            let text = diff_of(&action.change, &created, Compared::Whole);
            screen.print_diff(&text, Shown::Everything);
        }
    }
    Ok(Exit::Done)
}

/// Loads, checks, plans and writes one template after another.
pub(super) async fn sync(
    source: &Source,
    omni: &Omni,
    how: How,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let files = source.files()?;
    let connected = omni.connect(true, screen).await?;
    if how.verbose {
        screen.print(&format!("Processing {} template file(s)", files.len()));
    }
    for (file, options) in files {
        let name = file.display().to_string();
        if how.verbose {
            screen.print(&format!("Syncing template: {name}"));
        }
        let failed =
            |text: String| compat::failure(format!("failed to sync template {name:?}: {text}"));
        let cluster = as_omnictl(&file, &options, "syncing").map_err(failed)?;
        let plan = plan_of(&cluster, &connected.ports).await.map_err(failed)?;
        carry_out(&plan, &connected.ports, how, screen)
            .await
            .map_err(|failure| failed(failure.compat.unwrap_or_default()))?;
    }
    Ok(Exit::Done)
}

async fn plan_of(cluster: &ClusterIntent, ports: &Ports) -> Result<Plan, String> {
    let syncing = |text: String| format!("error syncing template: {text}");
    let view = observe_template(cluster, ports.omni.as_ref(), false)
        .await
        .map_err(|error| {
            let text = compat::port_error(&error);
            // omnictl asks for the server's version first, so there it is no part of the sync.
            if error.failure == Failed::Unreachable {
                text
            } else {
                syncing(text)
            }
        })?;
    let plan = plan_cluster(cluster, &view, RULES);
    match plan.needs_person.first() {
        Some(finding) => Err(syncing(finding.diagnostic.message.clone())),
        None => Ok(plan),
    }
}

/// Writes a plan and prints each write before it is made.
pub(super) async fn carry_out(
    plan: &Plan,
    ports: &Ports,
    how: How,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let (removals, writes): (Vec<&Action>, Vec<&Action>) = plan
        .actions
        .iter()
        .partition(|action| matches!(action.change, Change::DeleteResource { .. }));
    for action in writes {
        announce(action, how, screen);
        if !how.dry_run {
            write(&[action], ports, screen).await?;
        }
    }
    for phase in removals.chunk_by(|one, next| phase(one) == phase(next)) {
        for action in phase {
            announce(action, how, screen);
        }
        if !how.dry_run {
            write(phase, ports, screen).await?;
        }
    }
    Ok(Exit::Done)
}

/// Deletions of one phase are asked for before any is waited for.
fn phase(action: &Action) -> u8 {
    let kind = action
        .change
        .resource()
        .map_or("", |resource| resource.metadata.kind.as_str());
    u8::from(!kind.starts_with("MachineSet"))
}

fn announce(action: &Action, how: How, screen: &mut Screen) {
    let verb = match &action.change {
        Change::CreateResource { .. } => "creating",
        Change::UpdateResource { .. } => "updating",
        _ => "tearing down",
    };
    let dry_run = if how.dry_run { " (dry run)" } else { "" };
    line(&format!("{verb}{dry_run}"), action, screen);
    if how.verbose {
        let text = diff_of(&action.change, &now(), Compared::Whole);
        screen.print_diff(&text, Shown::Everything);
    }
}

fn line(verb: &str, action: &Action, screen: &mut Screen) {
    let Some(resource) = action.change.resource() else {
        return;
    };
    let name = format!("{}({})", resource.metadata.kind, resource.id());
    screen.print(&if screen.color {
        format!("\u{1b}[33m* {verb} \u{1b}[1m{name}\u{1b}[22m\u{1b}[0m")
    } else {
        format!("* {verb} {name}")
    });
}

async fn write(actions: &[&Action], ports: &Ports, screen: &mut Screen) -> Result<(), Failure> {
    let _ = screen.flush();
    let (sender, receiver) = mpsc::unbounded_channel();
    let (_never, stop) = watch::channel(false);
    let how = apply::How {
        at_once: 1,
        timeout: None,
        stop,
        exact: true,
    };
    let (omni, clock) = (ports.omni.as_ref(), ports.clock.as_ref());
    let events = Events::new(sender);
    let writing = write_resources(omni, clock, actions, &how, &events);
    let written = tell_while(writing, receiver, |event| destroyed(event, actions, screen)).await;
    match written.said {
        Some(text) => Err(compat::failure(text)),
        None => Ok(()),
    }
}

fn destroyed(event: &Event, actions: &[&Action], screen: &mut Screen) {
    let Event::Done { id, .. } = event else {
        return;
    };
    let removed = actions
        .iter()
        .find(|action| action.id == *id && matches!(action.change, Change::DeleteResource { .. }));
    if let Some(action) = removed {
        line("destroyed", action, screen);
        // It may take long until the next.
        let _ = screen.flush();
    }
}
