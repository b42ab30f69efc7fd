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
    let nodes = match yaml::parse(text) {
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
    if let Some(refused) = nodes.iter().find_map(talos::load_error) {
        let error = Diagnostic::error(format!("{prefix}: {}", refused.message))
            .at(document.place(&["data"]))
            .hint("the keys known are those of Talos 1.14");
        return vec![error];
    }
    let mut errors = Vec::new();
    for forbidden in nodes.iter().flat_map(talos::forbidden) {
        let error = Diagnostic::error(format!("{prefix}: {}", forbidden.message))
            .at(document.place(&["data"]));
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
