//! Omni's JSON gateway: `POST /api/<service>/<method>`.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::server::Answer;
use crate::World;
use crate::world::omni::access::Caller;
use crate::world::omni::api::ApiError;
use crate::world::omni::schema::{self, Fields};

mod auth;
mod login;
mod management;
mod resources;

const RESOURCES: &str = "omni.resources.ResourceService";
const MANAGEMENT: &str = "management.ManagementService";
const AUTH: &str = "auth.AuthService";

/// A call that was understood and whose caller is known.
struct Call<'a> {
    world: &'a Arc<World>,
    caller: Caller,
    request: &'a Request,
    /// The request message, normalised.
    message: Value,
}

impl Call<'_> {
    /// A text field of the message.
    fn text(&self, key: &str) -> &str {
        self.message
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.message
            .get(key)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    fn number(&self, key: &str) -> usize {
        let number = self.message.get(key).and_then(Value::as_u64).unwrap_or(0);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Values of a metadata key.
    fn metadata(&self, key: &str) -> Vec<&str> {
        auth::metadata(self.request, key)
    }
}

/// Answers a request.
pub(super) async fn answer(world: &Arc<World>, request: Request) -> Answer {
    let mut answer = route(world, &request).await;
    let head = match &mut answer {
        Answer::Whole(head) | Answer::Stream(head, _) => head,
    };
    head.headers
        .insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    // The server's clock is the world's, which may run faster than ours.
    let date = httpdate::fmt_http_date(world.wall(world.now()));
    if let Ok(date) = HeaderValue::from_str(&date) {
        head.headers.insert(header::DATE, date);
    }
    answer
}

async fn route(world: &Arc<World>, request: &Request) -> Answer {
    let path = request.path();
    if path == "/healthz" {
        return Answer::Whole(Response::empty(200));
    }
    let Some((service, method)) = path
        .strip_prefix("/api/")
        .and_then(|path| path.split_once('/'))
    else {
        return refusal(&ApiError::new(5, "Not Found"));
    };
    let fields = match service {
        RESOURCES => resources::fields(method),
        MANAGEMENT => management::fields(method),
        AUTH => login::fields(method),
        _ => None,
    };
    let Some(fields) = fields else {
        return refusal(&ApiError::new(5, "Not Found"));
    };
    if request.method != Method::POST {
        return refusal(&ApiError::new(12, "Method Not Allowed"));
    }
    let message = match decode(fields, request) {
        Ok(message) => message,
        Err(error) => return refusal(&error),
    };
    if service == AUTH {
        return match login::call(world, method, &message).await {
            Ok(body) => Answer::Whole(success(&body)),
            Err(error) => refusal(&error),
        };
    }
    let streaming = method == "Watch";
    let caller = match auth::caller(world, request, service, method, &message) {
        Ok(caller) => caller,
        Err(error) if streaming => return stream_refusal(&error),
        Err(error) => return refusal(&error),
    };
    let call = Call {
        world,
        caller,
        request,
        message,
    };
    if streaming {
        return match resources::watch(&call) {
            Ok(lines) => Answer::Stream(success(&json!({})), lines),
            Err(error) => stream_refusal(&error),
        };
    }
    let outcome = match service {
        RESOURCES => resources::call(&call, method).await,
        _ => management::call(&call, method),
    };
    match outcome {
        Ok(body) => Answer::Whole(success(&body)),
        Err(error) => refusal(&error),
    }
}

fn success(body: &Value) -> Response {
    let mut response = Response::json(200, body);
    response.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response.headers.insert(
        "grpc-metadata-content-type",
        HeaderValue::from_static("application/grpc"),
    );
    response
}

fn refusal(error: &ApiError) -> Answer {
    let mut response = failed(
        error.status(),
        &json!({"code": error.code, "message": error.message}),
    );
    if error.code == 16 {
        let reason = HeaderValue::from_str(&error.message);
        response
            .headers
            .extend(reason.ok().map(|reason| (header::WWW_AUTHENTICATE, reason)));
    }
    Answer::Whole(response)
}

/// An error before the first message of a stream is wrapped once more.
fn stream_refusal(error: &ApiError) -> Answer {
    let body = json!({"error": {"code": error.code, "message": error.message}});
    Answer::Whole(failed(error.status(), &body))
}

fn failed(status: u16, body: &Value) -> Response {
    let mut response = Response::json(status, body);
    response.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn decode(fields: Fields, request: &Request) -> Result<Value, ApiError> {
    let text = String::from_utf8_lossy(&request.body);
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| ApiError::new(3, syntax_error(&text, &error)))?;
    schema::normalise(fields, &value, &text).map_err(|error| ApiError::new(3, error))
}

/// The message of Go's JSON reader for text that is not JSON.
fn syntax_error(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected EOF".to_owned();
    }
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let at = error.column().saturating_sub(1);
    let character = line.chars().nth(at).unwrap_or(' ');
    let before = line.chars().take(at).filter(|c| !c.is_whitespace()).last();
    let place = match before {
        Some('{') => "looking for beginning of object key string",
        Some(',' | '[' | ':') | None => "looking for beginning of value",
        Some(_) => "after top-level value",
    };
    format!("invalid character '{character}' {place}")
}
