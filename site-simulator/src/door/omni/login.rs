//! `auth.AuthService`: a user's key is registered without a signature and confirmed in a browser.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use crate::World;
use crate::world::omni::accounts::{LONGEST_USER_KEY, PublicKey, Verifier};
use crate::world::omni::api::ApiError;
use crate::world::omni::schema::{Field, Fields};

use Field::{Any, Bool, Message, Text};

/// How long a caller may wait for a confirmation.
const CONFIRMATION: Duration = Duration::from_mins(5);
/// What stands before the point of a P-256 key in its DER form (SubjectPublicKeyInfo).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const PLAIN_KEY: Field = Message(&[("key_pem", Text), ("not_before", Text), ("not_after", Text)]);
const PUBLIC_KEY: Field = Message(&[
    ("pgp_data", Text),
    ("webauthn_data", Any),
    ("plain_key", PLAIN_KEY),
]);

/// Fields of a method's request message; `None`: no such method here.
pub(super) fn fields(method: &str) -> Option<Fields> {
    Some(match method {
        "RegisterPublicKey" => &[
            ("public_key", PUBLIC_KEY),
            ("identity", Message(&[("email", Text)])),
            ("role", Text),
            ("skip_user_role", Bool),
        ],
        "AwaitPublicKeyConfirmation" => &[("public_key_id", Text)],
        _ => return None,
    })
}

/// A call; nobody has signed it.
pub(super) async fn call(
    world: &Arc<World>,
    method: &str,
    message: &Value,
) -> Result<Value, ApiError> {
    if method == "RegisterPublicKey" {
        register(world, message)
    } else {
        confirmed(world, text(message, "/public_key_id")).await
    }
}

fn text<'a>(message: &'a Value, pointer: &str) -> &'a str {
    message
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// An address that is not known gets the same answer.
fn register(world: &Arc<World>, message: &Value) -> Result<Value, ApiError> {
    let email = text(message, "/identity/email").to_lowercase();
    let plain = message.pointer("/public_key/plain_key");
    world.act(|state, now| {
        let wall = state.wall_zero + now;
        let key = if let Some(plain) = plain {
            plain_key(plain, wall)?
        } else {
            let data = STANDARD.decode(text(message, "/public_key/pgp_data"));
            let armored = data.ok().and_then(|data| String::from_utf8(data).ok());
            PublicKey::pgp(&armored.unwrap_or_default(), LONGEST_USER_KEY, wall)?
        };
        let id = key.id.clone();
        let host = &state.blueprint.omni_name;
        let url = format!("https://{host}/authenticate?flow=cli&public-key-id={id}");
        let unconfirmed = &mut state.omni.accounts.unconfirmed;
        unconfirmed.insert(id.clone(), (email, key));
        Ok(json!({"login_url": url, "public_key_id": id}))
    })
}

fn plain_key(plain: &Value, wall: SystemTime) -> Result<PublicKey, ApiError> {
    let invalid = |message: &str| ApiError::new(3, message);
    let pem = text(plain, "/key_pem");
    let point = point(pem)
        .ok_or_else(|| ApiError::new(2, "failed to decode PEM block containing public key"))?;
    let time = |field: &str| -> Result<SystemTime, ApiError> {
        let stamp: Result<jiff::Timestamp, _> = text(plain, field).parse();
        stamp
            .ok()
            .and_then(|stamp| SystemTime::try_from(stamp).ok())
            .ok_or_else(|| invalid("invalid google.protobuf.Timestamp value"))
    };
    let (begin, end) = (time("/not_before")?, time("/not_after")?);
    let span = end.duration_since(begin).unwrap_or_default();
    if span.is_zero() {
        return Err(invalid("public key 'not_before' is after 'not_after'"));
    }
    if begin > wall + CONFIRMATION {
        return Err(invalid("public key 'not_before' > now"));
    }
    if end + CONFIRMATION <= wall {
        return Err(invalid("public key is expired"));
    }
    if span > LONGEST_USER_KEY {
        return Err(invalid(
            "public key expiration time exceeds max allowed lifetime",
        ));
    }
    let id = URL_SAFE.encode(ring::digest::digest(&ring::digest::SHA256, &point));
    let verifier = Verifier::P256(point);
    Ok(PublicKey::new(id, pem.to_owned(), [wall, end], verifier))
}

/// The point of a P-256 key, uncompressed.
fn point(pem: &str) -> Option<Vec<u8>> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .strip_suffix("-----END PUBLIC KEY-----")?;
    let body: String = body.split_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    let point = der.strip_prefix(&P256_PREFIX)?;
    (point.len() == 65).then(|| point.to_vec())
}

async fn confirmed(world: &Arc<World>, id: &str) -> Result<Value, ApiError> {
    let mut changed = world.changed();
    let waiting = async {
        while !world.with_accounts(|accounts| accounts.is_confirmed(id)) {
            if changed.changed().await.is_err() {
                break;
            }
        }
    };
    match tokio::time::timeout(CONFIRMATION, waiting).await {
        Ok(()) => Ok(json!({})),
        Err(_) => Err(ApiError::new(4, "context deadline exceeded")),
    }
}
