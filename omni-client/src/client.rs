//! The client: reads, creation and removal of resources.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, Exchange, Method, Request, Response, Transport, Trust};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sign::{CallHeaders, Signer, signed_headers};
use crate::wire::{Got, Listed, Order, Selected, Written, message};
use crate::{Error, Kind, ListOptions, Page, Resource};

pub(crate) const RESOURCES: &str = "omni.resources.ResourceService";
pub(crate) const MANAGEMENT: &str = "management.ManagementService";

/// How long a deletion is waited for where nothing else is said.
const DELETION: Duration = Duration::from_mins(1);

/// Settings for a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    endpoint: String,
    #[cfg(feature = "openpgp")]
    key: Option<secrecy::SecretString>,
    signer: Option<Arc<dyn Signer>>,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
    environment_proxy: bool,
}

impl ClientBuilder {
    /// `endpoint`: `https://host[:port]`, as in `OMNI_ENDPOINT`.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            #[cfg(feature = "openpgp")]
            key: None,
            signer: None,
            trust: Trust::default(),
            clock: None,
            exchange: None,
            environment_proxy: false,
        }
    }

    /// The key as `omnictl serviceaccount create` prints it.
    #[cfg(feature = "openpgp")]
    #[must_use]
    pub fn service_account_key(mut self, key: impl Into<secrecy::SecretString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Signs with this instead of a service-account key.
    #[must_use]
    pub fn signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// How the server proves who it is. Default: the system's roots.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Where time comes from. Default: real time.
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

    /// Use `HTTPS_PROXY` and friends. Off by default.
    #[must_use]
    pub fn proxy_from_environment(mut self, on: bool) -> Self {
        self.environment_proxy = on;
        self
    }

    /// Checks endpoint and key; nothing is sent yet.
    pub fn build(self) -> Result<Client, Error> {
        let mut builder = Transport::builder(&self.endpoint)?
            .trust(self.trust.clone())
            .proxy_from_environment(self.environment_proxy);
        if let Some(clock) = self.clock.clone() {
            builder = builder.clock(clock);
        }
        if let Some(exchange) = self.exchange.clone() {
            builder = builder.exchange(exchange);
        }
        let transport = builder.build()?;
        let signer = self.into_signer(transport.clock().as_ref())?;
        Ok(Client { transport, signer })
    }

    #[cfg_attr(
        not(feature = "openpgp"),
        allow(unused_variables, clippy::unnecessary_wraps)
    )]
    fn into_signer(self, clock: &dyn Clock) -> Result<Arc<dyn Signer>, Error> {
        if let Some(signer) = self.signer {
            return Ok(signer);
        }
        #[cfg(feature = "openpgp")]
        if let Some(key) = self.key {
            let account = crate::ServiceAccountKey::parse(&key)?;
            return Ok(Arc::new(crate::OpenPgpSigner::new(&account, clock.wall())?));
        }
        Err(crate::KeyError::Format("none was given").into())
    }
}

/// A client of one Omni. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    pub(crate) signer: Arc<dyn Signer>,
}

impl Client {
    /// Reads one resource; [`Error::NotFound`] where there is none.
    pub async fn get(&self, kind: &Kind, id: &str) -> Result<Resource, Error> {
        let got: Got = self
            .read("Get", &Selected::new(kind, named(id)?), None)
            .await?;
        resource(&got.body)
    }

