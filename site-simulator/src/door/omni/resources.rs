//! `omni.resources.ResourceService`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use omni_client::{Metadata, Resource, Selectors};
use serde_json::{Map, Value, json};

use super::Call;
use crate::World;
use crate::world::omni::api::{self, ApiError, Incoming, Query};
use crate::world::omni::schema::{Field, Fields};
use crate::world::omni::watch::{Event, Reported, Watch};

use Field::{Any, Bool, List, Message, Number, Text};

const ONE: Fields = &[("namespace", Text), ("type", Text), ("id", Text)];
const LIST: Fields = &[
    ("namespace", Text),
    ("type", Text),
    ("offset", Number),
    ("limit", Number),
    ("sort_by_field", Text),
    ("sort_descending", Bool),
    ("search_for", List(&Text)),
];
const WATCH: Fields = &[
    ("namespace", Text),
    ("type", Text),
    ("id", Text),
    ("tail_events", Number),
    ("offset", Number),
    ("limit", Number),
    ("sort_by_field", Text),
    ("sort_descending", Bool),
    ("search_for", List(&Text)),
];
const RESOURCE: Field = Message(&[
    (
        "metadata",
        Message(&[
            ("namespace", Text),
            ("type", Text),
            ("id", Text),
            ("version", Text),
            ("owner", Text),
            ("phase", Text),
            ("created", Text),
            ("updated", Text),
            ("finalizers", List(&Text)),
            ("labels", Any),
            ("annotations", Any),
        ]),
    ),
    ("spec", Text),
]);

/// Fields of a method's request message; `None`: no such method.
pub(super) fn fields(method: &str) -> Option<Fields> {
    Some(match method {
        "Get" | "Delete" | "Teardown" => ONE,
        "List" => LIST,
        "Watch" => WATCH,
        "Create" => &[("resource", RESOURCE)],
        "Update" => &[("currentVersion", Text), ("resource", RESOURCE)],
        "Controllers" => &[],
        "DependencyGraph" => &[
            ("controllers", List(&Text)),
            ("show_destroy_ready", Bool),
            ("show_resources", Bool),
        ],
        _ => return None,
    })
}

/// A unary call.
pub(super) async fn call(call: &Call<'_>, method: &str) -> Result<Value, ApiError> {
    if matches!(method, "Controllers" | "DependencyGraph") {
        return Err(ApiError::new(
            12,
            format!("method {method} not implemented"),
        ));
    }
    runtime(call)?;
    let (namespace, kind, id) = (call.text("namespace"), call.text("type"), call.text("id"));
    match method {
        "Get" => {
            let found = call
                .world
                .act(|state, now| api::get(state, now, &call.caller, namespace, kind, id))?;
            Ok(json!({"body": api::show(&found)}))
        }
        "List" => list(call),
        "Create" => {
            let incoming = incoming(call)?;
            call.world
                .act(|state, now| api::create(state, now, &call.caller, incoming))?;
            Ok(json!({}))
        }
        "Update" => {
            let incoming = incoming(call)?;
            call.world
                .act(|state, now| api::update(state, now, &call.caller, incoming))?;
            Ok(json!({}))
        }
        "Teardown" => {
            call.world
                .act(|state, now| api::teardown(state, now, &call.caller, namespace, kind, id))?;
            Ok(json!({}))
        }
        _ => delete(call).await,
    }
}

/// Deletion waits for finalizers, however long that takes.
async fn delete(call: &Call<'_>) -> Result<Value, ApiError> {
    let (namespace, kind, id) = (call.text("namespace"), call.text("type"), call.text("id"));
    let mut changed = call.world.changed();
    call.world
        .act(|state, now| api::teardown(state, now, &call.caller, namespace, kind, id))?;
    while !call
        .world
        .act(|state, now| api::destroyed(state, now, namespace, kind, id))
    {
        changed.mark_unchanged();
        call.world.tick(&mut changed).await;
    }
    Ok(json!({}))
}

fn runtime(call: &Call<'_>) -> Result<(), ApiError> {
    match call.metadata("runtime").first() {
        None => Err(ApiError::new(3, "missing runtime metadata")),
        Some(runtime) if runtime.eq_ignore_ascii_case("omni") => Ok(()),
        Some(runtime) => Err(ApiError::new(
            12,
            format!("runtime {runtime} is not simulated"),
        )),
    }
}

fn query(call: &Call<'_>) -> Result<Query, ApiError> {
    let headers = call.metadata("selectors").into_iter();
    let selectors = Selectors::parse(headers.flat_map(|header| header.split(';')))
        .map_err(|error| ApiError::new(3, error.to_string()))?;
    let search = call.message.get("search_for").and_then(Value::as_array);
    Ok(Query {
        namespace: call.text("namespace").to_owned(),
        kind: call.text("type").to_owned(),
        id: call.text("id").to_owned(),
        selectors,
        offset: call.number("offset"),
        limit: call.number("limit"),
        sort_by: call.text("sort_by_field").to_owned(),
        descending: call.flag("sort_descending"),
        search: search
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
    })
}

