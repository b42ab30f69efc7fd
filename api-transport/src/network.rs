//! The [`Exchange`] over a real network.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::tls::{PinMismatch, client_config};
use crate::{Error, Exchange, ExchangeResponse, Phase, Trust};

/// A dead peer is noticed within a minute even on a watch that is silent by nature.
const KEEPALIVE: Duration = Duration::from_secs(20);

pub(crate) struct Settings<'a> {
    pub(crate) origin: &'a str,
    pub(crate) trust: &'a Trust,
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
    pub(crate) http1_only: bool,
    pub(crate) environment_proxy: bool,
}

#[derive(Debug)]
pub(crate) struct Network {
    client: reqwest::Client,
    origin: String,
    connect: Duration,
}

impl Network {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Self, Error> {
        let refuse = |reason| Error::Endpoint {
            endpoint: settings.origin.to_owned(),
            reason,
        };
        let tls = client_config(settings.trust, settings.http1_only).map_err(refuse)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .connect_timeout(settings.connect)
            .pool_idle_timeout(settings.idle)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(2)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE);
        if settings.http1_only {
            builder = builder.http1_only();
        }
        if !settings.environment_proxy {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| refuse(chain(&error.without_url())))?;
        Ok(Self {
            client,
            origin: settings.origin.to_owned(),
            connect: settings.connect,
        })
    }

    fn sort_out(&self, error: reqwest::Error) -> Error {
        let endpoint = self.origin.clone();
        let error = error.without_url();
        if let Some(mismatch) = find::<PinMismatch>(&error) {
            return Error::Pin {
                endpoint,
                expected: mismatch.expected.clone(),
                found: mismatch.found,
            };
        }
        if let Some(tls) = find::<rustls::Error>(&error) {
            let (reason, hint) = refusal(tls);
            return Error::Certificate {
                endpoint,
                reason,
                hint,
            };
        }
        if error.is_builder() || error.is_request() && find::<http::Error>(&error).is_some() {
            return Error::Request(chain(&error));
        }
        if error.is_connect() {
            if error.is_timeout() {
                return Error::Timeout {
                    endpoint,
                    phase: Phase::Connect,
                    after: self.connect,
                };
            }
            return Error::Connect {
                endpoint,
                source: error.into(),
            };
        }
        Error::Interrupted {
            endpoint,
            source: error.into(),
        }
    }
}

#[async_trait::async_trait]
impl Exchange for Network {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error> {
        let request = reqwest::Request::try_from(request).map_err(|error| self.sort_out(error))?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| self.sort_out(error))?;
        let reason = match response.extensions().get::<hyper::ext::ReasonPhrase>() {
            Some(sent) => String::from_utf8_lossy(sent.as_bytes()).into_owned(),
            None => response
                .status()
                .canonical_reason()
                .unwrap_or_default()
                .to_owned(),
        };
        let origin = self.origin.clone();
        Ok(ExchangeResponse {
            status: response.status().as_u16(),
            reason,
            headers: response.headers().clone(),
            body: response
                .bytes_stream()
                .map(move |part| {
                    part.map_err(|error| Error::interrupted(&origin, error.without_url()))
                })
                .boxed(),
        })
    }
}

/// The common refusals in words and with the next step; the others in rustls' own.
fn refusal(error: &rustls::Error) -> (String, Option<&'static str>) {
    use rustls::CertificateError as Why;
    match error {
        rustls::Error::InvalidCertificate(Why::UnknownIssuer | Why::BadSignature) => (
            "its certificate is signed by nobody who is trusted here".to_owned(),
            Some(
                "for a private CA name the CA's file, for a self-signed certificate pin its SHA-256 fingerprint: \
                 `openssl x509 -noout -fingerprint -sha256` prints it on the server",
            ),
        ),
        rustls::Error::InvalidCertificate(
            Why::NotValidForName | Why::NotValidForNameContext { .. },
        ) => (
            error.to_string(),
            Some("use a name the certificate has, or pin its SHA-256 fingerprint"),
        ),
        rustls::Error::InvalidCertificate(Why::Expired | Why::ExpiredContext { .. }) => (
            error.to_string(),
            Some("renew it on the server, or set this machine's clock"),
        ),
        rustls::Error::InvalidMessage(_) => (
            format!("what answers there does not speak TLS ({error})"),
            None,
        ),
        other => (other.to_string(), None),
    }
}

/// The first error of type `T` in the chain, also inside `io::Error`s and rustls' wrapper, which hide theirs.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref())
            .map(|inner| inner as &(dyn StdError + 'static));
        if let Some(found) = inner.and_then(find) {
            return Some(found);
        }
        if let Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) =
            error.downcast_ref()
            && let Some(found) = other.0.downcast_ref()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
