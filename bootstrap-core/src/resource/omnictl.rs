//! What omnictl makes of resource files, in its words.

use std::path::Path;

use super::document;
use super::fields::Findings;
use super::shape;
use crate::yaml::{self, Node};
use omni_client::Resource;

/// The resources of a text as omnictl decodes them: keys that it does not know are left out without a word.
///
/// # Errors
/// omnictl's error; only the words of its YAML parser are others.
pub fn decode(text: &str) -> Result<Vec<Resource>, String> {
    let nodes = yaml::parse(text).map_err(|problems| {
        problems.first().map_or_else(String::new, |problem| {
            format!(
                "go-yaml load error in parser at L{}.C{}: {}",
                problem.line, problem.column, problem.message
            )
        })
    })?;
    nodes
        .iter()
        .filter(|node| !node.is_null())
        .map(resource)
        .collect()
}

fn resource(node: &Node) -> Result<Resource, String> {
    let at = |text: String| format!("yaml: construct errors: line {}: {text}", node.line);
    let Some(pairs) = node.as_mapping() else {
        return Err(at("expected a mapping node".to_owned()));
    };
    if pairs.len() != 2 {
        return Err(at(format!(
            "expected 4 elements node, got {}",
            pairs.len() * 2
        )));
    }
    let kind = node
        .get("metadata")
        .and_then(|metadata| metadata.get("type")?.as_str());
    if let Some(kind) = kind.filter(|kind| shape::fields(kind).is_none()) {
        return Err(at(format!(
            "failed to create resource: no resource is registered for the resource type {kind}"
        )));
    }
    let mut findings = Findings::of(Path::new(""), true);
    let read = document::read(node, &mut findings);
    match (read, findings.errors.into_iter().next()) {
        (Some(document), None) => Ok(document.resource),
        (_, error) => Err(at(error.map(|error| error.message).unwrap_or_default())),
    }
}
