//! Files with resources: one, all of a directory, or standard input.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Origin};

/// Where documents come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file, or a directory with files.
    Path(PathBuf),
    /// Text that was read already, and what to call it.
    Text(PathBuf, String),
}

/// The files a path stands for: itself, or the YAML files of a directory and those below it in the order of their
/// names.
///
/// # Errors
/// It is not there, cannot be read, or holds no YAML file.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let cannot = |error: &std::io::Error| {
        let text = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
            _ => format!("it cannot be read: {error}"),
        };
        Diagnostic::error(text).at(file(path))
    };
    let about = std::fs::metadata(path).map_err(|error| cannot(&error))?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = yaml_files(path).map_err(|error| cannot(&error))?;
    if files.is_empty() {
        let error = Diagnostic::error("no YAML file in this directory or below it")
            .at(file(path))
            .hint("names of YAML files end in .yaml or .yml");
        return Err(error);
    }
    Ok(files)
}

/// The YAML files of a directory and those below it, in the order of their names.
///
/// # Errors
/// A directory cannot be read.
pub fn yaml_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    walk(directory, &mut files)?;
    Ok(files)
}

/// Links to directories are not followed: a loop of them has no end.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, files)?;
            continue;
        }
        let is_yaml = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"));
        if is_yaml {
            files.push(path);
        }
    }
    Ok(())
}

pub(super) fn file(path: &Path) -> Origin {
    Origin {
        file: path.to_owned(),
        ..Origin::default()
    }
}
