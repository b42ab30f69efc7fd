//! Durations as Go and protobuf write them.

/// Go's `time.ParseDuration`, in nanoseconds.
pub fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (part, after) = term(rest)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// One `1.5h`, and what follows it.
fn term(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut rest) = text.split_at(digits(text));
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at(digits(after));
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|character: char| character == '.' || character.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let scale: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let value = whole.checked_mul(scale)? + share(fraction, scale);
    Some((value, rest))
}

/// The part of a unit that a fraction stands for, with the rounding of Go's floats.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // what Go does
fn share(fraction: &str, unit: i128) -> i128 {
    let (mut digits, mut scale) = (0_i64, 1_f64);
    for digit in fraction.bytes() {
        let next = digits.checked_mul(10);
        let Some(next) = next.and_then(|next| next.checked_add(i64::from(digit - b'0'))) else {
            break;
        };
        digits = next;
        scale *= 10.0;
    }
    (digits as f64 * (unit as f64 / scale)) as i128
}

/// A duration as protobuf's JSON writes it: `9000s`, `1.500s`.
pub fn proto_duration(nanoseconds: i64) -> String {
    let (seconds, fraction) = (
        nanoseconds / 1_000_000_000,
        (nanoseconds % 1_000_000_000).unsigned_abs(),
    );
    let sign = if nanoseconds < 0 && seconds == 0 {
        "-"
    } else {
        ""
    };
    if fraction == 0 {
        format!("{seconds}s")
    } else if fraction % 1_000_000 == 0 {
        format!("{sign}{seconds}.{:03}s", fraction / 1_000_000)
    } else if fraction % 1_000 == 0 {
        format!("{sign}{seconds}.{:06}s", fraction / 1_000)
    } else {
        format!("{sign}{seconds}.{fraction:09}s")
    }
}

/// Seconds and nanoseconds of such a text.
pub fn parse_proto_duration(text: &str) -> Option<(i64, i64)> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let seconds = whole.parse().ok()?;
    let mut padded = fraction.to_owned();
    while padded.len() < 9 {
        padded.push('0');
    }
    let nanoseconds: i64 = padded.get(..9)?.parse().ok()?;
    Some((
        seconds,
        if whole.starts_with('-') {
            -nanoseconds
        } else {
            nanoseconds
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, nanoseconds, proto) in [
            ("2h30m", 9_000_000_000_000, "9000s"),
            ("1.5s", 1_500_000_000, "1.500s"),
            ("-1m", -60_000_000_000, "-60s"),
            ("100us", 100_000, "0.000100s"),
            ("1ns", 1, "0.000000001s"),
            ("0", 0, "0s"),
            (".5h", 1_800_000_000_000, "1800s"),
        ] {
            assert_eq!(go_duration(text), Some(nanoseconds), "{text}");
            assert_eq!(proto_duration(nanoseconds), proto, "{text}");
            let (seconds, rest) = parse_proto_duration(proto).unwrap();
            assert_eq!(seconds * 1_000_000_000 + rest, nanoseconds, "{text}");
        }
        for text in ["", "5", "1x", "s", "-", "1h ", "99999999999h", ".s"] {
            assert_eq!(go_duration(text), None, "{text:?}");
        }
    }
}
