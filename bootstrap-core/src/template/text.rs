//! Small texts the way Go reads and writes them: quoted strings, durations, UUIDs.

use std::fmt::Write as _;

pub(crate) use omni_client::spelling::{
    go_duration as duration, parse_proto_duration, proto_duration,
};

/// Go's `%q`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            control if control < ' ' || control == '\u{7f}' => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other if is_printable(other) => quoted.push(other),
            other => {
                let code = u32::from(other);
                let _ = if code > 0xffff {
                    write!(quoted, "\\U{code:08x}")
                } else {
                    write!(quoted, "\\u{code:04x}")
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// What Rust shows of a string as it is, Go prints, too.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return true;
    }
    // After another character, so that marks count as what they are in a text.
    let shown: String = format!("a{character}").escape_debug().collect();
    shown.chars().nth(1) == Some(character)
}

/// Seconds and nanoseconds as Go prints a duration: `2h0m0s`, `1m30s`, `1.5s`, `20ms`.
pub(super) fn go_duration_text(seconds: i64, nanoseconds: i64) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let (sign, total) = (if total < 0 { "-" } else { "" }, total.unsigned_abs());
    let decimal = |value: u128, unit: u128, name: &str| {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{:0digits$}", value % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}{name}", value / unit)
    };
    let text = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => decimal(total, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(total, 1_000_000, "ms"),
        _ => {
            let (hours, minutes) = (total / 3_600_000_000_000, total / 60_000_000_000 % 60);
            let seconds = decimal(total % 60_000_000_000, 1_000_000_000, "s");
            match (hours, minutes) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// What Go's UUID parser says of a text.
pub(crate) fn check_uuid(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let dashed = match bytes.len() {
        36 => bytes,
        45 => {
            if !bytes[..9].eq_ignore_ascii_case(b"urn:uuid:") {
                let prefix = String::from_utf8_lossy(&bytes[..9]).into_owned();
                return Err(format!("invalid urn prefix: {}", quote(&prefix)));
            }
            &bytes[9..]
        }
        38 => {
            if bytes[0] != b'{' || bytes[37] != b'}' {
                return Err("invalid bracketed UUID format".to_owned());
            }
            &bytes[1..37]
        }
        32 if bytes.iter().all(u8::is_ascii_hexdigit) => return Ok(()),
        32 => return Err("invalid UUID format".to_owned()),
        length => return Err(format!("invalid UUID length: {length}")),
    };
    let fits = dashed.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    if fits {
        Ok(())
    } else {
        Err("invalid UUID format".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_does() {
        for (proto, shown) in [
            ("7200s", "2h0m0s"),
            ("30s", "30s"),
            ("90s", "1m30s"),
            ("61.500s", "1m1.5s"),
            ("0.020s", "20ms"),
            ("0.000000100s", "100ns"),
            ("0.001500s", "1.5ms"),
            ("-60s", "-1m0s"),
        ] {
            let (seconds, nanoseconds) = parse_proto_duration(proto).unwrap();
            assert_eq!(go_duration_text(seconds, nanoseconds), shown);
        }
    }

    #[test]
    fn uuids_come_in_four_spellings() {
        let plain = "6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d";
        for good in [
            plain.to_owned(),
            format!("{{{plain}}}"),
            format!("URN:UUID:{plain}"),
            plain.replace('-', ""),
        ] {
            assert_eq!(check_uuid(&good), Ok(()), "{good}");
        }
        assert_eq!(check_uuid("zzz"), Err("invalid UUID length: 3".to_owned()));
        assert_eq!(
            check_uuid(&plain.replace('6', "g")),
            Err("invalid UUID format".to_owned())
        );
    }
}
