//! Label selectors, as in the `selectors` header and in `match_labels`.

use std::collections::BTreeMap;

/// Alternatives, each a list of terms that must all hold. No alternatives: everything matches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector {
    alternatives: Vec<Vec<Term>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Compare(&'static str, f64),
}

const COMPARISONS: [&str; 4] = ["<=", ">=", "<", ">"];

impl Selector {
    /// Parses header values; each is split at `;`, and any one that matches will do.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut alternatives = Vec::new();
        for text in values.into_iter().flat_map(|value| value.split(';')) {
            alternatives.push(terms(text)?);
        }
        Ok(Self { alternatives })
    }

    /// Whether labels satisfy the selector.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.alternatives.is_empty()
            || self
                .alternatives
                .iter()
                .any(|terms| terms.iter().all(|term| term.matches(labels)))
    }
}

impl Term {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Equal(wanted) => value == Some(wanted),
            Test::NotEqual(unwanted) => value != Some(unwanted),
            Test::In(list) => value.is_some_and(|value| list.contains(value)),
            Test::NotIn(list) => value.is_none_or(|value| !list.contains(value)),
            Test::Compare(operator, limit) => {
                value
                    .and_then(|value| quantity(value))
                    .is_some_and(|value| match *operator {
                        "<" => value < *limit,
                        "<=" => value <= *limit,
                        ">" => value > *limit,
                        _ => value >= *limit,
                    })
            }
        }
    }
}

fn terms(text: &str) -> Result<Vec<Term>, String> {
    split_outside_parentheses(text)
        .into_iter()
        .filter(|term| !term.trim().is_empty())
        .map(term)
        .collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (index, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn term(text: &str) -> Result<Term, String> {
    let text = text.trim();
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Term {
            key: identifier(key)?,
            test: Test::Absent,
        });
    }
    for (word, negated) in [(" notin ", true), (" in ", false)] {
        if let Some((key, list)) = text.split_once(word) {
            let list = list
                .trim()
                .strip_prefix('(')
                .and_then(|list| list.strip_suffix(')'))
                .ok_or_else(|| "unable to parse term: expected: '('".to_owned())?;
            let list = list
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            let list = if negated {
                Test::NotIn(list)
            } else {
                Test::In(list)
            };
            return Ok(Term {
                key: identifier(key)?,
                test: list,
            });
        }
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Term {
            key: identifier(key)?,
            test: Test::NotEqual(literal(value)?),
        });
    }
    for operator in COMPARISONS {
        if let Some((key, value)) = text.split_once(operator) {
            let limit = quantity(value.trim()).unwrap_or(f64::NAN);
            return Ok(Term {
                key: identifier(key)?,
                test: Test::Compare(operator, limit),
            });
        }
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Term {
            key: identifier(key)?,
            test: Test::Equal(literal(value)?),
        });
    }
    Ok(Term {
        key: identifier(text)?,
        test: Test::Exists,
    })
}

fn identifier(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().find(|c| "(),=!<>".contains(*c)) {
        Some(c) => Err(format!(
            "unable to parse term: found '{c}', expected: identifier"
        )),
        None if text.is_empty() => {
            Err("unable to parse term: found '', expected: identifier".to_owned())
        }
        None => Ok(text.to_owned()),
    }
}

fn literal(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Some(quoted) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        return Ok(quoted.replace("\\\"", "\"").replace("\\\\", "\\"));
    }
    match text.chars().find(|c| "(),=!<>".contains(*c)) {
        Some(c) => Err(format!(
            "unable to parse term: found '{c}', expected: identifier"
        )),
        None => Ok(text.to_owned()),
    }
}

/// `16GiB`, `107GB`, `8`.
fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let factor = match unit.get(..2) {
        Some("ki") => 1024.0,
        Some("mi") => 1_048_576.0,
        Some("gi") => 1_073_741_824.0,
        Some("ti") => 1_099_511_627_776.0,
        _ => match unit.get(..1) {
            Some("k") => 1e3,
            Some("m") => 1e6,
            Some("g") => 1e9,
            Some("t") => 1e12,
            _ => 1.0,
        },
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        let labels: BTreeMap<String, String> = [("a", "b"), ("mem", "16GiB"), ("empty", "")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        for (selector, expected) in [
            ("", true),
            ("a", true),
            ("!a", false),
            ("!z", true),
            ("a = b", true),
            ("a==c", false),
            ("a != c,empty=", true),
            ("z != c", true),
            ("a in (b, c)", true),
            ("z notin (b)", true),
            ("mem >= 16GiB", true),
            ("mem < 8GB", false),
            ("z > 1", false),
            ("a=x;a=b", true),
            ("a=\"b\"", true),
        ] {
            let parsed = Selector::parse([selector]).unwrap();
            assert_eq!(parsed.matches(&labels), expected, "{selector}");
        }
        let error = Selector::parse(["%%% = ("]).unwrap_err();
        assert_eq!(
            error,
            "unable to parse term: found '(', expected: identifier"
        );
    }
}
