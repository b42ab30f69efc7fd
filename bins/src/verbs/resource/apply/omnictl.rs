//! `apply` as omnictl does it: one file after the other, each document written as it comes.

use std::path::Path;

use bootstrap_core::ports::{Failure as Kind, Omni, PortError};
use bootstrap_core::resource::{character_diff, find, omnictl, print};
use omni_client::Resource;

use super::{Apply, standard_input};
use crate::compat;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};
use crate::verbs::resource::Session;

struct Options {
    verbose: bool,
    dry_run: bool,
}

pub(super) fn run(
    arguments: &Apply,
    session: &Session,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let options = Options {
        verbose: session.verbose || arguments.dry_run,
        dry_run: arguments.dry_run,
    };
    let mut files = Vec::new();
    for path in &arguments.files {
        if path.as_path() == Path::new("-") {
            files.push(path.clone());
            continue;
        }
        files.extend(find(path).map_err(|error| {
            compat::failure(format!(
                "failed to discover yaml files from {:?}: stat {}: {}",
                path.display().to_string(),
                path.display(),
                error.message
            ))
        })?);
    }
    block_on(async {
        let connected = session.connect(screen).await?;
        if options.verbose {
            screen.print(&format!("Processing {} resource file(s)", files.len()));
        }
        for file in &files {
            if options.verbose {
                screen.print(&format!("Applying resources from: {}", file.display()));
            }
            apply(file, connected.ports.omni.as_ref(), &options, screen)
                .await
                .map_err(|error| {
                    compat::failure(format!(
                        "failed to apply resources from file {:?}: {error}",
                        file.display().to_string()
                    ))
                })?;
        }
        Ok(Exit::Done)
    })
}

async fn apply(
    file: &Path,
    omni: &dyn Omni,
    options: &Options,
    screen: &mut Screen,
) -> Result<(), String> {
    let text = if file == Path::new("-") {
        standard_input().map_err(|_| "standard input cannot be read".to_owned())?
    } else {
        std::fs::read_to_string(file).map_err(|error| error.to_string())?
    };
    for resource in omnictl::decode(&text)? {
        let (id, kind) = (&resource.metadata.id, &resource.metadata.kind);
        let failed = |what: &str, error: &PortError| {
            let error = compat::port_error(error);
            format!("failed to {what} resource '{id}' '{kind}': {error}")
        };
        match omni.get(&resource.kind(), id).await {
            Ok(Some(actual)) => update(&actual, &resource, omni, options, screen)
                .await
                .map_err(|error| failed("update", &error))?,
            Ok(None) => create(&resource, omni, options, screen)
                .await
                .map_err(|error| failed("create", &error))?,
            Err(error) if matches!(error.failure, Kind::Denied | Kind::Unauthorized) => {
                create(&resource, omni, options, screen)
                    .await
                    .map_err(|error| failed("create", &error))?;
            }
            Err(error) => return Err(failed("get", &error)),
        }
    }
    Ok(())
}

async fn create(
    resource: &Resource,
    omni: &dyn Omni,
    options: &Options,
    screen: &mut Screen,
) -> Result<(), PortError> {
    if options.verbose {
        let text = print::yaml(resource);
        screen.print(&format!(
            "Creating resource '{}'\n\n{text}\n\n",
            resource.metadata.id
        ));
    }
    if options.dry_run {
        return Ok(());
    }
    omni.create(resource).await
}

async fn update(
    actual: &Resource,
    resource: &Resource,
    omni: &dyn Omni,
    options: &Options,
    screen: &mut Screen,
) -> Result<(), PortError> {
    if options.verbose {
        let text = character_diff::coloured(&print::yaml(actual), &print::yaml(resource));
        screen.print(&format!(
            "Updating resource '{}'\n\n{text}\n\n",
            resource.metadata.id
        ));
    }
    if options.dry_run {
        return Ok(());
    }
    let mut new = resource.clone();
    new.metadata.version = actual.metadata.version;
    // omnictl loses these, and the controllers then put them back: nothing that a script could rely on.
    new.metadata
        .finalizers
        .clone_from(&actual.metadata.finalizers);
    omni.update(&new).await
}
