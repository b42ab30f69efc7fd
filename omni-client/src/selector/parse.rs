//! Reading selectors, with the quirks of Omni's reader: what a server refuses is refused here, in its words.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::{Term, Test};

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    End,
    Word(String),
    /// `in` or `notin` without quotes: an operator after a key, a word elsewhere.
    Keyword(&'static str),
    /// An operator, a comma or a parenthesis.
    Sign(&'static str),
    /// A text that cannot be taken apart.
    Broken(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 11] = ["!=", "==", ">=", "<=", "=", ">", "<", "!", ",", "(", ")"];
const OPERATORS: &str = "==, =, !=, >=, >, in, notin, <=, <";

pub(super) fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The terms of one selector.
pub(super) fn terms(text: &str) -> Result<Vec<Term>, SelectorError> {
    if text.contains('\0') {
        return Err(SelectorError("found a NUL character".to_owned()));
    }
    let mut reader = Reader {
        chars: text.chars().peekable(),
        next: None,
        after_operator: false,
        in_list: false,
    };
    let mut terms = Vec::new();
    if reader.peek() == &Token::End {
        return Ok(terms);
    }
    loop {
        if !reader.is_word() && reader.peek() != &Token::Sign("!") {
            let wanted = match terms.len() {
                0 => "!, identifier, or 'end of string'",
                _ => "identifier after ','",
            };
            return Err(reader.refuse(wanted));
        }
        let term = reader.term();
        terms.push(term.map_err(|error| SelectorError(format!("unable to parse term: {error}")))?);
        match reader.peek() {
            Token::End => return Ok(terms),
            Token::Sign(",") => reader.take(),
            _ => return Err(reader.refuse("',' or 'end of string'")),
        };
    }
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    next: Option<Token>,
    /// After an operator spaces belong to words.
    after_operator: bool,
    in_list: bool,
}

impl Reader<'_> {
    fn term(&mut self) -> Result<Term, SelectorError> {
        let absent = self.peek() == &Token::Sign("!");
        if absent {
            self.take();
        }
        let key = self.word()?;
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            let test = if absent { Test::Absent } else { Test::Exists };
            return Ok(Term { key, test });
        }
        if absent {
            let found = shown(self.peek());
            return Err(SelectorError(format!("expected EOF or ',', found {found}")));
        }
        let test = match self.take() {
            Token::Keyword("in") => Test::In(self.list()?),
            Token::Keyword(_) => Test::NotIn(self.list()?),
            Token::Sign("=" | "==") => Test::Equal(self.value()?),
            Token::Sign("!=") => Test::NotEqual(self.value()?),
            Token::Sign("<") => Test::Less(self.value()?),
            Token::Sign("<=") => Test::AtMost(self.value()?),
            Token::Sign(">") => Test::More(self.value()?),
            Token::Sign(">=") => Test::AtLeast(self.value()?),
            other => return Err(refusal(&other, OPERATORS)),
        };
        Ok(Term { key, test })
    }

    fn word(&mut self) -> Result<String, SelectorError> {
        match self.take() {
            Token::Word(word) => Ok(word),
            Token::Keyword(word) => Ok(word.to_owned()),
            other => Err(refusal(&other, "identifier")),
        }
    }

    /// What follows an operator; nothing is the empty text.
    fn value(&mut self) -> Result<String, SelectorError> {
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(String::new());
        }
        self.word()
    }

    /// `(a, b)`; where nothing stands between commas and parentheses, that is the empty text.
    fn list(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        if self.peek() != &Token::Sign("(") {
            return Err(self.refuse("'('"));
        }
        self.take();
        let mut values = BTreeSet::new();
        if self.peek() != &Token::Sign(")") {
            self.items(&mut values)?;
        }
        self.take();
        if values.is_empty() {
            values.insert(String::new());
        }
        Ok(values)
    }

    /// Up to the closing parenthesis. Of some numbers of commas before it the server makes an error, and so does this.
    fn items(&mut self, values: &mut BTreeSet<String>) -> Result<(), SelectorError> {
        if !self.is_word() && self.peek() != &Token::Sign(",") {
            return Err(self.refuse("',', ')' or identifier"));
        }
        loop {
            if self.is_word() {
                values.insert(self.word()?);
                match self.peek() {
                    Token::Sign(",") => {}
                    Token::Sign(")") => return Ok(()),
                    _ => return Err(self.refuse("',' or ')'")),
                }
                continue;
            }
            if self.peek() != &Token::Sign(",") {
                return Err(self.refuse("',', or identifier"));
            }
            self.take();
            let (ends, again) = (
                self.peek() == &Token::Sign(")"),
                self.peek() == &Token::Sign(","),
            );
            if values.is_empty() || ends || again {
                values.insert(String::new());
            }
            if ends {
                return Ok(());
            }
            if again {
                self.take();
            }
        }
    }

    fn is_word(&mut self) -> bool {
        matches!(self.peek(), Token::Word(_) | Token::Keyword(_))
    }

    fn refuse(&mut self, wanted: &str) -> SelectorError {
        refusal(self.peek(), wanted)
    }

    fn peek(&mut self) -> &Token {
        let next = match self.next.take() {
            Some(token) => token,
            None => self.read(),
        };
        self.next.insert(next)
    }

    fn take(&mut self) -> Token {
        match self.next.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    fn read(&mut self) -> Token {
        while self.chars.next_if(|c| is_space(*c)).is_some() {}
        let token = match self.chars.peek() {
            None => return Token::End,
            Some('"') => return self.quoted(),
            Some(c) if is_special(*c) => self.sign(),
            Some(_) => self.bare(),
        };
        match &token {
            Token::Sign("(") => self.in_list = true,
            Token::Sign(")") => self.in_list = false,
            Token::Sign(",") if self.in_list => {}
            Token::Sign(",") => self.after_operator = false,
            Token::Sign(_) | Token::Keyword(_) => self.after_operator = true,
            _ => {}
        }
        token
    }

    fn sign(&mut self) -> Token {
        let mut ahead = self.chars.clone();
        let two: String = ahead.by_ref().take(2).collect();
        let sign = SIGNS.into_iter().find(|sign| two.starts_with(sign));
        let Some(sign) = sign else {
            return Token::Broken("an operator that is not known");
        };
        for _ in sign.chars() {
            self.chars.next();
        }
        Token::Sign(sign)
    }

    fn bare(&mut self) -> Token {
        let mut word = String::new();
        let ends = |c: &char, spaces: bool| is_special(*c) || (is_space(*c) && !spaces);
        while let Some(c) = self.chars.next_if(|c| !ends(c, self.after_operator)) {
            word.push(c);
        }
        match word.as_str() {
            "in" => Token::Keyword("in"),
            "notin" => Token::Keyword("notin"),
            _ => Token::Word(word),
        }
    }

    fn quoted(&mut self) -> Token {
        let mut word = String::new();
        self.chars.next();
        loop {
            match self.chars.next() {
                None => return Token::Broken("unterminated quoted string"),
                Some('"') => return Token::Word(word),
                Some('\\') => match self.chars.next() {
                    None => return Token::Broken("unterminated escape sequence in quoted string"),
                    Some(c) => word.push(c),
                },
                Some(c) => word.push(c),
            }
        }
    }
}

