//! What can go wrong, whichever of the three API families said so.

use std::fmt;
use std::time::Duration;

use crate::Family;

/// What the gateway (or a check made before sending) said about a refused call.
///
/// Texts are redacted and cut; bodies are never kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// Method and path, below the prefix of the Network application, or what was checked before sending.
    pub call: String,
    /// HTTP status; absent when the call was refused before it was sent. Legacy errors may come with 200.
    pub status: Option<u16>,
    /// The API's code, e.g. `api.err.DuplicateFixedIP`; integration codes came with Network 10.0.
    pub code: Option<String>,
    /// The API's text, or for the legacy API the values it echoes; at most 300 characters, secrets masked.
    pub message: Option<String>,
    /// Names of the fields it is about, where the API names them.
    pub fields: Vec<String>,
    /// The integration API's request id, for support cases.
    pub request_id: Option<String>,
    /// How long the gateway asks to wait (`Retry-After` in seconds), with 429 and 503.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The API family that said so; absent for the console itself and for checks made before sending.
    pub fn family(&self) -> Option<Family> {
        let path = self.call.split_once(' ').map(|(_, path)| path)?;
        if path.starts_with("/integration/") {
            Some(Family::Integration)
        } else if path.starts_with("/v2/") {
            Some(Family::V2)
        } else if path.starts_with("/api/s") {
            Some(Family::Legacy)
        } else {
            None
        }
    }
}

/// Why a call failed.
///
/// The kind is taken from the API's code, and from the status where the code is absent or unknown: the three families
/// give one and the same thing different statuses.
///
/// ```no_run
/// # use unifi_client::{Client, Error, NewClient};
/// # async fn run(gateway: &Client, new: &NewClient) -> Result<(), Error> {
/// match gateway.create_client(new).await {
///     Err(Error::AddressTaken(refusal)) => println!("choose another address: {refusal}"),
///     Err(error) if error.is_retryable() => println!("later: {:?}", error.retry_after()),
///     other => other?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API key or the login is not accepted, or the login needs a second factor. Final: never retried.
    ///
    /// Status 401, of the proxy or of the application (`api.err.LoginRequired`); at a login also 403, 499, and 400 of
    /// classic consoles. [`Error::hint`] tells which of these it is.
    #[error("the gateway does not accept the credential: {0}")]
    Unauthorized(Box<Refusal>),
    /// The role of the key or account does not allow this: status 403, `api.err.NoPermission`. Reads pass with a
    /// read-only role, so this often shows at the first write only.
    #[error("the role of this credential does not allow it: {0}")]
    Forbidden(Box<Refusal>),
    /// The object, the client or the site does not exist, or is not visible: status 404, or 400 with `IdInvalid`,
    /// `UnknownUser`, `UnknownStation`, `NoSiteContext`.
    #[error("not found: {0}")]
    NotFound(Box<Refusal>),
    /// The very same thing exists: a record of this MAC (`MacUsed`, `IdRequired`), or a DNS record of this name, type and
    /// value. Often as good as success: look.
    #[error("exists already: {0}")]
    AlreadyExists(Box<Refusal>),
    /// The address belongs to another client record, to a live client or to UniFi hardware: `DuplicateFixedIP`,
    /// `FixedIpAlreadyUsedBy…`.
    #[error("the address is taken: {0}")]
    AddressTaken(Box<Refusal>),
    /// A DNS name collides with a record of another kind or with a client's own name, or an id with another client.
    #[error("collides with something else: {0}")]
    Conflict(Box<Refusal>),
    /// The content is refused, by the gateway or before it was sent; `fields` says where that is known.
    #[error("refused as invalid: {0}")]
    Invalid(Box<Refusal>),
    /// This gateway does not offer the call, or answers in a form unknown to this client.
    #[error("not supported: {0}")]
    Unsupported(Box<Refusal>),
    /// Starting, overloaded or throttling: status 429 or 5xx, or HTML where JSON belongs. Also a login that the console
    /// put off to the end. [`Error::retry_after`] has what the gateway asked for.
    #[error("the gateway is busy or starting: {0}")]
    Busy(Box<Refusal>),
    /// No answer: network, TLS, deadline, redirect, size.
    #[error("{call}: no answer from the gateway")]
    Transport {
        /// Method and path.
        call: String,
        /// Why.
        source: api_transport::Error,
    },
}

