//! The `machineClasses` section and the files it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::decode::Reader;
use super::model::MachineClass;
use crate::diagnostic::Diagnostic;
use crate::machine_class;
use crate::yaml::Node;

impl Reader {
    pub(super) fn classes(&mut self, node: &Node) -> BTreeMap<String, MachineClass> {
        let mut files: Vec<PathBuf> = Vec::new();
        for item in self.items(node, "machineClasses") {
            for file in self.matches(item) {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        let mut classes: BTreeMap<String, MachineClass> = BTreeMap::new();
        for file in files {
            let loaded = match machine_class::load_with_warnings(&file) {
                Ok((loaded, warnings)) => {
                    self.findings.extend(warnings);
                    loaded
                }
                Err(findings) => {
                    self.findings.extend(findings);
                    continue;
                }
            };
            for class in loaded {
                if let Some(first) = classes.get(&class.id) {
                    let message = format!(
                        "machine class `{}` is defined twice, first at {}",
                        class.id, first.origin
                    );
                    self.findings
                        .push(Diagnostic::error(message).at(class.origin.clone()));
                    continue;
                }
                classes.insert(class.id.clone(), class);
            }
        }
        classes
    }

    /// The files of a pattern, sorted. A pattern without files is an error: it is a typo more often than not.
    fn matches(&mut self, node: &Node) -> Vec<PathBuf> {
        let Some(text) = self.string(node, "machineClasses") else {
            return Vec::new();
        };
        let directory = glob::Pattern::escape(&self.directory.to_string_lossy());
        let pattern = Path::new(&directory).join(text);
        let found = match glob::glob(&pattern.to_string_lossy()) {
            Ok(found) => found,
            Err(error) => {
                self.error(node, format!("`{text}` is no file pattern: {}", error.msg));
                return Vec::new();
            }
        };
        let mut files = Vec::new();
        for entry in found {
            match entry {
                Ok(file) if file.is_file() => files.push(file),
                Ok(_) => {}
                Err(error) => {
                    let message = format!(
                        "{} cannot be read: {}",
                        error.path().display(),
                        error.error()
                    );
                    self.error(node, message);
                }
            }
        }
        if files.is_empty() {
            let from = if self.directory.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &self.directory
            };
            let hint = format!(
                "paths are relative to this file, that is to {}",
                from.display()
            );
            self.error_hint(node, format!("no file matches `{text}`"), hint);
        }
        files
    }
}
