//! What omnictl prints about a template that does not load.

use std::io;
use std::path::Path;

use super::findings::{self, Finding};
use super::{LoadOptions, Template, load_with, omnictl};
use crate::diagnostic::Diagnostic;

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
    let errors = match load_with(path, options) {
        Ok(template) => {
            return match template.omnictl_report() {
                Some(report) => Err(report),
                None => Ok(template),
            };
        }
        Err(errors) => errors,
    };
    let text = match &options.text {
        Some(text) => text.clone(),
        None => match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return Err(format!("open {}: {}", path.display(), cause(&error))),
        },
    };
    let first = errors.first().map_or("", |error| &error.message);
    let cause = omnictl::load_error(&text, first).unwrap_or_else(|| first.to_owned());
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
