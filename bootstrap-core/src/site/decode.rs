//! Reading marked YAML by hand: every finding is collected, every unknown key gets a suggestion.

use std::path::{Path, PathBuf};

use super::endpoints::SECRET;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::Node;

/// Reads nodes of one file and keeps what it finds wrong.
#[derive(Debug)]
pub(super) struct Reader {
    /// The file as the user named it.
    pub(super) file: PathBuf,
    /// The directory that paths in the file are relative to.
    pub(super) directory: PathBuf,
    /// What was found, warnings included.
    pub(super) findings: Vec<Diagnostic>,
}

/// A mapping whose keys were checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'n> {
    /// The mapping.
    pub(super) node: &'n Node,
    what: &'n str,
}

impl<'n> Fields<'n> {
    /// The value of a key; `None` when absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key).filter(|value| !value.is_null())
    }
}

impl Reader {
    pub(super) fn new(file: &Path) -> Self {
        let directory = file.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            file: file.to_owned(),
            directory,
            findings: Vec::new(),
        }
    }

    pub(super) fn origin(&self, node: &Node) -> Origin {
        node.origin(&self.file)
    }

    /// A path of the file, seen from where the program runs.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    pub(super) fn error(&mut self, node: &Node, message: impl Into<String>) {
        let origin = self.origin(node);
        self.findings.push(Diagnostic::error(message).at(origin));
    }

    pub(super) fn error_hint(
        &mut self,
        node: &Node,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let origin = self.origin(node);
        self.findings
            .push(Diagnostic::error(message).at(origin).hint(hint));
    }

    pub(super) fn warning(
        &mut self,
        node: &Node,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let origin = self.origin(node);
        self.findings
            .push(Diagnostic::warning(message).at(origin).hint(hint));
    }

    /// A mapping with known keys only; `None` when it is something else.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'n str,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        let Some(pairs) = node.as_mapping() else {
            self.error_hint(
                node,
                format!("{} must be a mapping, not {}", quoted(what), node.kind()),
                format!("its keys are {}", listed(known)),
            );
            return None;
        };
        for (key, _) in pairs {
            let name = key.as_str().unwrap_or("null");
            if !known.contains(&name) {
                let near = suggest(name, known.iter().copied());
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys here are {}", listed(known)),
                };
                // Where a secret's place belongs, what is no key may be the secret.
                let shown = if known == SECRET && near.is_none() {
                    String::new()
                } else {
                    format!(" `{}`", name.escape_debug())
                };
                self.error_hint(key, format!("unknown key{shown} in {}", quoted(what)), hint);
            }
        }
        Some(Fields { node, what })
    }

    /// The value of a key that must be there.
    pub(super) fn required<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let value = fields.get(key);
        if value.is_none() {
            let node = fields.node.get(key).unwrap_or(fields.node);
            self.error(node, format!("{} lacks `{key}`", quoted(fields.what)));
        }
        value
    }

    /// Text that is not empty.
    pub(super) fn string<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match node.as_str() {
            Some(text) if text.trim().is_empty() => {
                self.error(node, format!("`{what}` is empty"));
                None
            }
            Some(text) if text.chars().any(char::is_control) => {
                self.error(node, format!("`{what}` holds control characters"));
                None
            }
            Some(text) => Some(text),
            None => {
                self.error(
                    node,
                    format!("`{what}` must be a string, not {}", node.kind()),
                );
                None
            }
        }
    }

    /// The text of a key that must be there.
    pub(super) fn required_string<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
    ) -> Option<&'n str> {
        let node = self.required(fields, key)?;
        self.string(node, key)
    }

    /// `true` or `false`, or false where the key is absent.
    pub(super) fn flag(&mut self, fields: &Fields<'_>, key: &str) -> bool {
        let Some(node) = fields.get(key) else {
            return false;
        };
        node.as_bool().unwrap_or_else(|| {
            self.error_hint(
                node,
                format!("`{key}` must be a boolean, not {}", node.kind()),
                "write true or false",
            );
            false
        })
    }

    /// The items of a sequence; a lone scalar counts as a sequence of one.
    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Some(items) = node.as_sequence() {
            return items;
        }
        if node.as_str().is_some() {
            return std::slice::from_ref(node);
        }
        self.error(
            node,
            format!("`{what}` must be a sequence, not {}", node.kind()),
        );
        &[]
    }

    /// The items of a sequence of mappings.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Some(items) = node.as_sequence() {
            return items;
        }
        self.error_hint(
            node,
            format!("`{what}` must be a sequence, not {}", node.kind()),
            "write each entry after a dash",
        );
        &[]
    }
}

/// The known name that was probably meant.
pub(crate) fn suggest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let flat = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let given = flat(given);
    known
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&given, &flat(name)),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        // Of equals the first is taken.
        .min_by(|(one, _), (other, _)| other.total_cmp(one))
        .map(|(_, name)| name)
}

/// Keys in quotes, descriptions without.
fn quoted(what: &str) -> String {
    if what.contains(' ') {
        what.to_owned()
    } else {
        format!("`{what}`")
    }
}

/// `a`, `b`, `c`.
pub(super) fn listed(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
