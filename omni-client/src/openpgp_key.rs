//! Makes keys for service accounts, in the form that Omni accepts: OpenPGP version 4, Ed25519, one user id whose
//! self-signature says when the key ends.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgp::composed::{
    ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Features, KeyFlags, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails as _, Password, Tag, Timestamp};
use rand08::rngs::OsRng;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::management::{PROVIDER_PREFIX, full_identity};
use crate::{KeyError, ServiceAccountKey};

/// A key that was just made, and what of it the server is told.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The private part, for whoever will sign with it.
    pub account: ServiceAccountKey,
    /// The public part, ASCII-armored, for [`crate::Client::create_service_account`].
    pub public: String,
    /// Its id: the fingerprint, lower-case hex. The server answers with the same.
    pub id: String,
    /// When it ends.
    pub expires: SystemTime,
}

impl ServiceAccountKey {
    /// How long a key may live: 365 days. Longer ones are refused by the server.
    pub const LONGEST_LIFE: Duration = Duration::from_hours(365 * 24);

    /// Makes a key for the account `name` (`ci`, or `infra-provider:ID`) that is born at `now` and ends after
    /// `lifetime`: whole seconds, at most [`Self::LONGEST_LIFE`].
    ///
    /// Random numbers come from the operating system. Unlike `omnictl` no encryption subkey is made: nothing would
    /// ever be encrypted to it, and the server asks for none.
    pub fn generate(name: &str, lifetime: Duration, now: SystemTime) -> Result<NewKey, KeyError> {
        let base = base_name(name)?;
        if lifetime < Duration::from_secs(1) || lifetime > Self::LONGEST_LIFE {
            return Err(KeyError::Lifetime);
        }
        let user = format!("{base} <{}>", full_identity(name));
        let born = Timestamp::try_from(now).map_err(|_| KeyError::Lifetime)?;
        let life = u32::try_from(lifetime.as_secs()).map_err(|_| KeyError::Lifetime)?;
        let key = lasting(user, born, life)
            .map_err(|error| KeyError::Signing(crate::openpgp::first_line(&*error)))?;
        let armored = |text: pgp::errors::Result<String>| {
            text.map_err(|error| KeyError::Signing(crate::openpgp::first_line(&error)))
        };
        let private = armored(key.to_armored_string(ArmorOptions::default()))?;
        let public = SignedPublicKey::from(key);
        Ok(NewKey {
            account: Self::new(name, private.into())?,
            id: format!("{:x}", public.fingerprint()),
            expires: SystemTime::from(born) + Duration::from_secs(u64::from(life)),
            public: armored(public.to_armored_string(ArmorOptions::default()))?,
        })
    }

    /// The value of `OMNI_SERVICE_ACCOUNT_KEY`: base64 of `{"name", "pgp_key"}`.
    pub fn encode(&self) -> SecretString {
        let printed = Printed {
            name: self.name(),
            pgp_key: self.armored().expose_secret(),
        };
        // Text and nothing else can always be written.
        let json = Zeroizing::new(serde_json::to_string(&printed).unwrap_or_default());
        SecretString::from(STANDARD.encode(json.as_bytes()))
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    name: &'a str,
    pgp_key: &'a str,
}

/// The name without its prefix, if it can stand in an e-mail address, which the server asks of a key's user id.
fn base_name(name: &str) -> Result<&str, KeyError> {
    let base = name.strip_prefix(PROVIDER_PREFIX).unwrap_or(name);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
    // Dots stand between words: one at an end, or two in a row, make no address.
    let words = base
        .split('.')
        .all(|word| !word.is_empty() && word.chars().all(fits));
    if words && base.len() <= 64 {
        Ok(base)
    } else {
        Err(KeyError::Name(name.to_owned()))
    }
}

/// A signing key whose self-signature says that key and signature end `life` seconds after they were `born`.
fn lasting(
    user: String,
    born: Timestamp,
    life: u32,
) -> Result<SignedSecretKey, Box<dyn std::error::Error>> {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .created_at(born)
        .primary_user_id(user);
    let mut key = params.build()?.generate(OsRng)?;
    let primary = &key.primary_key;
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let mut features = Features::default();
    features.set_seipd_v1(true);
    let life = pgp::types::Duration::from_secs(life);
    let mut config = SignatureConfig::v4(
        SignatureType::CertPositive,
        primary.algorithm(),
        HashAlgorithm::Sha256,
    );
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(born))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(primary.fingerprint()))?,
        Subpacket::regular(SubpacketData::KeyFlags(flags))?,
        Subpacket::regular(SubpacketData::Features(features))?,
        Subpacket::regular(SubpacketData::IsPrimary(true))?,
        Subpacket::regular(SubpacketData::KeyExpirationTime(life))?,
        Subpacket::regular(SubpacketData::SignatureExpirationTime(life))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        primary.legacy_key_id(),
    ))?];
    let mut users = Vec::new();
    for user in &key.details.users {
        let signature = config.clone().sign_certification(
            primary,
            primary.public_key(),
            &Password::empty(),
            Tag::UserId,
            &user.id,
        )?;
        users.push(user.id.clone().into_signed(signature));
    }
    key.details.users = users;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_make_no_address_are_refused() {
        for name in ["ci", "a.b-c_d+1", "infra-provider:proxmox"] {
            assert!(base_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "a b",
            "a@b",
            "a..b",
            ".a",
            "a<b>",
            "ü",
            "infra-provider:",
            "a:b",
            &long,
        ] {
            assert!(matches!(base_name(name), Err(KeyError::Name(_))), "{name}");
        }
        let now = SystemTime::now();
        for life in [Duration::ZERO, Duration::from_hours(365 * 24 + 1)] {
            let error = ServiceAccountKey::generate("ci", life, now).unwrap_err();
            assert!(matches!(error, KeyError::Lifetime), "{error}");
        }
    }
}
