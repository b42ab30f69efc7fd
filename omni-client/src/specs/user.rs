//! People and service accounts, and their keys.

use super::{Base64, Timestamp};

numbered! {
    /// What a key is.
    PublicKeyType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// OpenPGP.
        Pgp "PGP" = 1,
        /// ECDSA on P-256.
        Plain "PLAIN" = 2,
    }
}

message! {
    /// A user or service account. Its id is a UUID. Written by the management API (Admin), read by Admin.
    User = USER {
        /// What older servers had instead of `role`.
        scopes: Vec<String>,
        /// `None`, `InfraProvider`, `Reader`, `Auditor`, `Operator` or `Admin`.
        role: String,
    }

    /// A name of a [`User`]. Its id is the mail address or the service account's. Read by Admin.
    ///
    /// Labels: `user-id`, and `type-service-account` for service accounts.
    Identity = IDENTITY {
        /// The user's id.
        user_id: String,
    }

    /// A name of a [`User`] with what is known of it. Same id and labels. Written by Omni, read by Admin.
    IdentityStatus = IDENTITY_STATUS {
        /// The user's id.
        user_id: String,
        /// As in [`User`].
        role: String,
        /// When it was last used; empty for never.
        last_active: Timestamp,
    }

    /// A key that signs calls. Its id is the key's. Read by Admin.
    PublicKey = PUBLIC_KEY {
        /// Armored OpenPGP, or PEM.
        public_key: Base64,
        /// What older servers had instead of `role`.
        scopes: Vec<String>,
        /// Until when it is valid.
        expiration: Timestamp,
        /// Whether its owner confirmed it.
        confirmed: bool,
        /// Whose it is.
        identity: Option<PublicKeyIdentity>,
        /// The role it was registered with; the lower of this and the user's counts.
        role: String,
        /// What it is.
        r#type: PublicKeyType,
    }

    /// Whose a key is.
    PublicKeyIdentity {
        /// Mail address, or the service account's identity.
        email: String,
    }

    /// A service account with its keys. Its id is the full one, `<name>@serviceaccount.omni.sidero.dev`.
    ///
    /// Written by Omni, read by Admin.
    ServiceAccountStatus = SERVICE_ACCOUNT_STATUS {
        /// As in [`User`].
        role: String,
        /// Its keys, those that have expired too.
        public_keys: Vec<ServiceAccountPublicKey>,
        /// When the last of them expires.
        expiration: Timestamp,
    }

    /// A service account's key.
    ServiceAccountPublicKey {
        /// Fingerprint in lower-case hex.
        id: String,
        /// The public part, armored.
        armored: String,
        /// Until when it is valid.
        expiration: Timestamp,
        /// When it was made.
        created: Timestamp,
        /// When it was last used; empty for never.
        last_used: Timestamp,
    }

    /// Whom a key belongs to. Its id is `current`. Computed when it is read.
    CurrentUser = CURRENT_USER {
        /// For example `ci@serviceaccount.omni.sidero.dev`.
        identity: String,
        /// `None`, `InfraProvider`, `Reader`, `Auditor`, `Operator` or `Admin`.
        role: String,
        /// Id.
        user_id: String,
    }
}

impl CurrentUser {
    /// Whether the role is at least `role` in Omni's order. A role that is not known here is none.
    pub fn has_role(&self, role: &str) -> bool {
        const ORDER: [&str; 6] = [
            "None",
            "InfraProvider",
            "Reader",
            "Auditor",
            "Operator",
            "Admin",
        ];
        let rank = |name: &str| ORDER.iter().position(|known| *known == name);
        rank(&self.role).is_some_and(|own| rank(role).is_some_and(|needed| own >= needed))
    }
}
