//! What the console says itself: its start page, logins, who a caller is, and the CSRF token of sessions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue, Method, header};
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::door::http::{Request, Response};
use crate::world::State;
use crate::world::gateway::{Gateway, Kind, LoginRefusal, Session};

const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const UPDATED_CSRF: HeaderName = HeaderName::from_static("x-updated-csrf-token");

/// Who calls.
pub(super) struct Caller {
    pub(super) role: String,
    pub(super) username: String,
    /// Id of the session, where it is one.
    session: Option<String>,
}

/// Pages of the console, `None` for the Network application's paths.
pub(super) fn answer(state: &mut State, now: Duration, request: &Request) -> Option<Response> {
    let State { gateway, rng, .. } = state;
    let kind = gateway.console.kind;
    let get = request.method == Method::GET;
    let post = request.method == Method::POST;
    Some(match (kind, request.path()) {
        (Kind::UnifiOs, "/") => page("<!doctype html><title>UniFi OS</title>"),
        (Kind::Classic, "/") => redirect("/manage"),
        (Kind::Classic, "/status") if get => status(gateway),
        (Kind::UnifiOs, "/api/auth/login") | (Kind::Classic, "/api/login") if post => {
            login(gateway, now, rng, request)
        }
        (Kind::UnifiOs, "/api/auth/logout") | (Kind::Classic, "/api/logout") if post => {
            if let Some(id) = session_id(request) {
                gateway.console.logout(&id);
            }
            match kind {
                Kind::UnifiOs => Response::json(200, &json!({})),
                Kind::Classic => classic_ok(),
            }
        }
        _ => return None,
    })
}

/// Lets a caller in by key or session. A write by a session of UniFi OS has to bring its token.
pub(super) fn let_in(
    gateway: &Gateway,
    now: Duration,
    request: &Request,
) -> Result<Caller, Box<Response>> {
    let kind = gateway.console.kind;
    // Classic consoles know no keys and ignore the header.
    if let (Kind::UnifiOs, Some(key)) = (kind, request.header("x-api-key")) {
        let role = gateway
            .role_of(key)
            .ok_or_else(|| Box::new(unauthorized()))?;
        return Ok(Caller {
            role: role.to_owned(),
            username: "api".to_owned(),
            session: None,
        });
    }
    let id = session_id(request);
    let found = id
        .as_deref()
        .and_then(|id| gateway.console.session(now, id));
    let Some(session) = found else {
        return Err(Box::new(match kind {
            Kind::UnifiOs => unauthorized(),
            Kind::Classic => classic_error(401, "api.err.LoginRequired"),
        }));
    };
    let is_write = request.method != Method::GET;
    if kind == Kind::UnifiOs
        && is_write
        && request.header("x-csrf-token") != Some(session.csrf.as_str())
    {
        return Err(Box::new(proxy_error(403, "Invalid CSRF Token")));
    }
    Ok(Caller {
        role: session.role.clone(),
        username: session.username.clone(),
        session: id,
    })
}

/// Puts the session's token on an answer, a new one after a write.
pub(super) fn see_off(
    gateway: &mut Gateway,
    now: Duration,
    rng: &mut StdRng,
    caller: &Caller,
    is_write: bool,
    response: &mut Response,
) {
    let Some(id) = &caller.session else { return };
    if gateway.console.kind != Kind::UnifiOs {
        return;
    }
    if is_write {
        gateway.console.rotate(rng, id);
    }
    if let Some(session) = gateway.console.session(now, id) {
        let name = if is_write { UPDATED_CSRF } else { CSRF };
        set(response, name, &session.csrf);
    }
}

/// What the proxy says, whatever is asked for.
pub(super) fn unauthorized() -> Response {
    proxy_error(401, "Unauthorized")
}

fn proxy_error(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &json!({ "error": { "code": status, "message": message } }),
    )
}

