//! Parameters of a call: from the path, the query and a form or JSON body, checked as the API checks them.

use serde_json::Value;

use super::super::http::{self, Request};
use crate::world::proxmox::Refusal;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `1` or `0`.
    Flag,
    /// A number.
    Int,
    /// Anything.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// Parameters by name; a repeated one has several values.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    items: Vec<(String, Vec<String>)>,
}

/// Why a request is not even looked at: status and text.
pub(super) type Refused = (u16, String);

const NOT_DEFINED: &str =
    "property is not defined in schema and the schema does not allow additional properties";

impl Params {
    /// Reads query and body; what the query names wins.
    pub(super) fn read(request: &Request) -> Result<Self, Refused> {
        let mut params = Self::default();
        for (key, value) in request.query() {
            params.add(key, value);
        }
        let known: Vec<String> = params.items.iter().map(|(key, _)| key.clone()).collect();
        for (key, values) in body(request)?.items {
            if !known.contains(&key) {
                params.items.push((key, values));
            }
        }
        Ok(params)
    }

    fn add(&mut self, key: String, value: String) {
        match self.items.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => self.items.push((key, vec![value])),
        }
    }

    /// The one value of a parameter; several are joined.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.all(key).map(|values| values.join(","))
    }

    /// All values of a parameter.
    pub(super) fn all(&self, key: &str) -> Option<&[String]> {
        self.items
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, values)| values.as_slice())
    }

    /// Whether a flag is set.
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value == "1")
    }

    /// A number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// Names and joined values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, String)> {
        self.items
            .iter()
            .map(|(key, values)| (key.as_str(), values.join(",")))
    }

    /// Refuses a parameter that repeats one of the path with another value.
    pub(super) fn agree(&mut self, uri: &[(&str, &str)]) -> Result<(), Refusal> {
        for (name, value) in uri {
            if self.get(name).is_some_and(|given| given != *value) {
                let text = "duplicate parameter (already defined in URI) with conflicting values!";
                return Err(Refusal::parameter(name, text));
            }
        }
        self.items
            .retain(|(key, _)| !uri.iter().any(|(name, _)| name == key));
        Ok(())
    }

    /// Refuses what is not of this list or not of its kind.
    pub(super) fn verify(&self, allowed: &[(&str, Kind)]) -> Result<(), Refusal> {
        for (key, value) in self.pairs() {
            let Some((_, kind)) = allowed.iter().find(|(name, _)| *name == key) else {
                return Err(Refusal::parameter(key, NOT_DEFINED));
            };
            let wrong = |kind| {
                Err(Refusal::parameter(
                    key,
                    format!("type check ('{kind}') failed - got '{value}'"),
                ))
            };
            match kind {
                Kind::Flag if !matches!(value.as_str(), "0" | "1") => return wrong("boolean"),
                Kind::Int if value.parse::<i64>().is_err() => return wrong("integer"),
                Kind::OneOf(words) if !words.contains(&value.as_str()) => {
                    let words = words.join(", ");
                    let text = format!(
                        "value '{value}' does not have a value in the enumeration '{words}'"
                    );
                    return Err(Refusal::parameter(key, text));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, key: &str) -> Result<String, Refusal> {
        self.get(key)
            .ok_or_else(|| Refusal::parameter(key, "property is missing and it is not optional"))
    }
}

fn body(request: &Request) -> Result<Params, Refused> {
    let mut params = Params::default();
    if request.body.is_empty() {
        return Ok(params);
    }
    let kind = request.header("content-type").unwrap_or_default();
    let text = String::from_utf8_lossy(&request.body);
    match kind.split(';').next().unwrap_or_default().trim() {
        "" | "application/x-www-form-urlencoded" => {
            for (key, value) in http::form(&text) {
                params.add(key, value);
            }
        }
        "application/json" => {
            let Ok(Value::Object(fields)) = serde_json::from_str(&text) else {
                let at = text.len();
                let text = format!(
                    "malformed JSON string, neither tag, array, object, number, string or atom, at character offset \
                     {at} (before \"(end of string)\") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934."
                );
                return Err((500, text));
            };
            params.items = fields
                .into_iter()
                .map(|(key, value)| (key, json_values(value)))
                .collect();
        }
        _ => {
            return Err((
                506,
                format!("upload 'Content-Type '{kind}' not implemented"),
            ));
        }
    }
    Ok(params)
}

fn json_values(value: Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.into_iter().flat_map(json_values).collect(),
        Value::String(text) => vec![text],
        Value::Bool(on) => vec![u8::from(on).to_string()],
        Value::Null => vec![String::new()],
        other => vec![other.to_string()],
    }
}
