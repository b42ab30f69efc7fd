//! Text from a server made fit to print.

const MASK: &str = "[redacted]";

/// Names after which a value is a secret.
const NAMES: [&str; 13] = [
    "authorization",
    "cookie",
    "signature",
    "token",
    "password",
    "passwd",
    "secret",
    "api-key",
    "api_key",
    "apikey",
    "private_key",
    "privatekey",
    "pgp_key",
];

/// Names whose value is all of the rest of the line, words and all.
const WHOLE_LINE: [&str; 3] = ["authorization", "cookie", "signature"];

/// Text from a server made fit to print: control characters dropped, secrets masked, cut to `max` characters.
///
/// Masked are values after names such as `token` or `Authorization`, private key blocks, and words
/// that look like a key (long, mixed, no punctuation). It is a net below code that does not print
/// secrets to begin with.
pub fn redact(text: &str, max: usize) -> String {
    cleaned(text, max, |c| if c.is_whitespace() { ' ' } else { c })
}

/// [`redact`] that keeps line ends and tabs, for what is shown exactly as a server laid it out.
pub fn redact_lines(text: &str, max: usize) -> String {
    cleaned(text, max, |c| match c {
        '\n' | '\t' => c,
        c if c.is_whitespace() => ' ',
        c => c,
    })
}

fn cleaned(text: &str, max: usize, space: impl Fn(char) -> char) -> String {
    let masked = text
        .split('\n')
        .map(mask_line)
        .collect::<Vec<_>>()
        .join("\n");
    let mut shown: Vec<char> = mask_blocks(&masked)
        .chars()
        .map(space)
        .filter(|&c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(c)))
        .collect();
    if shown.len() > max {
        shown.truncate(max.saturating_sub(1));
        shown.push('…');
        shown.truncate(max);
    }
    shown.into_iter().collect()
}

/// Marks that turn the direction of text or have no width: they make a line read as another one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn mask_blocks(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(at);
        shown.push_str(before);
        let label = block[BEGIN.len()..]
            .split("-----")
            .next()
            .unwrap_or_default();
        if !label.contains("PRIVATE KEY") {
            shown.push_str(BEGIN);
            rest = &block[BEGIN.len()..];
            continue;
        }
        shown.push_str(MASK);
        let end = format!("-----END {label}-----");
        rest = block.find(&end).map_or("", |at| &block[at + end.len()..]);
    }
    shown + rest
}

fn mask_line(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let word_end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        if word.is_empty() {
            let first = after.chars().next().map_or(0, char::len_utf8);
            shown.push_str(&after[..first]);
            rest = &after[first..];
            continue;
        }
        shown.push_str(if looks_secret(word) { MASK } else { word });
        let Some(value) = value_after(word, after) else {
            rest = after;
            continue;
        };
        shown.push_str(&after[..after.len() - value.len()]);
        let end = value_end(word, value);
        if end > 0 {
            shown.push_str(MASK);
        }
        rest = &value[end..];
    }
    shown
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/')
}

/// What follows `name:` or `name=`, quotes and blanks between them passed over.
fn value_after<'a>(word: &str, after: &'a str) -> Option<&'a str> {
    let name = word.to_ascii_lowercase();
    let named = NAMES.iter().any(|secret| name.ends_with(secret));
    let rest = after
        .trim_start_matches(['"', '\'', '\\'])
        .trim_start_matches(' ');
    // A Proxmox token reads `user@realm!name=secret`.
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| is_word(c) || c == '.');
    let token = rest
        .strip_prefix('!')
        .and_then(|rest| rest.split_once('='))
        .is_some_and(|(name, _)| is_name(name));
    if !named && !token {
        return None;
    }
    let rest = if named {
        rest.strip_prefix([':', '='])?
    } else {
        let name_and_on = rest.strip_prefix('!')?;
        name_and_on
            .trim_start_matches(is_word)
            .strip_prefix('=')
            .filter(|_| name_and_on.starts_with(is_word))?
    };
    Some(rest.trim_start_matches([' ', '"', '\'', '\\', '[']))
}

fn value_end(name: &str, value: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let whole_line = WHOLE_LINE.iter().any(|secret| name.ends_with(secret));
    value
        .find(|c: char| {
            matches!(c, '"' | '\'' | '\\')
                || !whole_line
                    && (c.is_whitespace() || matches!(c, ',' | ';' | '&' | ')' | ']' | '}'))
        })
        .unwrap_or(value.len())
}

/// Long and of mixed case with digits, as random keys are and names are not.
fn looks_secret(word: &str) -> bool {
    let has = |test: fn(&char) -> bool| word.chars().any(|c| test(&c));
    let long = if word.contains('/') { 40 } else { 24 };
    let mixed =
        has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    word.len() >= long && mixed || word.starts_with("eyJ") && word.len() >= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stays_readable() {
        for (text, expected) in [
            ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
            (
                r#"{"authorization": "Basic eA==", "x": 1}"#,
                r#"{"authorization": "[redacted]", "x": 1}"#,
            ),
            ("X-API-KEY=abc123, id=7", "X-API-KEY=[redacted], id=7"),
            ("/api?token=abc&x=1", "/api?token=[redacted]&x=1"),
            ("PVEAPIToken=root@pam!ci=1b2c", "PVEAPIToken=[redacted]"),
            (
                "user root@pam!ci=1b2c failed",
                "user root@pam!ci=[redacted] failed",
            ),
            (
                "x-sidero-signature: siderov1 ci 01ab c2ln",
                "x-sidero-signature: [redacted]",
            ),
            ("key aB3dE5gH7jK9mN1pQ3sT5vW7 bad", "key [redacted] bad"),
            (
                "a -----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK----- b",
                "a [redacted] b",
            ),
            (
                "permission check failed (/vms/100, VM.Audit)",
                "permission check failed (/vms/100, VM.Audit)",
            ),
            (
                "machine 423ac1b2-4f5e-4d3c-9a1b-0123456789ab of homelab-gpu-workers-x8k2j1",
                "machine 423ac1b2-4f5e-4d3c-9a1b-0123456789ab of homelab-gpu-workers-x8k2j1",
            ),
            (
                "authentication token missing",
                "authentication token missing",
            ),
            (
                "group (17 != 99) of root@pam!ci: a=1",
                "group (17 != 99) of root@pam!ci: a=1",
            ),
            ("a\u{1b}[31mb\u{202e}c\td", "a[31mbc d"),
            (
                "failed! the reason = timeout, sorry!=",
                "failed! the reason = timeout, sorry!=",
            ),
            ("", ""),
        ] {
            assert_eq!(redact(text, 500), expected);
        }
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(redact("äöüß", 4), "äöüß");
        assert_eq!(redact("äöüßx", 4), "äöü…");
        assert_eq!(redact("ab", 1), "…");
        assert_eq!(redact("ab", 0), "");
    }

    #[test]
    fn lines_are_kept_where_asked_for() {
        assert_eq!(
            redact_lines("1 error:\n\t* a\u{1b}b token: abc\n\n", 100),
            "1 error:\n\t* ab token: [redacted]\n\n"
        );
        assert_eq!(redact("a\n\tb\u{7}", 100), "a  b");
    }
}
