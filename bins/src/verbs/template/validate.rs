//! `validate`: what is wrong with templates, all of it at once.

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::plan::{Rules, foreseen};
use bootstrap_core::site::{ClusterIntent, cluster_of};
use bootstrap_core::template;
use serde::Serialize;

use super::Source;
use super::planned::plans;
use crate::args::{Format, Output};
use crate::compat::{self, Compat};
use crate::omni::Omni;
use crate::opened::diagnostics;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};

/// Check cluster templates
///
/// Offline, unless --online: then Omni is asked as well whether it would take the template. Nothing is written.
#[derive(Debug, clap::Args)]
pub struct Validate {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    /// Ask Omni too: versions, extensions, machine classes, machines, and what else it would refuse
    #[arg(long)]
    online: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    findings: &'a [Diagnostic],
}

/// Checks.
///
/// # Errors
/// The templates cannot be read, or Omni cannot be asked.
pub fn run(
    arguments: &Validate,
    omni: &Omni,
    compat: Compat,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if compat.compat {
        return as_omnictl(&arguments.source);
    }
    let mut findings = Vec::new();
    let mut valid: Vec<ClusterIntent> = Vec::new();
    for (file, options) in arguments.source.files()? {
        match template::load_with(&file, &options) {
            Err(errors) => findings.extend(errors),
            Ok(template) => {
                let wrong = template.validate();
                let is_valid = wrong.is_empty();
                findings.extend(wrong);
                match cluster_of(template) {
                    Err(errors) => findings.extend(errors),
                    Ok(cluster) if is_valid => valid.push(cluster),
                    Ok(_) => {}
                }
            }
        }
    }
    for cluster in &valid {
        findings.extend(foreseen(cluster));
    }
    if arguments.online
        && findings
            .iter()
            .all(|finding| finding.severity != Severity::Error)
    {
        // Omni's word on it is an error; the warning of the same would only repeat it.
        findings = block_on(ask(&valid, omni, screen))?;
    }
    report(&findings, &valid, arguments.output.format, screen)
}

fn as_omnictl(source: &Source) -> Result<Exit, Failure> {
    for (file, options) in source.files()? {
        if let Some(report) = template::omnictl_report(&file, &options) {
            return Err(compat::failure(report));
        }
    }
    Ok(Exit::Done)
}

async fn ask(
    clusters: &[ClusterIntent],
    omni: &Omni,
    screen: &mut Screen,
) -> Result<Vec<Diagnostic>, Failure> {
    let connected = omni.connect(false, screen).await?;
    let mut findings = Vec::new();
    let omni = connected.ports.omni.as_ref();
    for plan in plans(clusters, omni, Rules::default()).await? {
        for part in [plan.blockers, plan.needs_person, plan.warnings] {
            findings.extend(diagnostics(&part));
        }
    }
    Ok(findings)
}

fn report(
    findings: &[Diagnostic],
    valid: &[ClusterIntent],
    format: Format,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if format == Format::Table {
        screen.findings(findings);
        if errors == 0 {
            for cluster in valid {
                screen.note(&format!(
                    "{}: the cluster {} is valid, {} resources",
                    cluster.template.path().display(),
                    cluster.name,
                    cluster.resources.len()
                ));
            }
        }
    } else {
        screen.document(
            format,
            &Report {
                errors,
                warnings,
                findings,
            },
        )?;
    }
    Ok(if errors == 0 {
        Exit::Done
    } else {
        Exit::Refused
    })
}
