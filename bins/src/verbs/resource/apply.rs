//! `apply`: makes Omni have what files say.

mod omnictl;
mod report;

use std::path::{Path, PathBuf};

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::ports::{PortError, Ports};
use bootstrap_core::resource::write::{self, Step};
use bootstrap_core::resource::{self, Input};

use self::report::{Outcome, Report};
use super::Session;
use crate::args::Output;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};
use crate::signals;

/// Create or update the resources of YAML files
///
/// Everything is read and checked before the first write: the files, the machine classes against the schema that
/// their provider registered, and whether Omni can make the change at all. What is in Omni already is not written
/// again. Labels and annotations become those of the file, except the ones under omni.sidero.dev/ that Omni keeps
/// itself. `-v` shows what changes line by line. Spec keys may be spelled `providerdata`, `provider_data` or `providerData`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-resource apply -f machine-classes/           every .yaml and .yml in there
  omni-resource apply -d -f gpu.yaml                what would change, line by line
  omni-resource get machineclass gpu -o yaml | sed s/old/new/ | omni-resource apply -f -

Exit codes: 0 done or nothing to do, 1 a write failed, 5 a check before the first write failed, 64 wrong arguments.")]
pub struct Apply {
    /// Files, or directories with .yaml and .yml files; `-` reads standard input
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Write nothing, show what would be written line by line
    #[arg(short = 'd', long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Applies.
///
/// # Errors
/// What is wrong with the files, or what Omni says.
pub fn run(arguments: &Apply, session: &Session, screen: &mut Screen) -> Result<Exit, Failure> {
    if session.compat {
        return omnictl::run(arguments, session, screen);
    }
    let mut inputs = Vec::new();
    for file in &arguments.files {
        inputs.push(if file.as_path() == Path::new("-") {
            Input::Text("<stdin>".into(), standard_input()?)
        } else {
            Input::Path(file.clone())
        });
    }
    let refused = |findings| Failure::findings(Exit::Refused, findings);
    let loaded = resource::load(&inputs).map_err(refused)?;
    screen.findings(&loaded.warnings);
    block_on(async {
        let connected = session.connect(screen).await?;
        let ports = &connected.ports;
        let unasked = |error: PortError| session.failed(Exit::Refused, &error);
        let steps = write::compare(ports.omni.as_ref(), loaded.documents)
            .await
            .map_err(unasked)?;
        let findings = write::check(ports.omni.as_ref(), &steps)
            .await
            .map_err(unasked)?;
        if findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
        {
            return Err(refused(findings));
        }
        screen.findings(&findings);
        let mut report = Report::new(
            arguments.output.format,
            session.verbose || arguments.dry_run,
        );
        if arguments.dry_run {
            for step in &steps {
                report.add(step, Outcome::Planned, screen);
            }
            report.finish(screen)?;
            return Ok(Exit::Done);
        }
        write_all(&steps, ports, &mut report, screen).await
    })
}

/// Writes in the order of the files, which may be one of causes, and stops at the first failure: what comes after may
/// need it.
async fn write_all(
    steps: &[Step],
    ports: &Ports,
    report: &mut Report,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let stop = signals::listen();
    let mut failed: Option<Diagnostic> = None;
    for step in steps {
        if failed.is_some() || *stop.asked.borrow() {
            report.add(step, Outcome::Left, screen);
            continue;
        }
        match write::write(ports.omni.as_ref(), ports.clock.as_ref(), step).await {
            Ok(written) => report.add(step, Outcome::Written(written), screen),
            Err(error) => {
                let name = resource::name(&step.document.resource);
                let mut error = Diagnostic::from(&error);
                error.message = format!("{name}: {}", error.message);
                report.add(step, Outcome::Failed(&error.message), screen);
                failed = Some(error.at(step.document.origin.clone()));
            }
        }
    }
    report.finish(screen)?;
    let mut exit = stop.exit();
    if let Some(error) = failed {
        exit = exit.worst(Exit::Error);
        screen.findings(&[error]);
    }
    if exit != Exit::Done && report.left() > 0 {
        screen.note("What is done stays; run the same command again to do the rest.");
    }
    Ok(exit)
}

fn standard_input() -> Result<String, Failure> {
    std::io::read_to_string(std::io::stdin())
        .map_err(|error| Failure::new(Exit::Refused, &error, None))
}
