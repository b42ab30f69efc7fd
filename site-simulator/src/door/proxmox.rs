//! The HTTP dialect of Proxmox VE: statuses, reason phrases, bodies, as recorded from 9.2.

mod access;
mod cluster;
mod guests;
mod lists;
mod params;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use self::params::Params;
use super::http::{Request, Response, decode};
use crate::World;
use crate::world::State;
use crate::world::proxmox::{Caller, Refusal};

/// Largest body taken.
const MAX_BODY: u64 = 512 * 1024;
/// How long an unknown caller is kept waiting.
const UNAUTHORIZED_DELAY: Duration = Duration::from_secs(3);

/// What a call answers.
enum Reply {
    /// `data`.
    Data(Value),
    /// `data` and the count of all there is.
    Counted(Value, usize),
}

/// A call with who makes it and where it goes.
struct Call<'a> {
    method: &'a Method,
    path: Vec<&'a str>,
    caller: Caller,
    provider: &'a str,
    params: Params,
}

/// What a call needs of the world.
struct Site<'a> {
    state: &'a mut State,
    now: Duration,
}

/// Answers a request to the cluster of a provider.
pub async fn answer(world: &Arc<World>, provider: &str, request: Request) -> Response {
    let response = respond(world, provider, &request).await;
    if response.status == 401 {
        world.clock().sleep(UNAUTHORIZED_DELAY).await;
    }
    response
}

async fn respond(world: &Arc<World>, provider: &str, request: &Request) -> Response {
    let (extjs, path) = match formatted(request) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let render = |result| {
        if extjs {
            render_extjs(result)
        } else {
            render(result)
        }
    };
    if access::is_login(request, &path) {
        return match access::log_in(world, provider, request) {
            Ok(reply) => render(Ok(reply)),
            Err(Early::Refused(refusal)) => render(Err(refusal)),
            Err(Early::Plain(status, text)) => plain(status, &text),
        };
    }
    let result = match prepare(world, provider, request, &path) {
        Ok(call) => call,
        Err(Early::Refused(refusal)) => return render(Err(refusal)),
        Err(Early::Plain(status, text)) => return plain(status, &text),
    };
    render(perform(world, result).await)
}

/// Why a request does not become a call.
enum Early {
    Refused(Refusal),
    Plain(u16, String),
}

/// The rules of the HTTP server itself. Tells whether the older JSON form is wanted, and the path below it.
fn formatted(request: &Request) -> Result<(bool, String), Box<Response>> {
    let refuse = |status, text: &str| Err(Box::new(plain(status, text)));
    let method = request.method.as_str();
    if !matches!(method, "GET" | "POST" | "PUT" | "DELETE") {
        let text = format!("method '{method}' not available");
        return Err(Box::new(Response::empty(501).with_reason(&text)));
    }
    if request
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        return refuse(501, "chunked transfer encoding not supported");
    }
    let announced = request
        .header("content-length")
        .and_then(|length| length.parse::<u64>().ok());
    let size = announced
        .unwrap_or(0)
        .max(u64::try_from(request.body.len()).unwrap_or(u64::MAX));
    if size > MAX_BODY {
        return refuse(501, "for data too large");
    }
    if matches!(method, "GET" | "DELETE") && size > 0 {
        return refuse(501, &format!("Unexpected content for method '{method}'"));
    }
    let Some((format, path)) = request
        .path()
        .strip_prefix("/api2/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return refuse(501, "no such uri");
    };
    match format {
        "json" => Ok((false, path.to_owned())),
        "extjs" => Ok((true, path.to_owned())),
        _ => refuse(501, &format!("no formatter for uri /{path}, {format}")),
    }
}

fn prepare<'a>(
    world: &Arc<World>,
    provider: &'a str,
    request: &'a Request,
    path: &'a str,
) -> Result<Prepared<'a>, Early> {
    let caller = access::caller(world, provider, request).map_err(Early::Refused)?;
    let params = Params::read(request).map_err(|(status, text)| Early::Plain(status, text))?;
    let path = path.trim_end_matches('/').split('/').map(decode).collect();
    Ok(Prepared {
        method: &request.method,
        path,
        caller,
        provider,
        params,
    })
}

/// A call before its path is taken apart.
struct Prepared<'a> {
    method: &'a Method,
    path: Vec<String>,
    caller: Caller,
    provider: &'a str,
    params: Params,
}

async fn perform(world: &Arc<World>, prepared: Prepared<'_>) -> Result<Reply, Refusal> {
    let Prepared {
        method,
        path,
        caller,
        provider,
        params,
    } = prepared;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut call = Call {
        method,
        path,
        caller,
        provider,
        params,
    };
    if let Some((node, vmid)) = guests::config_write(&call)? {
        return guests::write(world, &mut call, &node, vmid).await;
    }
    world.act(|state, now| dispatch(&mut Site { state, now }, &mut call))
}

fn dispatch(site: &mut Site<'_>, call: &mut Call<'_>) -> Result<Reply, Refusal> {
    match call.path.as_slice() {
        ["version"] if call.method == Method::GET => {
            call.params.verify(&[])?;
            Ok(Reply::Data(
                json!({ "release": "9.2", "repoid": "14a22df3", "version": "9.2.11" }),
            ))
        }
        ["nodes", _, "qemu", ..] => guests::dispatch(site, call),
        ["nodes", _, "tasks", ..] | ["cluster", "tasks"] => tasks::dispatch(site, call),
        _ => cluster::dispatch(site, call),
    }
}

/// The refusal of a path or method nobody serves.
fn not_implemented(call: &Call<'_>) -> Refusal {
    let path = call.path.join("/");
    Refusal::new(
        501,
        format!("Method '{} /{path}' not implemented", call.method),
    )
}

fn error_fields(refusal: &Refusal) -> Map<String, Value> {
    let newline = if refusal.status == 501 { "" } else { "\n" };
    let mut fields = Map::new();
    fields.insert("data".to_owned(), Value::Null);
    fields.insert(
        "message".to_owned(),
        Value::from(format!("{}{newline}", refusal.message)),
    );
    if !refusal.errors.is_empty() {
        fields.insert("errors".to_owned(), json!(refusal.errors));
    }
    fields
}

fn render(result: Result<Reply, Refusal>) -> Response {
    match result {
        Ok(Reply::Data(data)) => Response::json(200, &json!({ "data": data })),
        Ok(Reply::Counted(data, total)) => {
            Response::json(200, &json!({ "data": data, "total": total }))
        }
        Err(refusal) if refusal.bare => {
            Response::empty(refusal.status).with_reason(&refusal.message)
        }
        Err(refusal) => {
            let body = Value::Object(error_fields(&refusal));
            Response::json(refusal.status, &body).with_reason(&refusal.message)
        }
    }
}

/// The form for the web interface: always 200, the status in the body.
fn render_extjs(result: Result<Reply, Refusal>) -> Response {
    match result {
        Ok(Reply::Data(data) | Reply::Counted(data, _)) => {
            Response::json(200, &json!({ "data": data, "success": 1 }))
        }
        Err(refusal) if refusal.bare => render(Err(refusal)),
        Err(refusal) => {
            let mut fields = error_fields(&refusal);
            fields.insert("success".to_owned(), Value::from(0));
            fields.insert("status".to_owned(), Value::from(refusal.status));
            Response::json(200, &Value::Object(fields))
        }
    }
}

fn plain(status: u16, text: &str) -> Response {
    let mut response = Response::empty(status).with_reason(text);
    response.headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain"),
    );
    response.body = text.to_owned().into();
    response
}
