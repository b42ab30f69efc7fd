//! What omnictl prints about a template that does not load.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::findings::{self, Finding};
use super::omnictl::{self, Reread};
use super::{LoadOptions, Template, decoded};
use crate::diagnostic::Diagnostic;
use crate::yaml::{NO_UTF_8, Scanned};

/// What `omnictl cluster template validate` prints after `Error: `; `None` for a valid template. The wording
/// of YAML syntax errors is the parser's own.
pub fn omnictl_report(path: &Path, options: &LoadOptions) -> Option<String> {
    load_as_omnictl(path, options).err()
}

/// A valid template, or what omnictl prints after `Error: `.
///
/// # Errors
/// omnictl's words.
pub fn load_as_omnictl(path: &Path, options: &LoadOptions) -> Result<Template, String> {
    let bytes = match &options.text {
        Some(text) => text.clone().into_bytes(),
        None => std::fs::read(path)
            .map_err(|error| format!("open {}: {}", path.display(), cause(&error)))?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let scanned = Scanned::of(&text);
    let nodes = match &text {
        Cow::Borrowed(_) => scanned.nodes_in(path),
        Cow::Owned(_) => Err(vec![Diagnostic::error(NO_UTF_8)]),
    };
    let reread = Reread::of(&scanned);
    drop(scanned);
    let errors = match nodes.and_then(|nodes| decoded(&text, nodes, &reread, path, options)) {
        Ok(template) => {
            return match template.omnictl_report() {
                Some(report) => Err(report),
                None => Ok(template),
            };
        }
        Err(errors) => errors,
    };
    let first = errors.first().map_or("", |error| &error.message);
    let cause = omnictl::load_error(&text, &reread, first).unwrap_or_else(|| first.to_owned());
    Err(format!("error loading template: {cause}"))
}

/// Errors as omnictl lists them: their number and a line each.
pub fn listed(errors: &[Diagnostic]) -> String {
    let findings: Vec<Finding> = errors.iter().cloned().map(Finding::One).collect();
    findings::listed(&findings)
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
