//! What the doors accept: service-account keys made at start, and fixed tokens for the other two systems.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgp::composed::{
    ArmorOptions, Deserializable as _, DetachedSignature, KeyType, SecretKeyParamsBuilder,
    SignedPublicKey, SignedSecretKey,
};
use pgp::packet::{KeyFlags, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails as _, Password, Tag, Timestamp};
use rand08::rngs::OsRng;
use secrecy::SecretString;

use crate::world::omni::access::{Caller, Role};

/// API token of Proxmox with all the rights the job needs.
pub(crate) const PROXMOX_TOKEN: &str =
    "bootstrap@pve!rehearsal=6f1d1c52-93f0-4d7e-9a53-2f8a4f6f7c11";
/// API token of Proxmox that may only read.
pub(crate) const PROXMOX_READONLY_TOKEN: &str =
    "auditor@pve!rehearsal=0b6f0f6e-53a7-4d0b-8f5e-6d1f7e0a9c22";
/// API key of the gateway with the admin role.
pub(crate) const UNIFI_KEY: &str = "rehearsal-unifi-admin-3e5b7c9d1f";
/// API key of the gateway with the read-only role.
pub(crate) const UNIFI_READONLY_KEY: &str = "rehearsal-unifi-viewer-7a9c1e3f5b";

/// A local account of the gateway with the admin role, and its password.
pub(crate) const UNIFI_ACCOUNT: (&str, &str) = ("rehearsal", "rehearsal-unifi-password-5d7f");

/// A year, as service-account keys have it.
const KEY_LIFETIME: Duration = Duration::from_hours(365 * 24);

/// What callers of the simulated systems authenticate with. Worth nothing anywhere else.
#[derive(Clone)]
pub struct Credentials {
    /// Service-account key of an Operator, as `omnictl` prints it.
    pub omni_key: SecretString,
    /// The same of a Reader.
    pub omni_reader_key: SecretString,
    /// The same of an account whose key has expired.
    pub omni_expired_key: SecretString,
    /// The same of an Admin.
    pub omni_admin_key: SecretString,
    /// The same of the infra providers, by their ids.
    pub omni_provider_keys: BTreeMap<String, SecretString>,
    /// `user@realm!id=secret`.
    pub proxmox_token: String,
    /// One that may only read.
    pub proxmox_readonly_token: String,
    /// API key.
    pub unifi_key: String,
    /// One with the read-only role.
    pub unifi_readonly_key: String,
    /// Name of a local account with the admin role.
    pub unifi_username: String,
    /// Its password.
    pub unifi_password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Credentials for the in-memory doors, which look at none.
    pub(crate) fn without_omni_keys() -> Self {
        Self {
            omni_key: SecretString::from(""),
            omni_reader_key: SecretString::from(""),
            omni_expired_key: SecretString::from(""),
            omni_admin_key: SecretString::from(""),
            omni_provider_keys: BTreeMap::new(),
            proxmox_token: PROXMOX_TOKEN.to_owned(),
            proxmox_readonly_token: PROXMOX_READONLY_TOKEN.to_owned(),
            unifi_key: UNIFI_KEY.to_owned(),
            unifi_readonly_key: UNIFI_READONLY_KEY.to_owned(),
            unifi_username: UNIFI_ACCOUNT.0.to_owned(),
            unifi_password: UNIFI_ACCOUNT.1.to_owned(),
        }
    }
}

