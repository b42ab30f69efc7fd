//! The Omni port: the resource API without a network.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bootstrap_core::ports::{Failure, Omni as Port, PortError, PortResult, System};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use omni_client::{Event, Kind, Resource, Selectors};
use secrecy::SecretString;

use crate::World;
use crate::world::omni::access::{Caller, Role};
use crate::world::omni::api::{self, ApiError, Incoming, Query};
use crate::world::omni::kubeconfig;
use crate::world::omni::watch::{self, Watch};

/// Omni, as one account sees it.
#[derive(Debug, Clone)]
pub struct Omni {
    world: Arc<World>,
    caller: Caller,
}

impl Omni {
    /// As an Operator.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            caller: Caller::operator(),
        }
    }

    /// As an account that may only read.
    pub fn reader(world: Arc<World>) -> Self {
        Self {
            world,
            caller: Caller {
                role: Role::Reader,
                ..Caller::operator()
            },
        }
    }

    fn open(&self, query: Query) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        let changed = self.world.changed();
        let (watch, first) = self
            .world
            .act(|state, now| Watch::open(state, now, &self.caller, query))
            .map_err(port_error)?;
        let pending = first
            .into_iter()
            .map(|reported| event(reported.event))
            .collect();
        let open = Open {
            world: Arc::clone(&self.world),
            watch,
            changed,
            pending,
        };
        Ok(stream::unfold(open, next).boxed())
    }
}

#[async_trait]
impl Port for Omni {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        let found = self
            .world
            .act(|state, now| api::get(state, now, &self.caller, &kind.namespace, &kind.name, id));
        match found {
            Ok(resource) => Ok(Some(Resource::clone(&resource))),
            Err(error) if error.code == 5 => Ok(None),
            Err(error) => Err(port_error(error)),
        }
    }

    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        let selectors = selectors(selector.unwrap_or_default())?;
        let query = Query {
            selectors,
            ..Query::all(&kind.namespace, &kind.name)
        };
        let (items, _) = self
            .world
            .act(|state, now| api::list(state, now, &self.caller, &query))
            .map_err(port_error)?;
        Ok(items.iter().map(|item| Resource::clone(item)).collect())
    }

    async fn create(&self, resource: &Resource) -> PortResult<()> {
        let incoming = incoming(resource);
        self.world
            .act(|state, now| api::create(state, now, &self.caller, incoming))
            .map_err(port_error)
    }

    async fn update(&self, resource: &Resource) -> PortResult<()> {
        let incoming = incoming(resource);
        self.world
            .act(|state, now| api::update(state, now, &self.caller, incoming))
            .map_err(port_error)
    }

    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        let (namespace, name) = (&kind.namespace, &kind.name);
        let outcome = self
            .world
            .act(|state, now| api::teardown(state, now, &self.caller, namespace, name, id));
        match outcome {
            Err(error) if error.code != 5 => Err(port_error(error)),
            _ => Ok(()),
        }
    }

    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        self.open(Query::all(&kind.namespace, &kind.name))
    }

    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        let selectors = selectors(selector)?;
        self.open(Query {
            selectors,
            ..Query::all(&kind.namespace, &kind.name)
        })
    }

    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        self.world
            .act(|state, now| {
                kubeconfig::service_account(state, now, &self.caller, cluster, "bootstrap")
            })
            .map(SecretString::from)
            .map_err(port_error)
    }
}

struct Open {
    world: Arc<World>,
    watch: Watch,
    changed: tokio::sync::watch::Receiver<u64>,
    pending: VecDeque<Event>,
}

/// The next event; lets the world go on while there is none.
async fn next(mut open: Open) -> Option<(PortResult<Event>, Open)> {
    loop {
        if let Some(event) = open.pending.pop_front() {
            return Some((Ok(event), open));
        }
        let polled = open.world.look(|state| open.watch.poll(state));
        if let Ok(events) = polled {
            let events = events.into_iter().map(|reported| event(reported.event));
            open.pending.extend(events);
        } else {
            // As after a broken connection: everything once more.
            match open.world.act(|state, now| open.watch.again(state, now)) {
                Ok((watch, first)) => {
                    open.watch = watch;
                    open.pending = first
                        .into_iter()
                        .map(|reported| event(reported.event))
                        .collect();
                }
                Err(error) => return Some((Err(port_error(error)), open)),
            }
        }
        if open.pending.is_empty() {
            let world = Arc::clone(&open.world);
            world.tick(&mut open.changed).await;
        }
    }
}

/// Of a header's text; an empty one selects everything.
fn selectors(header: &str) -> PortResult<Selectors> {
    if header.is_empty() {
        return Ok(Selectors::default());
    }
    let parsed = header.parse::<Selectors>();
    parsed.map_err(|error| port_error(ApiError::new(3, error.to_string())))
}

fn event(event: watch::Event) -> Event {
    match event {
        watch::Event::Created(new) => Event::Created(Resource::clone(&new)),
        watch::Event::Updated(old, new) => Event::Updated {
            new: Resource::clone(&new),
            old: Some(Resource::clone(&old)),
        },
        watch::Event::Destroyed(last) => Event::Destroyed(Resource::clone(&last)),
        watch::Event::Bootstrapped => Event::Bootstrapped,
    }
}

fn incoming(resource: &Resource) -> Incoming {
    let version = match resource.metadata.version {
        0 => String::new(),
        version => version.to_string(),
    };
    Incoming {
        resource: resource.clone(),
        version,
        spec: resource.spec.to_string(),
    }
}

fn port_error(error: ApiError) -> PortError {
    let failure = match error.code {
        5 => Failure::NotFound,
        6 => Failure::Conflict,
        7 => Failure::Denied,
        16 => Failure::Unauthorized,
        3 | 9 => Failure::Invalid,
        4 | 14 => Failure::Unreachable,
        _ => Failure::Other,
    };
    PortError {
        system: System::Omni,
        failure,
        said: omni_client::rpc_text(u32::from(error.code), &error.message),
        message: error.message,
        hint: None,
    }
}
