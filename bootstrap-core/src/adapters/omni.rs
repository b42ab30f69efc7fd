//! [`Omni`] for the Omni client.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use omni_client::{
    Client, Error, Event, Kind, KubeconfigOptions, ListOptions, Resource, WatchOptions,
};
use secrecy::SecretString;

use super::{chain, told};
use crate::ports::{Failure, Omni, PortError, PortResult, System};

pub(super) struct Port {
    pub(super) client: Client,
}

/// What a refusal of Omni's means to the engine, with the next step.
pub fn port_error(error: &Error) -> PortError {
    let failure = match error {
        Error::NotFound { .. } => Failure::NotFound,
        Error::AlreadyExists { .. } | Error::Conflict { .. } => Failure::Conflict,
        Error::Unauthenticated { .. } | Error::Key(_) => Failure::Unauthorized,
        Error::Denied { .. } => Failure::Denied,
        Error::Invalid { .. } => Failure::Invalid,
        Error::Unavailable { .. } | Error::Transport(_) => Failure::Unreachable,
        _ => Failure::Other,
    };
    let message = match error {
        Error::Transport(source) => told(source),
        Error::Key(source) => chain(source),
        other => chain(other),
    };
    PortError {
        system: System::Omni,
        failure,
        message,
        hint: error.hint().map(str::to_owned),
        said: error.as_rpc(),
    }
}

#[async_trait]
impl Omni for Port {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        self.client
            .find(kind, id)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        let options = selector.map_or_else(ListOptions::all, ListOptions::selector);
        self.client
            .list(kind, &options)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn create(&self, resource: &Resource) -> PortResult<()> {
        self.client
            .create(resource)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn update(&self, resource: &Resource) -> PortResult<()> {
        self.client
            .update(resource)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        match self.client.teardown(kind, id).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map_err(|error| port_error(&error)),
        }
    }

    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        Ok(self
            .client
            .watch(kind)
            .map(|event| event.map_err(|error| port_error(&error)))
            .boxed())
    }

    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        let options = WatchOptions {
            selectors: vec![selector.to_owned()],
            ..WatchOptions::default()
        };
        Ok(self
            .client
            .watch_with(kind, &options)
            .map(|event| event.map_err(|error| port_error(&error)))
            .boxed())
    }

    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        let options = KubeconfigOptions {
            user: "omni-bootstrap".to_owned(),
            ..KubeconfigOptions::default()
        };
        self.client
            .kubeconfig(cluster, &options)
            .await
            .map_err(|error| port_error(&error))
    }
}
