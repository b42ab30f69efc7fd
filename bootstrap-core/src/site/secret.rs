//! Secrets, read when a system is about to be talked to and never before.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretString;

use super::model::SecretRef;

/// Keys are short; a larger file is another file.
const MAX_BYTES: u64 = 64 * 1024;
/// A password manager may ask its owner to unlock it.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// Why a secret could not be had. Nothing of the secret is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set.
    #[error("environment variable `{name}` is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("secret file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("secret file {} may be read by others (mode {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The program cannot be run.
    #[error("secret command `{program}` cannot be run")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program failed. What it printed is not shown.
    #[error("secret command `{program}` failed: {status}")]
    Failed {
        /// The program, without its arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The program did not end.
    #[error("secret command `{program}` did not end within {} s", COMMAND_DEADLINE.as_secs())]
    TimedOut {
        /// The program, without its arguments.
        program: String,
    },
    /// There is nothing, or something that is no key.
    #[error("{place} {problem}")]
    Unusable {
        /// Variable, file or command.
        place: String,
        /// What is wrong with the content.
        problem: &'static str,
    },
}

impl SecretError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unset { name } => Some(format!(
                "export {name}, or name a file or a command in the site file"
            )),
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Failed { .. } => Some("run it by hand to see what it says".to_owned()),
            Self::Unusable { .. } => {
                Some("one line with the key and nothing else is expected".to_owned())
            }
            Self::File { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!(
                    "put the key into {}, readable by you alone, or name another place",
                    path.display()
                ))
            }
            Self::File { .. } | Self::Command { .. } | Self::TimedOut { .. } => None,
        }
    }
}

/// Reads a secret from where the site file says it is. Commands are run without a shell, their error output goes
/// to the terminal.
pub async fn read_secret(
    place: &SecretRef,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<SecretString, SecretError> {
    match place {
        SecretRef::Env(name) => {
            let value =
                environment(name).ok_or_else(|| SecretError::Unset { name: name.clone() })?;
            usable(value, || format!("environment variable `{name}`"))
        }
        SecretRef::File(path) => usable(read_file(path)?, || {
            format!("secret file {}", path.display())
        }),
        SecretRef::Command(words) => run(words).await,
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::File {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    // The opened file is asked, not the path: the two may differ by now.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretError::Unusable {
            place: format!("secret file {}", path.display()),
            problem: "is no file",
        });
    }
    private(path, &metadata)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let unusable = |problem| SecretError::Unusable {
        place: format!("secret file {}", path.display()),
        problem,
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unusable("is too large"));
    }
    String::from_utf8(bytes).map_err(|_| unusable("is not text"))
}

#[cfg(unix)]
fn private(path: &Path, metadata: &std::fs::Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    let of_others = mode & 0o077;
    if of_others == 0 {
        Ok(())
    } else {
        Err(SecretError::Exposed {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn private(_: &Path, _: &std::fs::Metadata) -> Result<(), SecretError> {
    Ok(())
}

async fn run(words: &[String]) -> Result<SecretString, SecretError> {
    let (program, arguments) = words.split_first().ok_or_else(|| SecretError::Unusable {
        place: "secret command".to_owned(),
        problem: "is empty",
    })?;
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_DEADLINE, child)
        .await
        .map_err(|_| SecretError::TimedOut {
            program: program.clone(),
        })?
        .map_err(|source| SecretError::Command {
            program: program.clone(),
            source,
        })?;
    if !output.status.success() {
        return Err(SecretError::Failed {
            program: program.clone(),
            status: output.status,
        });
    }
    let place = || format!("output of secret command `{program}`");
    let mut text = String::from_utf8(output.stdout).map_err(|_| SecretError::Unusable {
        place: place(),
        problem: "is not text",
    })?;
    if let Some(end) = text.find('\n') {
        text.truncate(end);
    }
    usable(text, place)
}

/// One line, trimmed in place so that no copy is left behind.
fn usable(mut text: String, place: impl Fn() -> String) -> Result<SecretString, SecretError> {
    text.truncate(text.trim_end().len());
    let leading = text.len() - text.trim_start().len();
    text.drain(..leading);
    let problem = if text.is_empty() {
        "is empty"
    } else if text.contains('\n') {
        "holds more than one line"
    } else if text.chars().any(char::is_control) {
        "holds control characters"
    } else {
        return Ok(SecretString::from(text));
    };
    Err(SecretError::Unusable {
        place: place(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    const CANARY: &str = "canary-7f3a";

    async fn read(place: SecretRef) -> Result<String, String> {
        let environment = |name: &str| (name == "KEY").then(|| format!(" {CANARY}\n"));
        match read_secret(&place, &environment).await {
            Ok(secret) => Ok(secret.expose_secret().to_owned()),
            Err(error) => {
                let shown = format!("{error} {error:?} {:?}", error.hint());
                assert!(!shown.contains(CANARY), "{shown}");
                Err(error.to_string())
            }
        }
    }

    #[tokio::test]
    async fn secrets_come_from_the_environment_and_commands() {
        assert_eq!(read(SecretRef::Env("KEY".into())).await.unwrap(), CANARY);
        assert_eq!(
            read(SecretRef::Env("OTHER".into())).await.unwrap_err(),
            "environment variable `OTHER` is not set"
        );
        let command = |words: &[&str]| {
            SecretRef::Command(words.iter().map(|&word| word.to_owned()).collect())
        };
        let two_lines = format!("{CANARY}\nuser: me\n");
        assert_eq!(
            read(command(&["printf", "%s", &two_lines])).await.unwrap(),
            CANARY
        );
        // No shell: what would be expanded or chained stays as it is.
        assert_eq!(
            read(command(&["printf", "%s", "$HOME; id"])).await.unwrap(),
            "$HOME; id"
        );
        let failing = format!("echo {CANARY}; exit 3");
        assert_eq!(
            read(command(&["sh", "-c", &failing])).await.unwrap_err(),
            "secret command `sh` failed: exit status: 3"
        );
        assert_eq!(
            read(command(&["true"])).await.unwrap_err(),
            "output of secret command `true` is empty"
        );
        assert!(
            read(command(&["/no/such/program"]))
                .await
                .unwrap_err()
                .contains("cannot be run")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_that_others_may_read_are_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let mut file = std::fs::File::create(&path).unwrap();
        writeln!(file, "{CANARY}").unwrap();
        for (mode, allowed) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o644, false),
            (0o604, false),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let result = read(SecretRef::File(path.clone())).await;
            assert_eq!(result.is_ok(), allowed, "{mode:o}: {result:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        writeln!(file, "{CANARY}-second").unwrap();
        assert!(
            read(SecretRef::File(path))
                .await
                .unwrap_err()
                .contains("more than one line")
        );
    }
}
