//! From text to the tree.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use ecow::EcoString;
use saphyr_parser::{ScalarStyle, ScanError};

use super::scan::{Event, Place, Scanned, What};
use super::{Content, Node, Problem, Scalar};

/// Nodes a file may have after aliases are expanded.
const MAX_NODES: usize = 2_000_000;
const MAX_DEPTH: usize = 200;
/// Keys given twice that are told of.
const MOST_DUPLICATES: usize = 10_000;

/// Parses all documents of a text. A leading byte order mark is skipped; empty documents are null.
///
/// # Errors
/// One syntax error, or the duplicate keys: up to 10,000.
pub fn parse(text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    Scanned::of(text).nodes()
}

impl Scanned<'_> {
    /// Its documents; see [`parse`].
    pub(crate) fn nodes(&self) -> Result<Vec<Node>, Vec<Problem>> {
        let mut loader = Loader {
            scanned: self,
            events: self.events(),
            anchors: HashMap::new(),
            nodes: 0,
            depth: 0,
            duplicates: Vec::new(),
        };
        let documents = loader
            .documents()
            .map_err(|problem| vec![explain(problem, self.text())])?;
        if loader.duplicates.is_empty() {
            Ok(documents)
        } else {
            Err(loader.duplicates)
        }
    }
}

/// Tabs and text for other programs are the causes that YAML parsers explain worst.
fn explain(mut problem: Problem, text: &str) -> Problem {
    let before = text.lines().enumerate().take(problem.line);
    let templated = before
        .filter_map(|(at, line)| Some((at + 1, line.find("{{").or_else(|| line.find("{%"))?)))
        .last();
    if let Some((line, at)) = templated.filter(|(line, _)| line + 1 >= problem.line) {
        (problem.line, problem.column) = (line, at + 1);
        "this is text of a template language, not YAML".clone_into(&mut problem.message);
        problem.hint = Some("fill it in first, and give the result".to_owned());
        return problem;
    }
    // The parser may stop a line early, when it looks for the rest of a value.
    let near = text
        .lines()
        .enumerate()
        .skip(problem.line.saturating_sub(1))
        .take(2);
    let tab = near.filter_map(|(at, line)| {
        Some((
            at + 1,
            line[..line.len() - line.trim_start().len()].find('\t')?,
        ))
    });
    if let Some((line, at)) = tab.last() {
        (problem.line, problem.column) = (line, at + 1);
        "a tab is used for indentation".clone_into(&mut problem.message);
        problem.hint = Some("YAML is indented with spaces only".to_owned());
    }
    problem
}

struct Loader<'s, 'text> {
    scanned: &'s Scanned<'text>,
    events: std::slice::Iter<'s, Event>,
    anchors: HashMap<u32, (Node, usize)>,
    nodes: usize,
    depth: usize,
    duplicates: Vec<Problem>,
}

