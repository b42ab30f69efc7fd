//! One apply at a time for a site on this machine. The kernel lets go of the lock when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use crate::run::{Exit, Failure, environment};

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of a site.
///
/// # Errors
/// Exit code 4 when another run holds it, 1 when the lock file cannot be used.
pub fn take(site: &str) -> Result<Lock, Failure> {
    let path = directory().join(format!("omni-bootstrap-{site}.lock"));
    let failed = |error: &std::io::Error| {
        Failure::message(
            Exit::Error,
            format!("the lock file {} cannot be used: {error}", path.display()),
        )
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy; not knowing changes nothing.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let who = if holder.is_empty() {
                String::new()
            } else {
                format!(" (process {holder})")
            };
            return Err(Failure::message(
                Exit::Locked,
                format!("another run{who} works on the site {site}; wait for it to end"),
            ));
        }
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .map_err(|error| failed(&error))?;
    writeln!(file, "{}", std::process::id()).map_err(|error| failed(&error))?;
    Ok(Lock { _file: file })
}

fn directory() -> PathBuf {
    environment("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}
