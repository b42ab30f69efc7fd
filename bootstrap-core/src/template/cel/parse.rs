//! From text to a tree. Where the grammar goes beyond what selectors use, the parser says that it is not sure.

use super::Problem;

/// An expression and the character that it is about (from 1).
#[derive(Debug)]
pub(super) struct Node {
    pub at: usize,
    pub kind: Kind,
    /// How many nodes there are down to the furthest leaf.
    depth: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Int,
    Uint,
    Double,
    String,
    /// `null`, bytes, maps and what else no selector needs.
    Other,
    Name(String),
    Field(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    /// A function, or a method of its first argument.
    Call(String, Vec<Node>, bool),
    List(Vec<Node>),
    Unary(char, Box<Node>),
    /// Operands of `&&` or `||`, however many.
    Logical(&'static str, Vec<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
}

pub(super) enum Stop {
    Wrong(Problem),
    Unsure,
}

type Parsed = Result<Node, Stop>;

/// Of brackets and signs.
const MAX_DEPTH: usize = 100;

/// Of the tree. CEL counts in its own way, and stops at 250.
const MAX_TREE: usize = 250;

/// CEL reads no longer expressions.
const MAX_LENGTH: usize = 100_000;

/// From the loosest to the tightest.
const OPERATORS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["==", "!=", "<=", ">=", "<", ">", "in"],
    &["+", "-"],
    &["*", "/", "%"],
];

const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

pub(super) fn parse(text: &str) -> Parsed {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        depth: 0,
    };
    if parser.text.len() > MAX_LENGTH {
        let message = format!("the expression has more than {MAX_LENGTH} characters");
        return Err(wrong(1, &message));
    }
    let node = parser.expression()?;
    parser.skip();
    if parser.at < parser.text.len() {
        return Err(parser.unexpected());
    }
    Ok(node)
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn expression(&mut self) -> Parsed {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Unsure);
        }
        self.depth += 1;
        let condition = self.binary(0)?;
        let at = self.here();
        let node = if self.take("?") {
            let yes = self.binary(0)?;
            self.expect(":")?;
            let no = self.expression()?;
            let parts = (Box::new(condition), Box::new(yes), Box::new(no));
            node(at, Kind::Choice(parts.0, parts.1, parts.2))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(operators) = OPERATORS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        if let [logical @ ("||" | "&&")] = operators {
            return self.logical(logical, left, level + 1);
        }
        loop {
            let at = self.here();
            let Some(operator) = operators.iter().find(|operator| self.take(operator)) else {
                return Ok(left);
            };
            let right = self.binary(level + 1)?;
            left = node(at, Kind::Binary(operator, Box::new(left), Box::new(right)))?;
        }
    }

    /// What follows an operand of `&&` or `||`: these chains may be long, and their order does not matter.
    fn logical(&mut self, operator: &'static str, first: Node, level: usize) -> Parsed {
        let at = self.here();
        let mut operands = vec![first];
        while self.take(operator) {
            operands.push(self.binary(level)?);
        }
        match operands.pop() {
            Some(only) if operands.is_empty() => Ok(only),
            last => {
                operands.extend(last);
                node(at, Kind::Logical(operator, operands))
            }
        }
    }

    fn unary(&mut self) -> Parsed {
        let at = self.here();
        for sign in ['!', '-'] {
            if self.take(&sign.to_string()) {
                if self.depth >= MAX_DEPTH {
                    return Err(Stop::Unsure);
                }
                self.depth += 1;
                let inner = self.unary()?;
                self.depth -= 1;
                return node(at, Kind::Unary(sign, Box::new(inner)));
            }
        }
        self.member()
    }

    fn member(&mut self) -> Parsed {
        let mut left = self.primary()?;
        loop {
            let at = self.here();
            if self.take(".") {
                // Optional fields and quoted names.
                if matches!(self.peek(), Some('?' | '`')) {
                    return Err(Stop::Unsure);
                }
                let name = self.name().ok_or_else(|| self.unexpected())?;
                let bracket = self.here();
                left = if self.take("(") {
                    let mut arguments = vec![left];
                    arguments.extend(self.list(")")?);
                    node(bracket, Kind::Call(name, arguments, true))?
                } else {
                    node(at, Kind::Field(Box::new(left), name))?
                };
            } else if self.take("[") {
                if self.peek() == Some('?') {
                    return Err(Stop::Unsure);
                }
                let index = self.expression()?;
                self.expect("]")?;
                left = node(at, Kind::Index(Box::new(left), Box::new(index)))?;
            } else if self.peek() == Some('{') {
                return Err(Stop::Unsure);
            } else {
                return Ok(left);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.here();
        let next = self.peek();
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            return node(at, Kind::List(self.list("]")?));
        }
        match next {
            // Maps and names from the root.
            Some('{' | '`') => Err(Stop::Unsure),
            Some('.') if !self.digit(self.at + 1) => Err(Stop::Unsure),
            Some('0'..='9' | '.') => self.number(at),
            Some('\'' | '"') => self.string(at, false),
            Some(c) if c == '_' || c.is_ascii_alphabetic() => self.word(at),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, at: usize) -> Parsed {
        let rest: String = self.text[self.at..].iter().take(4).collect();
        let prefix: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        let quoted = rest[prefix.len()..].starts_with(['\'', '"']);
        if quoted && matches!(prefix.to_lowercase().as_str(), "r" | "b" | "br" | "rb") {
            self.at += prefix.len();
            let raw = prefix.to_lowercase().contains('r');
            let bytes = prefix.to_lowercase().contains('b');
            let text = self.string(at, raw)?;
            return if bytes {
                node(at, Kind::Other)
            } else {
                Ok(text)
            };
        }
        let Some(name) = self.name() else {
            return Err(self.unexpected());
        };
        let bracket = self.here();
        match name.as_str() {
            "true" | "false" => node(at, Kind::Bool),
            "null" => node(at, Kind::Other),
            "in" => Err(wrong(at, "`in` is not expected here")),
            word if RESERVED.contains(&word) => {
                Err(wrong(at, &format!("`{word}` is a reserved word")))
            }
            _ if self.take("(") => node(bracket, Kind::Call(name, self.list(")")?, false)),
            _ => node(at, Kind::Name(name)),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            if self.take(end) {
                return Ok(items);
            }
            if self.peek() == Some('?') {
                return Err(Stop::Unsure);
            }
            items.push(self.expression()?);
            if !self.take(",") {
                self.expect(end)?;
                return Ok(items);
            }
            // A comma may end a list, but not arguments.
            if end == ")" && self.peek() == Some(')') {
                return Err(self.unexpected());
            }
        }
    }

    fn number(&mut self, at: usize) -> Parsed {
        let start = self.at;
        let hexadecimal = self.text[start] == '0' && matches!(self.text.get(start + 1), Some('x'));
        if hexadecimal {
            self.at += 2;
            while self.text.get(self.at).is_some_and(char::is_ascii_hexdigit) {
                self.at += 1;
            }
        } else {
            self.digits();
        }
        let mut kind = Kind::Int;
        if !hexadecimal && self.text.get(self.at) == Some(&'.') && self.digit(self.at + 1) {
            self.at += 1;
            self.digits();
            kind = Kind::Double;
        }
        if !hexadecimal && matches!(self.text.get(self.at), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.text.get(self.at + 1), Some('+' | '-')));
            if self.digit(self.at + 1 + sign) {
                self.at += 1 + sign;
                self.digits();
                kind = Kind::Double;
            }
        }
        if matches!(kind, Kind::Int) && matches!(self.text.get(self.at), Some('u' | 'U')) {
            self.at += 1;
            kind = Kind::Uint;
        }
        // So large a number may be none.
        if self.at - start > 18 {
            return Err(Stop::Unsure);
        }
        node(at, kind)
    }

    fn digits(&mut self) {
        while self.digit(self.at) {
            self.at += 1;
        }
    }

    fn string(&mut self, at: usize, raw: bool) -> Parsed {
        let quote = self.text[self.at];
        let triple = self.text[self.at..].starts_with(&[quote; 3]);
        let end = vec![quote; if triple { 3 } else { 1 }];
        self.at += end.len();
        while !self.text[self.at..].starts_with(&end) {
            match self.text.get(self.at) {
                None => return Err(wrong(at, "this text has no end")),
                Some('\n' | '\r') if !triple => return Err(wrong(at, "this text has no end")),
                Some('\\') if !raw => {
                    let known = self
                        .text
                        .get(self.at + 1)
                        .is_some_and(|c| "abfnrtv\\?\"'`".contains(*c));
                    // Escapes by number have rules of their own.
                    if !known {
                        return Err(Stop::Unsure);
                    }
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += end.len();
        node(at, Kind::String)
    }

    fn name(&mut self) -> Option<String> {
        self.skip();
        let rest = self.text[self.at..].iter();
        let name: String = rest
            .take_while(|c| **c == '_' || c.is_ascii_alphanumeric())
            .collect();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        self.at += name.len();
        Some(name)
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip();
        let sign: Vec<char> = sign.chars().collect();
        let after = self.text.get(self.at + sign.len());
        let word = sign.iter().all(char::is_ascii_alphabetic);
        let longer = word && after.is_some_and(|c| *c == '_' || c.is_ascii_alphanumeric());
        // `!` must not take the half of `!=`.
        let half = sign == ['!'] && after == Some(&'=');
        if longer || half || !self.text[self.at..].starts_with(&sign) {
            return false;
        }
        self.at += sign.len();
        true
    }

    fn expect(&mut self, sign: &str) -> Result<(), Stop> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip();
        self.text.get(self.at).copied()
    }

    /// Passes white space and remarks.
    fn skip(&mut self) {
        while let Some(character) = self.text.get(self.at) {
            if self.text[self.at..].starts_with(&['/', '/']) {
                while self.text.get(self.at).is_some_and(|c| *c != '\n') {
                    self.at += 1;
                }
            } else if matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn here(&mut self) -> usize {
        self.skip();
        self.at + 1
    }

    fn digit(&self, at: usize) -> bool {
        self.text.get(at).is_some_and(char::is_ascii_digit)
    }

    fn unexpected(&mut self) -> Stop {
        let at = self.here();
        let rest = &self.text[self.at..];
        let word: String = rest
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        let shown = match rest.first() {
            None => return wrong(at, "the expression ends too early"),
            Some(first) if word.is_empty() => first.to_string(),
            Some(_) => word,
        };
        wrong(at, &format!("`{shown}` is not expected here"))
    }
}

fn node(at: usize, kind: Kind) -> Parsed {
    let deepest = |nodes: &[Node]| nodes.iter().map(|node| node.depth).max();
    let below = match &kind {
        Kind::Field(one, _) | Kind::Unary(_, one) => one.depth,
        Kind::Index(one, two) | Kind::Binary(_, one, two) => one.depth.max(two.depth),
        Kind::Choice(one, two, three) => one.depth.max(two.depth).max(three.depth),
        Kind::Call(_, nodes, _) | Kind::List(nodes) | Kind::Logical(_, nodes) => {
            deepest(nodes).unwrap_or(0)
        }
        _ => 0,
    };
    let depth = below + 1;
    if depth > MAX_TREE {
        return Err(Stop::Unsure);
    }
    Ok(Node { at, kind, depth })
}

fn wrong(at: usize, message: &str) -> Stop {
    Stop::Wrong(Problem {
        at,
        message: message.to_owned(),
        said: None,
    })
}
