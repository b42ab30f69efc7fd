//! What can go wrong, told apart by what a caller does next.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use api_transport::{Response, redact, redact_lines};
use http::header::DATE;

use crate::service_account::KeyError;
use crate::sign::{SignError, Signer};
use crate::wire::Status;

const LONGEST_MESSAGE: usize = 2000;
/// How far clocks may differ.
const SKEW_ALLOWED: i64 = 300;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such resource.
    #[error("not found: {message}")]
    NotFound {
        /// What the server said.
        message: String,
    },
    /// A resource of that id exists.
    #[error("already exists: {message}")]
    AlreadyExists {
        /// What the server said.
        message: String,
    },
    /// It was changed since it was read: read it again.
    #[error("changed by somebody else in the meantime: {message}")]
    Conflict {
        /// What the server said.
        message: String,
    },
    /// The signature was refused. The server never says why; `explanation` does.
    #[error("Omni refuses the signature: {explanation}")]
    Unauthenticated {
        /// How far this machine's clock is ahead of the server's, in seconds.
        clock_ahead: Option<i64>,
        /// The likely cause, and what to do.
        explanation: String,
    },
    /// The key's role does not allow it, or a controller owns the resource.
    #[error("not allowed: {message}")]
    Denied {
        /// What the server said.
        message: String,
        /// The same as the server worded it.
        said: String,
    },
    /// The request or the resource in it is not valid.
    #[error("refused as invalid: {}", lines.join("; "))]
    Invalid {
        /// What is wrong, one finding a line.
        lines: Vec<String>,
        /// The same as the server worded it; empty where nothing was sent.
        said: String,
    },
    /// The server, or a proxy before it, cannot answer now.
    #[error("unavailable (status {status}): {message}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// Whether the server ran into a deadline of its own: it may have acted.
        deadline: bool,
        /// What was said.
        message: String,
    },
    /// No answer.
    #[error("no answer from Omni")]
    Transport(#[source] api_transport::Error),
    /// An answer that the API does not promise: another status, or a body that is not understood.
    #[error("unexpected answer (status {status}): {message}")]
    Unexpected {
        /// HTTP status; 200 where only the body was not understood.
        status: u16,
        /// What was said, or what is wrong with it.
        message: String,
    },
    /// The key cannot be used.
    #[error("unusable key")]
    Key(#[source] KeyError),
}

impl Error {
    /// The HTTP status it came with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotFound { .. } => Some(404),
            Self::AlreadyExists { .. } | Self::Conflict { .. } => Some(409),
            Self::Unauthenticated { .. } => Some(401),
            Self::Denied { .. } => Some(403),
            Self::Invalid { .. } => Some(400),
            Self::Unavailable { status, .. } | Self::Unexpected { status, .. } => Some(*status),
            Self::Transport(error) => error.status(),
            Self::Key(_) => None,
        }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated { clock_ahead, .. } if is_skewed(*clock_ahead) => {
                Some("set the clock that is wrong, by NTP for instance")
            }
            Self::Unauthenticated { .. } => Some(NEW_KEY),
            Self::Denied { .. } => Some("the service account needs the role Operator"),
            Self::Transport(error) => error.hint(),
            Self::Key(error) => error.hint(),
            _ => None,
        }
    }

    /// The refusal as gRPC clients such as `omnictl` print it: `rpc error: code = … desc = …`.
    pub fn as_rpc(&self) -> Option<String> {
        match self {
            Self::NotFound { message } => rpc_text(5, message),
            Self::AlreadyExists { message } | Self::Conflict { message } => rpc_text(6, message),
            Self::Denied { said, .. } => rpc_text(7, said),
            Self::Invalid { said, .. } if !said.is_empty() => rpc_text(3, said),
            Self::Unauthenticated { .. } => rpc_text(16, "invalid signature"),
            Self::Unavailable { message, .. } => rpc_text(14, message),
            Self::Unexpected { status, message } if *status >= 500 => rpc_text(2, message),
            Self::Transport(error) => rpc_text(14, &error.to_string()),
            _ => None,
        }
    }

    /// Whether the same call may succeed later. After a lost answer a write may have happened all the same.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Transport(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether there is no such resource.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether a resource of that id exists already.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }

    /// Whether the resource was changed since it was read.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    pub(crate) fn not_understood(what: &str, error: &dyn std::fmt::Display) -> Self {
        let error = without_content(&error.to_string());
        Self::Unexpected {
            status: 200,
            message: redact(
                &format!("{what} is not understood: {error}"),
                LONGEST_MESSAGE,
            ),
        }
    }

    pub(crate) fn invalid(finding: impl Into<String>) -> Self {
        Self::Invalid {
            lines: vec![finding.into()],
            said: String::new(),
        }
    }

    /// What a refusal means.
    pub(crate) fn from_response(
        response: &Response,
        signer: &dyn Signer,
        wall: SystemTime,
    ) -> Self {
        match Status::parse(&response.body) {
            Some(status) => Self::from_status(&status, response, signer, wall),
            None => Self::from_proxy(response),
        }
    }

    fn from_status(
        status: &Status,
        response: &Response,
        signer: &dyn Signer,
        wall: SystemTime,
    ) -> Self {
        let message = redact(&status.message, LONGEST_MESSAGE);
        match status.code {
            // The gateway's own answer to an unknown call, as an older server gives it.
            5 if status.message == "Not Found" => Self::Unexpected {
                status: response.status,
                message,
            },
            16 => unauthenticated(clock_ahead(response, wall), signer, wall),
            _ => Self::from_code(status, response.status),
        }
    }

    /// What a gRPC status means where nothing else is known, as in the last line of a watch.
    pub(crate) fn from_code(status: &Status, http: u16) -> Self {
        let message = redact(&status.message, LONGEST_MESSAGE);
        let said = redact_lines(&status.message, LONGEST_MESSAGE);
        match status.code {
            3 | 9 => Self::Invalid {
                lines: findings(&status.message),
                said,
            },
            4 => Self::Unavailable {
                status: http,
                deadline: true,
                message,
            },
            5 => Self::NotFound { message },
            6 if status.message.contains("already exists") => Self::AlreadyExists { message },
            6 => Self::Conflict { message },
            7 => Self::Denied {
                message: findings(&status.message).join("; "),
                said,
            },
            8 | 14 => Self::Unavailable {
                status: http,
                deadline: false,
                message,
            },
            16 => Self::Unauthenticated {
                clock_ahead: None,
                explanation: message,
            },
            _ => Self::Unexpected {
                status: http,
                message,
            },
        }
    }

    /// An answer that is not Omni's: a proxy's, or of something else behind that address.
    fn from_proxy(response: &Response) -> Self {
        let text = String::from_utf8_lossy(&response.body);
        let shown = if text.trim_start().starts_with('<') {
            "a web page"
        } else {
            text.trim()
        };
        let message = redact(
            &format!("{}: not an answer of Omni's API: {shown}", response.reason),
            300,
        );
        match response.status {
            status @ (429 | 502 | 503) => Self::Unavailable {
                status,
                deadline: false,
                message,
            },
            status @ (408 | 504) => Self::Unavailable {
                status,
                deadline: true,
                message,
            },
            status => Self::Unexpected { status, message },
        }
    }
}

