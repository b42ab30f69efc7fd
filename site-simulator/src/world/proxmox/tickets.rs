//! Users with passwords, and the tickets they get: signed, so that none has to be kept.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest;

use super::access::{Caller, Grants, Refusal};

/// How long a ticket lives, in seconds.
const LIFETIME: u64 = 2 * 3600;
/// The one code that is right for whoever has a second factor.
pub const TOTP: &str = "totp:123456";
/// What a second factor may be, as it stands in a half ticket.
const CHALLENGE: &str =
    r#"{"recovery"%3A"unavailable","totp"%3Atrue,"u2f"%3Anull,"webauthn"%3Anull}"#;

/// A user who can log in.
#[derive(Clone)]
struct User {
    password: String,
    grants: Grants,
    second_factor: bool,
}

/// Known users. Passwords are not shown.
#[derive(Default, Clone)]
pub(super) struct Users(BTreeMap<String, User>);

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a login asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `user@realm`.
    pub user: &'a str,
    /// A password, a ticket in its place, or the answer to a challenge.
    pub password: &'a str,
    /// The half ticket that a second factor completes.
    pub challenge: Option<&'a str>,
}

/// What a login gives.
#[derive(Debug, Clone)]
pub struct Login {
    /// The ticket.
    pub ticket: String,
    /// What goes with writes.
    pub csrf: String,
    /// Who it is; absent while a second factor is asked for.
    pub caller: Option<Caller>,
}

impl Users {
    pub(super) fn add(&mut self, user: &str, password: &str, grants: Grants, second_factor: bool) {
        let known = User {
            password: password.to_owned(),
            grants,
            second_factor,
        };
        self.0.insert(user.to_owned(), known);
    }

    /// Lets a user in at a Unix time. One refusal for everything, so that nobody learns which users there are.
    pub(super) fn log_in(&self, asked: &Asked<'_>, unix: u64) -> Result<Login, Refusal> {
        let refused = || Refusal::new(401, "authentication failure");
        let user = self.0.get(asked.user).ok_or_else(refused)?;
        let is_right = match asked.challenge {
            Some(challenge) => {
                challenge == half_ticket(asked.user, time_of(challenge)) && asked.password == TOTP
            }
            None if asked.password.starts_with("PVE:") => {
                let caller = self.by_ticket(asked.password, unix);
                caller.is_ok_and(|caller| caller.user == asked.user)
            }
            None => asked.password == user.password,
        };
        if !is_right {
            return Err(refused());
        }
        let csrf = csrf(asked.user, unix);
        let is_half =
            user.second_factor && asked.challenge.is_none() && !asked.password.starts_with("PVE:");
        if is_half {
            return Ok(Login {
                ticket: half_ticket(asked.user, unix),
                csrf,
                caller: None,
            });
        }
        Ok(Login {
            ticket: ticket(asked.user, unix),
            csrf,
            caller: Some(caller(asked.user, user)),
        })
    }

    /// Who has this ticket at a Unix time.
    pub(super) fn by_ticket(&self, text: &str, unix: u64) -> Result<Caller, Refusal> {
        let refused = || Refusal::bare(401, "Authentication failed!");
        let head = text
            .strip_prefix("PVE:")
            .and_then(|rest| rest.split_once("::"));
        let name = head.and_then(|(head, _)| head.rsplit_once(':'));
        let (name, _) = name.ok_or_else(refused)?;
        let time = time_of(text);
        let known = self.0.get(name).filter(|_| text == ticket(name, time));
        let known = known.filter(|_| unix.saturating_sub(time) < LIFETIME);
        known.map(|user| caller(name, user)).ok_or_else(refused)
    }
}

fn caller(name: &str, user: &User) -> Caller {
    Caller {
        user: name.to_owned(),
        token: None,
        grants: user.grants.clone(),
    }
}

/// Whether a token against forged requests is the user's.
pub(super) fn is_csrf(user: &str, text: &str) -> bool {
    let time = text
        .split(':')
        .next()
        .and_then(|hex| u64::from_str_radix(hex, 16).ok());
    time.is_some_and(|time| text == csrf(user, time))
}

/// The Unix time in a ticket; 0 where there is none.
fn time_of(ticket: &str) -> u64 {
    let head = ticket.split("::").next().unwrap_or_default();
    let hex = head.rsplit(':').next().unwrap_or_default();
    u64::from_str_radix(hex, 16).unwrap_or_default()
}

fn ticket(user: &str, unix: u64) -> String {
    format!("PVE:{user}:{unix:08X}::{}", signature("ticket", user, unix))
}

fn half_ticket(user: &str, unix: u64) -> String {
    format!(
        "PVE:!tfa!{CHALLENGE}:{unix:08X}::{}",
        signature("half", user, unix)
    )
}

fn csrf(user: &str, unix: u64) -> String {
    let text = format!("csrf {user} {unix}");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("{unix:08X}:{}", STANDARD_NO_PAD.encode(digest))
}

/// Nobody attacks a simulated cluster: that it is another one for each is enough.
fn signature(what: &str, user: &str, unix: u64) -> String {
    let text = format!("{what} {user} {unix}");
    STANDARD.encode(digest::digest(&digest::SHA512, text.as_bytes()))
}
