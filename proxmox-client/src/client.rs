//! The client: one cluster, one credential, one or more endpoints.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api_transport::{Clock, HeaderName, HeaderValue, Phase, Response, Transport};
use serde::de::DeserializeOwned;

use crate::builder::ClientBuilder;
use crate::classify::classify;
use crate::error::{Credential, Error};
use crate::request::Call;
use crate::ticket::{Due, Login, Ticket};
use crate::token::Token;
use crate::wire::Envelope;

/// A connection to one Proxmox VE cluster. Cheap to clone; clones share endpoints and ticket.
///
/// Dropping the future of a call abandons it and breaks nothing here; a write that was sent may still be
/// carried out by the server.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Vec<Transport>,
    /// Which endpoint answered last and is asked first.
    front: AtomicUsize,
    credentials: Credentials,
}

#[derive(Debug)]
pub(crate) enum Credentials {
    Token(Token),
    Login(Login),
}

/// What a call is made with.
enum Proof<'a> {
    Token(&'a Token),
    /// Whether it was had for this very call.
    Ticket(Arc<Ticket>, bool),
}

impl Client {
    pub(crate) fn new(endpoints: Vec<Transport>, credentials: Credentials) -> Self {
        Self {
            inner: Arc::new(Inner {
                endpoints,
                front: AtomicUsize::new(0),
                credentials,
            }),
        }
    }

    /// Starts the settings of a client; see [`ClientBuilder::new`].
    /// ```no_run
    /// # fn example(token: secrecy::SecretString) -> Result<(), proxmox_client::Error> {
    /// let client = proxmox_client::Client::builder("https://pve1.example:8006")
    ///     .api_token(token)
    ///     .build()?;
    /// assert_eq!(client.requests_sent(), 0); // building a client sends nothing
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    /// The endpoint that is asked first at the moment, for messages.
    /// Changes when that one is down and another answers.
    pub fn endpoint(&self) -> &str {
        self.front().endpoint()
    }

    /// Who calls are made as: `user@realm!tokenid`, or `user@realm` with a password.
    /// No secret; it stands in [`Error::Unauthorized`] and in [`Upid::user`](crate::Upid::user) as well.
    pub fn identity(&self) -> &str {
        match &self.inner.credentials {
            Credentials::Token(token) => &token.id,
            Credentials::Login(login) => &login.user,
        }
    }

