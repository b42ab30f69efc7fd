//! What Go's yaml takes a scalar for, and how Go prints a number.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Value, timestamp};
use crate::yaml::Scalar;

/// The value of a parsed scalar.
pub(super) fn resolve(scalar: &Scalar) -> Value {
    match scalar.tag.as_deref() {
        None if scalar.plain => plain(&scalar.text),
        Some("!!null") => Value::Null,
        Some("!!binary") => Value::Text(binary(&scalar.text).into()),
        Some("!!float") => match plain(&scalar.text) {
            #[allow(clippy::cast_precision_loss)] // what Go does
            Value::Int(whole) => Value::Float(whole as f64),
            other => other,
        },
        Some("!!int" | "!!bool" | "!!timestamp") => plain(&scalar.text),
        _ => Value::Text(scalar.text.clone()),
    }
}

/// The value of unquoted text.
pub(super) fn plain(text: &str) -> Value {
    other_than_text(text).unwrap_or_else(|| Value::Text(text.into()))
}

/// The value of unquoted text that is no string.
fn other_than_text(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Some(Value::Float(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return Some(Value::Float(f64::NEG_INFINITY)),
        "-0" | "-0.0" => return Some(Value::Float(-0.0)),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => fraction(text),
        Some(b'+' | b'-' | b'0'..=b'9') => match timestamp::normalise(text) {
            Some(time) => Some(Value::Time(time.into())),
            None => numeric(text),
        },
        _ => None,
    }
}

/// The tag of unquoted text.
pub(super) fn tag(text: &str) -> &'static str {
    match other_than_text(text) {
        Some(Value::Null) => "!!null",
        Some(Value::Bool(_)) => "!!bool",
        Some(Value::Int(_)) => "!!int",
        Some(Value::Float(_)) => "!!float",
        Some(Value::Time(_)) => "!!timestamp",
        _ if text == "<<" => "!!merge",
        _ => "!!str",
    }
}

/// The value of a scalar with this tag; `Err` is what Go's resolver says of text that is something else.
pub(in crate::template) fn tagged(tag: &str, text: &str) -> Result<Value, String> {
    let (found, value) = match tag {
        "!!bool" | "!!int" | "!!float" | "!!null" => match plain(text) {
            // Only what has no other tag may be a time.
            Value::Time(_) => ("!!str", Value::Text(text.into())),
            value => (self::tag(text), value),
        },
        "!!timestamp" => (self::tag(text), plain(text)),
        _ => return Ok(Value::Text(text.into())),
    };
    match (tag, value) {
        #[allow(clippy::cast_precision_loss)] // what Go does
        ("!!float", Value::Int(whole)) => Ok(Value::Float(whole as f64)),
        (tag, value) if tag == found => Ok(value),
        _ => Err(format!("cannot construct {found} `{text}` as a {tag}")),
    }
}

/// The content of a `!!binary` scalar.
pub(in crate::template) fn is_base64(text: &str) -> bool {
    let compact: String = text
        .chars()
        .filter(|character| !matches!(character, '\r' | '\n'))
        .collect();
    STANDARD.decode(compact).is_ok()
}

/// Whether unquoted text stays the string it is.
pub(super) fn is_string(text: &str) -> bool {
    // A merge key is told apart by the caller, which quotes it anyway.
    other_than_text(text).is_none()
}

fn numeric(text: &str) -> Option<Value> {
    let digits = text.replace('_', "");
    if let Some(whole) = integer(&digits) {
        return Some(Value::Int(whole));
    }
    if is_decimal(&digits) {
        parse_float(&digits)
    } else {
        None
    }
}

/// `.5` and the like; Go takes no underscores here.
fn fraction(text: &str) -> Option<Value> {
    if is_decimal(text) {
        parse_float(text)
    } else {
        None
    }
}

fn parse_float(text: &str) -> Option<Value> {
    // Go reports an overflow as an error, so such text stays a string.
    text.parse::<f64>()
        .ok()
        .filter(|float| float.is_finite())
        .map(Value::Float)
}

fn integer(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, true, &text[1..]),
        Some(b'+') => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match prefix.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(two) if two.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    // A second sign would pass `from_str_radix`.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    let fits = i64::try_from(value).is_ok() || (!signed && u64::try_from(value).is_ok());
    fits.then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, rest)) => {
            all_digits(whole) && all_digits(rest) && !(whole.is_empty() && rest.is_empty())
        }
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits))
}

fn binary(text: &str) -> String {
    let compact: String = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    STANDARD
        .decode(compact)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

/// Go's `strconv.FormatFloat(float, 'g', -1, 64)` with YAML's names for the specials.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go decides with a precision of six, whatever the digits.
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
