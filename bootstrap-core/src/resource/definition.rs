//! The types a server has, and the words they go by.

use omni_client::{Kind, Resource};
use serde_json::Value;

use super::fields::nearest;
use super::jsonpath::Template;
use crate::ports::{Omni, PortError};

/// A type of resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its id: the full name in lower case.
    pub id: String,
    /// Full name and usual namespace.
    pub kind: Kind,
    /// What one of them is called, `MachineClass`.
    pub display: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// Titles and paths into the spec of the columns that tables have beyond the usual ones.
    pub columns: Vec<(String, Template)>,
}

/// Why a word names no type.
#[derive(Debug)]
pub enum Unresolved {
    /// Nothing has this name; the word that may be meant.
    Unknown(Option<String>),
    /// Several have it.
    Ambiguous(Vec<String>),
    /// The server was not to be asked.
    Port(PortError),
}

/// The type a word stands for: an id or an alias in any case.
///
/// # Errors
/// There is none, there are several, or the server does not say.
pub async fn resolve(omni: &dyn Omni, word: &str) -> Result<Definition, Unresolved> {
    let kind = Kind::new("meta", "ResourceDefinitions.meta.cosi.dev");
    let all = omni.list(&kind, None).await.map_err(Unresolved::Port)?;
    let all: Vec<Definition> = all.iter().map(definition).collect();
    let is_called = |definition: &&Definition| {
        let names = std::iter::once(&definition.id).chain(&definition.aliases);
        names
            .into_iter()
            .any(|name| name.eq_ignore_ascii_case(word))
    };
    let mut matching = all.iter().filter(is_called);
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => Err(Unresolved::Unknown(meant(&all, word))),
        (Some(_), Some(_)) => {
            let ids = all.iter().filter(is_called).map(|one| one.id.clone());
            Err(Unresolved::Ambiguous(ids.collect()))
        }
    }
}

fn meant(all: &[Definition], word: &str) -> Option<String> {
    // Short forms are a slip away from anything.
    let words = all
        .iter()
        .flat_map(|definition| &definition.aliases)
        .filter(|alias| alias.len() > 4 && !alias.contains('.'));
    nearest(&word.to_lowercase(), words.map(String::as_str)).map(str::to_owned)
}

fn definition(resource: &Resource) -> Definition {
    let spec = &resource.spec;
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let list = |key: &str| {
        spec.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let columns = list("printColumns")
        // A path of a form that is not known is left out, not the whole table.
        .filter_map(|column| {
            let path = Template::parse(&text(column, "jsonPath")).ok()?;
            Some((text(column, "name"), path))
        })
        .collect();
    Definition {
        id: resource.metadata.id.clone(),
        kind: Kind::new(text(spec, "defaultNamespace"), text(spec, "type")),
        display: text(spec, "displayType"),
        aliases: list("allAliases")
            .filter_map(|alias| alias.as_str().map(str::to_owned))
            .collect(),
        columns,
    }
}
