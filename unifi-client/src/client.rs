//! The connection: site, order of writes, sending.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{HeaderName, HeaderValue, Method, Request, Transport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard, OnceCell, Semaphore};

use crate::dns::Dns;
use crate::session::{Access, Verdict};
use crate::wire::answer::Answer;
use crate::wire::integration::Info;
use crate::wire::legacy::SystemRow;
use crate::{About, ClientBuilder, Error, Family, Platform, Refusal, Version};

const ACCEPT: HeaderName = HeaderName::from_static("accept");
/// The gateway's application is small: more reads at a time make all of them slower.
const READS: usize = 4;
/// Tries of an idempotent call that is answered by a web page, as while the application starts.
const TRIES: u32 = 3;
pub(crate) const SELF_SITES: &str = "/api/self/sites";

/// A gateway and one of its sites. Cheap to clone; clones share the connection, the login and the order of writes.
///
/// At most four reads run at a time, whoever makes them, and one write: the application is small, and has no
/// transactions. Every call has a deadline of 30 seconds, its retries included; a login may add two minutes where the
/// console puts it off.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    access: Access,
    platform: OnceCell<Platform>,
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

    pub(crate) fn new(
        transport: Transport,
        access: Access,
        platform: Option<Platform>,
        site: String,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                transport,
                access,
                platform: OnceCell::new_with(platform),
                site,
                reads: Semaphore::new(READS),
                writes: Mutex::new(()),
                dns: Dns::default(),
            }),
        }
    }

    /// Path segment of the site, as it was set.
    pub fn site_name(&self) -> &str {
        &self.inner.site
    }

    /// `https://host:port`, for messages.
    pub fn endpoint(&self) -> &str {
        self.inner.transport.endpoint()
    }

    /// Requests sent so far by all clones: retries, logins and probes included.
    pub fn requests_sent(&self) -> u64 {
        self.inner.transport.requests_sent()
    }

    /// Version of the Network application. Also the cheapest check of the credential.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; [`Error::Unsupported`] when no API tells a version. Cancellation-safe.
    pub async fn version(&self) -> Result<Version, Error> {
        Ok(self.about().await?.version)
    }

    /// What answers there, its version, and which API family told it: the integration API where there is one, else
    /// the legacy API (`stat/sysinfo`).
    ///
    /// # Errors
    /// As for [`Client::version`].
    pub async fn about(&self) -> Result<About, Error> {
        let platform = self.platform().await?;
        let about = |version, family| About {
            platform,
            version,
            family,
        };
        if let Some(version) = self.integration_version().await? {
            return Ok(about(version, Family::Integration));
        }
        let path = self.legacy("stat/sysinfo");
        let rows: Vec<SystemRow> = self.rows(&path).await?;
        let version = rows.into_iter().find_map(|row| row.version?.parse().ok());
        let version = version.ok_or_else(|| {
            Error::Unsupported(Box::new(Refusal {
                call: format!("GET {path}"),
                message: Some("the answer has no version".to_owned()),
                ..Refusal::default()
            }))
        })?;
        Ok(about(version, Family::Legacy))
    }

    /// Ends the session of a client with a login; the next call logs in again. With an API key there is nothing to end.
    ///
    /// # Errors
    /// [`Error::Transport`] when the console could not be told; the session is forgotten here all the same.
    pub async fn logout(&self) -> Result<(), Error> {
        match &self.inner.access {
            Access::Key(_) => Ok(()),
            Access::Login(session) => session.end(self).await,
        }
    }

    /// Version as the integration API tells it; `None` where there is no such API, or an unreadable version.
    pub(crate) async fn integration_version(&self) -> Result<Option<Version>, Error> {
        if !self.platform().await?.has_integration() {
            return Ok(None);
        }
        match self.json::<Info>("/integration/v1/info").await {
            Ok(info) => Ok(info.application_version.parse().ok()),
            Err(Error::NotFound(_) | Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    pub(crate) fn known_platform(&self) -> &OnceCell<Platform> {
        &self.inner.platform
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
        let idempotent = method != Method::POST;
        let prefix = self.platform().await?.prefix();
        let mut request = Request::new(method, format!("{prefix}{path}"))
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = body {
            request = request.json(body).map_err(|source| Error::Transport {
                call: call.clone(),
                source,
            })?;
        }
        if idempotent {
            request = request.idempotent();
        }
        let mut tries = if idempotent { TRIES } else { 1 };
        loop {
            tries -= 1;
            match self.exchange(&call, &request).await {
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

    /// One exchange, and a second one where only the session had to be renewed: the proxy refuses such a call before
    /// the application sees it, so that sending it again is harmless, also for a POST.
    async fn exchange(&self, call: &str, request: &Request) -> Result<Answer, Error> {
        let transport = |source| Error::Transport {
            call: call.to_owned(),
            source,
        };
        let access = &self.inner.access;
        let pass = access.pass(self).await?;
        let send = |request| self.inner.transport.send(request);
        let response = send(pass.on(request.clone())).await.map_err(transport)?;
        match pass.judge(&request.method, &response) {
            Verdict::Fine => return Answer::check(call.to_owned(), response),
            Verdict::Expired => pass.renew(self).await?,
            Verdict::StaleToken => {
                // Any answer brings the current token; this one is small.
                let look = Request::new(
                    Method::GET,
                    format!("{}{SELF_SITES}", self.platform().await?.prefix()),
                );
                let answer = send(pass.on(look)).await.map_err(transport)?;
                pass.judge(&Method::GET, &answer);
            }
        }
        let pass = access.pass(self).await?;
        let response = send(pass.on(request.clone())).await.map_err(transport)?;
        pass.judge(&request.method, &response);
        Answer::check(call.to_owned(), response)
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
