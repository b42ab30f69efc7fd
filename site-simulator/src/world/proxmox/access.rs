//! Who may do what: API tokens, their privileges by path, and the refusals of the API.

use std::collections::{BTreeMap, BTreeSet};

/// A request the API refuses, as it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Message; its first line is the reason phrase.
    pub message: String,
    /// Per parameter, on a failed verification.
    pub errors: BTreeMap<String, String>,
    /// Whether the answer has a body at all (401 and proxy errors have none).
    pub bare: bool,
}

impl Refusal {
    /// A refusal with a text.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: BTreeMap::new(),
            bare: false,
        }
    }

    /// A failed parameter verification.
    pub fn parameter(name: &str, text: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: "Parameter verification failed.".to_owned(),
            errors: BTreeMap::from([(name.to_owned(), text.into())]),
            bare: false,
        }
    }

    /// An answer without a body.
    pub fn bare(status: u16, message: impl Into<String>) -> Self {
        Self {
            bare: true,
            ..Self::new(status, message)
        }
    }

    /// A missing privilege; several are alternatives.
    pub fn privilege(path: &str, any_of: &[&str]) -> Self {
        Self::new(
            403,
            format!("Permission check failed ({path}, {})", any_of.join("|")),
        )
    }
}

/// What a ready-made token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The minimal role of a tool that attaches devices and makes mappings.
    Operator,
    /// Sees everything, changes nothing.
    Reader,
    /// Good once, now past its expiry.
    Expired,
}

/// Privileges of [`Role::Operator`].
pub const OPERATOR: &[&str] = &[
    "VM.Audit",
    "VM.Config.HWType",
    "VM.Config.Options",
    "VM.PowerMgmt",
    "VM.GuestAgent.Audit",
    "Mapping.Use",
    "Mapping.Audit",
    "Mapping.Modify",
    "Sys.Audit",
    "Datastore.Audit",
];

/// Privileges of [`Role::Reader`].
pub const READER: &[&str] = &[
    "VM.Audit",
    "VM.GuestAgent.Audit",
    "Mapping.Audit",
    "Sys.Audit",
    "Datastore.Audit",
];

/// Every privilege, as `root@pam` has them.
const ALL: &[&str] = &[
    "Datastore.Allocate",
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
    "Group.Allocate",
    "Mapping.Audit",
    "Mapping.Modify",
    "Mapping.Use",
    "Permissions.Modify",
    "Pool.Allocate",
    "Pool.Audit",
    "Realm.Allocate",
    "SDN.Allocate",
    "SDN.Audit",
    "SDN.Use",
    "Sys.AccessNetwork",
    "Sys.Audit",
    "Sys.Console",
    "Sys.Modify",
    "Sys.PowerMgmt",
    "Sys.Syslog",
    "User.Modify",
    "VM.Allocate",
    "VM.Audit",
    "VM.Backup",
    "VM.Clone",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Cloudinit",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Console",
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.Unrestricted",
    "VM.Migrate",
    "VM.PowerMgmt",
    "VM.Snapshot",
];

/// Privileges by object path; each holds below its path too, until a deeper one replaces it.
pub type Grants = BTreeMap<String, BTreeSet<String>>;

/// An API token as the cluster keeps it.
#[derive(Clone)]
struct Token {
    secret: String,
    grants: Grants,
    expired: bool,
}

/// Somebody the API let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `user@realm`.
    pub user: String,
    /// Token id, absent for a ticket.
    pub token: Option<String>,
    pub(super) grants: Grants,
}

impl Caller {
    /// The superuser by ticket: the only one whom no check refuses.
    pub fn root() -> Self {
        Self {
            user: "root@pam".to_owned(),
            token: None,
            grants: Grants::new(),
        }
    }

    /// A caller with these grants; for the in-memory door.
    pub fn with(user: &str, token: &str, grants: Grants) -> Self {
        Self {
            user: user.to_owned(),
            token: Some(token.to_owned()),
            grants,
        }
    }

    /// `user@realm` or `user@realm!token`, as UPIDs have it.
    pub fn id(&self) -> String {
        match &self.token {
            Some(token) => format!("{}!{token}", self.user),
            None => self.user.clone(),
        }
    }

    /// Whether this is `root@pam` with a ticket.
    pub fn is_root_ticket(&self) -> bool {
        self.user == "root@pam" && self.token.is_none()
    }

    /// Privileges at a path.
    pub fn privileges(&self, path: &str) -> BTreeSet<String> {
        if self.user == "root@pam" {
            return ALL.iter().map(|name| (*name).to_owned()).collect();
        }
        let mut at = path.trim_end_matches('/');
        loop {
            let key = if at.is_empty() { "/" } else { at };
            if let Some(found) = self.grants.get(key) {
                return found.clone();
            }
            match at.rfind('/') {
                Some(cut) => at = at.get(..cut).unwrap_or_default(),
                None => return BTreeSet::new(),
            }
        }
    }

    /// Paths this caller was granted something on.
    pub fn granted_paths(&self) -> impl Iterator<Item = &str> {
        self.grants.keys().map(String::as_str)
    }

    /// Whether the caller has one of these privileges there.
    pub fn may(&self, path: &str, any_of: &[&str]) -> bool {
        let held = self.privileges(path);
        any_of.iter().any(|name| held.contains(*name))
    }

    /// The refusal of a caller without any of these privileges.
    pub fn require(&self, path: &str, any_of: &[&str]) -> Result<(), Refusal> {
        if self.may(path, any_of) {
            Ok(())
        } else {
            Err(Refusal::privilege(path, any_of))
        }
    }
}

/// Grants of these privileges on everything.
pub fn everywhere(privileges: &[&str]) -> Grants {
    Grants::from([(
        "/".to_owned(),
        privileges.iter().map(|name| (*name).to_owned()).collect(),
    )])
}

/// Known tokens. Secrets are not shown.
#[derive(Default, Clone)]
pub(super) struct Access {
    tokens: BTreeMap<String, Token>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.tokens.keys()).finish()
    }
}

impl Access {
    /// Lets `user@realm!id=secret` in with these grants.
    pub(super) fn add(&mut self, token: &str, grants: Grants, expired: bool) {
        if let Some((id, secret)) = token.split_once('=') {
            let token = Token {
                secret: secret.to_owned(),
                grants,
                expired,
            };
            self.tokens.insert(id.to_owned(), token);
        }
    }

    /// Who sends this `Authorization` header, or the refusal the API gives.
    pub(super) fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        let Some(value) = authorization.and_then(|v| v.strip_prefix("PVEAPIToken")) else {
            return Err(Refusal::bare(401, "No ticket"));
        };
        let value = value.trim_start_matches(['=', ' ']);
        // One text for a bad secret, an unknown id and an expired token: the API tells nobody which.
        let known = value.split_once('=').and_then(|(id, secret)| {
            let token = self.tokens.get(id)?;
            (token.secret == secret && !token.expired).then_some((id, token))
        });
        let Some((id, token)) = known else {
            return Err(Refusal::bare(401, "Authentication failed!"));
        };
        let (user, name) = id.split_once('!').unwrap_or((id, ""));
        Ok(Caller {
            user: user.to_owned(),
            token: Some(name.to_owned()),
            grants: token.grants.clone(),
        })
    }
}
