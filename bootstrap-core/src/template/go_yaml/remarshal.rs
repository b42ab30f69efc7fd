//! A document as Go writes it again after reading it: each scalar in its own style, without comments.
//!
//! omnictl decodes templates from such text, and not everything survives: what is plain may come back quoted, and a
//! block that begins with spaces may lose some of them.

use super::style::{self, Style};
use super::tree::{Kind, Tree};
use super::writer::{Place, Writer};

/// The text of one document.
pub(in crate::template) fn remarshal(document: &Tree) -> String {
    let mut writer = Writer::new(4);
    // Here Go folds no lines.
    writer.width = usize::MAX;
    writer.tree(document, Place::Root);
    writer.write_indent();
    writer.finish()
}

impl Writer {
    fn tree(&mut self, tree: &Tree, place: Place) {
        self.properties(tree);
        match &tree.kind {
            Kind::Alias(target) => {
                self.indicator(&format!("*a{}", target.anchor), true, false, false);
            }
            Kind::Scalar(text) => self.styled(text, tree.style, place),
            Kind::Sequence(items) if self.flow > 0 || tree.in_flow || items.is_empty() => {
                self.flow_sequence(items, place);
            }
            Kind::Mapping(pairs) if self.flow > 0 || tree.in_flow || pairs.is_empty() => {
                self.flow_mapping(pairs, place);
            }
            Kind::Sequence(items) => {
                let outer = self.deepen(place, false);
                for item in items {
                    self.write_indent();
                    self.indicator("-", true, false, true);
                    self.tree(item, Place::Item);
                }
                self.indent = outer;
            }
            Kind::Mapping(pairs) => {
                let outer = self.deepen(place, false);
                for (key, value) in pairs {
                    self.write_indent();
                    if is_simple(key) {
                        self.tree(key, Place::Key);
                        if matches!(key.kind, Kind::Alias(_)) {
                            self.put(' ');
                        }
                        self.indicator(":", false, false, false);
                    } else {
                        self.indicator("?", true, false, true);
                        self.tree(key, Place::Value);
                        self.write_indent();
                        self.indicator(":", true, false, true);
                    }
                    self.tree(value, Place::Value);
                }
                self.indent = outer;
            }
        }
    }

    fn properties(&mut self, tree: &Tree) {
        if tree.anchor > 0 {
            self.indicator(&format!("&a{}", tree.anchor), true, false, false);
        }
        if tree.tagged {
            self.indicator(&tree.tag, true, false, false);
        }
    }

    fn styled(&mut self, text: &str, style: Style, place: Place) {
        // A plain scalar of several lines is written as a block.
        let style = if style == Style::Plain && text.contains('\n') {
            Style::Literal
        } else {
            style
        };
        self.scalar(text, style, place);
    }

    fn flow_sequence(&mut self, items: &[Tree], place: Place) {
        let outer = self.open("[", place);
        for (at, item) in items.iter().enumerate() {
            self.next(at);
            self.tree(item, Place::Value);
        }
        self.flow -= 1;
        self.indent = outer;
        self.indicator("]", false, false, false);
    }

    fn flow_mapping(&mut self, pairs: &[(Tree, Tree)], place: Place) {
        let outer = self.open("{", place);
        for (at, (key, value)) in pairs.iter().enumerate() {
            self.next(at);
            if is_simple(key) {
                self.tree(key, Place::Key);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, false);
                self.tree(key, Place::Value);
                if self.column > self.width {
                    self.write_indent();
                }
                self.indicator(":", true, false, false);
            }
            self.tree(value, Place::Value);
        }
        self.flow -= 1;
        self.indent = outer;
        self.indicator("}", false, false, false);
    }

    fn open(&mut self, sign: &str, place: Place) -> Option<usize> {
        self.indicator(sign, true, true, false);
        let outer = self.deepen(place, true);
        self.flow += 1;
        outer
    }

    fn next(&mut self, at: usize) {
        if at > 0 {
            self.indicator(",", false, false, false);
        }
        if self.column == 0 || self.column > self.width {
            self.write_indent();
        }
    }
}

fn is_simple(key: &Tree) -> bool {
    match &key.kind {
        Kind::Scalar(text) => style::is_simple_key(text),
        Kind::Alias(_) => true,
        Kind::Sequence(items) => items.is_empty(),
        Kind::Mapping(pairs) => pairs.is_empty(),
    }
}
