//! Logins with a password: tickets, their renewal, and second factors, which are refused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{HeaderValue, Response};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use crate::classify::classify;
use crate::error::{Credential, Error};
use crate::request::{Call, segment};
use crate::wire;

/// Half of what a ticket lives, as Proxmox's own web interface does it.
const RENEW_AFTER: Duration = Duration::from_hours(1);
/// How long a ticket lives.
const LIFETIME: Duration = Duration::from_hours(2);

/// A user's password, and the ticket had for it.
pub(crate) struct Login {
    /// `user@realm`.
    pub(crate) user: String,
    password: SecretString,
    /// Held while a ticket is had or renewed, so that calls side by side log in once.
    pub(crate) ticket: Mutex<Option<Arc<Ticket>>>,
}

/// What stands for the user in calls.
pub(crate) struct Ticket {
    value: SecretString,
    /// `PVEAuthCookie=…`, marked sensitive.
    pub(crate) cookie: HeaderValue,
    /// Goes with every write, marked sensitive.
    pub(crate) csrf: HeaderValue,
    /// When it was had, on the client's clock.
    since: Duration,
}

/// What to do about the ticket before a call.
pub(crate) enum Due {
    Nothing(Arc<Ticket>),
    /// It is good for a while still: a failed renewal can wait.
    Renewal(Arc<Ticket>),
    Login,
}

impl Login {
    /// Checks the form. Messages never contain the password.
    pub(crate) fn new(user: &str, password: SecretString) -> Result<Self, Error> {
        let user = user.trim();
        let is_realm = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let named = user
            .rsplit_once('@')
            .is_some_and(|(name, realm)| !name.is_empty() && !realm.is_empty() && is_realm(realm));
        if !named || !user.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(Error::input("the user must be given as `user@realm`"));
        }
        if password.expose_secret().is_empty() {
            return Err(Error::input("the password is empty"));
        }
        Ok(Self {
            user: user.to_owned(),
            password,
            ticket: Mutex::new(None),
        })
    }

    /// What the ticket needs at the time `now`.
    pub(crate) fn due(ticket: Option<&Arc<Ticket>>, now: Duration) -> Due {
        let Some(ticket) = ticket else {
            return Due::Login;
        };
        match now.saturating_sub(ticket.since) {
            age if age >= LIFETIME => Due::Login,
            age if age >= RENEW_AFTER => Due::Renewal(Arc::clone(ticket)),
            _ => Due::Nothing(Arc::clone(ticket)),
        }
    }

    /// The call that logs in, with the password or with a ticket in its place.
    pub(crate) fn call(&self, ticket: Option<&Ticket>) -> Call {
        let secret = ticket.map_or(&self.password, |ticket| &ticket.value);
        Call::post("/access/ticket")
            .param("username", &self.user)
            .param("password", secret.expose_secret())
            .repeatable()
    }

    /// Reads the answer to a login.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for a refused password and for a second factor.
    pub(crate) fn accept(&self, response: &Response, now: Duration) -> Result<Arc<Ticket>, Error> {
        const CALL: &str = "POST /access/ticket";
        if !(200..300).contains(&response.status) {
            return Err(classify(CALL, (Credential::Password, &self.user), response));
        }
        let decode = |message: &str| Error::Decode {
            call: CALL.to_owned(),
            message: message.to_owned(),
        };
        // The text of a JSON error may quote the ticket.
        let envelope: wire::Envelope<wire::Login> = serde_json::from_slice(&response.body)
            .map_err(|_| decode("not the answer to a login"))?;
        let login = envelope.data.ok_or_else(|| decode("no data in it"))?;
        let ticket = login.ticket.filter(|ticket| !ticket.is_empty());
        let ticket = ticket.ok_or_else(|| decode("no ticket in it"))?;
        if login.need_tfa || ticket.starts_with("PVE:!tfa!") {
            return Err(Error::Unauthorized {
                credential: Credential::SecondFactor,
                id: self.user.clone(),
                message: "a second factor is asked for, which nobody is there to give".to_owned(),
            });
        }
        let csrf = login
            .csrf
            .ok_or_else(|| decode("no CSRFPreventionToken in it"))?;
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| decode("a ticket that no header can carry"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Arc::new(Ticket {
            cookie: header(&format!("PVEAuthCookie={}", segment(&ticket)?))?,
            csrf: header(&csrf)?,
            value: ticket.into(),
            since: now,
        }))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Login").field(&self.user).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_a_realm() {
        let login = |user: &str| Login::new(user, SecretString::from("x"));
        for user in ["root@pam", "first.last@corp@ldap", " a@pve "] {
            assert!(login(user).is_ok(), "{user}");
        }
        for user in [
            "",
            "root",
            "@pam",
            "root@",
            "root@pam!token",
            "a b@pve",
            "a:b@pve",
        ] {
            assert!(login(user).is_err(), "{user}");
        }
        assert!(Login::new("root@pam", SecretString::from("")).is_err());
    }
}
