//! The console the gateway's application runs on: accounts, sessions and how many logins it lets through.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// Logins, successful ones too, within [`WINDOW`] unless said otherwise.
const LOGINS: usize = 30;
const WINDOW: Duration = Duration::from_mins(1);
/// How long a session lives without being remembered.
const LIFETIME: Duration = Duration::from_hours(2);

/// Which kind of console it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// UniFi OS.
    #[default]
    UnifiOs,
    /// The Network application by itself.
    Classic,
}

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// What it is refused without.
    pub password: String,
    /// `admin` or `readonly`.
    pub role: String,
    /// Logging in takes a second factor.
    pub second_factor: bool,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who logged in.
    pub username: String,
    /// The account's role.
    pub role: String,
    /// The token that writes have to bring, on UniFi OS.
    pub csrf: String,
    expires: Duration,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Unknown name or wrong password.
    Credentials,
    /// The account has a second factor.
    SecondFactor,
    /// Too many logins within a minute.
    Limit,
}

/// The console.
#[derive(Debug)]
pub struct Console {
    /// Which kind it is.
    pub kind: Kind,
    /// Logins let through within a minute.
    pub limit: usize,
    accounts: BTreeMap<String, Account>,
    sessions: BTreeMap<String, Session>,
    logins: VecDeque<Duration>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            limit: LOGINS,
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            logins: VecDeque::new(),
        }
    }
}

fn secret(rng: &mut StdRng) -> String {
    format!("{:032x}", rng.random::<u128>())
}

impl Console {
    /// Lets somebody in.
    pub fn accept(&mut self, username: &str, account: Account) {
        self.accounts.insert(username.to_owned(), account);
    }

    /// Opens a session. The result is its id.
    ///
    /// # Errors
    /// Why not.
    pub fn login(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        username: &str,
        password: &str,
    ) -> Result<(String, Session), LoginRefusal> {
        while self
            .logins
            .front()
            .is_some_and(|earlier| *earlier + WINDOW <= now)
        {
            self.logins.pop_front();
        }
        if self.logins.len() >= self.limit {
            return Err(LoginRefusal::Limit);
        }
        self.logins.push_back(now);
        let account = self
            .accounts
            .get(username)
            .filter(|account| account.password == password)
            .ok_or(LoginRefusal::Credentials)?;
        if account.second_factor {
            return Err(LoginRefusal::SecondFactor);
        }
        let session = Session {
            username: username.to_owned(),
            role: account.role.clone(),
            csrf: secret(rng),
            expires: now + LIFETIME,
        };
        let id = secret(rng);
        self.sessions.insert(id.clone(), session.clone());
        Ok((id, session))
    }

    /// A session that is still alive.
    pub fn session(&self, now: Duration, id: &str) -> Option<&Session> {
        self.sessions
            .get(id)
            .filter(|session| now < session.expires)
    }

    /// Gives a session another token; the one before is refused from now on.
    pub fn rotate(&mut self, rng: &mut StdRng, id: &str) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.csrf = secret(rng);
        }
    }

    /// Ends a session.
    pub fn logout(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    /// Ends all sessions, as an update of the console does.
    pub fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Sessions that were opened and not ended.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }
}
