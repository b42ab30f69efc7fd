//! IP addresses as Go's `netip` reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::super::text::quote;

/// An address, with its zone if there is one.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    let failed = |cause: &str| format!("ParseAddr({}): {cause}", quote(text));
    match text.find(['.', ':', '%']).map(|at| &text[at..=at]) {
        Some(".") => four(text).map_err(|cause| failed(&cause)),
        Some(":") => {
            let (address, zone) = match text.split_once('%') {
                Some((address, zone)) => (address, Some(zone)),
                None => (text, None),
            };
            if zone == Some("") {
                return Err(failed("zone must be a non-empty string"));
            }
            let parsed = address.parse::<Ipv6Addr>().map(IpAddr::V6);
            parsed.map_err(|_| failed(six_cause(address).as_str()))
        }
        Some(_) => Err(failed("missing IPv6 address")),
        None => Err(failed("unable to parse IP")),
    }
}

fn four(text: &str) -> Result<IpAddr, String> {
    let bytes = text.as_bytes();
    let at = |start: usize| format!("(at {})", quote(&text[start..]));
    let (mut fields, mut value, mut digits) = ([0_u8; 4], 0_u32, 0);
    let mut field = 0;
    for (start, character) in text.char_indices() {
        match character {
            '0'..='9' => {
                if digits == 1 && value == 0 {
                    return Err("IPv4 field has octet with leading zero".to_owned());
                }
                value = value * 10 + (u32::from(character) - u32::from('0'));
                digits += 1;
                if value > 255 {
                    return Err("IPv4 field has value >255".to_owned());
                }
            }
            '.' => {
                if start == 0 || start + 1 == bytes.len() || bytes[start - 1] == b'.' {
                    let cause = "IPv4 field must have at least one digit";
                    return Err(format!("{cause} {}", at(start)));
                }
                if field == 3 {
                    return Err("IPv4 address too long".to_owned());
                }
                fields[field] = u8::try_from(value).unwrap_or(u8::MAX);
                (field, value, digits) = (field + 1, 0, 0);
            }
            _ => return Err(format!("unexpected character {}", at(start))),
        }
    }
    if field < 3 {
        return Err("IPv4 address too short".to_owned());
    }
    fields[3] = u8::try_from(value).unwrap_or(u8::MAX);
    Ok(IpAddr::V4(Ipv4Addr::from(fields)))
}

/// The causes that are met in practice.
fn six_cause(text: &str) -> String {
    let mut rest = text.strip_prefix("::").unwrap_or(text);
    let mut groups = 0;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return format!("each group must have 4 or less digits (at {})", quote(rest));
        }
        if digits == 0 {
            let cause = "each colon-separated field must have at least one digit";
            return format!("{cause} (at {})", quote(rest));
        }
        rest = &rest[digits..];
        groups += 1;
        if rest.is_empty() {
            return "address string too short".to_owned();
        }
        if !rest.starts_with(':') {
            return format!("unexpected character, want colon (at {})", quote(rest));
        }
        if rest.len() == 1 {
            return format!(
                "colon must be followed by more characters (at {})",
                quote(rest)
            );
        }
        if groups == 8 {
            return format!("trailing garbage after address (at {})", quote(rest));
        }
        rest = rest[1..].strip_prefix(':').unwrap_or(&rest[1..]);
    }
}

pub(super) fn with_port(text: &str) -> Result<(), String> {
    let (ip, port) = text
        .rsplit_once(':')
        .ok_or_else(|| "not an ip:port".to_owned())?;
    if ip.is_empty() {
        return Err("no IP".to_owned());
    }
    if port.is_empty() {
        return Err("no port".to_owned());
    }
    let inside = match ip.strip_prefix('[') {
        Some(inside) => Some(inside.strip_suffix(']').ok_or("missing ]")?),
        None => None,
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() {
        return Err(format!(
            "invalid port {} parsing {}",
            quote(port),
            quote(text)
        ));
    }
    let address = address(inside.unwrap_or(ip))?;
    let quoted = quote(text);
    match (address, inside) {
        (IpAddr::V4(_), Some(_)) => Err(format!(
            "invalid ip:port {quoted}, square brackets can only be used with IPv6 addresses"
        )),
        (IpAddr::V6(_), None) => Err(format!(
            "invalid ip:port {quoted}, IPv6 addresses must be surrounded by square brackets"
        )),
        _ => Ok(()),
    }
}

pub(super) fn prefix(text: &str) -> Result<(), String> {
    let failed = |cause: &str| format!("netip.ParsePrefix({}): {cause}", quote(text));
    let (ip, bits) = text.rsplit_once('/').ok_or_else(|| failed("no '/'"))?;
    let address = address(ip).map_err(|cause| failed(&cause))?;
    if address.is_ipv6() && ip.contains('%') {
        return Err(failed("IPv6 zones cannot be present in a prefix"));
    }
    let plain = bits.bytes().all(|byte| byte.is_ascii_digit());
    let number = bits.parse::<i64>().ok();
    let Some(number) = number.filter(|_| plain && (bits.len() == 1 || !bits.starts_with('0')))
    else {
        return Err(failed(&format!("bad bits after slash: {}", quote(bits))));
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    if number > most {
        return Err(failed("prefix length out of range"));
    }
    Ok(())
}
