//! `create`: a service account with a key that is made here.

use bootstrap_core::adapters::Connected;
use omni_client::{AccountRole, Error, PROVIDER_PREFIX, Resource, kinds};

use super::new_key::{Out, Planned, hand_over, settle};
use super::{Life, accounts, failed, make_key, refused};
use crate::args::Output;
use crate::notices::day;
use crate::omni::Omni;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};

/// Omni's roles, weakest first.
const ROLES: [&str; 6] = [
    "None",
    "InfraProvider",
    "Reader",
    "Auditor",
    "Operator",
    "Admin",
];

/// Make a service account and print its key
///
/// The key is made on this machine; Omni gets its public part. `infra-provider:ID` makes the account of an infra
/// provider, and the provider itself where Omni does not know it yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-service-account create ci --role Operator --out ci.key
  omni-service-account create ci --use-user-role=false --role Reader --ttl 90d
  omni-service-account create infra-provider:proxmox
  eval \"$(omni-service-account create ci --role Reader | sed 's/^/export /')\"

As omnictl does, it gives the account your own role where no role is named. Unlike omnictl, --role alone is enough to
name one.

Exit codes: 0 made, 1 refused by Omni, 5 nothing was made (the account is there already, the key may not, no Omni).")]
pub struct Create {
    /// The account's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The account's role
    #[arg(short = 'r', long, value_parser = clap::builder::PossibleValuesParser::new(ROLES))]
    role: Option<String>,
    /// Give it the role of the key in use [default: true unless --role is given]
    #[arg(short = 'u', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    use_user_role: Option<bool>,
    #[command(flatten)]
    life: Life,
    #[command(flatten)]
    out: Out,
    /// Say what would be made and make nothing
    #[arg(short = 'd', long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

impl Create {
    /// What the account may do.
    fn role(&self) -> Result<AccountRole, String> {
        const PROVIDER: &str = "InfraProvider";
        let provider = self.name.starts_with(PROVIDER_PREFIX);
        match (&self.role, self.use_user_role) {
            (Some(_), Some(true)) => {
                Err("--role and --use-user-role=true name two roles".to_owned())
            }
            (_, Some(true)) if provider => Err(format!("{}'s role is {PROVIDER}", self.name)),
            (None, _) if provider => Ok(AccountRole::Named(PROVIDER.to_owned())),
            (Some(role), _) if provider == (role == PROVIDER) => {
                Ok(AccountRole::Named(role.clone()))
            }
            (Some(_), _) => Err(format!(
                "the role {PROVIDER} is for accounts named {PROVIDER_PREFIX}ID, and they have no other"
            )),
            (None, Some(false)) => Err("--use-user-role=false needs --role".to_owned()),
            (None, _) => Ok(AccountRole::Creator),
        }
    }
}

/// Makes an account.
///
/// # Errors
/// What was wrong, or what Omni said.
pub fn run(arguments: &Create, omni: &Omni, screen: &mut Screen) -> Result<Exit, Failure> {
    let usage = |message: String| Failure::message(Exit::Usage, message);
    let role = arguments.role().map_err(usage)?;
    let name = arguments.name.as_str();
    block_on(async {
        let connected = omni.connect(false, screen).await?;
        let new = make_key(&connected, name, arguments.life)?;
        if accounts(&connected).await?.iter().any(|it| it.name == name) {
            return Err(refused(
                format!("the service account {name} is there already"),
                format!("`omni-service-account renew {name}` gives it another key"),
            ));
        }
        let place = arguments.out.prepare(true)?;
        if arguments.dry_run {
            let words = format!(
                "+ service account {name} would be made with {}, its key would end on {}",
                in_words(&role),
                day(new.expires)
            );
            return Planned::new(&new, words).tell(arguments.output.format, screen);
        }
        if let Some(id) = name.strip_prefix(PROVIDER_PREFIX) {
            know_provider(&connected, id, screen).await?;
        }
        let made = connected
            .omni
            .create_service_account(name, &role, &new.public)
            .await;
        settle(&connected.omni, made, &new).await?;
        screen.note(&format!(
            "Created service account \"{name}\" with public key ID \"{}\"",
            new.id
        ));
        hand_over(&connected, &new, place, arguments.output.format, screen).await
    })
}

fn in_words(role: &AccountRole) -> String {
    match role {
        AccountRole::Creator => "your own role".to_owned(),
        AccountRole::Named(role) => format!("the role {role}"),
    }
}

/// Makes the infra provider that an account is for, where there is none.
async fn know_provider(
    connected: &Connected,
    id: &str,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let provider = Resource::new(&kinds::INFRA_PROVIDER, id);
    match connected.omni.create(&provider).await {
        Ok(()) => {
            screen.note(&format!("Created infra provider \"{id}\""));
            Ok(())
        }
        Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(failed(&error, Exit::Error)),
    }
}
