//! Unified diffs as they are printed: in colour on terminals, without values that may be secret.

use super::snippet::may_hold_secret;
use super::{Screen, clean};

/// What of a diff is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everything.
    Everything,
    /// Lines that may hold a secret are replaced.
    NoSecrets,
}

impl Shown {
    /// From a flag.
    pub fn of(secrets: bool) -> Self {
        if secrets {
            Self::Everything
        } else {
            Self::NoSecrets
        }
    }
}

impl Screen {
    /// Prints a unified diff.
    pub fn print_diff(&mut self, diff: &str, shown: Shown) {
        let mut before = "";
        for line in diff.lines() {
            let hidden = shown == Shown::NoSecrets && hides(before, line);
            let text = if hidden {
                masked(line)
            } else {
                line.to_owned()
            };
            let text = if self.color { colored(&text) } else { text };
            self.print(&text);
            before = line;
        }
    }
}

fn hides(before: &str, line: &str) -> bool {
    let content = |line: &'_ str| line.get(1..).unwrap_or_default().to_owned();
    !line.starts_with("@@") && may_hold_secret(&content(before), &content(line))
}

/// The line's sign and key, without its value.
fn masked(line: &str) -> String {
    let end = line.find(": ").map_or_else(
        || line.len() - line.get(1..).unwrap_or_default().trim_start().len(),
        |colon| colon + 2,
    );
    format!(
        "{}(hidden, it may be secret: --show-secrets)",
        clean_start(line.get(..end).unwrap_or_default())
    )
}

fn clean_start(text: &str) -> String {
    let indent = text.len() - text.trim_start().len();
    format!("{}{}", &text[..indent], clean(&text[indent..]))
}

fn colored(line: &str) -> String {
    let code = match line {
        line if line.starts_with("---") || line.starts_with("+++") => "1",
        line if line.starts_with("@@") => "36",
        line if line.starts_with('-') => "31",
        line if line.starts_with('+') => "32",
        _ => return line.to_owned(),
    };
    format!("\u{1b}[{code}m{line}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_may_be_secret_are_hidden() {
        for (line, expected) in [
            (
                "+    token: abc.def",
                "+    token: (hidden, it may be secret: --show-secrets)",
            ),
            ("+    name: abc", "+    name: abc"),
            (
                "+  id: 400-cm-1f0a9b3c-c798-4da7-a410-f09abb48c8d8-host",
                "+  id: 400-cm-1f0a9b3c-c798-4da7-a410-f09abb48c8d8-host",
            ),
            ("@@ -1,2 +3,4 @@", "@@ -1,2 +3,4 @@"),
        ] {
            let shown = if hides("", line) {
                masked(line)
            } else {
                line.to_owned()
            };
            assert_eq!(shown, expected);
        }
    }
}
