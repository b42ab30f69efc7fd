//! Config patches: where they come from, and what Omni lets them say.

use super::{descriptors, error, error_with_hint, file_error};
use crate::diagnostic::{Diagnostic, Origin};
use crate::template::findings::Finding;
use crate::template::model::{Patch, Source};
use crate::template::talos;
use crate::template::text::quote;
use crate::yaml::{self, Node};

pub(super) fn validate(patch: &Patch) -> Option<Finding> {
    let (name, origin, source) = (patch.title(), &patch.origin, &patch.source);
    let mut findings = descriptors(&patch.descriptors);
    if !source.file.is_empty() && source.inline.is_some() {
        findings.push(error("path and inline are mutually exclusive", origin));
    }
    if source.file.is_empty() && source.inline.is_none() {
        findings.push(error_with_hint(
            "path or inline is required",
            origin,
            "add `file:` or `inline:`",
        ));
    }
    match (&source.content, &source.inline) {
        (Some(Err(problem)), _) => {
            let message = format!(
                "failed to access {}: {}",
                quote(&source.file),
                problem.message
            );
            // The place and the hint name the file; omnictl names it three times.
            let cause = problem.message.rsplit(": ").next().unwrap_or_default();
            findings.push(
                match file_error(cause.to_owned(), problem, &source.file_origin) {
                    Finding::One(diagnostic) => Finding::Worded(diagnostic, message),
                    other => other,
                },
            );
        }
        (Some(Ok(text)), _) => {
            let label = format!("failed to validate patch {}", quote(&source.file));
            findings.extend(content(label, text, source));
        }
        (None, Some(inline)) => {
            if patch.name.is_empty() && patch.id_override.is_empty() {
                let message = "either name or idOverride is required for inline patches";
                findings.push(error_with_hint(message, origin, "add `name:`"));
            }
            let label = format!("failed to validate inline patch {}", quote(name));
            findings.extend(content(label, &inline.text, source));
        }
        (None, None) => {}
    }
    Finding::group(format!("patch {} is invalid", quote(name)), findings)
}

/// What is wrong with a patch's text: one loading error, or all that Omni forbids.
fn content(label: String, text: &str, source: &Source) -> Option<Finding> {
    let places = Places { source };
    let scanned = yaml::Scanned::of(text);
    let parsed = scanned.nodes();
    let nodes = parsed.as_deref().unwrap_or_default();
    if let Err(refused) = talos::load(&scanned) {
        let place = if source.content.is_some() {
            places.at(refused.line, refused.column)
        } else {
            places.of(&[], refused.document, &refused.way)
        };
        let mut diagnostic = Diagnostic::error(refused.message).at(place);
        diagnostic.hint = refused.hint.map(str::to_owned);
        return Some(Finding::Worded(
            diagnostic,
            format!("{label}: {}", refused.text),
        ));
    }
    if let Err(problems) = &parsed {
        let first = problems.first()?;
        let message = format!(
            "{label}: decode error: {} (line {})",
            first.message, first.line
        );
        let mut diagnostic =
            Diagnostic::error(&first.message).at(places.at(first.line, first.column));
        diagnostic.hint.clone_from(&first.hint);
        return Some(Finding::Worded(diagnostic, message));
    }
    let mut findings = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        for forbidden in talos::forbidden(node) {
            let diagnostic =
                Diagnostic::error(forbidden.message).at(places.of(nodes, at, &forbidden.path));
            findings.push(Finding::One(match forbidden.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            }));
        }
    }
    Finding::group(label, findings)
}

/// Where a place in a patch's text stands in a file of the user's.
struct Places<'s> {
    source: &'s Source,
}

impl Places<'_> {
    /// A place in the text.
    fn at(&self, line: usize, column: usize) -> Origin {
        match &self.source.inline {
            Some(inline) if self.source.content.is_none() => inline.origin.clone(),
            _ => Origin {
                file: self.patch_file(),
                line,
                column,
            },
        }
    }

    /// The deepest known node on a way through document `at`.
    fn of(&self, nodes: &[Node], at: usize, way: &[impl AsRef<str>]) -> Origin {
        let inline = self
            .source
            .inline
            .as_ref()
            .filter(|_| self.source.content.is_none());
        match inline {
            None => {
                let node = nodes.get(at).map(|node| deepest(node, way));
                node.map_or_else(|| self.at(0, 0), |node| self.at(node.line, node.column))
            }
            Some(inline) => {
                let written = inline
                    .documents
                    .as_ref()
                    .and_then(|documents| documents.get(at));
                written.map_or_else(
                    || inline.origin.clone(),
                    |node| deepest(node, way).origin(&inline.origin.file),
                )
            }
        }
    }

    fn patch_file(&self) -> std::path::PathBuf {
        let template = &self.source.file_origin.file;
        template.parent().map_or_else(
            || self.source.file.clone().into(),
            |directory| directory.join(&self.source.file),
        )
    }
}

fn deepest<'n>(node: &'n Node, way: &[impl AsRef<str>]) -> &'n Node {
    let Some((step, rest)) = way.split_first() else {
        return node;
    };
    let step = step.as_ref();
    let item = || {
        let at = step
            .strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<usize>()
            .ok()?;
        node.as_sequence()?.get(at)
    };
    node.get(step)
        .or_else(item)
        .map_or(node, |next| deepest(next, rest))
}
