//! Deadlines, retries and caps around an [`Exchange`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, LOCATION};
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Endpoint;
use crate::lines::split;
use crate::network::{Network, Settings};
use crate::{
    BODY_LIMIT, Clock, Error, Exchange, ExchangeResponse, Phase, Request, Response, Streamed,
    TokioClock, Trust, retry,
};

/// A connection to one API endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    exchange: Arc<dyn Exchange>,
    clock: Arc<dyn Clock>,
    headers: Duration,
    total: Duration,
    retry_statuses: &'static [u16],
    limit: usize,
    sent: AtomicU64,
}

/// Settings for a [`Transport`].
#[derive(Debug)]
pub struct TransportBuilder {
    endpoint: Endpoint,
    trust: Trust,
    clock: Option<Arc<dyn Clock>>,
    exchange: Option<Arc<dyn Exchange>>,
    connect: Duration,
    headers: Duration,
    total: Duration,
    idle: Duration,
    http1_only: bool,
    retry_statuses: &'static [u16],
    environment_proxy: bool,
    limit: usize,
}

impl TransportBuilder {
    /// How the server proves who it is. Default: the system's roots.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Where pauses between tries and jitter come from. Default: real time.
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

    /// Default 10 s connect, 15 s to response headers (connecting included), 60 s in total
    /// (retries included). Real time, whatever the clock.
    #[must_use]
    pub fn timeouts(mut self, connect: Duration, headers: Duration, total: Duration) -> Self {
        (self.connect, self.headers, self.total) = (connect, headers, total);
        self
    }

    /// How long an idle connection is kept (Proxmox closes after 5 s).
    #[must_use]
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// HTTP/1.1 only (Proxmox refuses anything else).
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.http1_only = true;
        self
    }

    /// Statuses retried for idempotent requests, beside 429, 502, 503 and 504.
    #[must_use]
    pub fn retry_statuses(mut self, statuses: &'static [u16]) -> Self {
        self.retry_statuses = statuses;
        self
    }

    /// Use `HTTPS_PROXY` and friends. Off by default: keys would pass through the proxy.
    #[must_use]
    pub fn proxy_from_environment(mut self, on: bool) -> Self {
        self.environment_proxy = on;
        self
    }

    /// Lowers the longest body, and in streams the longest line, from [`BODY_LIMIT`].
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes.min(BODY_LIMIT);
        self
    }

    /// Checks the settings; nothing is connected yet.
    pub fn build(self) -> Result<Transport, Error> {
        let endpoint = self.endpoint;
        if endpoint.plain && !endpoint.loopback && !matches!(self.trust, Trust::Insecure) {
            let reason =
                "plain http would show the key to everybody on the way; use https".to_owned();
            return Err(Error::Endpoint {
                endpoint: endpoint.origin,
                reason,
            });
        }
        let exchange = match self.exchange {
            Some(exchange) => exchange,
            None => Arc::new(Network::new(&Settings {
                origin: &endpoint.origin,
                // Without TLS its settings must not be what fails.
                trust: if endpoint.plain {
                    &Trust::Insecure
                } else {
                    &self.trust
                },
                connect: self.connect,
                idle: self.idle,
                http1_only: self.http1_only,
                environment_proxy: self.environment_proxy,
            })?),
        };
        let inner = Inner {
            endpoint,
            exchange,
            clock: self.clock.unwrap_or_else(|| Arc::new(TokioClock::real())),
            headers: self.headers,
            total: self.total,
            retry_statuses: self.retry_statuses,
            limit: self.limit,
            sent: AtomicU64::new(0),
        };
        Ok(Transport {
            inner: Arc::new(inner),
        })
    }
}

impl Transport {
    /// `endpoint`: `https://host[:port][/prefix]`. User info, query and other schemes than http(s) are refused.
    pub fn builder(endpoint: &str) -> Result<TransportBuilder, Error> {
        Ok(TransportBuilder {
            endpoint: Endpoint::parse(endpoint)?,
            trust: Trust::default(),
            clock: None,
            exchange: None,
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            total: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            http1_only: false,
            retry_statuses: &[],
            environment_proxy: false,
            limit: BODY_LIMIT,
        })
    }

