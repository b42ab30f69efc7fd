//! A gateway made of canned answers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{Bytes, Clock, Error, Exchange, ExchangeResponse, HeaderMap, HeaderValue};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use unifi_client::{Client, Mac};

pub(crate) const KEY: &str = "canary-api-key-0123456789";
pub(crate) const MAC: Mac = Mac([0xbc, 0x24, 0x11, 0, 0, 1]);

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) call: String,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

/// How many calls are under way, and how many were at most.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

type Canned = (u16, &'static str, String);

/// Answers by `METHOD path`; several of one call are given in turn, the last one stays.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    answers: Mutex<HashMap<String, VecDeque<Canned>>>,
    otherwise: Option<Canned>,
    seen: Mutex<Vec<Seen>>,
    reads: Gauge,
    writes: Gauge,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The same answer to everything.
    pub(crate) fn always(status: u16, body: &str) -> Arc<Self> {
        Arc::new(Self {
            otherwise: Some((status, "application/json", body.to_owned())),
            ..Self::default()
        })
    }

    /// `call`: method and path below `/proxy/network`.
    pub(crate) fn on(
        self: &Arc<Self>,
        call: &str,
        status: u16,
        body: impl Into<String>,
    ) -> Arc<Self> {
        self.typed(call, status, "application/json;charset=UTF-8", body)
    }

    pub(crate) fn typed(
        self: &Arc<Self>,
        call: &str,
        status: u16,
        content_type: &'static str,
        body: impl Into<String>,
    ) -> Arc<Self> {
        let mut answers = self.answers.lock().unwrap();
        answers
            .entry(call.to_owned())
            .or_default()
            .push_back((status, content_type, body.into()));
        drop(answers);
        self.clone()
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client {
        Client::builder("https://192.0.2.1")
            .api_key(KEY.to_owned().into())
            .exchange(self.clone())
            .clock(Arc::new(NoWait))
            .build()
            .unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.call).collect()
    }

    /// Most reads and most writes that were under way at a time.
    pub(crate) fn most(&self) -> (usize, usize) {
        (
            self.reads.most.load(Ordering::SeqCst),
            self.writes.most.load(Ordering::SeqCst),
        )
    }

    /// Body of the last write.
    pub(crate) fn written(&self) -> Value {
        self.seen()
            .into_iter()
            .rev()
            .find(|seen| !seen.call.starts_with("GET"))
            .unwrap()
            .body
    }
}

#[async_trait::async_trait]
impl Exchange for Fake {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error> {
        let path = request.uri().path_and_query().unwrap().as_str();
        let below = path
            .strip_prefix("/proxy/network")
            .unwrap_or_else(|| panic!("{path} is outside the application"));
        let call = format!("{} {below}", request.method());
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        self.seen.lock().unwrap().push(Seen {
            call: call.clone(),
            body,
            headers: request.headers().clone(),
        });
        let gauge = if call.starts_with("GET") {
            &self.reads
        } else {
            &self.writes
        };
        gauge.most.fetch_max(
            gauge.now.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        // Long enough for everybody else to get in between, were they let.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        gauge.now.fetch_sub(1, Ordering::SeqCst);
        let (status, content_type, body) = {
            let mut answers = self.answers.lock().unwrap();
            match (answers.get_mut(&call), &self.otherwise) {
                (Some(queue), _) if queue.len() > 1 => queue.pop_front().unwrap(),
                (Some(queue), _) => queue[0].clone(),
                (None, Some(canned)) => canned.clone(),
                (None, None) => panic!("unexpected call {call}"),
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        let body = stream::once(async move { Ok(Bytes::from(body)) }).boxed();
        Ok(ExchangeResponse {
            status,
            reason: String::new(),
            headers,
            body,
        })
    }
}

/// Every pause is over at once.
#[derive(Debug)]
struct NoWait;

impl Clock for NoWait {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

/// Error kind, status, code and fields in one line.
pub(crate) fn brief(error: &unifi_client::Error) -> String {
    let debug = format!("{error:?}");
    let kind = debug.split(['(', ' ']).next().unwrap_or_default();
    let fields = error
        .refusal()
        .map(|refusal| refusal.fields.join(","))
        .unwrap_or_default();
    format!(
        "{kind} {} {} [{fields}]",
        error.status().unwrap_or_default(),
        error.code().unwrap_or("-")
    )
}
