//! What a scalar means.

use serde_json::{Number, Value};

use super::Scalar;

impl Scalar {
    /// Whether it is `null`, `~` or nothing at all.
    pub fn is_null(&self) -> bool {
        match self.tag.as_deref() {
            Some("!!null") => true,
            Some(_) => false,
            None => self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
        }
    }

    /// A boolean. `yes` and `on` are strings.
    pub fn as_bool(&self) -> Option<bool> {
        if !self.resolves_as("!!bool") {
            return None;
        }
        match self.text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        if !self.resolves_as("!!int") {
            return None;
        }
        i64::try_from(integer(&self.text)?).ok()
    }

    /// `a string`, `a number`, …
    pub(super) fn kind(&self) -> &'static str {
        match self.to_json() {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            _ => "a string",
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        if self.is_null() {
            return Value::Null;
        }
        if let Some(boolean) = self.as_bool() {
            return Value::Bool(boolean);
        }
        self.number()
            .map_or_else(|| Value::String(self.text.to_string()), Value::Number)
    }

    fn number(&self) -> Option<Number> {
        if self.resolves_as("!!int")
            && let Some(whole) = integer(&self.text)
        {
            return Number::from_i128(whole);
        }
        if self.resolves_as("!!float") {
            float(&self.text).and_then(Number::from_f64)
        } else {
            None
        }
    }

    fn resolves_as(&self, tag: &str) -> bool {
        match &self.tag {
            Some(own) => own == tag,
            None => self.plain,
        }
    }
}

/// Decimal, `0x`, `0o`, `0b` and the older leading zero; underscores between digits are dropped.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(leading) if leading.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    // A second sign would pass `from_str_radix`.
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&value)
        .then_some(value)
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let holds_digit = unsigned.chars().any(|character| character.is_ascii_digit());
    let number = unsigned
        .chars()
        .all(|character| matches!(character, '0'..='9' | '.' | 'e' | 'E' | '+' | '-' | '_'));
    if begins && holds_digit && number {
        text.replace('_', "").parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(text: &str, expected: &Value) {
        let scalar = |plain| Scalar {
            text: text.into(),
            plain,
            tag: None,
        };
        assert_eq!(&scalar(true).to_json(), expected, "plain {text:?}");
        assert_eq!(scalar(false).to_json(), json!(text), "quoted {text:?}");
    }

    #[test]
    fn plain_scalars_resolve_as_go_does_and_quoted_ones_are_strings() {
        for (text, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("0", json!(0)),
            ("-17", json!(-17)),
            ("017", json!(15)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("089", json!(89.0)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (
                "18446744073709551615",
                json!(18_446_744_073_709_551_615_u64),
            ),
            ("v1.35.0", json!("v1.35.0")),
            ("1.35.0", json!("1.35.0")),
            ("52:54:00:12:34:56", json!("52:54:00:12:34:56")),
            ("172.16.8.1", json!("172.16.8.1")),
            ("2026-01-02", json!("2026-01-02")),
            ("--5", json!("--5")),
            ("0x", json!("0x")),
            ("-", json!("-")),
            (".", json!(".")),
            (".inf", json!(".inf")),
        ] {
            check(text, &expected);
        }
    }
}
