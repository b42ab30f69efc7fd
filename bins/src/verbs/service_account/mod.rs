//! The verbs of `omni-service-account`.

pub mod create;
pub mod destroy;
pub mod list;
pub mod new_key;
pub mod renew;

use std::time::Duration;

use bootstrap_core::adapters::{Connected, omni_error};
use bootstrap_core::diagnostic::Diagnostic;
use omni_client::{Error, KeyError, NewKey, ServiceAccount, ServiceAccountKey};

use crate::args::duration;
use crate::run::{Exit, Failure};

/// How long a new key lives.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Life {
    /// How long the key lives: 8760h (a year) at most, also as 90d
    #[arg(short = 't', long, value_name = "TIME", default_value = "8760h", value_parser = life)]
    pub ttl: Duration,
}

/// A time as `duration` takes it, or in days.
fn life(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let life = match days {
        Some(days) => Duration::from_hours(24_u64.saturating_mul(days)),
        None => duration(text)?,
    };
    if life > ServiceAccountKey::LONGEST_LIFE || life < Duration::from_secs(1) {
        return Err("Omni takes keys that live at most 8760h".to_owned());
    }
    Ok(life)
}

/// A failed call of the management API.
fn failed(error: &Error, exit: Exit) -> Failure {
    let mut finding = Diagnostic::from(&omni_error(error));
    if matches!(error, Error::Denied { .. }) {
        finding.hint = Some(
            "service accounts are managed with the key of an account of the role Admin".into(),
        );
    }
    Failure::findings(exit, vec![finding])
}

/// Makes a key for an account, which is not told of it yet.
fn make_key(connected: &Connected, name: &str, life: Life) -> Result<NewKey, Failure> {
    let wall = connected.ports.clock.wall();
    ServiceAccountKey::generate(name, life.ttl, wall).map_err(|error| {
        let exit = match error {
            KeyError::Name(_) => Exit::Usage,
            _ => Exit::Error,
        };
        Failure::new(exit, &error, None)
    })
}

/// All accounts; the check before the first write.
async fn accounts(connected: &Connected) -> Result<Vec<ServiceAccount>, Failure> {
    let accounts = connected.omni.service_accounts().await;
    accounts.map_err(|error| failed(&error, Exit::Refused))
}

/// A refusal before the first write, with the next step.
fn refused(message: String, hint: String) -> Failure {
    Failure::advised(Exit::Refused, message, hint)
}