/// A gRPC status as Go prints it. The gateway names its own step before what the store says; gRPC clients do not see
/// that step.
pub fn rpc_text(code: u32, message: &str) -> Option<String> {
    let name = match code {
        2 => "Unknown",
        3 => "InvalidArgument",
        4 => "DeadlineExceeded",
        5 => "NotFound",
        6 => "AlreadyExists",
        7 => "PermissionDenied",
        9 => "FailedPrecondition",
        12 => "Unimplemented",
        13 => "Internal",
        14 => "Unavailable",
        16 => "Unauthenticated",
        _ => return None,
    };
    let step = [
        "failed to get: ",
        "failed to create: ",
        "failed to update: ",
    ]
    .into_iter()
    .find_map(|step| message.strip_prefix(step));
    Some(format!(
        "rpc error: code = {name} desc = {}",
        step.unwrap_or(message)
    ))
}

impl From<api_transport::Error> for Error {
    fn from(error: api_transport::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Key(error) => Self::Key(error),
            SignError::Header(what) => Self::invalid(format!("{what} cannot be sent in a header")),
        }
    }
}

/// What a parser says, without the text that it quotes: that may be a token.
pub(crate) fn without_content(said: &str) -> String {
    match (
        said.split_once("string \""),
        said.rsplit_once("\", expected"),
    ) {
        (Some((before, _)), Some((_, after))) => format!("{before}a text, expected{after}"),
        _ => said.to_owned(),
    }
}

