//! `get -w`: what is there, then what changes.

use std::collections::{BTreeMap, BTreeSet};

use bootstrap_core::ports::Omni;
use futures_util::StreamExt as _;
use omni_client::{Event as Reported, Kind, Resource};

use super::format::{Event, Printer};
use super::{Get, is_wanted};
use crate::output::Screen;
use crate::run::{Exit, Failure};
use crate::signals;
use crate::verbs::resource::Session;

pub(super) async fn run(
    arguments: &Get,
    kind: &Kind,
    omni: &dyn Omni,
    session: &Session<'_>,
    mut printer: Printer,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let failed = |error| session.failed(Exit::Error, &error);
    let mut events = match &arguments.selector {
        Some(selector) => omni.watch_matching(kind, selector).await,
        None => omni.watch(kind).await,
    }
    .map_err(failed)?;
    let stop = signals::listen();
    let mut asked = stop.asked.clone();
    let mut seen = Seen::default();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Ok(_) = asked.wait_for(|asked| *asked) => return Ok(stop.exit()),
        };
        let Some(event) = event else {
            return Ok(Exit::Done);
        };
        for (event, resource) in seen.take(event.map_err(failed)?) {
            if is_wanted(arguments, &resource) {
                printer
                    .add(&resource, Some(event))
                    .map_err(|text| session.refused(&text))?;
            }
        }
        if seen.complete {
            printer.flush(screen);
            // Somebody is looking on.
            if screen.flush().is_err() {
                return Ok(Exit::Done);
            }
        }
    }
}

/// What is known so far. After a broken connection everything comes again; only what is new is told.
#[derive(Default)]
struct Seen {
    /// Everything there was at the beginning has come.
    complete: bool,
    known: BTreeMap<String, Resource>,
    /// What was reported as created since the last time that everything had come.
    again: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, event: Reported) -> Vec<(Event, Resource)> {
        match event {
            Reported::Created(new) => {
                self.again.insert(new.metadata.id.clone());
                self.came(new)
            }
            Reported::Updated { new, .. } => self.came(new),
            Reported::Destroyed(last) => {
                self.known.remove(&last.metadata.id);
                vec![(Event::Destroyed, last)]
            }
            Reported::Bootstrapped => {
                let again = std::mem::take(&mut self.again);
                let mut gone = Vec::new();
                if self.complete {
                    self.known.retain(|id, last| {
                        let is_there = again.contains(id);
                        if !is_there {
                            gone.push((Event::Destroyed, last.clone()));
                        }
                        is_there
                    });
                }
                self.complete = true;
                gone
            }
        }
    }
    fn came(&mut self, new: Resource) -> Vec<(Event, Resource)> {
        let old = self.known.insert(new.metadata.id.clone(), new.clone());
        match old {
            None => vec![(Event::Created, new)],
            Some(old) if old == new => Vec::new(),
            Some(_) => vec![(Event::Updated, new)],
        }
    }
}
