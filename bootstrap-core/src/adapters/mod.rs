//! The ports, for the three real clients and a real resolver.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use api_transport::{Clock, Trust};
use secrecy::SecretString;
use url::Url;

use crate::diagnostic::{Diagnostic, Origin};
use crate::plan::Finding;
use crate::ports::{Dns, Gateway, Hypervisor, Ports, System};
use crate::site::{
    OmniEndpoint, ProxmoxEndpoint, SecretRef, Site, Tls, UnifiEndpoint, read_secret,
};

mod dns;
mod omni;
mod proxmox;
mod unifi;

pub use omni::port_error as omni_error;

/// How an environment variable is looked up; only binaries read the environment.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Clients for a site, and what they cost.
pub struct Connected {
    /// The ports over them.
    pub ports: Ports,
    /// Omni's client itself, for what is no part of the engine's work: accounts and keys.
    pub omni: omni_client::Client,
    counters: Vec<(String, Counter)>,
}

type Counter = Box<dyn Fn() -> u64 + Send + Sync>;

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

impl Connected {
    /// Requests sent so far, by system.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.counters
            .iter()
            .map(|(system, count)| (system.clone(), count()))
            .collect()
    }
}

/// Reads the secrets and makes a client for each system of the site. Nothing is sent yet; all that is
/// wrong is told together.
pub async fn connect(
    site: &Site,
    environment: Environment<'_>,
    clock: Arc<dyn Clock>,
) -> Result<Connected, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut counters: Vec<(String, Counter)> = Vec::new();
    let omni = match omni_client(&site.omni, environment, &clock).await {
        Ok(client) => Some(client),
        Err(finding) => {
            findings.push(finding);
            None
        }
    };
    let mut hypervisors: BTreeMap<String, Arc<dyn Hypervisor>> = BTreeMap::new();
    for endpoint in &site.proxmox {
        match connect_proxmox(endpoint, environment, &clock).await {
            Ok(client) => {
                let counted = client.clone();
                let name = System::Proxmox(endpoint.provider.clone()).to_string();
                counters.push((name, Box::new(move || counted.requests_sent())));
                let port = proxmox::Port {
                    client,
                    provider: endpoint.provider.clone(),
                };
                hypervisors.insert(endpoint.provider.clone(), Arc::new(port));
            }
            Err(finding) => findings.push(finding),
        }
    }
    let mut gateway: Option<Arc<dyn Gateway>> = None;
    let mut dns: Option<Arc<dyn Dns>> = None;
    if let Some(endpoint) = &site.unifi {
        match connect_unifi(endpoint, environment, &clock).await {
            Ok(client) => {
                let counted = client.clone();
                counters.push((
                    System::Unifi.to_string(),
                    Box::new(move || counted.requests_sent()),
                ));
                gateway = Some(Arc::new(unifi::Port { client }));
            }
            Err(finding) => findings.push(finding),
        }
        match resolver(site, endpoint).await {
            Ok(resolver) => dns = resolver,
            Err(finding) => findings.push(finding),
        }
    }
    match omni {
        Some(client) if findings.is_empty() => {
            let mut connected = over_omni(client, clock);
            connected.ports.hypervisors = hypervisors;
            connected.ports.gateway = gateway;
            connected.ports.dns = dns;
            connected.counters.extend(counters);
            Ok(connected)
        }
        _ => Err(findings),
    }
}

/// A client for Omni alone, for work that needs no other system. Nothing is sent yet.
pub async fn connect_omni(
    endpoint: &OmniEndpoint,
    environment: Environment<'_>,
    clock: Arc<dyn Clock>,
) -> Result<Connected, Finding> {
    let client = omni_client(endpoint, environment, &clock).await?;
    Ok(over_omni(client, clock))
}

/// A Proxmox cluster alone, for work that needs no other system. Nothing is sent yet.
pub async fn connect_hypervisor(
    endpoint: &ProxmoxEndpoint,
    environment: Environment<'_>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Hypervisor>, Finding> {
    let client = connect_proxmox(endpoint, environment, &clock).await?;
    let provider = endpoint.provider.clone();
    Ok(Arc::new(proxmox::Port { client, provider }))
}

