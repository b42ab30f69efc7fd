//! How requests prove who asks: a key, or one login that all calls share.

mod tokens;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api_transport::{HeaderName, HeaderValue, Method, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;

use self::tokens::Tokens;
use crate::wire::answer::{Answer, wrapped_status};
use crate::wire::console::LoginBody;
use crate::{Client, Error, Platform, Refusal};

const ACCEPT: HeaderName = HeaderName::from_static("accept");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Pauses after a login that was put off. Each try feeds the console's own limit, so they are few and long.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];
/// All pauses of one login together; what the console asks for is followed up to here.
const PATIENCE: Duration = Duration::from_mins(2);
/// After a login was put off to the end, others are not tried for this long.
const QUIET: Duration = Duration::from_secs(30);

/// What a client proves itself with.
pub(crate) enum Access {
    Key(HeaderValue),
    Login(Session),
}

/// A login and what came of it.
pub(crate) struct Session {
    username: String,
    password: SecretString,
    /// Held while logging in, so that concurrent calls wait for that login instead of making theirs.
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Tokens>>,
    /// A refusal that trying again only makes worse: every wrong password counts towards a lockout.
    refused: Option<Box<Refusal>>,
    /// A login that was put off to the end, and when.
    put_off: Option<(Duration, Box<Refusal>)>,
}

/// What a request was let in with, or not.
pub(crate) enum Pass<'a> {
    Key(&'a HeaderValue),
    Session(&'a Session, Arc<Tokens>),
}

/// What the proxy's answer says of the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    Expired,
    StaleToken,
}

impl Access {
    pub(crate) async fn pass(&self, client: &Client) -> Result<Pass<'_>, Error> {
        Ok(match self {
            Self::Key(key) => Pass::Key(key),
            Self::Login(session) => Pass::Session(session, session.tokens(client, None).await?),
        })
    }
}

impl Pass<'_> {
    /// The request with the credential on it.
    pub(crate) fn on(&self, request: Request) -> Request {
        match self {
            Self::Key(key) => request.header(API_KEY, (*key).clone()),
            Self::Session(_, tokens) => tokens.on(request),
        }
    }

    /// Reads what an answer says of the session, and keeps the tokens it brings.
    pub(crate) fn judge(&self, method: &Method, response: &Response) -> Verdict {
        let Self::Session(_, tokens) = self else {
            return Verdict::Fine;
        };
        tokens.learn(&response.headers);
        let status = wrapped_status(&response.body).unwrap_or(response.status);
        match status {
            401 if tokens.proven.load(Ordering::Relaxed) => Verdict::Expired,
            401 => Verdict::Fine,
            403 if *method != Method::GET && speaks_of_csrf(&response.body) => Verdict::StaleToken,
            _ => {
                tokens.proven.store(true, Ordering::Relaxed);
                Verdict::Fine
            }
        }
    }

    /// Makes the next pass a fresh one, by one login for however many calls found the session expired.
    pub(crate) async fn renew(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Key(_) => Ok(()),
            Self::Session(session, spent) => session.tokens(client, Some(spent)).await.map(drop),
        }
    }
}

impl Session {
    pub(crate) fn new(username: String, password: SecretString) -> Self {
        Self {
            username,
            password,
            state: tokio::sync::Mutex::default(),
        }
    }

    /// The session there is, unless it is `spent`; else a new one.
    async fn tokens(
        &self,
        client: &Client,
        spent: Option<&Arc<Tokens>>,
    ) -> Result<Arc<Tokens>, Error> {
        let mut state = self.state.lock().await;
        if let Some(refusal) = &state.refused {
            return Err(Error::Unauthorized(refusal.clone()));
        }
        if let Some(current) = &state.current
            && spent.is_none_or(|spent| !Arc::ptr_eq(spent, current))
        {
            return Ok(Arc::clone(current));
        }
        let now = client.transport().clock().now();
        if let Some((when, refusal)) = &state.put_off
            && now.saturating_sub(*when) < QUIET
        {
            return Err(Error::Busy(refusal.clone()));
        }
        state.current = None;
        let outcome = self.login(client).await;
        match &outcome {
            Ok(tokens) => state.current = Some(Arc::clone(tokens)),
            Err(Error::Unauthorized(refusal)) => state.refused = Some(refusal.clone()),
            Err(Error::Busy(refusal)) => {
                state.put_off = Some((client.transport().clock().now(), refusal.clone()));
            }
            Err(_) => {}
        }
        outcome
    }

    async fn login(&self, client: &Client) -> Result<Arc<Tokens>, Error> {
        let platform = client.platform().await?;
        let clock = client.transport().clock();
        let mut waited = Duration::ZERO;
        let mut pauses = PAUSES.into_iter();
        loop {
            let refusal = match self.try_login(client, platform).await {
                Err(Error::Busy(refusal)) => refusal,
                other => return other,
            };
            let pause = pauses.next().map(|pause| {
                let asked = refusal.retry_after.unwrap_or(pause);
                asked.mul_f64(1.0 + clock.random().clamp(0.0, 1.0) / 4.0)
            });
            let Some(pause) = pause.filter(|pause| waited + *pause <= PATIENCE) else {
                return Err(Error::Busy(refusal));
            };
            waited += pause;
            tracing::info!(?pause, "the console puts the login off");
            clock.sleep(pause).await;
        }
    }

    async fn try_login(&self, client: &Client, platform: Platform) -> Result<Arc<Tokens>, Error> {
        let call = format!("POST {}", platform.login_path());
        let transport = |source| Error::Transport {
            call: call.clone(),
            source,
        };
        let body = LoginBody {
            username: &self.username,
            password: self.password.expose_secret(),
            remember_me: false,
        };
        let request = Request::new(Method::POST, platform.login_path())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .json(&body)
            .map_err(transport)?;
        let response = client.transport().send(request).await.map_err(transport)?;
        let headers = response.headers.clone();
        let answer = Answer::check(call.clone(), response).map_err(sort_out)?;
        if platform == Platform::Classic {
            answer.rows::<IgnoredAny>().map_err(sort_out)?;
        }
        let tokens = Tokens::of(&headers);
        if tokens.has_session() {
            return Ok(Arc::new(tokens));
        }
        // Seen under throttling: success without a session.
        Err(Error::Busy(Box::new(Refusal {
            call,
            status: Some(answer.status),
            message: Some("the login was answered without a session".to_owned()),
            ..Refusal::default()
        })))
    }

    /// Ends the session on the console, if there is one.
    pub(crate) async fn end(&self, client: &Client) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        let Some(tokens) = state.current.take() else {
            return Ok(());
        };
        let platform = client.platform().await?;
        let path = platform.logout_path();
        let request = tokens.on(Request::new(Method::POST, path));
        let sent = client.transport().send(request).await;
        sent.map(drop).map_err(|source| Error::Transport {
            call: format!("POST {path}"),
            source,
        })
    }
}

/// A refused login is about the credentials, whatever status it came with.
fn sort_out(error: Error) -> Error {
    match error {
        Error::Forbidden(refusal) => Error::Unauthorized(refusal),
        Error::Invalid(refusal) if refusal.code.as_deref() == Some("api.err.Invalid") => {
            Error::Unauthorized(refusal)
        }
        Error::NotFound(refusal) => Error::Unsupported(refusal),
        other => other,
    }
}

/// `Invalid CSRF Token`, in whichever body the proxy wraps it.
fn speaks_of_csrf(body: &[u8]) -> bool {
    let start = &body[..body.len().min(1024)];
    start
        .to_ascii_lowercase()
        .windows(4)
        .any(|window| window == b"csrf")
}
