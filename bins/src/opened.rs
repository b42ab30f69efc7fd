//! From a site file to a plan: the way `plan`, `apply` and `status` begin.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_transport::Clock;
use bootstrap_core::adapters::{Connected, connect};
use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::observe::{Snapshot, observe};
use bootstrap_core::plan::{Finding, Plan, plan};
use bootstrap_core::ports::{PortError, System};
use bootstrap_core::site::{self, Site, Tls};

use crate::notices;
use crate::output::Screen;
use crate::run::{Exit, Failure, setting};

/// A site with clients for its systems and what they said.
#[derive(Debug)]
pub struct Opened {
    /// The intent.
    pub site: Arc<Site>,
    /// Clients.
    pub connected: Connected,
    /// What was observed.
    pub snapshot: Snapshot,
    /// What would be done.
    pub plan: Plan,
}

/// Loads a site file.
///
/// # Errors
/// Its findings, with exit code 5.
pub fn load(file: &Path) -> Result<Site, Failure> {
    site::load(file).map_err(|mut findings| {
        // What is broken often has consequences elsewhere; `validate` tells the warnings, too.
        findings.retain(|finding| finding.severity == Severity::Error);
        if !file.exists() {
            for finding in &mut findings {
                finding.hint = Some("name the site file with `-f FILE`".to_owned());
            }
        }
        Failure::findings(Exit::Refused, findings)
    })
}

/// Connects to a site's systems, observes them and plans.
///
/// # Errors
/// All that failed on any system, with exit code 5: nothing was written.
pub async fn open(
    site: Site,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
    clock: Arc<dyn Clock>,
    screen: &mut Screen,
) -> Result<Opened, Failure> {
    let connected = connect(&site, environment, clock)
        .await
        .map_err(|findings| Failure::findings(Exit::Refused, diagnostics(&findings)))?;
    notices::tell(&connected, screen).await;
    let snapshot = observe(&site, &connected.ports).await.map_err(|errors| {
        let findings = errors
            .iter()
            .map(|error| port_error(&site, error))
            .collect();
        Failure::findings(Exit::Refused, findings)
    })?;
    let plan = plan(&site, &snapshot);
    Ok(Opened {
        site: Arc::new(site),
        connected,
        snapshot,
        plan,
    })
}

/// Shows the plan's findings. The exit code when they forbid to go on.
pub fn refused(plan: &Plan, screen: &mut Screen) -> Option<Exit> {
    let errors = diagnostics(&[&plan.blockers[..], &plan.needs_person].concat());
    let mut findings = diagnostics(&[&plan.warnings[..], &plan.left_to_person].concat());
    // What is said of the same place as an error is a lesser form of it.
    let has_error = |warning: &Diagnostic| {
        warning.origin.is_some() && errors.iter().any(|error| error.origin == warning.origin)
    };
    findings.retain(|finding| !has_error(finding));
    findings.extend(errors);
    screen.findings(&findings);
    if !plan.is_blocked() {
        return None;
    }
    Some(if plan.blockers.is_empty() {
        Exit::Person
    } else {
        Exit::Refused
    })
}

/// Why a client could not be made, with exit code 5. Where no file named the system there is none to point at.
pub fn unconnected(mut finding: Finding, named_by_file: bool) -> Failure {
    if !named_by_file {
        finding.diagnostic.origin = None;
    }
    Failure::findings(Exit::Refused, diagnostics(&[finding]))
}

/// What the command line says of a server's certificate, or else the environment: `<SYSTEM>_TLS_SHA256` and
/// `<SYSTEM>_CA_FILE`.
pub fn tls(named: Tls, system: &str) -> Tls {
    if named.insecure || named.ca_file.is_some() || !named.sha256.is_empty() {
        return named;
    }
    let pin = setting(&format!("{system}_TLS_SHA256"));
    Tls {
        sha256: pin.into_iter().collect(),
        ca_file: setting(&format!("{system}_CA_FILE")).map(PathBuf::from),
        insecure: false,
    }
}

/// Findings with the system they are about in front.
pub fn diagnostics(findings: &[Finding]) -> Vec<Diagnostic> {
    findings
        .iter()
        .map(|finding| {
            let mut diagnostic = finding.diagnostic.clone();
            if let Some(system) = &finding.system {
                diagnostic.message = format!("{system}: {}", diagnostic.message);
            }
            diagnostic
        })
        .collect()
}

/// A system's error, at the place of the file that names the system.
fn port_error(site: &Site, error: &PortError) -> Diagnostic {
    let origin = match &error.system {
        System::Omni => Some(&site.omni.origin),
        System::Proxmox(provider) => site
            .proxmox
            .iter()
            .find(|endpoint| endpoint.provider == *provider)
            .map(|endpoint| &endpoint.origin),
        System::Unifi | System::Dns => site.unifi.as_ref().map(|endpoint| &endpoint.origin),
    };
    Diagnostic {
        origin: origin.cloned(),
        ..error.into()
    }
}