impl<'s> Loader<'s, '_> {
    fn documents(&mut self) -> Result<Vec<Node>, Problem> {
        let mut documents = Vec::new();
        loop {
            match self.next()?.what {
                What::StreamEnd => return Ok(documents),
                What::DocumentStart { .. } => {
                    self.anchors.clear();
                    let event = self.next()?;
                    documents.push(match event.what {
                        What::DocumentEnd => nothing(event.start),
                        _ => self.node(event)?,
                    });
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<&'s Event, Problem> {
        self.events
            .next()
            .ok_or_else(|| match self.scanned.broken() {
                Some(error) => syntax(error),
                None => problem(Place::START, "text ends in the middle of a value"),
            })
    }

    fn node(&mut self, event: &Event) -> Result<Node, Problem> {
        self.nodes += 1;
        let at = event.start;
        let (content, anchor) = match &event.what {
            What::Scalar {
                text,
                style,
                anchor,
                tag,
            } => {
                let scalar = Scalar {
                    text: text.clone(),
                    plain: *style == ScalarStyle::Plain,
                    tag: tag.as_deref().cloned(),
                };
                (Content::Scalar(scalar), *anchor)
            }
            What::SequenceStart(anchor, _) => {
                (Content::Sequence(self.nested(at, Self::sequence)?), *anchor)
            }
            What::MappingStart(anchor, _) => {
                (Content::Mapping(self.nested(at, Self::mapping)?), *anchor)
            }
            What::Alias(anchor) => return self.alias(*anchor, at),
            What::StreamEnd => return Err(problem(at, "text ends in the middle of a value")),
            _ => return Err(problem(at, "a value is missing here")),
        };
        let node = node_at(at, content);
        if self.scanned.is_aliased(anchor) {
            let size = size_of(&node);
            self.spend(size, at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn nested<T>(
        &mut self,
        at: Place,
        parse: fn(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.depth >= MAX_DEPTH {
            return Err(problem(
                at,
                &format!("values are nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.depth += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn sequence(&mut self) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.what, What::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event)?);
        }
    }

    fn mapping(&mut self) -> Result<Vec<(Node, Node)>, Problem> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut seen = Keys::default();
        let mut merged = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.what, What::MappingEnd) {
                merge(&mut pairs, merged);
                return Ok(pairs);
            }
            let key = self.node(event)?;
            let event = self.next()?;
            let value = self.node(event)?;
            let Content::Scalar(scalar) = &key.content else {
                return Err(Problem {
                    line: key.line,
                    column: key.column,
                    message: "a key must be a scalar".to_owned(),
                    hint: None,
                });
            };
            if scalar.plain && scalar.text == "<<" {
                merged.push(value);
                continue;
            }
            if let Some(first) = seen.first_line(&pairs, scalar, key.line) {
                if self.duplicates.len() >= MOST_DUPLICATES {
                    continue;
                }
                self.duplicates.push(Problem {
                    line: key.line,
                    column: key.column,
                    message: format!(
                        "key `{}` is given twice, first on line {first}",
                        scalar.text.escape_debug()
                    ),
                    hint: Some("keep one of the two".to_owned()),
                });
                continue;
            }
            pairs.push((key, value));
        }
    }

    fn alias(&mut self, anchor: u32, at: Place) -> Result<Node, Problem> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(problem(at, "an alias stands inside the value it names"));
        };
        let (node, size) = (node.clone(), *size);
        self.spend(size, at)?;
        Ok(node)
    }

    /// Counts nodes that are copied.
    fn spend(&mut self, nodes: usize, at: Place) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(problem(at, "aliases expand to too many values"));
        }
        Ok(())
    }
}

/// Where each key of a mapping stands. Most mappings are so small that looking through their pairs is faster.
#[derive(Default)]
struct Keys {
    lines: HashMap<EcoString, usize>,
}

impl Keys {
    const FEW: usize = 16;

    /// The line of a key that is there already; one that is not is now.
    fn first_line(&mut self, pairs: &[(Node, Node)], key: &Scalar, line: usize) -> Option<usize> {
        if pairs.len() <= Self::FEW {
            let same = pairs.iter().find(|(other, _)| text_of(other) == key.text);
            return same.map(|(other, _)| other.line);
        }
        if self.lines.is_empty() {
            let all = pairs.iter();
            self.lines = all
                .map(|(key, _)| (text_of(key).into(), key.line))
                .collect();
        }
        match self.lines.entry(key.text.clone()) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(line);
                None
            }
        }
    }
}

fn text_of(key: &Node) -> &str {
    match &key.content {
        Content::Scalar(scalar) => &scalar.text,
        _ => "",
    }
}

/// Keys written beside `<<` win, then earlier merges.
fn merge(pairs: &mut Vec<(Node, Node)>, sources: Vec<Node>) {
    if sources.is_empty() {
        return;
    }
    let mut known: HashSet<String> = pairs
        .iter()
        .filter_map(|(key, _)| key.as_str().map(str::to_owned))
        .collect();
    let sources = sources.into_iter().flat_map(|source| match source.content {
        Content::Sequence(items) => items,
        content => vec![Node { content, ..source }],
    });
    for source in sources {
        let Content::Mapping(inherited) = source.content else {
            continue;
        };
        for (key, value) in inherited {
            if key
                .as_str()
                .is_some_and(|name| known.insert(name.to_owned()))
            {
                pairs.push((key, value));
            }
        }
    }
}

