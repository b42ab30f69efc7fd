//! What Proxmox's own schema says about the parameters a call may have.

use std::path::Path;

use serde_json::Value;

use crate::recording::Params;

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
