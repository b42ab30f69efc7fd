//! `delete`: removes resources and waits until they are gone.

use std::time::Duration;

use bootstrap_core::apply::{Event, Events, How, SIDE_BY_SIDE, Written, write_resources};
use bootstrap_core::observe::find_each;
use bootstrap_core::plan::Action;
use bootstrap_core::ports::Ports;
use omni_client::Resource;
use tokio::sync::mpsc;

use super::Session;
use crate::args::duration;
use crate::compat;
use crate::opened::diagnostics;
use crate::output::{Screen, clean};
use crate::progress::tell_while;
use crate::run::{Exit, Failure, block_on};
use crate::signals;

/// Delete resources and wait until they are gone
///
/// Omni's controllers hold a resource until they have undone what it stands for; which ones is shown. A resource that
/// is not there counts as deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-resource delete machineclass gpu
  omni-resource delete configpatch -l omni.sidero.dev/cluster=home
  omni-resource delete link 2f0a… --timeout 30s

Exit codes: 0 gone, 1 refused or not gone in time (the deletion goes on in Omni), 5 nothing was asked for.")]
pub struct Delete {
    /// The type, as in `omni-resource get rd`: an id or an alias
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Which ones
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Their namespace [default: that of the type]
    #[arg(short = 'n', long)]
    namespace: Option<String>,
    /// All of the type
    #[arg(long, conflicts_with_all = ["selector", "ids"])]
    all: bool,
    /// Those whose labels match, e.g. `omni.sidero.dev/cluster=home,!omni.sidero.dev/role-worker`
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "ids")]
    selector: Option<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

/// Deletes.
///
/// # Errors
/// The type is not known, or Omni does not answer.
pub fn run(arguments: &Delete, session: &Session, screen: &mut Screen) -> Result<Exit, Failure> {
    if arguments.ids.is_empty() && !arguments.all && arguments.selector.is_none() {
        let message = "either resource ID or one of --all or --selector flags must be specified";
        return Err(if session.compat {
            compat::failure(message)
        } else {
            Failure::message(
                Exit::Usage,
                "name the resources by ID, or give --all or -l LABELS",
            )
        });
    }
    block_on(async {
        let connected = session.connect(screen).await?;
        let ports = &connected.ports;
        let definition = session
            .resolve(Exit::Refused, ports.omni.as_ref(), &arguments.kind)
            .await?;
        let mut kind = definition.kind.clone();
        if let Some(namespace) = &arguments.namespace {
            kind.namespace = namespace.clone().into();
        }
        let omni = ports.omni.as_ref();
        let found = match arguments.ids.as_slice() {
            [] => omni.list(&kind, arguments.selector.as_deref()).await,
            ids => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                find_each(omni, &kind, &ids).await
            }
        };
        let found = found.map_err(|error| session.failed(Exit::Refused, &error))?;
        for id in missing(&arguments.ids, &found).filter(|_| !session.compat) {
            screen.note(&format!("{} {} is not there", kind.name, clean(id)));
        }
        let stop = signals::listen();
        let how = How {
            at_once: SIDE_BY_SIDE,
            timeout: Some(arguments.timeout),
            stop: stop.asked.clone(),
            // Named by a person: whatever stands under the name now.
            exact: true,
        };
        let written = remove(found, ports, &how, session, screen).await;
        if *stop.asked.borrow() {
            screen.note("What was asked for goes on in Omni.");
            return Ok(stop.exit());
        }
        outcome(written, session, screen)
    })
}

fn missing<'a>(ids: &'a [String], found: &[Resource]) -> impl Iterator<Item = &'a str> {
    let all = ids.iter().map(String::as_str);
    all.filter(|id| !found.iter().any(|resource| resource.metadata.id == *id))
}

/// Deletes, and tells what goes and what is waited for.
async fn remove(
    resources: Vec<Resource>,
    ports: &Ports,
    how: &How,
    session: &Session<'_>,
    screen: &mut Screen,
) -> Written {
    let actions: Vec<Action> = resources.into_iter().map(Action::deletion).collect();
    let all: Vec<&Action> = actions.iter().collect();
    let (sender, receiver) = mpsc::unbounded_channel();
    let events = Events::new(sender);
    let (omni, clock) = (ports.omni.as_ref(), ports.clock.as_ref());
    let removal = write_resources(omni, clock, &all, how, &events);
    tell_while(removal, receiver, |event| match event {
        _ if session.compat => {}
        Event::Done { id, .. } => {
            let gone = actions.iter().find(|action| action.id == *id);
            if let Some(resource) = gone.and_then(|action| action.change.resource()) {
                let name = format!("{} {}", resource.metadata.kind, resource.id());
                screen.note(&format!("destroyed {}", clean(&name)));
            }
        }
        Event::Waiting { what } => screen.note(&format!("waiting for {}", clean(what))),
        _ => {}
    })
    .await
}

fn outcome(written: Written, session: &Session, screen: &mut Screen) -> Result<Exit, Failure> {
    if written.is_complete() {
        return Ok(Exit::Done);
    }
    if session.compat {
        return Err(compat::failure(
            written
                .said
                .unwrap_or_else(|| "context deadline exceeded".to_owned()),
        ));
    }
    screen.findings(&diagnostics(&written.failures));
    Ok(Exit::Error)
}
