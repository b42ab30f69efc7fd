//! Follows Omni's machines: who joins, leaves, connects and moves between clusters, until Ctrl-C.
//!
//! Omni is named by `OMNI_ENDPOINT` and `OMNI_SERVICE_ACCOUNT_KEY` (a Reader's will do), and by `OMNI_CA_FILE` where a
//! private authority vouches for it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::ControlFlow;

use futures_util::{Stream, StreamExt as _};
use omni_client::specs::MachineStatus;
use omni_client::{Client, ClientBuilder, Event, Trust, Typed, WatchOptions};

/// What a machine is at, as far as this program cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Whether it is connected.
    pub connected: bool,
    /// The cluster it is in; empty for none.
    pub cluster: String,
}

/// What happened to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is there, and was not when we last looked.
    Came(String, Machine),
    /// It is at something else.
    Became(String, Machine),
    /// It is gone.
    Left(String),
}

/// Tells every change until `tell` has had enough, or trying again cannot help.
///
/// The watch begins anew after breaks by itself. It may be dropped at any time: nothing is written.
pub async fn run(
    client: &Client,
    tell: impl FnMut(Change) -> ControlFlow<()>,
) -> Result<(), omni_client::Error> {
    follow(
        client.watch_as::<MachineStatus>(&WatchOptions::default()),
        tell,
    )
    .await
}

/// The same, of any events.
pub async fn follow(
    mut events: impl Stream<Item = Result<Event<Typed<MachineStatus>>, omni_client::Error>> + Unpin,
    mut tell: impl FnMut(Change) -> ControlFlow<()>,
) -> Result<(), omni_client::Error> {
    let mut known = BTreeMap::new();
    // What was repeated since the watch last began: the rest left while we were not looking.
    let mut repeated = BTreeSet::new();
    while let Some(event) = events.next().await {
        let changes: Vec<Change> = match event? {
            Event::Created(machine) | Event::Updated { new: machine, .. } => {
                repeated.insert(machine.metadata.id.clone());
                take(&mut known, machine).into_iter().collect()
            }
            Event::Destroyed(machine) => {
                let id = machine.metadata.id;
                known
                    .remove(&id)
                    .map(|_| Change::Left(id))
                    .into_iter()
                    .collect()
            }
            Event::Bootstrapped => {
                let seen = std::mem::take(&mut repeated);
                let left = known.extract_if(.., |id, _| !seen.contains(id));
                left.map(|(id, _)| Change::Left(id)).collect()
            }
        };
        for change in changes {
            if tell(change).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn take(known: &mut BTreeMap<String, Machine>, machine: Typed<MachineStatus>) -> Option<Change> {
    let id = machine.metadata.id;
    let now = Machine {
        connected: machine.spec.connected,
        cluster: machine.spec.cluster,
    };
    match known.insert(id.clone(), now.clone()) {
        None => Some(Change::Came(id, now)),
        Some(before) if before != now => Some(Change::Became(id, now)),
        Some(_) => None,
    }
}

#[allow(dead_code, reason = "tests take `run` alone")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = ClientBuilder::new(std::env::var("OMNI_ENDPOINT")?)
        .service_account_key(std::env::var("OMNI_SERVICE_ACCOUNT_KEY")?);
    if let Ok(file) = std::env::var("OMNI_CA_FILE") {
        builder = builder.trust(Trust::CaPem(std::fs::read(file)?));
    }
    run(&builder.build()?, |change| {
        println!("{change:?}");
        ControlFlow::Continue(())
    })
    .await?;
    Ok(())
}
