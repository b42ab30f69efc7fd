//! Login of a person: a key that lives for hours and is confirmed in a browser.
//!
//! The key is made here and its public part registered without a signature. The server answers with a URL; whoever
//! opens it and logs in confirms the key. Keys are ECDSA on P-256, as Omni's web interface makes them since 1.4; the
//! OpenPGP keys that `omnictl` makes for people can be registered as well.
//!
//! Calls are `POST /api/auth.AuthService/RegisterPublicKey` with `{"public_key": {"plain_key": {"key_pem",
//! "not_before", "not_after"}} or {"pgp_data": "<base64>"}, "identity": {"email"}}`, answer `{"login_url",
//! "public_key_id"}`, and `AwaitPublicKeyConfirmation` with `{"public_key_id"}`, which answers `{}` once it is
//! confirmed and refuses after five minutes. Sources: `auth.proto`, `pkg/plain` and `pkg/pgp` of
//! github.com/siderolabs/go-api-signature; a refused registration is recorded [153].

use std::fmt;
use std::time::{Duration, SystemTime};

use api_transport::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::management::understood;
use crate::{Client, Error, KeyError, Signer};

const AUTH: &str = "auth.AuthService";
/// As long as the server waits for a confirmation at a time, and a little for the way.
const ONE_WAIT: Duration = Duration::from_secs(5 * 60 + 10);
/// What stands before the point of a P-256 key in its DER form (SubjectPublicKeyInfo, RFC 5480).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const PRIVATE: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];
const PUBLIC: [&str; 2] = ["-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"];
const NOT_AFTER: &str = "not-after: ";

/// A person's key: P-256, for some hours.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// use omni_client::{ClientBuilder, UserKey};
///
/// let key = Arc::new(UserKey::generate("ada@home.example", SystemTime::now())?);
/// let client = ClientBuilder::new("https://omni.home.example").signer(key.clone()).build()?;
/// let login = client.register_user_key(&key).await?;
/// println!("open {}", login.url);
/// client.await_confirmation(&login, Duration::from_secs(300)).await?;
/// println!("logged in as {}", client.current_user().await?.identity);
/// # Ok(())
/// # }
/// ```
pub struct UserKey {
    identity: String,
    pair: EcdsaKeyPair,
    private: Zeroizing<Vec<u8>>,
    id: String,
    begin: SystemTime,
    end: SystemTime,
}

impl UserKey {
    /// How long a key lives, as those of the web interface: 7 h 50 min. The server takes 8 h at most.
    pub const LIFE: Duration = Duration::from_mins(7 * 60 + 50);

    /// Makes a key for the e-mail address `identity`. Random numbers come from the operating system.
    pub fn generate(identity: &str, now: SystemTime) -> Result<Self, KeyError> {
        let failed = || KeyError::Signing("no P-256 key could be made".to_owned());
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| failed())?;
        let private = Zeroizing::new(document.as_ref().to_vec());
        Self::new(identity, private, [now, now + Self::LIFE])
    }

    fn new(
        identity: &str,
        private: Zeroizing<Vec<u8>>,
        [begin, end]: [SystemTime; 2],
    ) -> Result<Self, KeyError> {
        // The identity is one of four words in the signature header.
        if identity.is_empty() || identity.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(KeyError::Name(identity.to_owned()));
        }
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &private,
            &SystemRandom::new(),
        )
        .map_err(|error| KeyError::Damaged(error.to_string()))?;
        let point = pair.public_key().as_ref();
        let id = URL_SAFE.encode(ring::digest::digest(&ring::digest::SHA256, point));
        Ok(Self {
            identity: identity.to_owned(),
            pair,
            private,
            id,
            begin,
            end,
        })
    }

    /// The private key and its end, as text for a file: a line `not-after: TIME` and a PKCS #8 block.
    pub fn to_file(&self) -> SecretString {
        let end = stamp(self.end).unwrap_or_default();
        let block = Zeroizing::new(pem(PRIVATE, &self.private));
        SecretString::from(format!("{NOT_AFTER}{end}\n{}", *block))
    }

    /// Reads what [`UserKey::to_file`] gave; [`KeyError::Expired`] where the key has ended at `now`.
    pub fn from_file(
        identity: &str,
        text: &SecretString,
        now: SystemTime,
    ) -> Result<Self, KeyError> {
        let text = text.expose_secret();
        let damaged = |what: &str| KeyError::Damaged(what.to_owned());
        let end = text
            .lines()
            .find_map(|line| line.strip_prefix(NOT_AFTER))
            .and_then(|end| end.trim().parse::<jiff::Timestamp>().ok())
            .and_then(|end| SystemTime::try_from(end).ok())
            .ok_or_else(|| damaged("it does not say when it ends"))?;
        if end <= now {
            return Err(KeyError::Expired(end));
        }
        let (_, rest) = text
            .split_once(PRIVATE[0])
            .ok_or_else(|| damaged("it holds no private key"))?;
        let (body, _) = rest
            .split_once(PRIVATE[1])
            .ok_or_else(|| damaged("it was cut off"))?;
        let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
        let private = STANDARD
            .decode(body.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| damaged("it is not base64"))?;
        Self::new(identity, private, [now.min(end), end])
    }

    /// The public key: SubjectPublicKeyInfo in PEM.
    pub fn public_pem(&self) -> String {
        let der = [&P256_PREFIX[..], self.pair.public_key().as_ref()].concat();
        pem(PUBLIC, &der)
    }

    /// What the server is told of it.
    fn registration(&self) -> Result<UserPublicKey, Error> {
        let unwritable = || Error::invalid("the key's time cannot be written");
        Ok(UserPublicKey::P256 {
            pem: self.public_pem(),
            not_before: stamp(self.begin).ok_or_else(unwritable)?,
            not_after: stamp(self.end).ok_or_else(unwritable)?,
        })
    }
}

