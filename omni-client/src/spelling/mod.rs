//! The two spellings of specs: this API's (`machine_allocation`, enumerations by number, `7200s`), and that of
//! `omnictl get -o yaml` and `omnictl apply`, which are Go's field names in lower case (`machineallocation`,
//! `{seconds: 7200, nanos: 0}`).
//!
//! A table ([`shape`]) says what specs are made of; kinds that it does not have are spelled as well as can be told
//! from their names.

mod duration;
pub mod shape;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value, json};

pub use self::duration::{go_duration, parse_proto_duration, proto_duration};
use self::shape::{Shape, joined};

/// A spec as omnictl prints it: every field, in its order, zeros as well; then what the table does not know.
///
/// ```
/// use omni_client::{kinds, spelling};
/// use serde_json::json;
///
/// let spec = json!({"provider_id": "proxmox", "machine_count": 3});
/// let printed = spelling::printed(&kinds::MACHINE_REQUEST_SET.name, &spec);
/// assert_eq!(printed["providerid"], "proxmox");
/// assert_eq!(printed["talosversion"], "");
/// ```
pub fn printed(kind: &str, spec: &Value) -> Value {
    let fields = shape::fields(kind).unwrap_or_default();
    // These name their keys in YAML themselves.
    let own_names = kind.ends_with(".meta.cosi.dev");
    message(fields, spec, if own_names { str::to_owned } else { joined })
}

type Key = fn(&str) -> String;

/// Known fields in their order, then whatever else the spec has.
fn message(fields: &[(&str, Shape)], value: &Value, key: Key) -> Value {
    let known = fields
        .iter()
        .map(|(name, shape)| (key(name), field(shape, value.get(name), key)));
    let others = value.as_object().into_iter().flatten();
    let others = others
        .filter(|(name, _)| !fields.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (key(name), free(value, key)));
    known.chain(others).collect::<Map<_, _>>().into()
}

fn field(shape: &Shape, value: Option<&Value>, key: Key) -> Value {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return zero(shape);
    };
    match (shape, value) {
        (Shape::Message(fields), value) => message(fields, value, key),
        (Shape::List(item), Value::Array(items)) => items
            .iter()
            .map(|value| field(item, Some(value), key))
            .collect(),
        // The keys are data, not names of fields.
        (Shape::Map(item), Value::Object(map)) => map
            .iter()
            .map(|(name, value)| (name.clone(), field(item, Some(value), key)))
            .collect::<Map<_, _>>()
            .into(),
        (Shape::Duration | Shape::Time, Value::String(written)) => {
            moment(shape, written).unwrap_or_else(|| value.clone())
        }
        // The API writes 64-bit numbers as texts.
        (Shape::Number | Shape::Octet, Value::String(number)) => {
            whole(number).unwrap_or_else(|| value.clone())
        }
        (Shape::Bytes, Value::String(encoded)) => STANDARD
            .decode(encoded)
            .map_or_else(|_| value.clone(), Value::from),
        (_, value) => free(value, key),
    }
}

fn zero(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!(""),
        Shape::Number | Shape::Octet | Shape::Enum(_) => json!(0),
        Shape::Float => json!(0.0),
        Shape::Flag => json!(false),
        Shape::Bytes | Shape::List(_) => json!([]),
        Shape::Map(_) => json!({}),
        Shape::Duration | Shape::Time | Shape::Message(_) | Shape::Any => Value::Null,
    }
}

/// Seconds and nanoseconds, as Go's types for time are made.
fn moment(shape: &Shape, written: &str) -> Option<Value> {
    let (seconds, nanos) = if *shape == Shape::Duration {
        parse_proto_duration(written)?
    } else {
        let time: jiff::Timestamp = written.parse().ok()?;
        (time.as_second(), i64::from(time.subsec_nanosecond()))
    };
    Some(json!({"seconds": seconds, "nanos": nanos}))
}

fn free(value: &Value, key: Key) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| free(item, key)).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| (key(name), free(value, key)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn whole(text: &str) -> Option<Value> {
    Number::from_i128(text.parse().ok()?).map(Value::Number)
}

/// A value in the API's spelling, from either; none where it is not of that shape.
///
/// Durations may be `{seconds, nanos}`, `9000s` or Go's `2h30m`; times `{seconds, nanos}` or RFC 3339; bytes base64 or
/// a list of numbers; enumerations a number or, in any case, a name. Lists, maps and messages have no scalars: none.
pub fn scalar(shape: &Shape, written: &Value) -> Option<Value> {
    match shape {
        Shape::Text => written.is_string().then(|| written.clone()),
        Shape::Flag => written.is_boolean().then(|| written.clone()),
        Shape::Number => written.as_i64().map(Value::from),
        Shape::Octet => u8::try_from(written.as_i64()?).ok().map(Value::from),
        Shape::Float => written.is_number().then(|| written.clone()),
        Shape::Enum(names) => choice(names, written),
        Shape::Duration => duration_of(written),
        Shape::Time => time_of(written),
        Shape::Bytes => bytes_of(written),
        Shape::Any => Some(written.clone()),
        Shape::List(_) | Shape::Map(_) | Shape::Message(_) => None,
    }
}

fn choice(names: &[&str], written: &Value) -> Option<Value> {
    let number = match written {
        Value::String(name) => names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))?,
        other => usize::try_from(other.as_i64()?).ok()?,
    };
    (number < names.len()).then(|| number.into())
}

fn duration_of(written: &Value) -> Option<Value> {
    let (seconds, nanos) = match written {
        Value::Object(parts) => parts_of(parts)?,
        Value::String(text) => match parse_proto_duration(text) {
            Some(parts) => parts,
            None => (0, go_duration(text)?),
        },
        _ => return None,
    };
    let total = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(proto_duration(total).into())
}

fn time_of(written: &Value) -> Option<Value> {
    let time = match written {
        Value::Object(parts) => {
            let (seconds, nanos) = parts_of(parts)?;
            jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?
        }
        other => other.as_str()?.parse().ok()?,
    };
    Some(time.to_string().into())
}

fn parts_of(parts: &Map<String, Value>) -> Option<(i64, i64)> {
    let known = |key: &String| matches!(key.as_str(), "seconds" | "nanos");
    if !parts.keys().all(known) {
        return None;
    }
    let number = |key: &str| parts.get(key).map_or(Some(0), Value::as_i64);
    Some((number("seconds")?, number("nanos")?))
}

fn bytes_of(written: &Value) -> Option<Value> {
    match written {
        Value::Array(items) => {
            let byte = |item: &Value| u8::try_from(item.as_i64()?).ok();
            let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
            Some(STANDARD.encode(bytes?).into())
        }
        other => {
            let text = other.as_str()?;
            STANDARD.decode(text).ok().map(|_| text.into())
        }
    }
}
