//! From text to steps.

use serde_json::Value;

use super::{Comparison, Operand, Part, Step};

pub(super) fn template(text: &str) -> Result<Vec<Part>, String> {
    let whole = if text.contains('{') {
        text.to_owned()
    } else {
        format!("{{{}}}", dotted(text))
    };
    // Of each open range its path and what stood before it.
    let mut open: Vec<(Vec<Step>, Vec<Part>)> = Vec::new();
    let mut parts = Vec::new();
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let Some(brace) = rest.find('{') else {
            parts.push(Part::Text(rest.to_owned()));
            break;
        };
        if brace > 0 {
            parts.push(Part::Text(rest[..brace].to_owned()));
        }
        let inside = &rest[brace + 1..];
        let end = closing(inside, '}')?.ok_or_else(|| {
            let at = whole.len() - rest.len() + brace + 1;
            unclosed(inside, at)
                .unwrap_or_else(|| format!("the brace at character {at} is not closed"))
        })?;
        let expression = inside[..end].trim();
        rest = &inside[end + 1..];
        if let Some(path) = expression.strip_prefix("range ") {
            open.push((steps(&dotted(path))?, std::mem::take(&mut parts)));
        } else if expression == "end" {
            let Some((path, before)) = open.pop() else {
                return Err("an `end` without its `range`".to_owned());
            };
            let body = std::mem::replace(&mut parts, before);
            parts.push(Part::Range(path, body));
        } else if let Some(literal) = literal(expression) {
            parts.push(Part::Text(literal));
        } else {
            parts.push(Part::Path(steps(&dotted(expression))?));
        }
    }
    if open.is_empty() {
        Ok(parts)
    } else {
        Err("a `range` without its `end`".to_owned())
    }
}

/// `a.b` is meant as `.a.b`.
fn dotted(path: &str) -> String {
    let path = path.trim();
    if path.starts_with(['.', '$', '[', '@', '"', '\'']) {
        path.to_owned()
    } else {
        format!(".{path}")
    }
}

fn unclosed(inside: &str, brace: usize) -> Option<String> {
    let bracket = inside.find('[')?;
    let closed = closing(&inside[bracket + 1..], ']').ok().flatten();
    closed
        .is_none()
        .then(|| format!("`[` at character {} is not closed", brace + bracket + 1))
}

fn literal(expression: &str) -> Option<String> {
    let quote = expression
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = expression.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(unescape(inner))
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// Where the text up to a closing character ends, quotes and brackets within it respected.
fn closing(text: &str, close: char) -> Result<Option<usize>, String> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), character) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, character) if character == close && depth == 0 => return Ok(Some(at)),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    Ok(None)
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        match first {
            '$' => {
                steps.push(Step::Root);
                rest = &rest[1..];
            }
            '@' => rest = &rest[1..],
            '.' if rest.starts_with("..") => {
                steps.push(Step::Below);
                rest = &rest[1..];
                if rest.starts_with(".[") {
                    rest = &rest[1..];
                }
            }
            '[' => {
                let end = closing(&rest[1..], ']')?.ok_or("`[` is not closed")?;
                steps.push(bracket(&rest[1..=end])?);
                rest = &rest[end + 2..];
            }
            _ => {
                rest = rest.strip_prefix('.').unwrap_or(rest);
                let (name, length) = name(rest);
                match name.as_str() {
                    "" => {}
                    "*" => steps.push(Step::All),
                    _ => steps.push(Step::Field(name)),
                }
                rest = &rest[length..];
            }
        }
    }
    Ok(steps)
}

/// A name up to the next dot or bracket, and how long it is written.
fn name(text: &str) -> (String, usize) {
    let mut name = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => {
                name.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '.' | '[' => return (name, at),
            other => name.push(other),
        }
    }
    (name, text.len())
}

fn bracket(inside: &str) -> Result<Step, String> {
    let inside = inside.trim();
    if inside == "*" {
        return Ok(Step::All);
    }
    if let Some(filter) = inside
        .strip_prefix("?(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        return self::filter(filter.trim());
    }
    let alternatives = split(inside, ',');
    if alternatives.len() > 1 {
        let steps: Result<Vec<_>, _> = alternatives.iter().map(|part| bracket(part)).collect();
        return steps.map(Step::Union);
    }
    if let Some(name) = literal(inside) {
        return Ok(Step::Field(name));
    }
    let no_number = || format!("`{inside}` in brackets is no number, quoted name, `*` or filter");
    if inside.contains(':') {
        let numbers: Vec<Option<i64>> = inside
            .split(':')
            .map(|part| match part.trim() {
                "" => Ok(None),
                number => number.parse().map(Some).map_err(|_| no_number()),
            })
            .collect::<Result<_, _>>()?;
        let number = |at: usize| numbers.get(at).copied().flatten();
        return match number(2).unwrap_or(1) {
            step if step > 0 => Ok(Step::Slice(number(0), number(1), step)),
            _ => Err(no_number()),
        };
    }
    inside.parse().map(Step::Index).map_err(|_| no_number())
}

/// Parts between a separator that stands outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Ok(Some(end)) = closing(rest, separator) {
        parts.push(&rest[..end]);
        rest = &rest[end + separator.len_utf8()..];
    }
    parts.push(rest);
    parts
}

fn filter(text: &str) -> Result<Step, String> {
    const COMPARISONS: [(&str, Comparison); 7] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("=", Comparison::Equal),
    ];
    let found = COMPARISONS
        .iter()
        .filter_map(|(written, comparison)| Some((text.find(written)?, *written, *comparison)))
        .min_by_key(|(at, written, _)| (*at, std::cmp::Reverse(written.len())));
    let Some((at, written, comparison)) = found else {
        return steps(text).map(Step::Exists);
    };
    let operand = |part: &str| match part.trim() {
        "" => Err(format!("a value is missing in the filter `{text}`")),
        path if path.starts_with(['@', '$']) => steps(path).map(Operand::Path),
        value => Ok(Operand::Value(constant(value))),
    };
    Ok(Step::Filter(
        operand(&text[..at])?,
        comparison,
        operand(&text[at + written.len()..])?,
    ))
}

fn constant(text: &str) -> Value {
    literal(text).map_or_else(
        || serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        Value::String,
    )
}
