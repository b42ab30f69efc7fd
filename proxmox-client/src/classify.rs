//! From a refusing answer to an [`Error`]. Proxmox tells most refusals apart by text alone.

use std::collections::BTreeMap;

use api_transport::{Response, redact};
use serde::Deserialize;

use crate::error::{Cause, Clash, Credential, Error, Missing, Need};
use crate::wire;

/// Longest text of the server that is kept, in characters.
const MAX_TEXT: usize = 400;

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default, deserialize_with = "wire::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "wire::text_map")]
    errors: BTreeMap<String, String>,
}

/// What a refusing `response` to `call` means. `who` is what the call was made with, and its id.
pub(crate) fn classify(call: &str, who: (Credential, &str), response: &Response) -> Error {
    let refusal: Refusal = serde_json::from_slice(&response.body).unwrap_or_default();
    // Before pve-http-server 5.2 the reason phrase is the only text.
    let said = refusal.message.filter(|text| !text.trim().is_empty());
    let raw = said.unwrap_or_else(|| response.reason.clone());
    let message = redact(raw.trim(), MAX_TEXT);
    let status = response.status;
    match status {
        401 => Error::Unauthorized {
            credential: who.0,
            id: who.1.to_owned(),
            message,
        },
        403 => Error::Denied {
            status,
            need: need(&raw),
            message,
        },
        404 => Error::NotFound {
            status,
            what: Missing::Other,
            message,
        },
        400 => invalid(message, &refusal.errors),
        500 => by_text(status, call, raw.trim(), message),
        status => {
            let cause = match status {
                595 => Cause::NodeUnreachable,
                596..=599 => Cause::NodeFailed,
                501 | 506 => Cause::NotImplemented,
                _ => Cause::Unknown,
            };
            Error::Server {
                status,
                cause,
                call: call.to_owned(),
                message,
            }
        }
    }
}

fn invalid(message: String, errors: &BTreeMap<String, String>) -> Error {
    let status = 400;
    let says = |field: &str, text: &str| errors.get(field).is_some_and(|said| said.contains(text));
    if says("upid", "no such task") {
        return Error::NotFound {
            status,
            what: Missing::Task,
            message: "no such task".to_owned(),
        };
    }
    // `VM 100 already exists`, the one thing that is checked before the lock is had.
    if errors.values().any(|said| said.contains(" already exists")) {
        return Error::Conflict {
            status,
            what: Clash::Exists,
            message: errors
                .values()
                .map(|text| redact(text.trim(), MAX_TEXT))
                .collect(),
        };
    }
    if errors
        .values()
        .any(|said| said.contains("Only root may use this option"))
    {
        return Error::Denied {
            status,
            need: Need::Root,
            message,
        };
    }
    let tidy = |text: &String| {
        redact(
            &text.split_whitespace().collect::<Vec<_>>().join(" "),
            MAX_TEXT,
        )
    };
    let fields = errors
        .iter()
        .map(|(field, text)| (redact(field, 80), tidy(text)))
        .collect();
    Error::Invalid {
        status: Some(status),
        message,
        fields,
    }
}

/// `Permission check failed (/vms/100, VM.Audit|VM.Console)`.
fn need(text: &str) -> Need {
    let inside = text
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'))
        .map(|(inside, _)| inside);
    match inside.and_then(|inside| inside.split_once(", ")) {
        Some((path, privileges)) if path.starts_with('/') => Need::Privileges {
            path: redact(path, 120),
            any_of: privileges
                .split('|')
                .map(|name| redact(name.trim(), 60))
                .collect(),
        },
        _ => Need::Unsaid,
    }
}

fn by_text(status: u16, call: &str, text: &str, message: String) -> Error {
    let has = |part: &str| text.contains(part);
    let not_found = |what| Error::NotFound {
        status,
        what,
        message: message.clone(),
    };
    let conflict = |what| Error::Conflict {
        status,
        what,
        message: message.clone(),
    };
    let server = |cause| Error::Server {
        status,
        cause,
        call: call.to_owned(),
        message: message.clone(),
    };
    // First, because it comes wrapped in texts of locks and files.
    if has("no quorum") {
        server(Cause::NoQuorum)
    } else if has("only root can ") {
        Error::Denied {
            status,
            need: Need::Root,
            message,
        }
    } else if has("checksum mismatch") || has("detected modified configuration") {
        conflict(Clash::Digest)
    } else if let Some(lock) = lock_name(text) {
        Error::Locked {
            status,
            lock: Some(redact(lock, 40)),
            message,
        }
    } else if has("can't lock file") || (has("cfs-lock ") && has("time")) {
        Error::Locked {
            status,
            lock: None,
            message,
        }
    } else if has("Configuration file '") && has("/qemu-server/") && has("does not exist") {
        not_found(Missing::Vm)
    } else if (has("pci ID '") && has("does not exist")) || (has("mapping '") && has("' not found"))
    {
        not_found(Missing::Mapping)
    } else if has(" already exists") || has(" already defined") {
        conflict(Clash::Exists)
    } else if has("hostname lookup '") || has("address lookup for") {
        server(Cause::UnknownNode)
    } else if has("guest agent is not running") {
        server(Cause::AgentNotRunning)
    } else if guest_is_down(text) {
        server(Cause::GuestNotRunning)
    } else if is_about_content(text) {
        Error::Invalid {
            status: Some(status),
            message,
            fields: BTreeMap::new(),
        }
    } else {
        server(Cause::Unknown)
    }
}