impl Error {
    /// What was said about the call; absent when there was no answer.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(r)
            | Self::Forbidden(r)
            | Self::NotFound(r)
            | Self::AlreadyExists(r)
            | Self::AddressTaken(r)
            | Self::Conflict(r)
            | Self::Invalid(r)
            | Self::Unsupported(r)
            | Self::Busy(r) => Some(r),
            Self::Transport { .. } => None,
        }
    }

    /// HTTP status of the answer.
    pub fn status(&self) -> Option<u16> {
        self.refusal().and_then(|refusal| refusal.status)
    }

    /// The API's code, e.g. `api.err.MacUsed`.
    pub fn code(&self) -> Option<&str> {
        self.refusal().and_then(|refusal| refusal.code.as_deref())
    }

    /// How long the gateway asks to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// Whether the same call may succeed a little later. Says nothing about whether sending it twice is harmless.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy(_) => true,
            Self::Transport { source, .. } => source.is_retryable(),
            _ => false,
        }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether something else is in the way: the same thing, its address or its name.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::AlreadyExists(_) | Self::AddressTaken(_) | Self::Conflict(_)
        )
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized(refusal) => Some(login_hint(refusal).unwrap_or(
                "use an API key made on this gateway itself (Network > Integrations); \
                 keys of the cloud Site Manager are different ones",
            )),
            Self::Forbidden(_) => {
                Some("the admin whose credential it is needs the Site Admin role for Network")
            }
            Self::AddressTaken(_) => Some(
                "another client record holds the address; one whose reservation is switched off still blocks it \
                 until its address is cleared",
            ),
            Self::Conflict(_) => Some(
                "remove the other record, or the local DNS name of the client that holds it; \
                 an alias never stands beside another record of its name",
            ),
            Self::Busy(refusal) if refusal.code.as_deref() == Some(LOGIN_LIMIT) => Some(
                "the console limits logins, successful ones too: wait some minutes, or use an API key, which needs none",
            ),
            Self::Busy(_) => {
                Some("the Network application may be starting or updating; try again in a minute")
            }
            Self::Unsupported(_) => Some(
                "API keys need UniFi OS with Network 9.0.114 or later, DNS a UniFi OS gateway; is it this kind of console?",
            ),
            Self::Transport {
                source: api_transport::Error::Redirect { .. },
                ..
            } => Some(
                "an API key is for UniFi OS, a classic console takes a login; is this one, or another web server?",
            ),
            Self::Transport {
                source: api_transport::Error::Certificate { .. },
                ..
            } => Some(
                "a gateway's own certificate never names its address: pin its SHA-256 fingerprint instead",
            ),
            Self::Transport { source, .. } => source.hint(),
            _ => match self.code() {
                Some("api.err.InvalidFixedIP") => {
                    Some("the address must lie inside the subnet of a network of this site")
                }
                Some("api.err.NoSiteContext") => {
                    Some("check the site name: the path segment, not the title")
                }
                _ => None,
            },
        }
    }

    /// A refusal made before anything was sent.
    pub(crate) fn invalid(what: &str, field: &str, why: impl Into<String>) -> Self {
        Self::Invalid(Box::new(Refusal {
            call: what.to_owned(),
            message: Some(why.into()),
            fields: vec![field.to_owned()],
            ..Refusal::default()
        }))
    }

    /// An answer of the wrong shape. Values are left out: an answer may carry secrets.
    pub(crate) fn shape(call: &str, status: u16, error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "the answer ends early",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                "the answer is not JSON"
            }
            serde_json::error::Category::Data => {
                "the answer has another shape than this client knows"
            }
        };
        Self::Unsupported(Box::new(Refusal {
            call: call.to_owned(),
            status: Some(status),
            message: Some(format!(
                "{what} (line {} column {})",
                error.line(),
                error.column()
            )),
            ..Refusal::default()
        }))
    }

    /// Sorts a refusal by the API's code, and by the status where the code is absent or unknown.
    pub(crate) fn from_refusal(refusal: Refusal) -> Self {
        let kind = refusal
            .code
            .as_deref()
            .and_then(kind_of_code)
            .unwrap_or_else(|| kind_of_status(refusal.status.unwrap_or_default()));
        kind(Box::new(refusal))
    }
}

