//! Why no answer could be had.

use std::fmt;
use std::time::Duration;

use crate::Fingerprint;

/// What lies below an [`Error`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a deadline was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The connection, TLS included.
    Connect,
    /// The head of the answer.
    Headers,
    /// The rest of the answer.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "a connection",
            Self::Headers => "the response headers",
            Self::Body => "the response body",
        })
    }
}

/// Why no answer could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint, or what was set for it, cannot be used.
    #[error("invalid endpoint {endpoint}: {reason}")]
    Endpoint {
        /// As given, without user info.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request could not be built.
    #[error("invalid request: {0}")]
    Request(String),
    /// No connection.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// `https://host:port`.
        endpoint: String,
        /// The reason the system gave.
        #[source]
        source: Cause,
    },
    /// The server's certificate was refused, or the TLS handshake failed.
    #[error("the TLS connection to {endpoint} was refused: {reason}")]
    Certificate {
        /// `https://host:port`.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
        /// What to do about it, where that is known.
        hint: Option<&'static str>,
    },
    /// The server showed another certificate than the pinned one.
    #[error(
        "{endpoint} shows the certificate {found}, pinned is {}; nothing was sent",
        list(expected)
    )]
    Pin {
        /// `https://host:port`.
        endpoint: String,
        /// The pins.
        expected: Vec<Fingerprint>,
        /// SHA-256 of the certificate that was shown.
        found: Fingerprint,
    },
    /// A deadline passed.
    #[error("waited {after:?} for {phase} from {endpoint}")]
    Timeout {
        /// `https://host:port`.
        endpoint: String,
        /// What was waited for.
        phase: Phase,
        /// The deadline that passed.
        after: Duration,
    },
    /// The server answered with a redirect. They are never followed.
    #[error(
        "{endpoint} redirects to {target} (status {status}), which is not followed: keys would go there"
    )]
    Redirect {
        /// `https://host:port`.
        endpoint: String,
        /// 300 to 399.
        status: u16,
        /// The host it points to, or what stands for it.
        target: String,
    },
    /// The body, or a line of a stream, is longer than allowed.
    #[error("the answer of {endpoint} is larger than {limit} bytes")]
    TooLarge {
        /// `https://host:port`.
        endpoint: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The server closed the connection, or the stream broke.
    #[error("the connection to {endpoint} broke")]
    Interrupted {
        /// `https://host:port`.
        endpoint: String,
        /// The reason the system gave.
        #[source]
        source: Cause,
    },
}

fn list(pins: &[Fingerprint]) -> String {
    pins.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ")
}

impl Error {
    /// A request that cannot be sent.
    pub fn request(reason: impl Into<String>) -> Self {
        Self::Request(reason.into())
    }

    /// A connection that could not be made.
    pub fn connect(endpoint: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Connect {
            endpoint: endpoint.into(),
            source: source.into(),
        }
    }

    /// A connection that broke.
    pub fn interrupted(endpoint: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Interrupted {
            endpoint: endpoint.into(),
            source: source.into(),
        }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect { .. } => Some("check the address and that the server is up"),
            Self::Timeout { .. } => {
                Some("check the address, the network on the way and that the server is up")
            }
            Self::Certificate { hint, .. } => *hint,
            Self::Pin { .. } => Some(
                "if the certificate was renewed on purpose, compare the new fingerprint on the server itself and put \
                 it in place of the pin; otherwise somebody may be in between",
            ),
            Self::Redirect { .. } => Some("give the address of the API itself"),
            _ => None,
        }
    }

    /// The HTTP status, where there was one: only redirects.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Redirect { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same call may succeed a moment later.
    ///
    /// That it *may be sent* again is for the caller to know: after a timeout
    /// or a broken connection the server may have acted.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Interrupted { .. }
        )
    }

    /// Always false: a missing object is an answer, not a failed exchange.
    pub fn is_not_found(&self) -> bool {
        false
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// The server closed the connection or the stream broke.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }
}
