//! What typed API clients share: TLS trust, refused redirects, deadlines,
//! body caps, retries, redaction, and an injected clock.
//!
//! A client builds one [`Transport`] for each endpoint and sends [`Request`]s
//! over it. The network sits behind the one-method trait [`Exchange`], so
//! tests and simulations can answer in memory.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use api_transport::{Fingerprint, Method, Request, Transport, Trust};
//!
//! # const PIN: &str = "abababababababababababababababababababababababababababababababab";
//! let pin: Fingerprint = PIN.parse()?; // SHA-256 of the server's certificate
//! let transport = Transport::builder("https://10.0.0.1:8006")?
//!     .trust(Trust::Pins(vec![pin]))
//! #   .exchange(std::sync::Arc::new(Canned))
//!     .build()?;
//! let answer = transport.send(Request::new(Method::GET, "/api2/json/version").idempotent()).await?;
//! assert_eq!(answer.status, 200);
//! # Ok(())
//! # }
//! # #[derive(Debug)]
//! # struct Canned;
//! # #[async_trait::async_trait]
//! # impl api_transport::Exchange for Canned {
//! #     async fn exchange(
//! #         &self,
//! #         _request: http::Request<api_transport::Bytes>,
//! #     ) -> Result<api_transport::ExchangeResponse, api_transport::Error> {
//! #         Ok(api_transport::ExchangeResponse::whole(200, r#"{"data": {"version": "9.2.2"}}"#))
//! #     }
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
