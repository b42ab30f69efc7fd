//! Omni's resources as people write and read them: the YAML of `omnictl apply` and `omnictl get`.
//!
//! A document is a mapping of `metadata` and `spec`. Keys of the spec may be spelled as omnictl prints them
//! (`providerdata`) or as the API does (`provider_data`, `providerData`); one that is neither is an error, where
//! omnictl would drop it.

pub mod character_diff;
pub mod class;
pub mod definition;
mod document;
mod fields;
mod files;
pub mod json_schema;
pub mod jsonpath;
pub mod omnictl;
mod patch;
pub mod print;
mod provider_data;
pub mod schema;
mod spec;
pub mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use omni_client::Resource;

pub use self::document::type_called;
use self::fields::Findings;
pub use omni_client::spelling::shape;

pub use self::files::{Input, find, yaml_files};
pub use self::provider_data::Block;
use self::shape::joined;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::{self, Node};

/// A resource of a file. Its spec may hold credentials, so `Debug` leaves it out.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// The resource as the API takes it; zero values are left out.
    pub resource: Resource,
    /// The text of its `providerdata`, where it has one.
    pub provider_data: Option<Block>,
    /// Where it begins.
    pub origin: Origin,
    spec: Node,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("resource", &name(&self.resource))
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Where the value of a field of the spec begins, or the spec where the field is not there; API names.
    pub fn place(&self, path: &[&str]) -> Origin {
        let mut node = &self.spec;
        for name in path {
            let pairs = node.as_mapping().unwrap_or_default();
            let is_it = |key: &Node| key.as_str().is_some_and(|key| joined(key) == joined(name));
            let Some((_, value)) = pairs.iter().find(|(key, _)| is_it(key)) else {
                break;
            };
            node = value;
        }
        node.origin(&self.origin.file)
    }

    /// A text of the spec, and its place in the file.
    fn block(&self, field: &str) -> Option<(Block, &str)> {
        let node = self.spec.get(field)?;
        Some((Block::of(&self.origin.file, node), node.as_str()?))
    }
}

/// What was loaded, and what is odd about it but no error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Resources, in the order of the files and of the documents in them.
    pub documents: Vec<Document>,
    /// Findings.
    pub warnings: Vec<Diagnostic>,
}

/// Loads all documents of all inputs.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(inputs: &[Input]) -> Result<Loaded, Vec<Diagnostic>> {
    let mut loaded = Loaded::default();
    let mut errors = Vec::new();
    for input in inputs {
        match input {
            Input::Text(name, text) => take(of_text(text, name), &mut loaded, &mut errors),
            Input::Path(path) => match find(path) {
                Ok(files) => {
                    for file in files {
                        let documents = yaml::read(&file, &file);
                        take(
                            documents.and_then(|nodes| of_nodes(&nodes, &file)),
                            &mut loaded,
                            &mut errors,
                        );
                    }
                }
                Err(error) => errors.push(error),
            },
        }
    }
    errors.extend(given_twice(&loaded.documents));
    for document in &loaded.documents {
        errors.extend(class::check(document));
        errors.extend(patch::check(document));
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(errors)
    }
}

fn take(read: Result<Loaded, Vec<Diagnostic>>, loaded: &mut Loaded, errors: &mut Vec<Diagnostic>) {
    match read {
        Ok(read) => {
            loaded.documents.extend(read.documents);
            loaded.warnings.extend(read.warnings);
        }
        Err(found) => errors.extend(found),
    }
}

/// Reads the documents of a text; `shown` is what the user calls it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_text(text: &str, shown: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    of_nodes(&yaml::parse_in(text, shown)?, shown)
}

/// Reads the documents of a file that was parsed.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_nodes(nodes: &[Node], file: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let mut findings = Findings::of(file, false);
    let documents: Vec<_> = nodes
        .iter()
        .filter(|node| !node.is_null())
        .filter_map(|node| document::read(node, &mut findings))
        .collect();
    if findings.errors.is_empty() {
        Ok(Loaded {
            documents,
            warnings: findings.warnings,
        })
    } else {
        Err(findings.errors)
    }
}

/// One id twice: which of the two is meant cannot be told.
fn given_twice(documents: &[Document]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<(&str, &str), &Origin> = BTreeMap::new();
    let mut errors = Vec::new();
    for document in documents {
        let metadata = &document.resource.metadata;
        if let Some(earlier) = first.get(&(&*metadata.kind, &*metadata.id)) {
            let message = format!(
                "{} is given twice, first at {earlier}",
                name(&document.resource)
            );
            errors.push(Diagnostic::error(message).at(document.origin.clone()));
        } else {
            first.insert((&metadata.kind, &metadata.id), &document.origin);
        }
    }
    errors
}

/// `MachineClasses(gpu)`: how a resource is named in messages.
pub fn name(resource: &Resource) -> String {
    format!("{}({})", resource.kind(), resource.metadata.id)
}
