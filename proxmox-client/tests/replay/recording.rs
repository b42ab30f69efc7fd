//! Recorded exchanges with a real Proxmox VE, and an [`Exchange`] that gives their answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{Bytes, Clock, Error, Exchange, ExchangeResponse, HeaderMap};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// Parameter to values, in order.
pub(crate) type Params = BTreeMap<String, Vec<String>>;

/// One recorded exchange.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) method: String,
    /// Decoded path segments.
    pub(crate) path: Vec<String>,
    pub(crate) query: Params,
    /// Form or JSON parameters; `None` when a JSON value is not a scalar or a list of them.
    pub(crate) params: Option<Params>,
    /// The token's header, `=` after the scheme; `None` for other credentials, and where the recording left
    /// them out.
    pub(crate) authorization: Option<String>,
    /// The ticket, decoded.
    pub(crate) ticket: Option<String>,
    pub(crate) csrf: Option<String>,
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: String,
}

impl Recording {
    /// User and password of a login.
    pub(crate) fn login(&self) -> Option<(String, String)> {
        let is_login = self.method == "POST" && self.path.ends_with(&["ticket".to_owned()]);
        let params = self.params.as_ref().filter(|_| is_login)?;
        let one = |key: &str| params.get(key)?.first().cloned();
        let user = one("username")?;
        let user = match one("realm") {
            Some(realm) => format!("{user}@{realm}"),
            None => user,
        };
        Some((user, one("password")?))
    }

    /// The parameters in the form in which the client sends the same: a user with its realm, and the lists
    /// of JSON that stand for a text as that text.
    pub(crate) fn meant(&self) -> Option<Params> {
        let mut params = self.params.clone()?;
        if let Some((user, _)) = self.login() {
            params.remove("realm");
            params.insert("username".to_owned(), vec![user]);
        }
        if self.path.ends_with(&["config".to_owned()]) {
            for values in params.values_mut() {
                *values = vec![values.join(",")];
            }
        }
        Some(params)
    }

    /// `data` of the answer.
    pub(crate) fn data(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body.get("data").cloned().unwrap_or_default()
    }
}

/// The project's recordings, by number.
pub(crate) fn load() -> Vec<Recording> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/proxmox");
    read_all(&fixtures).expect("fixtures are part of the repository")
}

/// The project's recordings, and those beside the project, where they are.
pub(crate) fn places() -> Vec<(&'static str, Vec<Recording>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire/proxmox");
    let mut places = vec![("fixtures", load())];
    match read_all(&beside) {
        Some(recordings) => places.push(("shared", recordings)),
        None => println!("no recordings beside the project: only its own are replayed"),
    }
    places
}

fn read_all(folder: &Path) -> Option<Vec<Recording>> {
    let mut all: Vec<Recording> = std::fs::read_dir(folder)
        .ok()?
        .map(|entry| read(&entry.expect("readable directory").path()))
        .collect();
    all.sort_by_key(|recording| recording.number);
    Some(all)
}

fn read(file: &Path) -> Recording {
    let json: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |pointer: &str| {
        json.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let (number, name) = stem.split_once('-').unwrap();
    let (path, query) = split_target(text("/request/path"));
    let header = |name: &str| json["request"]["headers"][name].as_str().map(str::to_owned);
    let cookie = header("Cookie").unwrap_or_default();
    let mut status_line = text("/response/status_line").splitn(3, ' ').skip(1);
    Recording {
        number: number.parse().unwrap(),
        name: name.to_owned(),
        method: text("/request/method").to_owned(),
        path,
        query,
        params: params(text("/request/body")),
        // A blank in its place means the same.
        authorization: header("Authorization")
            .map(|value| value.replacen("PVEAPIToken ", "PVEAPIToken=", 1)),
        ticket: cookie
            .strip_prefix("PVEAuthCookie=")
            .map(|ticket| decode(ticket, false)),
        csrf: header("CSRFPreventionToken"),
        status: status_line.next().unwrap().parse().unwrap(),
        reason: status_line.next().unwrap_or_default().to_owned(),
        body: text("/response/body").to_owned(),
    }
}

/// Path segments and query of a request target.
pub(crate) fn split_target(target: &str) -> (Vec<String>, Params) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let segments = path
        .split('/')
        .skip(1)
        .map(|segment| decode(segment, false))
        .collect();
    (segments, form(query))
}

/// Parameters of a form or JSON body.
pub(crate) fn params(body: &str) -> Option<Params> {
    if !body.starts_with('{') {
        return Some(form(body));
    }
    let object: BTreeMap<String, Value> = serde_json::from_str(body).ok()?;
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        _ => None,
    };
    let values = |value: &Value| match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        one => Some(vec![scalar(one)?]),
    };
    object
        .iter()
        .map(|(key, value)| Some((key.clone(), values(value)?)))
        .collect()
}

fn form(text: &str) -> Params {
    let mut params = Params::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        params
            .entry(decode(key, true))
            .or_default()
            .push(decode(value, true));
    }
    params
}

pub(crate) fn decode(text: &str, plus: bool) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let plain = if plus && *first == b'+' { b' ' } else { *first };
        bytes.push(byte.unwrap_or(plain));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

/// An answer to give, or `Err` for a connection that cannot be made.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, reason: &str, body: &str) -> Self {
        Self::raw(status, reason, body.to_owned())
    }

    pub(crate) fn raw(status: u16, reason: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            body: body.into(),
        }
    }
}

type Respond = Box<dyn Fn(&http::Request<Bytes>, usize) -> Option<Answer> + Send + Sync>;

/// Gives answers made from the request and its number, and keeps what it was asked. `None`: no connection.
pub(crate) struct Scripted {
    respond: Respond,
    seen: Mutex<Vec<http::Request<Bytes>>>,
}

impl Scripted {
    pub(crate) fn new(
        respond: impl Fn(&http::Request<Bytes>, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            respond: Box::new(respond),
            seen: Mutex::default(),
        })
    }

    pub(crate) fn seen(&self) -> Vec<http::Request<Bytes>> {
        self.seen.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait::async_trait]
impl Exchange for Scripted {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<ExchangeResponse, Error> {
        let earlier = self.seen.lock().unwrap().len();
        let answer = (self.respond)(&request, earlier);
        let endpoint = request.uri().to_string();
        self.seen.lock().unwrap().push(request);
        let answer = answer.ok_or_else(|| Error::connect(endpoint, "connection refused"))?;
        Ok(ExchangeResponse {
            status: answer.status,
            reason: answer.reason,
            headers: HeaderMap::new(),
            body: futures_util::stream::once(async move { Ok(answer.body) }).boxed(),
        })
    }
}

/// A clock on which sleeping takes no time.
#[derive(Debug, Default)]
pub(crate) struct Leaping(Mutex<Duration>);

impl Clock for Leaping {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now()
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        *self.0.lock().unwrap() += duration;
        Box::pin(std::future::ready(()))
    }
}
