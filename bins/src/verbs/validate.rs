//! `validate`: everything that can be said about a site's files without asking anybody.

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::site::{self, Site};
use serde::Serialize;

use crate::args::{Format, Output, SiteFile};
use crate::output::Screen;
use crate::run::{Exit, Failure};

/// Check a site's files, offline
///
/// Reads the site file, machine classes, cluster templates and patches, and reports all that is wrong with them. No
/// system is asked, no secret is read and no command is run.
#[derive(Debug, clap::Args)]
pub struct Validate {
    #[command(flatten)]
    site: SiteFile,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a std::path::Path,
    errors: usize,
    warnings: usize,
    findings: &'a [Diagnostic],
}

/// Loads the site and tells what was found.
///
/// # Errors
/// The report cannot be written.
pub fn run(arguments: &Validate, screen: &mut Screen) -> Result<Exit, Failure> {
    let file = &arguments.site.file;
    let (site, findings) = match site::load(file) {
        Ok(site) => {
            let findings = [&site.resolver_findings[..], &site.warnings, &site.unchecked].concat();
            (Some(site), findings)
        }
        Err(findings) => (None, findings),
    };
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if arguments.output.format == Format::Table {
        screen.findings(&findings);
        match &site {
            Some(site) if errors == 0 => screen.print(&summary(site, warnings)),
            _ => screen.note(&format!(
                "\n{} in {}",
                amounts(errors, warnings),
                file.display()
            )),
        }
    } else {
        screen.document(
            arguments.output.format,
            &Report {
                file,
                errors,
                warnings,
                findings: &findings,
            },
        )?;
    }
    Ok(if errors == 0 {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn summary(site: &Site, warnings: usize) -> String {
    let sets = || {
        site.clusters
            .iter()
            .flat_map(|cluster| &cluster.machine_sets)
    };
    let machines: u32 = sets()
        .filter_map(|set| set.class.as_ref())
        .map(|(_, size)| size)
        .sum();
    let mut text = format!(
        "site {}: {}, {}, {machines} machines from {} is valid",
        site.name,
        plural(site.clusters.len(), "cluster"),
        plural(sets().count(), "machine set"),
        match site.machine_classes.len() {
            1 => "1 machine class".to_owned(),
            count => format!("{count} machine classes"),
        },
    );
    if warnings > 0 {
        text = format!("{text}, with {}", plural(warnings, "warning"));
    }
    text
}

fn amounts(errors: usize, warnings: usize) -> String {
    let mut parts = vec![plural(errors, "error")];
    if warnings > 0 {
        parts.push(plural(warnings, "warning"));
    }
    parts.join(" and ")
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
