//! Files for secrets: whole or not at all, readable by their owner alone.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that will hold a secret. It is opened before the secret exists, so that one is not made in vain.
#[derive(Debug)]
pub struct Private {
    file: NamedTempFile,
    path: PathBuf,
}

impl Private {
    /// Sees that `path` can be written; nothing stands there yet, or still what stood there.
    ///
    /// # Errors
    /// Its directory is not there or cannot be written to.
    pub fn prepare(path: &Path) -> io::Result<Self> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        Ok(Self {
            // Its mode is 0600 from the first moment.
            file: NamedTempFile::new_in(directory)?,
            path: path.to_owned(),
        })
    }

    /// Puts `text` there, in the place of what stood there.
    ///
    /// # Errors
    /// The disk is full, or the directory has changed.
    pub fn write(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        Ok(())
    }

    /// Where it will stand.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