fn size_of(node: &Node) -> usize {
    match &node.content {
        Content::Scalar(_) => 1,
        Content::Sequence(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Content::Mapping(pairs) => {
            1 + pairs
                .iter()
                .map(|(key, value)| size_of(key) + size_of(value))
                .sum::<usize>()
        }
    }
}

/// An empty document.
fn nothing(at: Place) -> Node {
    let scalar = Scalar {
        text: EcoString::new(),
        plain: true,
        tag: None,
    };
    node_at(at, Content::Scalar(scalar))
}

fn node_at(at: Place, content: Content) -> Node {
    Node {
        line: at.line(),
        column: at.column(),
        content,
    }
}

fn problem(at: Place, message: &str) -> Problem {
    Problem {
        line: at.line(),
        column: at.column(),
        message: message.to_owned(),
        hint: None,
    }
}

fn syntax(error: &ScanError) -> Problem {
    let marker = error.marker();
    Problem {
        line: marker.line().max(1),
        column: marker.col() + 1,
        message: format!("not valid YAML: {}", error.info()),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_know_where_they_stand() {
        let text =
            "# note\na: 1\nb:\n  - x\n  - {c: 'd', e: [f]}\nt: |\n  line\n---\n...\n---\nz: ~\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 3);
        assert_eq!(
            documents[0].to_json(),
            json!({"a": 1, "b": ["x", {"c": "d", "e": ["f"]}], "t": "line\n"})
        );
        assert!(documents[1].is_null());
        let place = |node: &Node| (node.line, node.column);
        let items = documents[0].get("b").unwrap().as_sequence().unwrap();
        assert_eq!(place(&documents[0]), (2, 1));
        assert_eq!(place(&items[0]), (4, 5));
        assert_eq!(place(&items[1]), (5, 5));
        assert_eq!(place(items[1].get("e").unwrap()), (5, 17));
        assert_eq!(place(documents[2].get("z").unwrap()), (11, 4));
    }

    #[test]
    fn refusals_name_the_place_and_the_cause() {
        for (text, expected) in [
            (
                "a: 1\nb: 2\na: 3\nb: 4\n",
                vec![
                    "3:1 key `a` is given twice, first on line 1",
                    "4:1 key `b` is given twice, first on line 2",
                ],
            ),
            ("a:\n\tb: 1\n", vec!["2:1 a tab is used for indentation"]),
            ("a: x\n\tb: 1\n", vec!["2:1 a tab is used for indentation"]),
            (
                "a: &x [*x]\n",
                vec!["1:8 an alias stands inside the value it names"],
            ),
            ("? [a]\n: b\n", vec!["1:3 a key must be a scalar"]),
        ] {
            let shown: Vec<_> = parse(text)
                .unwrap_err()
                .into_iter()
                .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message))
                .collect();
            assert_eq!(shown, expected, "{text:?}");
        }
        assert_eq!(parse("a: [1,\nb: 2\n").unwrap_err().len(), 1);
    }

    #[test]
    fn merges_apply_and_bombs_do_not() {
        let merged = parse("\u{feff}base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n").unwrap();
        assert_eq!(
            merged[0].get("use").unwrap().to_json(),
            json!({"y": 3, "x": 1})
        );
        let levels = (1..9).map(|level| {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            format!(
                "a{level}: &a{level} [{items}]
"
            )
        });
        let bomb: String = std::iter::once(
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]
"
            .to_owned(),
        )
        .chain(levels)
        .collect();
        assert_eq!(
            parse(&bomb).unwrap_err()[0].message,
            "aliases expand to too many values"
        );
        let deep = "[".repeat(5000);
        assert!(!parse(&deep).unwrap_err()[0].message.is_empty());
    }
}
