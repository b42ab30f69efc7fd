//! A document as Go's yaml has it before anything is decoded: aliases, merge keys and duplicates are still there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use ecow::EcoString;
use saphyr_parser::ScalarStyle;

use super::style::{self, Style};
use super::{Value, keys, resolve};
use crate::yaml::{Event, Place, Scanned, What};

/// Deeper values are refused when the file is read.
const MAX_DEPTH: usize = 200;

/// A node. Lines and columns count from 1.
#[derive(Debug, Clone)]
pub(in crate::template) struct Tree {
    pub line: usize,
    pub column: usize,
    /// In its short form, `!!str`; what a plain scalar resolves to where none is written.
    pub tag: Cow<'static, str>,
    /// The tag is written.
    pub tagged: bool,
    /// Its anchor, numbered from 1.
    pub anchor: u32,
    /// Of scalars.
    pub style: Style,
    /// A collection in brackets.
    pub in_flow: bool,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(in crate::template) enum Kind {
    Scalar(EcoString),
    Sequence(Vec<Tree>),
    Mapping(Vec<(Tree, Tree)>),
    Alias(Rc<Tree>),
}

impl Tree {
    /// What Go makes of a map with these values.
    pub(in crate::template) fn mapping(pairs: Vec<(EcoString, Tree)>) -> Self {
        let pairs = pairs.into_iter();
        let pairs = pairs.map(|(key, value)| (Value::Text(key.clone()), (key, value)));
        let sorted = keys::sort(pairs.collect()).into_iter();
        let sorted = sorted.map(|(_, (key, value))| {
            let style = style::for_text(&key);
            let mut name = Self::made(Kind::Scalar(key));
            name.style = style;
            (name, value)
        });
        Self::made(Kind::Mapping(sorted.collect()))
    }

    /// What Go makes of a list.
    pub(in crate::template) fn sequence(items: Vec<Tree>) -> Self {
        Self::made(Kind::Sequence(items))
    }

    fn made(kind: Kind) -> Self {
        place(Place::START, "", None, kind)
    }

    /// The node an alias stands for.
    pub(in crate::template) fn target(&self) -> &Tree {
        match &self.kind {
            Kind::Alias(tree) => tree.target(),
            _ => self,
        }
    }

    /// The text of a scalar; nothing for everything else, as Go has it.
    pub(in crate::template) fn text(&self) -> &str {
        match &self.kind {
            Kind::Scalar(text) => text,
            _ => "",
        }
    }

    pub(in crate::template) fn is_null(&self) -> bool {
        self.target().tag == "!!null"
    }

    /// Go's number of the kind of node.
    pub(in crate::template) fn number(&self) -> u8 {
        match self.kind {
            Kind::Sequence(_) => 2,
            Kind::Mapping(_) => 4,
            Kind::Scalar(_) => 8,
            Kind::Alias(_) => 16,
        }
    }
}

/// A document and the line that its error messages name: that of `---`, or else of its first node.
#[derive(Debug)]
pub(in crate::template) struct Document {
    pub line: usize,
    pub column: usize,
    pub tree: Tree,
}

/// The documents before the first syntax error, and whether there is one.
pub(in crate::template) fn documents(scanned: &Scanned) -> (Vec<Document>, bool) {
    let mut builder = Builder {
        scanned,
        events: scanned.events(),
        lines: scanned.text().lines().collect(),
        anchors: HashMap::new(),
        depth: 0,
    };
    let mut trees = Vec::new();
    loop {
        match builder.document() {
            Ok(Some(tree)) => trees.push(tree),
            Ok(None) => return (trees, scanned.is_broken()),
            Err(NoYaml) => return (trees, true),
        }
    }
}

/// The line with a `%YAML` directive for another version than 1.1, which Go refuses.
pub(in crate::template) fn foreign_version(text: &str) -> Option<usize> {
    let mut may_stand = true;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end().trim_start_matches('\u{feff}');
        if let Some(version) = line.strip_prefix("%YAML ").filter(|_| may_stand) {
            let version = version.split('#').next().unwrap_or_default().trim();
            if version != "1.1" {
                return Some(at + 1);
            }
        } else if !(line.is_empty() || line.starts_with(['#', '%'])) {
            may_stand = line == "...";
        }
    }
    None
}

/// The text stops being YAML.
struct NoYaml;

struct Builder<'s, 'text> {
    scanned: &'s Scanned<'text>,
    events: std::slice::Iter<'s, Event>,
    lines: Vec<&'text str>,
    anchors: HashMap<u32, Rc<Tree>>,
    depth: usize,
}

