//! What a login leaves: session cookies and the CSRF token, both of which rotate.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api_transport::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

const COOKIE: HeaderName = HeaderName::from_static("cookie");
const SET_COOKIE: HeaderName = HeaderName::from_static("set-cookie");
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// The token after its rotation; it wins over the plain one where both come.
const UPDATED_CSRF: HeaderName = HeaderName::from_static("x-updated-csrf-token");

/// Cookies that are a session: UniFi OS, some of its builds, classic.
const SESSIONS: [&str; 3] = ["TOKEN", "UOS_TOKEN", "unifises"];
/// Classic consoles set this beside theirs.
const CSRF_COOKIE: &str = "csrf_token";

/// Cookies and CSRF token of one login.
pub(crate) struct Tokens {
    jar: Mutex<Jar>,
    /// Whether a call was let in with it. A session that never was is not renewed: that would not help.
    pub(super) proven: AtomicBool,
}

#[derive(Default)]
struct Jar {
    cookies: Vec<(String, String)>,
    csrf: Option<String>,
}

impl Tokens {
    /// What the head of a login's answer brings.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let tokens = Self {
            jar: Mutex::default(),
            proven: AtomicBool::new(false),
        };
        tokens.learn(headers);
        tokens
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a session was opened at all.
    pub(super) fn has_session(&self) -> bool {
        let jar = self.jar();
        jar.cookies
            .iter()
            .any(|(name, _)| SESSIONS.contains(&name.as_str()))
    }

    /// The request with the cookies on it, and a write with the token.
    pub(super) fn on(&self, request: Request) -> Request {
        let jar = self.jar();
        let cookies: Vec<_> = jar
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let needs_token = request.method != Method::GET;
        let headers = [
            (COOKIE, Some(cookies.join("; "))),
            (CSRF, jar.csrf.clone().filter(|_| needs_token)),
        ];
        headers.into_iter().fold(request, |request, (name, value)| {
            match value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                Some(mut value) => {
                    value.set_sensitive(true);
                    request.header(name, value)
                }
                None => request,
            }
        })
    }

    /// Keeps the cookies and the CSRF token an answer brings: both rotate.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let mut jar = self.jar();
        for (name, value) in cookies(headers) {
            if name == CSRF_COOKIE {
                jar.csrf = Some(value.clone());
            } else if let Some(token) = claimed_token(&value) {
                jar.csrf = Some(token);
            }
            match jar.cookies.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => jar.cookies.push((name, value)),
            }
        }
        let token = [UPDATED_CSRF, CSRF]
            .iter()
            .filter_map(|name| headers.get(name)?.to_str().ok())
            .find(|token| !token.is_empty());
        if let Some(token) = token {
            jar.csrf = Some(token.to_owned());
        }
    }
}

/// Session cookies among those that are set; a cookie that is emptied ends nothing here, the next 401 does.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.get_all(SET_COOKIE).iter().filter_map(|value| {
        let pair = value.to_str().ok()?.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let known = SESSIONS.contains(&name) || name == CSRF_COOKIE;
        (known && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    })
}

/// Some builds give the CSRF token only as a claim of the session's JSON web token.
fn claimed_token(cookie: &str) -> Option<String> {
    let payload = cookie.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("csrfToken")?.as_str().map(str::to_owned)
}
