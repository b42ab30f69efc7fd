//! What omnictl prints about a template that does not load.

use std::io;
use std::path::Path;

use super::findings::{self, Finding};
use super::{LoadOptions, load_with};
use crate::diagnostic::Diagnostic;
use crate::yaml;

/// What `omnictl cluster template validate` prints after `Error: `; `None` for a valid template. The wording
/// of YAML syntax errors is the parser's own.
pub fn omnictl_report(path: &Path, options: &LoadOptions) -> Option<String> {
    let errors = match load_with(path, options) {
        Ok(template) => return template.omnictl_report(),
        Err(errors) => errors,
    };
    let text = match &options.text {
        Some(text) => text.clone(),
        None => match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return Some(format!("open {}: {}", path.display(), cause(&error))),
        },
    };
    Some(format!(
        "error loading template: {}",
        load_error(&text, &errors)
    ))
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

/// omnictl stops at the first document it cannot take.
fn load_error(text: &str, errors: &[Diagnostic]) -> String {
    let Some(first) = errors.first() else {
        return String::new();
    };
    let line = |error: &Diagnostic| error.origin.as_ref().map_or(0, |origin| origin.line);
    let Ok(documents) = yaml::parse(text) else {
        return format!("error decoding template: {}", first.message);
    };
    let starts: Vec<_> = documents.iter().map(|document| document.line).collect();
    let number = starts
        .iter()
        .rposition(|start| *start <= line(first))
        .unwrap_or_default();
    let content = starts.get(number).copied().unwrap_or(1);
    let lines: Vec<&str> = text.lines().collect();
    let separator = lines
        .iter()
        .take(content)
        .rposition(|line| line.starts_with("---"));
    let separator = separator.filter(|at| number == 0 || *at + 1 >= starts[number - 1]);
    let start = separator.map_or(content, |at| at + 1);
    if ["kind field", "unknown model kind", "document is"]
        .iter()
        .any(|prefix| first.message.starts_with(prefix))
    {
        return format!("error in document at line {start}:1: {}", first.message);
    }
    // omnictl counts in the document as it writes it out again, without empty lines.
    let inner = |at: usize| {
        let before = lines.iter().take(at).skip(if separator.is_some() {
            start
        } else {
            start - 1
        });
        before.filter(|line| !line.trim().is_empty()).count()
    };
    let next = starts.get(number + 1).copied().unwrap_or(usize::MAX);
    let own = errors
        .iter()
        .filter(|error| (content..next).contains(&line(error)));
    let listed: Vec<_> = own
        .map(|error| format!("line {}: {}", inner(line(error)), error.message))
        .collect();
    format!(
        "error decoding document at line {start}:1: yaml: construct errors: {}",
        listed.join("; ")
    )
}
