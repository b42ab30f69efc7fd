//! YAML as Go's yaml v4 writes it with its v3 defaults: the bytes that `omnictl` stores for inline patches.
//!
//! Keys are in natural order, blocks are indented by a fixed width with sequences one level in, and a string
//! is quoted only where it would read as something else.

mod keys;
pub(in crate::template) mod remarshal;
pub(in crate::template) mod resolve;
pub(in crate::template) mod style;
mod timestamp;
pub(in crate::template) mod tree;
mod writer;

use ecow::EcoString;

use crate::yaml::{Content, Node};

/// A value as Go's decoder would hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int` or `uint64`.
    Int(i128),
    /// `float64`.
    Float(f64),
    /// `string`: quoted where it would resolve to another type.
    Text(EcoString),
    /// `string` that is asked for as a literal block, where its characters allow one.
    Literal(EcoString),
    /// `string` that is asked for in double quotes.
    Quoted(EcoString),
    /// A scalar without a type, as resource metadata is made of: `1` and an empty string stay bare.
    Bare(EcoString),
    /// `time.Time`, in RFC 3339.
    Time(EcoString),
    /// A list.
    Sequence(Vec<Value>),
    /// Pairs, written in this order.
    Mapping(Vec<(Value, Value)>),
}

impl Value {
    /// What decoding a node into Go's `any` gives, mappings in the order Go writes them.
    pub fn from_node(node: &Node) -> Self {
        Self::decode(node, false)
    }

    /// What decoding a mapping node into `map[string]any` gives: its own keys are strings whatever they look
    /// like.
    pub fn from_document(node: &Node) -> Self {
        Self::decode(node, true)
    }

    fn decode(node: &Node, text_keys: bool) -> Self {
        match &node.content {
            Content::Scalar(scalar) => resolve::resolve(scalar),
            Content::Sequence(items) => {
                let items = items.iter().filter(|item| !is_merge(item));
                Self::Sequence(items.map(Self::from_node).collect())
            }
            Content::Mapping(pairs) => {
                let pairs: Vec<_> = pairs
                    .iter()
                    // Go leaves out what has a null for a string key, or a merge sign for a value.
                    .filter(|(key, value)| !(text_keys && key.is_null() || is_merge(value)))
                    .map(|(key, value)| {
                        let key = match &key.content {
                            Content::Scalar(scalar) if text_keys => Self::Text(scalar.text.clone()),
                            _ => Self::from_node(key),
                        };
                        (key, Self::from_node(value))
                    })
                    .collect();
                Self::Mapping(keys::sort(keys::unique(pairs)))
            }
        }
    }

    /// The same, with texts in double quotes that Go would write in a way that reads as something else: blocks
    /// that begin with an empty line and spaces, for one.
    #[must_use]
    pub fn faithful(self) -> Self {
        match self {
            Self::Text(text) if text.contains(['\n', '\r']) => Self::Literal(text).faithful(),
            Self::Literal(text) if !reads_as(&Self::Literal(text.clone()), &text) => {
                Self::Quoted(text)
            }
            Self::Text(text) if !reads_as(&Self::Text(text.clone()), &text) => Self::Quoted(text),
            Self::Sequence(items) => {
                Self::Sequence(items.into_iter().map(Self::faithful).collect())
            }
            Self::Mapping(pairs) => {
                let pairs = pairs.into_iter();
                Self::Mapping(
                    pairs
                        .map(|(key, value)| (key.faithful(), value.faithful()))
                        .collect(),
                )
            }
            other => other,
        }
    }

    /// A Go map of strings, in the order Go writes its keys.
    pub fn string_map(map: &std::collections::BTreeMap<String, String>) -> Self {
        let pairs = map
            .iter()
            .map(|(key, value)| (Self::Text(key.into()), Self::Text(value.into())));
        Self::Mapping(keys::sort(pairs.collect()))
    }

    /// A mapping with text keys.
    pub fn mapping<const N: usize>(pairs: [(&str, Self); N]) -> Self {
        Self::Mapping(
            pairs
                .into_iter()
                .map(|(key, value)| (Self::Text(key.into()), value))
                .collect(),
        )
    }
}

/// Whether a value, two levels in, reads as this text, also after omnictl has written it anew.
fn reads_as(value: &Value, text: &str) -> bool {
    let inner = Value::mapping([("a", value.clone())]);
    let written = emit(&[Value::Sequence(vec![inner])], 2);
    let (documents, _) = tree::documents(&crate::yaml::Scanned::of(&written));
    let anew = documents
        .first()
        .map(|document| remarshal::remarshal(&document.tree));
    let is_text = |written: &str| {
        let read = crate::yaml::parse(written).unwrap_or_default();
        let scalar = read
            .first()
            .and_then(Node::as_sequence)
            .and_then(|items| items.first()?.get("a"));
        scalar.is_some_and(|node| node.to_json() == text)
    };
    is_text(&written) && anew.is_some_and(|anew| is_text(&anew))
}

/// Go sets nothing to a merge sign.
fn is_merge(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar)
        if scalar.plain && scalar.tag.is_none() && scalar.text == "<<")
}

