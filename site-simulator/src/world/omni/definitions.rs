//! What Omni tells of its own resource types: the words they go by and the columns of their tables.

use omni_client::{Metadata, Resource};
use serde_json::{Value, json};

/// The type of these resources.
pub(super) const KIND: &str = "ResourceDefinitions.meta.cosi.dev";

/// All types, ordered by id; `stamp` is when the server started.
pub(super) fn all(stamp: &str) -> impl Iterator<Item = Resource> {
    include_str!("definitions.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(move |line| definition(line, stamp))
}

fn definition(line: &str, stamp: &str) -> Resource {
    let mut cells = line.split('\t');
    let mut cell = || cells.next().unwrap_or_default();
    let (name, display, namespace, columns) = (cell(), cell(), cell(), cell());
    let sensitive = name.ends_with('!');
    let name = name.trim_end_matches('!');
    let kind = if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.omni.sidero.dev")
    };
    let columns: Vec<Value> = columns
        .split('|')
        .filter_map(|column| column.split_once('='))
        .map(|(title, path)| json!({"jsonPath": format!("{{{path}}}"), "name": title}))
        .collect();
    let id = kind.to_lowercase();
    let aliases = aliases(display);
    let mut spec = json!({
        "aliases": aliases,
        "allAliases": lengths(&id).chain(aliases.clone()).collect::<Vec<_>>(),
        "defaultNamespace": namespace,
        "displayType": display,
        "printColumns": columns,
        "type": kind,
    });
    if sensitive {
        spec["sensitivity"] = json!("sensitive");
    }
    let metadata = Metadata {
        namespace: "meta".to_owned(),
        kind: KIND.to_owned(),
        id,
        version: 1,
        owner: "meta".to_owned(),
        created: stamp.to_owned(),
        updated: stamp.to_owned(),
        ..Metadata::default()
    };
    Resource { metadata, spec }
}

/// The name cut after each of its first three parts.
fn lengths(id: &str) -> impl Iterator<Item = String> {
    let parts: Vec<&str> = id.split('.').collect();
    (1..=3).map(move |length| parts[..length.min(parts.len())].join("."))
}

/// What one is called, and its capital letters, also as several.
fn aliases(display: &str) -> Vec<String> {
    let mut aliases: Vec<String> = match display {
        "Namespace" => vec!["ns".to_owned()],
        "ResourceDefinition" => vec!["api-resources".to_owned()],
        _ => Vec::new(),
    };
    aliases.push(display.to_lowercase());
    let capitals: String = display.chars().filter(char::is_ascii_uppercase).collect();
    let capitals = capitals.to_lowercase();
    if capitals.len() > 1 {
        aliases.push(capitals.clone());
        if !capitals.ends_with('s') {
            aliases.push(capitals + "s");
        }
    }
    aliases
}
