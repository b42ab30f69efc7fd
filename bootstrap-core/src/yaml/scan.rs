//! From text to the scanner's events.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// What the scanner made of a text, for all that are built from it: scanning costs as much as building.
pub(crate) struct Scanned<'text> {
    text: &'text str,
    events: Vec<(Event<'text>, Span)>,
    /// Why it ends early.
    broken: Option<ScanError>,
    aliased: HashSet<usize>,
    open_end: Option<usize>,
}

impl<'text> Scanned<'text> {
    pub(crate) fn of(text: &'text str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut events, mut broken, mut aliased) = (Vec::new(), None, HashSet::new());
        for event in Parser::new_from_str(text) {
            match event {
                Ok(event) => {
                    if let Event::Alias(anchor) = event.0 {
                        aliased.insert(anchor);
                    }
                    events.push(event);
                }
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        Self {
            text,
            events,
            broken,
            aliased,
            open_end: open_end(text),
        }
    }

    /// The text, without a byte order mark.
    pub(crate) fn text(&self) -> &'text str {
        self.text
    }

    pub(crate) fn events(&self) -> std::slice::Iter<'_, (Event<'text>, Span)> {
        self.events.iter()
    }

    pub(super) fn broken(&self) -> Option<&ScanError> {
        self.broken.as_ref()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether an alias names this anchor; 0 is none.
    pub(crate) fn is_aliased(&self, anchor: usize) -> bool {
        anchor > 0 && self.aliased.contains(&anchor)
    }

    /// A scalar's text as it stands there.
    pub(crate) fn scalar<'s>(&self, text: &'s str, style: ScalarStyle, span: &Span) -> &'s str {
        without_added_break(text, style, span, self.open_end)
    }
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
