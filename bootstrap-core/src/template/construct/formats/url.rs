//! URLs as Go's `net/url` reads them.

use super::super::super::text::quote;
use super::address;

/// What is wrong with a URL.
pub(super) fn check(text: &str) -> Option<String> {
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    let failed = |text: &str, cause: String| Some(format!("parse {}: {cause}", quote(text)));
    if let Err(cause) = parse(url) {
        return failed(url, cause);
    }
    match unescape(fragment, |_| true) {
        Err(cause) => failed(text, cause),
        Ok(()) => None,
    }
}

fn parse(text: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = scheme(text)?;
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(());
        }
        if rest.split('/').next().unwrap_or_default().contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut path = rest;
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !after.starts_with('/'))
    {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, after) = after.split_at(end);
        check_authority(scheme, authority)?;
        path = after;
    }
    unescape(path, |_| true)
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, character) in text.char_indices() {
        match character {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_authority(scheme: &str, authority: &str) -> Result<(), String> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    check_host(scheme, host)?;
    let Some(user) = user else {
        return Ok(());
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(known) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescape(user, |_| true)
}

fn check_host(scheme: &str, host: &str) -> Result<(), String> {
    match host.rfind('[') {
        Some(0) => return check_literal(host),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    if let Some(first) = host.find(':') {
        let strict = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let at = if strict {
            first
        } else {
            host.rfind(':').unwrap_or(first)
        };
        check_port(&host[at..])?;
    }
    unescape(host, in_host)
}

fn check_literal(host: &str) -> Result<(), String> {
    let end = host
        .rfind(']')
        .ok_or_else(|| "missing ']' in host".to_owned())?;
    check_port(&host[end + 1..])?;
    let inside = &host[1..end];
    unescape(inside, in_host)?;
    let plain = inside.replace("%25", "%");
    match address::address(&plain) {
        Err(cause) => Err(format!("invalid host: {cause}")),
        Ok(address) if address.is_ipv4() => Err("invalid IP-literal".to_owned()),
        Ok(_) => Ok(()),
    }
}

fn check_port(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix(':');
    let fits = text.is_empty()
        || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if fits {
        Ok(())
    } else {
        Err(format!("invalid port {} after host", quote(text)))
    }
}

fn in_host(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// Looks at escapes, and at each other byte.
fn unescape(text: &str, allowed: fn(u8) -> bool) -> Result<(), String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let escape = &bytes[at..bytes.len().min(at + 3)];
            let whole = escape.len() == 3 && escape[1..].iter().all(u8::is_ascii_hexdigit);
            // In hosts only what is no ASCII may be escaped, and the sign itself.
            let needless = !allowed(b'%') && matches!(escape.get(1), Some(b'0'..=b'7'));
            if !whole || (needless && escape != b"%25") {
                let shown = String::from_utf8_lossy(escape);
                return Err(format!("invalid URL escape {}", quote(&shown)));
            }
            at += 3;
        } else if allowed(byte) {
            at += 1;
        } else {
            let shown = quote(&char::from(byte).to_string());
            return Err(format!("invalid character {shown} in host name"));
        }
    }
    Ok(())
}
