//! Readers for values that come as numbers, as text or not at all, depending on the call and the release.

use std::collections::BTreeMap;

use serde::{Deserialize as _, Deserializer};
use serde_json::Value;

/// A scalar as text; anything else as absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    Ok(scalar(&Value::deserialize(de)?))
}

/// A whole number, also when written as text; anything else as absent.
pub(crate) fn int<'de, D: Deserializer<'de>>(de: D) -> Result<Option<u64>, D::Error> {
    Ok(whole(&Value::deserialize(de)?))
}

/// A signed whole number, also when written as text; anything else as absent.
pub(crate) fn signed<'de, D: Deserializer<'de>>(de: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(de)?;
    Ok(value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok()))
}

/// `true`, a number other than 0, or a word Proxmox takes as true.
pub(crate) fn flag<'de, D: Deserializer<'de>>(de: D) -> Result<bool, D::Error> {
    Ok(truth(&Value::deserialize(de)?))
}

/// A list of texts; a single text as a list of one.
pub(crate) fn texts<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(de)? {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        one => scalar(&one).into_iter().collect(),
    })
}

/// An object of scalars.
pub(crate) fn text_map<'de, D: Deserializer<'de>>(
    de: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(match Value::deserialize(de)? {
        Value::Object(map) => map
            .into_iter()
            .filter_map(|(key, value)| Some((key, scalar(&value)?)))
            .collect(),
        _ => BTreeMap::new(),
    })
}

pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        _ => None,
    }
}

/// A message without control characters and surrounding blanks.
pub(crate) fn one_line(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn whole(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => crate::property::parse_flag(text.trim()).unwrap_or_default(),
        _ => false,
    }
}

/// A number below a key of a value that may be anything.
pub(crate) fn number_in(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(whole)
}
