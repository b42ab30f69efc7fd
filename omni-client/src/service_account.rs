//! Service-account keys as `omnictl` prints them.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not what `omnictl serviceaccount create` prints.
    #[error("the service-account key is not what omnictl prints: {0}")]
    Format(&'static str),
    /// The private key inside does not parse, or does not fit itself.
    #[error("the private key inside the service-account key is damaged: {0}")]
    Damaged(String),
    /// It needs a passphrase.
    #[error(
        "the private key inside the service-account key is locked with a passphrase, which Omni's own keys never are"
    )]
    Locked,
    /// It is past its end.
    #[error("the service-account key expired on {}", date(*.0))]
    Expired(SystemTime),
    /// It is of another kind than Omni's.
    #[error("the service-account key is {0}, Omni's are OpenPGP version 4 with Ed25519")]
    Unsupported(String),
    /// The key or the signature could not be made.
    #[error("cannot sign with the service-account key: {0}")]
    Signing(String),
    /// No account can be called that.
    #[error(
        "`{0}` cannot be an account's name: at most 64 letters, digits, `-`, `_`, `+`, with dots between them"
    )]
    Name(String),
    /// A new key's life is too short or too long.
    #[error("a key lives at least a second and at most 365 days (8760h)")]
    Lifetime,
}

impl KeyError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Format(_) | Self::Damaged(_) => {
                "use the value that `omnictl serviceaccount create` prints after OMNI_SERVICE_ACCOUNT_KEY=, all of it"
            }
            Self::Locked => {
                "take a key without a passphrase: `omni-service-account renew NAME` with an Admin's key makes one, or \
                 `gpg --edit-key KEY passwd` takes it off before the key is exported again"
            }
            Self::Unsupported(_) => {
                "give the account a key of Omni's kind: `omni-service-account renew NAME` with an Admin's key, or \
                 `omnictl serviceaccount renew NAME`"
            }
            Self::Expired(_) => {
                "an Admin's key gives the account a new one: `omni-service-account renew NAME`, or \
                 `omnictl serviceaccount renew NAME`"
            }
            Self::Signing(_) | Self::Name(_) | Self::Lifetime => return None,
        })
    }
}

fn date(at: SystemTime) -> String {
    // Years past 9999 cannot be written, and cannot be meant.
    let last = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799);
    httpdate::fmt_http_date(at.clamp(SystemTime::UNIX_EPOCH, last))
}

/// A service account's name and its private key, not yet looked into.
#[derive(Debug, Clone)]
pub struct ServiceAccountKey {
    name: String,
    armored: SecretString,
}

#[derive(Deserialize)]
struct Wire {
    name: String,
    pgp_key: String,
}

impl ServiceAccountKey {
    /// Reads base64 of `{"name", "pgp_key"}`. What a shell or an env file puts around it
    /// (`export`, `OMNI_SERVICE_ACCOUNT_KEY=`, quotes, line breaks) is taken off.
    pub fn parse(text: &SecretString) -> Result<Self, KeyError> {
        let mut bare = text.expose_secret().trim();
        bare = bare.strip_prefix("export ").unwrap_or(bare).trim_start();
        for name in ["OMNI_SERVICE_ACCOUNT_KEY=", "SIDERO_SERVICE_ACCOUNT_KEY="] {
            bare = bare.strip_prefix(name).unwrap_or(bare);
        }
        let bare: Zeroizing<String> = Zeroizing::new(
            bare.chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\''))
                .collect(),
        );
        if bare.is_empty() {
            return Err(KeyError::Format("it is empty"));
        }
        let json = STANDARD
            .decode(bare.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Format("it is not base64; was it cut off?"))?;
        let mut wire: Wire = serde_json::from_slice(&json).map_err(|_| {
            KeyError::Format("it does not hold a name and a pgp_key; was it cut off?")
        })?;
        let armored = SecretString::from(std::mem::take(&mut wire.pgp_key));
        wire.pgp_key.zeroize();
        Self::new(&wire.name, armored)
    }

    /// An account's name and its private key, ASCII-armored; the key is not looked into.
    pub fn new(name: &str, armored: SecretString) -> Result<Self, KeyError> {
        // The name is one of four words in the signature header.
        if name.is_empty() || name.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(KeyError::Format("its name is empty or holds blanks"));
        }
        Ok(Self {
            name: name.to_owned(),
            armored,
        })
    }

    /// The account's name as given when it was made.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The private key, ASCII-armored.
    pub fn armored(&self) -> &SecretString {
        &self.armored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_wrapping_comes_off() {
        let bare = STANDARD.encode(r#"{"name":"ci","pgp_key":"-----BEGIN"}"#);
        let (half, rest) = bare.split_at(10);
        for text in [
            bare.clone(),
            format!("  {bare}\n"),
            format!("OMNI_SERVICE_ACCOUNT_KEY={bare}"),
            format!("SIDERO_SERVICE_ACCOUNT_KEY={bare}\r\n"),
            format!("export OMNI_SERVICE_ACCOUNT_KEY=\"{bare}\""),
            format!("'{half}\n{rest}'"),
        ] {
            let key = ServiceAccountKey::parse(&text.clone().into()).unwrap();
            assert_eq!(
                (key.name(), key.armored().expose_secret()),
                ("ci", "-----BEGIN"),
                "{text}"
            );
            assert!(!format!("{key:?}").contains("BEGIN"));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for (json, expected) in [
            (None, "it is empty"),
            (Some("hunter2hunter2"), "name and a pgp_key"),
            (Some(r#"{"name":"a b","pgp_key":"x"}"#), "holds blanks"),
            (Some(r#"{"name":"","pgp_key":"x"}"#), "its name is empty"),
            (Some(r#"{"name":"hunter2"}"#), "name and a pgp_key"),
        ] {
            let text = json.map(|json| STANDARD.encode(json)).unwrap_or_default();
            let error = ServiceAccountKey::parse(&text.into())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(expected) && !error.contains("hunter2"),
                "{error}"
            );
        }
        let error = ServiceAccountKey::parse(&"hunter2!".to_owned().into())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("not base64") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
