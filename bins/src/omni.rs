//! Which Omni a binary talks to that needs no site file: flags, the environment `omnictl` reads, or a site file's
//! `omni` section.

use std::path::PathBuf;
use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::adapters::{Connected, connect_omni};
use bootstrap_core::diagnostic::{Diagnostic, Origin};
use bootstrap_core::site::{OmniEndpoint, SecretRef, Tls};

use crate::compat;
use crate::notices;
use crate::opened::{self, diagnostics};
use crate::output::Screen;
use crate::run::{Exit, Failure, environment};

const ENDPOINT: &str = "OMNI_ENDPOINT";
const KEY: &str = "OMNI_SERVICE_ACCOUNT_KEY";

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
        let endpoint = match &self.site {
            Some(file) => opened::load(file)?.omni,
            None => self.of_flags()?,
        };
        connect_omni(&endpoint, &environment, Arc::new(TokioClock::real()))
            .await
            .map_err(|mut finding| {
                // There is no file to point at.
                if self.site.is_none() {
                    finding.diagnostic.origin = None;
                }
                Failure::findings(Exit::Refused, diagnostics(&[finding]))
            })
    }

    fn of_flags(&self) -> Result<OmniEndpoint, Failure> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let Some(endpoint) = self.endpoint.clone().or_else(|| set(ENDPOINT)) else {
            let missing = Diagnostic::error("no Omni is named").hint(format!(
                "set {ENDPOINT}, or give --endpoint URL or --site FILE"
            ));
            return Err(Failure::findings(Exit::Refused, vec![missing]));
        };
        let ca_file = self
            .ca_file
            .clone()
            .or_else(|| set("OMNI_CA_FILE").map(PathBuf::from));
        let pin = self.fingerprint.clone().or_else(|| set("OMNI_TLS_SHA256"));
        Ok(OmniEndpoint {
            endpoint,
            key: match &self.key_file {
                Some(file) => SecretRef::File(file.clone()),
                None => SecretRef::Env(KEY.to_owned()),
            },
            tls: Tls {
                sha256: pin.into_iter().collect(),
                ca_file: ca_file.filter(|_| self.fingerprint.is_none()),
                insecure: self.insecure_skip_tls_verify,
            },
            origin: Origin::default(),
        })
    }
}