fn clock_ahead(response: &Response, wall: SystemTime) -> Option<i64> {
    let server = httpdate::parse_http_date(response.headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Some(match wall.duration_since(server) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    })
}

const NEW_KEY: &str = "take the key of this Omni, or make a new one: `omnictl serviceaccount create NAME --role Operator \
                       --use-user-role=false`";

fn is_skewed(clock_ahead: Option<i64>) -> bool {
    clock_ahead.is_some_and(|ahead| ahead.unsigned_abs() >= SKEW_ALLOWED.unsigned_abs())
}

/// A time as people say it.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn unauthenticated(clock_ahead: Option<i64>, signer: &dyn Signer, wall: SystemTime) -> Error {
    let mut explanation = String::new();
    let skewed = clock_ahead.filter(|_| is_skewed(clock_ahead));
    // Writing into a string cannot fail.
    let _ = match (skewed, signer.expires().filter(|&end| end <= wall)) {
        (Some(ahead), _) => write!(
            explanation,
            "this machine's clock is {} {} the server's, and {} is all it allows",
            span(ahead.unsigned_abs()),
            if ahead > 0 { "ahead of" } else { "behind" },
            span(SKEW_ALLOWED.unsigned_abs()),
        ),
        (None, Some(_)) => write!(
            explanation,
            "the key {} of {} has expired",
            signer.key_id(),
            signer.identity()
        ),
        (None, None) => write!(
            explanation,
            "the key {} of {} is unknown to this server: destroyed, expired, or made by another Omni{}",
            signer.key_id(),
            signer.identity(),
            match clock_ahead {
                Some(-30..=30) => " (the clocks agree)".to_owned(),
                Some(apart) => format!(" (the clocks differ by {})", span(apart.unsigned_abs())),
                None =>
                    "; if it is right, compare this machine's clock with the server's".to_owned(),
            }
        ),
    };
    Error::Unauthenticated {
        clock_ahead,
        explanation,
    }
}

/// Splits Go's "N errors occurred:" list; nested wrappers are taken off each line.
fn findings(message: &str) -> Vec<String> {
    let body = message.trim();
    let body = body.strip_prefix("failed to validate: ").unwrap_or(body);
    let list = match body.split_once(" occurred:\n") {
        Some((count, list)) if count.ends_with("error") || count.ends_with("errors") => list,
        _ => return vec![redact(strip_rpc(body), LONGEST_MESSAGE)],
    };
    let mut lines: Vec<String> = Vec::new();
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let bare = line.trim();
        // A provider's schema findings come as a list of their own.
        let finding = bare.strip_prefix("* ").or_else(|| bare.strip_prefix("- "));
        let finding = finding.map(|finding| finding.strip_prefix("- ").unwrap_or(finding));
        match (finding, lines.last_mut()) {
            // A list in a list: the inner ones are findings too.
            (Some(finding), _) if finding.ends_with("occurred:") => {}
            (None, Some(previous)) => {
                previous.push(' ');
                previous.push_str(&redact(bare, LONGEST_MESSAGE));
            }
            (finding, _) => lines.push(redact(strip_rpc(finding.unwrap_or(bare)), LONGEST_MESSAGE)),
        }
    }
    if lines.is_empty() {
        vec![redact(body, LONGEST_MESSAGE)]
    } else {
        lines
    }
}

fn strip_rpc(text: &str) -> &str {
    text.strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
        .map_or(text, |(_, desc)| desc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_texts_become_findings() {
        for (message, expected) in [
            (
                "failed to validate: 1 error occurred:\n\t* a\n\n",
                vec!["a"],
            ),
            (
                "failed to validate: 2 errors occurred:\n\t* a\n\t* b: c\n  d\n\n",
                vec!["a", "b: c d"],
            ),
            (
                "1 error occurred:\n\t* 2 errors occurred:\n\t* a\n\t* b\n\n\n\n",
                vec!["a", "b"],
            ),
            (
                "1 error occurred:\n\t* rpc error: code = PermissionDenied desc = no access\n",
                vec!["no access"],
            ),
            (
                "1 error occurred:\n\t* - x: a\n- y: b\n\n",
                vec!["x: a", "y: b"],
            ),
            ("resource is nil", vec!["resource is nil"]),
            ("", vec![""]),
            ("1 error occurred:\n", vec!["1 error occurred:"]),
        ] {
            assert_eq!(findings(message), expected, "{message:?}");
        }
    }
}