fn shown(token: &Token) -> &str {
    match token {
        Token::End => "",
        Token::Word(word) => word,
        Token::Keyword(text) | Token::Sign(text) | Token::Broken(text) => text,
    }
}

fn refusal(found: &Token, wanted: &str) -> SelectorError {
    SelectorError(format!("found '{}', expected: {wanted}", shown(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Test)>, String> {
        let terms = terms(text).map_err(|error| error.to_string())?;
        Ok(terms
            .into_iter()
            .map(|term| (term.key, term.test))
            .collect())
    }

    /// The cases of Omni's own tests, and more of its quirks.
    #[test]
    fn what_omni_reads() {
        let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let text = |text: &str| text.to_owned();
        for (selector, expected) in [
            ("", vec![]),
            (" ", vec![]),
            ("!a", vec![("a", Test::Absent)]),
            ("a", vec![("a", Test::Exists)]),
            ("a != b", vec![("a", Test::NotEqual(text("b")))]),
            ("a == b", vec![("a", Test::Equal(text("b")))]),
            ("a=b", vec![("a", Test::Equal(text("b")))]),
            (
                "a = b ,c",
                vec![("a", Test::Equal(text("b "))), ("c", Test::Exists)],
            ),
            ("a=", vec![("a", Test::Equal(text("")))]),
            (
                "a=,b",
                vec![("a", Test::Equal(text(""))), ("b", Test::Exists)],
            ),
            ("a < b", vec![("a", Test::Less(text("b")))]),
            ("a <= b", vec![("a", Test::AtMost(text("b")))]),
            ("a > b", vec![("a", Test::More(text("b")))]),
            ("a >= 㰀㰀", vec![("a", Test::AtLeast(text("㰀㰀")))]),
            (
                "a notin (a, b, c, d)",
                vec![("a", Test::NotIn(set(&["a", "b", "c", "d"])))],
            ),
            ("a in (b, b)", vec![("a", Test::In(set(&["b"])))]),
            (
                "a in (b, c d e)",
                vec![("a", Test::In(set(&["b", "c d e"])))],
            ),
            ("a in ()", vec![("a", Test::In(set(&[""])))]),
            ("a in (,)", vec![("a", Test::In(set(&[""])))]),
            ("a in (b,)", vec![("a", Test::In(set(&["", "b"])))]),
            ("a in (,,,)", vec![("a", Test::In(set(&[""])))]),
            ("a in (b,,c)", vec![("a", Test::In(set(&["", "b", "c"])))]),
            (
                "a in (in, notin)",
                vec![("a", Test::In(set(&["in", "notin"])))],
            ),
            (
                "a, b > 0",
                vec![("a", Test::Exists), ("b", Test::More(text("0")))],
            ),
            (
                "b = c d, a = a b, z, c = f e",
                vec![
                    ("b", Test::Equal(text("c d"))),
                    ("a", Test::Equal(text("a b"))),
                    ("z", Test::Exists),
                    ("c", Test::Equal(text("f e"))),
                ],
            ),
            (
                "a=\"b, \\\"c\\\"\"",
                vec![("a", Test::Equal(text("b, \"c\"")))],
            ),
            ("a=\"b, \\\\\"", vec![("a", Test::Equal(text("b, \\")))]),
            ("a=b\"c", vec![("a", Test::Equal(text("b\"c")))]),
            ("\"a b\" = c", vec![("a b", Test::Equal(text("c")))]),
            ("!a b", vec![("a b", Test::Absent)]),
            ("in", vec![("in", Test::Exists)]),
            ("a = in", vec![("a", Test::Equal(text("in")))]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(key, test)| (text(key), test))
                .collect();
            assert_eq!(read(selector), Ok(expected), "{selector}");
        }
    }

    #[test]
    fn what_omni_refuses() {
        for (selector, said) in [
            (
                "%%% = (",
                "unable to parse term: found '(', expected: identifier",
            ),
            ("a in a, b", "found 'a', expected: '('"),
            ("a in", "found '', expected: '('"),
            ("a in (b", "found '', expected: ',' or ')'"),
            ("a in (b=c)", "found '=', expected: ',' or ')'"),
            ("a in (b,,)", "found ')', expected: ',', or identifier"),
            ("a \"in\" (b)", "found 'in', expected: =="),
            ("a in (=)", "found '=', expected: ',', ')' or identifier"),
            ("!a= 1", "expected EOF or ',', found ="),
            ("!", "found '', expected: identifier"),
            ("!!a", "found '!', expected: identifier"),
            ("a b", "found 'b', expected: =="),
            ("a,", "found '', expected: identifier after ','"),
            (
                ",a",
                "found ',', expected: !, identifier, or 'end of string'",
            ),
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a=\"b\" c", "found 'c', expected: ',' or 'end of string'"),
            ("a=\"b, c", "unterminated quoted string"),
            ("a=\"b,\\", "unterminated escape sequence"),
            ("a=\0b", "NUL"),
        ] {
            let error = read(selector).unwrap_err();
            assert!(error.contains(said), "{selector}: {error}");
        }
    }
}
