//! `get`: resources as tables, YAML, JSON or by a path.

mod format;
mod table;
mod watch;

use bootstrap_core::resource::definition::Definition;
use omni_client::{Kind, Resource};
use regex::Regex;

use self::format::{Form, Printer};
use super::Session;
use crate::compat;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};

/// Show resources
///
/// `omni-resource get rd` lists the types there are, with their aliases. JSON and paths have the keys that YAML has:
/// joined and in lower case, `.spec.kubernetesversion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-resource get clusters
  omni-resource get machineclass gpu -o yaml
  omni-resource get machinestatus -l omni.sidero.dev/cluster=home -o jsonpath='{.spec.network.hostname}'
  omni-resource get machinerequeststatus -w

Exit codes: 0 shown (also where there are none), 1 no such resource or no answer, 130 and 143 after a signal.")]
pub struct Get {
    /// The type: an id or an alias, in any case
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Only this one
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Its namespace [default: that of the type]
    #[arg(short = 'n', long)]
    namespace: Option<String>,
    /// table, yaml, json or jsonpath=PATH
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table", value_parser = Form::parse)]
    output: Form,
    /// Only those whose labels match, e.g. `omni.sidero.dev/cluster=home`
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "id")]
    selector: Option<String>,
    /// Only those whose id matches a regular expression
    #[arg(long, value_name = "REGEX", conflicts_with = "id", value_parser = Regex::new)]
    id_match_regexp: Option<Regex>,
    /// Go on with what changes, until Ctrl-C
    #[arg(short = 'w', long)]
    watch: bool,
}

/// Shows.
///
/// # Errors
/// There is no such type or resource, or Omni does not answer.
pub fn run(arguments: &Get, session: &Session, screen: &mut Screen) -> Result<Exit, Failure> {
    block_on(async {
        let connected = session.connect(screen).await?;
        let omni = connected.ports.omni.as_ref();
        let definition = session.resolve(Exit::Error, omni, &arguments.kind).await?;
        let mut kind = definition.kind.clone();
        if let Some(namespace) = &arguments.namespace {
            kind.namespace = namespace.clone().into();
        }
        let printer = Printer::new(arguments.output.clone(), &definition, arguments.watch);
        if arguments.watch {
            return watch::run(arguments, &kind, omni, session, printer, screen).await;
        }
        let failed = |error| session.failed(Exit::Error, &error);
        if let Some(id) = &arguments.id {
            return match omni.get(&kind, id).await.map_err(failed)? {
                Some(one) => show(printer, &[one], session, screen),
                None => Err(absent(&kind, id, &definition, session, printer, screen)),
            };
        }
        let selector = arguments.selector.as_deref();
        let mut found = omni.list(&kind, selector).await.map_err(failed)?;
        found.retain(|resource| is_wanted(arguments, resource));
        show(printer, &found, session, screen)
    })
}

fn show(
    mut printer: Printer,
    found: &[Resource],
    session: &Session,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    for resource in found {
        printer
            .add(resource, None)
            .map_err(|text| session.refused(&text))?;
    }
    printer.flush(screen);
    Ok(Exit::Done)
}

fn is_wanted(arguments: &Get, resource: &Resource) -> bool {
    let id = &resource.metadata.id;
    arguments.id.as_ref().is_none_or(|wanted| wanted == id)
        && arguments
            .id_match_regexp
            .as_ref()
            .is_none_or(|regex| regex.is_match(id))
}

fn absent(
    kind: &Kind,
    id: &str,
    definition: &Definition,
    session: &Session,
    mut printer: Printer,
    screen: &mut Screen,
) -> Failure {
    if session.compat {
        printer.flush(screen);
        let (namespace, name) = (&kind.namespace, &kind.name);
        return compat::failure(format!(
            "rpc error: code = NotFound desc = resource {name}({namespace}/{id}@undefined) doesn't exist"
        ));
    }
    let message = format!(
        "there is no {} `{id}` in the namespace {}",
        definition.display, kind.namespace
    );
    let word = definition.display.to_lowercase();
    let hint = format!("`omni-resource get {word}` lists those there are");
    Failure::advised(Exit::Error, message, hint)
}
