//! A gateway made of canned answers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{Bytes, Clock, Error, Exchange, ExchangeResponse, HeaderMap, HeaderValue};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use unifi_client::{Client, Mac, Platform};

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

/// Status, headers, body.
type Canned = (u16, Vec<(&'static str, String)>, Bytes);

const JSON: &str = "application/json;charset=UTF-8";
pub(crate) const PASSWORD: &str = "canary-password-0123456789";

/// Answers by `METHOD path`; several of one call are given in turn, the last one stays.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    answers: Mutex<HashMap<String, VecDeque<Canned>>>,
    otherwise: Mutex<Option<Canned>>,
    seen: Mutex<Vec<Seen>>,
    reads: Gauge,
    writes: Gauge,
    hurried: bool,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One whose answers are there at once.
    pub(crate) fn at_once() -> Arc<Self> {
        Arc::new(Self {
            hurried: true,
            ..Self::default()
        })
    }

    /// The same answer to everything.
    pub(crate) fn always(status: u16, body: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self {
            otherwise: Mutex::new(Some(canned(status, JSON, body))),
            ..Self::default()
        })
    }

    /// `call`: method and path below `/proxy/network`; with `@` before the path where there is no such prefix.
    pub(crate) fn on(
        self: &Arc<Self>,
        call: &str,
        status: u16,
        body: impl Into<Bytes>,
    ) -> Arc<Self> {
        self.typed(call, status, JSON, body)
    }

    pub(crate) fn typed(
        self: &Arc<Self>,
        call: &str,
        status: u16,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Arc<Self> {
        self.push(call, canned(status, content_type, body))
    }

    /// An answer with headers of its own.
    pub(crate) fn with(
        self: &Arc<Self>,
        call: &str,
        status: u16,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &str)],
    ) -> Arc<Self> {
        let mut canned = canned(status, JSON, body);
        let more = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        canned.1.extend(more);
        self.push(call, canned)
    }

    /// What all other calls are answered.
    pub(crate) fn or(self: &Arc<Self>, status: u16, body: impl Into<Bytes>) -> Arc<Self> {
        *self.otherwise.lock().unwrap() = Some(canned(status, JSON, body));
        self.clone()
    }

    fn push(self: &Arc<Self>, call: &str, canned: Canned) -> Arc<Self> {
        let mut answers = self.answers.lock().unwrap();
        answers
            .entry(call.to_owned())
            .or_default()
            .push_back(canned);
        drop(answers);
        self.clone()
    }

    /// A client with a login; pauses are kept in `pauses`.
    pub(crate) fn login(
        self: &Arc<Self>,
        platform: Option<Platform>,
        clock: Arc<dyn Clock>,
    ) -> Client {
        let builder = Client::builder("https://192.0.2.1")
            .exchange(self.clone())
            .clock(clock)
            .login("operator", PASSWORD.to_owned().into());
        let builder = match platform {
            Some(platform) => builder.platform(platform),
            None => builder,
        };
        builder.build().unwrap()
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
            .map_or_else(|| format!("@{path}"), str::to_owned);
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
        for _ in 0..if self.hurried { 0 } else { 20 } {
            tokio::task::yield_now().await;
        }
        gauge.now.fetch_sub(1, Ordering::SeqCst);
        let (status, sent, body) = {
            let mut answers = self.answers.lock().unwrap();
            match (answers.get_mut(&call), &*self.otherwise.lock().unwrap()) {
                (Some(queue), _) if queue.len() > 1 => queue.pop_front().unwrap(),
                (Some(queue), _) => queue[0].clone(),
                (None, Some(canned)) => canned.clone(),
                (None, None) => panic!("unexpected call {call}"),
            }
        };
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_str(&value).unwrap());
        }
        let body = stream::once(async move { Ok(body) }).boxed();
        Ok(ExchangeResponse {
            status,
            reason: String::new(),
            headers,
            body,
        })
    }
}

fn canned(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Canned {
    (
        status,
        vec![("content-type", content_type.to_owned())],
        body.into(),
    )
}

/// Every pause is over at once.
#[derive(Debug)]
pub(crate) struct NoWait;

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
