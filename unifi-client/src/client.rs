//! The connection: credentials, site, order of writes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, Exchange, HeaderName, HeaderValue, Method, Request, Transport, Trust};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use crate::dns::Dns;
use crate::wire::answer::Answer;
use crate::wire::integration::Info;
use crate::wire::legacy::SystemRow;
use crate::{Error, Refusal, Version};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ACCEPT: HeaderName = HeaderName::from_static("accept");
/// Below this everything of the Network application lives on UniFi OS; an API key exists nowhere else.
const NETWORK: &str = "/proxy/network";
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);
/// The gateway's application is small: more reads at a time make all of them slower.
const READS: usize = 4;
/// Tries of an idempotent call that is answered by a web page, as while the application starts.
const TRIES: u32 = 3;

/// Settings of a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    endpoint: String,
    site: String,
    api_key: Option<SecretString>,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
}

impl ClientBuilder {
    /// `endpoint`: `https://host[:port]` of the gateway, without a path.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            site: "default".to_owned(),
            api_key: None,
            trust: Trust::default(),
            clock: None,
            exchange: None,
        }
    }

    /// A local API key. It implies UniFi OS: nothing is probed. White space around it is dropped.
    #[must_use]
    pub fn api_key(mut self, key: SecretString) -> Self {
        self.api_key = Some(key);
        self
    }

    /// The site's path segment; `default` unless set.
    #[must_use]
    pub fn site(mut self, site: impl Into<String>) -> Self {
        self.site = site.into();
        self
    }

    /// How the gateway proves who it is. Its own certificate never names its address: pin it.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Time and jitter; real unless set.
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

    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a key, with one that cannot be a header, or with a site that is no path segment;
    /// [`Error::Transport`] for an endpoint or a trust setting that cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let key = self
            .api_key
            .ok_or_else(|| Error::invalid("settings", "api_key", "an API key is needed"))?;
        let mut api_key = HeaderValue::from_str(key.expose_secret().trim())
            .ok()
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                Error::invalid(
                    "settings",
                    "api_key",
                    "the API key is empty or has odd characters",
                )
            })?;
        api_key.set_sensitive(true);
        segment("site", &self.site)?;
        let transport = |source| Error::Transport {
            call: "settings".to_owned(),
            source,
        };
        let endpoint = self.endpoint.trim_end_matches('/');
        let endpoint = endpoint.strip_suffix(NETWORK).unwrap_or(endpoint);
        let mut builder = Transport::builder(endpoint)
            .map_err(transport)?
            .trust(self.trust)
            .timeouts(CONNECT, TOTAL, TOTAL);
        if let Some(clock) = self.clock {
            builder = builder.clock(clock);
        }
        if let Some(exchange) = self.exchange {
            builder = builder.exchange(exchange);
        }
        Ok(Client {
            inner: Arc::new(Inner {
                transport: builder.build().map_err(transport)?,
                api_key,
                site: self.site,
                reads: Semaphore::new(READS),
                writes: Mutex::new(()),
                dns: Dns::default(),
            }),
        })
    }
}

/// A gateway and one of its sites. Cheap to clone; clones share the connection and the order of writes.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    api_key: HeaderValue,
    site: String,
    reads: Semaphore,
    writes: Mutex<()>,
    dns: Dns,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.inner.transport.endpoint())
            .field("site", &self.inner.site)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Settings for a client of this gateway; see [`ClientBuilder::new`].
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    /// Path segment of the site.
    pub fn site_name(&self) -> &str {
        &self.inner.site
    }

    /// `https://host:port`, for messages.
    pub fn endpoint(&self) -> &str {
        self.inner.transport.endpoint()
    }

    /// Requests sent so far, retries included.
    pub fn requests_sent(&self) -> u64 {
        self.inner.transport.requests_sent()
    }

    /// Version of the Network application. Also the cheapest check of the key.
    pub async fn version(&self) -> Result<Version, Error> {
        if let Some(version) = self.integration_version().await? {
            return Ok(version);
        }
        let path = self.legacy("stat/sysinfo");
        let rows: Vec<SystemRow> = self.rows(&path).await?;
        rows.into_iter()
            .find_map(|row| row.version?.parse().ok())
            .ok_or_else(|| {
                Error::Unsupported(Box::new(Refusal {
                    call: format!("GET {path}"),
                    message: Some("the answer has no version".to_owned()),
                    ..Refusal::default()
                }))
            })
    }

    /// Version as the integration API tells it; `None` where there is no such API, or an unreadable version.
    pub(crate) async fn integration_version(&self) -> Result<Option<Version>, Error> {
        match self.json::<Info>("/integration/v1/info").await {
            Ok(info) => Ok(info.application_version.parse().ok()),
            Err(Error::NotFound(_) | Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn legacy(&self, rest: &str) -> String {
        format!("/api/s/{}/{rest}", self.inner.site)
    }

    pub(crate) fn v2(&self, rest: &str) -> String {
        format!("/v2/api/site/{}/{rest}", self.inner.site)
    }

    pub(crate) fn dns(&self) -> &Dns {
        &self.inner.dns
    }

    /// Held from the check before a write to its answer: the gateway has no transactions and dislikes parallel writes.
    pub(crate) async fn write_turn(&self) -> MutexGuard<'_, ()> {
        self.inner.writes.lock().await
    }

    /// GET of a legacy path.
    pub(crate) async fn rows<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        self.get(path).await?.rows()
    }

    /// GET of a v2 or integration path.
    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.get(path).await?.json()
    }

    async fn get(&self, path: &str) -> Result<Answer, Error> {
        let _place = self.inner.reads.acquire().await.ok();
        self.send::<()>(Method::GET, path, None).await
    }

    /// Sends one call. Everything but POST is idempotent here: a PUT names the record it replaces or merges into.
    pub(crate) async fn send<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let call = format!("{method} {path}");
        let transport = |source| Error::Transport {
            call: call.clone(),
            source,
        };
        let idempotent = method != Method::POST;
        let mut request = Request::new(method, format!("{NETWORK}{path}"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(API_KEY, self.inner.api_key.clone());
        if let Some(body) = body {
            request = request.json(body).map_err(transport)?;
        }
        if idempotent {
            request = request.idempotent();
        }
        let mut tries = if idempotent { TRIES } else { 1 };
        loop {
            tries -= 1;
            let response = self
                .inner
                .transport
                .send(request.clone())
                .await
                .map_err(transport)?;
            match Answer::check(call.clone(), response) {
                // Statuses were retried below already; a web page with status 200 was not.
                Err(Error::Busy(refusal))
                    if tries > 0 && refusal.status.is_some_and(|status| status < 300) =>
                {
                    tracing::debug!(%call, "a web page came instead of JSON, trying again");
                    let clock = self.inner.transport.clock();
                    clock
                        .sleep(Duration::from_secs(1).mul_f64(1.0 + clock.random()))
                        .await;
                }
                other => return other,
            }
        }
    }
}

/// Guards what is put into a path: ids and site names are letters, digits, hyphens and underscores.
pub(crate) fn segment(field: &str, text: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || !text.bytes().all(fits) {
        return Err(Error::invalid(
            "path",
            field,
            format!("{field} is empty or not fit for a path"),
        ));
    }
    Ok(())
}
