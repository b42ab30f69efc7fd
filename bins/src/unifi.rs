//! Which gateway a binary talks to that needs no site file: flags, the environment other tools read, or a site file's
//! `unifi` section.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::adapters::{GatewayAlone, Login, connect_gateway};
use bootstrap_core::diagnostic::{Diagnostic, Origin};
use bootstrap_core::ports::{Failure as Cause, PortError};
use bootstrap_core::site::{SecretRef, Site, Tls, UnifiEndpoint};

use crate::opened;
use crate::run::{Exit, Failure, block_on, environment, setting};

const API: &str = "UNIFI_API";
const KEY: &str = "UNIFI_API_KEY";
const USERNAME: &str = "UNIFI_USERNAME";
const PASSWORD: &str = "UNIFI_PASSWORD";

/// The gateway and how it is trusted.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Gateway")]
pub struct Unifi {
    /// Take gateway, key and trust from the `unifi` section of this site file
    #[arg(short = 'f', long, global = true, value_name = "FILE", conflicts_with_all = ["endpoint", "unifi_site", "api_key_file", "username", "password_file", "ca_file", "fingerprint", "insecure_skip_tls_verify"])]
    pub file: Option<PathBuf>,
    /// The gateway's URL, e.g. `https://192.168.1.1`; classic consoles listen on port 8443 [env: UNIFI_API]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The site's path segment [env: UNIFI_SITE] [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    pub unifi_site: Option<String>,
    /// A file with a local API key [default: what UNIFI_API_KEY holds]
    #[arg(long, global = true, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Log in with a local account where there is no API key [env: UNIFI_USERNAME]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "api_key_file"
    )]
    pub username: Option<String>,
    /// A file with its password [default: what UNIFI_PASSWORD holds]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        conflicts_with = "api_key_file"
    )]
    pub password_file: Option<PathBuf>,
    /// Trust certificates of this CA, a PEM file [env: UNIFI_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Trust the certificate with this SHA-256 fingerprint alone [env: UNIFI_TLS_SHA256]
    #[arg(long, global = true, value_name = "SHA256", conflicts_with = "ca_file")]
    pub fingerprint: Option<String>,
    /// Do not check the gateway's certificate: whoever answers gets the key or the password
    #[arg(long, global = true, conflicts_with_all = ["ca_file", "fingerprint"])]
    pub insecure_skip_tls_verify: bool,
}

/// A gateway, and the site file it was named by.
#[derive(Debug)]
pub struct Gateway {
    /// The gateway.
    pub alone: GatewayAlone,
    /// The site, with `-f`.
    pub site: Option<Site>,
}

impl Unifi {
    /// Connects, does the work and ends the session of a login.
    ///
    /// # Errors
    /// What is missing or cannot be used, with exit code 5; what the work fails of.
    pub fn work(
        &self,
        work: impl AsyncFnOnce(&Gateway) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        block_on(async {
            let gateway = self.open().await?;
            let done = work(&gateway).await;
            gateway.alone.leave().await;
            done
        })
    }

    async fn open(&self) -> Result<Gateway, Failure> {
        let (endpoint, login, site) = if let Some(file) = &self.file {
            let (endpoint, site) = of_file(file)?;
            (endpoint, None, Some(site))
        } else {
            let (endpoint, login) = self.of_flags()?;
            (endpoint, login, None)
        };
        let clock = Arc::new(TokioClock::real());
        let alone = connect_gateway(&endpoint, login.as_ref(), &environment, clock);
        let alone = alone
            .await
            .map_err(|finding| opened::unconnected(finding, self.file.is_some()))?;
        Ok(Gateway { alone, site })
    }

    fn of_flags(&self) -> Result<(UnifiEndpoint, Option<Login>), Failure> {
        let refused = |message: &str, hint| Failure::advised(Exit::Refused, message, hint);
        let Some(endpoint) = self.endpoint.clone().or_else(|| setting(API)) else {
            let hint = format!("set {API}, or give --endpoint URL or -f FILE");
            return Err(refused("no gateway is named", hint));
        };
        let key = match &self.api_key_file {
            Some(file) => Some(SecretRef::File(file.clone())),
            None => setting(KEY).map(|_| SecretRef::Env(KEY.to_owned())),
        };
        // What is said on the command line goes before the environment, and a key before a login.
        let asked_to_log_in = self.username.is_some() || self.password_file.is_some();
        let login = match self.username.clone().or_else(|| setting(USERNAME)) {
            Some(username) if asked_to_log_in || key.is_none() => Some(Login {
                username,
                password: match &self.password_file {
                    Some(file) => SecretRef::File(file.clone()),
                    None => SecretRef::Env(PASSWORD.to_owned()),
                },
            }),
            _ => None,
        };
        if login.is_none() && key.is_none() {
            let hint = format!(
                "set {KEY} or give --api-key-file FILE; without API keys set {USERNAME} and {PASSWORD}"
            );
            return Err(refused("there is neither an API key nor a login", hint));
        }
        let endpoint = UnifiEndpoint {
            endpoint,
            site: self
                .unifi_site
                .clone()
                .or_else(|| setting("UNIFI_SITE"))
                .unwrap_or_else(|| "default".to_owned()),
            api_key: key.unwrap_or_else(|| SecretRef::Env(KEY.to_owned())),
            tls: opened::tls(
                Tls {
                    sha256: self.fingerprint.iter().cloned().collect(),
                    ca_file: self.ca_file.clone(),
                    insecure: self.insecure_skip_tls_verify,
                },
                "UNIFI",
            ),
            origin: Origin::default(),
        };
        Ok((endpoint, login))
    }
}

fn of_file(file: &Path) -> Result<(UnifiEndpoint, Site), Failure> {
    let site = opened::load(file)?;
    if let Some(endpoint) = site.unifi.clone() {
        return Ok((endpoint, site));
    }
    let origin = Origin {
        file: file.to_owned(),
        ..Origin::default()
    };
    let missing = Diagnostic::error("this site has no gateway")
        .at(origin)
        .hint("add a `unifi` section, or name the gateway by flags");
    Err(Failure::findings(Exit::Refused, vec![missing]))
}

/// A read that failed: nothing was written.
pub fn unread(error: &PortError) -> Failure {
    Failure::findings(Exit::Refused, vec![error.into()])
}

/// A write that failed. What somebody else has needs a person.
pub fn unwritten(error: &PortError) -> Failure {
    let exit = match error.failure {
        Cause::Conflict => Exit::Person,
        _ => Exit::Error,
    };
    Failure::findings(exit, vec![error.into()])
}

/// What only a person can decide.
pub fn for_a_person(finding: Diagnostic) -> Failure {
    Failure::findings(Exit::Person, vec![finding])
}