impl Builder<'_, '_> {
    /// The next document; `None` at the end.
    fn document(&mut self) -> Result<Option<Document>, NoYaml> {
        loop {
            let Some(event) = self.events.next() else {
                return Ok(None);
            };
            match event.what {
                What::StreamEnd => return Ok(None),
                What::DocumentStart { explicit } => {
                    self.anchors.clear();
                    let start = event.start;
                    let event = self.events.next().ok_or(NoYaml)?;
                    let tree = match event.what {
                        What::DocumentEnd => {
                            scalar(event.start, EcoString::new(), ScalarStyle::Plain, None)
                        }
                        _ => self.node(event).ok_or(NoYaml)?,
                    };
                    let (line, column) = if explicit {
                        (start.line(), start.column())
                    } else {
                        (tree.line, tree.column)
                    };
                    return Ok(Some(Document { line, column, tree }));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: &Event) -> Option<Tree> {
        let at = event.start;
        let (mut tree, anchor) = match &event.what {
            What::Scalar {
                text,
                style,
                anchor,
                tag,
            } => {
                let mut tree = scalar(at, text.clone(), *style, tag.as_deref());
                if matches!(tree.style, Style::Literal | Style::Folded) {
                    tree.line = self.header(tree.line);
                }
                (tree, *anchor)
            }
            What::SequenceStart(anchor, tag) => {
                let (items, in_flow) = self.nested(Self::sequence)?;
                let mut tree = place(at, "!!seq", tag.as_deref(), Kind::Sequence(items));
                tree.in_flow = in_flow;
                (tree, *anchor)
            }
            What::MappingStart(anchor, tag) => {
                let (pairs, in_flow) = self.nested(Self::mapping)?;
                let mut tree = place(at, "!!map", tag.as_deref(), Kind::Mapping(pairs));
                tree.in_flow = in_flow;
                (tree, *anchor)
            }
            What::Alias(anchor) => {
                let target = self.anchors.get(anchor)?.clone();
                return Some(place(at, "", None, Kind::Alias(target)));
            }
            _ => return None,
        };
        if anchor > 0 {
            tree.anchor = anchor;
        }
        if self.scanned.is_aliased(anchor) {
            self.anchors.insert(anchor, Rc::new(tree.clone()));
        }
        Some(tree)
    }

    /// Where the block begins whose content begins at this line.
    fn header(&self, content: usize) -> usize {
        let mut before = self.lines.iter().take(content.saturating_sub(1));
        let header = before.rposition(|line| !line.trim().is_empty());
        header.map_or(content, |at| at + 1)
    }

    fn nested<T>(&mut self, parse: fn(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    /// Items, and whether they stand in brackets.
    fn sequence(&mut self) -> Option<(Vec<Tree>, bool)> {
        let mut items = Vec::new();
        loop {
            let event = self.events.next()?;
            if matches!(event.what, What::SequenceEnd) {
                return Some((items, is_bracket(event)));
            }
            items.push(self.node(event)?);
        }
    }

    fn mapping(&mut self) -> Option<(Vec<(Tree, Tree)>, bool)> {
        let mut pairs: Vec<(Tree, Tree)> = Vec::new();
        loop {
            let event = self.events.next()?;
            if matches!(event.what, What::MappingEnd) {
                let in_flow = is_bracket(event);
                let odd = in_flow
                    && pairs
                        .iter()
                        .any(|(key, value)| begins_with_colon(key) || begins_with_colon(value));
                return (!odd).then_some((pairs, in_flow));
            }
            let key = self.node(event)?;
            let event = self.events.next()?;
            pairs.push((key, self.node(event)?));
        }
    }
}

/// The end of a block takes no space.
fn is_bracket(end: &Event) -> bool {
    end.start != end.end
}

/// In braces, Go takes such a colon for the end of a key.
fn begins_with_colon(tree: &Tree) -> bool {
    tree.style == Style::Plain && tree.text().starts_with(':')
}

fn scalar(at: Place, text: EcoString, style: ScalarStyle, tag: Option<&EcoString>) -> Tree {
    let resolved = if style == ScalarStyle::Plain {
        resolve::tag(&text)
    } else {
        "!!str"
    };
    let mut tree = place(at, resolved, tag, Kind::Scalar(text));
    if tree.tag == "!" {
        tree.tag = Cow::Borrowed("!!str");
    }
    tree.style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    };
    tree
}

/// A node with the tag that is written, or else the one that it has anyway.
fn place(at: Place, implied: &'static str, tag: Option<&EcoString>, kind: Kind) -> Tree {
    Tree {
        line: at.line(),
        column: at.column(),
        tag: tag.map_or(Cow::Borrowed(implied), |tag| Cow::Owned(tag.to_string())),
        tagged: tag.is_some(),
        anchor: 0,
        style: Style::Plain,
        in_flow: false,
        kind,
    }
}
