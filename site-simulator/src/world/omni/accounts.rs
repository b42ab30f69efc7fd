//! Who may call Omni: service accounts and users, and the public keys they sign with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use omni_client::{PROVIDER_PREFIX, full_identity};
use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey};
use pgp::types::KeyDetails as _;
use serde_json::{Value, json};

use super::access::{Caller, Role};
use super::api::ApiError;

/// How long a service account's key may live.
const LONGEST_ACCOUNT_KEY: Duration = Duration::from_hours(365 * 24);
/// How long a user's key may live.
pub(crate) const LONGEST_USER_KEY: Duration = Duration::from_hours(8);
/// Rounding and clocks that differ a little.
const GRACE: Duration = Duration::from_mins(1);

/// What signatures are verified with.
#[derive(Debug, Clone)]
pub(crate) enum Verifier {
    Pgp(Arc<SignedPublicKey>),
    /// The point of a P-256 key, uncompressed.
    P256(Vec<u8>),
}

/// A public key that somebody registered.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// Its id in signatures.
    pub id: String,
    /// As it was registered.
    pub text: String,
    /// When it ends.
    pub expires: SystemTime,
    /// When it was registered.
    pub created: SystemTime,
    /// When it last signed.
    pub last_used: Option<SystemTime>,
    verifier: Verifier,
}

/// Somebody with keys.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who they are when they call.
    pub caller: Caller,
    /// Keys, oldest first.
    pub keys: Vec<PublicKey>,
    /// When they last called.
    pub last_active: Option<SystemTime>,
}

/// Everybody.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Service accounts by name.
    pub service: BTreeMap<String, Account>,
    /// Users by e-mail address.
    pub users: BTreeMap<String, Account>,
    /// Keys whose owners have not confirmed them in a browser, by id, with the owner's address.
    pub(crate) unconfirmed: BTreeMap<String, (String, PublicKey)>,
}

impl PublicKey {
    /// An OpenPGP key, if it may live no longer than `longest` from `now` on.
    pub fn pgp(armored: &str, longest: Duration, now: SystemTime) -> Result<Self, ApiError> {
        let refused = |message: &str| ApiError::new(2, message);
        if armored.is_empty() {
            return Err(refused("gopenpgp: the key does not contain any entity"));
        }
        let (key, _) = SignedPublicKey::from_string(armored).map_err(|_| {
            refused("gopenpgp: error in reading key ring: openpgp: invalid data: tag byte does not have MSB set")
        })?;
        let signatures = key.details.users.iter().flat_map(|user| &user.signatures);
        let life = signatures
            .filter_map(pgp::packet::Signature::key_expiration_time)
            .map(Duration::from)
            .find(|life| !life.is_zero())
            .ok_or_else(|| refused("key does not contain a valid key lifetime"))?;
        let expires = SystemTime::from(key.created_at()) + life;
        if expires > now + longest + GRACE {
            let seconds = life.as_secs();
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            return Err(refused(&format!(
                "key lifetime is too long: {hours}h{minutes}m{}s",
                seconds % 60
            )));
        }
        if expires <= now {
            return Err(refused("key expired"));
        }
        Ok(Self {
            id: format!("{:x}", key.fingerprint()),
            text: armored.to_owned(),
            expires,
            created: now,
            last_used: None,
            verifier: Verifier::Pgp(Arc::new(key)),
        })
    }

    pub(crate) fn new(id: String, text: String, life: [SystemTime; 2], verifier: Verifier) -> Self {
        let [created, expires] = life;
        Self {
            id,
            text,
            expires,
            created,
            last_used: None,
            verifier,
        }
    }
}

impl Verifier {
    pub(crate) fn verifies(&self, signature: &[u8], payload: &[u8]) -> bool {
        match self {
            Self::Pgp(key) => DetachedSignature::from_bytes(signature)
                .is_ok_and(|signature| signature.verify(&**key, payload).is_ok()),
            Self::P256(point) => {
                let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED;
                ring::signature::UnparsedPublicKey::new(algorithm, point)
                    .verify(payload, signature)
                    .is_ok()
            }
        }
    }
}

impl Accounts {
    /// A key that is known and has not ended, and its owner.
    pub(crate) fn key(&self, wall: SystemTime, id: &str) -> Option<(Caller, Verifier)> {
        let mut everybody = self.service.values().chain(self.users.values());
        everybody.find_map(|account| {
            let key = account.keys.iter().find(|key| key.id == id)?;
            let valid = key.expires > wall;
            valid.then(|| (account.caller.clone(), key.verifier.clone()))
        })
    }

    /// Notes that a key signed a call.
    pub(crate) fn used(&mut self, wall: SystemTime, id: &str) {
        for account in self.service.values_mut().chain(self.users.values_mut()) {
            if let Some(key) = account.keys.iter_mut().find(|key| key.id == id) {
                key.last_used = Some(wall);
                account.last_active = Some(wall);
            }
        }
    }