/// Accounts and their keys.
pub(crate) struct Keys {
    pub(crate) credentials: Credentials,
    accounts: Vec<Account>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("accounts", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

struct Account {
    caller: Caller,
    fingerprint: String,
    public: SignedPublicKey,
    expires: SystemTime,
}

/// Makes all accounts.
pub(crate) fn generate(wall: SystemTime, providers: &[String]) -> Result<Keys, String> {
    let mut credentials = Credentials::without_omni_keys();
    let mut accounts = Vec::new();
    let mut add =
        |name: &str, caller: Caller, expires: SystemTime| -> Result<SecretString, String> {
            let (account, key) = account(name, caller, expires)?;
            accounts.push(account);
            Ok(key)
        };
    let user = |name: &str, role: Role| Caller {
        identity: format!("{name}@serviceaccount.omni.sidero.dev"),
        role,
        provider: None,
    };
    // Made a moment ago, so that no clock finds it made in the future.
    let fresh = wall + KEY_LIFETIME.saturating_sub(Duration::from_mins(1));
    let stale = wall
        .checked_sub(Duration::from_hours(1))
        .unwrap_or(SystemTime::UNIX_EPOCH);
    credentials.omni_admin_key = add("automation", user("automation", Role::Admin), fresh)?;
    credentials.omni_key = add("bootstrap", user("bootstrap", Role::Operator), fresh)?;
    credentials.omni_reader_key = add("reader", user("reader", Role::Reader), fresh)?;
    credentials.omni_expired_key = add("former", user("former", Role::Operator), stale)?;
    for id in providers {
        let caller = Caller {
            identity: format!("{id}@infra-provider.serviceaccount.omni.sidero.dev"),
            role: Role::InfraProvider,
            provider: Some(id.clone()),
        };
        let key = add(&format!("infra-provider:{id}"), caller, fresh)?;
        credentials.omni_provider_keys.insert(id.clone(), key);
    }
    Ok(Keys {
        credentials,
        accounts,
    })
}

fn account(
    name: &str,
    caller: Caller,
    expires: SystemTime,
) -> Result<(Account, SecretString), String> {
    let secret = lasting_key(&format!("{name} <{}>", caller.identity), expires)
        .map_err(|e| e.to_string())?;
    let armored = secret
        .to_armored_string(ArmorOptions::default())
        .map_err(|error| error.to_string())?;
    let public = SignedPublicKey::from(secret);
    let key = serde_json::json!({"name": name, "pgp_key": armored}).to_string();
    let account = Account {
        caller,
        fingerprint: public.fingerprint().to_string().to_ascii_lowercase(),
        public,
        expires,
    };
    Ok((account, SecretString::from(STANDARD.encode(key))))
}

/// A signing key whose self-signature says that it ends at `expires`, a year after it was made.
fn lasting_key(
    user: &str,
    expires: SystemTime,
) -> Result<SignedSecretKey, Box<dyn std::error::Error>> {
    let born = Timestamp::try_from(
        expires
            .checked_sub(KEY_LIFETIME)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    )?;
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .created_at(born)
        .primary_user_id(user.to_owned());
    let params = params.build()?;
    let mut key = params.generate(OsRng)?;
    let primary = &key.primary_key;
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let life =
        pgp::types::Duration::from_secs(u32::try_from(KEY_LIFETIME.as_secs()).unwrap_or(u32::MAX));
    let mut config = SignatureConfig::from_key(OsRng, primary, SignatureType::CertPositive)?;
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(born))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(primary.fingerprint()))?,
        Subpacket::regular(SubpacketData::KeyFlags(flags))?,
        Subpacket::regular(SubpacketData::KeyExpirationTime(life))?,
        Subpacket::regular(SubpacketData::SignatureExpirationTime(life))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        primary.legacy_key_id(),
    ))?];
    let mut users = Vec::new();
    for user in &key.details.users {
        let public = primary.public_key();
        let signature = config.clone().sign_certification(
            primary,
            &public,
            &Password::empty(),
            Tag::UserId,
            &user.id,
        )?;
        users.push(user.id.clone().into_signed(signature));
    }
    key.details.users = users;
    Ok(key)
}

impl Keys {
    /// Who signed a payload: the owner of the key, if it is known, not expired, and the signature fits.
    pub(crate) fn verify(
        &self,
        wall: SystemTime,
        fingerprint: &str,
        signature: &str,
        payload: &[u8],
    ) -> Option<Caller> {
        let account = self
            .accounts
            .iter()
            .find(|account| account.fingerprint == fingerprint)?;
        if account.expires <= wall {
            return None;
        }
        let bytes = STANDARD.decode(signature).ok()?;
        let signature = DetachedSignature::from_bytes(bytes.as_slice()).ok()?;
        signature.verify(&account.public, payload).ok()?;
        Some(account.caller.clone())
    }
}
