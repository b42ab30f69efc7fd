//! `export`: a template from a cluster.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bootstrap_core::observe::cluster_resources;
use bootstrap_core::ports::{Omni as Port, PortError};
use bootstrap_core::resource::print;
use bootstrap_core::template::{self, ExportOptions};
use omni_client::{Resource, kinds};

use super::status::cluster_name;
use crate::compat::{self, Compat, failed_call};
use crate::omni::Omni;
use crate::output::{Screen, clean};
use crate::run::{Exit, Failure, block_on};

const HELP: &str = "\
Writes a cluster of Omni as a cluster template. Syncing that template again changes nothing: patches keep their ids, \
strategies and locks are kept. What a template cannot say (patches of single machines of a class-based set, the \
cluster's lock, annotations of Omni's own) is named on standard error. The result is checked before anything is \
written, and a file that exists is left as it is unless --force is given.

Machine classes are no part of a template, and a template with other documents in it would be none: \
--with-machine-classes writes those in use to files of their own, one a class, as `omnictl apply -f DIR` takes them.

With --compat the template has omnictl's bytes, and loses what omnictl loses.

Examples:
  omni-cluster-template export -c home                      print it
  omni-cluster-template export -c home -o cluster.yaml --with-machine-classes machine-classes/";

/// Write a cluster as a template
#[derive(Debug, clap::Args)]
#[command(long_about = HELP)]
pub struct Export {
    /// The cluster's name
    #[arg(short = 'c', long, value_name = "NAME", value_parser = cluster_name)]
    cluster: String,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(short = 'f', long)]
    force: bool,
    /// Take in kernel arguments that no template manages
    #[arg(long)]
    include_kernel_args: bool,
    /// Write the machine classes in use to DIR, a file each
    #[arg(long, value_name = "DIR")]
    with_machine_classes: Option<PathBuf>,
}

/// Exports.
///
/// # Errors
/// There is no such cluster, it makes no valid template, or a file cannot be written.
pub fn run(
    arguments: &Export,
    omni: &Omni,
    compat: Compat,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let compat = compat.compat;
    if let Some(file) = &arguments.output {
        must_not_exist(file, arguments.force, compat)?;
    }
    let options = ExportOptions {
        omnictl: compat,
        kernel_args: arguments.include_kernel_args,
    };
    let (export, classes) = block_on(async {
        let connected = omni.connect(compat, screen).await?;
        let port = &*connected.ports.omni;
        let failed = |error: PortError| failed_call(&error, Exit::Error, compat);
        let found = cluster_resources(port, &arguments.cluster)
            .await
            .map_err(failed)?;
        let Some(resources) = found else {
            return Err(no_cluster(&arguments.cluster, compat));
        };
        let export = template::export(&resources, options).map_err(|error| {
            if compat {
                compat::failure(error.message)
            } else {
                Failure::findings(Exit::Error, error.findings)
            }
        })?;
        let mut classes = Vec::new();
        if arguments.with_machine_classes.is_some() {
            classes = machine_classes(port, &export.machine_classes)
                .await
                .map_err(failed)?;
        }
        Ok((export, classes))
    })?;
    let mut files = Vec::new();
    if let Some(directory) = &arguments.with_machine_classes {
        for class in &classes {
            let file = directory.join(file_name(class.id())?);
            must_not_exist(&file, arguments.force, compat)?;
            files.push((file, print::declared(class, 2)));
        }
        fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
    }
    match &arguments.output {
        Some(file) => files.push((file.clone(), export.text)),
        None => screen.print(&export.text),
    }
    for (file, text) in &files {
        write(file, text, arguments.force).map_err(|error| cannot_write(file, &error))?;
    }
    for note in &export.notes {
        screen.note(&format!("note: {}", clean(note)));
    }
    Ok(Exit::Done)
}

fn no_cluster(cluster: &str, compat: bool) -> Failure {
    let quoted = template::go_quote(cluster);
    if compat {
        return compat::failure(format!(
            "error getting cluster {quoted}: rpc error: code = NotFound desc = resource Clusters.omni.sidero.dev(default/{cluster}@undefined) doesn't exist"
        ));
    }
    let hint = "check the name, and that this is the Omni it is in";
    Failure::advised(Exit::Error, format!("there is no cluster {quoted}"), hint)
}

/// Classes that are gone since are left out: the machine set then shows it.
async fn machine_classes(port: &dyn Port, names: &[String]) -> Result<Vec<Resource>, PortError> {
    let all = port.list(&kinds::MACHINE_CLASS, None).await?;
    let in_use = |class: &Resource| names.iter().any(|name| name == class.id());
    Ok(all.into_iter().filter(in_use).collect())
}

fn file_name(class: &str) -> Result<String, Failure> {
    let odd = |character: char| matches!(character, '/' | '\\') || character.is_control();
    if class.is_empty() || class.starts_with('.') || class.contains(odd) {
        let message = format!(
            "machine class {} cannot be a file name",
            template::go_quote(class)
        );
        return Err(Failure::message(Exit::Error, message));
    }
    Ok(format!("{class}.yaml"))
}

fn must_not_exist(file: &Path, force: bool, compat: bool) -> Result<(), Failure> {
    if force || !file.exists() {
        return Ok(());
    }
    let shown = file.display();
    if compat {
        return Err(compat::failure(format!(
            "failed to open output file: open {shown}: file exists"
        )));
    }
    let message = format!("{shown} exists");
    Err(Failure::advised(
        Exit::Error,
        message,
        "--force overwrites it",
    ))
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::message(Exit::Error, message)
}

/// The whole file or nothing: it is written beside its place and then moved there.
fn write(file: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".export-");
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        // As any new file, within the umask; a temporary file would be its owner's alone.
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    let mut beside = builder.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    beside.write_all(text.as_bytes())?;
    let moved = if force {
        beside.persist(file)
    } else {
        beside.persist_noclobber(file)
    };
    moved.map(drop).map_err(|error| error.error)
}
