//! YAML with positions: a small tree in which every node knows its line and column.
//!
//! Scalars keep their text and resolve on demand, as Go's YAML 3 does it, because the files read here are
//! shared with tools written in Go. Duplicate keys are errors, merge keys are applied, aliases are expanded
//! within a budget.

mod load;
mod resolve;
mod scan;

use std::path::Path;

pub use load::parse;
pub(crate) use scan::{Event, Place, Scanned, What};

use ecow::EcoString;

use crate::diagnostic::{Diagnostic, Origin};

/// A node and where it begins. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// What stands there.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A scalar with its text as written, after unquoting.
    Scalar(Scalar),
    /// A sequence.
    Sequence(Vec<Node>),
    /// Pairs in the order written; keys are unique.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar before its type is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Text.
    pub text: EcoString,
    /// Unquoted and not a block: may be a number, a boolean or null.
    pub plain: bool,
    /// Tag as written, for example `!!str`.
    pub tag: Option<EcoString>,
}

/// Text that is no YAML, or YAML that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Lower case, no final period.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// The finding, in a file.
    pub fn in_file(self, file: &Path) -> Diagnostic {
        let origin = Origin {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
        };
        let diagnostic = Diagnostic::error(self.message).at(origin);
        match self.hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }
}

/// Reads a file and parses its documents. `shown` is how the user would name the file.
///
/// # Errors
/// Everything wrong with it as YAML: unreadable, not UTF-8, syntax, duplicate keys.
pub fn read(path: &Path, shown: &Path) -> Result<Vec<Node>, Vec<Diagnostic>> {
    parse_in(&read_text(path, shown)?, shown)
}

pub(crate) const NO_UTF_8: &str = "text is not UTF-8";

/// Reads a file of text.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read_text(path: &Path, shown: &Path) -> Result<String, Vec<Diagnostic>> {
    let file = || Origin {
        file: shown.to_owned(),
        ..Origin::default()
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let error = match error.kind() {
            std::io::ErrorKind::NotFound => Diagnostic::error("there is no such file"),
            _ => Diagnostic::error(format!("the file cannot be read: {error}")),
        };
        vec![error.at(file())]
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let origin = Origin { line, ..file() };
        vec![
            Diagnostic::error(NO_UTF_8)
                .at(origin)
                .hint("save the file as UTF-8"),
        ]
    })
}

/// Parses a file's text.
///
/// # Errors
/// Everything wrong with it as YAML: syntax, duplicate keys.
pub fn parse_in(text: &str, shown: &Path) -> Result<Vec<Node>, Vec<Diagnostic>> {
    Scanned::of(text).nodes_in(shown)
}

impl Scanned<'_> {
    /// Its documents; the findings are in a file.
    pub(crate) fn nodes_in(&self, shown: &Path) -> Result<Vec<Node>, Vec<Diagnostic>> {
        self.nodes().map_err(|problems| {
            let problems = problems.into_iter();
            problems.map(|problem| problem.in_file(shown)).collect()
        })
    }
}

impl Node {
    /// Where the node stands.
    pub fn origin(&self, file: &Path) -> Origin {
        Origin {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
        }
    }

    /// The string a string field would get: the text of any scalar but null.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.content {
            Content::Scalar(scalar) => scalar.as_bool(),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.content {
            Content::Scalar(scalar) => scalar.as_i64(),
            _ => None,
        }
    }

    /// A sequence's items.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// A mapping's pairs.
    pub fn as_mapping(&self) -> Option<&[(Node, Node)]> {
        match &self.content {
            Content::Mapping(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Whether it is `null`, `~` or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.is_null())
    }

    /// The value of a key; `None` when absent or when this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// `a mapping`, `a sequence`, `a string`, …, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar(scalar) => scalar.kind(),
            Content::Sequence(_) => "a sequence",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// As JSON. Keys become strings; numbers that JSON cannot hold stay text.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.to_json(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(pairs) => pairs
                .iter()
                .map(|(key, value)| (key.as_str().unwrap_or("null").to_owned(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
