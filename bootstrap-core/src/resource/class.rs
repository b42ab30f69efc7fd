//! What Omni asks of machine classes, as far as it can be told from the class alone.

use omni_client::Selectors;
use serde_json::Value;

use super::{Document, name};
use crate::diagnostic::Diagnostic;

/// The type of machine classes.
pub const TYPE: &str = "MachineClasses.omni.sidero.dev";

/// A class that makes machines has to say who makes them.
pub fn provider_missing(document: &Document) -> Option<Diagnostic> {
    let provision = document.resource.spec.get("auto_provision")?;
    let missing = provision.get("provider_id").is_none();
    missing.then(|| {
        Diagnostic::error("providerid is missing in spec.autoprovision")
            .at(document.place(&["auto_provision"]))
            .hint("it names the infra provider that makes the machines")
    })
}

/// Whether a class takes machines by their labels.
pub fn matches_labels(spec: &Value) -> bool {
    let labels = spec.get("match_labels").and_then(Value::as_array);
    labels.is_some_and(|labels| !labels.is_empty())
}

/// Whether a class has its machines made.
pub fn provisions(spec: &Value) -> bool {
    spec.get("auto_provision").is_some_and(Value::is_object)
}

/// Everything wrong with a class before anybody is asked.
pub(super) fn check(document: &Document) -> Vec<Diagnostic> {
    let resource = &document.resource;
    if resource.metadata.kind != TYPE {
        return Vec::new();
    }
    let at = document.place(&[]);
    let mut errors: Vec<Diagnostic> = provider_missing(document).into_iter().collect();
    match (matches_labels(&resource.spec), provisions(&resource.spec)) {
        (true, true) => errors.push(
            Diagnostic::error(format!("{} has both matchlabels and autoprovision", name(resource)))
                .at(at)
                .hint("a class either takes machines that are there or has them made: keep one of the two"),
        ),
        (false, false) => errors.push(
            Diagnostic::error(format!("{} has neither matchlabels nor autoprovision", name(resource)))
                .at(at)
                .hint("write `matchlabels:` with selectors, or `autoprovision:` with a providerid"),
        ),
        _ => {}
    }
    if let Err(error) = Selectors::parse(selectors(&resource.spec)) {
        errors.push(
            Diagnostic::error(format!(
                "a selector of {} is not understood: {error}",
                name(resource)
            ))
            .at(document.place(&["match_labels"]))
            .hint("for example `omni.sidero.dev/cores >= 4, !gpu`"),
        );
    }
    errors
}

fn selectors(spec: &Value) -> impl Iterator<Item = &str> {
    let labels = spec.get("match_labels").and_then(Value::as_array);
    labels.into_iter().flatten().filter_map(Value::as_str)
}
