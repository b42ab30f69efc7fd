//! Service accounts, and the users there are.
//!
//! Methods `CreateServiceAccount`, `RenewServiceAccount`, `ListServiceAccounts`, `DestroyServiceAccount` and
//! `ListUsers` [72, 77, 121-135, 139, 161-165]. All need the role Admin; [`Error::Denied`] otherwise.
//!
//! An account may have several keys at once. There is no taking a single one away: it ends by itself, or goes with the
//! account.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Repeat, is_false, named, understood};
use crate::{Client, Error};

/// What the name of an infra provider's account begins with.
pub const PROVIDER_PREFIX: &str = "infra-provider:";

/// What a new account may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRole {
    /// As much as whoever makes it.
    Creator,
    /// `None`, `InfraProvider`, `Reader`, `Auditor`, `Operator` or `Admin`; others are refused by the server with
    /// status 500.
    Named(String),
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceAccount {
    /// The name it was given, e.g. `ci` or `infra-provider:proxmox`.
    pub name: String,
    /// Its role.
    pub role: String,
    /// When it last called, RFC 3339; empty: never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_active: String,
    /// Its keys. Renewing adds one; the others stay valid until they end.
    #[serde(rename = "pgp_public_keys")]
    pub keys: Vec<AccountKey>,
}

/// A public key of an account. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountKey {
    /// Fingerprint, lower-case hex.
    pub id: String,
    /// The key itself, ASCII-armored.
    pub armored: String,
    /// When it ends.
    pub expiration: String,
    /// When it was registered; servers before 1.10 do not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// When it last signed; empty: never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_used: String,
}

impl AccountKey {
    /// When it ends, where that is understood.
    pub fn expires(&self) -> Option<SystemTime> {
        let end: jiff::Timestamp = self.expiration.parse().ok()?;
        SystemTime::try_from(end).ok()
    }
}

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// Id.
    pub id: String,
    /// E-mail address, the identity.
    pub email: String,
    /// Role.
    pub role: String,
    /// When they last called, RFC 3339; empty: never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_active: String,
}

/// The identity that the server gives an account of that name.
pub fn full_identity(name: &str) -> String {
    match name.strip_prefix(PROVIDER_PREFIX) {
        Some(provider) => format!("{provider}@infra-provider.serviceaccount.omni.sidero.dev"),
        None => format!("{name}@serviceaccount.omni.sidero.dev"),
    }
}

#[derive(Serialize)]
struct Created<'a> {
    armored_pgp_public_key: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    use_user_role: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    role: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Renewed<'a> {
    armored_pgp_public_key: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Destroyed<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Registered {
    public_key_id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Listed {
    service_accounts: Vec<ServiceAccount>,
    users: Vec<User>,
}

impl Client {
    /// Makes a service account with a public key (ASCII-armored); gives the key's id. Needs the role Admin.
    ///
    /// `ServiceAccountKey::generate` makes a fitting key. A name `infra-provider:ID` makes the account of an infra
    /// provider: its role is `InfraProvider`, and its resource ([`crate::kinds::INFRA_PROVIDER`]) is made apart.
    ///
    /// [`Error::AlreadyExists`] where the name is taken. What is wrong with a key or role comes as
    /// [`Error::Unexpected`] with status 500: keys live a year at most, and must have an end. Sent once: after a lost
    /// answer, look for the key's id in [`Client::service_accounts`].
    pub async fn create_service_account(
        &self,
        name: &str,
        role: &AccountRole,
        public_key: &str,
    ) -> Result<String, Error> {
        named("account's name", name)?;
        let body = Created {
            armored_pgp_public_key: public_key,
            use_user_role: *role == AccountRole::Creator,
            role: match role {
                AccountRole::Creator => "",
                AccountRole::Named(role) => role,
            },
            name,
        };
        let made: Registered = self
            .manage("CreateServiceAccount", None, &body, Repeat::Never)
            .await?;
        Ok(made.public_key_id)
    }

    /// Gives an account one more public key; gives the key's id. The old keys stay valid until they end: a single key
    /// cannot be taken away. Needs the role Admin. Sent once, as [`Client::create_service_account`].
    pub async fn renew_service_account(
        &self,
        name: &str,
        public_key: &str,
    ) -> Result<String, Error> {
        named("account's name", name)?;
        let body = Renewed {
            armored_pgp_public_key: public_key,
            name,
        };
        let made: Registered = self
            .manage("RenewServiceAccount", None, &body, Repeat::Never)
            .await?;
        Ok(made.public_key_id)
    }

    /// All service accounts with their keys. Needs the role Admin.
    pub async fn service_accounts(&self) -> Result<Vec<ServiceAccount>, Error> {
        let listed: Listed = self
            .manage("ListServiceAccounts", None, &Nothing {}, Repeat::Harmless)
            .await?;
        Ok(listed.service_accounts)
    }

    /// Destroys an account and all its keys; whether there was one. Needs the role Admin; the server refuses to
    /// destroy the caller's own account.
    pub async fn destroy_service_account(&self, name: &str) -> Result<bool, Error> {
        named("account's name", name)?;
        let body = Destroyed { name };
        let answer = self
            .managed("DestroyServiceAccount", None, &body, Repeat::Never)
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All users. Needs the role Admin.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let answer = self
            .managed("ListUsers", None, &Nothing {}, Repeat::Harmless)
            .await?;
        Ok(understood::<Listed>("ListUsers", &answer)?.users)
    }
}