    /// Reads one resource if there is one.
    pub async fn find(&self, kind: &Kind, id: &str) -> Result<Option<Resource>, Error> {
        match self.get(kind, id).await {
            Ok(resource) => Ok(Some(resource)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists what `options` select.
    pub async fn list(&self, kind: &Kind, options: &ListOptions) -> Result<Vec<Resource>, Error> {
        if options.page_size == 0 {
            return Ok(self.list_page(kind, options, 0, 0).await?.items);
        }
        let mut all: Vec<Resource> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut offset = 0;
        loop {
            let page = self
                .list_page(kind, options, offset, options.page_size)
                .await?;
            let got = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
            // What was made meanwhile shifts the rest and shows up twice.
            all.extend(
                page.items
                    .into_iter()
                    .filter(|item| ids.insert(item.metadata.id.clone())),
            );
            offset = offset.saturating_add(got);
            if got < options.page_size || offset >= page.total {
                return Ok(all);
            }
        }
    }

    /// Lists at most `limit` (0: all) of what `options` select, after the first `offset`.
    pub async fn list_page(
        &self,
        kind: &Kind,
        options: &ListOptions,
        offset: u32,
        limit: u32,
    ) -> Result<Page, Error> {
        let mut selected = Selected::new(kind, "");
        selected.order = Order {
            offset,
            limit,
            sort_by_field: options.sort_by.as_deref().unwrap_or_default(),
            sort_descending: options.descending,
            search_for: &options.search,
        };
        let selectors = ListOptions::selector_header(&options.selectors);
        let listed: Listed = self.read("List", &selected, selectors.as_deref()).await?;
        let items = listed
            .items
            .iter()
            .map(|text| resource(text))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            total: listed.total,
        })
    }

    /// Creates a resource; its version is not looked at. [`Error::AlreadyExists`] where the id is taken.
    ///
    /// Sent once: after a lost answer, read it to learn whether it is there.
    pub async fn create(&self, new: &Resource) -> Result<(), Error> {
        named(&new.metadata.id)?;
        let mut new = new.clone();
        new.metadata.version = 0;
        self.write("Create", &new).await
    }

    /// Replaces a resource by what was read and changed; [`Error::Conflict`] where it changed meanwhile.
    ///
    /// Labels, annotations and finalizers are replaced as well: begin with what [`Client::get`] gave.
    /// Sent once, and always raises the version: see [`Client::update_if_changed`].
    pub async fn update(&self, resource: &Resource) -> Result<(), Error> {
        named(&resource.metadata.id)?;
        if resource.metadata.version == 0 {
            return Err(Error::invalid("an update needs the version that was read"));
        }
        self.write("Update", resource).await
    }

    /// Asks for a resource's removal and returns at once. User-made ones vanish when their controllers agree.
    pub async fn teardown(&self, kind: &Kind, id: &str) -> Result<(), Error> {
        let request = self.resource_request("Teardown", &Selected::new(kind, named(id)?), None)?;
        done(&self.answer(request.idempotent()).await?)
    }

    /// Removes a resource and waits up to a minute until it is gone. One that is not there is a success.
    pub async fn delete(&self, kind: &Kind, id: &str) -> Result<(), Error> {
        self.delete_within(kind, id, DELETION).await
    }

    /// Removes a resource and waits until it is gone, as long as `deadline` (real time) allows. The
    /// server waits for its controllers, which for a cluster takes minutes: after a timeout the
    /// removal goes on.
    pub async fn delete_within(
        &self,
        kind: &Kind,
        id: &str,
        deadline: Duration,
    ) -> Result<(), Error> {
        let request = self.resource_request("Delete", &Selected::new(kind, named(id)?), None)?;
        match self.answer(request.idempotent().deadline(deadline)).await {
            // A controller may finish the removal first, which reads like a failure.
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
            Ok(answer) => done(&answer),
        }
    }

    /// `https://host:port`, for messages.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// Requests sent so far, retries included.
    pub fn requests_sent(&self) -> u64 {
        self.transport.requests_sent()
    }

    /// The signer, for its identity and when its key ends.
    pub fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    async fn write(&self, method: &str, resource: &Resource) -> Result<(), Error> {
        let request = self.resource_request(method, &Written::new(resource), None)?;
        done(&self.answer(request).await?)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        body: &impl Serialize,
        selectors: Option<&str>,
    ) -> Result<T, Error> {
        let request = self.resource_request(method, body, selectors)?;
        let answer = self.answer(request.idempotent()).await?;
        message(&answer).map_err(|error| Error::not_understood(method, &error))
    }

    pub(crate) fn resource_request(
        &self,
        method: &str,
        body: &impl Serialize,
        selectors: Option<&str>,
    ) -> Result<Request, Error> {
        let headers = CallHeaders {
            runtime: Some("Omni"),
            selectors,
            context: None,
        };
        self.request(RESOURCES, method, body, headers)
    }

    pub(crate) fn request(
        &self,
        service: &str,
        method: &str,
        body: &impl Serialize,
        headers: CallHeaders<'_>,
    ) -> Result<Request, Error> {
        let name = format!("/{service}/{method}");
        let mut request = Request::new(Method::POST, format!("/api{name}")).json(body)?;
        let wall = self.transport.clock().wall();
        request
            .headers
            .extend(signed_headers(self.signer.as_ref(), &name, headers, wall)?);
        Ok(request)
    }

    pub(crate) async fn answer(&self, request: Request) -> Result<Bytes, Error> {
        let response = self.transport.send(request).await?;
        if (200..300).contains(&response.status) {
            Ok(response.body)
        } else {
            Err(self.refusal(&response))
        }
    }

    pub(crate) fn refusal(&self, response: &Response) -> Error {
        Error::from_response(
            response,
            self.signer.as_ref(),
            self.transport.clock().wall(),
        )
    }
}

pub(crate) fn resource(text: &str) -> Result<Resource, Error> {
    message(text.as_bytes()).map_err(|error| Error::not_understood("a resource", &error))
}

/// The answer to a write is an empty message. Anything else, such as a proxy's login page, means that nothing was done.
fn done(answer: &[u8]) -> Result<(), Error> {
    message::<serde_json::Map<_, _>>(answer)
        .map(drop)
        .map_err(|error| Error::not_understood("the answer to a write", &error))
}

/// An empty id selects a whole kind, which no single call means.
fn named(id: &str) -> Result<&str, Error> {
    if id.is_empty() {
        Err(Error::invalid("the id is empty"))
    } else {
        Ok(id)
    }
}