    /// Sends, retries what was declared idempotent, and returns any answer that is not a redirect.
    ///
    /// Dropping the future abandons the call; the server may still act on it.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let total = request.deadline.unwrap_or(self.inner.total);
        let end = deadline(Instant::now(), total);
        let mut tried = 0;
        loop {
            tried += 1;
            let outcome = self.try_once(&request, end, total).await;
            let clock = self.clock();
            let asked = match &outcome {
                Ok(response) if retry::is_retryable(response.status, self.inner.retry_statuses) => {
                    retry::asked(&response.headers, clock.wall())
                }
                Err(error) if error.is_retryable() => None,
                _ => return outcome,
            };
            if !request.idempotent || tried >= retry::TRIES || Instant::now() >= end {
                return outcome;
            }
            let pause = retry::pause(tried, asked, clock.as_ref());
            tracing::debug!(endpoint = self.endpoint(), tried, ?pause, "trying again");
            if timeout_at(end, clock.sleep(pause)).await.is_err() {
                return outcome;
            }
        }
    }

    /// Opens a stream of lines; no total deadline, the body cap is per line.
    /// `headers_within` bounds the wait for the response head. Sent once, whatever was declared.
    pub async fn lines(
        &self,
        mut request: Request,
        headers_within: Duration,
    ) -> Result<Streamed, Error> {
        // A compressor on the way would hold lines back until its block is full.
        request
            .headers
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let end = deadline(Instant::now(), headers_within);
        let head = self.head(&request, end, headers_within).await?;
        let origin = self.endpoint().to_owned();
        if (200..300).contains(&head.status) {
            return Ok(Streamed::Lines(split(head.body, origin, self.inner.limit)));
        }
        let total = self.inner.total;
        self.whole(head, deadline(Instant::now(), total), total)
            .await
            .map(Streamed::Refused)
    }

    /// The injected clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// `https://host:port`, for messages. The scheme's own port is left out.
    pub fn endpoint(&self) -> &str {
        &self.inner.endpoint.origin
    }

    /// Requests sent so far, retries included.
    pub fn requests_sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }

    async fn try_once(
        &self,
        request: &Request,
        end: Instant,
        total: Duration,
    ) -> Result<Response, Error> {
        let headers = request.deadline.unwrap_or(self.inner.headers);
        let (headers_end, after) = match deadline(Instant::now(), headers) {
            at if at < end => (at, headers),
            _ => (end, total),
        };
        let head = self.head(request, headers_end, after).await?;
        self.whole(head, end, total).await
    }

    async fn head(
        &self,
        request: &Request,
        end: Instant,
        after: Duration,
    ) -> Result<ExchangeResponse, Error> {
        let uri = self.inner.endpoint.uri(&request.path)?;
        let mut outgoing = http::Request::new(request.body.clone());
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers.clone();
        self.inner.sent.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        let answer = timeout_at(end, self.inner.exchange.exchange(outgoing)).await;
        let took = started.elapsed();
        let path = request.path.split('?').next().unwrap_or_default();
        let head = match answer {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                tracing::debug!(method = %request.method, path, ?took, %error, "no answer");
                return Err(error);
            }
            Err(_) => return Err(self.timed_out(Phase::Headers, after)),
        };
        tracing::debug!(method = %request.method, path, status = head.status, ?took, "answer");
        if (300..400).contains(&head.status) {
            let location = head
                .headers
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            return Err(Error::Redirect {
                endpoint: self.endpoint().to_owned(),
                status: head.status,
                target: self.inner.endpoint.target(location),
            });
        }
        Ok(head)
    }

    async fn whole(
        &self,
        head: ExchangeResponse,
        end: Instant,
        after: Duration,
    ) -> Result<Response, Error> {
        let body = timeout_at(end, self.collect(head.body))
            .await
            .map_err(|_| self.timed_out(Phase::Body, after))??;
        Ok(Response {
            status: head.status,
            reason: head.reason,
            headers: head.headers,
            body,
        })
    }

    async fn collect(
        &self,
        mut body: BoxStream<'static, Result<Bytes, Error>>,
    ) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(part) = body.next().await {
            let part = part?;
            if whole.len() + part.len() > self.inner.limit {
                return Err(Error::TooLarge {
                    endpoint: self.endpoint().to_owned(),
                    limit: self.inner.limit,
                });
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    fn timed_out(&self, phase: Phase, after: Duration) -> Error {
        Error::Timeout {
            endpoint: self.endpoint().to_owned(),
            phase,
            after,
        }
    }
}

/// `from + after`, or a day where that cannot be told.
fn deadline(from: Instant, after: Duration) -> Instant {
    from.checked_add(after)
        .unwrap_or_else(|| from + Duration::from_hours(24))
}
