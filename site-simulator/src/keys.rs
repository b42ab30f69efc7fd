//! What the doors accept: service-account keys made at start, and fixed tokens for the other two systems.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use omni_client::{KeyError, ServiceAccountKey};
use secrecy::SecretString;

use crate::world::omni::access::{Caller, Role};
use crate::world::omni::accounts::{Accounts, Wanted};

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
const KEY_LIFETIME: Duration = ServiceAccountKey::LONGEST_LIFE;

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

/// Makes all service accounts; their keys were made a moment ago.
pub(crate) fn generate(
    accounts: &mut Accounts,
    wall: SystemTime,
    providers: &[String],
) -> Result<Credentials, KeyError> {
    let mut credentials = Credentials::without_omni_keys();
    // No clock shall find a key made in the future.
    let fresh = wall.checked_sub(Duration::from_mins(1)).unwrap_or(wall);
    let stale = wall
        .checked_sub(KEY_LIFETIME + Duration::from_hours(1))
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let mut add = |name: &str, role: Role, born: SystemTime| -> Result<SecretString, KeyError> {
        let new = ServiceAccountKey::generate(name, KEY_LIFETIME, born)?;
        let maker = Caller {
            role,
            ..Caller::operator()
        };
        let wanted = Wanted {
            name,
            role: &role.to_string(),
            use_user_role: false,
            key: &new.public,
        };
        accounts
            .create(born, &maker, &wanted)
            .map_err(|refusal| KeyError::Signing(refusal.message))?;
        Ok(new.account.encode())
    };
    credentials.omni_admin_key = add("automation", Role::Admin, fresh)?;
    credentials.omni_key = add("bootstrap", Role::Operator, fresh)?;
    credentials.omni_reader_key = add("reader", Role::Reader, fresh)?;
    credentials.omni_expired_key = add("former", Role::Operator, stale)?;
    for id in providers {
        let key = add(&format!("infra-provider:{id}"), Role::InfraProvider, fresh)?;
        credentials.omni_provider_keys.insert(id.clone(), key);
    }
    Ok(credentials)
}