    /// Requests sent so far to all endpoints, retries included.
    /// Logins are counted, too.
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
        call.check()?;
        let mut proof = self.proof().await?;
        let mut response = self.dispatch(call, &proof).await?;
        // A refused ticket did nothing, so the call may be made again with a new one.
        if let (401, Proof::Ticket(refused, false)) = (response.status, &proof) {
            proof = self.proof_instead_of(refused).await?;
            response = self.dispatch(call, &proof).await?;
        }
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let credential = match proof {
            Proof::Token(_) => Credential::Token,
            Proof::Ticket(..) => Credential::Ticket,
        };
        let who = (credential, self.identity());
        Err(classify(&call.label(), who, &response))
    }

    async fn proof(&self) -> Result<Proof<'_>, Error> {
        let login = match &self.inner.credentials {
            Credentials::Token(token) => return Ok(Proof::Token(token)),
            Credentials::Login(login) => login,
        };
        let mut held = login.ticket.lock().await;
        let ticket = match Login::due(held.as_ref(), self.clock().now()) {
            Due::Nothing(ticket) => return Ok(Proof::Ticket(ticket, false)),
            Due::Renewal(ticket) => match self.log_in(login, Some(&ticket)).await {
                Ok(renewed) => renewed,
                Err(Error::Unauthorized { .. }) => self.log_in(login, None).await?,
                // It lives for another hour; the next call tries again.
                Err(error) if error.is_retryable() => return Ok(Proof::Ticket(ticket, false)),
                Err(error) => return Err(error),
            },
            Due::Login => self.log_in(login, None).await?,
        };
        *held = Some(Arc::clone(&ticket));
        Ok(Proof::Ticket(ticket, true))
    }

    /// A ticket in place of one that was refused, unless another call has got one in the meantime.
    async fn proof_instead_of(&self, refused: &Arc<Ticket>) -> Result<Proof<'_>, Error> {
        if let Credentials::Login(login) = &self.inner.credentials {
            let mut held = login.ticket.lock().await;
            if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, refused)) {
                *held = None;
            }
        }
        self.proof().await
    }

    async fn log_in(&self, login: &Login, ticket: Option<&Ticket>) -> Result<Arc<Ticket>, Error> {
        let response = self.ask_in_turn(&login.call(ticket), &[]).await?;
        login.accept(&response, self.clock().now())
    }

    async fn dispatch(&self, call: &Call, proof: &Proof<'_>) -> Result<Response, Error> {
        let name = HeaderName::from_static;
        let headers = match proof {
            Proof::Token(token) => vec![(name("authorization"), token.header.clone())],
            Proof::Ticket(ticket, _) => {
                let mut headers = vec![(name("cookie"), ticket.cookie.clone())];
                if !call.is_read() {
                    headers.push((name("csrfpreventiontoken"), ticket.csrf.clone()));
                }
                headers
            }
        };
        self.ask_in_turn(call, &headers).await
    }

    /// Asks each endpoint once, the last one with the transport's retries where the call may be repeated. A
    /// node that answers stays the first to be asked; one that cannot reach the node the call is for is
    /// passed over this once. A write goes on only where the one before has certainly done nothing. A
    /// refused certificate ends the round: that needs a person, and should not be hidden by another node.
    async fn ask_in_turn(
        &self,
        call: &Call,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Response, Error> {
        let endpoints = &self.inner.endpoints;
        let front = self.inner.front.load(Ordering::Relaxed);
        let repeat = call.is_repeatable();
        let mut unreached = None;
        let mut failure = None;
        for turn in 0..endpoints.len() {
            let index = (front + turn) % endpoints.len();
            let last = turn + 1 == endpoints.len();
            let asked = self.ask(&endpoints[index], call, headers, repeat && last);
            match asked.await {
                Ok(response) if is_unreached(response.status, repeat) => {
                    unreached.get_or_insert(response);
                }
                Ok(response) => {
                    if failure.is_some() {
                        self.inner.front.store(index, Ordering::Relaxed);
                    }
                    return Ok(response);
                }
                Err(error) if may_go_on(&error, repeat) => {
                    failure = Some(failed(&endpoints[index], error));
                }
                Err(error) => return Err(failed(&endpoints[index], error)),
            }
        }
        match (unreached, failure) {
            (Some(response), _) => Ok(response),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::input("no endpoint given")),
        }
    }

    async fn ask(
        &self,
        endpoint: &Transport,
        call: &Call,
        headers: &[(HeaderName, HeaderValue)],
        retry: bool,
    ) -> Result<Response, api_transport::Error> {
        let mut request = call.to_request();
        for (name, value) in headers {
            request = request.header(name.clone(), value.clone());
        }
        if retry {
            request = request.idempotent();
        }
        let url = endpoint.endpoint();
        tracing::trace!(call = call.label(), endpoint = url, "sending");
        endpoint.send(request).await
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
            .field("identity", &self.identity())
            .finish_non_exhaustive()
    }
}

/// Whether the answer only says that this node could not pass the call on, so that another may be asked.
fn is_unreached(status: u16, repeat: bool) -> bool {
    // 595: no connection to the other node, so nothing was done.
    status == 595 || (repeat && matches!(status, 502..=504 | 596..=599))
}

/// Whether another node may be asked after this failure.
fn may_go_on(error: &api_transport::Error, repeat: bool) -> bool {
    let was_never_sent = matches!(
        error,
        api_transport::Error::Connect { .. }
            | api_transport::Error::Timeout {
                phase: Phase::Connect,
                ..
            }
    );
    error.is_retryable() && (repeat || was_never_sent)
}

fn failed(endpoint: &Transport, source: api_transport::Error) -> Error {
    Error::Transport {
        endpoint: endpoint.endpoint().to_owned(),
        source,
    }
}
