//! Why a simulated site could not be opened to the network.

use std::io;

/// Why [`World::serve`](crate::World::serve) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No port could be had on loopback.
    #[error("cannot listen on loopback")]
    Listen(#[source] io::Error),
    /// Certificates could not be made.
    #[error("cannot make the private CA")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library refused its set-up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// Service-account keys could not be made.
    #[error("cannot make service-account keys: {0}")]
    Keys(String),
}

impl Error {
    /// HTTP status; there is none.
    pub fn status(&self) -> Option<u16> {
        None
    }

    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Listen(_))
    }

    /// Whether something was not there; never.
    pub fn is_not_found(&self) -> bool {
        false
    }
}
