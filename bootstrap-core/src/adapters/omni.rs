//! [`Omni`] for the Omni client.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use omni_client::{Client, Error, Event, Kind, KubeconfigOptions, ListOptions, Resource};
use secrecy::SecretString;

use super::{chain, transport_failure};
use crate::ports::{Failure, Omni, PortError, PortResult, System};

pub(super) struct Port {
    pub(super) client: Client,
}

fn port_error(error: &Error) -> PortError {
    let (failure, hint) = match error {
        Error::NotFound { .. } => (Failure::NotFound, None),
        Error::AlreadyExists { .. } | Error::Conflict { .. } => (Failure::Conflict, None),
        Error::Unauthenticated { .. } | Error::Key(_) => (Failure::Unauthorized, None),
        Error::Denied { .. } => {
            (Failure::Denied, Some("the service account needs the role Operator".to_owned()))
        }
        Error::Invalid { .. } => (Failure::Invalid, None),
        Error::Unavailable { .. } => (Failure::Unreachable, None),
        Error::Transport(source) => transport_failure(source),
        _ => (Failure::Other, None),
    };
    PortError { system: System::Omni, failure, message: chain(error), hint }
}

#[async_trait]
impl Omni for Port {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        self.client.find(kind, id).await.map_err(|error| port_error(&error))
    }

    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        let options = selector.map_or_else(ListOptions::all, ListOptions::selector);
        self.client.list(kind, &options).await.map_err(|error| port_error(&error))
    }

    async fn create(&self, resource: &Resource) -> PortResult<()> {
        self.client.create(resource).await.map_err(|error| port_error(&error))
    }

    async fn update(&self, resource: &Resource) -> PortResult<()> {
        self.client.update(resource).await.map_err(|error| port_error(&error))
    }

    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        match self.client.teardown(kind, id).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map_err(|error| port_error(&error)),
        }
    }

    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        Ok(self.client.watch(kind).map(|event| event.map_err(|error| port_error(&error))).boxed())
    }

    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        let options = KubeconfigOptions { user: "omni-bootstrap".to_owned(), ..KubeconfigOptions::default() };
        self.client.kubeconfig(cluster, &options).await.map_err(|error| port_error(&error))
    }
}
