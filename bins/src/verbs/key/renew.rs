//! `key renew`: a new key for the account of the site file.

use std::path::PathBuf;
use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::adapters::connect_omni;
use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::site::{OmniEndpoint, SecretRef, read_secret};
use omni_client::ServiceAccountKey;

use crate::args::SiteFile;
use crate::notices;
use crate::opened::{self, diagnostics};
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on, environment};
use crate::verbs::service_account::renew::{How, renew};

/// Give the account of the site file's key a new one
///
/// The new key is registered, tried, and only then printed or written. The old one stays valid until it ends, so
/// nothing stops working. Omni lets Admins alone renew keys: with the key of an Operator, name an Admin's as well.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-bootstrap key renew --out omni.key
  omni-bootstrap key renew --admin-key-file admin.key --ttl 90d

Exit codes: 0 renewed, 1 refused by Omni, 5 nothing was changed.")]
pub(super) struct Renew {
    #[command(flatten)]
    site: SiteFile,
    /// A file with an Admin's service-account key to renew with, also where the own key has ended
    #[arg(long, value_name = "FILE")]
    admin_key_file: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// Renews.
///
/// # Errors
/// What was wrong, or what Omni said.
pub(super) fn run(arguments: &Renew, screen: &mut Screen) -> Result<Exit, Failure> {
    let omni = opened::load(&arguments.site.file)?.omni;
    block_on(async {
        let name = account_name(&omni).await?;
        let endpoint = OmniEndpoint {
            key: match &arguments.admin_key_file {
                Some(file) => SecretRef::File(file.clone()),
                None => omni.key.clone(),
            },
            ..omni
        };
        let clock = Arc::new(TokioClock::real());
        let connected = connect_omni(&endpoint, &environment, clock)
            .await
            .map_err(|finding| Failure::findings(Exit::Refused, diagnostics(&[finding])))?;
        notices::tell(&connected, screen).await;
        renew(&connected, &name, &arguments.how, screen).await
    })
}

/// Whose key the site file names; it may have ended.
async fn account_name(omni: &OmniEndpoint) -> Result<String, Failure> {
    let refused = |message: String, hint: Option<String>| {
        let finding = Diagnostic {
            hint,
            ..Diagnostic::error(message).at(omni.origin.clone())
        };
        Failure::findings(Exit::Refused, vec![finding])
    };
    let key = read_secret(&omni.key, &environment)
        .await
        .map_err(|error| refused(crate::run::chain(&error), error.hint()))?;
    let key = ServiceAccountKey::parse(&key)
        .map_err(|error| refused(error.to_string(), error.hint().map(str::to_owned)))?;
    Ok(key.name().to_owned())
}
