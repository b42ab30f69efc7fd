//! Settings of a client: endpoints, credentials, trust.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, Exchange, Transport, Trust};
use secrecy::SecretString;

use crate::client::{Client, Credentials};
use crate::error::Error;
use crate::ticket::Login;
use crate::token::Token;

/// Nodes are near; a node that does not answer by then is down and another one is asked.
const CONNECT: Duration = Duration::from_secs(5);
/// Longer than a write waits for a lock (10 s) and a node for another node (30 s).
const HEADERS: Duration = Duration::from_secs(40);
const TOTAL: Duration = Duration::from_secs(90);
/// pveproxy closes an idle connection after 5 s.
const IDLE: Duration = Duration::from_secs(3);

/// Settings for a [`Client`]: the first endpoint is given to [`new`](Self::new), then exactly one of
/// [`api_token`](Self::api_token) and [`password`](Self::password); without it there is no `build`.
///
/// ```compile_fail
/// // No credentials.
/// let client = proxmox_client::Client::builder("https://pve1.example:8006").build();
/// ```
/// ```compile_fail
/// // Two of them: Proxmox would take the ticket and ignore the token.
/// fn both(token: secrecy::SecretString, password: secrecy::SecretString) {
///     let builder = proxmox_client::Client::builder("https://pve1.example:8006");
///     builder.api_token(token).password("root@pam", password);
/// }
/// ```
#[derive(Debug)]
pub struct ClientBuilder<C = Anonymous> {
    endpoints: Vec<String>,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
    credentials: C,
}

/// State of a [`ClientBuilder`] that has no credentials yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

/// State of a [`ClientBuilder`] that has its credentials. `Debug` does not show them.
pub struct Authenticated(Given);

enum Given {
    Token(SecretString),
    Password(String, SecretString),
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Given::Token(_) => "an API token",
            Given::Password(..) => "a user and a password",
        })
    }
}

impl ClientBuilder {
    /// A client for the cluster at `https://host:8006`. A trailing `/api2/json` does no harm.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            trust: Trust::default(),
            clock: None,
            exchange: None,
            credentials: Anonymous,
        }
    }

    /// Calls are made with an API token, `user@realm!tokenid=uuid`. It needs no renewal, no second factor,
    /// and can be given fewer privileges than its user: the way for programs.
    #[must_use]
    pub fn api_token(self, token: SecretString) -> ClientBuilder<Authenticated> {
        self.with(Given::Token(token))
    }

    /// Calls are made with a ticket, for which `user` (`user@realm`) logs in with a password at the first
    /// call. It is renewed after an hour (it lives for two), and got anew when it is not accepted any more.
    ///
    /// A user with a second factor is refused, [`Error::Unauthorized`]: give such a user an API token. What
    /// only `root@pam` may do ([`Need::Root`](crate::Need::Root)) needs this way.
    #[must_use]
    pub fn password(
        self,
        user: impl Into<String>,
        password: SecretString,
    ) -> ClientBuilder<Authenticated> {
        self.with(Given::Password(user.into(), password))
    }

    fn with(self, credentials: Given) -> ClientBuilder<Authenticated> {
        ClientBuilder {
            endpoints: self.endpoints,
            trust: self.trust,
            clock: self.clock,
            exchange: self.exchange,
            credentials: Authenticated(credentials),
        }
    }
}

impl<C> ClientBuilder<C> {
    /// Adds another node of the same cluster, asked when those before it do not answer.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
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

impl ClientBuilder<Authenticated> {
    /// Checks the settings. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a malformed token, user or endpoint, or unusable trust settings.
    pub fn build(self) -> Result<Client, Error> {
        let credentials = match &self.credentials.0 {
            Given::Token(token) => Credentials::Token(Token::parse(token)?),
            Given::Password(user, password) => {
                Credentials::Login(Login::new(user, password.clone())?)
            }
        };
        let transports = self
            .endpoints
            .iter()
            .map(|endpoint| self.transport(endpoint));
        let endpoints = transports.collect::<Result<Vec<_>, _>>()?;
        Ok(Client::new(endpoints, credentials))
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
