//! The HTTP dialects of a UniFi OS gateway: the proxy in front, and behind it the legacy, the v2 and the
//! integration API of the Network application.

mod integration;
mod legacy;
mod policies;
mod v2;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use super::http::{Request, Response};
use crate::World;
use crate::world::State;

/// Where the Network application is behind the proxy.
const NETWORK: &str = "/proxy/network";
/// The one site there is.
const SITE: &str = "default";

/// A call to the Network application.
struct Call<'a> {
    method: &'a str,
    /// Below the prefix; segments are not decoded, as the gateway does not decode them.
    path: Vec<&'a str>,
    query: Vec<(String, String)>,
    body: &'a [u8],
    role: String,
    /// Path as the integration API repeats it in errors.
    request_path: &'a str,
}

/// What a call needs of the world.
struct Site<'a> {
    state: &'a mut State,
    now: Duration,
}

impl Call<'_> {
    fn is_write(&self) -> bool {
        self.method != Method::GET.as_str()
    }

    fn may_write(&self) -> bool {
        self.role == "admin"
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as an object.
    fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(self.body).ok()
    }
}

/// Answers a request to the gateway.
#[allow(clippy::unused_async)] // called like the doors that wait
pub async fn answer(world: &Arc<World>, request: Request) -> Response {
    let Some(path) = request.path().strip_prefix(NETWORK) else {
        return outside(&request);
    };
    let key = request.header("x-api-key").unwrap_or_default();
    world.act(|state, now| {
        let Some(role) = state.gateway.role_of(key).map(str::to_owned) else {
            return unauthorized();
        };
        let call = Call {
            method: request.method.as_str(),
            path: path.trim_matches('/').split('/').collect(),
            query: request.query(),
            body: &request.body,
            role,
            request_path: path,
        };
        dispatch(&mut Site { state, now }, &call)
    })
}

fn dispatch(site: &mut Site<'_>, call: &Call<'_>) -> Response {
    match call.path.as_slice() {
        ["integration", "v1", rest @ ..] => integration::dispatch(site, call, rest),
        ["api", rest @ ..] => legacy::dispatch(site, call, rest),
        ["v2", "api", "site", name, rest @ ..] => v2::dispatch(site, call, name, rest),
        _ => Response::json(
            404,
            &json!({ "error": { "code": 404, "message": "Not Found" } }),
        ),
    }
}

/// The console itself: its start page, and nothing else without a login.
fn outside(request: &Request) -> Response {
    if request.path() == "/" {
        let mut page = Response::empty(200);
        page.headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("text/html"),
        );
        page.body = "<!doctype html><title>UniFi OS</title>".into();
        return page;
    }
    unauthorized()
}

/// What the proxy says, whatever is asked for.
fn unauthorized() -> Response {
    Response::json(
        401,
        &json!({ "error": { "code": 401, "message": "Unauthorized" } }),
    )
}
