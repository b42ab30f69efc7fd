//! Which Omni a binary talks to that needs no site file, and as whom: flags, the environment and the contexts that
//! `omnictl` reads, or a site file's `omni` section.

use std::path::PathBuf;
use std::sync::Arc;

use api_transport::{Clock as _, TokioClock};
use bootstrap_core::adapters::{Connected, connect_omni, connect_omni_as};
use bootstrap_core::diagnostic::Origin;
use bootstrap_core::site::{OmniEndpoint, SecretRef, Tls};

use omni_client::omniconfig::Context;

use crate::compat;
use crate::contexts::Places;
use crate::notices;
use crate::opened;
use crate::output::Screen;
use crate::run::{Exit, Failure, environment, setting};

const ENDPOINT: &str = "OMNI_ENDPOINT";
/// Variables with a key; the first that is set wins, as with omnictl.
const KEYS: [&str; 2] = ["SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_SERVICE_ACCOUNT_KEY"];

/// Omni and how it is trusted.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Omni")]
pub struct Omni {
    /// Omni's URL, e.g. `https://omni.home.example` [env: OMNI_ENDPOINT]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// A file with the service-account key [default: what OMNI_SERVICE_ACCOUNT_KEY holds]
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Trust certificates of this CA, a PEM file [env: OMNI_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Trust the certificate with this SHA-256 fingerprint alone [env: OMNI_TLS_SHA256]
    #[arg(long, global = true, value_name = "SHA256", conflicts_with = "ca_file")]
    pub fingerprint: Option<String>,
    /// Do not check Omni's certificate: whoever answers gets signed requests
    #[arg(long, global = true, conflicts_with_all = ["ca_file", "fingerprint"])]
    pub insecure_skip_tls_verify: bool,
    /// Take endpoint, key and trust from the `omni` section of this site file
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["endpoint", "key_file", "ca_file", "fingerprint", "insecure_skip_tls_verify"])]
    pub site: Option<PathBuf>,
    /// omnictl's file with contexts [env: OMNICONFIG] [default: ~/.talos/omni/config]
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["key_file", "site"])]
    pub omniconfig: Option<PathBuf>,
    /// Log in as this context of omnictl's says, not with a service account
    #[arg(long, global = true, value_name = "NAME", conflicts_with_all = ["key_file", "site"])]
    pub context: Option<String>,
}

impl Omni {
    /// A client, after what there is to say of its key and server. With `compat`, which says what omnictl says,
    /// nothing of that is said.
    ///
    /// # Errors
    /// What is missing or cannot be used, with exit code 5; with `compat` as omnictl ends.
    pub async fn connect(&self, compat: bool, screen: &mut Screen) -> Result<Connected, Failure> {
        if compat {
            let opened = self.open().await;
            return opened.map_err(|failure| compat::findings(&failure.findings));
        }
        let connected = self.open().await?;
        notices::tell(&connected, screen).await;
        Ok(connected)
    }

    async fn open(&self) -> Result<Connected, Failure> {
        let clock = Arc::new(TokioClock::real());
        if let Some((places, context)) = self.chosen_context()? {
            let signer = places.signer(&context, clock.wall())?;
            let endpoint = match self.named_endpoint()? {
                Some(endpoint) => endpoint,
                None => context
                    .endpoint()
                    .map_err(|error| Failure::new(Exit::Refused, &error, None))?,
            };
            return connect_omni_as(&endpoint, &self.tls()?, signer, clock)
                .map_err(|finding| opened::unconnected(finding, false));
        }
        let endpoint = match &self.site {
            Some(file) => opened::load(file)?.omni,
            None => self.of_flags()?,
        };
        connect_omni(&endpoint, &environment, clock)
            .await
            .map_err(|finding| opened::unconnected(finding, self.site.is_some()))
    }

    /// The context that is asked for, or the current one where no key of a service account is at hand.
    fn chosen_context(&self) -> Result<Option<(Places, Context)>, Failure> {
        let asked = self.context.is_some() || self.omniconfig.is_some();
        let has_key = self.key_file.is_some() || key_variable().is_some();
        if self.site.is_some() || (has_key && !asked) {
            return Ok(None);
        }
        let Some(places) = Places::find(self.omniconfig.as_deref()) else {
            return Ok(None);
        };
        let config = match places.read()? {
            Some(config) => config,
            None if !asked => return Ok(None),
            None => {
                let text = format!("there is no omniconfig {}", places.config.display());
                return Err(Failure::message(Exit::Refused, text));
            }
        };
        let context = config
            .context(self.context.as_deref())
            .map_err(|error| Failure::new(Exit::Refused, &error, None))?;
        Ok(Some((places, context)))
    }

    /// The URL that is named apart from any context.
    ///
    /// # Errors
    /// The site file that names it is wrong.
    pub fn named_endpoint(&self) -> Result<Option<String>, Failure> {
        if let Some(file) = &self.site {
            return Ok(Some(opened::load(file)?.omni.endpoint));
        }
        Ok(self.endpoint.clone().or_else(|| setting(ENDPOINT)))
    }

    /// How its certificate is judged.
    ///
    /// # Errors
    /// The site file that says so is wrong.
    pub fn tls(&self) -> Result<Tls, Failure> {
        if let Some(file) = &self.site {
            return Ok(opened::load(file)?.omni.tls);
        }
        let named = Tls {
            sha256: self.fingerprint.iter().cloned().collect(),
            ca_file: self.ca_file.clone(),
            insecure: self.insecure_skip_tls_verify,
        };
        Ok(opened::tls(named, "OMNI"))
    }

    fn of_flags(&self) -> Result<OmniEndpoint, Failure> {
        let Some(endpoint) = self.named_endpoint()? else {
            let hint = format!("set {ENDPOINT}, or give --endpoint URL or --site FILE");
            return Err(Failure::advised(Exit::Refused, "no Omni is named", hint));
        };
        Ok(OmniEndpoint {
            endpoint,
            key: match &self.key_file {
                Some(file) => SecretRef::File(file.clone()),
                None => SecretRef::Env(key_variable().unwrap_or(KEYS[1]).to_owned()),
            },
            tls: self.tls()?,
            origin: Origin::default(),
        })
    }
}

/// The variable that holds a key.
fn key_variable() -> Option<&'static str> {
    KEYS.into_iter().find(|name| environment(name).is_some())
}
