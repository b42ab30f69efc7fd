//! `bootstrap-schema`.

use bootstrap_core::resource;
use bootstrap_core::{site, template};
use clap::Subcommand;
use serde_json::Value;

use crate::args::Format;
use crate::output::Screen;
use crate::run::{Exit, Failure};

/// Whose schema.
#[derive(Debug, Clone, Subcommand)]
pub enum Subject {
    /// The site file, bootstrap.yaml
    Bootstrap,
    /// A cluster template, as `omnictl cluster template` takes it: each of its documents
    ClusterTemplate,
    /// Resources of one type, as `omni-resource apply` and `omnictl apply` take them
    Resource {
        /// The type, whole or in short: MachineClasses, machineclass
        #[arg(value_name = "TYPE")]
        kind: String,
    },
}

/// Prints the schema.
///
/// # Errors
/// The type is not known.
pub fn run(subject: &Subject, screen: &mut Screen) -> Result<Exit, Failure> {
    screen.document(Format::Json, &schema(subject)?)?;
    Ok(Exit::Done)
}

fn schema(subject: &Subject) -> Result<Value, Failure> {
    match subject {
        Subject::Bootstrap => Ok(site::json_schema()),
        Subject::ClusterTemplate => Ok(template::schema::json_schema()),
        Subject::Resource { kind } => {
            let named = resource::type_called(kind);
            let schema = named.and_then(resource::json_schema::json_schema);
            schema.ok_or_else(|| {
                let message = format!("no type of resources is called `{kind}`");
                let hint = "name it as `omni-resource get` does, for example machineclasses";
                Failure::advised(Exit::Usage, message, hint)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_schemas_on_disk_are_these() {
        let class = "machineclass".to_owned();
        for (name, subject) in [
            ("bootstrap", Subject::Bootstrap),
            ("cluster-template", Subject::ClusterTemplate),
            ("machine-class", Subject::Resource { kind: class }),
        ] {
            let file = format!("../schemas/{name}.schema.json");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let schema = schema(&subject).unwrap();
            let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if crate::run::environment("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                stored == text,
                "schemas/{name}.schema.json is stale: UPDATE_SCHEMAS=1 cargo test -p bins --lib schema"
            );
        }
    }
}
