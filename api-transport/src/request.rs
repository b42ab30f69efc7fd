//! One call, its answer, and the seam between them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::Error;

/// One HTTP call. `Debug` shows neither query nor body, which may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Values that are secret must be marked sensitive.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// Whether sending it twice is harmless. Declared by the caller, never taken from the method.
    pub idempotent: bool,
    /// Total deadline, retries included; the transport's default where absent.
    /// It also replaces the default wait for response headers.
    pub deadline: Option<Duration>,
}

impl Request {
    /// A call without headers and body that is sent once.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            idempotent: false,
            deadline: None,
        }
    }

    /// Sets a header, replacing one of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets `Content-Type: application/json` and the body.
    pub fn json(self, body: &impl serde::Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Error::request(format!("the body cannot be written as JSON: {error}"))
        })?;
        Ok(self.body("application/json", body))
    }

    /// Sets the body and its type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// Declares that sending it twice is harmless, so that it may be retried.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Sets the total deadline, retries included, in real time.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// What came back, whatever its status. `Debug` shows no body, which may hold secrets.
#[derive(Clone)]
pub struct Response {
    /// The status; never a redirect.
    pub status: u16,
    /// The reason phrase as sent: older Proxmox puts its only error text there.
    pub reason: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path.split('?').next().unwrap_or_default())
            .field("body_length", &self.body.len())
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The seam: one exchange with a server, body as a stream. Production uses reqwest; tests bring their own.
#[async_trait::async_trait]
pub trait Exchange: Send + Sync + fmt::Debug {
    /// Sends `request`, whose URI is absolute, and returns when the head of the answer is there.
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error>;
}

/// Head of an answer and its body as it arrives.
pub struct ExchangeResponse {
    /// The status.
    pub status: u16,
    /// The reason phrase as sent.
    pub reason: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as it arrives, decompressed.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl ExchangeResponse {
    /// An answer that is all there, for tests and simulations.
    pub fn whole(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            status,
            reason: http::StatusCode::from_u16(status)
                .ok()
                .and_then(|code| code.canonical_reason())
                .unwrap_or_default()
                .to_owned(),
            headers: HeaderMap::new(),
            body: Box::pin(futures_util::stream::once(async move { Ok(body) })),
        }
    }
}

impl fmt::Debug for ExchangeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeResponse")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