const LOGIN_LIMIT: &str = "AUTHENTICATION_FAILED_LIMIT_REACHED";

fn login_hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code.as_deref()? {
        "MFA_AUTH_REQUIRED" | "api.err.Ubic2faTokenRequired" => Some(
            "this account has a second factor: use an API key, or an account restricted to local access",
        ),
        "AUTHENTICATION_FAILED_INVALID_CREDENTIALS" | "api.err.Invalid" => Some(
            "check user name and password of a local account; each failed try counts towards a lockout, so it is not tried again",
        ),
        "api.err.LoginRequired" => {
            Some("the session was not accepted: is the account allowed to use Network?")
        }
        _ => None,
    }
}

type Kind = fn(Box<Refusal>) -> Error;

fn kind_of_code(code: &str) -> Option<Kind> {
    let short = code.strip_prefix("api.err.").unwrap_or(code);
    let kind: Kind = match short {
        "LoginRequired"
        | "Ubic2faTokenRequired"
        | "AUTHENTICATION_FAILED_INVALID_CREDENTIALS"
        | "MFA_AUTH_REQUIRED" => Error::Unauthorized,
        LOGIN_LIMIT => Error::Busy,
        "NoPermission" => Error::Forbidden,
        "MacUsed" | "MacAlreadyRegistered" | "IdRequired" | "StaticDnsRecordAlreadyExists" => {
            Error::AlreadyExists
        }
        "DuplicateFixedIP" => Error::AddressTaken,
        "IdInvalid"
        | "NotFound"
        | "MacNotRegistered"
        | "NoSiteContext"
        | "StaticDnsRecordNotFound" => Error::NotFound,
        _ if short.starts_with("FixedIpAlreadyUsedBy") => Error::AddressTaken,
        _ if short.starts_with("StaticDns") && short.contains("Overlaps") => Error::Conflict,
        "UnknownStation" | "UnknownUser" => Error::NotFound,
        _ if short.starts_with("api.authentication.") => Error::Unauthorized,
        _ if short.starts_with("api.dns.") && short.ends_with("already-exists") => {
            Error::AlreadyExists
        }
        _ if short.starts_with("api.dns.") && short.contains("overlap") => Error::Conflict,
        _ => return None,
    };
    Some(kind)
}

fn kind_of_status(status: u16) -> Kind {
    match status {
        401 => Error::Unauthorized,
        403 => Error::Forbidden,
        404 => Error::NotFound,
        409 => Error::Conflict,
        408 | 429 | 500 | 502..=599 => Error::Busy,
        200..=299 | 400..=499 if status != 405 => Error::Invalid,
        _ => Error::Unsupported,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.call)?;
        match (&self.code, self.status) {
            (Some(code), Some(status)) => write!(f, ": {code} (status {status})")?,
            (Some(code), None) => write!(f, ": {code}")?,
            (None, Some(status)) => write!(f, ": status {status}")?,
            (None, None) => {}
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if self.status.is_some() && !self.fields.is_empty() {
            write!(f, " [{}]", self.fields.join(", "))?;
        }
        Ok(())
    }
}
