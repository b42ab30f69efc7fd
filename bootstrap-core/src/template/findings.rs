//! Findings of the validation, grouped as omnictl groups them.

use crate::diagnostic::Diagnostic;

/// A finding or a group of them.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    One(Diagnostic),
    /// A finding that omnictl words otherwise.
    Worded(Diagnostic, String),
    /// Counted and listed under a label, if there is one.
    Group(Option<String>, Vec<Finding>),
    /// Just one below the other.
    Lines(Vec<Finding>),
}

impl Finding {
    /// A group, unless it is empty.
    pub(super) fn group(label: String, findings: Vec<Finding>) -> Option<Finding> {
        (!findings.is_empty()).then_some(Self::Group(Some(label), findings))
    }

    fn flatten_into(self, prefix: &str, all: &mut Vec<Diagnostic>) {
        match self {
            Self::One(mut diagnostic) | Self::Worded(mut diagnostic, _) => {
                diagnostic.message.insert_str(0, prefix);
                all.push(diagnostic);
            }
            Self::Group(label, findings) => {
                let prefix = label.map_or(prefix.to_owned(), |label| format!("{prefix}{label}: "));
                for finding in findings {
                    finding.flatten_into(&prefix, all);
                }
            }
            Self::Lines(findings) => {
                for finding in findings {
                    finding.flatten_into(prefix, all);
                }
            }
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::One(diagnostic) => text.push_str(&diagnostic.message),
            Self::Worded(_, omnictl) => text.push_str(omnictl),
            Self::Group(label, findings) => {
                if let Some(label) = label {
                    text.push_str(label);
                    text.push_str(": ");
                }
                text.push_str(&listed(findings));
            }
            Self::Lines(findings) => {
                for (at, finding) in findings.iter().enumerate() {
                    if at > 0 {
                        text.push('\n');
                    }
                    finding.write(text);
                }
            }
        }
    }
}

/// Every finding by itself, its groups' labels before the message.
pub(super) fn flatten(findings: Vec<Finding>) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for finding in findings {
        finding.flatten_into("", &mut all);
    }
    all
}

/// omnictl's text: the number of errors and a bulleted list.
pub(super) fn listed(findings: &[Finding]) -> String {
    let mut text = match findings.len() {
        1 => "1 error occurred:".to_owned(),
        count => format!("{count} errors occurred:"),
    };
    for finding in findings {
        text.push_str("\n\t* ");
        finding.write(&mut text);
    }
    text.push_str("\n\n");
    text
}
