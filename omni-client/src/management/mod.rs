//! Calls of `management.ManagementService`, by family.
//!
//! Each is a `POST /api/management.ManagementService/<Method>` whose body is the
//! JSON of the request message: snake_case names, zeros left out, durations as
//! `"3600s"`, times in RFC 3339, bytes in base64. A cluster is named by the
//! metadata `context`, which is signed. Answers have the same form.
//!
//! Shapes are those of Omni's `client/api/omni/management/management.proto`;
//! what was seen with a real server (v1.10.0-beta.0) is replayed in
//! `tests/management.rs`, numbers in brackets are those of the records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::client::MANAGEMENT;
use crate::sign::CallHeaders;
use crate::wire::message;
use crate::{Client, Error, kinds, specs};

mod access;
mod join;
mod kubeconfig;
mod kubernetes;
mod logs;
mod schematics;
mod talosconfig;
mod validation;

pub use access::{AccountKey, AccountRole, PROVIDER_PREFIX, ServiceAccount, User, full_identity};
pub use join::{JoinConfig, JoinOptions};
pub use kubeconfig::{GrantType, KubeconfigOptions, OidcOptions};
pub use kubernetes::SyncedManifest;
pub use logs::AuditEvents;
pub use schematics::{
    BootAsset, BootAssetKind, BootAssetUrl, Schematic, SchematicOptions, TunnelMode,
};
pub use validation::SchemaFinding;

/// Whether a call may be sent again after its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It reads, or doing it twice is doing it once.
    Harmless,
    /// It makes something new each time.
    Never,
}

impl Client {
    /// Whose key this is, and with what role: the cheapest test that a key works. Any valid signature may ask;
    /// [`Error::Unauthenticated`] where this one is none.
    pub async fn current_user(&self) -> Result<specs::CurrentUser, Error> {
        self.get(&kinds::CURRENT_USER, "current").await?.spec_as()
    }

    /// The server's version: resource `SysVersions.system.sidero.dev`, id `current`. Any valid signature may ask.
    /// [`specs::SysVersion::untested`] says whether this client was tried with one like it.
    pub async fn server_version(&self) -> Result<specs::SysVersion, Error> {
        self.get(&kinds::SYS_VERSION, "current").await?.spec_as()
    }

    /// Sends a call and reads its answer.
    async fn manage<T: DeserializeOwned>(
        &self,
        method: &str,
        cluster: Option<&str>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let answer = self.managed(method, cluster, body, repeat).await?;
        understood(method, &answer)
    }

    /// The same, with the answer as it came.
    async fn managed(
        &self,
        method: &str,
        cluster: Option<&str>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Bytes, Error> {
        let headers = CallHeaders {
            context: cluster,
            ..CallHeaders::default()
        };
        let request = self.request(MANAGEMENT, method, body, headers)?;
        self.answer(match repeat {
            Repeat::Harmless => request.idempotent(),
            Repeat::Never => request,
        })
        .await
    }
}

/// Reads an answer. The parser's own words may quote what it read, and that may be a token.
pub(crate) fn understood<T: DeserializeOwned>(method: &str, answer: &[u8]) -> Result<T, Error> {
    message(answer).map_err(|error| {
        let place = format!(
            "it is not of the expected form at line {}, column {}",
            error.line(),
            error.column()
        );
        Error::not_understood(method, &place)
    })
}

/// A file that travels as base64 in one field.
fn file(method: &str, encoded: Option<String>) -> Result<SecretString, Error> {
    let encoded = Zeroizing::new(encoded.unwrap_or_default());
    STANDARD
        .decode(encoded.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.is_empty())
        .map(SecretString::from)
        .ok_or_else(|| Error::not_understood(method, &"it holds no text in base64"))
}

fn named(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        Err(Error::invalid(format!("the {what} is empty")))
    } else {
        Ok(())
    }
}

/// `skip_serializing_if` for flags: the gateway's messages leave zeros out.
// `skip_serializing_if` hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !*flag
}
