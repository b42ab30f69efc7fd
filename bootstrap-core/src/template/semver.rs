//! Versions the way omnictl's tolerant parser takes them, with its words for what is wrong.

use super::text::quote;

/// Major, minor and patch of a version: `v1.36` is `1.36.0`.
pub(super) fn parse_tolerant(text: &str) -> Result<(u64, u64, u64), String> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_leading_zeros).collect();
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("Short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    let [major, minor, rest] = parts.as_slice() else {
        return Err("No Major.Minor.Patch elements found".to_owned());
    };
    let major = number(major, "major", "Major")?;
    let minor = number(minor, "minor", "Minor")?;
    let (rest, build) = split(rest, '+');
    let (patch, prerelease) = split(rest, '-');
    let patch = number(patch, "patch", "Patch")?;
    for part in prerelease.into_iter().flat_map(|text| text.split('.')) {
        check_prerelease(part)?;
    }
    for part in build.into_iter().flat_map(|text| text.split('.')) {
        check_build(part)?;
    }
    Ok((major, minor, patch))
}

fn without_leading_zeros(part: &str) -> String {
    if part.len() < 2 {
        return part.to_owned();
    }
    let trimmed = part.trim_start_matches('0');
    if trimmed.starts_with(|first: char| first.is_ascii_digit()) {
        trimmed.to_owned()
    } else {
        format!("0{trimmed}")
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn number(text: &str, name: &str, title: &str) -> Result<u64, String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "Invalid character(s) found in {name} number {}",
            quote(text)
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!(
            "{title} number must not contain leading zeroes {}",
            quote(text)
        ));
    }
    let cause = if text.is_empty() {
        "invalid syntax"
    } else {
        "value out of range"
    };
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {}: {cause}", quote(text)))
}

fn check_prerelease(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    if part.bytes().all(|byte| byte.is_ascii_digit()) {
        if part.len() > 1 && part.starts_with('0') {
            return Err(format!(
                "Numeric PreRelease version must not contain leading zeroes {}",
                quote(part)
            ));
        }
    } else if !is_identifier(part) {
        return Err(format!(
            "Invalid character(s) found in prerelease {}",
            quote(part)
        ));
    }
    Ok(())
}

fn check_build(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("Build meta data is empty".to_owned());
    }
    if is_identifier(part) {
        Ok(())
    } else {
        Err(format!(
            "Invalid character(s) found in build meta data {}",
            quote(part)
        ))
    }
}

fn is_identifier(part: &str) -> bool {
    part.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_tolerantly_and_refused_in_known_words() {
        for (text, expected) in [
            ("v1.36.2", Ok((1, 36, 2))),
            ("1.36", Ok((1, 36, 0))),
            ("v1", Ok((1, 0, 0))),
            ("v1.07.0", Ok((1, 7, 0))),
            ("v1.14.0-rc.1+build.5", Ok((1, 14, 0))),
            (
                "v1.x",
                Err("Invalid character(s) found in minor number \"x\""),
            ),
            (
                "vthirteen",
                Err("Invalid character(s) found in major number \"0thirteen\""),
            ),
            (
                "1.2.gamma.0",
                Err("Invalid character(s) found in patch number \"0gamma.0\""),
            ),
            (
                "1.2-rc",
                Err("Short version cannot contain PreRelease/Build meta data"),
            ),
            ("1.2.3-", Err("Prerelease is empty")),
            ("", Err("strconv.ParseUint: parsing \"\": invalid syntax")),
        ] {
            assert_eq!(
                parse_tolerant(text),
                expected.map_err(str::to_owned),
                "{text:?}"
            );
        }
    }
}
