//! The two kinds of consoles: where their APIs are, and which of them answers.

use std::fmt;

use api_transport::{Method, Request};
use serde_json::Value;

use crate::wire::answer::Answer;
use crate::wire::legacy::StatusMeta;
use crate::{Client, Error, Refusal, Version};

/// What the Network application runs on. It decides paths, login and whether there are API keys.
///
/// ```no_run
/// # async fn run(password: secrecy::SecretString) -> Result<(), unifi_client::Error> {
/// let console = unifi_client::Client::builder("https://unifi.home.example:8443")
///     .login("operator", password)
///     .build()?;
/// println!("{} {}", console.platform().await?, console.version().await?);
/// # Ok(())
/// # }
/// ```
///
/// Source: the clients of other projects, which agree on it (go-unifi, aiounifi, unpoller).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// UniFi OS: gateways, Cloud Keys of the second generation, UniFi OS Server. All three API families, below
    /// `/proxy/network`; API keys from Network 9.0.114 on.
    UnifiOs,
    /// The Network application by itself, on port 8443. Legacy and v2 API without a prefix; neither API keys nor an
    /// integration API.
    Classic,
}

impl Platform {
    /// What stands before the paths of the Network application.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::UnifiOs => "/proxy/network",
            Self::Classic => "",
        }
    }

    pub(crate) const fn login_path(self) -> &'static str {
        match self {
            Self::UnifiOs => "/api/auth/login",
            Self::Classic => "/api/login",
        }
    }

    pub(crate) const fn logout_path(self) -> &'static str {
        match self {
            Self::UnifiOs => "/api/auth/logout",
            Self::Classic => "/api/logout",
        }
    }

    pub(crate) const fn has_integration(self) -> bool {
        matches!(self, Self::UnifiOs)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnifiOs => "UniFi OS",
            Self::Classic => "classic",
        })
    }
}

/// What a classic console tells anybody (`/status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Whether the Network application is up; its API answers only then.
    pub up: bool,
    /// Version of the Network application.
    pub version: Version,
}

impl Client {
    /// What the Network application runs on: as set, implied by an API key, or found out by at most two unauthenticated
    /// reads, once for all clones.
    ///
    /// UniFi OS answers `GET /` with its page. Where that redirects, `GET /status` decides: only a classic console
    /// tells a version there. Newer UniFi OS redirects too, so a redirect alone says nothing.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when it is neither, [`Error::Busy`] while it starts, [`Error::Transport`] without an
    /// answer. Nothing is remembered then. Cancellation-safe.
    pub async fn platform(&self) -> Result<Platform, Error> {
        self.known_platform()
            .get_or_try_init(|| self.detect())
            .await
            .copied()
    }

    /// Whether a classic console is up, and its version; unauthenticated (`GET /status`).
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there is no such page, as on UniFi OS; [`Error::Busy`] for a 5xx.
    pub async fn server_status(&self) -> Result<ServerStatus, Error> {
        let request = Request::new(Method::GET, "/status").idempotent();
        let call = "GET /status".to_owned();
        let response = self.transport().send(request).await;
        let response = response.map_err(|source| Error::Transport {
            call: call.clone(),
            source,
        })?;
        let status = response.status;
        let none = |message: &str| {
            Error::Unsupported(Box::new(Refusal {
                call: call.clone(),
                status: Some(status),
                message: Some(message.to_owned()),
                ..Refusal::default()
            }))
        };
        let answer = match Answer::check(call.clone(), response) {
            Ok(answer) => answer,
            Err(Error::Busy(refusal)) if status >= 500 => return Err(Error::Busy(refusal)),
            Err(_) => return Err(none("no classic console answers there")),
        };
        let told: Result<StatusMeta, Error> = answer.json::<Value>().and_then(|body| {
            serde_json::from_value(body.get("meta").cloned().unwrap_or_default())
                .map_err(|error| Error::shape(&call, status, &error))
        });
        let version = told.as_ref().ok().and_then(|meta| {
            let version = meta.server_version.as_deref()?.parse().ok()?;
            Some(ServerStatus {
                up: meta.up.unwrap_or(true),
                version,
            })
        });
        version.ok_or_else(|| none("no classic console answers there"))
    }

    async fn detect(&self) -> Result<Platform, Error> {
        let start = Request::new(Method::GET, "/").idempotent();
        let redirect = match self.transport().send(start).await {
            Ok(page) if page.status == 200 => return Ok(Platform::UnifiOs),
            Ok(_) => None,
            Err(source @ api_transport::Error::Redirect { .. }) => Some(source),
            Err(source) => {
                return Err(Error::Transport {
                    call: "GET /".to_owned(),
                    source,
                });
            }
        };
        let unknown = match (self.server_status().await, redirect) {
            (Ok(_), _) => return Ok(Platform::Classic),
            (Err(Error::Unsupported(_)), Some(source)) => {
                if matches!(&source, api_transport::Error::Redirect { target, .. } if target == self.endpoint())
                {
                    return Ok(Platform::UnifiOs);
                }
                return Err(Error::Transport {
                    call: "GET /".to_owned(),
                    source,
                });
            }
            (Err(error), _) => error,
        };
        match unknown {
            Error::Unsupported(refusal) => Err(Error::Unsupported(Box::new(Refusal {
                call: "GET /".to_owned(),
                message: Some(
                    "neither UniFi OS nor a classic console answers there; if it is one, say which"
                        .to_owned(),
                ),
                ..*refusal
            }))),
            other => Err(other),
        }
    }
}