fn login(gateway: &mut Gateway, now: Duration, rng: &mut StdRng, request: &Request) -> Response {
    let fields: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = |name: &str| fields[name].as_str().unwrap_or_default();
    let kind = gateway.console.kind;
    let (username, password) = (text("username"), text("password"));
    let (id, session) = match gateway.console.login(now, rng, username, password) {
        Ok(opened) => opened,
        Err(refusal) => return refused(kind, refusal),
    };
    match kind {
        Kind::UnifiOs => {
            let mut response = Response::json(200, &account(&session));
            let cookie = format!("TOKEN={}; Path=/; HttpOnly; Secure", token(&id, &session));
            set(&mut response, header::SET_COOKIE, &cookie);
            set(&mut response, CSRF, &session.csrf);
            response
        }
        Kind::Classic => {
            let mut response = classic_ok();
            let cookie = format!("unifises={id}; Path=/; HttpOnly; Secure");
            set(&mut response, header::SET_COOKIE, &cookie);
            response
        }
    }
}

fn refused(kind: Kind, refusal: LoginRefusal) -> Response {
    let os = |status: u16, code: &str, message: &str| {
        Response::json(
            status,
            &json!({ "code": code, "message": message, "level": "debug" }),
        )
    };
    match (kind, refusal) {
        (Kind::UnifiOs, LoginRefusal::Credentials) => os(
            403,
            "AUTHENTICATION_FAILED_INVALID_CREDENTIALS",
            "Invalid username or password",
        ),
        (_, LoginRefusal::Limit) => os(
            429,
            "AUTHENTICATION_FAILED_LIMIT_REACHED",
            "You've reached the login attempt limit",
        ),
        (Kind::UnifiOs, LoginRefusal::SecondFactor) => Response::json(
            499,
            &json!({
                "code": "MFA_AUTH_REQUIRED",
                "message": "MFA token required to authenticate to SSO",
                "data": {
                    "required": "2fa",
                    "mfaCookie": "UBIC_2FA=canary-mfa-cookie",
                    "authenticators": [
                        { "type": "email", "status": "active" },
                        { "type": "webauthn", "status": "active" },
                    ],
                    "user": { "id": "somebody", "default_mfa": "email" },
                },
            }),
        ),
        (Kind::Classic, LoginRefusal::Credentials) => classic_error(400, "api.err.Invalid"),
        (Kind::Classic, LoginRefusal::SecondFactor) => {
            classic_error(400, "api.err.Ubic2faTokenRequired")
        }
    }
}

/// The account as UniFi OS shows it after a login.
fn account(session: &Session) -> Value {
    let permission = if session.role == "admin" {
        "admin"
    } else {
        "readonly"
    };
    json!({
        "unique_id": "868d288b-a642-4209-a768-000000000001",
        "username": session.username,
        "full_name": session.username,
        "email": "",
        "email_status": "UNVERIFIED",
        "status": "ACTIVE",
        "local_account_exist": true,
        "sso_account": "",
        "roles": [{ "name": "Administrator", "system_role": true, "level": 2 }],
        "permissions": { "network.management": [permission] },
    })
}

/// A session's cookie is a JSON web token that holds the CSRF token as well.
fn token(id: &str, session: &Session) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = part(&json!({ "csrfToken": session.csrf, "userId": session.username }));
    format!("{header}.{claims}.{id}")
}

fn session_id(request: &Request) -> Option<String> {
    let cookies = request.header("cookie")?;
    cookies.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        match name {
            "TOKEN" => value.rsplit('.').next().map(str::to_owned),
            "unifises" => Some(value.to_owned()),
            _ => None,
        }
    })
}

fn status(gateway: &Gateway) -> Response {
    Response::json(
        200,
        &json!({
            "meta": { "rc": "ok", "up": true, "server_version": gateway.version(), "uuid": "e8d66d67-1c40-4787-b227-000000000001" },
            "data": [],
        }),
    )
}

fn classic_ok() -> Response {
    Response::json(200, &json!({ "meta": { "rc": "ok" }, "data": [] }))
}

fn classic_error(status: u16, code: &str) -> Response {
    Response::json(
        status,
        &json!({ "meta": { "rc": "error", "msg": code }, "data": [] }),
    )
}

fn page(text: &'static str) -> Response {
    let mut page = Response::empty(200);
    page.headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    page.body = text.into();
    page
}

fn redirect(target: &'static str) -> Response {
    let mut response = Response::empty(302);
    response
        .headers
        .insert(header::LOCATION, HeaderValue::from_static(target));
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers.append(name, value);
    }
}