/// `VM is locked (backup)`.
fn lock_name(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("is locked (")?;
    rest.split_once(')').map(|(lock, _)| lock)
}

/// Refusals of what was sent that come without naming a parameter.
fn is_about_content(text: &str) -> bool {
    [
        "missing value for required option",
        "either 'host' or 'mapping' must be set",
        "no options specified",
        "malformed JSON string",
    ]
    .iter()
    .any(|part| text.contains(part))
}

/// `VM 100 is not running`, `VM 100 not running`, `VM 100 qmp command …`.
fn guest_is_down(text: &str) -> bool {
    let of_vm = |rest: &str| {
        let rest = rest
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        rest.starts_with("is not running")
            || rest.starts_with("not running")
            || rest.starts_with("qmp command")
    };
    text.split("VM ").skip(1).any(of_vm)
}

#[cfg(test)]
mod tests {
    use api_transport::{Bytes, HeaderMap};
    use proptest::prelude::*;

    use super::*;

    fn response(status: u16, reason: &str, body: &[u8]) -> Response {
        Response {
            status,
            reason: reason.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
        }
    }

    const WHO: (Credential, &str) = (Credential::Token, "a@pve!b");

    /// One word for each outcome, so that a table reads like one.
    fn kind(error: &Error) -> String {
        match error {
            Error::Denied { need, .. } => format!("denied: {need}"),
            Error::NotFound { what, .. } => format!("not found: {what}"),
            Error::Conflict { what, .. } => format!("conflict: {what}"),
            Error::Locked { lock, .. } => format!("locked: {lock:?}"),
            Error::Server { cause, .. } => format!("server: {cause}"),
            Error::Invalid { .. } => "invalid".to_owned(),
            other => other.to_string(),
        }
    }

    #[test]
    fn texts_that_are_not_among_the_recordings() {
        for (text, want) in [
            (
                "cluster not ready - no quorum?",
                "server: cluster without quorum",
            ),
            (
                "cfs-lock 'file-mapping_pci_cfg' error: no quorum!",
                "server: cluster without quorum",
            ),
            (
                "cfs-lock 'file-mapping_pci_cfg' error: got lock request timeout",
                "locked: None",
            ),
            (
                "VM is locked (snapshot-delete)",
                "locked: Some(\"snapshot-delete\")",
            ),
            ("VM is locked (", "server: server error"),
            (
                "VM 100 qmp command 'query' failed - got timeout",
                "server: guest not running",
            ),
            ("address lookup for 'pve9' failed", "server: node not known"),
            (
                "QEMU guest agent is not running",
                "server: guest agent not running",
            ),
            ("no options specified", "invalid"),
            (
                "Configuration file 'nodes/pve1/lxc/100.conf' does not exist",
                "server: server error",
            ),
            ("something new", "server: server error"),
            ("", "server: server error"),
        ] {
            let from_reason = classify("GET /x", WHO, &response(500, text, b""));
            assert_eq!(kind(&from_reason), want, "{text}");
            let body = serde_json::json!({ "data": null, "message": format!("{text}\n") });
            let from_body = classify(
                "GET /x",
                WHO,
                &response(500, "x", body.to_string().as_bytes()),
            );
            if !text.is_empty() {
                assert_eq!(kind(&from_body), want, "{text}");
            }
        }
    }

    #[test]
    fn privileges_are_parsed() {
        let two = Need::Privileges {
            path: "/".to_owned(),
            any_of: vec!["Sys.Audit".to_owned(), "Sys.Modify".to_owned()],
        };
        assert_eq!(
            need("Permission check failed (/, Sys.Audit|Sys.Modify)\n"),
            two
        );
        assert_eq!(need("Permission check failed"), Need::Unsaid);
        assert_eq!(need("Permission check failed (changing it)"), Need::Unsaid);
    }

    #[test]
    fn skiplock_is_for_root() {
        let body = br#"{"errors":{"skiplock":"Only root may use this option."},"message":"Parameter verification failed.\n"}"#;
        let error = classify(
            "PUT /x",
            WHO,
            &response(400, "Parameter verification failed.", body),
        );
        assert!(
            matches!(
                error,
                Error::Denied {
                    need: Need::Root,
                    ..
                }
            ),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 300u16..=999, reason in "\\PC{0,60}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let error = classify("GET /x", WHO, &response(status, &reason, &body));
            prop_assert_eq!(error.status(), Some(status));
            let _ = (error.to_string(), error.hint(), error.is_retryable());
        }
    }
}
