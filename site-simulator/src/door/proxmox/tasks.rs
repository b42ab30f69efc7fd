//! `…/tasks`.

use serde_json::{Value, json};

use super::params::Kind;
use super::{Call, Reply, Site, not_implemented};
use crate::world::proxmox::{Cluster, Refusal, Task, log_of};

pub(super) fn dispatch(site: &mut Site<'_>, call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let now = site.now;
    let cluster = site
        .state
        .proxmox
        .get_mut(call.provider)
        .ok_or_else(|| Refusal::bare(595, "Connection refused"))?;
    let Call {
        method,
        path,
        caller,
        params,
        ..
    } = call;
    match (method.as_str(), path.as_slice()) {
        ("GET", ["nodes", node, "tasks"]) => {
            let node = (*node).to_owned();
            list(cluster, call, &node)
        }
        ("GET", ["nodes", _, "tasks", upid, "status"]) => {
            params.verify(&[])?;
            cluster
                .task(caller, upid)
                .map(|task| Reply::Data(status(task)))
        }
        ("GET", ["nodes", _, "tasks", upid, "log"]) => {
            params.verify(&[("start", Kind::Int), ("limit", Kind::Int)])?;
            let lines = log_of(cluster.task(caller, upid)?);
            let start = usize::try_from(params.number("start").unwrap_or(0)).unwrap_or(usize::MAX);
            let limit = usize::try_from(params.number("limit").unwrap_or(50)).unwrap_or(usize::MAX);
            let total = lines.len();
            let rows = lines.into_iter().enumerate().skip(start).take(limit);
            let rows: Vec<Value> = rows
                .map(|(n, line)| json!({ "n": n + 1, "t": line }))
                .collect();
            Ok(Reply::Counted(json!(rows), total))
        }
        ("DELETE", ["nodes", _, "tasks", upid]) => {
            let upid = (*upid).to_owned();
            cluster.interrupt(now, caller, &upid)?;
            Ok(Reply::Data(Value::Null))
        }
        ("GET", ["cluster", "tasks"]) => {
            let rows: Vec<Value> = cluster
                .tasks(caller)
                .into_iter()
                .take(25)
                .map(row)
                .collect();
            Ok(Reply::Data(json!(rows)))
        }
        _ => Err(not_implemented(call)),
    }
}

fn list(cluster: &Cluster, call: &Call<'_>, node: &str) -> Result<Reply, Refusal> {
    let params = &call.params;
    params.verify(&[
        ("vmid", Kind::Int),
        ("limit", Kind::Int),
        ("start", Kind::Int),
        ("errors", Kind::Flag),
        ("source", Kind::OneOf(&["archive", "active", "all"])),
        ("statusfilter", Kind::Text),
        ("typefilter", Kind::Text),
        ("userfilter", Kind::Text),
        ("since", Kind::Int),
        ("until", Kind::Int),
    ])?;
    let source = params.get("source").unwrap_or_else(|| "archive".to_owned());
    let vmid = params.get("vmid");
    let states = params.get("statusfilter");
    let wanted = |task: &&Task| {
        let source_fits = match (source.as_str(), &task.exit) {
            ("archive", exit) => exit.is_some(),
            ("active", exit) => exit.is_none(),
            _ => true,
        };
        task.node == node
            && source_fits
            && vmid.as_ref().is_none_or(|vmid| *vmid == task.id)
            && (!params.is_on("errors")
                || task
                    .exit
                    .as_deref()
                    .is_some_and(|exit| outcome(exit) == "error"))
            && params
                .get("typefilter")
                .is_none_or(|kind| kind == task.kind)
            && states.as_ref().is_none_or(|states| {
                task.exit
                    .as_deref()
                    .is_some_and(|exit| states.split(',').any(|state| state == outcome(exit)))
            })
    };
    let found: Vec<&Task> = cluster
        .tasks(&call.caller)
        .into_iter()
        .filter(wanted)
        .collect();
    let total = found.len();
    let start = usize::try_from(params.number("start").unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(params.number("limit").unwrap_or(50)).unwrap_or(usize::MAX);
    let rows: Vec<Value> = found.into_iter().skip(start).take(limit).map(row).collect();
    Ok(Reply::Counted(json!(rows), total))
}

fn outcome(exit: &str) -> &'static str {
    match exit {
        "OK" => "ok",
        _ if exit.starts_with("WARNINGS") => "warning",
        "unexpected status" => "unknown",
        _ => "error",
    }
}

fn common(task: &Task) -> Value {
    let (user, token) = task.user();
    let mut fields = json!({
        "upid": task.upid,
        "type": task.kind,
        "id": task.id,
        "user": user,
        "node": task.node,
        "pid": task.pid,
        "pstart": task.pstart,
        "starttime": task.start,
    });
    if let Some(token) = token {
        fields["tokenid"] = json!(token);
    }
    fields
}

fn status(task: &Task) -> Value {
    let mut fields = common(task);
    fields["status"] = json!(if task.exit.is_some() {
        "stopped"
    } else {
        "running"
    });
    if let Some(exit) = &task.exit {
        fields["exitstatus"] = json!(exit);
    }
    fields
}

fn row(task: &Task) -> Value {
    let mut fields = common(task);
    if let (Some(exit), Some(end)) = (&task.exit, task.end) {
        fields["status"] = json!(exit);
        fields["endtime"] = json!(end);
    }
    fields
}