/// A client for Omni alone that signs with a key of its own, such as a person's. Nothing is sent yet.
pub fn connect_omni_as(
    endpoint: &str,
    tls: &Tls,
    signer: Arc<dyn omni_client::Signer>,
    clock: Arc<dyn Clock>,
) -> Result<Connected, Finding> {
    let nowhere = Origin::default();
    let client = omni_client::ClientBuilder::new(endpoint)
        .signer(signer)
        .trust(trust(tls, &System::Omni, &nowhere)?)
        .clock(Arc::clone(&clock))
        .build();
    match client {
        Ok(client) => Ok(over_omni(client, clock)),
        Err(error) => {
            let mut finding = unusable(System::Omni, &nowhere, &error);
            finding.diagnostic.origin = None;
            finding.diagnostic.hint = error.hint().map(str::to_owned);
            Err(finding)
        }
    }
}

/// The ports over a client of Omni alone.
fn over_omni(client: omni_client::Client, clock: Arc<dyn Clock>) -> Connected {
    let counted = client.clone();
    let counter: Counter = Box::new(move || counted.requests_sent());
    Connected {
        omni: client.clone(),
        ports: Ports {
            omni: Arc::new(omni::Port { client }),
            hypervisors: BTreeMap::new(),
            gateway: None,
            dns: None,
            clock,
        },
        counters: vec![(System::Omni.to_string(), counter)],
    }
}

async fn omni_client(
    endpoint: &OmniEndpoint,
    environment: Environment<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<omni_client::Client, Finding> {
    let key = secret(&endpoint.key, environment, System::Omni, &endpoint.origin).await?;
    omni_client::ClientBuilder::new(endpoint.endpoint.clone())
        .service_account_key(key)
        .trust(trust(&endpoint.tls, &System::Omni, &endpoint.origin)?)
        .clock(Arc::clone(clock))
        .build()
        .map_err(|error| {
            let mut finding = match &error {
                omni_client::Error::Key(cause) => unusable(System::Omni, &endpoint.origin, cause),
                other => unusable(System::Omni, &endpoint.origin, other),
            };
            finding.diagnostic.hint = error.hint().map(str::to_owned);
            finding
        })
}

async fn connect_proxmox(
    endpoint: &ProxmoxEndpoint,
    environment: Environment<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<proxmox_client::Client, Finding> {
    let system = System::Proxmox(endpoint.provider.clone());
    let token = secret(
        &endpoint.api_token,
        environment,
        system.clone(),
        &endpoint.origin,
    )
    .await?;
    let mut urls = endpoint.endpoints.iter();
    let mut builder = proxmox_client::Client::builder(urls.next().cloned().unwrap_or_default());
    for url in urls {
        builder = builder.endpoint(url.clone());
    }
    builder
        .api_token(token)
        .trust(trust(&endpoint.tls, &system, &endpoint.origin)?)
        .clock(Arc::clone(clock))
        .build()
        .map_err(|error| match error {
            proxmox_client::Error::Invalid { message, .. } => Finding::of(
                system,
                Diagnostic::error(message).at(endpoint.origin.clone()),
            ),
            other => unusable(system, &endpoint.origin, &other),
        })
}

async fn connect_unifi(
    endpoint: &UnifiEndpoint,
    environment: Environment<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<unifi_client::Client, Finding> {
    let origin = &endpoint.origin;
    let key = secret(&endpoint.api_key, environment, System::Unifi, origin).await?;
    let client = unifi_builder(endpoint, clock)?.api_key(key).build();
    client.map_err(|error| unusable(System::Unifi, origin, &error))
}

fn unifi_builder(
    endpoint: &UnifiEndpoint,
    clock: &Arc<dyn Clock>,
) -> Result<unifi_client::ClientBuilder, Finding> {
    let trust = trust(&endpoint.tls, &System::Unifi, &endpoint.origin)?;
    Ok(unifi_client::Client::builder(endpoint.endpoint.clone())
        .site(endpoint.site.clone())
        .trust(trust)
        .clock(Arc::clone(clock)))
}

/// A gateway alone, for work that needs no other system.
#[derive(Debug, Clone)]
pub struct GatewayAlone {
    client: unifi_client::Client,
}

impl GatewayAlone {
    /// The port over it.
    pub fn port(&self) -> Arc<dyn Gateway> {
        Arc::new(unifi::Port {
            client: self.client.clone(),
        })
    }

    /// The DNS API that served last.
    pub fn dns_family(&self) -> Option<unifi_client::Family> {
        self.client.dns_family()
    }

    /// Ends the session of a login, where there is one. Sessions end by themselves, so a failure is no matter.
    pub async fn leave(&self) {
        if let Err(error) = self.client.logout().await {
            tracing::debug!(%error, "the session was not ended");
        }
    }
}

/// Name of a local account and the place of its password.
#[derive(Debug, Clone)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretRef,
}

/// A client for a gateway alone. Nothing is sent yet. A login takes the place of the endpoint's API key.
pub async fn connect_gateway(
    endpoint: &UnifiEndpoint,
    login: Option<&Login>,
    environment: Environment<'_>,
    clock: Arc<dyn Clock>,
) -> Result<GatewayAlone, Finding> {
    let Some(login) = login else {
        let client = connect_unifi(endpoint, environment, &clock).await?;
        return Ok(GatewayAlone { client });
    };
    let origin = &endpoint.origin;
    let password = secret(&login.password, environment, System::Unifi, origin).await?;
    let client = unifi_builder(endpoint, &clock)?
        .login(login.username.clone(), password)
        .build()
        .map_err(|error| unusable(System::Unifi, origin, &error))?;
    Ok(GatewayAlone { client })
}

/// The resolver nodes ask: the one named, else the gateway itself.
async fn resolver(site: &Site, endpoint: &UnifiEndpoint) -> Result<Option<Arc<dyn Dns>>, Finding> {
    if site.dns.records.is_empty() {
        return Ok(None);
    }
    let address = match site.dns.resolver {
        Some(address) => Some(address),
        None => gateway_address(&endpoint.endpoint).await,
    };
    let Some(address) = address else {
        let error =
            Diagnostic::error("the gateway's address is not known, so its DNS cannot be asked")
                .at(endpoint.origin.clone())
                .hint("set `dns.resolver: ADDRESS`");
        return Err(Finding::of(System::Dns, error));
    };
    match dns::Port::new(address) {
        Ok(port) => Ok(Some(Arc::new(port))),
        Err(error) => Err(unusable(System::Dns, &endpoint.origin, &error)),
    }
}

async fn gateway_address(endpoint: &str) -> Option<SocketAddr> {
    let url = Url::parse(endpoint).ok()?;
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 53));
    }
    tokio::net::lookup_host((host, 53)).await.ok()?.next()
}

