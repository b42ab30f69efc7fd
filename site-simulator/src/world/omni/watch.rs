//! Watches: what exists, then what changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use omni_client::Resource;

use super::access::Caller;
use super::api::{self, ApiError, Query};
use super::store::Change;
use crate::world::State;

/// What a watch reports.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is there.
    Created(Arc<Resource>),
    /// Old and new state.
    Updated(Arc<Resource>, Arc<Resource>),
    /// It is gone; the last state.
    Destroyed(Arc<Resource>),
    /// Everything that existed was reported.
    Bootstrapped,
}

/// An event and how many resources the watch knows after it.
#[derive(Debug, Clone)]
pub struct Reported {
    /// What happened.
    pub event: Event,
    /// Matching resources.
    pub total: usize,
}

/// An open watch.
#[derive(Debug)]
pub struct Watch {
    caller: Caller,
    query: Query,
    seen: u64,
    known: BTreeSet<String>,
}

/// Ends a watch that fell too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FellBehind;

impl Watch {
    /// Opens a watch; the first events are what exists, then the mark that it is complete.
    pub fn open(
        state: &State,
        now: Duration,
        caller: &Caller,
        query: Query,
    ) -> Result<(Self, Vec<Reported>), ApiError> {
        let (items, total) = api::list(state, now, caller, &query)?;
        let mut events: Vec<Reported> = items
            .iter()
            .enumerate()
            .map(|(index, item)| Reported {
                event: Event::Created(Arc::clone(item)),
                total: index + 1,
            })
            .collect();
        events.push(Reported {
            event: Event::Bootstrapped,
            total,
        });
        let all = Query {
            offset: 0,
            limit: 0,
            ..query.clone()
        };
        let (all, _) = api::list(state, now, caller, &all)?;
        let known = all.iter().map(|item| item.metadata.id.clone()).collect();
        let seen = state.omni.store.changes();
        Ok((
            Self {
                caller: caller.clone(),
                query,
                seen,
                known,
            },
            events,
        ))
    }

    /// The same watch from the beginning.
    pub fn again(&self, state: &State, now: Duration) -> Result<(Self, Vec<Reported>), ApiError> {
        Self::open(state, now, &self.caller, self.query.clone())
    }

    /// What happened since the last call.
    pub fn poll(&mut self, state: &State) -> Result<Vec<Reported>, FellBehind> {
        let mut reported = Vec::new();
        let changes = state
            .omni
            .store
            .changes_since(self.seen)
            .ok_or(FellBehind)?;
        for change in changes {
            if let Some(event) = self.report(change) {
                reported.push(Reported {
                    event,
                    total: self.known.len(),
                });
            }
        }
        self.seen = state.omni.store.changes();
        Ok(reported)
    }

    /// The query it was opened with.
    pub fn query(&self) -> &Query {
        &self.query
    }

    fn report(&mut self, change: &Change) -> Option<Event> {
        let resource = change.resource();
        if resource.metadata.kind != self.query.kind
            || resource.metadata.namespace != self.query.namespace
        {
            return None;
        }
        let wanted = self.query.wants(resource) && api::sees(&self.caller, resource);
        let id = &resource.metadata.id;
        match change {
            Change::Created(new) => {
                (wanted && self.known.insert(id.clone())).then(|| Event::Created(Arc::clone(new)))
            }
            Change::Updated(old, new) => match (self.known.contains(id), wanted) {
                (true, true) => Some(Event::Updated(Arc::clone(old), Arc::clone(new))),
                (true, false) => {
                    self.known.remove(id);
                    Some(Event::Destroyed(Arc::clone(new)))
                }
                (false, true) => {
                    self.known.insert(id.clone());
                    Some(Event::Created(Arc::clone(new)))
                }
                (false, false) => None,
            },
            Change::Destroyed(last) => self
                .known
                .remove(id)
                .then(|| Event::Destroyed(Arc::clone(last))),
        }
    }
}
