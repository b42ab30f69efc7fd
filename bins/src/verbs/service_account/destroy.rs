//! `destroy`: takes service accounts and all their keys away.

use omni_client::{Client, Error, PROVIDER_PREFIX, full_identity};
use serde::Serialize;

use super::{accounts, failed, refused};
use crate::args::{Format, Output};
use crate::omni::Omni;
use crate::output::{Screen, clean};
use crate::run::{Exit, Failure, block_on};

/// Destroy service accounts, with all their keys
///
/// What uses one of the keys is locked out at once. An account that is not there counts as destroyed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-service-account destroy ci
  omni-service-account destroy infra-provider:old --dry-run

-o json: {\"destroyed\": [NAME], \"missing\": [NAME]}, with --dry-run \"would_destroy\" too

Exit codes: 0 gone, 1 refused by Omni, 5 nothing was destroyed (your own account, the key may not, no Omni).")]
pub struct Destroy {
    /// The accounts' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Say what would be destroyed and destroy nothing
    #[arg(short = 'd', long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Default, Serialize)]
struct Done {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    would_destroy: Vec<String>,
    destroyed: Vec<String>,
    missing: Vec<String>,
}

/// Destroys.
///
/// # Errors
/// What was wrong, or what Omni said.
pub fn run(arguments: &Destroy, omni: &Omni, screen: &mut Screen) -> Result<Exit, Failure> {
    block_on(async {
        let connected = omni.connect(false, screen).await?;
        let there = accounts(&connected).await?;
        let own = connected.omni.current_user().await;
        let own = own.map_err(|error| failed(&error, Exit::Refused))?.identity;
        if let Some(name) = arguments
            .names
            .iter()
            .find(|name| full_identity(name) == own)
        {
            return Err(refused(
                format!("{name} is the account whose key is in use"),
                "destroy it with the key of another Admin".to_owned(),
            ));
        }
        let (there, missing): (Vec<_>, Vec<_>) = arguments
            .names
            .iter()
            .cloned()
            .partition(|name| there.iter().any(|account| account.name == *name));
        let mut done = Done {
            missing,
            ..Done::default()
        };
        if arguments.dry_run {
            done.would_destroy = there;
        } else if let Err(error) = destroy(&connected.omni, there, &mut done).await {
            tell(&done, arguments.output.format, screen)?;
            return Err(failed(&error, Exit::Error));
        }
        tell(&done, arguments.output.format, screen)?;
        Ok(Exit::Done)
    })
}

/// Destroys one after another, up to the first that is refused.
async fn destroy(omni: &Client, names: Vec<String>, done: &mut Done) -> Result<(), Error> {
    for name in names {
        let gone = omni.destroy_service_account(&name).await?;
        // Somebody else may have been faster.
        let list = if gone {
            &mut done.destroyed
        } else {
            &mut done.missing
        };
        list.push(name);
    }
    Ok(())
}

fn tell(done: &Done, format: Format, screen: &mut Screen) -> Result<(), Failure> {
    if format != Format::Table {
        return screen.document(format, done);
    }
    for name in &done.would_destroy {
        screen.print(&format!(
            "- service account {} would be destroyed",
            clean(name)
        ));
    }
    for name in &done.destroyed {
        screen.print(&format!("destroyed service account: {}", clean(name)));
        if let Some(id) = name.strip_prefix(PROVIDER_PREFIX) {
            screen.note(&format!(
                "the infra provider {id} itself is still there: `omni-resource delete infraprovider {id}`"
            ));
        }
    }
    for name in &done.missing {
        screen.note(&format!("there is no service account {}", clean(name)));
    }
    Ok(())
}
