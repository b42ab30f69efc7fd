//! Why a call failed.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Upid;

/// A failed call. Texts of the server are redacted and cut.
///
/// Proxmox answers most refusals with status 500 and a text; [`Error`] is what the text means.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer could be had.
    #[error("no answer from {endpoint}")]
    Transport {
        /// The endpoint asked last.
        endpoint: String,
        /// What went wrong.
        #[source]
        source: api_transport::Error,
    },
    /// 401. Final: Proxmox takes three seconds to say so, and says the same for every cause.
    #[error("{credential} {id} was not accepted: {message}")]
    Unauthorized {
        /// What was not accepted.
        credential: Credential,
        /// Whose it is: `user@realm!tokenid` or `user@realm`.
        id: String,
        /// What the server said.
        message: String,
    },
    /// The token is good but may not do this.
    #[error("permission denied: {need}")]
    Denied {
        /// HTTP status.
        status: u16,
        /// What it lacks.
        need: Need,
        /// What the server said.
        message: String,
    },
    /// The object does not exist, or a VM is not on that node (any more).
    #[error("{what} not found: {message}")]
    NotFound {
        /// HTTP status.
        status: u16,
        /// What is missing.
        what: Missing,
        /// What the server said.
        message: String,
    },
    /// It changed since it was read, or exists already.
    #[error("{what}: {message}")]
    Conflict {
        /// HTTP status.
        status: u16,
        /// Which conflict.
        what: Clash,
        /// What the server said.
        message: String,
    },
    /// The VM is locked or a configuration file is busy. Try again shortly.
    #[error("{}: {message}", lock.as_deref().map_or_else(|| "configuration busy".to_owned(), |lock| format!("locked by `{lock}`")))]
    Locked {
        /// HTTP status.
        status: u16,
        /// The VM's lock (`create`, `backup`, …); `None` when only the file is busy.
        lock: Option<String>,
        /// What the server said.
        message: String,
    },
    /// The request's content is refused, by the server or, without a status, before it was sent.
    #[error("invalid request: {}", with_fields(message, fields))]
    Invalid {
        /// HTTP status; `None` when nothing was sent.
        status: Option<u16>,
        /// What was said.
        message: String,
        /// Parameter to complaint.
        fields: BTreeMap<String, String>,
    },
    /// The server or one behind it could not do it.
    #[error("{call}: {cause}: {message} (HTTP {status})")]
    Server {
        /// HTTP status.
        status: u16,
        /// What is known about it.
        cause: Cause,
        /// Method and path.
        call: String,
        /// What the server said.
        message: String,
    },
    /// The answer was not understood.
    #[error("{call}: answer not understood: {message}")]
    Decode {
        /// Method and path.
        call: String,
        /// Where it failed.
        message: String,
    },
    /// A task failed, or was still running at the deadline (no exit status).
    #[error("task {} of {}: {}", upid.kind(), upid.id(), exit.as_deref().unwrap_or("still running at the deadline"))]
    Task {
        /// The task.
        upid: Upid,
        /// How it ended.
        exit: Option<String>,
    },
}

/// What a call was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// An API token.
    Token,
    /// A user's password.
    Password,
    /// A ticket, although it was just given out or renewed.
    Ticket,
    /// A password that was right, of a user who needs a second factor as well.
    SecondFactor,
}

/// What a refused token lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Any one of these privileges on a path of the permission tree.
    Privileges {
        /// `/vms/100`.
        path: String,
        /// `VM.Audit`; one of them is enough.
        any_of: Vec<String>,
    },
    /// To be `root@pam` with a password login: no token can do it, whatever its privileges.
    Root,
    /// The server did not say.
    Unsaid,
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The VM is not on that node: gone or migrated.
    Vm,
    /// The resource mapping.
    Mapping,
    /// The task: never existed, or its file was rotated away.
    Task,
    /// Something else.
    Other,
}

/// What a write clashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clash {
    /// The digest sent is no longer that of the file. A VM that is being created gives this, too.
    Digest,
    /// The id is taken.
    Exists,
}

/// What is known about a failure of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// 595: the node asked has no connection to the node the call is for. Nothing was done.
    NodeUnreachable,
    /// 596 to 599: the connection to the node the call is for failed once it was there: a certificate the
    /// other node does not know, a time-out, a lost answer. Whether anything was done is not known.
    NodeFailed,
    /// No node of that name is known. Not taken as "not found": name resolution fails, too, when the
    /// cluster's membership is not known yet.
    UnknownNode,
    /// The cluster has lost its quorum: reads work, writes do not.
    NoQuorum,
    /// The VM is not running.
    GuestNotRunning,
    /// The VM runs, but its guest agent does not answer, or the VM's configuration has none.
    AgentNotRunning,
    /// The server does not have this call, or the request breaks its limits.
    NotImplemented,
    /// Nothing is known but the text.
    Unknown,
}

