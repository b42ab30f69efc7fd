//! The part of CEL that storage selectors use: comparisons of `name` and `node` with texts, `&&`, `||`, `!`,
//! parentheses, `true` and `false`.

/// Deeper nesting than this is not evaluated.
const DEPTH_LIMIT: u8 = 64;

/// Whether a storage of a node satisfies a selector; `None` when the selector uses more of CEL than this.
pub(super) fn matches(selector: &str, node: &str, storage: &str) -> Option<bool> {
    let mut parser = Parser {
        rest: selector,
        node,
        storage,
        depth: 0,
    };
    let value = parser.any()?;
    parser.skip_space();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
    node: &'a str,
    storage: &'a str,
    depth: u8,
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Option<bool> {
        let mut value = self.all()?;
        while self.eat("||") {
            value |= self.all()?;
        }
        Some(value)
    }

    fn all(&mut self) -> Option<bool> {
        let mut value = self.unary()?;
        while self.eat("&&") {
            value &= self.unary()?;
        }
        Some(value)
    }

    fn unary(&mut self) -> Option<bool> {
        if self.depth >= DEPTH_LIMIT {
            return None;
        }
        self.depth += 1;
        let value = self.unary_within();
        self.depth -= 1;
        value
    }

    fn unary_within(&mut self) -> Option<bool> {
        self.skip_space();
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.rest = &self.rest[1..];
            return Some(!self.unary()?);
        }
        if self.eat("(") {
            let value = self.any()?;
            return self.eat(")").then_some(value);
        }
        let left = self.operand()?;
        if self.eat("==") {
            return Some(left == self.operand()?);
        }
        if self.eat("!=") {
            return Some(left != self.operand()?);
        }
        match left {
            Operand::Bool(value) => Some(value),
            Operand::Text(_) => None,
        }
    }

    fn operand(&mut self) -> Option<Operand<'a>> {
        self.skip_space();
        let quote = self.rest.chars().next()?;
        if quote == '"' || quote == '\'' {
            let (text, rest) = self.rest[1..].split_once(quote)?;
            self.rest = rest;
            return Some(Operand::Text(text));
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "name" => Some(Operand::Text(self.storage)),
            "node" => Some(Operand::Text(self.node)),
            "true" => Some(Operand::Bool(true)),
            "false" => Some(Operand::Bool(false)),
            _ => None,
        }
    }
}

#[derive(PartialEq)]
enum Operand<'a> {
    Text(&'a str),
    Bool(bool),
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn deep_nesting_is_given_up() {
        assert_eq!(matches(&"(".repeat(100_000), "a", "x"), None);
        assert_eq!(
            matches(&format!("{}true", "!".repeat(40)), "a", "x"),
            Some(true)
        );
    }

    #[test]
    fn selectors() {
        let two = "(node == \"proxmox\" && name == \"pool-faster\") ||\n(node == \"proxmox-1\" && name == \"other\")";
        for (selector, node, storage, expected) in [
            ("name == \"local\"", "a", "local", Some(true)),
            ("name != 'local'", "a", "local", Some(false)),
            ("true", "a", "x", Some(true)),
            ("!(name == 'x')", "a", "x", Some(false)),
            (two, "proxmox", "pool-faster", Some(true)),
            (two, "proxmox", "other", Some(false)),
            (two, "proxmox-1", "other", Some(true)),
            ("name.startsWith('a')", "a", "x", None),
            ("", "a", "x", None),
        ] {
            assert_eq!(
                matches(selector, node, storage),
                expected,
                "{selector} on {node}/{storage}"
            );
        }
    }
}
