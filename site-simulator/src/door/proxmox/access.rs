//! Who calls: a token, or a ticket had at `/access/ticket`.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::super::http::{Request, decode};
use super::params::{Kind, Params};
use super::{Early, Reply};
use crate::World;
use crate::world::proxmox::{Asked, Caller, Cluster, Refusal};

/// What the privileges in an answer to a login are sorted into, by how they begin.
const CAPABILITIES: [(&str, &[&str]); 7] = [
    ("vms", &["VM."]),
    ("storage", &["Datastore."]),
    ("access", &["User.", "Group.", "Realm.", "Permissions."]),
    ("dc", &["Sys."]),
    ("sdn", &["SDN."]),
    ("nodes", &["Sys."]),
    ("mapping", &["Mapping."]),
];

/// Whether a request is a login, which needs no credentials of its own.
pub(super) fn is_login(request: &Request, path: &str) -> bool {
    request.method == Method::POST && path.trim_end_matches('/') == "access/ticket"
}

/// Answers a login.
pub(super) fn log_in(
    world: &Arc<World>,
    provider: &str,
    request: &Request,
) -> Result<Reply, Early> {
    let params = Params::read(request).map_err(|(status, text)| Early::Plain(status, text))?;
    let login = || {
        let text = |name| (name, Kind::Text);
        params.verify(&[
            text("username"),
            text("password"),
            text("realm"),
            text("otp"),
            text("tfa-challenge"),
            ("new-format", Kind::Flag),
        ])?;
        let (name, password) = (params.required("username")?, params.required("password")?);
        let user = match params.get("realm") {
            Some(realm) => format!("{name}@{realm}"),
            None => name,
        };
        let challenge = params.get("tfa-challenge");
        let asked = Asked {
            user: &user,
            password: &password,
            challenge: challenge.as_deref(),
        };
        let login = on(world, provider, |cluster, unix| {
            cluster.log_in(&asked, unix)
        })?;
        let mut data = json!({
            "username": user,
            "ticket": login.ticket,
            "CSRFPreventionToken": login.csrf,
        });
        match login.caller {
            Some(caller) => data["cap"] = capabilities(&caller),
            None => data["NeedTFA"] = json!(1),
        }
        Ok(Reply::Data(data))
    };
    login().map_err(Early::Refused)
}

/// Who makes a call. A cookie is taken before a token, and a write by ticket needs its second token.
pub(super) fn caller(
    world: &Arc<World>,
    provider: &str,
    request: &Request,
) -> Result<Caller, Refusal> {
    let authorization = request.header("authorization");
    let cookies = request.header("cookie").unwrap_or_default().split(';');
    let mut cookies = cookies.filter_map(|cookie| cookie.trim().strip_prefix("PVEAuthCookie="));
    let in_header = || authorization?.strip_prefix("PVEAuthCookie ");
    let Some(ticket) = cookies.next().or_else(in_header) else {
        return on(world, provider, |cluster, _| {
            cluster.authenticate(authorization)
        });
    };
    // A ticket may come as it is, and ends with signs that mean something in a form.
    let ticket = decode(&ticket.replace('=', "%3D"));
    let caller = on(world, provider, |cluster, unix| {
        cluster.by_ticket(&ticket, unix)
    })?;
    let csrf = request.header("csrfpreventiontoken").unwrap_or_default();
    if request.method != Method::GET && !Cluster::is_csrf(&caller, csrf) {
        let text = "Permission denied - invalid csrf token";
        return Err(Refusal::bare(401, text));
    }
    Ok(caller)
}

fn on<T>(
    world: &Arc<World>,
    provider: &str,
    ask: impl FnOnce(&Cluster, u64) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    world.act(|state, now| match state.proxmox.get(provider) {
        Some(cluster) => ask(cluster, cluster.epoch() + now.as_secs()),
        None => Err(Refusal::bare(595, "Connection refused")),
    })
}

fn capabilities(caller: &Caller) -> Value {
    let held = caller.privileges("/");
    let sorted = CAPABILITIES.iter().map(|(area, beginnings)| {
        let own = held.iter().filter(|name| {
            beginnings
                .iter()
                .any(|beginning| name.starts_with(beginning))
        });
        let own: Map<String, Value> = own.map(|name| (name.clone(), json!(1))).collect();
        ((*area).to_owned(), Value::Object(own))
    });
    Value::Object(sorted.collect())
}
