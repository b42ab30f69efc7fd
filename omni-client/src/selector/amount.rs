//! Amounts as Omni compares them.

/// `16GiB`, `107GB`, `8`; none where the text is no amount.
pub(super) fn of(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: i64 = number.parse().ok()?;
    // Omni lets it overflow.
    Some(number.wrapping_mul(factor(unit)?))
}

fn factor(unit: &str) -> Option<i64> {
    let unit = unit.to_lowercase();
    let unit = unit.trim();
    if unit.is_empty() {
        return Some(1);
    }
    let binary = ["ki", "mi", "gi", "ti", "pi"];
    if let Some(power) = binary.iter().position(|prefix| unit.starts_with(prefix)) {
        return Some(1024_i64.pow(u32::try_from(power + 1).ok()?));
    }
    let decimal = ['k', 'm', 'g', 't', 'p'];
    let power = decimal
        .iter()
        .position(|prefix| unit.starts_with(*prefix))?;
    Some(1000_i64.pow(u32::try_from(power + 1).ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn amounts() {
        for (text, amount) in [
            ("4GiB", Some(4 << 30)),
            ("4GB", Some(4_000_000_000)),
            ("4g", Some(4_000_000_000)),
            ("1PiB", Some(1 << 50)),
            ("10Gbps", Some(10_000_000_000)),
            (" 1 k", Some(1000)),
            ("-1 k", Some(-1000)),
            ("0", Some(0)),
            ("9223372036854775807k", Some(-1000)),
            ("1.1 k", None),
            ("1 i", None),
            ("1 1", None),
            ("1-1", None),
            ("", None),
            ("-", None),
            ("GiB", None),
            ("9223372036854775808", None),
            ("٣", None),
        ] {
            assert_eq!(super::of(text), amount, "{text:?}");
        }
    }
}
