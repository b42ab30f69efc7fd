//! A server in memory, a clock that never waits, and a signer that needs no key.
#![allow(dead_code)] // each test binary uses its part

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{Bytes, Clock, Error, Exchange, ExchangeResponse, HeaderMap};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use omni_client::{Client, ClientBuilder, KeyError, Signer};
use serde_json::Value;

/// What the server does with the next request.
pub(crate) enum Answer {
    Whole {
        status: u16,
        headers: HeaderMap,
        body: String,
    },
    /// Lines; then the connection stays open (`cut: false`) or breaks.
    Stream {
        chunks: Vec<String>,
        cut: bool,
    },
    /// No answer at all.
    Silence,
    Reset,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Whole {
            status,
            headers: HeaderMap::new(),
            body: body.to_string(),
        }
    }

    pub(crate) fn ok() -> Self {
        Self::json(200, &serde_json::json!({}))
    }

    pub(crate) fn refusal(status: u16, code: i32, message: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({"code": code, "message": message}),
        )
    }
}

/// Answers in order; then hangs.
#[derive(Default)]
pub(crate) struct Server {
    answers: Mutex<VecDeque<Answer>>,
    pub(crate) seen: Mutex<Vec<http::Request<Bytes>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        })
    }

    /// The methods called so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let name = |request: &http::Request<Bytes>| {
            request.uri().path().rsplit('/').next().unwrap().to_owned()
        };
        self.seen.lock().unwrap().iter().map(name).collect()
    }

    pub(crate) fn body(&self, call: usize) -> Value {
        serde_json::from_slice(self.seen.lock().unwrap()[call].body()).unwrap()
    }
}

#[async_trait::async_trait]
impl Exchange for Server {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error> {
        self.seen.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(Answer::Whole {
                status,
                headers,
                body,
            }) => Ok(ExchangeResponse {
                headers,
                ..ExchangeResponse::whole(status, body)
            }),
            Some(Answer::Stream { chunks, cut }) => {
                let parts = stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))));
                let end = if cut {
                    stream::once(async { Err(Error::interrupted("https://omni", "cut")) }).boxed()
                } else {
                    stream::pending().boxed()
                };
                Ok(ExchangeResponse {
                    body: parts.chain(end).boxed(),
                    ..ExchangeResponse::whole(200, "")
                })
            }
            Some(Answer::Reset) => Err(Error::interrupted("https://omni", "reset")),
            Some(Answer::Silence) | None => std::future::pending().await,
        }
    }
}

/// Every look at it is ten seconds later than the one before; sleeps take no time and are noted.
#[derive(Debug)]
pub(crate) struct Hasty {
    pub(crate) wall: SystemTime,
    pub(crate) step: Duration,
    now: Mutex<Duration>,
    pub(crate) slept: Mutex<Vec<Duration>>,
}

impl Hasty {
    pub(crate) fn at(wall: SystemTime) -> Arc<Self> {
        Arc::new(Self {
            wall,
            step: Duration::from_secs(10),
            now: Mutex::default(),
            slept: Mutex::default(),
        })
    }

    pub(crate) fn stepping(step: Duration) -> Arc<Self> {
        Arc::new(Self {
            wall: SystemTime::UNIX_EPOCH,
            step,
            now: Mutex::default(),
            slept: Mutex::default(),
        })
    }
}

impl Clock for Hasty {
    fn now(&self) -> Duration {
        let mut now = self.now.lock().unwrap();
        *now += self.step;
        *now
    }
    fn wall(&self) -> SystemTime {
        self.wall
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }
}

#[derive(Debug)]
pub(crate) struct Paper {
    pub(crate) identity: String,
    pub(crate) key_id: String,
    pub(crate) signature: Vec<u8>,
}

impl Default for Paper {
    fn default() -> Self {
        Self {
            identity: "ci".into(),
            key_id: "00ff".into(),
            signature: b"signed".to_vec(),
        }
    }
}

impl Signer for Paper {
    fn sign(&self, _payload: &[u8], _at: SystemTime) -> Result<Vec<u8>, KeyError> {
        Ok(self.signature.clone())
    }
    fn identity(&self) -> &str {
        &self.identity
    }
    fn key_id(&self) -> &str {
        &self.key_id
    }
}

pub(crate) fn client(server: &Arc<Server>, signer: Paper, clock: Arc<dyn Clock>) -> Client {
    ClientBuilder::new("https://omni.example")
        .signer(Arc::new(signer))
        .clock(clock)
        .exchange(server.clone())
        .build()
        .unwrap()
}

pub(crate) fn simple(server: &Arc<Server>) -> Client {
    client(server, Paper::default(), Hasty::at(SystemTime::UNIX_EPOCH))
}
