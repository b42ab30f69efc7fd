//! From a cluster's resources back to a template. Pure; what a template cannot say is told as notes.
//!
//! omnictl loses a strategy without a `rolling` block and gives every patch its full id; here a patch keeps its name
//! where its number is its position, so that a template comes back as it was written.

mod documents;
mod fields;
mod gathered;
mod notes;
mod parts;

use std::path::Path;

use omni_client::Resource;

use self::gathered::Gathered;
use super::{LoadOptions, Template, go_yaml, load_with, omnictl_report};
use crate::diagnostic::Diagnostic;

/// How an export is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// The bytes that omnictl prints, with what it loses.
    pub omnictl: bool,
    /// Kernel arguments that no template manages, too.
    pub kernel_args: bool,
}

/// A template made from a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// YAML documents.
    pub text: String,
    /// What the template does not say, a line each.
    pub notes: Vec<String>,
    /// Machine classes in use, by id.
    pub machine_classes: Vec<String>,
}

/// Why there is no template.
#[derive(Debug, Clone)]
pub struct ExportError {
    /// In omnictl's words.
    pub message: String,
    /// The same as findings.
    pub findings: Vec<Diagnostic>,
}

impl ExportError {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        let message = message.into();
        Self {
            findings: vec![Diagnostic::error(&message).hint(hint)],
            message,
        }
    }
}

/// Makes a template of a cluster; `resources` has the cluster, its status, everything that carries its label, and
/// kernel arguments and install disks of any machine.
///
/// # Errors
/// The cluster has no shape that a template can have, or the result is not valid.
pub fn export(resources: &[Resource], options: ExportOptions) -> Result<Export, ExportError> {
    let gathered = Gathered::of(resources, options)?;
    let mut documents = documents::documents(&gathered, options)?;
    if !options.omnictl {
        documents = documents
            .into_iter()
            .map(go_yaml::Value::faithful)
            .collect();
    }
    let text = go_yaml::emit(&documents, 2);
    let template = checked(&text, options)?;
    let notes = if options.omnictl {
        Vec::new()
    } else {
        notes::notes(&gathered, &template)
    };
    Ok(Export {
        text,
        notes,
        machine_classes: gathered.machine_classes(),
    })
}

/// The text as a template that is valid.
fn checked(text: &str, options: ExportOptions) -> Result<Template, ExportError> {
    let path = Path::new("template.yaml");
    let load = LoadOptions {
        text: Some(text.to_owned()),
        ..LoadOptions::default()
    };
    if options.omnictl
        && let Some(report) = omnictl_report(path, &load)
    {
        let message = format!("error validating models: {report}");
        return Err(ExportError::new(message, "export it without --compat"));
    }
    let refused = |findings: Vec<Diagnostic>| {
        let findings: Vec<Diagnostic> = findings.into_iter().map(without_place).collect();
        let texts: Vec<&str> = findings
            .iter()
            .map(|finding| finding.message.as_str())
            .collect();
        ExportError {
            message: texts.join("; "),
            findings,
        }
    };
    let template = load_with(path, &load).map_err(refused)?;
    let findings = template.validate();
    if findings.is_empty() {
        Ok(template)
    } else {
        Err(refused(findings))
    }
}

/// There is no file yet that a place could be in.
fn without_place(finding: Diagnostic) -> Diagnostic {
    Diagnostic {
        message: format!("the cluster makes no valid template: {}", finding.message),
        origin: None,
        ..finding
    }
}
