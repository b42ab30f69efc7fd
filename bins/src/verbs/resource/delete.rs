//! `delete`: removes resources and waits until they are gone.

use std::time::Duration;

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::ports::{PortError, Ports};
use bootstrap_core::resource::definition::Definition;
use bootstrap_core::resource::remove::{Left, Progress, remove};
use omni_client::Kind;

use super::{Session, finding};
use crate::args::duration;
use crate::compat;
use crate::output::{Screen, clean};
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
        let connected = session.connect().await?;
        let ports = &connected.ports;
        let definition = session
            .resolve(Exit::Refused, ports.omni.as_ref(), &arguments.kind)
            .await?;
        let mut kind = definition.kind.clone();
        if let Some(namespace) = &arguments.namespace {
            kind.namespace = namespace.clone().into();
        }
        let ids = if arguments.ids.is_empty() {
            let selector = arguments.selector.as_deref();
            let found = ports.omni.list(&kind, selector).await;
            let found = found.map_err(|error| session.failed(Exit::Refused, &error))?;
            found
                .into_iter()
                .map(|resource| resource.metadata.id)
                .collect()
        } else {
            arguments.ids.clone()
        };
        let stop = signals::listen();
        let mut asked = stop.asked.clone();
        let left = tokio::select! {
            left = wait(&kind, &ids, arguments.timeout, ports, session, screen) => left,
            // A closed channel means that no signal can come any more.
            Ok(_) = asked.wait_for(|asked| *asked) => {
                screen.note("What was asked for goes on in Omni.");
                return Ok(stop.exit());
            }
        };
        let left = left.map_err(|error| session.failed(Exit::Error, &error))?;
        outcome(&left, &definition, arguments.timeout, session, screen)
    })
}

async fn wait(
    kind: &Kind,
    ids: &[String],
    within: Duration,
    ports: &Ports,
    session: &Session<'_>,
    screen: &mut Screen,
) -> Result<Left, PortError> {
    let mut tell = |progress| match progress {
        Progress::Gone(id) if !session.compat => {
            screen.note(&format!("destroyed {} {}", kind.name, clean(&id)));
        }
        Progress::Held(id, holders) if !session.compat && !holders.is_empty() => {
            screen.note(&format!(
                "{} waits for {}",
                clean(&id),
                clean(&holders.join(", "))
            ));
        }
        _ => {}
    };
    remove(
        ports.omni.as_ref(),
        ports.clock.as_ref(),
        kind,
        ids,
        within,
        &mut tell,
    )
    .await
}

fn outcome(
    left: &Left,
    definition: &Definition,
    within: Duration,
    session: &Session,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if left.refused.is_empty() && left.held.is_empty() {
        return Ok(Exit::Done);
    }
    if session.compat {
        let first = left.refused.first();
        return Err(compat::failure(first.map_or_else(
            || "context deadline exceeded".to_owned(),
            |(_, error)| compat::port_error(error),
        )));
    }
    let display = &definition.display;
    let mut findings = Vec::new();
    for (id, error) in &left.refused {
        let mut told = finding(error);
        told.message = format!("{display} {id}: {}", told.message);
        findings.push(told);
    }
    for (id, holders) in &left.held {
        let holders = if holders.is_empty() {
            "nothing that Omni names".to_owned()
        } else {
            holders.join(", ")
        };
        let message = format!(
            "{display} {id} is not gone after {} s, held by {holders}",
            within.as_secs()
        );
        let hint = "the deletion goes on in Omni; `omni-resource delete` again waits on";
        findings.push(Diagnostic::error(message).hint(hint));
    }
    screen.findings(&findings);
    Ok(Exit::Error)
}
