//! Where lines of a template stand in the text that omnictl decodes: it writes each document anew before, and its
//! errors count lines there.

use std::collections::BTreeMap;

use super::go_yaml::tree::{Kind, Tree};

/// The lines of one document.
pub(super) struct Layout {
    /// For a line of the new text: the line that it comes from.
    sources: BTreeMap<usize, usize>,
    /// The lines of the template that hold a comment and nothing else that is written.
    comments: Vec<usize>,
    first: usize,
}

/// What stands between the end of a document, or of none, and the next belongs to that.
fn beginning(line: usize, text: &str) -> usize {
    let lines: Vec<&str> = text.lines().take(line.saturating_sub(1)).collect();
    let other = lines
        .iter()
        .rposition(|line| !(line.trim().is_empty() || line.starts_with(['#', '%'])));
    match other {
        None => 1,
        Some(at) if lines[at].starts_with("...") => at + 1,
        Some(_) => line,
    }
}

impl Layout {
    /// `written` is what the document, at this line of the text, is decoded from.
    pub(super) fn of(document: &Tree, written: &Tree, line: usize, text: &str) -> Self {
        let mut layout = Self {
            sources: BTreeMap::new(),
            comments: Vec::new(),
            first: beginning(line, text),
        };
        layout.pair(document, written);
        let lines = text.lines().enumerate();
        let comments = lines.filter(|(_, line)| {
            line.trim_start().starts_with('#') || (line.starts_with("---") && line.contains(" #"))
        });
        layout.comments = comments.map(|(at, _)| at + 1).collect();
        layout
    }

    fn pair(&mut self, source: &Tree, written: &Tree) {
        self.sources.entry(written.line).or_insert(source.line);
        match (&source.kind, &written.kind) {
            (Kind::Sequence(items), Kind::Sequence(others)) => {
                for (item, other) in items.iter().zip(others) {
                    self.pair(item, other);
                }
            }
            (Kind::Mapping(pairs), Kind::Mapping(others)) => {
                for ((key, value), (other_key, other_value)) in pairs.iter().zip(others) {
                    self.pair(key, other_key);
                    self.pair(value, other_value);
                }
            }
            _ => {}
        }
    }

    /// The line in the template.
    pub(super) fn source(&self, line: usize) -> usize {
        let nearest = self.sources.range(..=line).next_back();
        nearest.map_or(self.first, |(_, source)| *source)
    }

    /// The line that omnictl counts: comments go with what follows them.
    pub(super) fn told(&self, line: usize) -> usize {
        let source = self.source(line);
        let comments = self.comments.iter();
        line + comments
            .filter(|at| (self.first..source).contains(*at))
            .count()
    }
}