impl Error {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Denied { status, .. }
            | Self::NotFound { status, .. }
            | Self::Conflict { status, .. }
            | Self::Locked { status, .. }
            | Self::Server { status, .. } => Some(*status),
            Self::Invalid { status, .. } => *status,
            Self::Transport { .. } | Self::Decode { .. } | Self::Task { .. } => None,
        }
    }

    /// Whether the same call may succeed later. Says nothing about whether repeating it is harmless.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { source, .. } => source.is_retryable(),
            Self::Locked { .. } => true,
            Self::Server { status, cause, .. } => match cause {
                Cause::NodeUnreachable | Cause::NodeFailed | Cause::NoQuorum => true,
                _ => matches!(status, 429 | 502..=504),
            },
            Self::Task { exit, .. } => exit.is_none(),
            _ => false,
        }
    }

    /// Whether a write may have been carried out all the same: the answer was lost, not understood, or a
    /// task still runs. Read back before it is made again.
    pub fn is_outcome_unknown(&self) -> bool {
        use api_transport::{Error as Failure, Phase};
        match self {
            Self::Transport { source, .. } => match source {
                Failure::Timeout { phase, .. } => *phase != Phase::Connect,
                Failure::Interrupted { .. } | Failure::TooLarge { .. } => true,
                _ => false,
            },
            Self::Server { status, .. } => matches!(status, 502..=504 | 596..=599),
            Self::Decode { .. } => true,
            Self::Task { exit, .. } => exit.is_none(),
            _ => false,
        }
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it changed since it was read, or exists already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether a lock or a busy file is in the way.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    /// Whether credentials were refused.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }

    /// Whether a privilege is lacking.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unauthorized {
                credential: Credential::SecondFactor,
                ..
            } => Some(
                "make an API token for this user and use it: tokens need no second factor".to_owned(),
            ),
            Self::Unauthorized {
                credential: Credential::Password,
                ..
            } => Some(
                "check user, realm and password; Proxmox gives one answer for all of these, also for a \
                 user who is disabled or locked out"
                    .to_owned(),
            ),
            Self::Unauthorized { .. } => Some(
                "check that the token exists, is not expired, that its user is enabled, and that the \
                 secret is complete; Proxmox gives one answer for all of these"
                    .to_owned(),
            ),
            Self::Denied { need: Need::Privileges { path, any_of }, .. } => Some(format!(
                "grant {} on {path} to the token, and to its user as well when the token has \
                 separate privileges",
                any_of.join(" or ")
            )),
            Self::Denied { need: Need::Root, .. } => Some(
                "Proxmox leaves this to root@pam with a password; for devices use a resource mapping"
                    .to_owned(),
            ),
            Self::Transport { source, .. } => source.hint().map(str::to_owned),
            Self::Server { cause: Cause::NoQuorum, .. } => {
                Some("the cluster is read-only until more nodes are up".to_owned())
            }
            _ => None,
        }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Invalid {
            status: None,
            message: message.into(),
            fields: BTreeMap::new(),
        }
    }
}

fn with_fields(message: &str, fields: &BTreeMap<String, String>) -> String {
    let mut text = message.trim_end_matches('.').to_owned();
    for (i, (field, complaint)) in fields.iter().enumerate() {
        text.push_str(if i == 0 { ": " } else { "; " });
        text.push_str(field);
        text.push_str(": ");
        text.push_str(complaint);
    }
    text
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "API token",
            Self::Password => "password of",
            Self::Ticket => "ticket of",
            Self::SecondFactor => "login of",
        })
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privileges { path, any_of } => {
                write!(f, "{} on {path} is missing", any_of.join(" or "))
            }
            Self::Root => f.write_str("only root@pam with a password may do this, never a token"),
            Self::Unsaid => f.write_str("the server does not say which privilege is missing"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vm => "VM",
            Self::Mapping => "resource mapping",
            Self::Task => "task",
            Self::Other => "object",
        })
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "changed since it was read",
            Self::Exists => "exists already",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeUnreachable => "node not reachable",
            Self::NodeFailed => "connection between nodes failed",
            Self::UnknownNode => "node not known",
            Self::NoQuorum => "cluster without quorum",
            Self::GuestNotRunning => "guest not running",
            Self::AgentNotRunning => "guest agent not running",
            Self::NotImplemented => "not supported by the server",
            Self::Unknown => "server error",
        })
    }
}