impl Signer for UserKey {
    fn sign(&self, payload: &[u8], _at: SystemTime) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), payload);
        signature
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError::Signing("no random numbers".to_owned()))
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn key_id(&self) -> &str {
        &self.id
    }

    fn expires(&self) -> Option<SystemTime> {
        Some(self.end)
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserKey")
            .field("identity", &self.identity)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A person's public key, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserPublicKey {
    /// OpenPGP, ASCII-armored; lives 8 h at most, and says so itself.
    OpenPgp(String),
    /// P-256.
    P256 {
        /// SubjectPublicKeyInfo in PEM.
        pem: String,
        /// From when on it is valid, RFC 3339.
        not_before: String,
        /// When it ends, RFC 3339: 8 h later at most.
        not_after: String,
    },
}

/// A key that waits for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Where its owner logs in and confirms it.
    pub url: String,
    /// The key's id.
    pub key_id: String,
}

#[derive(Serialize)]
struct Registration<'a> {
    public_key: Registered<'a>,
    identity: Identity<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Registered<'a> {
    PgpData(String),
    PlainKey {
        key_pem: &'a str,
        not_before: &'a str,
        not_after: &'a str,
    },
}

#[derive(Serialize)]
struct Identity<'a> {
    email: &'a str,
}

#[derive(Serialize)]
struct Awaited<'a> {
    public_key_id: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    login_url: String,
    public_key_id: String,
}

impl Client {
    /// Registers the key that this client signs with, and says where its owner confirms it. Nobody has to be logged
    /// in for that, and an address that is not known gets the same answer: it only shows in that no confirmation comes.
    pub async fn register_user_key(&self, key: &UserKey) -> Result<Login, Error> {
        self.register_public_key(key.identity(), &key.registration()?)
            .await
    }

    /// The same for any public key of the e-mail address `identity`. What is wrong with a key comes as
    /// [`Error::Invalid`] or as [`Error::Unexpected`] with status 500.
    pub async fn register_public_key(
        &self,
        identity: &str,
        key: &UserPublicKey,
    ) -> Result<Login, Error> {
        let body = Registration {
            public_key: match key {
                UserPublicKey::OpenPgp(armored) => Registered::PgpData(STANDARD.encode(armored)),
                UserPublicKey::P256 {
                    pem,
                    not_before,
                    not_after,
                } => Registered::PlainKey {
                    key_pem: pem,
                    not_before,
                    not_after,
                },
            },
            identity: Identity { email: identity },
        };
        let request = unsigned("RegisterPublicKey", &body)?;
        // The same key again is the same registration.
        let answer = self.answer(request.idempotent()).await?;
        let answer: Answer = understood("RegisterPublicKey", &answer)?;
        Ok(Login {
            url: answer.login_url,
            key_id: answer.public_key_id,
        })
    }

    /// Waits until a key is confirmed, at most `deadline` in the clock's time. Whoever never confirms it, and an
    /// address that is not known, end as [`Error::Unavailable`] with `deadline: true`.
    pub async fn await_confirmation(&self, login: &Login, deadline: Duration) -> Result<(), Error> {
        let clock = self.transport.clock();
        let end = clock.now() + deadline;
        let body = Awaited {
            public_key_id: &login.key_id,
        };
        loop {
            let left = end.saturating_sub(clock.now());
            if left.is_zero() {
                return Err(Error::Unavailable {
                    status: 504,
                    deadline: true,
                    message: "nobody confirmed the key in time".to_owned(),
                });
            }
            let request = unsigned("AwaitPublicKeyConfirmation", &body)?;
            match self.answer(request.deadline(left.min(ONE_WAIT))).await {
                Ok(_) => return Ok(()),
                // The server waits five minutes at a time, a proxy perhaps less.
                Err(Error::Unavailable { deadline: true, .. }) => {}
                Err(Error::Transport(error)) if error.is_timeout() || error.is_interrupted() => {}
                Err(error) => return Err(error),
            }
            clock.sleep(Duration::from_secs(1)).await;
        }
    }
}

fn unsigned(method: &str, body: &impl Serialize) -> Result<Request, Error> {
    let request = Request::new(Method::POST, format!("/api/{AUTH}/{method}"));
    Ok(request.json(body)?)
}

fn pem([begin, end]: [&str; 2], der: &[u8]) -> String {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let mut text = format!("{begin}\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(end);
    text.push('\n');
    text
}

fn stamp(at: SystemTime) -> Option<String> {
    let stamp = jiff::Timestamp::try_from(at).ok()?;
    Some(stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
