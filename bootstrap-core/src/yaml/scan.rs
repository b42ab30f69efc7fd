//! From text to the scanner's events.

use std::collections::HashSet;

use ecow::{EcoString, eco_format};
use saphyr_parser::{Event as Scan, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

/// What the scanner made of a text, for all that are built from it: scanning costs as much as building.
pub(crate) struct Scanned<'text> {
    text: &'text str,
    events: Vec<Event>,
    /// Why it ends early.
    broken: Option<ScanError>,
    aliased: HashSet<u32>,
}

/// An event and where it stands. There are many, so they are kept small.
pub(crate) struct Event {
    pub what: What,
    pub start: Place,
    pub end: Place,
}

/// What is there. Anchors are numbered from 1; 0 is none. Tags are in their short form, `!!str`.
pub(crate) enum What {
    DocumentStart {
        explicit: bool,
    },
    DocumentEnd,
    StreamEnd,
    Scalar {
        text: EcoString,
        style: ScalarStyle,
        anchor: u32,
        tag: Written,
    },
    SequenceStart(u32, Written),
    SequenceEnd,
    MappingStart(u32, Written),
    MappingEnd,
    Alias(u32),
}

/// A tag, where one is written.
type Written = Option<Box<EcoString>>;

/// Line and column, from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    line: u32,
    column: u32,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    fn of(marker: Marker) -> Self {
        Self {
            line: number(marker.line().max(1)),
            column: number(marker.col() + 1),
        }
    }

    pub(crate) fn line(self) -> usize {
        self.line as usize
    }

    pub(crate) fn column(self) -> usize {
        self.column as usize
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<'text> Scanned<'text> {
    pub(crate) fn of(text: &'text str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let open_end = open_end(text);
        let mut scanned = Self {
            text,
            events: Vec::new(),
            broken: None,
            aliased: HashSet::new(),
        };
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => scanned.events.extend(event_of(event, span, open_end)),
                Err(error) => {
                    scanned.broken = Some(error);
                    break;
                }
            }
        }
        let aliases = scanned.events.iter().filter_map(|event| match event.what {
            What::Alias(anchor) => Some(anchor),
            _ => None,
        });
        scanned.aliased = aliases.collect();
        scanned
    }

    /// The text, without a byte order mark.
    pub(crate) fn text(&self) -> &'text str {
        self.text
    }

    pub(crate) fn events(&self) -> std::slice::Iter<'_, Event> {
        self.events.iter()
    }

    pub(super) fn broken(&self) -> Option<&ScanError> {
        self.broken.as_ref()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether an alias names this anchor.
    pub(crate) fn is_aliased(&self, anchor: u32) -> bool {
        anchor > 0 && self.aliased.contains(&anchor)
    }
}

fn event_of(event: Scan<'_>, span: Span, open_end: Option<usize>) -> Option<Event> {
    let what = match event {
        Scan::DocumentStart(explicit) => What::DocumentStart { explicit },
        Scan::DocumentEnd => What::DocumentEnd,
        Scan::StreamEnd => What::StreamEnd,
        Scan::Scalar(text, style, anchor, tag) => What::Scalar {
            text: without_added_break(&text, style, &span, open_end).into(),
            style,
            anchor: number(anchor),
            tag: written(tag.as_deref()),
        },
        Scan::SequenceStart(anchor, tag) => {
            What::SequenceStart(number(anchor), written(tag.as_deref()))
        }
        Scan::SequenceEnd => What::SequenceEnd,
        Scan::MappingStart(anchor, tag) => {
            What::MappingStart(number(anchor), written(tag.as_deref()))
        }
        Scan::MappingEnd => What::MappingEnd,
        Scan::Alias(anchor) => What::Alias(number(anchor)),
        _ => return None,
    };
    Some(Event {
        what,
        start: Place::of(span.start),
        end: Place::of(span.end),
    })
}

fn written(tag: Option<&Tag>) -> Written {
    tag.map(|tag| {
        let handle = if tag.is_yaml_core_schema() {
            "!!"
        } else {
            &tag.handle
        };
        Box::new(eco_format!("{handle}{}", tag.suffix))
    })
}

/// The last line of a text that ends without a line break after it.
fn open_end(text: &str) -> Option<usize> {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (!last.trim().is_empty()).then(|| text.split('\n').count())
}

/// The parser ends a block with a line break also where the text ends without one.
fn without_added_break<'s>(
    scalar: &'s str,
    style: ScalarStyle,
    span: &Span,
    open_end: Option<usize>,
) -> &'s str {
    let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    let added = is_block && span.end.col() > 0 && open_end == Some(span.end.line());
    match scalar.strip_suffix('\n') {
        Some(scalar) if added => scalar,
        _ => scalar,
    }
}
