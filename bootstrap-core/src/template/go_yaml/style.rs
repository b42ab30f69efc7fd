//! How a scalar is written: plain, quoted or as a block.

use super::resolve;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// What a text allows.
struct Traits {
    multiline: bool,
    plain: bool,
    plain_in_flow: bool,
    single: bool,
    block: bool,
}

/// The style asked for by what the text would resolve to.
pub(super) fn for_text(text: &str) -> Style {
    if text.contains('\n') {
        return if text.chars().all(char::is_whitespace) {
            Style::Double
        } else {
            Style::Literal
        };
    }
    if is_old_boolean(text) || text == "<<" || is_base_60(text) {
        return Style::Single;
    }
    if resolve::is_string(text) {
        Style::Plain
    } else {
        Style::Double
    }
}

/// The style for a scalar whose type does not matter.
pub(super) fn for_bare(text: &str) -> Style {
    if text.contains('\n') {
        Style::Literal
    } else {
        Style::Plain
    }
}

/// The style that the text and the place allow.
pub(super) fn fit(wanted: Style, text: &str, is_key: bool, in_flow: bool) -> Style {
    let traits = analyse(text);
    let plain = if in_flow {
        traits.plain_in_flow
    } else {
        traits.plain
    };
    let mut style = wanted;
    if is_key && traits.multiline {
        style = Style::Double;
    }
    if style == Style::Plain && (!plain || (text.is_empty() && (is_key || in_flow))) {
        style = Style::Single;
    }
    if style == Style::Single && !traits.single {
        style = Style::Double;
    }
    if matches!(style, Style::Literal | Style::Folded) && (!traits.block || is_key || in_flow) {
        style = Style::Double;
    }
    style
}

/// Whether a key can stand before its colon without a `?`.
pub(super) fn is_simple_key(text: &str) -> bool {
    !analyse(text).multiline && text.len() <= 128
}

fn analyse(text: &str) -> Traits {
    if text.is_empty() {
        return Traits {
            multiline: false,
            plain: true,
            plain_in_flow: true,
            single: true,
            block: false,
        };
    }
    if is_word(text) {
        return Traits {
            multiline: false,
            plain: true,
            plain_in_flow: true,
            single: true,
            block: true,
        };
    }
    let characters: Vec<char> = text.chars().collect();
    let last = characters.len() - 1;
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let mut flow_indicators = false;
    let (mut breaks, mut special, mut tabs) = (false, false, false);
    let (mut break_then_space, mut space_then_break) = (false, false);
    let mut before = None;
    for (at, &character) in characters.iter().enumerate() {
        let blank_follows = characters
            .get(at + 1)
            .is_none_or(|next| matches!(next, ' ' | '\t'));
        indicators |= match character {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`'
                if at == 0 =>
            {
                true
            }
            '?' | '-' => at == 0 && blank_follows,
            ':' => blank_follows,
            '#' => before.is_none_or(is_blank_or_break),
            _ => false,
        };
        flow_indicators |= matches!(character, ',' | '[' | ']' | '{' | '}' | '?' | ':');
        if character == '\t' {
            tabs = true;
        } else if !is_printable(character) {
            special = true;
        }
        break_then_space |= character == ' ' && before.is_some_and(is_break);
        space_then_break |= is_break(character) && before == Some(' ');
        breaks |= is_break(character);
        before = Some(character);
    }
    let edge = |character: char| character == ' ' || is_break(character);
    let unquotable = break_then_space || space_then_break || tabs || special;
    let plain =
        !(edge(characters[0]) || edge(characters[last]) || unquotable || breaks || indicators);
    Traits {
        multiline: breaks,
        plain,
        plain_in_flow: plain && !flow_indicators,
        single: !unquotable,
        block: !(characters[last] == ' ' || space_then_break || special),
    }
}

/// Nearly all texts are names, versions and numbers, which allow everything.
fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte))
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank_or_break(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\0') || is_break(character)
}

/// Characters beyond the basic plane count as unprintable.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && character != '\u{feff}'
}

/// Booleans of YAML 1.1.
fn is_old_boolean(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// Numbers of YAML 1.1 in base 60: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let number = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let sixtieth = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => matches!(tens, b'0'..=b'5') && digit.is_ascii_digit(),
        _ => false,
    };
    whole.contains(':')
        && first.starts_with(|digit: char| digit.is_ascii_digit())
        && number(first)
        && parts.all(sixtieth)
        && number(fraction)
}
