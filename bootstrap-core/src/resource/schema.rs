//! Provider data against the JSON schema that its provider registered in Omni.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use omni_client::{Resource, kinds, specs};
use serde_json::{Map, Value};

use super::fields::nearest;
use super::{Document, name, provider_data};
use crate::diagnostic::Diagnostic;
use crate::ports::{Omni, PortError};

/// Schemas by provider; `None` where what the provider registered is no schema.
pub type Schemas = BTreeMap<String, Option<Value>>;

/// Reads what all providers registered.
///
/// # Errors
/// Omni does not answer.
pub async fn read(omni: &dyn Omni) -> Result<Schemas, PortError> {
    let registered = omni.list(&kinds::INFRA_PROVIDER_STATUS, None).await?;
    Ok(registered.iter().map(schema).collect())
}

fn schema(status: &Resource) -> (String, Option<Value>) {
    let text = status
        .spec_as::<specs::InfraProviderStatus>()
        .map(|spec| spec.schema)
        .unwrap_or_default();
    let schema = serde_json::from_str(&text).ok();
    (status.metadata.id.clone(), schema)
}

/// The provider that a resource's machines are made by, and where its spec says so.
pub fn provider(document: &Document) -> Option<(&str, &'static [&'static str])> {
    let spec = &document.resource.spec;
    let (id, path): (_, &[&str]) = match spec.pointer("/auto_provision/provider_id") {
        Some(id) => (id, &["auto_provision", "provider_id"]),
        None => (spec.get("provider_id")?, &["provider_id"]),
    };
    let makes_machines = matches!(
        &*document.resource.kind().to_string(),
        "MachineClasses" | "MachineRequestSets"
    );
    id.as_str().filter(|_| makes_machines).map(|id| (id, path))
}

/// What the provider will not take (errors), and what it will not read (warnings).
pub fn check(document: &Document, schemas: &Schemas) -> Vec<Diagnostic> {
    let Some((id, path)) = provider(document) else {
        return Vec::new();
    };
    let Some(schema) = schemas.get(id) else {
        let known: Vec<&str> = schemas.keys().map(String::as_str).collect();
        let hint = match (nearest(id, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, false) => format!("those that have: {}", known.join(", ")),
            (None, true) => "start the provider once with its key: it registers itself".to_owned(),
        };
        let message = format!(
            "{}: the infra provider `{id}` has not registered in Omni",
            name(&document.resource)
        );
        return vec![
            Diagnostic::error(message)
                .at(document.place(path))
                .hint(hint),
        ];
    };
    let Some((schema, validator)) = schema
        .as_ref()
        .and_then(|schema| Some((schema, jsonschema::validator_for(schema).ok()?)))
    else {
        let message = format!(
            "what the provider `{id}` registered is no JSON schema: providerdata is not checked"
        );
        return vec![Diagnostic::warning(message).at(document.place(path))];
    };
    let mut data = document
        .provider_data
        .as_ref()
        .map_or(Value::Null, super::Block::value);
    if data.is_null() {
        data = Value::Object(Map::new());
    }
    let mut findings: Vec<_> = validator
        .iter_errors(&data)
        .map(|error| refused(&error, id, document))
        .collect();
    unknown(&data, schema, &mut Vec::new(), &mut |path, known| {
        findings.extend(unread(path, known, id, document));
    });
    findings
}

fn refused(error: &ValidationError<'_>, provider: &str, document: &Document) -> Diagnostic {
    let path = steps(&error.instance_path().to_string());
    let place = match &document.provider_data {
        Some(data) => data.place(&path),
        None => document.place(&["auto_provision"]),
    };
    let inside = if path.is_empty() {
        String::new()
    } else {
        format!("`{}`: ", path.join("."))
    };
    // Values stay out: nobody knows what a provider takes.
    let (what, hint) = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            (
                format!("`{key}` is missing"),
                format!("the provider `{provider}` needs it"),
            )
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|option| {
                    option
                        .as_str()
                        .map_or_else(|| option.to_string(), str::to_owned)
                })
                .collect();
            (
                "it is not one of the values there are".to_owned(),
                options.join(", "),
            )
        }
        _ => (
            error.masked_with("it").to_string(),
            format!("so says the schema that the provider `{provider}` registered"),
        ),
    };
    Diagnostic::error(format!("providerdata: {inside}{what}"))
        .at(place)
        .hint(hint)
}

fn unread(
    path: &[String],
    known: &[&str],
    provider: &str,
    document: &Document,
) -> Option<Diagnostic> {
    let key = path.last()?;
    // Keys of the class itself were pointed out when the file was read.
    if path.len() == 1 && provider_data::home(key).is_some() {
        return None;
    }
    let hint = nearest(key, known.iter().copied()).map_or_else(
        || format!("known keys: {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!(
        "providerdata: the provider `{provider}` knows no `{}`",
        path.join(".")
    );
    let place = document.provider_data.as_ref()?.place(path);
    Some(Diagnostic::warning(message).at(place).hint(hint))
}

/// Keys that a schema does not name, where it does not say that others are welcome.
fn unknown(
    data: &Value,
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut dyn FnMut(&[String], &[&str]),
) {
    if let (Some(items), Some(schema)) = (data.as_array(), schema.get("items")) {
        for (at, item) in items.iter().enumerate() {
            path.push(at.to_string());
            unknown(item, schema, path, found);
            path.pop();
        }
    }
    let Some(known) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let is_open = [
        "additionalProperties",
        "patternProperties",
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
    ]
    .iter()
    .any(|key| schema.get(key).is_some());
    for (key, value) in data.as_object().into_iter().flatten() {
        path.push(key.clone());
        match known.get(key) {
            Some(schema) => unknown(value, schema, path, found),
            None if is_open => {}
            None => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                found(path, &names);
            }
        }
        path.pop();
    }
}

/// A JSON pointer's parts.
fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}