/// Whether Go would read this plain text as a timestamp, which it then refuses to take for a string.
pub fn is_timestamp(text: &str) -> bool {
    timestamp::normalise(text).is_some()
}

/// Writes documents, `---` between them, as Go's encoder does with this indentation.
pub fn emit(documents: &[Value], indent: usize) -> String {
    let mut writer = writer::Writer::new(indent);
    for document in documents {
        writer.document(document);
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &str) {
        let documents: Vec<_> = crate::yaml::parse(source)
            .unwrap()
            .iter()
            .map(Value::from_document)
            .collect();
        assert_eq!(emit(&documents, 4), expected, "from {source:?}");
    }

    #[test]
    fn structure_is_laid_out_as_go_does() {
        check(
            "b: [1, {x: 1, y: [a, [b, c], {}]}]\na: {}\nc: []\nd:\n- - p\n  - q\n- r: s\n  t: u\n",
            "a: {}\nb:\n    - 1\n    - x: 1\n      'y':\n        - a\n        - - b\n          - c\n        - {}\nc: []\nd:\n    - - p\n      - q\n    - r: s\n      t: u\n",
        );
        check("a: 1\n---\nb: 2\n", "a: 1\n---\nb: 2\n");
        check("{}\n", "{}\n");
    }

    #[test]
    fn keys_are_in_natural_order() {
        check(
            "eth10: 1\neth2: 2\neth1a: 3\nEth: 4\n_x: 5\n\"1\": 6\n10: 7\n2: 8\na-b: 9\na.b: 10\nab: 11\n",
            "_x: 5\n\"1\": 6\n\"2\": 8\n\"10\": 7\nEth: 4\na-b: 9\na.b: 10\nab: 11\neth1a: 3\neth2: 2\neth10: 1\n",
        );
        check(
            "m: {b: 1, 3: x, true: y, 1.5: z}\n",
            "m:\n    true: 'y'\n    1.5: z\n    3: x\n    b: 1\n",
        );
    }

    #[test]
    fn scalars_keep_their_type_and_no_more_quotes_than_needed() {
        for (source, expected) in [
            ("'true'", "\"true\""),
            ("true", "true"),
            ("True", "true"),
            ("yes", "'yes'"),
            ("'off'", "'off'"),
            ("'~'", "\"~\""),
            ("~", "null"),
            ("null", "null"),
            ("''", "\"\""),
            ("'2048'", "\"2048\""),
            ("0x1F", "31"),
            ("017", "15"),
            ("1_000", "1000"),
            ("2.50", "2.5"),
            ("1e3", "1000"),
            ("1e6", "1e+06"),
            ("0.00001", "1e-05"),
            ("100000.5", "100000.5"),
            ("-0", "-0"),
            (".inf", ".inf"),
            ("'.inf'", "\".inf\""),
            ("18446744073709551615", "18446744073709551615"),
            ("36893488147419103232", "3.6893488147419103e+19"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("'2026-01-02'", "\"2026-01-02\""),
            ("2026-1-2 3:04:05.50", "2026-01-02T03:04:05.5Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05+02:00"),
            ("52:54:00", "'52:54:00'"),
            ("1:20", "'1:20'"),
            ("00:16:3e:aa:bb:cc", "00:16:3e:aa:bb:cc"),
            ("1.35.0", "1.35.0"),
            ("'a: b'", "'a: b'"),
            ("'a #b'", "'a #b'"),
            ("a#b", "a#b"),
            ("'- a'", "'- a'"),
            ("-a", "-a"),
            ("'@a'", "'@a'"),
            ("'it''s'", "it's"),
            ("' a'", "' a'"),
            ("'a '", "'a '"),
            ("'a:'", "'a:'"),
            ("\"a\\tb\"", "\"a\\tb\""),
            ("\"\\u263A\"", "\u{263a}"),
            ("\"\\U0001F600\"", "\"\\U0001F600\""),
            ("\"\\n\"", "\"\\n\""),
            ("'<<'", "'<<'"),
            ("!!str 5", "\"5\""),
            ("!!float 5", "5"),
            ("'---'", "'---'"),
        ] {
            check(&format!("k: {source}\n"), &format!("k: {expected}\n"));
        }
    }

    #[test]
    fn lines_become_literal_blocks() {
        check("k: \"a\\nb\\n\"\n", "k: |\n    a\n    b\n");
        check("k: \"a\\nb\"\n", "k: |-\n    a\n    b\n");
        check("k: \"a\\n\\n\"\nl: 1\n", "k: |+\n    a\n\nl: 1\n");
        check("k: \"  a\\nb\\n\"\n", "k: |4\n      a\n    b\n");
        check(
            "k: [\"a\\n\\nb\\n\"]\n",
            "k:\n    - |\n      a\n\n      b\n",
        );
        check("\"a\\nb\": 1\n", "? |-\n    a\n    b\n: 1\n");
    }

    #[test]
    fn long_lines_are_folded_at_spaces() {
        let words = ["word"; 30].join(" ");
        let folded = format!(
            "k: {}\n    {}\n",
            ["word"; 16].join(" "),
            ["word"; 14].join(" ")
        );
        check(&format!("k: {words}\n"), &folded);
    }
}
