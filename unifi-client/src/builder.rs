//! Settings of a client. The type says which credential was given, so that a client without one, or with two, does not
//! compile.

use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, Exchange, HeaderValue, Transport, Trust};
use secrecy::{ExposeSecret, SecretString};

use crate::client::segment;
use crate::session::{Access, Session};
use crate::{Client, Error, Platform};

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);

/// What a [`ClientBuilder`] was given to prove who asks.
pub mod credential {
    use secrecy::SecretString;

    /// Nothing yet: a client cannot be built.
    #[derive(Debug, Clone, Copy)]
    pub struct Unset;

    /// A local API key.
    #[derive(Debug, Clone)]
    pub struct ApiKey(pub(crate) SecretString);

    /// The name and password of a local account.
    #[derive(Debug, Clone)]
    pub struct Login {
        pub(crate) username: String,
        pub(crate) password: SecretString,
        pub(crate) platform: Option<crate::Platform>,
    }
}
use credential::{ApiKey, Login, Unset};

/// Settings of a [`Client`].
///
/// One credential is needed, and only one can be given: there is no `build` before, and neither method after.
///
/// ```
/// # use unifi_client::{Client, Error};
/// # fn run(key: secrecy::SecretString) -> Result<Client, Error> {
/// Client::builder("https://192.168.1.1").site("default").api_key(key).build()
/// # }
/// ```
///
/// ```compile_fail
/// unifi_client::Client::builder("https://192.168.1.1").build();
/// ```
///
/// ```compile_fail
/// let key = secrecy::SecretString::from("key".to_owned());
/// unifi_client::Client::builder("https://192.168.1.1").api_key(key.clone()).login("admin", key);
/// ```
#[derive(Debug)]
pub struct ClientBuilder<C = Unset> {
    endpoint: String,
    site: String,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
    credential: C,
}

impl ClientBuilder<Unset> {
    /// `endpoint`: `https://host[:port]` of the console, without a path; classic consoles listen on port 8443.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            site: "default".to_owned(),
            trust: Trust::default(),
            clock: None,
            exchange: None,
            credential: Unset,
        }
    }

    /// A local API key (Network > Integrations). It implies UniFi OS, so nothing is probed. White space around it is
    /// dropped.
    pub fn api_key(self, key: SecretString) -> ClientBuilder<ApiKey> {
        self.with(ApiKey(key))
    }

    /// Name and password of an account of the console itself; such accounts have no second factor. The only way into
    /// a classic console.
    ///
    /// All clones share one login, made at the first call. Consoles limit logins, successful ones too. An account of
    /// the vendor's cloud has a second factor and is refused: make one that is restricted to local access. End the
    /// session by [`Client::logout`] where many short-lived clients follow each other.
    pub fn login(
        self,
        username: impl Into<String>,
        password: SecretString,
    ) -> ClientBuilder<Login> {
        self.with(Login {
            username: username.into(),
            password,
            platform: None,
        })
    }

    fn with<C>(self, credential: C) -> ClientBuilder<C> {
        ClientBuilder {
            endpoint: self.endpoint,
            site: self.site,
            trust: self.trust,
            clock: self.clock,
            exchange: self.exchange,
            credential,
        }
    }
}

impl<C> ClientBuilder<C> {
    /// The site's path segment; `default` unless set.
    #[must_use]
    pub fn site(mut self, site: impl Into<String>) -> Self {
        self.site = site.into();
        self
    }

    /// How the console proves who it is; the system's authorities unless set. Its own certificate never names its
    /// address: pin it. No credential is sent before it is proven.
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

    fn finish(
        self,
        access: impl FnOnce(C) -> Result<(Access, Option<Platform>), Error>,
    ) -> Result<Client, Error> {
        let (access, platform) = access(self.credential)?;
        segment("site", &self.site)?;
        let transport = |source| Error::Transport {
            call: "settings".to_owned(),
            source,
        };
        // Some people give the address as other tools want it.
        let endpoint = self.endpoint.trim_end_matches('/');
        let endpoint = endpoint
            .strip_suffix(Platform::UnifiOs.prefix())
            .unwrap_or(endpoint);
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
        Ok(Client::new(
            builder.build().map_err(transport)?,
            access,
            platform,
            self.site,
        ))
    }
}

impl ClientBuilder<ApiKey> {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is empty or cannot be a header, or a site that is no path segment;
    /// [`Error::Transport`] for an endpoint or a trust setting that cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        self.finish(|ApiKey(key)| {
            let key = HeaderValue::from_str(key.expose_secret().trim())
                .ok()
                .filter(|value| !value.is_empty());
            let mut key = key.ok_or_else(|| {
                Error::invalid(
                    "settings",
                    "api_key",
                    "the API key is empty or has odd characters",
                )
            })?;
            key.set_sensitive(true);
            Ok((Access::Key(key), Some(Platform::UnifiOs)))
        })
    }
}

impl ClientBuilder<Login> {
    /// What the console is, where finding out goes wrong; see [`Client::platform`].
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.credential.platform = Some(platform);
        self
    }

    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty name or password, or a site that is no path segment; [`Error::Transport`] for
    /// an endpoint or a trust setting that cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        self.finish(|login| {
            if login.username.is_empty() || login.password.expose_secret().is_empty() {
                return Err(Error::invalid(
                    "settings",
                    "login",
                    "the user name or the password is empty",
                ));
            }
            let session = Session::new(login.username, login.password);
            Ok((Access::Login(session), login.platform))
        })
    }
}
