//! Field readers that never fail: the legacy API sends numbers as strings, booleans as words and `""` for absent.

use std::net::Ipv4Addr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Mac;

/// A number beyond this is milliseconds: the year 5138 in seconds.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Absent where empty, null or no scalar.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// False where absent or unknown.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(maybe_flag(deserializer)?.unwrap_or(false))
}

/// Absent where neither true nor false.
pub(crate) fn maybe_flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Some(flag),
        Value::String(word) if word.eq_ignore_ascii_case("true") => Some(true),
        Value::String(word) if word.eq_ignore_ascii_case("false") => Some(false),
        Value::Number(number) => number.as_u64().map(|number| number != 0),
        _ => None,
    })
}

/// Absent where negative or no number.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.to_string().split('.').next()?.parse().ok()),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    })
}

/// Unix seconds, also from milliseconds; absent where 0 or less.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let time = number(deserializer)?.filter(|&time| time > 0);
    Ok(time.map(|time| {
        if time >= MILLISECONDS_FROM {
            time / 1000
        } else {
            time
        }
    }))
}

/// Absent where no dotted quad.
pub(crate) fn ipv4<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Ipv4Addr>, D::Error> {
    Ok(text(deserializer)?
        .and_then(|text| text.parse().ok())
        .filter(|address| *address != Ipv4Addr::UNSPECIFIED))
}

/// Absent where no hardware address.
pub(crate) fn mac<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mac>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| Mac::lenient(&text)))
}
