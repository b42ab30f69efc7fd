//! What typed API clients share: TLS trust, refused redirects, deadlines,
//! body caps, retries, redaction, and an injected clock.
//!
//! A client builds one [`Transport`] for each endpoint and sends [`Request`]s
//! over it. The network sits behind the one-method trait [`Exchange`], so
//! tests and simulations can answer in memory.
//!
//! ```no_run
//! # async fn run() -> Result<(), api_transport::Error> {
//! use api_transport::{Method, Request, Transport, Trust};
//!
//! let pin = "AB:CD:...".parse().map_err(|_| api_transport::Error::request("bad pin"))?;
//! let transport = Transport::builder("https://10.0.0.1:8006")?
//!     .trust(Trust::Pins(vec![pin]))
//!     .build()?;
//! let answer = transport.send(Request::new(Method::GET, "/api2/json/version").idempotent()).await?;
//! assert_eq!(answer.status, 200);
//! # Ok(())
//! # }
//! ```
//!
//! What it promises:
//! - a redirect is an error, never followed: API keys travel in headers that
//!   a general HTTP client would carry along;
//! - no proxy unless asked for; plain `http` only to loopback or where
//!   [`Trust::Insecure`] was chosen;
//! - the certificate is checked before a byte of the request is sent;
//! - nothing is sent twice that was not declared idempotent by its caller;
//! - no answer is read without bound, and no wait is without a deadline.

#![deny(missing_docs)]

mod clock;
mod endpoint;
mod error;
mod lines;
mod network;
mod redact;
mod request;
mod retry;
mod tls;
mod transport;
mod trust;

pub use bytes::Bytes;
pub use clock::{Clock, TokioClock};
pub use error::{Cause, Error, Phase};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method};
pub use lines::Streamed;
pub use redact::{redact, redact_lines};
pub use request::{Exchange, ExchangeResponse, Request, Response};
pub use transport::{Transport, TransportBuilder};
pub use trust::{Fingerprint, ParseFingerprintError, Trust};

/// The longest body, and in streams the longest line, that is read: 64 MiB after decompression.
pub const BODY_LIMIT: usize = 64 * 1024 * 1024;
