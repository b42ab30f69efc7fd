//! The server's own judgement of texts before they are written.
//!
//! Methods `ValidateConfig`, answer `{}` or a refusal [140, 141], and `ValidateJSONSchema`, answer
//! `{"errors": [{"schema_path", "data_path", "cause", "errors"}]}` [142].

use serde::{Deserialize, Serialize};

use super::Repeat;
use crate::{Client, Error};

/// Where data does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaFinding {
    /// The part of the schema, as a URL with a fragment.
    pub schema_path: String,
    /// The part of the data, as a path such as `/cores`.
    pub data_path: String,
    /// What is wrong.
    pub cause: String,
    /// What led to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<SchemaFinding>,
}

#[derive(Serialize)]
struct Config<'a> {
    config: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    data: &'a str,
    schema: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Findings {
    errors: Vec<SchemaFinding>,
}

impl Client {
    /// Has a config patch (YAML of a Talos machine config) judged by the rules that a `ConfigPatches` resource meets;
    /// [`Error::Invalid`] with what is wrong. Any valid signature may ask.
    pub async fn validate_config(&self, config: &str) -> Result<(), Error> {
        self.managed("ValidateConfig", None, &Config { config }, Repeat::Harmless)
            .await
            .map(drop)
    }

    /// What in `data` (YAML or JSON) does not fit `schema` (JSON, at most 1 MB), such as a provider's data and the
    /// schema it published. Any valid signature may ask.
    pub async fn validate_json_schema(
        &self,
        data: &str,
        schema: &str,
    ) -> Result<Vec<SchemaFinding>, Error> {
        let body = Data { data, schema };
        let found: Findings = self
            .manage("ValidateJSONSchema", None, &body, Repeat::Harmless)
            .await?;
        Ok(found.errors)
    }
}
