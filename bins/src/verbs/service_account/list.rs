//! `list`: the service accounts and their keys.

use std::time::{Duration, SystemTime};

use omni_client::{AccountKey, ServiceAccount};
use serde::Serialize;

use super::accounts;
use crate::args::{Format, Output};
use crate::notices::within;
use crate::omni::Omni;
use crate::output::{Screen, clean, table};
use crate::run::{Exit, Failure, block_on};

/// From when on the end of an account's last key is said.
const SOON: Duration = Duration::from_hours(30 * 24);

/// Show the service accounts and their keys
///
/// An account has one key or several: renewing it adds one. An account whose last key ends within 30 days is named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-service-account list
  omni-service-account list -o json | jq -r '.service_accounts[] | select(.role == \"Admin\") | .name'

-o json: {\"service_accounts\": [{\"name\", \"role\", \"last_active\", \"keys\": [{\"id\", \"created\", \"last_used\", \"expires\"}]}]}
with times in RFC 3339 and without what is not known.")]
pub struct List {
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Document {
    service_accounts: Vec<Account>,
}

#[derive(Serialize)]
struct Account {
    name: String,
    role: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_active: String,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    created: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_used: String,
    expires: String,
}

/// Lists.
///
/// # Errors
/// What Omni said.
pub fn run(arguments: &List, omni: &Omni, screen: &mut Screen) -> Result<Exit, Failure> {
    block_on(async {
        let connected = omni.connect(false, screen).await?;
        let accounts = accounts(&connected).await.map_err(|failure| Failure {
            exit: Exit::Error,
            ..failure
        })?;
        match arguments.output.format {
            Format::Table => print(&accounts, screen),
            format => {
                let service_accounts = accounts.iter().map(account).collect();
                screen.document(format, &Document { service_accounts })?;
            }
        }
        for line in ending(&accounts, connected.ports.clock.wall()) {
            screen.note(&line);
        }
        Ok(Exit::Done)
    })
}

fn account(account: &ServiceAccount) -> Account {
    let keys = account.keys.iter().map(|key| Key {
        id: key.id.clone(),
        created: key.created.clone(),
        last_used: key.last_used.clone(),
        expires: key.expiration.clone(),
    });
    Account {
        name: account.name.clone(),
        role: account.role.clone(),
        last_active: account.last_active.clone(),
        keys: keys.collect(),
    }
}

/// The columns that omnictl prints; of an account's further keys, the key alone.
fn print(accounts: &[ServiceAccount], screen: &mut Screen) {
    let never = |time: &str| match seconds(time) {
        time if time.is_empty() => "Never".to_owned(),
        time => time,
    };
    let rows = accounts.iter().flat_map(|account| {
        account.keys.iter().enumerate().map(move |(at, key)| {
            let of_account = |text: String| if at == 0 { text } else { String::new() };
            vec![
                of_account(account.name.clone()),
                of_account(account.role.clone()),
                of_account(never(&account.last_active)),
                key.id.clone(),
                seconds(&key.created),
                never(&key.last_used),
                seconds(&key.expiration),
            ]
        })
    });
    screen.print(&table(
        &[
            "name",
            "role",
            "last active",
            "public key id",
            "key created",
            "key last active",
            "expiration",
        ],
        rows,
    ));
}

/// A time without its fractions.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

/// Accounts that soon have no key, a line each.
fn ending(accounts: &[ServiceAccount], wall: SystemTime) -> Vec<String> {
    let line = |account: &ServiceAccount| {
        let last = account.keys.iter().filter_map(AccountKey::expires).max()?;
        let name = clean(&account.name);
        let when = match last.duration_since(wall) {
            Ok(left) if left > SOON => return None,
            Ok(left) => format!("ends {}", within(left)),
            Err(_) => "has ended".to_owned(),
        };
        Some(format!(
            "{name}: its last key {when}; `omni-service-account renew {name}` gives it a new one"
        ))
    };
    accounts.iter().filter_map(line).collect()
}
