//! Unified diffs as they are printed: in colour on terminals, without values that may be secret.

use std::fmt::Write as _;

use super::snippet::may_hold_secret;
use super::{Screen, clean};

const LONGEST_KEY: usize = 40;

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
        let text = match shown {
            Shown::Everything => diff,
            Shown::NoSecrets => &without_secrets(diff, "hidden, it may be secret: --show-secrets"),
        };
        for line in text.lines() {
            if self.color {
                self.print(&colored(line));
            } else {
                self.print(line);
            }
        }
    }
}

/// A diff with a remark in place of the values that may be secret.
pub fn without_secrets(diff: &str, remark: &str) -> String {
    let mut before = "";
    let mut shown = String::new();
    for line in diff.lines() {
        let content = line.get(1..).unwrap_or_default();
        if !line.starts_with("@@") && may_hold_secret(before, content) {
            let sign = line.get(..1).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(shown, "{sign}{}({remark})", indent_and_key(content));
        } else {
            shown.push_str(line);
            shown.push('\n');
        }
        before = content;
    }
    shown
}

/// What stands before a value. What is too long for a key may be a value itself.
fn indent_and_key(content: &str) -> String {
    let text = content.trim_start();
    let indent = &content[..content.len() - text.len()];
    match text.split_once(':') {
        Some((key, _)) if key.len() <= LONGEST_KEY => format!("{indent}{}: ", clean(key)),
        _ => indent.to_owned(),
    }
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
            let shown = without_secrets(line, "hidden, it may be secret: --show-secrets");
            assert_eq!(shown.trim_end(), expected);
        }
    }
}
