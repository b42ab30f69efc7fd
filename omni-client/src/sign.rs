//! How a call is signed: the headers, and the text the signature is over.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::Client;
use crate::service_account::KeyError;

/// Makes signatures that Omni accepts. Bring your own to keep keys elsewhere.
pub trait Signer: Send + Sync + fmt::Debug {
    /// A signature over `payload`, made at `at`: of an OpenPGP key a detached signature (binary packet), of a P-256 key
    /// the 64 bytes of `r` and `s` over its SHA-256.
    fn sign(&self, payload: &[u8], at: SystemTime) -> Result<Vec<u8>, KeyError>;
    /// What goes into the signature's identity slot; must not hold blanks.
    fn identity(&self) -> &str;
    /// How the server knows the key: an OpenPGP key's fingerprint in lower-case hex, the base64url SHA-256 of a P-256
    /// key's uncompressed point.
    fn key_id(&self) -> &str;
    /// When the key ends, where that is known.
    fn expires(&self) -> Option<SystemTime> {
        None
    }
}

impl Client {
    /// The same server over the same connections, called with another key. To try a new key before it is relied on.
    #[must_use]
    pub fn with_signer(&self, signer: Arc<dyn Signer>) -> Self {
        Self {
            signer,
            ..self.clone()
        }
    }

    /// The wall clock that signatures are made by, for making keys that fit them.
    pub fn now(&self) -> SystemTime {
        self.transport.clock().wall()
    }
}

/// What a call carries beside its body. All of it is signed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallHeaders<'a> {
    pub(crate) runtime: Option<&'a str>,
    pub(crate) selectors: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
}

const SIGNATURE_VERSION: &str = "siderov1";

/// All `Grpc-Metadata-` headers of a call of `method` (`/package.Service/Method`) at `at`.
pub(crate) fn signed_headers(
    signer: &dyn Signer,
    method: &str,
    headers: CallHeaders<'_>,
    at: SystemTime,
) -> Result<HeaderMap, SignError> {
    let timestamp = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        .to_string();
    let mut covered = Map::new();
    covered.insert("x-sidero-timestamp".to_owned(), json!([timestamp]));
    let mut map = HeaderMap::new();
    map.insert(metadata("x-sidero-timestamp")?, value(&timestamp)?);
    // A name that is absent from the call must be absent here: an empty list does not match.
    for (name, text) in [
        ("runtime", headers.runtime),
        ("selectors", headers.selectors),
        ("context", headers.context),
    ] {
        if let Some(text) = text {
            map.insert(metadata(name)?, value(text)?);
            covered.insert(name.to_owned(), json!([text]));
        }
    }
    let payload = Value::Object(Map::from_iter([
        ("headers".to_owned(), Value::Object(covered)),
        ("method".to_owned(), method.into()),
    ]))
    .to_string();
    let signature = STANDARD.encode(
        signer
            .sign(payload.as_bytes(), at)
            .map_err(SignError::Key)?,
    );
    let signature = format!(
        "{SIGNATURE_VERSION} {} {} {signature}",
        signer.identity(),
        signer.key_id()
    );
    map.insert(metadata("x-sidero-payload")?, value(&payload)?);
    // For five minutes this is as good as the key, for any body of this method.
    let mut signature = value(&signature)?;
    signature.set_sensitive(true);
    map.insert(metadata("x-sidero-signature")?, signature);
    Ok(map)
}

pub(crate) enum SignError {
    Key(KeyError),
    Header(String),
}

fn metadata(name: &str) -> Result<HeaderName, SignError> {
    format!("grpc-metadata-{name}")
        .parse()
        .map_err(|_| SignError::Header(name.to_owned()))
}

fn value(text: &str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| text.is_ascii())
        .ok_or_else(|| SignError::Header("a selector, cluster or account name".to_owned()))
}
