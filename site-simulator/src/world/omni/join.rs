//! How machines join: what they are told, the tokens they show, and schematics that carry both.

use std::fmt::Write as _;
use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::api::ApiError;
use super::kinds;
use crate::world::State;

/// How long a token's name may be.
const LONGEST_NAME: usize = 16;
/// The one resource that says how to join.
const PARAMS: &str = "siderolink-config";

/// What a new instance tells its machines; the token is drawn once, from the instance's name.
pub(super) fn params(host: &str) -> Value {
    let token = token(host);
    let endpoint = format!("https://{host}:8090");
    let inside = "[fdae:41e4:649b:9303::1]";
    json!({
        "args": format!(
            "siderolink.api={endpoint}?jointoken={token} talos.events.sink={inside}:8091 talos.logging.kernel=tcp://{inside}:8092"
        ),
        "api_endpoint": endpoint,
        "wireguard_endpoint": format!("{host}:50180"),
        "join_token": token,
        "events_port": 8091,
        "logs_port": 8092,
    })
}

/// 44 characters of hex, as long as Omni's own tokens are.
fn token(seed: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, seed.as_bytes());
    let mut text = hex(hash.as_ref());
    text.truncate(44);
    text
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// Kernel arguments of a machine that joins with the default token.
fn kernel_args(state: &State) -> Result<Vec<String>, ApiError> {
    let params = state
        .omni
        .store
        .find(kinds::CONNECTION_PARAMS, PARAMS)
        .ok_or_else(|| ApiError::new(5, "the instance does not say how to join it"))?;
    let args = params.spec.get("args").and_then(Value::as_str);
    Ok(args
        .unwrap_or_default()
        .split(' ')
        .map(str::to_owned)
        .collect())
}

/// What a machine is told, as kernel arguments and as documents of a machine config.
pub fn config(state: &State) -> Result<Value, ApiError> {
    let args = kernel_args(state)?;
    let value = |name: &str| {
        let found = args.iter().find_map(|arg| arg.strip_prefix(name));
        found.unwrap_or_default()
    };
    let config = format!(
        "apiVersion: v1alpha1\nkind: SideroLinkConfig\napiUrl: {}\n---\napiVersion: v1alpha1\nkind: EventSinkConfig\n\
         endpoint: '{}'\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: omni-kmsg\nurl: {}\n",
        value("siderolink.api="),
        value("talos.events.sink="),
        value("talos.logging.kernel="),
    );
    Ok(json!({"kernel_args": args, "config": config}))
}

/// Makes a join token; gives its id.
pub fn create_token(
    state: &mut State,
    now: Duration,
    name: &str,
    expires: &str,
) -> Result<String, ApiError> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        let text = format!("the token's name must have 1 to {LONGEST_NAME} characters");
        return Err(ApiError::new(3, text));
    }
    let stamp = state.stamp(now);
    let id = token(&format!("{name} {stamp} {}", state.omni.store.changes()));
    let mut spec = Map::new();
    if !expires.is_empty() {
        spec.insert("expiration_time".to_owned(), expires.into());
    }
    spec.insert("name".to_owned(), name.into());
    let mut token = Resource {
        spec: Value::Object(spec),
        ..Resource::default()
    };
    kinds::JOIN_TOKENS.name.clone_into(&mut token.metadata.kind);
    kinds::JOIN_TOKENS
        .namespace
        .clone_into(&mut token.metadata.namespace);
    token.metadata.id.clone_from(&id);
    token.metadata.created.clone_from(&stamp);
    token.metadata.updated = stamp;
    state
        .omni
        .store
        .create(token)
        .map_err(|_| ApiError::new(6, "the token already exists"))?;
    Ok(id)
}

/// What is wanted of a schematic.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// System extensions.
    pub extensions: Vec<&'a str>,
    /// Kernel arguments beside those of joining.
    pub kernel_args: Vec<&'a str>,
    /// Values of the META partition, by key.
    pub meta: Vec<(u32, &'a str)>,
}

/// Registers a schematic whose machines join this instance.
pub fn schematic(state: &State, wanted: &Wanted<'_>) -> Result<Value, ApiError> {
    let mut args = kernel_args(state)?;
    args.extend(wanted.kernel_args.iter().map(|arg| (*arg).to_owned()));
    let mut text = String::from("customization:\n    extraKernelArgs:\n");
    for arg in args {
        let _infallible = writeln!(text, "        - {}", scalar(&arg));
    }
    if !wanted.meta.is_empty() {
        text.push_str("    meta:\n");
    }
    for (key, value) in &wanted.meta {
        let value = scalar(value);
        let _infallible = writeln!(text, "        - key: {key}\n          value: {value}");
    }
    if !wanted.extensions.is_empty() {
        text.push_str("    systemExtensions:\n        officialExtensions:\n");
    }
    for extension in &wanted.extensions {
        let _infallible = writeln!(text, "            - {}", scalar(extension));
    }
    Ok(json!({"schematic_id": schematic_id(text.as_bytes()), "schematic_yml": text}))
}

/// The image factory names a schematic by the hash of its text.
pub fn schematic_id(text: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, text).as_ref())
}

/// A text as YAML writes it, quoted where it has to be.
fn scalar(text: &str) -> String {
    let written = serde_yaml::to_string(text).unwrap_or_default();
    written.trim_end().to_owned()
}
