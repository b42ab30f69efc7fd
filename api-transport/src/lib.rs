//! What typed API clients share.
#![allow(clippy::todo, unused_variables, dead_code)] // contract stage

use std::sync::Arc;
use std::time::Duration;

pub use bytes::Bytes;
use futures_util::stream::BoxStream;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method};

mod clock;
pub use clock::{Clock, TokioClock};

/// How a server proves who it is.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The operating system's roots.
    #[default]
    System,
    /// Only these PEM certificates.
    CaPem(Vec<u8>),
    /// Any certificate whose SHA-256 is one of these; name and chain are not looked at.
    Pins(Vec<Fingerprint>),
    /// No check at all. Only for throw-away set-ups.
    Insecure,
}

/// SHA-256 of a certificate. Parses with and without colons, any case; shows upper case with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// One HTTP call.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Values that are secret must be marked sensitive.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether sending it twice is harmless. Declared by the caller, never taken from the method.
    pub idempotent: bool,
    /// Total deadline; the transport's default where absent.
    pub deadline: Option<Duration>,
}

impl Request {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        todo!()
    }
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        todo!()
    }
    /// Sets `Content-Type: application/json` and the body.
    pub fn json(self, body: &impl serde::Serialize) -> Result<Self, Error> {
        todo!()
    }
    pub fn body(self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        todo!()
    }
    pub fn idempotent(self) -> Self {
        todo!()
    }
    pub fn deadline(self, deadline: Duration) -> Self {
        todo!()
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// The reason phrase as sent: older Proxmox puts its only error text there.
    pub reason: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The seam: one exchange with a server, body as a stream. Production uses reqwest; tests bring their own.
#[async_trait::async_trait]
pub trait Exchange: Send + Sync + std::fmt::Debug {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error>;
}

/// Head of an answer and its body as it arrives.
pub struct ExchangeResponse {
    pub status: u16,
    pub reason: String,
    pub headers: HeaderMap,
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

/// A connection to one API endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport {}

/// Settings for a [`Transport`].
#[derive(Debug)]
pub struct TransportBuilder {}

impl TransportBuilder {
    pub fn trust(self, trust: Trust) -> Self {
        todo!()
    }
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        todo!()
    }
    /// Replaces the network, for tests and simulations.
    pub fn exchange(self, exchange: Arc<dyn Exchange>) -> Self {
        todo!()
    }
    /// Default 10 s connect, 15 s to response headers, 60 s in total.
    pub fn timeouts(self, connect: Duration, headers: Duration, total: Duration) -> Self {
        todo!()
    }
    /// How long an idle connection is kept (Proxmox closes after 5 s).
    pub fn idle_timeout(self, idle: Duration) -> Self {
        todo!()
    }
    /// HTTP/1.1 only (Proxmox refuses anything else).
    pub fn http1_only(self) -> Self {
        todo!()
    }
    /// Statuses retried for idempotent requests, beside 429, 502, 503 and 504.
    pub fn retry_statuses(self, statuses: &'static [u16]) -> Self {
        todo!()
    }
    /// Use `HTTPS_PROXY` and friends. Off by default: keys would pass through the proxy.
    pub fn proxy_from_environment(self, on: bool) -> Self {
        todo!()
    }
    pub fn build(self) -> Result<Transport, Error> {
        todo!()
    }
}

impl Transport {
    /// `endpoint`: `https://host[:port][/prefix]`. User info, query and other schemes than http(s) are refused.
    pub fn builder(endpoint: &str) -> Result<TransportBuilder, Error> {
        todo!()
    }
    /// Sends, retries what was declared idempotent, and returns any answer that is not a redirect.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        todo!()
    }
    /// Opens a stream of lines; no total deadline, the body cap is per line.
    /// `headers_within` bounds the wait for the response head.
    pub async fn lines(&self, request: Request, headers_within: Duration) -> Result<Streamed, Error> {
        todo!()
    }
    pub fn clock(&self) -> &Arc<dyn Clock> {
        todo!()
    }
    /// `https://host:port`, for messages.
    pub fn endpoint(&self) -> &str {
        todo!()
    }
    /// Requests sent so far, retries included.
    pub fn requests_sent(&self) -> u64 {
        todo!()
    }
}

/// A streaming answer: lines on success, the whole answer otherwise.
pub enum Streamed {
    Lines(BoxStream<'static, Result<Bytes, Error>>),
    Refused(Response),
}

/// Why no answer could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("contract stage")]
    Contract,
}

impl Error {
    pub fn is_retryable(&self) -> bool {
        todo!()
    }
    pub fn is_timeout(&self) -> bool {
        todo!()
    }
    /// The server closed the connection or the stream broke.
    pub fn is_interrupted(&self) -> bool {
        todo!()
    }
}

/// Text from a server made fit to print: control characters dropped, secrets masked, cut to `max` characters.
pub fn redact(text: &str, max: usize) -> String {
    todo!()
}
