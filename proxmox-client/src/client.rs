//! The client: one cluster, one token, one or more endpoints.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api_transport::{Clock, Exchange, HeaderName, Response, Transport, Trust};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::classify::classify;
use crate::error::Error;
use crate::request::Call;
use crate::token::Token;
use crate::wire::Envelope;

/// Nodes are near; a node that does not answer by then is down and another one is asked.
const CONNECT: Duration = Duration::from_secs(5);
/// Longer than a write waits for a lock (10 s) and a node for another node (30 s).
const HEADERS: Duration = Duration::from_secs(40);
const TOTAL: Duration = Duration::from_secs(90);
/// pveproxy closes an idle connection after 5 s.
const IDLE: Duration = Duration::from_secs(3);

/// A connection to one Proxmox VE cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Vec<Transport>,
    /// Which endpoint answered last and is asked first.
    front: AtomicUsize,
    token: Token,
}

/// Settings for a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    token: Option<SecretString>,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
}

impl ClientBuilder {
    /// A client for the cluster at `https://host:8006`. A trailing `/api2/json` does no harm.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            token: None,
            trust: Trust::default(),
            clock: None,
            exchange: None,
        }
    }

    /// Adds another node of the same cluster, asked when those before it do not answer.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// The token, as `user@realm!tokenid=uuid`.
    #[must_use]
    pub fn api_token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// How the nodes prove who they are. With pins, give one of each node.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Where time and jitter come from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Replaces the network, for tests and simulations.
    #[must_use]
    pub fn exchange(mut self, exchange: Arc<dyn Exchange>) -> Self {
        self.exchange = Some(exchange);
        self
    }

    /// Checks the settings. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a missing or malformed token or endpoint, or unusable trust settings.
    pub fn build(self) -> Result<Client, Error> {
        let token = self
            .token
            .as_ref()
            .ok_or_else(|| Error::input("no API token given"))?;
        let token = Token::parse(token)?;
        let transports = self
            .endpoints
            .iter()
            .map(|endpoint| self.transport(endpoint));
        let endpoints = transports.collect::<Result<Vec<_>, _>>()?;
        Ok(Client {
            inner: Arc::new(Inner {
                endpoints,
                front: AtomicUsize::new(0),
                token,
            }),
        })
    }

    fn transport(&self, endpoint: &str) -> Result<Transport, Error> {
        let unusable = |error: api_transport::Error| Error::input(error.to_string());
        let mut builder = Transport::builder(base_url(endpoint))
            .map_err(unusable)?
            .trust(self.trust.clone())
            .timeouts(CONNECT, HEADERS, TOTAL)
            .idle_timeout(IDLE)
            .http1_only();
        if let Some(clock) = &self.clock {
            builder = builder.clock(Arc::clone(clock));
        }
        if let Some(exchange) = &self.exchange {
            builder = builder.exchange(Arc::clone(exchange));
        }
        builder.build().map_err(unusable)
    }
}

/// The endpoint without `/api2/json`, which every call brings itself.
fn base_url(endpoint: &str) -> &str {
    let trimmed = endpoint.trim().trim_end_matches('/');
    ["/api2/json", "/api2"]
        .iter()
        .find_map(|suffix| trimmed.strip_suffix(suffix))
        .unwrap_or(trimmed)
        .trim_end_matches('/')
}

impl Client {
    /// Starts the settings of a client; see [`ClientBuilder::new`].
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    /// The endpoint that is asked first at the moment, for messages.
    pub fn endpoint(&self) -> &str {
        self.front().endpoint()
    }

    /// The token's id, `user@realm!tokenid`.
    pub fn token_id(&self) -> &str {
        &self.inner.token.id
    }

    /// Requests sent so far to all endpoints, retries included.
    pub fn requests_sent(&self) -> u64 {
        self.inner
            .endpoints
            .iter()
            .map(Transport::requests_sent)
            .sum()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.front().clock()
    }

    /// Sends a call whose answer carries data.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let label = call.label();
        let envelope = self.envelope(call).await?;
        envelope.data.ok_or_else(|| Error::Decode {
            call: label,
            message: "no data in it".to_owned(),
        })
    }

    /// Sends a call whose answer is a list; no data is an empty one.
    pub(crate) async fn list<T: DeserializeOwned>(&self, call: Call) -> Result<Vec<T>, Error> {
        Ok(self.envelope(call).await?.data.unwrap_or_default())
    }

    /// Sends a call whose answer carries nothing worth keeping.
    pub(crate) async fn execute(&self, call: Call) -> Result<(), Error> {
        self.send(&call).await.map(drop)
    }

    pub(crate) async fn envelope<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<Envelope<T>, Error> {
        let response = self.send(&call).await?;
        serde_json::from_slice(&response.body).map_err(|error| Error::Decode {
            call: call.label(),
            message: api_transport::redact(&error.to_string(), 200),
        })
    }

    async fn send(&self, call: &Call) -> Result<Response, Error> {
        let response = if call.is_read() {
            self.ask_in_turn(call).await?
        } else {
            self.ask(self.front(), call, false).await?
        };
        if (200..300).contains(&response.status) {
            Ok(response)
        } else {
            Err(classify(&call.label(), &self.inner.token.id, &response))
        }
    }

    /// Asks each endpoint once, the last one with the transport's retries. A node that answers stays the
    /// first to be asked; one that cannot reach the node the call is for is passed over this once. A refused
    /// certificate ends the round: that needs a person, and should not be hidden by another node.
    async fn ask_in_turn(&self, call: &Call) -> Result<Response, Error> {
        let endpoints = &self.inner.endpoints;
        let front = self.inner.front.load(Ordering::Relaxed);
        let mut unreached = None;
        let mut failure = None;
        for turn in 0..endpoints.len() {
            let index = (front + turn) % endpoints.len();
            let last = turn + 1 == endpoints.len();
            match self.ask(&endpoints[index], call, last).await {
                Ok(response) if matches!(response.status, 502..=504 | 595 | 596 | 599) => {
                    unreached.get_or_insert(response);
                }
                Ok(response) => {
                    if failure.is_some() {
                        self.inner.front.store(index, Ordering::Relaxed);
                    }
                    return Ok(response);
                }
                Err(error) if error.is_retryable() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (unreached, failure) {
            (Some(response), _) => Ok(response),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::input("no endpoint given")),
        }
    }

    async fn ask(&self, endpoint: &Transport, call: &Call, retry: bool) -> Result<Response, Error> {
        let mut request = call.to_request()?.header(
            HeaderName::from_static("authorization"),
            self.inner.token.header.clone(),
        );
        if retry {
            request = request.idempotent();
        }
        tracing::trace!(
            call = call.label(),
            endpoint = endpoint.endpoint(),
            "sending"
        );
        endpoint
            .send(request)
            .await
            .map_err(|source| Error::Transport {
                endpoint: endpoint.endpoint().to_owned(),
                source,
            })
    }

    fn front(&self) -> &Transport {
        let endpoints = &self.inner.endpoints;
        // The builder starts with one endpoint and only ever adds, and the index stays in range.
        let index = self.inner.front.load(Ordering::Relaxed) % endpoints.len().max(1);
        &endpoints[index]
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint())
            .field("token", &self.inner.token.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for given in [
            "https://pve.example:8006",
            "https://pve.example:8006/",
            " https://pve.example:8006/api2/json",
            "https://pve.example:8006/api2/json/",
        ] {
            assert_eq!(base_url(given), "https://pve.example:8006", "{given}");
        }
        assert_eq!(base_url("https://h/pve/api2/json"), "https://h/pve");
    }
}
