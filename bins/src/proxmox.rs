//! Which Proxmox cluster a binary talks to that needs no site file: flags, the environment that Proxmox's other tools
//! read, or a site file's `proxmox` section.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::adapters::connect_hypervisor;
use bootstrap_core::diagnostic::Origin;
use bootstrap_core::ports::{Clock, Hypervisor};
use bootstrap_core::site::{ProxmoxEndpoint, SecretRef, Tls};
use url::Url;

use crate::opened;
use crate::run::{Exit, Failure, environment, setting};

const ENDPOINT: &str = "PROXMOX_VE_ENDPOINT";
const TOKEN: &str = "PROXMOX_VE_API_TOKEN";

/// A Proxmox cluster and how it is trusted.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Proxmox")]
pub struct Proxmox {
    /// URL of a node, e.g. `https://pve.home.example:8006`; again for other nodes of the cluster, asked when the first
    /// is down [env: PROXMOX_VE_ENDPOINT]
    #[arg(long = "endpoint", global = true, value_name = "URL")]
    pub endpoints: Vec<String>,
    /// A file with an API token, `user@realm!id=uuid` [default: what PROXMOX_VE_API_TOKEN holds]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Trust certificates of this CA, a PEM file [env: PROXMOX_VE_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Trust certificates with this SHA-256 fingerprint alone; again for each node [env: PROXMOX_VE_TLS_SHA256]
    #[arg(
        long = "fingerprint",
        global = true,
        value_name = "SHA256",
        conflicts_with = "ca_file"
    )]
    pub fingerprints: Vec<String>,
    /// Do not check certificates: whoever answers gets the token
    #[arg(long, global = true, conflicts_with_all = ["ca_file", "fingerprints"])]
    pub insecure_skip_tls_verify: bool,
    /// Take endpoints, token and trust from the `proxmox` section of this site file
    #[arg(short = 'f', long, global = true, value_name = "FILE", conflicts_with_all = ["endpoints", "token_file", "ca_file", "fingerprints", "insecure_skip_tls_verify"])]
    pub file: Option<PathBuf>,
    /// Which cluster of the site file, where it has several
    #[arg(long, global = true, value_name = "PROVIDER", requires = "file")]
    pub provider: Option<String>,
}

/// The cluster, and the clock its client waits by.
pub struct Connected {
    /// The cluster.
    pub port: Arc<dyn Hypervisor>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connected")
    }
}

impl Proxmox {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// What is missing or cannot be used, with exit code 5.
    pub async fn connect(&self) -> Result<Connected, Failure> {
        let endpoint = match &self.file {
            Some(file) => self.of_site(file)?,
            None => self.of_flags()?,
        };
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::real());
        let port = connect_hypervisor(&endpoint, &environment, Arc::clone(&clock))
            .await
            .map_err(|finding| opened::unconnected(finding, self.file.is_some()))?;
        Ok(Connected { port, clock })
    }

    fn of_site(&self, file: &Path) -> Result<ProxmoxEndpoint, Failure> {
        let mut clusters = opened::load(file)?.proxmox;
        let names: Vec<String> = clusters
            .iter()
            .map(|cluster| cluster.provider.clone())
            .collect();
        if let Some(provider) = &self.provider {
            clusters.retain(|cluster| cluster.provider == *provider);
        }
        match (clusters.pop(), clusters.is_empty()) {
            (Some(cluster), true) => Ok(cluster),
            (None, _) if names.is_empty() => Err(refused(
                format!("{} has no `proxmox` section", file.display()),
                "add one, or give --endpoint URL",
            )),
            (None, _) => Err(refused(
                format!("no cluster of {} has this provider", file.display()),
                format!("there are {}", names.join(", ")),
            )),
            (Some(_), false) => Err(refused(
                format!("{} names several Proxmox clusters", file.display()),
                format!("give one of them with --provider: {}", names.join(", ")),
            )),
        }
    }

    fn of_flags(&self) -> Result<ProxmoxEndpoint, Failure> {
        let mut endpoints = self.endpoints.clone();
        if endpoints.is_empty() {
            endpoints.extend(setting(ENDPOINT));
        }
        let Some(first) = endpoints.first() else {
            return Err(refused(
                "no Proxmox cluster is named",
                format!("set {ENDPOINT}, or give --endpoint URL or -f FILE"),
            ));
        };
        // What messages call the cluster; the URL itself is judged by the client.
        let name = Url::parse(first)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        Ok(ProxmoxEndpoint {
            provider: name.unwrap_or_else(|| "cluster".to_owned()),
            endpoints,
            api_token: match &self.token_file {
                Some(file) => SecretRef::File(file.clone()),
                None => SecretRef::Env(TOKEN.to_owned()),
            },
            tls: opened::tls(
                Tls {
                    sha256: self.fingerprints.clone(),
                    ca_file: self.ca_file.clone(),
                    insecure: self.insecure_skip_tls_verify,
                },
                "PROXMOX_VE",
            ),
            origin: Origin::default(),
        })
    }
}

fn refused(message: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::advised(Exit::Refused, message, hint)
}