async fn secret(
    place: &SecretRef,
    environment: Environment<'_>,
    system: System,
    origin: &Origin,
) -> Result<SecretString, Finding> {
    read_secret(place, environment).await.map_err(|error| {
        let mut diagnostic = Diagnostic::error(chain(&error)).at(origin.clone());
        diagnostic.hint = error.hint();
        Finding::of(system, diagnostic)
    })
}

fn trust(tls: &Tls, system: &System, origin: &Origin) -> Result<Trust, Finding> {
    let fail = |message: String| {
        Finding::of(
            system.clone(),
            Diagnostic::error(message).at(origin.clone()),
        )
    };
    if tls.insecure {
        return Ok(Trust::Insecure);
    }
    if !tls.sha256.is_empty() {
        let pins: Result<Vec<_>, _> = tls.sha256.iter().map(|pin| pin.parse()).collect();
        return pins
            .map(Trust::Pins)
            .map_err(|error| fail(format!("`tls.sha256`: {error}")));
    }
    match &tls.ca_file {
        Some(file) => std::fs::read(file).map(Trust::CaPem).map_err(|error| {
            fail(format!(
                "the CA file {} cannot be read: {error}",
                file.display()
            ))
        }),
        None => Ok(Trust::System),
    }
}

fn unusable(system: System, origin: &Origin, error: &(dyn StdError + 'static)) -> Finding {
    Finding::of(system, Diagnostic::error(chain(error)).at(origin.clone()))
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// A transport error with its first cause; the layers between say the same in other words.
pub(crate) fn told(error: &api_transport::Error) -> String {
    let text = error.to_string();
    let mut deepest = error.source();
    while let Some(cause) = deepest.and_then(StdError::source) {
        deepest = Some(cause);
    }
    match deepest.map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => {
            let cause = cause.split(" (os error ").next().unwrap_or_default();
            format!("{text}: {}", lower_first(cause))
        }
        _ => text,
    }
}

/// The system's own texts begin with a capital, which looks odd after a colon.
fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
