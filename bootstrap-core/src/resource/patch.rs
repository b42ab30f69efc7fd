//! Config patches, as far as Omni's verdict on them can be told beforehand.

use super::{Document, name};
use crate::diagnostic::Diagnostic;
use crate::template::talos;
use crate::yaml;

/// Everything in a patch that Omni will refuse.
pub(super) fn check(document: &Document) -> Vec<Diagnostic> {
    let resource = &document.resource;
    if resource.kind().to_string() != "ConfigPatches" {
        return Vec::new();
    }
    let Some((block, text)) = document.block("data") else {
        return Vec::new();
    };
    let prefix = name(resource);
    let scanned = yaml::Scanned::of(text);
    let nodes = match scanned.nodes() {
        Ok(nodes) => nodes,
        Err(problems) => {
            let told = problems.into_iter().map(|problem| {
                let error = Diagnostic::error(format!("{prefix}: {}", problem.message))
                    .at(block.inside((problem.line, problem.column)));
                match problem.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            });
            return told.collect();
        }
    };
    if let Err(refused) = talos::load(&scanned) {
        let place = match nodes.get(refused.document) {
            Some(node) if !refused.way.is_empty() => block.place_in(node, &refused.way),
            _ => block.inside((refused.line, refused.column)),
        };
        let error = Diagnostic::error(format!("{prefix}: {}", refused.message))
            .at(place)
            .hint(
                refused
                    .hint
                    .unwrap_or("the keys known are those of Talos 1.14"),
            );
        return vec![error];
    }
    let mut errors = Vec::new();
    let found = nodes.iter().flat_map(|node| {
        talos::forbidden(node)
            .into_iter()
            .map(move |forbidden| (forbidden, node))
    });
    for (forbidden, node) in found {
        let error = Diagnostic::error(format!("{prefix}: {}", forbidden.message))
            .at(block.place_in(node, &forbidden.path));
        // Hints about templates are of no use here.
        errors.push(match forbidden.path[..] {
            ["machine", "install", "disk"] => {
                error.hint("a MachineInstallDiskConfigs resource with the machine's UUID as its id names the disk")
            }
            ["machine", "install", "extensions"] => {
                error.hint("an ExtensionsConfigurations resource lists extensions")
            }
            _ => error,
        });
    }
    errors
}
