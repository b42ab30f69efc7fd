//! What Proxmox's own schema says about the parameters a call may have.

use std::path::Path;

use proxmox_client::{ConfigChange, HaState, MapEntry, PciMapping};
use serde_json::Value;

use crate::client;
use crate::recording::{self, Answer, Params, Scripted};

/// The schema of the paths that matter, where it is at hand.
pub(crate) fn load() -> Option<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire/proxmox-schema.json");
    let Ok(bytes) = std::fs::read(file) else {
        println!("proxmox-schema.json is absent: parameters are not checked against it");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// Complaints about the parameters of a request.
pub(crate) fn complaints(
    schema: &Value,
    method: &str,
    path: &[String],
    params: &Params,
) -> Vec<String> {
    let mut found = Vec::new();
    let Some((template, call)) = find(schema, method, path) else {
        return vec![format!("no {method} /{} in the schema", path.join("/"))];
    };
    let properties = &call["parameters"]["properties"];
    for (key, values) in params {
        let indexed = format!("{}[n]", key.trim_end_matches(|c: char| c.is_ascii_digit()));
        let property = [key, &indexed]
            .into_iter()
            .map(|name| &properties[name])
            .find(|p| !p.is_null());
        let Some(property) = property else {
            found.push(format!("{key} is not a parameter"));
            continue;
        };
        let is_list = property["type"] == "array";
        if values.len() != 1 && !is_list {
            found.push(format!("{key} is given {} times", values.len()));
        }
        let item = if is_list {
            &property["items"]
        } else {
            property
        };
        found.extend(
            values
                .iter()
                .filter_map(|value| wrong(item, value))
                .map(|why| format!("{key}: {why}")),
        );
    }
    for (name, property) in properties.as_object().into_iter().flatten() {
        let in_path = template.contains(&format!("{{{name}}}"));
        if property["optional"] != 1 && !in_path && !params.contains_key(name) {
            found.push(format!("{name} is required"));
        }
    }
    found
}

fn find<'a>(schema: &'a Value, method: &str, path: &[String]) -> Option<(&'a str, &'a Value)> {
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').skip(1).collect();
        parts.len() == path.len()
            && parts
                .iter()
                .zip(path)
                .all(|(part, given)| part.starts_with('{') || part == given)
    };
    let (template, calls) = schema
        .as_object()?
        .iter()
        .find(|(template, _)| fits(template))?;
    Some((template.as_str(), calls.get(method)?))
}

/// Why a value does not fit; patterns in Perl's dialect are left out.
fn wrong(property: &Value, value: &str) -> Option<String> {
    let number = value.parse::<i64>().ok();
    let kind = property["type"].as_str().unwrap_or("string");
    let fits = match kind {
        "boolean" => value == "0" || value == "1",
        "integer" => number.is_some(),
        _ => true,
    };
    let bound = |name: &str| property[name].as_i64();
    let length = i64::try_from(value.len()).unwrap();
    let in_bounds = match number.filter(|_| kind == "integer") {
        Some(number) => {
            bound("minimum").is_none_or(|min| number >= min)
                && bound("maximum").is_none_or(|max| number <= max)
        }
        None => bound("maxLength").is_none_or(|max| length <= max),
    };
    let listed = property["enum"]
        .as_array()
        .is_none_or(|list| list.iter().any(|item| item == value));
    (!(fits && in_bounds && listed)).then(|| format!("`{value}` is not a valid {kind}"))
}

/// Calls of which no accepted one was recorded.
#[tokio::test]
async fn what_was_not_recorded_is_valid_as_well() {
    let Some(schema) = load() else { return };
    let exchange = Scripted::new(|_, _| Some(Answer::new(200, "OK", r#"{"data":null}"#)));
    let client = client(std::sync::Arc::clone(&exchange), None);
    for state in [
        HaState::Started,
        HaState::Stopped,
        HaState::Disabled,
        HaState::Ignored,
    ] {
        client.ha_set(101, state).await.unwrap();
        client.ha_add(101, Some(state)).await.unwrap();
    }
    client.volumes("pve1", "local", None).await.unwrap();
    let mapping = PciMapping {
        id: "h100".to_owned(),
        map: vec![MapEntry::parse("node=pve1,path=0000:01:00.0,id=10de:2331")],
        description: Some("x".to_owned()),
        mdev: true,
        digest: Some("0".repeat(40)),
        ..PciMapping::default()
    };
    client.create_pci_mapping(&mapping).await.unwrap();
    client.update_pci_mapping(&mapping).await.unwrap();
    let change = ConfigChange::new()
        .set("hostpci15", "mapping=h100")
        .delete("description")
        .revert("net0");
    let digest = "0".repeat(40);
    client
        .update_config("pve1", 101, &change, &digest)
        .await
        .unwrap();
    let task = client
        .update_config_task("pve1", 101, &change, &digest)
        .await;
    assert!(task.is_err(), "no task was named");
    for request in exchange.seen() {
        let target = request.uri().path_and_query().unwrap().as_str();
        let (path, query) = recording::split_target(target);
        let mut params = recording::params(std::str::from_utf8(request.body()).unwrap()).unwrap();
        params.extend(query);
        let found = complaints(&schema, request.method().as_str(), &path[2..], &params);
        assert!(found.is_empty(), "{request:?}: {found:?}");
    }
}

#[test]
fn the_schema_can_complain() {
    let Some(schema) = load() else { return };
    let path = ["nodes", "pve1", "qemu", "101", "status", "shutdown"].map(str::to_owned);
    let check = |key: &str, value: &str| {
        let params = Params::from([(key.to_owned(), vec![value.to_owned()])]);
        complaints(&schema, "POST", &path, &params).len()
    };
    assert_eq!(check("timeout", "30"), 0);
    assert_eq!(check("timeout", "soon"), 1);
    assert_eq!(check("forceStop", "true"), 1);
    assert_eq!(check("force", "1"), 1);
    assert_eq!(
        complaints(
            &schema,
            "POST",
            &["cluster", "mapping", "pci"].map(str::to_owned),
            &Params::new()
        )
        .len(),
        2
    );
}
