//! The contexts that `omnictl` keeps, and the keys of people who logged in: where they are, and a signer from them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use omni_client::omniconfig::{Context, Omniconfig, key_file};
use omni_client::{KeyError, OpenPgpSigner, ServiceAccountKey, Signer, UserKey};
use secrecy::SecretString;
use zeroize::Zeroize as _;

use crate::private::Private;
use crate::run::{Exit, Failure, setting};

/// A key of our own, which `omnictl` cannot read.
const OWN: &str = "p256";
/// A key as `omnictl` makes and reads them.
const OMNICTL: &str = "pgp";

/// Where contexts and keys are kept.
#[derive(Debug, Clone)]
pub struct Places {
    /// The omniconfig.
    pub config: PathBuf,
    /// Where it stood formerly; read where the other is not there.
    former_config: Option<PathBuf>,
    /// Directories with keys; the first is written to.
    keys: Vec<PathBuf>,
}

impl Places {
    /// As `omnictl` finds them: the file that is named, `$OMNICONFIG`, `omni/config` in Talos's directory; keys in
    /// `$SIDEROV1_KEYS_DIR` or `keys` there. `None` without a home.
    pub fn find(named: Option<&Path>) -> Option<Self> {
        let path = |name: &str| setting(name).map(PathBuf::from);
        let home = path("HOME");
        let talos = path("TALOS_HOME").or(home.as_ref().map(|home| home.join(".talos")));
        let config = named
            .map(Path::to_owned)
            .or(path("OMNICONFIG"))
            .or(talos.as_ref().map(|talos| talos.join("omni/config")))?;
        let under = |name: &str, otherwise: &str| {
            path(name).or(home.as_ref().map(|home| home.join(otherwise)))
        };
        let former_config =
            under("XDG_CONFIG_HOME", ".config").map(|base| base.join("omni/config"));
        let former_keys = under("XDG_DATA_HOME", ".local/share").map(|base| base.join("omni/keys"));
        let keys = path("SIDEROV1_KEYS_DIR").or(home.map(|home| home.join(".talos/keys")));
        Some(Self {
            former_config: former_config
                .filter(|_| named.is_none() && setting("OMNICONFIG").is_none()),
            config,
            keys: keys.into_iter().chain(former_keys).collect(),
        })
    }

    /// The omniconfig, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(&self) -> Result<Option<Omniconfig>, Failure> {
        for path in std::iter::once(&self.config).chain(&self.former_config) {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(path, &error)),
            };
            let config = Omniconfig::parse(&text).map_err(|error| {
                Failure::message(Exit::Refused, format!("{}: {error}", path.display()))
            })?;
            return Ok(Some(config));
        }
        Ok(None)
    }

    /// Writes the omniconfig, readable by its owner alone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, config: &Omniconfig) -> Result<(), Failure> {
        let text = config
            .to_yaml()
            .map_err(|error| Failure::new(Exit::Error, &error, None))?;
        write(&self.config, &text)
    }

    /// Keeps a key for a context; gives the place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, context: &str, key: &UserKey) -> Result<PathBuf, Failure> {
        use secrecy::ExposeSecret as _;
        let Some(directory) = self.keys.first() else {
            return Err(Failure::message(
                Exit::Error,
                "there is no place for keys: set SIDEROV1_KEYS_DIR or HOME",
            ));
        };
        let path = directory.join(key_file(context, key.identity(), OWN));
        write(&path, key.to_file().expose_secret())?;
        Ok(path)
    }

    /// A signer for a context: with the key of the last login here, else with that of `omnictl`'s.
    ///
    /// # Errors
    /// There is no key, or none that still works.
    pub fn signer(&self, context: &Context, now: SystemTime) -> Result<Arc<dyn Signer>, Failure> {
        let log_in = || {
            format!(
                "`omni-bootstrap key login --context {}`, or any command of omnictl, logs in",
                context.name
            )
        };
        if context.identity.is_empty() {
            return Err(refused(
                format!("the context `{}` does not say who you are", context.name),
                log_in(),
            ));
        }
        let mut last = None;
        for ending in [OWN, OMNICTL] {
            for directory in &self.keys {
                let path = directory.join(key_file(&context.name, &context.identity, ending));
                let Some(text) = read_secret(&path)? else {
                    continue;
                };
                match signer_of(ending, &context.identity, &text, now) {
                    Ok(signer) => return Ok(signer),
                    Err(error) => last = last.or(Some((path, error))),
                }
            }
        }
        let who = format!("{} in the context `{}`", context.identity, context.name);
        Err(match last {
            None => refused(format!("nobody is logged in as {who}"), log_in()),
            Some((_, KeyError::Expired(_))) => {
                refused(format!("the login of {who} has ended"), log_in())
            }
            Some((path, error)) => refused(format!("{}: {error}", path.display()), log_in()),
        })
    }
}

fn signer_of(
    ending: &str,
    identity: &str,
    text: &SecretString,
    now: SystemTime,
) -> Result<Arc<dyn Signer>, KeyError> {
    if ending == OWN {
        return Ok(Arc::new(UserKey::from_file(identity, text, now)?));
    }
    let key = ServiceAccountKey::new(identity, text.clone())?;
    Ok(Arc::new(OpenPgpSigner::new(&key, now)?))
}

fn read_secret(path: &Path) -> Result<Option<SecretString>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            Err(error) => {
                error.into_bytes().zeroize();
                let message = format!("{} is not text", path.display());
                Err(Failure::message(Exit::Refused, message))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), make_private);
    let written = made
        .and_then(|()| Private::prepare(path))
        .and_then(|place| place.write(text));
    written.map_err(|error| {
        Failure::message(
            Exit::Error,
            format!("{} cannot be written: {error}", path.display()),
        )
    })
}

/// Makes a directory that its owner alone may enter, where there is none.
fn make_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be read: {error}", path.display());
    Failure::message(Exit::Refused, message)
}

fn refused(message: String, hint: String) -> Failure {
    Failure::advised(Exit::Refused, message, hint)
}
