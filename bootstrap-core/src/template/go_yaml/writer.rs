//! Writes values, keeping the few facts about the line that decide where breaks and spaces go.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::style::{self, Style};
use super::{Value, resolve};

/// Plain and quoted text is folded at the first space beyond this column.
const WIDTH: usize = 80;

pub(super) struct Writer {
    out: String,
    pub(super) width: usize,
    best_indent: usize,
    /// Indentation of the current block; `None` outside of any.
    pub(super) indent: Option<usize>,
    pub(super) column: usize,
    /// The last thing written was white space.
    whitespace: bool,
    /// Only indentation was written on this line.
    indention: bool,
    first: bool,
    /// Flow collections around what is written.
    pub(super) flow: usize,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Item,
    Key,
    Value,
}

impl Writer {
    pub(super) fn new(best_indent: usize) -> Self {
        Self {
            width: WIDTH,
            out: String::new(),
            best_indent,
            indent: None,
            column: 0,
            whitespace: true,
            indention: true,
            first: true,
            flow: 0,
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn document(&mut self, value: &Value) {
        if !self.first {
            self.write_indent();
            self.indicator("---", true, false, false);
            self.write_indent();
        }
        self.first = false;
        self.node(value, Place::Root);
        self.write_indent();
    }

    fn node(&mut self, value: &Value, place: Place) {
        match value {
            Value::Sequence(items) if items.is_empty() => self.empty("[", "]"),
            Value::Mapping(pairs) if pairs.is_empty() => self.empty("{", "}"),
            Value::Sequence(items) => self.sequence(items, place),
            Value::Mapping(pairs) => self.mapping(pairs, place),
            scalar => {
                let (text, wanted) = scalar_text(scalar);
                self.scalar(&text, wanted, place);
            }
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    fn sequence(&mut self, items: &[Value], place: Place) {
        let outer = self.deepen(place, false);
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            self.node(item, Place::Item);
        }
        self.indent = outer;
    }

    fn mapping(&mut self, pairs: &[(Value, Value)], place: Place) {
        let outer = self.deepen(place, false);
        for (key, value) in pairs {
            self.write_indent();
            let (text, wanted) = scalar_text(key);
            if style::is_simple_key(&text) {
                self.scalar(&text, wanted, Place::Key);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.scalar(&text, wanted, Place::Value);
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.node(value, Place::Value);
        }
        self.indent = outer;
    }

    /// Goes one level in; returns the level to go back to.
    pub(super) fn deepen(&mut self, place: Place, scalar: bool) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(match outer {
            None if scalar => self.best_indent,
            None => 0,
            // Inside a sequence the dash is the indentation.
            Some(indent) if place == Place::Item => indent + 2,
            Some(indent) => self.best_indent * ((indent + self.best_indent) / self.best_indent),
        });
        outer
    }

    pub(super) fn scalar(&mut self, text: &str, wanted: Style, place: Place) {
        let is_key = place == Place::Key;
        let outer = self.deepen(place, true);
        match style::fit(wanted, text, is_key, self.flow > 0) {
            Style::Plain => self.plain(text, !is_key),
            Style::Single => self.single(text, !is_key),
            Style::Double => self.double(text, !is_key),
            Style::Literal => self.literal(text),
            Style::Folded => self.folded_block(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, fold: bool) {
        if !text.is_empty() && !self.whitespace {
            self.put(' ');
        }
        self.folded(text, fold, false);
        if !text.is_empty() {
            self.whitespace = false;
        }
        self.indention = false;
    }

    fn single(&mut self, text: &str, fold: bool) {
        self.indicator("'", true, false, false);
        self.folded(text, fold, true);
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// The body of plain and single-quoted text.
    fn folded(&mut self, text: &str, fold: bool, quoted: bool) {
        // Most texts have nothing to fold at.
        if text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\'')
        {
            self.put_all(text);
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        let characters: Vec<char> = text.chars().collect();
        for (at, &character) in characters.iter().enumerate() {
            if character == ' ' {
                let inside = !quoted || (at > 0 && at + 1 < characters.len());
                let single = characters.get(at + 1) != Some(&' ');
                if fold && !spaces && self.column > self.width && inside && single {
                    self.write_indent();
                } else {
                    self.put(character);
                }
                spaces = true;
            } else if style::is_break(character) {
                if !breaks && character == '\n' {
                    self.line_break();
                }
                self.write_break(character);
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if quoted && character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn double(&mut self, text: &str, fold: bool) {
        let mut spaces = false;
        self.indicator("\"", true, false, false);
        // Go looks for the byte order mark at the beginning of the text, whatever character it is at.
        let escape_all = text.starts_with('\u{feff}');
        let characters: Vec<char> = text.chars().collect();
        for (at, &character) in characters.iter().enumerate() {
            let plain =
                style::is_printable(character) && !style::is_break(character) && !escape_all;
            if !plain || matches!(character, '"' | '\\') {
                self.escape(character);
                spaces = false;
            } else if character == ' ' {
                if fold
                    && !spaces
                    && self.column > self.width
                    && at > 0
                    && at + 1 < characters.len()
                {
                    self.write_indent();
                    if characters[at + 1] == ' ' {
                        self.put('\\');
                    }
                } else {
                    self.put(character);
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, character: char) {
        let short = match character {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' | '\\' => character,
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => return self.escape_code(u32::from(character)),
        };
        self.put('\\');
        self.put(short);
    }

    fn escape_code(&mut self, code: u32) {
        let before = self.out.len();
        let _ = match code {
            0..=0xff => write!(self.out, "\\x{code:02X}"),
            0x100..=0xffff => write!(self.out, "\\u{code:04X}"),
            _ => write!(self.out, "\\U{code:08X}"),
        };
        self.column += self.out.len() - before;
    }

    fn literal(&mut self, text: &str) {
        self.block_header("|", text);
        let mut breaks = true;
        for line in text.split_inclusive(style::is_break) {
            let end = line
                .chars()
                .next_back()
                .filter(|last| style::is_break(*last));
            let body = &line[..line.len() - end.map_or(0, char::len_utf8)];
            if !body.is_empty() {
                if breaks {
                    self.write_indent();
                }
                self.put_all(body);
                breaks = false;
            }
            if let Some(end) = end {
                self.write_break(end);
                breaks = true;
            }
        }
    }

    fn folded_block(&mut self, text: &str) {
        self.block_header(">", text);
        let characters: Vec<char> = text.chars().collect();
        // Go looks at the beginning of the text where it means the next line.
        let start = characters
            .iter()
            .find(|character| !style::is_break(**character));
        let blank = start.is_none_or(|character| matches!(character, ' ' | '\t' | '\0'));
        let (mut breaks, mut leading) = (true, true);
        for (at, &character) in characters.iter().enumerate() {
            if style::is_break(character) {
                if !breaks && !leading && character == '\n' && !blank {
                    self.line_break();
                }
                self.write_break(character);
                breaks = true;
                continue;
            }
            if breaks {
                self.write_indent();
                leading = matches!(character, ' ' | '\t');
            }
            let alone = characters.get(at + 1) != Some(&' ');
            if !breaks && character == ' ' && alone && self.column > self.width {
                self.write_indent();
            } else {
                self.put(character);
            }
            self.indention = false;
            breaks = false;
        }
    }

    fn block_header(&mut self, sign: &str, text: &str) {
        self.indicator(sign, true, false, false);
        if text.starts_with(' ') {
            let hint = self.best_indent.to_string();
            self.indicator(&hint, false, false, false);
        }
        let mut backwards = text.chars().rev();
        match (backwards.next(), backwards.next()) {
            (Some(last), before) if style::is_break(last) => {
                if before.is_none_or(style::is_break) {
                    self.indicator("+", false, false, false);
                }
            }
            _ => self.indicator("-", false, false, false),
        }
        self.line_break();
        self.whitespace = true;
    }

    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
    }

    pub(super) fn indicator(
        &mut self,
        text: &str,
        needs_whitespace: bool,
        is_whitespace: bool,
        is_indention: bool,
    ) {
        if needs_whitespace && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.chars().count();
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    pub(super) fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    /// Text within a line.
    fn put_all(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.push_str(text);
            self.column += text.chars().count();
            self.indention = false;
        }
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indention = true;
    }

    fn write_break(&mut self, character: char) {
        if character == '\n' {
            self.line_break();
        } else {
            self.out.push(character);
            self.column = 0;
            self.indention = true;
        }
    }
}

/// Text and wanted style of a scalar. Collections cannot be keys, so as a key one is written empty.
fn scalar_text<'v>(value: &'v Value) -> (Cow<'v, str>, Style) {
    let styled = |text: &'v str, style| (Cow::Borrowed(text), style);
    match value {
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => styled("null", Style::Plain),
        Value::Bool(true) => styled("true", Style::Plain),
        Value::Bool(false) => styled("false", Style::Plain),
        Value::Int(whole) => (whole.to_string().into(), Style::Plain),
        Value::Float(float) => (resolve::float(*float).into(), Style::Plain),
        Value::Time(time) => styled(time, Style::Plain),
        Value::Text(text) => styled(text, style::for_text(text)),
        Value::Literal(text) => styled(text, Style::Literal),
        Value::Quoted(text) => styled(text, Style::Double),
        Value::Bare(text) => styled(text, style::for_bare(text)),
    }
}

/// A key's text.
pub(super) fn key_text(value: &Value) -> Cow<'_, str> {
    scalar_text(value).0
}
