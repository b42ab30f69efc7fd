//! Texts with a format of their own, and what Go says of those that do not fit.

mod address;
mod url;

use super::super::text::quote;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Format {
    Address,
    AddressPort,
    Prefix,
    HardwareAddress,
    /// Bytes with a unit; `%` where it says so.
    Size,
    SignedSize,
    SizeOrShare,
    /// A size after a comparison.
    SizeCondition,
    Base64,
    Url,
    /// Looked at when it is used, not when it is read.
    Expression,
}

/// Why a text does not fit.
pub(in crate::template) struct Problem {
    /// In Go's words, which may quote the text.
    pub text: String,
    /// The same without the text.
    pub message: String,
}

impl Problem {
    pub(super) fn new(text: String, message: &str) -> Self {
        Self {
            text,
            message: message.to_owned(),
        }
    }

    /// Words that tell nothing secret.
    pub(super) fn plain(text: String) -> Self {
        Self {
            message: text.clone(),
            text,
        }
    }
}

/// The format of a type that decodes itself from text.
pub(super) fn named(type_name: &str) -> Option<Format> {
    Some(match type_name {
        "netip.Addr" | "meta.Addr" => Format::Address,
        "netip.AddrPort" | "meta.AddrPort" => Format::AddressPort,
        "netip.Prefix" | "meta.Prefix" => Format::Prefix,
        "nethelpers.HardwareAddr" => Format::HardwareAddress,
        "block.ByteSize" => Format::SignedSize,
        "block.Size" => Format::SizeOrShare,
        "cel.Expression" => Format::Expression,
        _ => return None,
    })
}

/// What is wrong with a text.
pub(super) fn check(format: Format, text: &str) -> Option<Problem> {
    let (problem, message) = match format {
        Format::Expression => return None,
        Format::Address
        | Format::AddressPort
        | Format::Prefix
        | Format::SignedSize
        | Format::SizeOrShare
            if text.is_empty() =>
        {
            return None;
        }
        Format::Address => (address::address(text).err(), "no IP address"),
        Format::AddressPort => (address::with_port(text).err(), "no IP address with a port"),
        Format::Prefix => (address::prefix(text).err(), "no network like 10.0.0.0/8"),
        Format::HardwareAddress => (hexadecimal(text), "no hardware address"),
        Format::Size => (size(text).err(), NO_SIZE),
        Format::SizeOrShare if text.contains('%') => (share(text), "no percentage"),
        Format::SignedSize | Format::SizeOrShare => (signed_size(text), NO_SIZE),
        Format::SizeCondition => (size_condition(text), NO_SIZE),
        Format::Base64 => (base64(text), "no valid base64"),
        Format::Url => (url::check(text), "no URL"),
    };
    problem.map(|problem| Problem::new(problem, message))
}

const NO_SIZE: &str = "no size like 100GiB";

fn hexadecimal(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(|digit| *digit != ':').collect();
    let odd = digits.iter().find(|digit| !digit.is_ascii_hexdigit());
    if let Some(odd) = odd {
        // Go looks at bytes.
        let byte = odd.to_string().bytes().next().map_or('\0', char::from);
        let code = u32::from(byte);
        return Some(format!(
            "encoding/hex: invalid byte: U+{code:04X} {}",
            rune(byte)
        ));
    }
    (digits.len() % 2 == 1).then(|| "encoding/hex: odd length hex string".to_owned())
}

/// Go's `%#U` shows the character where it can be printed.
fn rune(character: char) -> String {
    format!("'{character}'")
}

/// Bytes, as go-humanize reads them.
fn size(text: &str) -> Result<(), String> {
    let end = text
        .find(|c: char| !(c.is_numeric() && !c.is_alphabetic() || matches!(c, '.' | ',')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let digits = number.replace(',', "");
    let value: f64 = digits.parse().map_err(|_| {
        let quoted = quote(&digits);
        format!("strconv.ParseFloat: parsing {quoted}: invalid syntax")
    })?;
    let unit = unit.trim().to_lowercase();
    let (letter, base) = match unit.strip_suffix('b').unwrap_or(&unit).strip_suffix('i') {
        Some(letter) => (letter, 1024_f64),
        None => (unit.strip_suffix('b').unwrap_or(&unit), 1000_f64),
    };
    let power = match letter {
        "" if base < 1024.0 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return Err(format!("unhandled size name: {unit}")),
    };
    if value * base.powi(power) >= 18_446_744_073_709_551_615.0 {
        return Err(format!("too large: {text}"));
    }
    Ok(())
}

fn signed_size(text: &str) -> Option<String> {
    size(text.strip_prefix('-').unwrap_or(text)).err()
}

fn share(text: &str) -> Option<String> {
    let Some(number) = text.strip_suffix('%') else {
        return Some("percentage must end with '%'".to_owned());
    };
    let number = number.strip_prefix('-').unwrap_or(number);
    match number.parse::<f64>() {
        Err(_) => Some(format!(
            "invalid percentage value: strconv.ParseFloat: parsing {}: invalid syntax",
            quote(number)
        )),
        Ok(value) if !(0.0..=100.0).contains(&value) => {
            Some(format!("percentage must be between 0 and 100, got {value}"))
        }
        Ok(_) => None,
    }
}

fn size_condition(text: &str) -> Option<String> {
    let text = text.trim();
    let comparison = [">=", "<=", ">", "<", "=="];
    let rest = comparison
        .iter()
        .find_map(|sign| text.strip_prefix(sign))
        .unwrap_or(text);
    let cause = size(rest.trim()).err()?;
    Some(format!("failed to parse disk size {rest}: {cause}"))
}

/// Go counts the bytes up to the first that does not fit, line breaks among them.
fn base64(text: &str) -> Option<String> {
    let corrupt = |at: usize| Some(format!("illegal base64 data at input byte {at}"));
    let bytes = text.as_bytes();
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits += 1,
            b'=' => return padding(bytes, at, digits % 4).and_then(corrupt),
            _ => return corrupt(at),
        }
    }
    match digits % 4 {
        0 => None,
        rest => corrupt(bytes.len() - rest),
    }
}

/// Where the padding that begins here goes wrong.
fn padding(bytes: &[u8], start: usize, digits: usize) -> Option<usize> {
    let mut at = start;
    if digits < 2 {
        return Some(at);
    }
    let skip = |mut at: usize| {
        while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        at
    };
    at += 1;
    if digits == 2 {
        at = skip(at);
        match bytes.get(at) {
            None => return Some(bytes.len()),
            Some(b'=') => at += 1,
            Some(_) => return Some(at - 1),
        }
    }
    at = skip(at);
    (at < bytes.len()).then_some(at)
}
