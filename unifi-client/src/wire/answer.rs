//! From an answer to rows or an error: the envelopes and error bodies of the three families and of the proxy.
//!
//! - legacy: `{"meta": {"rc": "ok"}, "data": [ROW…]}`; an error has `"rc": "error"`, `msg` and echoes, also under 200
//! - v2: rows bare; an error is `{"code", "message", "errorCode", "details": {"invalid_fields": […]}}`
//! - integration: `{"offset", "limit", "count", "totalCount", "data"}` or an object; an error has `code` and `requestId`
//! - the proxy: `{"error": {"code": 401, "message"}}`, now and then under 200
//! - any of them: a web page, while the application starts

use std::time::Duration;

use api_transport::{Bytes, HeaderMap, Response, redact};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Refusal};

/// Server texts are cut here.
const TEXT_MAX: usize = 300;
/// Echoed values are cut here.
const ECHO_MAX: usize = 80;

/// A successful answer, still undecoded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) call: String,
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    meta: Map<String, Value>,
    data: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct MetaOnly {
    #[serde(default)]
    meta: Map<String, Value>,
}

impl Answer {
    /// Takes answers with a 2xx status that are not HTML.
    pub(crate) fn check(call: String, response: Response) -> Result<Self, Error> {
        let Response {
            status,
            headers,
            body,
            ..
        } = response;
        let html = is_html(
            headers
                .get("content-type")
                .map(api_transport::HeaderValue::as_bytes),
            &body,
        );
        match status {
            200..=299 if html => Err(Error::Busy(Box::new(Refusal {
                call,
                status: Some(status),
                message: Some("a web page came instead of JSON".to_owned()),
                ..Refusal::default()
            }))),
            200..=299 => match wrapped_status(&body) {
                Some(status) => Err(Error::from_refusal(refusal(call, status, &body))),
                None => Ok(Self { call, status, body }),
            },
            _ => Err(Error::from_refusal(Refusal {
                retry_after: retry_after(&headers),
                ..refusal(call, status, if html { &[] } else { &body })
            })),
        }
    }

    /// The whole body: v2 and integration.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::shape(&self.call, self.status, &error))
    }

    /// Rows of a legacy answer, whose errors may come with status 200.
    pub(crate) fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let shape = |error| Error::shape(&self.call, self.status, &error);
        let meta = serde_json::from_slice::<MetaOnly>(&self.body)
            .map_err(shape)?
            .meta;
        if meta.get("rc").and_then(Value::as_str) == Some("error") {
            return Err(Error::from_refusal(legacy(
                self.call.clone(),
                self.status,
                &meta,
            )));
        }
        let envelope: Envelope<T> = serde_json::from_slice(&self.body).map_err(shape)?;
        match envelope.meta.get("rc").and_then(Value::as_str) {
            Some("ok") => Ok(envelope.data.unwrap_or_default()),
            _ => Err(Error::Unsupported(Box::new(Refusal {
                call: self.call.clone(),
                status: Some(self.status),
                message: Some("the answer has no result code".to_owned()),
                ..Refusal::default()
            }))),
        }
    }
}

/// UniFi OS reports some of its own refusals with status 200: `{"error":{"code":401,…}}`.
pub(crate) fn wrapped_status(body: &[u8]) -> Option<u16> {
    #[derive(Deserialize)]
    struct Wrapped {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: u16,
    }
    if !body.trim_ascii_start().starts_with(b"{\"error\"") {
        return None;
    }
    let wrapped: Wrapped = serde_json::from_slice(body).ok()?;
    Some(wrapped.error.code).filter(|code| (400..600).contains(code))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn is_html(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    let declared =
        content_type.is_some_and(|value| value.to_ascii_lowercase().starts_with(b"text/html"));
    declared || body.trim_ascii_start().first() == Some(&b'<')
}

/// Reads whichever error body it is; a body that cannot be read leaves the status.
fn refusal(call: String, status: u16, body: &[u8]) -> Refusal {
    let fields: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    if let Some(Value::Object(meta)) = fields.get("meta") {
        return legacy(call, status, meta);
    }
    // The proxy in front of the application wraps its own refusals once more.
    let inner = match fields.get("error") {
        Some(Value::Object(inner)) => inner,
        _ => &fields,
    };
    let text = |name: &str| {
        inner
            .get(name)
            .and_then(Value::as_str)
            .map(|text| redact(text, TEXT_MAX))
    };
    let invalid = inner
        .get("details")
        .and_then(|details| details.get("invalid_fields"))
        .and_then(Value::as_array);
    let mut names: Vec<_> = invalid
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| redact(name, ECHO_MAX))
        .collect();
    let message = text("message");
    if names.is_empty() {
        names.extend(message.as_deref().and_then(property_in));
    }
    Refusal {
        call,
        status: Some(status),
        code: text("code"),
        message,
        fields: names,
        request_id: text("requestId"),
        retry_after: None,
    }
}

/// The integration API names a property in its text only: `Unknown request body property '$.metadata'`.
fn property_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("'$.")?;
    Some(rest.split_once('\'')?.0.to_owned())
}

fn legacy(call: String, status: u16, meta: &Map<String, Value>) -> Refusal {
    let echoed = || {
        meta.iter()
            .filter(|(name, _)| !matches!(name.as_str(), "rc" | "msg"))
    };
    let message = echoed()
        .filter(|(name, _)| !name.starts_with("x_"))
        .filter_map(|(name, value)| Some(format!("{name}={:?}", redact(value.as_str()?, ECHO_MAX))))
        .collect::<Vec<_>>()
        .join(", ");
    Refusal {
        call,
        status: Some(status),
        code: meta
            .get("msg")
            .and_then(Value::as_str)
            .map(|code| redact(code, TEXT_MAX)),
        message: Some(redact(&message, TEXT_MAX)).filter(|message| !message.is_empty()),
        fields: echoed().map(|(name, _)| redact(name, ECHO_MAX)).collect(),
        request_id: None,
        retry_after: None,
    }
}
