//! The [`Signer`] for service-account keys.
//!
//! A signature is a detached OpenPGP packet of version 4 over the payload's bytes: type binary, SHA-512, with the time
//! it was made, the issuer's fingerprint, and unhashed its key id. So are those of the recordings; GnuPG verifies both.

use std::fmt;
use std::time::SystemTime;

use pgp::composed::{Deserializable as _, DetachedSignature, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails as _, KeyVersion, Password, Timestamp};
use secrecy::ExposeSecret as _;

use crate::{KeyError, ServiceAccountKey, Signer};

/// Signs with the OpenPGP key of a service account, or with the one that `omnictl` made for a person.
pub struct OpenPgpSigner {
    identity: String,
    key_id: String,
    expires: Option<SystemTime>,
    key: SignedSecretKey,
}

impl OpenPgpSigner {
    /// Checks the key: unlocked, version 4, Ed25519, sound, and not expired at `now`.
    pub fn new(account: &ServiceAccountKey, now: SystemTime) -> Result<Self, KeyError> {
        let (key, _) = SignedSecretKey::from_string(account.armored().expose_secret())
            .map_err(|error| KeyError::Damaged(first_line(&error)))?;
        let primary = &key.primary_key;
        if primary.version() != KeyVersion::V4 {
            return Err(KeyError::Unsupported(format!(
                "version {}",
                u8::from(primary.version())
            )));
        }
        match primary.algorithm() {
            PublicKeyAlgorithm::EdDSALegacy | PublicKeyAlgorithm::Ed25519 => {}
            other => return Err(KeyError::Unsupported(format!("{other:?}"))),
        }
        if primary.secret_params().is_encrypted() {
            return Err(KeyError::Locked);
        }
        key.verify_bindings()
            .map_err(|error| KeyError::Damaged(first_line(&error)))?;
        let expires = expiry(&key);
        if let Some(end) = expires.filter(|&end| end <= now) {
            return Err(KeyError::Expired(end));
        }
        Ok(Self {
            identity: account.name().to_owned(),
            key_id: format!("{:x}", primary.fingerprint()),
            expires,
            key,
        })
    }
}

impl Signer for OpenPgpSigner {
    fn sign(&self, payload: &[u8], at: SystemTime) -> Result<Vec<u8>, KeyError> {
        self.signature(payload, at)
            .map_err(|error| KeyError::Signing(first_line(&error)))
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

impl OpenPgpSigner {
    fn signature(&self, payload: &[u8], at: SystemTime) -> pgp::errors::Result<Vec<u8>> {
        let key = &self.key.primary_key;
        let made =
            Timestamp::try_from(at).map_err(|error| pgp::errors::Error::from(error.to_string()))?;
        let mut config = SignatureConfig::v4(
            SignatureType::Binary,
            key.algorithm(),
            HashAlgorithm::Sha512,
        );
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(made))?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        ];
        config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
            key.legacy_key_id(),
        ))?];
        let signature = config.sign(key, &Password::empty(), payload)?;
        DetachedSignature::new(signature).to_bytes()
    }
}

impl fmt::Debug for OpenPgpSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPgpSigner")
            .field("identity", &self.identity)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// The earliest end that the newest self-signature sets; the server looks at both kinds.
fn expiry(key: &SignedSecretKey) -> Option<SystemTime> {
    let born = SystemTime::from(key.primary_key.created_at());
    let newest = key
        .details
        .users
        .iter()
        .flat_map(|user| &user.signatures)
        .chain(&key.details.direct_signatures)
        .max_by_key(|signature| signature.created())?;
    let signed = newest.created().map(SystemTime::from);
    let life = |of: fn(&Signature) -> Option<pgp::types::Duration>| {
        of(newest)
            .map(std::time::Duration::from)
            .filter(|life| !life.is_zero())
    };
    let key_end = life(Signature::key_expiration_time).map(|life| born + life);
    let signature_end = life(Signature::signature_expiration_time)
        .and_then(|life| signed.map(|signed| signed + life));
    [key_end, signature_end].into_iter().flatten().min()
}

pub(crate) fn first_line(error: &dyn fmt::Display) -> String {
    api_transport::redact(error.to_string().lines().next().unwrap_or_default(), 120)
}
