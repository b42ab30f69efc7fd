//! `renew`: one more key for a service account.

use bootstrap_core::adapters::Connected;

use super::new_key::{Out, Planned, hand_over, settle};
use super::{Life, accounts, make_key, refused};
use crate::args::Output;
use crate::notices::day;
use crate::omni::Omni;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};

/// Give a service account a new key and print it
///
/// The keys it has stay valid until they end: Omni cannot take a single one away. The new key is tried before it is
/// handed over, and before FILE is replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-service-account renew ci --out ci.key
  omni-service-account renew infra-provider:proxmox --ttl 90d

Exit codes: 0 renewed, 1 refused by Omni, 5 nothing was changed (no such account, the key may not, no Omni).")]
pub struct Renew {
    /// The account's name
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub how: How,
}

/// How it is renewed.
#[derive(Debug, clap::Args)]
pub struct How {
    #[command(flatten)]
    life: Life,
    #[command(flatten)]
    out: Out,
    /// Say what would be done and do nothing
    #[arg(short = 'd', long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Renews.
///
/// # Errors
/// What was wrong, or what Omni said.
pub fn run(arguments: &Renew, omni: &Omni, screen: &mut Screen) -> Result<Exit, Failure> {
    block_on(async {
        let connected = omni.connect(false, screen).await?;
        renew(&connected, &arguments.name, &arguments.how, screen).await
    })
}

/// Gives the account `name` a new key, with the key that is connected.
///
/// # Errors
/// What was wrong, or what Omni said.
pub async fn renew(
    connected: &Connected,
    name: &str,
    how: &How,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let new = make_key(connected, name, how.life)?;
    if !accounts(connected).await?.iter().any(|it| it.name == name) {
        return Err(refused(
            format!("there is no service account {name}"),
            "`omni-service-account list` shows those there are".to_owned(),
        ));
    }
    let place = how.out.prepare(false)?;
    if how.dry_run {
        let words = format!(
            "~ service account {name} would get a new key that ends on {}",
            day(new.expires)
        );
        return Planned::new(&new, words).tell(how.output.format, screen);
    }
    let renewed = connected
        .omni
        .renew_service_account(name, &new.public)
        .await;
    settle(&connected.omni, renewed, &new).await?;
    screen.note(&format!(
        "Renewed service account \"{name}\" by adding a public key with ID \"{}\"",
        new.id
    ));
    hand_over(connected, &new, place, how.output.format, screen).await
}