fn list(call: &Call<'_>) -> Result<Value, ApiError> {
    let query = query(call)?;
    let (items, total) = call
        .world
        .act(|state, now| api::list(state, now, &call.caller, &query))?;
    let mut body = Map::new();
    if !items.is_empty() {
        body.insert(
            "items".to_owned(),
            items.iter().map(|item| json!(api::show(item))).collect(),
        );
    }
    if total > 0 {
        body.insert("total".to_owned(), json!(total));
    }
    Ok(Value::Object(body))
}

fn incoming(call: &Call<'_>) -> Result<Incoming, ApiError> {
    let Some(sent) = call.message.get("resource") else {
        return Err(ApiError::new(3, "resource is nil"));
    };
    let text = |key: &str| {
        let value = sent.get("metadata").and_then(|metadata| metadata.get(key));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let map = |key: &str| {
        let value = sent.get("metadata").and_then(|metadata| metadata.get(key));
        let pairs = value.and_then(Value::as_object).into_iter().flatten();
        pairs
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect()
    };
    let finalizers = sent
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    let metadata = Metadata {
        namespace: text("namespace"),
        kind: text("type"),
        id: text("id"),
        owner: text("owner"),
        labels: map("labels"),
        annotations: map("annotations"),
        finalizers: finalizers
            .into_iter()
            .flatten()
            .filter_map(|finalizer| finalizer.as_str().map(str::to_owned))
            .collect(),
        ..Metadata::default()
    };
    Ok(Incoming {
        resource: Resource {
            metadata,
            spec: Value::Null,
        },
        version: text("version"),
        spec: sent
            .get("spec")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Opens a watch: one line an event, sent as it happens.
pub(super) fn watch(call: &Call<'_>) -> Result<BoxStream<'static, Bytes>, ApiError> {
    runtime(call)?;
    let query = query(call)?;
    let changed = call.world.changed();
    let (watch, first) = call
        .world
        .act(|state, now| Watch::open(state, now, &call.caller, query))?;
    let pending = first
        .iter()
        .map(|reported| line(watch.query(), reported))
        .collect();
    let open = Open {
        world: Arc::clone(call.world),
        watch,
        changed,
        pending,
        over: false,
    };
    Ok(stream::unfold(open, next).boxed())
}

struct Open {
    world: Arc<World>,
    watch: Watch,
    changed: tokio::sync::watch::Receiver<u64>,
    pending: VecDeque<Bytes>,
    over: bool,
}

async fn next(mut open: Open) -> Option<(Bytes, Open)> {
    loop {
        if let Some(line) = open.pending.pop_front() {
            return Some((line, open));
        }
        if open.over {
            return None;
        }
        let polled = open.world.look(|state| open.watch.poll(state));
        if let Ok(events) = polled {
            let lines = events
                .iter()
                .map(|reported| line(open.watch.query(), reported));
            open.pending = lines.collect();
        } else {
            open.over = true;
            let error = json!({"error": {"code": 9, "message": "watch fell behind"}});
            open.pending.push_back(Bytes::from(format!("{error}\n")));
        }
        if open.pending.is_empty() {
            // Fails only when the world ended, and the door with it.
            open.changed.changed().await.ok()?;
        }
    }
}

fn line(query: &Query, reported: &Reported) -> Bytes {
    let mut event = Map::new();
    let (number, resource) = match &reported.event {
        Event::Created(new) => (1, Some(new)),
        Event::Updated(_, new) => (2, Some(new)),
        Event::Destroyed(last) => (3, Some(last)),
        Event::Bootstrapped => (4, None),
    };
    if let Some(resource) = resource {
        event.insert("resource".to_owned(), json!(api::show(resource)));
    }
    if let Event::Updated(old, _) = &reported.event {
        event.insert("old".to_owned(), json!(api::show(old)));
    }
    event.insert("event_type".to_owned(), json!(number));
    let mut result = Map::new();
    result.insert("event".to_owned(), Value::Object(event));
    if reported.total > 0 {
        result.insert("total".to_owned(), json!(reported.total));
    }
    if let Some(key) = resource.and_then(|resource| query.sort_key(resource).ok()) {
        result.insert("sort_field_data".to_owned(), json!(key));
        if query.descending {
            result.insert("sort_descending".to_owned(), json!(true));
        }
    }
    let line = json!({"result": result});
    Bytes::from(format!("{line}\n"))
}