    /// Makes a service account; gives its key's id.
    pub fn create(
        &mut self,
        now: SystemTime,
        caller: &Caller,
        wanted: &Wanted<'_>,
    ) -> Result<String, ApiError> {
        let provider = wanted.name.strip_prefix(PROVIDER_PREFIX);
        let role = if wanted.use_user_role {
            caller.role
        } else {
            wanted.role.parse()?
        };
        if (role == Role::InfraProvider) != provider.is_some() {
            return Err(ApiError::new(
                3,
                "the role InfraProvider and the prefix infra-provider: go together",
            ));
        }
        let key = PublicKey::pgp(wanted.key, LONGEST_ACCOUNT_KEY, now)?;
        let identity = full_identity(wanted.name);
        if self.service.contains_key(wanted.name) {
            let text = format!("service account \"{identity}\" already exists");
            return Err(ApiError::new(6, text));
        }
        let id = key.id.clone();
        let caller = Caller {
            identity,
            role,
            provider: provider.map(str::to_owned),
        };
        let account = Account {
            caller,
            keys: vec![key],
            last_active: None,
        };
        self.service.insert(wanted.name.to_owned(), account);
        Ok(id)
    }

    /// Gives a service account one more key; gives its id.
    pub fn renew(&mut self, now: SystemTime, name: &str, key: &str) -> Result<String, ApiError> {
        let key = PublicKey::pgp(key, LONGEST_ACCOUNT_KEY, now)?;
        let account = self.service.get_mut(name).ok_or_else(|| missing(name))?;
        let id = key.id.clone();
        account.keys.push(key);
        Ok(id)
    }

    /// Takes a service account and its keys away.
    pub fn destroy(&mut self, caller: &Caller, name: &str) -> Result<(), ApiError> {
        if caller.identity == full_identity(name) {
            return Err(ApiError::new(3, "cannot destroy your own service account"));
        }
        match self.service.remove(name) {
            Some(_) => Ok(()),
            None => Err(missing(name)),
        }
    }

    /// The service accounts, as the management API lists them.
    pub fn list(&self) -> Value {
        let accounts = self.service.iter().map(|(name, account)| {
            let keys: Vec<Value> = account.keys.iter().map(shown).collect();
            let mut shown = json!({
                "name": name,
                "pgp_public_keys": keys,
                "role": account.caller.role.to_string(),
            });
            if let Some(at) = account.last_active {
                shown["last_active"] = stamp(at, true).into();
            }
            shown
        });
        json!({"service_accounts": accounts.collect::<Vec<_>>()})
    }

    /// The users, as the management API lists them.
    pub fn list_users(&self) -> Value {
        let users = self.users.iter().map(|(email, account)| {
            let id = super::user_id(&account.caller.identity);
            json!({"id": id, "email": email, "role": account.caller.role.to_string()})
        });
        json!({"users": users.collect::<Vec<_>>()})
    }

    /// Lets somebody log in.
    pub fn add_user(&mut self, email: &str, role: Role) {
        let caller = Caller {
            identity: email.to_owned(),
            role,
            provider: None,
        };
        let account = Account {
            caller,
            keys: Vec::new(),
            last_active: None,
        };
        self.users.insert(email.to_owned(), account);
    }

    /// What the owner of a key does in the browser; whether there is such a key and its owner may log in.
    pub fn confirm(&mut self, id: &str) -> bool {
        let Some((email, key)) = self.unconfirmed.remove(id) else {
            return false;
        };
        let Some(account) = self.users.get_mut(&email) else {
            return false;
        };
        account.keys.push(key);
        true
    }

    /// Whether a key was confirmed.
    pub(crate) fn is_confirmed(&self, id: &str) -> bool {
        let mut keys = self.users.values().flat_map(|account| &account.keys);
        keys.any(|key| key.id == id)
    }
}

/// A service account to be made.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its role, where it does not get the caller's.
    pub role: &'a str,
    /// Whether it gets the caller's role.
    pub use_user_role: bool,
    /// Its public key.
    pub key: &'a str,
}

fn missing(name: &str) -> ApiError {
    ApiError::new(5, format!("service account \"{name}\" not found"))
}

fn shown(key: &PublicKey) -> Value {
    let mut shown = json!({
        "id": key.id,
        "armored": key.text,
        "expiration": stamp(key.expires, true),
        "created": stamp(key.created, false),
    });
    if let Some(at) = key.last_used {
        shown["last_used"] = stamp(at, false).into();
    }
    shown
}

fn stamp(at: SystemTime, whole_seconds: bool) -> String {
    let stamp = super::timestamp(at);
    if whole_seconds {
        stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        stamp.to_string()
    }
}
