//! The files a template names, kept inside the directory that is allowed.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::model::FileProblem;

/// Where relative paths begin and what may be read.
#[derive(Debug, Clone)]
pub(super) struct Files {
    directory: PathBuf,
    allowed: PathBuf,
}

impl Files {
    /// `template` is the template's path; `allowed` is relative to its directory.
    pub(super) fn new(template: &Path, allowed: Option<&Path>) -> Self {
        let parent = template
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new(".")).to_owned();
        let allowed = match allowed {
            Some(allowed) => directory.join(allowed),
            None => directory.clone(),
        };
        Self { directory, allowed }
    }

    /// The text of a file, its path as written in the template.
    pub(super) fn read(&self, written: &str) -> Result<String, FileProblem> {
        let path = self.resolve(written)?;
        let bytes = std::fs::read(&path.target).map_err(|error| path.problem("openat", &error))?;
        String::from_utf8(bytes).map_err(|_| FileProblem {
            message: format!("read {}: text is not UTF-8", path.shown.display()),
            hint: Some(format!("save {} as UTF-8", path.target.display())),
            exists: true,
        })
    }

    fn resolve(&self, written: &str) -> Result<Resolved, FileProblem> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let tried = normalise(&absolute(&self.directory.join(written)));
        let allowed = normalise(&absolute(&self.allowed));
        let shown = relative(&tried, &allowed);
        let path = Resolved {
            shown,
            root: clean(&self.allowed),
            target: tried.clone(),
            tried,
        };
        if path.shown.starts_with("..") {
            return Err(path.escape(&path.tried, &allowed));
        }
        // A link must not lead out: what counts is where the file really is.
        let real =
            std::fs::canonicalize(&path.target).map_err(|error| path.problem("openat", &error))?;
        let real_allowed =
            std::fs::canonicalize(&allowed).map_err(|error| path.problem("openat", &error))?;
        if !real.starts_with(&real_allowed) {
            return Err(path.escape(&real, &allowed));
        }
        Ok(Resolved {
            target: real,
            ..path
        })
    }
}

struct Resolved {
    /// The allowed directory as it was given.
    root: PathBuf,
    /// Relative to the allowed directory, as omnictl shows it.
    shown: PathBuf,
    /// What is opened.
    target: PathBuf,
    /// What the written path means.
    tried: PathBuf,
}

impl Resolved {
    fn escape(&self, place: &Path, allowed: &Path) -> FileProblem {
        FileProblem {
            message: format!("openat {}: path escapes from parent", self.shown.display()),
            hint: Some(format!(
                "{} is outside {}: move the file or widen --allowed-dir",
                place.display(),
                allowed.display()
            )),
            exists: false,
        }
    }

    fn problem(&self, call: &str, error: &io::Error) -> FileProblem {
        let (call, cause) = match error.kind() {
            io::ErrorKind::NotFound => (call, "no such file or directory".to_owned()),
            io::ErrorKind::PermissionDenied => (call, "permission denied".to_owned()),
            io::ErrorKind::IsADirectory => ("read", "is a directory".to_owned()),
            io::ErrorKind::NotADirectory => (call, "not a directory".to_owned()),
            _ => (call, error.to_string()),
        };
        let is_directory = error.kind() == io::ErrorKind::IsADirectory;
        // What is open has its whole path in Go.
        let shown = if is_directory {
            let root = self.root.display();
            format!("{root}/{}", self.shown.display()).replace("//", "/")
        } else {
            self.shown.display().to_string()
        };
        FileProblem {
            exists: is_directory,
            message: format!("{call} {shown}: {cause}"),
            hint: Some(format!(
                "looked for {}; paths are relative to the template's directory",
                self.tried.display()
            )),
        }
    }
}

/// A path as Go joins it.
fn clean(path: &Path) -> PathBuf {
    let normal = normalise(path);
    if normal.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        normal
    }
}

/// Without `.` and `..`, links not followed.
fn normalise(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// The way from one normal absolute path to another.
fn relative(path: &Path, base: &Path) -> PathBuf {
    let common = path
        .components()
        .zip(base.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(path.components().skip(common)).collect();
    if way.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        way
    }
}
