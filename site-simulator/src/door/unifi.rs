//! The HTTP dialects of a UniFi gateway: the console with its logins, and behind it the legacy, the v2 and, on
//! UniFi OS, the integration API of the Network application.

mod console;
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
use crate::world::gateway::Kind;

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
    role: &'a str,
    username: &'a str,
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
    world.act(|state, now| {
        if let Some(response) = console::answer(state, now, &request) {
            return response;
        }
        let path = match state.gateway.console.kind {
            Kind::UnifiOs => request.path().strip_prefix(NETWORK),
            Kind::Classic => Some(request.path()),
        };
        let Some(path) = path else {
            return console::unauthorized();
        };
        let caller = match console::let_in(&state.gateway, now, &request) {
            Ok(caller) => caller,
            Err(response) => return *response,
        };
        let call = Call {
            method: request.method.as_str(),
            path: path.trim_matches('/').split('/').collect(),
            query: request.query(),
            body: &request.body,
            role: &caller.role,
            username: &caller.username,
            request_path: path,
        };
        let is_write = call.is_write();
        let mut response = dispatch(&mut Site { state, now }, &call);
        let State { gateway, rng, .. } = state;
        console::see_off(gateway, now, rng, &caller, is_write, &mut response);
        response
    })
}

fn dispatch(site: &mut Site<'_>, call: &Call<'_>) -> Response {
    match call.path.as_slice() {
        ["integration", "v1", rest @ ..] if site.state.gateway.console.kind == Kind::UnifiOs => {
            integration::dispatch(site, call, rest)
        }
        ["api", rest @ ..] => legacy::dispatch(site, call, rest),
        ["v2", "api", "site", name, rest @ ..] => v2::dispatch(site, call, name, rest),
        _ => Response::json(
            404,
            &json!({ "error": { "code": 404, "message": "Not Found" } }),
        ),
    }
}
