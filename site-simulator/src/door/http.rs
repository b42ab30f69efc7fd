//! A request and an answer as the dialects see them, apart from any server.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;

/// A request whose body has arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path and query as sent.
    pub target: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status, also one that HTTP does not know (595).
    pub status: u16,
    /// Reason phrase, where it says more than the status.
    pub reason: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// Pairs of the query, decoded.
    pub fn query(&self) -> Vec<(String, String)> {
        form(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Response {
    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json;charset=UTF-8"),
        );
        Self {
            status,
            reason: None,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            reason: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// With a reason phrase: the first line of a text, without what a status line cannot hold.
    #[must_use]
    pub fn with_reason(mut self, text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        self.reason = Some(line.chars().filter(|c| !c.is_control()).collect());
        self
    }
}

/// Pairs of `application/x-www-form-urlencoded` text, decoded.
pub fn form(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// Decodes percent signs in a path segment.
pub fn decode(segment: &str) -> String {
    // A plus is itself in a path.
    let escaped = segment.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.as_bytes())
        .map(|(key, _)| key.into_owned())
        .next()
        .unwrap_or_default()
}
